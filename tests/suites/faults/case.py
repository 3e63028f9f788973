"""A test case that starts daemons and clients for fault injection."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import websocket
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.suites.e2e.daemon import Daemon
from tests.support.native_client import Body, NativeClient


class FaultTestCase(SynchronousTestCase):
    """Starts daemons and clients, and ends those that still run at the end of the test.

    Attributes:
        directory: the test's own directory.

    """

    def setUp(self) -> None:
        """Create a directory for the test."""
        if not Path("/proc/self/fd").exists():
            raise SkipTest("what a process has open is read from /proc")
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()

    def start(
        self,
        *options: str,
        through: Sequence[str | Path] = (),
        environment: Mapping[str, str] | None = None,
        tls: bool = False,
    ) -> Daemon:
        """Start a daemon on the loopback interface; the arguments are passed to `Daemon`."""
        given = ("--interface", "127.0.0.1", *(() if tls else ("--no-tls",)), *options)
        daemon = Daemon(self.directory, *given, through=through, environment=environment)
        self.addCleanup(self.end, daemon)
        return daemon

    def end(self, daemon: Daemon) -> None:
        """End a daemon, even if its process is stopped by SIGSTOP, and assert that the daemon has logged no error."""
        with contextlib.suppress(ProcessLookupError):
            daemon.program.process.send_signal(signal.SIGCONT)
        daemon.program.stop(signal.SIGKILL)
        self.assertEqual(daemon.program.faults, [])

    def client(self, daemon: Daemon, *, tls: bool = False, **keys: object) -> NativeClient:
        """Connect a client, and send `hello` with additional keys."""
        client = NativeClient(daemon.port, tls=tls)
        self.addCleanup(client.close)
        client.greet(**keys)
        return client

    def pair(self, daemon: Daemon, *, tls: bool = False, **keys: object) -> tuple[NativeClient, NativeClient, str]:
        """Connect two clients that are in one session; return the host, the guest, and the session's id."""
        host, guest = self.client(daemon, tls=tls, **keys), self.client(daemon, tls=tls, **keys)
        session: str = host.request("open")["session"]
        self.assertEqual(guest.request("join", session=session)["type"], "joined")
        host.receive_type("member-joined")
        return host, guest, session

    def talk(self, host: NativeClient, guest: NativeClient, session: str, content: str) -> Body:
        """Send a message from the host to the guest, and return the message that the guest received."""
        host.send("message", session=session, content=content)
        received = guest.receive_type("message")
        self.assertEqual(received["content"], content)
        return received

    def refused(self, daemon: Daemon) -> bool:
        """Return whether the server refuses a client that connects now."""
        try:
            NativeClient(daemon.port, tls=False, timeout=1.0).close()
        except (OSError, websocket.WebSocketException):
            return True
        return False


def open_descriptors(process: int) -> int:
    """Return the number of file descriptors that a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))
