"""Rolling restarts under traffic: the listening sockets stay open, and the state is handed over."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.program import Program
from tests.suites.faults.report import add_fault, in_full
from tests.support.supervisor import Supervisor

#: Number of restarts.
ROUNDS = 20 if in_full() else 3

#: Clients that exchange messages meanwhile.
CLIENTS = 60 if in_full() else 20

#: The seconds between the reconnection of the last client and the next restart.
PAUSE = 2.0 if in_full() else 0.5

#: The limits of one address, which are raised because all clients of this test have the same address.
_LIMITS = ("address-connections", "address-connection-rate", "address-message-rate", "address-request-rate")

#: Seconds within which all clients have to be connected again.
BACK_WITHIN = 30.0

#: Seconds within which every message has to be received at the end.
HEARD_WITHIN = 70.0

#: The seconds between two visitors, and the seconds that each visitor waits for the response.
VISIT_EVERY = 0.05
VISIT_PATIENCE = 20.0


class Visitors:
    """Fetches the page on a new TCP connection repeatedly, during the whole test.

    Attributes:
        waits: seconds that each visitor waited for the whole response.
        faults: the errors of the visitors that received no response.

    """

    def __init__(self, port: int, *, tls: bool) -> None:
        self.waits: list[float] = []
        self.faults: list[str] = []
        self._port = port
        self._tls = tls
        self._over = threading.Event()
        self._starting = threading.Thread(target=self._run, daemon=True)
        self._visits: list[threading.Thread] = []
        self._starting.start()

    def end(self) -> None:
        """Start no more visitors, and wait for the visitors whose requests are pending."""
        self._over.set()
        self._starting.join()
        for visit in self._visits:
            visit.join(VISIT_PATIENCE)

    def _run(self) -> None:
        while not self._over.wait(VISIT_EVERY):
            visit = threading.Thread(target=self._visit, daemon=True)
            visit.start()
            self._visits.append(visit)

    def _visit(self) -> None:
        begin = time.monotonic()
        try:
            response = self._fetch()
        except OSError as error:
            self.faults.append(f"after {time.monotonic() - begin:.2f} s: {error!r}")
            return
        if response.startswith(b"HTTP/1.1 200 ") and b"</html>" in response:
            self.waits.append(time.monotonic() - begin)
        else:
            self.faults.append(repr(response[:60]))

    def _fetch(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self._port), timeout=VISIT_PATIENCE) as plain:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            line = context.wrap_socket(plain, server_hostname="localhost") if self._tls else plain
            with line:
                line.sendall(b"GET / HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n" % self._port)
                parts = []
                while part := line.recv(65536):
                    parts.append(part)
                return b"".join(parts)


class RestartTests(SynchronousTestCase):
    """Tests in which the daemon is repeatedly stopped by SIGTERM and replaced by a new process."""

    def setUp(self) -> None:
        """Create a directory for the test."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()

    def test_ws(self) -> None:
        """No WebSocket is refused, and no message is lost, duplicated or reordered."""
        self.restart_under_traffic(tls=False)

    def test_wss(self) -> None:
        """No WebSocket is refused over TLS, and no message is lost, duplicated or reordered."""
        self.restart_under_traffic(tls=True)

    def restart_under_traffic(self, *, tls: bool) -> None:
        """Restart a daemon under traffic, and check the report of the clients."""
        many = [word for name in _LIMITS for word in
                ("--limit", f"{name}=10000")]  # fmt: skip
        supervisor = Supervisor(self.directory, *([] if tls else ["--no-tls"]), *many)
        self.addCleanup(supervisor.close)
        supervisor.start()
        script = Path(__file__).with_name("traffic.py")
        authority = [supervisor.authority] if tls else []
        traffic = Program([sys.executable, "-P", script, str(supervisor.port), str(CLIENTS), *authority])
        self.addCleanup(traffic.process.kill)
        traffic.wait_for("ready", 60)
        visitors = Visitors(supervisor.port, tls=tls)
        self.addCleanup(visitors.end)
        stops, starts = [], []
        for number in range(ROUNDS):
            time.sleep(PAUSE)
            stopped, started = supervisor.restart()
            stops.append(stopped)
            starts.append(started)
            traffic.wait_for(rf"back {number + 1}\n", BACK_WITHIN)
        time.sleep(PAUSE)
        traffic.process.terminate()
        self.assertEqual(traffic.wait(HEARD_WITHIN), 0, traffic.stderr)
        visitors.end()
        report: dict[str, Any] = json.loads(traffic.stdout.splitlines()[-1])
        whole = {name: report[name] for name in ("lost", "twice", "disorder", "faults", "survivals")}
        self.assertEqual(
            whole, {"lost": 0, "twice": 0, "disorder": 0, "faults": [], "survivals": ["everything"]}, traffic.stderr
        )
        self.assertEqual(len(report["blackouts"]), ROUNDS * CLIENTS)
        self.assertEqual(visitors.faults, [])
        for program in supervisor.programs:
            self.assertEqual(program.faults, [])
        blackouts = report["blackouts"]
        add_fault(
            f"{ROUNDS} rolling restarts under {'wss' if tls else 'ws'}, {CLIENTS} clients",
            f"{report['sent']} messages: none lost, none twice, in order; {len(visitors.waits)} visitors: none refused",
            f"blackout p50 {_ms(blackouts, 0.5)}, p99 {_ms(blackouts, 0.99)}, longest {_ms(blackouts, 1)}; "
            f"message at most {_ms([report['latest']], 1)}, visitor {_ms(visitors.waits, 1)}; "
            f"stop {_ms(stops, 0.5)} to {_ms(stops, 1)}, start {_ms(starts, 0.5)} to {_ms(starts, 1)}",
        )


def _ms(seconds: list[float], part: float) -> str:
    """Return a quantile in milliseconds."""
    ranked = sorted(seconds)
    return f"{1000 * ranked[min(len(ranked) - 1, int(part * len(ranked)))]:.0f} ms"
