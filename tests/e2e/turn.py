"""A STUN and TURN server in a process of its own: coturn, as Debian packs it."""

from __future__ import annotations

import shutil
import socket

from twisted.trial.unittest import SkipTest

from tests.e2e.program import Program
from tests.e2e.waiting import until

#: Seconds that it has to start.
PATIENCE = 20.0

USER = "ada"
SECRET = "lovelace"

HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody uses just now, neither over UDP nor over TCP."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        tcp.bind((HOST, 0))
        port: int = tcp.getsockname()[1]
        udp.bind((HOST, port))
        return port


class TurnServer:
    """A running coturn with one user, on the loopback interface.

    Attributes:
        program: its process.
        port: where it listens over UDP and TCP.

    """

    def __init__(self) -> None:
        """Start it, and wait until it listens.

        Raises:
            SkipTest: it is not installed.

        """
        if shutil.which("turnserver") is None:
            raise SkipTest("coturn is not installed")
        self.port = free_port()
        options = ["--no-tls", "--no-dtls", "--no-cli", "--lt-cred-mech", "--allow-loopback-peers"]
        options += [f"--listening-ip={HOST}", f"--relay-ip={HOST}", f"--listening-port={self.port}"]
        options += [f"--user={USER}:{SECRET}", "--realm=signald.test", "--log-file=stdout", "--simple-log"]
        # No configuration file, database or pid file of this machine's.
        options += ["-c", "/dev/null", "--userdb=/dev/null", "--pidfile=/dev/null"]
        self.program = Program(["turnserver", *options])
        try:
            until(self._listens, PATIENCE, "coturn to listen")
        except BaseException:
            self.stop()
            raise

    def _listens(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            return tcp.connect_ex((HOST, self.port)) == 0

    @property
    def options(self) -> list[str]:
        """What signald needs on its command line to name it: over UDP and over TCP."""
        options = ["--ice-server", f"stun:{HOST}:{self.port}"]
        for transport in ("udp", "tcp"):
            options += ["--ice-server", f"turn:{HOST}:{self.port}?transport={transport},{USER},{SECRET}"]
        return options

    def stop(self) -> None:
        """End it."""
        self.program.stop()
