"""Tests the monitoring of a real daemon: metrics, probes, the log, and the admin page."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import ssl
import time
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e import report
from tests.suites.e2e.accessibility import FORBIDDEN, LOOKS, audit, dress, too_wide
from tests.suites.e2e.browsers import browser
from tests.suites.e2e.chromium import Chromium, ChromiumTab
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.waiting import until
from tests.support.access import SECRET, minted
from tests.support.native_client import NativeClient

CANARY = "kanarienvogel"

TOKEN = "a-token-that-is-long-enough"

SECONDS = 15.0


class MonitoringTestCase(SynchronousTestCase):
    """A test case with a daemon that has an operator's listener.

    Attributes:
        daemon: the daemon.
        operations: the port of the operator's listener.

    """

    def start(self, *options: str, tls: bool = False) -> None:
        """Start the daemon with the admin page enabled."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        token = self.directory / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        own = ("--operations-port", "0", "--operations-admin-token-file", str(token), "--interface", "127.0.0.1")
        self.daemon = Daemon(self.directory, *own, *(() if tls else ("--no-tls",)), *options)
        self.addCleanup(self.daemon.stop)
        pattern = r"operations: http on port (\d+)"
        self.operations = int(self.daemon.program.wait_for(pattern, SECONDS)[1])

    def client(self, *, tls: bool = False, **headers: str) -> NativeClient:
        """Connect a client to the daemon."""
        client = NativeClient(self.daemon.port, tls=tls, headers=headers)
        self.addCleanup(client.close)
        return client

    def request(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """Send a request to the operator's listener, and return status and body of the response."""
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.operations, timeout=SECONDS)
        try:
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def sample(self, name: str, **labels: str) -> float:
        """Return the value of a metric from a scrape."""
        families = text_string_to_metric_families(self.request("/metrics")[1])
        [found] = [
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        ]
        return float(found)


class ScrapeTests(MonitoringTestCase):
    """Tests of metrics and probes."""

    def test_a_scrape_of_a_call(self) -> None:
        """After a call the metrics show its connections, messages, bytes, latencies and refused requests."""
        self.start(tls=True)
        host, guest = self.client(tls=True), self.client(tls=True)
        host.greet(instance="a" * 22)
        guest.greet(instance="b" * 22)
        session = host.request("open", capacity=2)["session"]
        guest.request("join", session=session)
        for number in range(20):
            guest.send("message", session=session, content=f"hello {number}")
            host.receive_type("message")
        self.assertEqual(guest.request("join", session="0" * 10)["type"], "error")
        until(lambda: self.sample("signald_websockets", dialect="native", scheme="wss") == 2, SECONDS, "two sockets")
        self.assertEqual(self.sample("signald_sessions", state="open"), 1)
        self.assertEqual(self.sample("signald_members"), 2)
        received = self.sample("signald_received_messages_total", type="app-message", result="valid")
        self.assertEqual(received, 20)
        self.assertEqual(self.sample("signald_sent_messages_total", type="forwarded-message"), 20)
        self.assertEqual(self.sample("signald_forward_seconds_count"), 20)
        self.assertEqual(self.sample("signald_errors_total", code="unknown-session"), 1)
        self.assertGreaterEqual(self.sample("signald_tls_handshake_seconds_count"), 2)
        self.assertEqual(self.sample("signald_websocket_handshake_seconds_count"), 2)
        self.assertGreater(self.sample("signald_received_bytes_total"), 500)
        self.assertGreater(self.sample("signald_certificate_expiry_timestamp_seconds"), time.time() + 30 * 86400)
        self.assertGreater(self.sample("process_resident_memory_bytes"), 1e6)
        host.close()
        until(lambda: self.sample("signald_users", state="away") == 1, SECONDS, "the host to be away")

    def test_nothing_of_it_on_the_public_port(self) -> None:
        """The public port serves no path of the operator's listener, and the operator's port serves no public path."""
        self.start()
        for path in ("/metrics", "/healthz", "/readyz", "/admin", "/admin/state"):
            connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=SECONDS)
            connection.request("GET", path)
            self.assertEqual(connection.getresponse().status, 404, path)
            connection.close()
        self.assertEqual(self.request("/")[0], 404)
        self.assertEqual(self.request("/ws")[0], 404)

    def test_not_ready_while_it_drains(self) -> None:
        """After SIGTERM the daemon is alive and not ready until its process ends with status 0."""
        self.start("--drain-seconds", "4")
        client = self.client()
        client.greet(instance="a" * 22)
        self.assertEqual((self.request("/readyz")[0], self.request("/healthz")[0]), (200, 200))
        self.daemon.program.process.send_signal(signal.SIGTERM)
        # The client does not reply to the server's close frame, so that the daemon drains for a while.
        until(lambda: self.request("/readyz")[0] == 503, 3.0, "not ready")
        self.assertEqual(json.loads(self.request("/readyz")[1])["code"], "draining")
        self.assertEqual(self.request("/healthz")[0], 200)
        self.assertEqual(self.sample("signald_draining"), 1)
        self.assertEqual(self.daemon.program.wait(), 0)

    def test_a_stalled_process_is_seen(self) -> None:
        """A process that was stopped by SIGSTOP counts a stall, but logs no stack, since no code caused the stall."""
        self.start()
        before = self.sample("signald_reactor_stalls_total")
        self.daemon.program.process.send_signal(signal.SIGSTOP)
        path = Path(f"/proc/{self.daemon.program.process.pid}/stat")
        until(lambda: path.read_text().rpartition(")")[2].split()[0] == "T", SECONDS, "stopped")
        silent = http.client.HTTPConnection("127.0.0.1", self.operations, timeout=1.5)
        silent.request("GET", "/healthz")
        # Wait while the stopped daemon sends no response.
        self.assertRaises(TimeoutError, silent.getresponse)
        silent.close()
        self.daemon.program.process.send_signal(signal.SIGCONT)
        until(lambda: self.sample("signald_reactor_stalls_total") > before, SECONDS, "a stall")
        self.assertNotIn("reactor-stalled", self.daemon.program.stderr)


class LogTests(MonitoringTestCase):
    """Tests of the log of a real daemon."""

    def test_canaries(self) -> None:
        """The JSON log contains no client input of TLS, HTTP, WebSocket and messages, even at the lowest level."""
        self.start("--log-format", "json", "--log-level", "debug", tls=True)
        host = self.client(tls=True, X_Forwarded_For=f"198.51.100.77, {CANARY}", User_Agent=CANARY)
        host.greet(instance="a" * 22)
        session = host.request("open", capacity=3, password=CANARY, label=CANARY, name=CANARY)["session"]
        guest = self.client(tls=True)
        guest.greet(instance="b" * 22, token=CANARY)
        guest.request("join", session=session, password=f"{CANARY}-wrong")
        guest.request("join", session=session, password=CANARY, name=CANARY)
        guest.request("message", session=session, content=CANARY)
        guest.request(CANARY)
        guest.socket.send("\ud7ff" + CANARY)
        guest.socket.send_binary(CANARY.encode())
        for data in (CANARY.encode(), b"\x16\x03\x01\x02\x00" + CANARY.encode() * 50, b"GET / HTTP/1.0\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=SECONDS) as raw:
                raw.sendall(data)
                raw.shutdown(socket.SHUT_WR)
                with contextlib.suppress(OSError):
                    while raw.recv(4096):
                        pass
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for path, headers in ((f"/{CANARY}?{CANARY}", {"X-A": CANARY}), ("/ws", {"Origin": f"https://{CANARY}.org"})):
            connection = http.client.HTTPSConnection("localhost", self.daemon.port, context=context, timeout=SECONDS)
            connection.request("GET", path, headers=headers)
            connection.getresponse().read()
            connection.close()
        for _ in range(3):
            self.request(f"/admin/state?{CANARY}", Authorization=f"Bearer {CANARY}")
        self.request(f"/{CANARY}", CANARY.upper())
        host.close()
        self.daemon.stop()
        lines = self.daemon.program.stderr.splitlines()
        events = [json.loads(line)["event"] for line in lines]
        self.assertLessEqual({"listening", "operations-listening", "admin-token-wrong", "stopping"}, set(events))
        for line in lines:
            for word in (CANARY, CANARY.upper(), "198.51.100", session, "Bearer"):
                self.assertNotIn(word, line)
            self.assertLess(len(line), 8192)
        self.assertEqual(self.daemon.program.faults, [])

    def about(self, event: str, **values: object) -> dict[str, Any]:
        """Wait for a line of the log with this event and these values, and return it."""

        def found() -> dict[str, Any] | None:
            lines = [json.loads(line) for line in self.daemon.program.stderr.splitlines() if line.startswith("{")]
            return next((line for line in lines if line.items() >= {"event": event, **values}.items()), None)

        line: dict[str, Any] = until(found, SECONDS, f"{event} {values}")
        return line

    def test_failed_calls(self) -> None:
        """Five failed calls of different kinds are each explained by the lines with their references."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        secret, config = directory / "secret", directory / "signald.toml"
        secret.touch(mode=0o600)
        secret.write_bytes(SECRET)
        config.write_text(f'[tokens]\nsecret_file = "{secret}"\n[limits]\ngrace_seconds = 1.0\n')
        self.start("--config", str(config), "--log-format", "json", "--log-level", "debug")
        refused = self.client().greet(token=minted(exp=4_102_444_800, signald={"role": "moderator"}))
        self.assertEqual(refused["code"], "token-invalid")
        line = self.about("token-refused", claim="signald.role", found='"moderator"')
        self.assertEqual(line["expected"], '"host" or "guest"')
        self.about("request-refused", code="token-invalid", connection=line["connection"])

        host, guest, third = (self.client() for _ in range(3))
        ours, theirs, other = (client.greet(instance="a" * 22)["reference"] for client in (host, guest, third))
        session = host.request("open", capacity=2)["session"]
        at = self.about("session-opened", user=ours)["session"]
        guest.request("join", session=session)
        self.about("member-joined", user=theirs, session=at, members=2)
        third.request("join", session=session)
        self.about("request-refused", user=other, session=at, code="session-full")

        guest.send("ice-error", session=session, to=host.user, text="failed")
        self.about("peer-connection-failed", user=theirs, other=ours, session=at)

        lobby = third.request("open", lobby=True)["session"]
        visitor = self.client()
        name = visitor.greet()["reference"]
        visitor.request("join", session=lobby)
        third.send("refuse", session=lobby, user=visitor.user)
        self.about("visitor-not-admitted", user=name, reason="refused")

        host.socket.sock.shutdown(socket.SHUT_RDWR)
        lost = self.about("connection-closed", user=ours)
        self.assertEqual((lost["by"], lost["code"]), ("nobody", "-"))
        self.about("member-away", user=ours, session=at, connection=lost["connection"])
        self.about("session-ended", session=at, reason="host-gone")


class AdminTests(MonitoringTestCase):
    """Tests of the admin page in Chromium."""

    def tab(self, **options: Any) -> ChromiumTab:
        """Open the admin page."""
        chromium = browser("Chromium")
        assert isinstance(chromium, Chromium)
        tab = chromium.tab(**options)
        self.addCleanup(tab.close)
        tab.open(f"http://127.0.0.1:{self.operations}/admin")
        return tab

    def shown(self, tab: ChromiumTab, selector: str) -> str:
        """Return the text of an element."""
        text: str = tab.evaluate(f"document.querySelector('{selector}').textContent")
        return text

    def test_it_shows_the_daemon_and_drains_it(self) -> None:
        """A wrong token is refused; the right token shows live values, and the page's button drains the daemon."""
        self.start("--drain-seconds", "4")
        host, guest = self.client(), self.client()
        host.greet(instance="a" * 22)
        guest.greet(instance="b" * 22)
        session = host.request("open", capacity=2, label="<b>label</b>", name="<i>name</i>")["session"]
        tab = self.tab(viewport={"width": 390, "height": 844})
        tab.type("#token", "wrong-token")
        tab.page.keyboard.press("Enter")
        until(lambda: self.shown(tab, "#refused") == "The token is missing or wrong.", SECONDS, "the refusal")
        self.assertTrue(tab.evaluate("document.querySelector('#view').hidden"))
        tab.type("#token", TOKEN)
        tab.page.keyboard.press("Enter")
        until(lambda: self.shown(tab, "#status") == "Ready", SECONDS, "the state")
        self.assertIn(f"{session[:4]}…", self.shown(tab, "#sessions"))
        self.assertNotIn(session, tab.page.content())
        self.assertRegex(self.shown(tab, "#sessions"), r"1 of 2: host \w{8}")
        guest.request("join", session=session, name="<script>alert(1)</script>")
        both = r"2 of 2: host \w{8}, guest \w{8}"
        until(lambda: re.search(both, self.shown(tab, "#sessions")), SECONDS, "the guest")
        for chosen in ("label", "name", "alert(1)"):
            self.assertNotIn(chosen, self.shown(tab, "#view"))
        guest.request("join", session="0" * 10)
        until(lambda: "unknown-session" in self.shown(tab, "#errors"), SECONDS, "the error")
        self.assertLessEqual(tab.evaluate("document.documentElement.scrollWidth"), 390)
        report.add_picture(tab, "admin-phone")
        self.assertNotIn(TOKEN, tab.evaluate("location.href + document.cookie + JSON.stringify({...localStorage})"))
        tab.click("#drain")
        tab.click("#cancel")
        self.assertEqual(self.request("/readyz")[0], 200)
        tab.click("#drain")
        tab.click("#really")
        until(lambda: self.shown(tab, "#status") == "Draining", SECONDS, "draining")
        self.assertEqual(host.receive_type("going-away")["type"], "going-away")
        self.assertEqual(self.daemon.program.wait(), 0)
        self.assertIn("[admin-drain]", self.daemon.program.stderr)
        complaints = [message for message in tab.messages if "401" not in message and "verbose" not in message]
        self.assertEqual([message for message in complaints if "ERR_CONNECTION" not in message], [])

    def test_how_it_looks(self) -> None:
        """axe-core finds no serious violation in any size and colours; nothing exceeds a phone's width."""
        self.start()
        host = self.client()
        host.greet(instance="a" * 22)
        host.request("open", capacity=8)
        tab = self.tab(viewport={"width": 1280, "height": 800}, color_scheme="light")
        for state in ("entry", "view"):
            if state == "view":
                tab.type("#token", TOKEN)
                tab.page.keyboard.press("Enter")
                until(lambda: self.shown(tab, "#status") == "Ready", SECONDS, "the state")
            for look in LOOKS:
                dress(tab, look)
                violations = [str(one) for one in audit(tab, look) if one.impact in FORBIDDEN]
                self.assertEqual(violations, [], f"{state} {look}")
                report.add_picture(tab, f"admin-{state}-{look}")
        self.assertLessEqual(too_wide(tab), 0)
        self.assertEqual([message for message in tab.messages if "verbose" not in message], [])
