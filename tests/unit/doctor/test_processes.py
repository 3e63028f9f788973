"""Tests of the doctor's search for the process that listens on a port."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.doctor.processes import Process, listening_process


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

    def test_ends_meanwhile(self) -> None:
        """A process that ends during the search is passed over, and so is one whose files this user cannot see."""
        self.process(80, "signald", "20000")
        self.process(81, "signald", "20000")
        (self.proc / "80" / "comm").unlink()
        (self.proc / "79").mkdir()
        self.assertEqual(getattr(listening_process(9000, self.proc), "id", None), 81)
        (self.proc / "81" / "comm").unlink()
        self.assertIsNone(listening_process(9000, self.proc))
