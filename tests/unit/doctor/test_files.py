"""Tests of the doctor's checks of files, ports and processes."""

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
"""A user ID that belongs to no user."""


class DirectoryTests(SynchronousTestCase):
    """Tests of the check of the data directory."""

    def setUp(self) -> None:
        """Create a data directory."""
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir(mode=0o700)

    def marks(self, path: Path, owner: int | None = None) -> list[Mark]:
        """Return the marks of the findings about a directory."""
        return [finding.mark for finding in check_data_directory(path, owner)]

    def test_good(self) -> None:
        """A directory that only its owner can write, on a disk with free space, passes both checks."""
        self.assertEqual(self.marks(self.path), [Mark.OK, Mark.OK])
        self.assertEqual(self.marks(self.path, os.geteuid()), [Mark.OK, Mark.OK])

    def test_missing(self) -> None:
        """A missing directory that can be created passes the check, and the check does not create it."""
        path = self.path / "a" / "b"
        self.assertEqual(self.marks(path), [Mark.OK])
        self.assertFalse(path.parent.exists())

    def test_of_another_user(self) -> None:
        """The check fails if the user of the running daemon does not own the directory."""
        self.assertEqual(self.marks(self.path, STRANGER)[0], Mark.FAILURE)

    def test_writable_by_others(self) -> None:
        """The check fails if the group can write the directory, since it could replace the local authority."""
        self.path.chmod(0o770)
        self.assertEqual(self.marks(self.path)[0], Mark.FAILURE)

    def test_no_folder(self) -> None:
        """The check fails for a file, and for a path below a file."""
        path = self.path / "file"
        path.write_text("")
        self.assertEqual(self.marks(path), [Mark.FAILURE])
        self.assertEqual(self.marks(path / "below"), [Mark.FAILURE])


class SecretTests(SynchronousTestCase):
    """Tests of the check of files that hold secrets."""

    def setUp(self) -> None:
        """Create a directory."""
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir()

    def file(self, name: str, mode: int) -> Path:
        """Create a file with these permissions."""
        path = self.path / name
        path.write_text("secret")
        path.chmod(mode)
        return path

    def test_which(self) -> None:
        """The files are those that the configuration names as secrets, and the secrets in the data directory."""
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
        """A group may read a file that the operator created, but not one that signald created; others may read none."""
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
        """A configuration file with secrets of TURN servers is checked like the other files."""
        (found,) = check_secret_files([], self.file("signald.toml", 0o644))
        self.assertIn("it holds the secrets of TURN servers", found.text)

    def test_missing(self) -> None:
        """A secret file that the configuration names but that does not exist is a failure."""
        (found,) = check_secret_files([(self.path / "nothing", OWNER_AND_GROUP)], None)
        self.assertEqual(found.mark, Mark.FAILURE)


class PortTests(SynchronousTestCase):
    """Tests of the check of a port."""

    def listen(self) -> int:
        """Listen on a free port and return its number."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        port: int = listening.getsockname()[1]
        return port

    def test_taken(self) -> None:
        """A port in use is detected, and so is the process that listens on it, which is this one."""
        port = self.listen()
        self.assertEqual(port_problem("127.0.0.1", port), PortProblem(errno.EADDRINUSE))
        found = listening_process(port)
        assert found is not None
        self.assertEqual((found.id, found.owner), (os.getpid(), os.geteuid()))

    def test_free(self) -> None:
        """A port whose socket has been closed is free, and no process is found for it."""
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        listening.close()
        self.assertIsNone(port_problem("127.0.0.1", port))
        self.assertIsNone(listening_process(port))

    def test_no_address_of_this_machine(self) -> None:
        """An interface address that this machine does not have cannot be bound."""
        self.assertEqual(port_problem("192.0.2.1", 0), PortProblem(errno.EADDRNOTAVAIL))

    def test_sentences(self) -> None:
        """A free port, and a port on which signald listens, are OK; every other result has a remedy."""
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
        """A process that the doctor cannot see is reported as another program."""
        found = judge_port("port", None, 443, PortProblem(errno.EADDRINUSE), None, ours=False)
        self.assertIn("Port 443 (port) is taken by another program", found.text)

    def test_local_host(self) -> None:
        """A wildcard interface is reached at the loopback address, and any other interface at its own address."""
        hosts = [local_host(interface) for interface in (None, "0.0.0.0", "::", "192.0.2.1")]  # noqa: S104 # binds nothing
        self.assertEqual(hosts, ["127.0.0.1", "127.0.0.1", "::1", "192.0.2.1"])


class ProcessTests(SynchronousTestCase):
    """Tests of the search for a listening process in /proc."""

    def setUp(self) -> None:
        """Create a small /proc with one listening socket."""
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
        """With socket activation, the service is found, and not systemd, which also holds the socket."""
        self.process(1, "systemd", "1048576")
        self.assertEqual(getattr(listening_process(9000, self.proc), "name", None), "systemd")
        self.process(80, "signald", "20000")
        self.assertEqual(listening_process(9000, self.proc), Process(80, "signald", self.proc.stat().st_uid, 20000))
        self.assertIsNone(listening_process(9001, self.proc))

    def test_unlimited(self) -> None:
        """An unlimited number of open files is read as None."""
        self.process(80, "signald", "unlimited")
        self.assertEqual(getattr(listening_process(9000, self.proc), "open_files", 0), None)

    def test_nothing_to_see(self) -> None:
        """No process is found if /proc does not exist."""
        self.assertIsNone(listening_process(9000, self.proc / "nothing"))
