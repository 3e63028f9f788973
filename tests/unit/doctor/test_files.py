"""How the doctor looks at files, ports and processes."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config, Ice, Webhook
from signald.doctor.files import check_data_directory, check_secret_files, secret_files
from signald.doctor.findings import Mark
from signald.doctor.ports import PortProblem, judge_port, local_host, port_problem
from signald.doctor.processes import Process, listening_process
from signald.net.file_modes import OWNER_ALONE, OWNER_AND_GROUP

STRANGER = 54321
"""A user id that nobody has."""


class DirectoryTests(SynchronousTestCase):
    """The data directory."""

    def setUp(self) -> None:
        """Make one."""
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir(mode=0o700)

    def marks(self, path: Path, owner: int | None = None) -> list[Mark]:
        """How bad it is."""
        return [finding.mark for finding in check_data_directory(path, owner)]

    def test_good(self) -> None:
        """It is its owner's alone, and has room."""
        self.assertEqual(self.marks(self.path), [Mark.OK, Mark.OK])
        self.assertEqual(self.marks(self.path, os.geteuid()), [Mark.OK, Mark.OK])

    def test_missing(self) -> None:
        """It can be made, and nothing is made by looking."""
        path = self.path / "a" / "b"
        self.assertEqual(self.marks(path), [Mark.OK])
        self.assertFalse(path.parent.exists())

    def test_of_another_user(self) -> None:
        """The running daemon's user has to own it."""
        self.assertEqual(self.marks(self.path, STRANGER)[0], Mark.FAILURE)

    def test_writable_by_others(self) -> None:
        """They could replace the authority."""
        self.path.chmod(0o770)
        self.assertEqual(self.marks(self.path)[0], Mark.FAILURE)

    def test_no_folder(self) -> None:
        """A file is none, and nothing is below it."""
        path = self.path / "file"
        path.write_text("")
        self.assertEqual(self.marks(path), [Mark.FAILURE])
        self.assertEqual(self.marks(path / "below"), [Mark.FAILURE])


class SecretTests(SynchronousTestCase):
    """Files that hold secrets."""

    def setUp(self) -> None:
        """Make a directory."""
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir()

    def file(self, name: str, mode: int) -> Path:
        """Make a file."""
        path = self.path / name
        path.write_text("secret")
        path.chmod(mode)
        return path

    def test_which(self) -> None:
        """Those that the configuration names as secrets, and those that are kept in the data directory."""
        turn, hook, key = (self.file(name, 0o600) for name in ("turn", "hook", "key"))
        kept = self.file("host-secret", 0o600)
        config = Config(
            data_dir=self.path,
            certificate=self.path / "certificate",
            key=key,
            ice=Ice(turn_urls=("turn:turn.example.org",), turn_secret_file=turn),
            webhook=Webhook(url="https://app.example.org/", secret_file=hook),
        )
        found = dict(secret_files(config))
        self.assertEqual(found, {turn: OWNER_AND_GROUP, hook: OWNER_AND_GROUP, key: OWNER_AND_GROUP, kept: OWNER_ALONE})

    def test_modes(self) -> None:
        """A group may read an operator's file, not signald's own; others may read none."""
        for mode, forbidden, mark in (
            (0o600, OWNER_ALONE, Mark.OK),
            (0o640, OWNER_ALONE, Mark.FAILURE),
            (0o640, OWNER_AND_GROUP, Mark.OK),
            (0o644, OWNER_AND_GROUP, Mark.FAILURE),
        ):
            path = self.file("secret", mode)
            (found,) = check_secret_files([(path, forbidden)], None)
            self.assertEqual(found.mark, mark, oct(mode))
            self.assertNotIn("secret\n", found.text)

    def test_the_configuration_itself(self) -> None:
        """Where it has secrets of TURN servers it is one of these files."""
        (found,) = check_secret_files([], self.file("signald.toml", 0o644))
        self.assertIn("it holds the secrets of TURN servers", found.text)

    def test_missing(self) -> None:
        """A file that is named and not there is told."""
        (found,) = check_secret_files([(self.path / "nothing", OWNER_AND_GROUP)], None)
        self.assertEqual(found.mark, Mark.FAILURE)


class PortTests(SynchronousTestCase):
    """Who has a port."""

    def listen(self) -> int:
        """Listen on a free port."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        port: int = listening.getsockname()[1]
        return port

    def test_taken(self) -> None:
        """A port in use is found, and the process that has it: this one."""
        port = self.listen()
        self.assertEqual(port_problem("127.0.0.1", port), PortProblem(errno.EADDRINUSE))
        found = listening_process(port)
        assert found is not None
        self.assertEqual((found.id, found.owner), (os.getpid(), os.geteuid()))

    def test_free(self) -> None:
        """A port that nobody has any more is free, and nobody is found."""
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        listening.close()
        self.assertIsNone(port_problem("127.0.0.1", port))
        self.assertIsNone(listening_process(port))

    def test_no_address_of_this_machine(self) -> None:
        """An interface that is elsewhere."""
        self.assertEqual(port_problem("192.0.2.1", 0), PortProblem(errno.EADDRNOTAVAIL))

    def test_sentences(self) -> None:
        """Ours and free are well; all else has a remedy."""
        process = Process(1234, "apache2", 0, None)
        for number, ours, said in (
            (None, False, "is free"),
            (errno.EADDRINUSE, True, "signald listens on port 443"),
            (errno.EADDRINUSE, False, "is taken by apache2 (process 1234)"),
            (errno.EACCES, False, "is for privileged processes"),
            (errno.EADDRNOTAVAIL, False, "has no address 192.0.2.1"),
            (errno.ENOBUFS, False, os.strerror(errno.ENOBUFS)),
        ):
            problem = None if number is None else PortProblem(number)
            found = judge_port("port", "192.0.2.1", 443, problem, process, ours=ours)
            self.assertIn(said, found.text)
            self.assertEqual(found.mark is Mark.FAILURE, bool(found.remedy), said)
            self.assertEqual(found.mark is Mark.OK, number is None or ours)

    def test_unknown_process(self) -> None:
        """Another user's process is another program."""
        found = judge_port("port", None, 443, PortProblem(errno.EADDRINUSE), None, ours=False)
        self.assertIn("Port 443 (port) is taken by another program", found.text)

    def test_local_host(self) -> None:
        """Where an interface is reached from this machine."""
        hosts = [local_host(interface) for interface in (None, "0.0.0.0", "::", "192.0.2.1")]  # noqa: S104 # binds nothing
        self.assertEqual(hosts, ["127.0.0.1", "127.0.0.1", "::1", "192.0.2.1"])


class ProcessTests(SynchronousTestCase):
    """What /proc tells."""

    def setUp(self) -> None:
        """Make a small one."""
        self.proc = Path(self.mktemp()).resolve()
        (self.proc / "net").mkdir(parents=True)
        line = "   0: 0100007F:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n"
        (self.proc / "net" / "tcp").write_text(f"header\n{line}")

    def process(self, id: int, name: str, hard: str) -> None:
        """Add a process that holds the socket."""
        folder = self.proc / str(id)
        (folder / "fd").mkdir(parents=True)
        (folder / "fd" / "5").symlink_to("socket:[4711]")
        (folder / "comm").write_text(f"{name}\n")
        (folder / "limits").write_text(f"Max open files            1024                 {hard}               files\n")

    def test_socket_activation(self) -> None:
        """The service is found, not systemd, which holds its socket."""
        self.process(1, "systemd", "1048576")
        self.assertEqual(getattr(listening_process(9000, self.proc), "name", None), "systemd")
        self.process(80, "signald", "20000")
        self.assertEqual(listening_process(9000, self.proc), Process(80, "signald", self.proc.stat().st_uid, 20000))
        self.assertIsNone(listening_process(9001, self.proc))

    def test_unlimited(self) -> None:
        """No limit is none."""
        self.process(80, "signald", "unlimited")
        self.assertEqual(getattr(listening_process(9000, self.proc), "open_files", 0), None)

    def test_nothing_to_see(self) -> None:
        """Without /proc nothing is known."""
        self.assertIsNone(listening_process(9000, self.proc / "nothing"))
