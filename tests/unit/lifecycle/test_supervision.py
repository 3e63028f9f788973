"""Tests of `signald.lifecycle.supervision`, which reads what the service manager provides."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from signald.config.values import ConfigError
from signald.lifecycle.sd_notify import Notifier
from signald.lifecycle.supervision import Supervision

ME = 4711
"""The ID of the process that adopts the sockets."""


class SocketTests(SynchronousTestCase):
    """Tests of the adoption of listening sockets."""

    def setUp(self) -> None:
        """Initialize the first file descriptor."""
        self.first = 0

    def hand_over(self, *sockets: socket.socket, names: str | None = None, process: int = ME) -> Supervision:
        """Hand sockets over as consecutive file descriptors, as a service manager does at the start of a process."""
        # This number is above all open descriptors, so that a sequence of free ones follows.
        self.first = 500
        for number, given in enumerate(sockets, self.first):
            os.dup2(given.fileno(), number, inheritable=True)
            given.close()
        environment = {"LISTEN_FDS": str(len(sockets)), "LISTEN_PID": str(process)}
        if names is not None:
            environment["LISTEN_FDNAMES"] = names
        try:
            supervision = Supervision.of(environment, ME, self.first)
        except ConfigError:
            for number in range(self.first, self.first + len(sockets)):
                try:
                    os.close(number)
                except OSError:
                    continue
            raise
        for adopted in supervision.sockets.values():
            for one in adopted:
                self.addCleanup(one.close)
        return supervision

    def listener(self, host: str = "127.0.0.1") -> socket.socket:
        """Create a listening socket in blocking mode, as a service manager does."""
        return socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)

    def test_by_their_names(self) -> None:
        """Sockets are adopted by name, several may have the same name, and none is blocking or inheritable."""
        page, more, ws, operations = [self.listener() for _ in range(4)]
        ports = [one.getsockname()[1] for one in (page, more, ws, operations)]
        supervision = self.hand_over(page, ws, more, operations, names="page:ws:page:operations")
        found = [
            *supervision.handed_over("page"),
            *supervision.handed_over("ws"),
            *supervision.handed_over("operations"),
        ]
        self.assertEqual([one.getsockname()[1] for one in found], ports)
        for one in found:
            self.assertEqual((one.getblocking(), one.get_inheritable()), (False, False))

    def test_without_a_name(self) -> None:
        """A socket without a name, or with the default name of a systemd unit, serves the page."""
        for names in (None, "", "unknown", "signald.socket"):
            supervision = self.hand_over(self.listener(), names=names)
            self.assertEqual(len(supervision.handed_over("page")), 1)
            supervision.handed_over("page")[0].close()

    def test_of_another_process(self) -> None:
        """No sockets are adopted if they are meant for another process, or if their number is invalid."""
        self.assertEqual(Supervision.of({"LISTEN_FDS": "1", "LISTEN_PID": "1"}, ME).sockets, {})
        for count in ("", "0", "-1", "many", "99999999999"):
            self.assertEqual(Supervision.of({"LISTEN_FDS": count, "LISTEN_PID": str(ME)}, ME).sockets, {})
        self.assertEqual(Supervision.of({}, ME).handed_over("page"), ())

    def test_unusable_sockets(self) -> None:
        """An unknown name, a socket that does not listen, one that is not TCP, and a missing socket are refused."""
        with self.assertRaisesRegex(ConfigError, "a socket named pages"):
            self.hand_over(self.listener(), names="pages")
        one = socket.socket()
        with self.assertRaisesRegex(ConfigError, "not a listening TCP socket"):
            self.hand_over(one, names="page")
        left, right = socket.socketpair()
        self.addCleanup(right.close)
        with self.assertRaisesRegex(ConfigError, "not a listening TCP socket"):
            self.hand_over(left, names="page")
        with self.assertRaisesRegex(ConfigError, "a socket named ws"):
            Supervision.of({"LISTEN_FDS": "1", "LISTEN_PID": str(ME), "LISTEN_FDNAMES": "ws"}, ME, 900)


class EnvironmentTests(SynchronousTestCase):
    """Tests of the other variables of the environment."""

    def test_everything_is_read(self) -> None:
        """The address for notifications and the timeout of the watchdog are read."""
        environment = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "9000000", "WATCHDOG_PID": str(ME), "A": "b"}
        supervision = Supervision.of(environment, ME)
        self.assertEqual((supervision.notifier, supervision.watchdog), (Notifier("/run/notify"), 9.0))

    def test_what_the_process_was_started_with(self) -> None:
        """`started_with` returns variables that have since been removed from `os.environ`, as Twisted does."""
        show = (
            "import os; os.environ.clear();"
            "from signald.lifecycle.supervision import started_with; print(started_with())"
        )
        given = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "a=b", "PYTHONPATH": os.pathsep.join(sys.path)}
        run = subprocess.run([sys.executable, "-c", show], env=given, capture_output=True, text=True, check=True)
        self.assertIn("'LISTEN_FDS': '1', 'LISTEN_FDNAMES': 'a=b'", run.stdout)

    def test_nobody_supervises(self) -> None:
        """Without variables of a service manager, the result is the default."""
        self.assertEqual(Supervision.of({}, ME), Supervision())
