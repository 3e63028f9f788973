"""Tests of `signald.lifecycle.sd_notify`, which sends notifications to the service manager."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.lifecycle.sd_notify import STATUS_LETTERS, Notifier, watchdog_seconds


class NotifierTests(SynchronousTestCase):
    """Tests of the datagrams, which a socket of the test receives."""

    def manager(self, address: str) -> socket.socket:
        """Create the socket of a service manager."""
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address)
        manager.settimeout(5)
        return manager

    def short_path(self) -> str:
        """Return a path that is short enough for the address of a UNIX socket."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return str(Path(directory.name) / "notify")

    def test_each_fact_is_one_datagram(self) -> None:
        """Each notification is one datagram, with the names of sd_notify(3) and times in microseconds."""
        path = self.short_path()
        manager = self.manager(path)
        notifier = Notifier.of({"NOTIFY_SOCKET": path})
        notifier.ready()
        notifier.reloading(12.5)
        notifier.stopping(6.0)
        notifier.alive()
        notifier.status("serving 3 clients")
        self.assertEqual(
            [manager.recv(4096) for _ in range(5)],
            [
                b"READY=1",
                b"RELOADING=1\nMONOTONIC_USEC=12500000",
                b"STOPPING=1\nEXTEND_TIMEOUT_USEC=6000000",
                b"WATCHDOG=1",
                b"STATUS=serving 3 clients",
            ],
        )

    def test_abstract_names(self) -> None:
        """An abstract address begins with an @ in the environment, and with a zero byte in the socket API."""
        name = f"signald-test-{secrets.token_hex(8)}"
        manager = self.manager(f"\0{name}")
        Notifier.of({"NOTIFY_SOCKET": f"@{name}"}).ready()
        self.assertEqual(manager.recv(4096), b"READY=1")

    def test_a_status_is_one_bounded_line(self) -> None:
        """A status is cut to its maximum length and loses its line breaks, which would begin another notification."""
        path = self.short_path()
        manager = self.manager(path)
        Notifier.of({"NOTIFY_SOCKET": path}).status("a\nREADY=1 " + "b" * 1000)
        datagram = manager.recv(4096)
        self.assertTrue(datagram.startswith(b"STATUS=a READY=1 bbb"))
        self.assertEqual(len(datagram), len("STATUS=") + STATUS_LETTERS)

    def test_nobody_listens(self) -> None:
        """No value of `$NOTIFY_SOCKET`, valid or not, makes a notification raise an exception."""
        values = ["", "@", "relative", "vsock:2:1234", self.short_path(), "/" + "x" * 200, "/nul\0byte", "@nul\0byte"]
        for value in values:
            Notifier.of({"NOTIFY_SOCKET": value}).ready()
        Notifier.of({}).ready()

    def test_a_full_queue_is_not_waited_for(self) -> None:
        """Heartbeats do not block if the service manager does not read them and its queue is full."""
        path = self.short_path()
        manager = self.manager(path)
        notifier = Notifier.of({"NOTIFY_SOCKET": path})
        for _ in range(2000):
            notifier.alive()
        manager.setblocking(False)
        self.assertEqual(manager.recv(4096), b"WATCHDOG=1")


class WatchdogTests(SynchronousTestCase):
    """Tests of `watchdog_seconds`."""

    def test_the_interval(self) -> None:
        """The timeout is read in microseconds, with or without the ID of this process."""
        me = os.getpid()
        self.assertEqual(watchdog_seconds({"WATCHDOG_USEC": "30000000"}, me), 30.0)
        self.assertEqual(watchdog_seconds({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(me)}, me), 0.5)

    def test_it_is_off(self) -> None:
        """There is no timeout if the variable is missing, meant for another process, or invalid."""
        for environment in (
            {},
            {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
            {"WATCHDOG_USEC": "0"},
            {"WATCHDOG_USEC": "-5"},
            {"WATCHDOG_USEC": "soon"},
            {"WATCHDOG_USEC": "9" * 5000},
        ):
            self.assertIsNone(watchdog_seconds(environment, 4711))


class MainProcessTests(SynchronousTestCase):
    """Tests of the notifications with which another process becomes the main one."""

    def setUp(self) -> None:
        """Create the socket of a service manager."""
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        name = f"signald-test-{secrets.token_hex(8)}"
        self.manager.bind(f"\0{name}")
        self.manager.settimeout(5)
        self.notifier = Notifier(f"\0{name}")

    def test_the_main_process(self) -> None:
        """MAINPID names the other process."""
        self.notifier.main_process(4711)
        self.assertEqual(self.manager.recv(4096), b"MAINPID=4711")

    def test_the_barrier(self) -> None:
        """BARRIER=1 comes alone with one descriptor, and the pipe ends once the service manager closes that."""
        reader = self.notifier.barrier()
        assert reader is not None
        self.addCleanup(os.close, reader)
        data, descriptors, _, _ = socket.recv_fds(self.manager, 4096, 4)
        self.assertEqual((data, len(descriptors)), (b"BARRIER=1", 1))
        self.assertRaises(BlockingIOError, os.read, reader, 1)
        os.close(descriptors[0])
        self.assertEqual(os.read(reader, 1), b"")

    def test_no_barrier(self) -> None:
        """Without a service manager, or with one that is gone, there is nothing to wait for."""
        self.assertIsNone(Notifier().barrier())
        self.manager.close()
        self.assertIsNone(self.notifier.barrier())
