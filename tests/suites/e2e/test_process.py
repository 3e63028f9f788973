"""Tests the programs as an operator starts and stops them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import termios
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.trial.unittest import SynchronousTestCase

from signald import __version__
from signald.cli.options import Options
from signald.server.draining import ANSWER_SECONDS
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import PATIENCE, SCRIPTS, Program, faults, run, surroundings
from tests.suites.e2e.waiting import until
from tests.support.certificates import self_signed
from tests.support.endpoints import upgrade_request
from tests.support.machines import DAY
from tests.support.native_client import NativeClient

#: The seconds within which a daemon without clients has to end.
ENDS_WITHIN = 5.0

#: Python source that makes a name lookup take longer than a daemon may take to end.
SLOW_NAMES = """\
import socket, time
resolver = socket.getaddrinfo
def slow(host, *arguments, **options):
    if host == "slow.example":
        time.sleep(30)
    return resolver(host, *arguments, **options)
socket.getaddrinfo = slow
"""

#: The pattern of the log line after which the page can be fetched.
LISTENING = r"listening: https on port (\d+)"


class ProcessTestCase(SynchronousTestCase):
    """A test case that starts daemons, and ends those that still run."""

    def setUp(self) -> None:
        """Create a directory for the test."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()

    def daemon(self, *options: str, **environment: str) -> Daemon:
        """Start a daemon that is stopped at the end of the test."""
        daemon = Daemon(self.directory, *options, environment=environment)
        self.addCleanup(daemon.stop)
        return daemon


class SignalTests(ProcessTestCase):
    """Tests of signals."""

    def stops(self, number: int) -> None:
        """Assert that a signal ends the daemon in time, with status 0."""
        daemon = self.daemon()
        started = time.monotonic()
        self.assertEqual(daemon.program.stop(number), 0)
        self.assertLess(time.monotonic() - started, ENDS_WITHIN)
        self.assertEqual(daemon.program.faults, [])

    def test_interrupt(self) -> None:
        """SIGINT, which Ctrl-C sends, ends the daemon with status 0."""
        self.stops(signal.SIGINT)

    def test_terminate(self) -> None:
        """SIGTERM, which service managers send, ends the daemon with status 0."""
        self.stops(signal.SIGTERM)

    def test_second_interrupt(self) -> None:
        """A second SIGINT ends the daemon without waiting for the close frame of a client that sends none."""
        daemon = self.daemon("--no-tls")
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as client:
            client.sendall(upgrade_request())
            client.recv(65536)
            daemon.program.process.send_signal(signal.SIGINT)
            daemon.program.wait_for("left to the next process", ENDS_WITHIN)
            started = time.monotonic()
            self.assertEqual(daemon.program.stop(signal.SIGINT), -signal.SIGINT)
            self.assertLess(time.monotonic() - started, ANSWER_SECONDS)
        self.assertEqual(daemon.program.faults, [])

    def test_while_a_name_is_looked_up(self) -> None:
        """A pending name lookup, simulated by a sleeping function, does not delay the end of the daemon."""
        secret = self.directory / "secret"
        secret.write_text("s" * 32)
        secret.chmod(0o600)
        (self.directory / "sitecustomize.py").write_text(SLOW_NAMES)
        webhook = ("--webhook-url", "https://slow.example/", "--webhook-secret-file", str(secret))
        daemon = self.daemon("--no-tls", *webhook, PYTHONPATH=str(self.directory))
        client = NativeClient(daemon.port, tls=False)
        self.addCleanup(client.close)
        client.greet()
        self.assertEqual(client.request("open", capacity=2)["code"], "decision-unavailable")
        started = time.monotonic()
        self.assertEqual(daemon.program.stop(), 0)
        self.assertLess(time.monotonic() - started, ENDS_WITHIN)


class HangupTests(ProcessTestCase):
    """Tests of SIGHUP."""

    def test_reload(self) -> None:
        """SIGHUP reloads the file; settings that need a restart are reported, and an invalid file changes nothing."""
        file = self.directory / "signald.toml"
        file.write_text("ws_port = 0\n", "utf-8")
        daemon = self.daemon("--config", str(file), "--no-tls")

        def upgrades() -> bytes:
            with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as client:
                client.sendall(upgrade_request(origin="https://app.example.org"))
                return client.recv(65536).split(b"\r\n")[0]

        def reload(text: str, logged: str) -> None:
            file.write_text(text, "utf-8")
            daemon.program.process.send_signal(signal.SIGHUP)
            daemon.program.wait_for(logged, PATIENCE)

        self.assertIn(b" 403 ", upgrades())
        reload("ws_port = 1\nallow_origins = ['https://app.example.org']\n", "a restart is needed for: ws_port")
        daemon.program.wait_for("new: allow_origins", PATIENCE)
        self.assertIn(b" 101 ", upgrades())
        reload("port = 'x'\n", r"signald.toml, line 1, port: expected a port number")
        self.assertIn(b" 101 ", upgrades())

    def test_the_terminal_is_closed(self) -> None:
        """When its terminal is closed the daemon ends, since no person would notice that it still runs."""
        main, terminal = os.openpty()
        data = self.directory / "data"
        command: list[str | Path] = [SCRIPTS / "signald", "--port", "0", "--no-tls", "--data-dir", data]
        with open(self.directory / "log", "wb") as log:
            process = subprocess.Popen(
                command, stdin=terminal, stdout=terminal, stderr=log, start_new_session=True, env=surroundings(),
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # safe without threads
            )  # fmt: skip
        self.addCleanup(process.kill)
        os.close(terminal)
        until(lambda: "listening" in (self.directory / "log").read_text(), PATIENCE, "the daemon")
        os.close(main)
        self.assertEqual(process.wait(ENDS_WITHIN), 0)


class TerminalTests(ProcessTestCase):
    """Tests of the output on the terminal."""

    def test_banner(self) -> None:
        """The address of the page is shown as text and as a QR code."""
        daemon = self.daemon()
        shown = daemon.program.stdout
        self.assertIn(f":{daemon.port}/", shown)
        if daemon.urls:
            self.assertTrue(all(url.startswith("https://") for url in daemon.urls))
            self.assertGreater(len(re.findall("^[█▀▄ ]{20,}$", shown, re.MULTILINE)), 10)

    def test_help(self) -> None:
        """`--help` lists each option with its default or its opposite, and each limit with its unit."""
        program = run([SCRIPTS / "signald", "--help"])
        self.assertEqual((program.process.returncode, program.stderr), (0, ""))
        text = " ".join(program.stdout.split())
        options, limits = text.split("Limits and their defaults:")
        for name in [*Options().longOpt]:
            described = re.search(rf"--{name.rstrip('=')}=? (.*?)(?= -|$)", options)
            assert described is not None, name
            if name not in ("help", "version", "limit="):
                self.assertRegex(described[1], r"\[default: .*\]|the opposite of$")
        self.assertRegex(limits, r"message-bytes=65536 bytes:")

    def test_version(self) -> None:
        """`--version` names the program and its version."""
        program = run([SCRIPTS / "signald", "--version"])
        self.assertEqual((program.process.returncode, program.stdout), (0, f"signald {__version__}\n"))


class RefusalTests(ProcessTestCase):
    """Tests of starts that end with one sentence.

    The status is 1 for an option or a port, and 78 (EX_CONFIG) for a file or another setting.
    """

    def refused(self, *options: str, expecting: str, status: int = 1) -> None:
        """Assert that a start ends with one sentence and this status."""
        command: list[str | Path] = [SCRIPTS / "signald", "--port", "0", "--data-dir", self.directory / "data"]
        program = run([*command, *options], environment={"HOME": str(self.directory)})
        self.assertEqual(program.process.returncode, status)
        self.assertEqual(program.stdout, "")
        self.assertRegex(program.stderr, r"\A[^\n]+\n\Z")
        self.assertEqual(program.faults, [])
        self.assertIn(expecting, program.stderr)

    def test_unknown_option(self) -> None:
        """An unknown option is refused."""
        self.refused("--colour", expecting="colour")

    def test_values(self) -> None:
        """An invalid value of an option is refused."""
        self.refused("--port", "http", expecting="http")
        self.refused("--port", "65536", expecting="65536")
        self.refused("--interface", "nowhere", expecting="nowhere")
        self.refused("--limit", "message_bytes=many", expecting="message-bytes")
        self.refused("--limit", "no_such_limit=1", expecting="no_such_limit")
        self.refused("--allow-origin", "example.org", expecting="example.org")
        self.refused("--trusted-proxy", "10.0.0.0/99", expecting="10.0.0.0/99")

    def test_port_in_use(self) -> None:
        """A port that another program uses is refused."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            self.refused("--port", port, "--interface", "127.0.0.1", expecting=f"port {port}")

    def test_unreadable_key(self) -> None:
        """A missing key file is refused."""
        certificate, _ = self.pair("one")
        self.refused("--cert", certificate, "--key", str(self.directory / "none.pem"), expecting="none.pem", status=78)

    def test_mismatched_pair(self) -> None:
        """A key that does not belong to the certificate is refused."""
        certificate, _ = self.pair("one")
        _, key = self.pair("two")
        self.refused("--cert", certificate, "--key", key, expecting="key", status=78)

    def test_fifo_in_the_data_directory(self) -> None:
        """A FIFO as the state file or the host secret, which a plain read would wait for, is refused."""
        data = self.directory / "data"
        data.mkdir()
        for name in ("state.json", "host-secret"):
            os.mkfifo(data / name)
            self.refused("--no-tls", expecting=f"{name} cannot be", status=78)
            (data / name).unlink()

    def test_second_daemon(self) -> None:
        """A second daemon of a data directory is refused with the process ID of the first one."""
        command: list[str | Path] = [SCRIPTS / "signald", "--port", "0", "--data-dir", self.directory / "data"]
        first = Program(command, environment={"HOME": str(self.directory)})
        self.addCleanup(first.stop)
        first.wait_for(LISTENING, 20)
        self.refused(expecting=f"(process {first.process.pid})", status=78)
        first.process.kill()
        first.process.wait()
        second = Program(command, environment={"HOME": str(self.directory)})
        self.addCleanup(second.stop)
        second.wait_for(LISTENING, 20)

    def pair(self, name: str) -> tuple[str, str]:
        """Write a certificate and its key, and return the paths of both files."""
        pair = self_signed(ec.generate_private_key(ec.SECP256R1()), time.time() - DAY, time.time() + DAY)
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}-key.pem"
        certificate.write_bytes(pair.leaf.public_bytes(Encoding.PEM))
        key.write_bytes(pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key.chmod(0o600)
        return str(certificate), str(key)


class TwistdTests(ProcessTestCase):
    """Tests of the plugin under twistd."""

    def setUp(self) -> None:
        """Store the arguments that all tests have in common."""
        super().setUp()
        self.options = ["signald", "--port", "0", "--data-dir", str(self.directory / "data")]

    def test_foreground(self) -> None:
        """`twistd -n signald` serves until SIGTERM."""
        command: list[str | Path] = [SCRIPTS / "twistd", "-n", *self.options]
        program = Program(command, environment={"HOME": str(self.directory)}, directory=self.directory)
        self.addCleanup(program.stop)
        port = int(program.wait_for(LISTENING, 20)[1])
        socket.create_connection(("localhost", port), 5).close()
        # twistd ends itself by the signal that it received, after it has closed everything.
        self.assertIn(program.stop(), (0, -signal.SIGTERM))
        self.assertIn("[stopped] stopped", program.stdout)
        self.assertEqual(program.faults, [])

    def test_daemon(self) -> None:
        """`twistd signald` runs in the background, writes a log and a pid file, and can be stopped by its pid."""
        pid_file, log = self.directory / "signald.pid", self.directory / "signald.log"
        files = ["--pidfile", str(pid_file), "--logfile", str(log)]
        started = run([SCRIPTS / "twistd", *files, *self.options], environment={"HOME": str(self.directory)})
        self.assertEqual((started.process.returncode, started.stderr), (0, ""))
        self.addCleanup(self.end, pid_file)

        def port() -> re.Match[str] | None:
            return re.search(LISTENING, log.read_text()) if log.exists() else None

        found = until(port, 20, "a line with the port")
        socket.create_connection(("localhost", int(found[1])), 5).close()
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
        until(lambda: not pid_file.exists(), ENDS_WITHIN, "the pid file to go")
        self.assertRaises(OSError, socket.create_connection, ("localhost", int(found[1])), 5)
        self.assertEqual(faults(log.read_text()), [])

    def end(self, pid_file: Path) -> None:
        """End a daemon that a failed test has left running."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
