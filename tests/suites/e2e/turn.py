"""Runs coturn, a STUN and TURN server, in a separate process, as Debian packages it."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.suites.e2e.program import Program
from tests.suites.e2e.waiting import until

#: The seconds within which coturn has to start.
PATIENCE = 20.0

USER = "ada"
SECRET = "lovelace"

HOST = "127.0.0.1"

#: The database schema of Debian's package, and the configuration that signald ships.
SCHEMA = Path("/usr/share/coturn/schema.sql")
SHIPPED = Path(__file__).parents[3] / "deploy" / "turnserver.conf"


def free_port() -> int:
    """Return a port that is currently unused for both UDP and TCP."""
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
        program: coturn's process.
        port: coturn's port for UDP and TCP.

    """

    def __init__(self) -> None:
        """Start coturn, and wait until it listens.

        Raises:
            SkipTest: coturn is not installed.

        """
        if shutil.which("turnserver") is None:
            raise SkipTest("coturn is not installed")
        self.port = free_port()
        options = ["--no-tls", "--no-dtls", "--no-cli", "--lt-cred-mech", "--allow-loopback-peers"]
        options += [f"--listening-ip={HOST}", f"--relay-ip={HOST}", f"--listening-port={self.port}"]
        options += [f"--user={USER}:{SECRET}", "--realm=signald.test", "--log-file=stdout", "--simple-log"]
        # With these options coturn uses no configuration file, database or pid file of this machine.
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
        """Return signald's options that name the TURN server, over UDP and over TCP."""
        options = ["--ice-server", f"stun:{HOST}:{self.port}"]
        for transport in ("udp", "tcp"):
            options += ["--ice-server", f"turn:{HOST}:{self.port}?transport={transport},{USER},{SECRET}"]
        return options

    def stop(self) -> None:
        """Stop coturn."""
        self.program.stop()


class ShippedTurnServer:
    """A running coturn with the configuration in `deploy/`, on the loopback interface.

    Attributes:
        program: coturn's process.
        port: coturn's port for UDP, TCP, TLS and DTLS.
        secret: the file from which signald reads the shared secret.

    """

    def __init__(self, directory: Path, host: str = HOST, secret: str = "0123456789abcdef" * 2, port: int = 0) -> None:
        """Start coturn, and wait until it listens.

        Arguments:
            directory: the directory for coturn's files.
            host: the address that it listens on and relays from; the relays of a test have to reach each other there,
                so that this one is allowed.
            secret: the secret that coturn shares with signald.
            port: the port on which coturn listens; 0 for any free port.

        Raises:
            SkipTest: coturn is not installed.

        """
        if shutil.which("turnserver") is None:
            raise SkipTest("coturn is not installed")
        self.host, self.port = host, port or free_port()
        self.secret = directory / "turn-secret"
        self.secret.write_text(f"{secret}\n")
        self.secret.chmod(0o600)
        certificate, key = directory / "turn.pem", directory / "turn-key.pem"
        command: list[str | Path] = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        command += ["-nodes", "-days", "2", "-subj", "/CN=turn.example.org", "-keyout", key, "-out", certificate]
        subprocess.run(command, check=True, capture_output=True)
        configuration = directory / "turnserver.conf"
        configuration.write_text(
            SHIPPED.read_text()
            .replace("REPLACE-WITH-THE-SECRET", secret)
            .replace("/etc/coturn/fullchain.pem", str(certificate))
            .replace("/etc/coturn/privkey.pem", str(key))
        )
        database = directory / "turndb"
        database.unlink(missing_ok=True)
        with closing(sqlite3.connect(database)) as connection:
            # coturn accepts no secret, not even the secret in its file, unless it can read its database, too. The
            # schema is created here as the package does: coturn's threads would create missing tables concurrently, and
            # collide.
            connection.executescript(SCHEMA.read_text())
        options = ["-c", str(configuration), f"--userdb={database}", f"--listening-ip={host}", f"--relay-ip={host}"]
        options += [f"--listening-port={self.port}", f"--tls-listening-port={self.port}"]
        options += ["--allow-loopback-peers", f"--allowed-peer-ip={host}", "--allocation-default-address-family=keep"]
        # At its usual level OpenSSL itself refuses old TLS versions, so that the test would not test the configuration
        # file.
        options += ["--cipher-list=ALL:@SECLEVEL=0"]
        options += ["--log-file=stdout", "--simple-log", "--verbose", f"--pidfile={directory / 'turn.pid'}"]
        self.program = Program(["turnserver", *options])
        try:
            self.program.wait_for(r"IPv[46]. (TCP|TLS/TCP|UDP) listener opened on", PATIENCE)
            until(self._listens, PATIENCE, "coturn to listen")
        except BaseException:
            self.stop()
            raise

    def _listens(self) -> bool:
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_STREAM) as tcp:
            return tcp.connect_ex((self.host, self.port)) == 0

    @property
    def options(self) -> list[str]:
        """Return signald's options for creating credentials of the TURN server."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return ["--turn-url", f"turn:{host}:{self.port}", "--ice-turn-secret-file", str(self.secret)]

    def stop(self) -> None:
        """Stop coturn."""
        self.program.stop()
