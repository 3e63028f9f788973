"""Tests that no log line contains client data: real traffic has canaries in every field and causes every error.

The whole daemon runs in memory, with its log at the lowest level and in both formats. Each canary is a word that occurs
nowhere in the code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import txaio
from twisted.internet.defer import Deferred, fail
from twisted.logger import ILogObserver, Logger, globalLogPublisher
from twisted.python import log as legacy
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config, LogFormat, LogLevel, TokenNeed, Tokens
from signald.config.settings import Log as Settings
from signald.lifecycle.service import Daemon
from signald.monitoring.logs import Log
from signald.tap import make_daemon
from tests.support.access import minted
from tests.support.endpoints import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    Endpoint,
    close_payload,
    frame,
    parse_frames,
    request,
    upgrade_request,
)
from tests.support.reactors import AdoptingReactor

CANARY = "kanarienvogel"

SDP = f"v=0\r\no=- {CANARY} 2 IN IP4 198.51.100.77\r\ns=-\r\n"

CANDIDATE = f"candidate:1 1 udp 2122260223 198.51.100.77 54321 typ host ufrag {CANARY}"

ADDRESS = "198.51.100.77"

FORBIDDEN = (CANARY, CANARY.upper(), ADDRESS, "198.51.100", "2001:db8:77", "typ host", "v=0", "o=-")
"""Words and addresses that no line of the log may contain."""


class Broken:
    """Replaces a part of the daemon by an object whose methods raise an exception that quotes their arguments."""

    def __getattr__(self, name: str) -> Any:
        """Return a function that raises."""

        def fails(*arguments: object, **keywords: object) -> None:
            raise ValueError(f"{CANARY} {ADDRESS} {SDP} {arguments!r} {keywords!r}")

        return fails

    def __repr__(self) -> str:
        return f"<Broken {CANARY} {SDP}>"


class BrokenLater:
    """Replaces the registry by an object whose decisions all fail after a delay."""

    def decide(self, operation: object) -> Deferred[object]:
        """Return a deferred that fails."""
        return fail(ValueError(f"{CANARY} {operation!r}"))


class CanaryCase(SynchronousTestCase):
    """A daemon in memory whose log is read."""

    def setUp(self) -> None:
        """Record all log events in both formats."""
        self.paths: list[Path] = []
        self.logs: list[Log] = []
        for format in LogFormat:
            path = Path(self.mktemp())
            log = Log(Settings(format=format, level=LogLevel.DEBUG)).to_file(path)
            self.paths.append(path)
            self.logs.append(log)
            observer = cast(ILogObserver, log)
            globalLogPublisher.addObserver(observer)
            self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.reactor = AdoptingReactor()
        self.open_lines: list[Endpoint] = []

    def make(self, **options: Any) -> Daemon:
        """Start a daemon without TLS, and stop it at the end of the test."""
        # All lines are made, also those that the daemon's own log would not write by default.
        options.setdefault("log", Settings(level=LogLevel.DEBUG))
        config = Config(Path(self.mktemp()), port=0, interface="127.0.0.1", tls=False, **options)
        daemon = make_daemon(config, cast(Any, self.reactor))
        daemon.startService()

        def stop() -> None:
            for line in list(self.open_lines):
                self.hang_up(line)
            stopped = daemon.stopService()
            self.reactor.pump([0.1] * 100)
            self.successResultOf(cast("Deferred[object]", stopped))

        self.addCleanup(stop)
        self.daemon = daemon
        return daemon

    def dial(self) -> Endpoint:
        """Connect to the site from an address that no log line may contain."""
        line = Endpoint(self.daemon.page.factory, ADDRESS, self.reactor)
        self.open_lines.append(line)
        return line

    def hang_up(self, line: Endpoint) -> None:
        """Disconnect a connection, unless it is disconnected."""
        self.open_lines.remove(line)
        line.disconnect()

    def websocket(self, subprotocol: str | None = "signald.1") -> Endpoint:
        """Open a WebSocket with canaries in the handshake."""
        line = self.dial()
        line.send(
            upgrade_request(
                f"/ws?token={CANARY}",
                sec_websocket_protocol=subprotocol,
                user_agent=CANARY,
                cookie=f"a={CANARY}",
                x_forwarded_for=f"{ADDRESS}, 2001:db8:77::1",
                authorization=f"Bearer {CANARY}",
            )
            if subprotocol
            else upgrade_request("/ws", user_agent=CANARY, x_forwarded_for=ADDRESS)
        )
        self.assertEqual(line.response()[0], 101)
        return line

    def send_request(self, line: Endpoint, **body: object) -> list[dict[str, Any]]:
        """Send a request in the native dialect, and return the responses."""
        line.send(frame(TEXT, json.dumps(body).encode()))
        return [json.loads(payload) for opcode, payload in parse_frames(line.answer()) if opcode == TEXT]

    def lines(self) -> list[str]:
        """Return all lines of both logs after asserting that none contains client data."""
        found: list[str] = []
        for log, path in zip(self.logs, self.paths, strict=True):
            log.flush(20.0)
            found += path.read_text().splitlines()
        for one in found:
            for word in FORBIDDEN:
                self.assertNotIn(word, one)
        return found

    def events(self) -> set[str]:
        """Return the names of all logged events."""
        return {json.loads(line)["event"] for line in self.lines() if line.startswith("{")}


class TrafficTests(CanaryCase):
    """The traffic of clients leaves no client data in the log."""

    def test_a_call(self) -> None:
        """All requests of a call are sent, with canaries in every text that a client chooses."""
        self.make()
        host, guest = self.websocket(), self.websocket()
        instance = (CANARY * 2)[:22]
        [welcome] = self.send_request(host, type="hello", version=1, instance=instance, id=CANARY, features=[CANARY])
        [other] = self.send_request(guest, type="hello", version=1, instance=instance)
        opened = self.send_request(host, type="open", capacity=3, label=CANARY, name=CANARY, id=CANARY)
        session = next(body["session"] for body in opened if body["type"] == "opened")
        self.send_request(guest, type="join", session=session, name=f"{CANARY}\u202e\x1b[2J")
        self.send_request(guest, type="join", session=CANARY.upper()[:10])
        negotiation = {"offerer": other["user"], "n": 1}
        to = {"session": session, "to": welcome["user"], "negotiation": negotiation}
        self.send_request(guest, type="offer", sdp=SDP, **to)
        self.send_request(host, type="answer", sdp=SDP, **{**to, "to": other["user"]})
        self.send_request(guest, type="candidates", candidates=[{"candidate": CANDIDATE, "sdpMid": CANARY}], **to)
        self.send_request(guest, type="message", session=session, content=CANARY)
        self.send_request(guest, type="ping", **{CANARY: {CANARY: [CANARY]}})
        self.send_request(guest, type="ice-error", session=session, to=welcome["user"], text=f"{CANARY} {ADDRESS}")
        self.send_request(guest, type="resume", version=1, user=CANARY, secret=CANARY, instance=instance, received=0)
        self.send_request(guest, type="leave", session=session, id=CANARY)
        for ticket in (CANARY, f"guest.{10**10}.{CANARY}.{CANARY}"):
            self.send_request(guest, type="join", session=session, ticket=ticket)
            self.send_request(guest, type="open", session=session, ticket=ticket)
        guest.send(frame(CLOSE, close_payload(4321, CANARY)))
        self.hang_up(host)
        self.reactor.pump([1.0] * 60)
        expected = {"connection-opened", "user-welcomed", "request-refused", "connection-closed"}
        expected |= {"session-opened", "member-joined", "peer-connection-failed", "member-left"}
        self.assertLessEqual({"listening", "unknown-keys", *expected}, self.events())
        for line in self.lines():
            for id in (session, welcome["user"], other["user"], welcome["secret"]):
                self.assertNotIn(id, line)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_the_original_s_dialect(self) -> None:
        """The serde dialect is spoken, including `Debug`, the request that writes a line into the log."""
        self.make()
        line = self.websocket(None)
        for text in (
            '"Debug"',
            '"SessionNew"',
            f'{{"SessionJoin":"{CANARY}"}}',
            json.dumps({"VideoOffer": [SDP, CANARY]}),
            json.dumps({"IceCandidate": [CANDIDATE, CANARY]}),
            json.dumps({"ICEError": [CANARY, CANARY]}),
            f'{{"{CANARY}":"{CANARY}"}}',
        ):
            line.send(frame(TEXT, text.encode()))
        self.assertIn("counts", self.events())

    def test_malformed_messages_and_frames(self) -> None:
        """Malformed messages and frames are sent, and close no connection but their own."""
        self.make()
        for data in (
            frame(TEXT, CANARY.encode()),
            frame(TEXT, json.dumps({"type": CANARY}).encode()),
            frame(TEXT, json.dumps({"type": "offer", "sdp": [CANARY], CANARY: 1}).encode()),
            frame(TEXT, b"\xff" + CANARY.encode()),
            frame(BINARY, CANARY.encode()),
            frame(PING, CANARY.encode()) * 50,
            frame(TEXT, CANARY.encode(), rsv=1),
            frame(TEXT, CANARY.encode(), mask=None),
            frame(7, CANARY.encode()),
            frame(CLOSE, b"\x00" + CANARY.encode()),
            CANARY.encode() * 100,
        ):
            line = self.websocket()
            line.send(data)
            self.hang_up(line)
        self.lines()

    def test_http(self) -> None:
        """HTTP requests have canaries in paths, queries, headers, methods and bodies, whether or not they succeed."""
        self.make()
        for data in (
            request(f"/{CANARY}?{CANARY}={CANARY}", {"Host": CANARY, "Referer": CANARY}),
            request("/", {"Host": "localhost", "Cookie": CANARY, "X-Forwarded-For": f"{ADDRESS}, {CANARY}"}),
            request(f"/{CANARY}%00%0d%0a", {"Host": "localhost"}),
            request(f"/{CANARY}", {"Host": "localhost"}, method=CANARY.upper()),
            request("/", {"Host": "localhost", "Content-Length": "9"}, method="POST") + CANARY.encode(),
            request("/", {"Host": f"{CANARY} {CANARY}"}),
            f"{CANARY}\r\n\r\n".encode(),
            f"GET / HTTP/1.1\r\nHost: localhost\r\n {CANARY}\r\n\r\n".encode(),
            b"\x16\x03\x01" + CANARY.encode(),
            upgrade_request("/ws", origin=f"https://{CANARY}.example"),
            upgrade_request("/ws", sec_websocket_protocol=CANARY),
            upgrade_request("/ws", sec_websocket_key=CANARY),
            upgrade_request("/ws", sec_websocket_version=CANARY),
            upgrade_request("/ws", upgrade=CANARY),
            upgrade_request("/ws", sec_websocket_extensions=f"permessage-deflate; {CANARY}={CANARY}"),
            upgrade_request(f"/{CANARY}"),
        ):
            line = self.dial()
            line.send(data)
            self.reactor.pump([1.0] * 3)
            self.hang_up(line)
        self.lines()

    def test_tokens(self) -> None:
        """Neither valid nor invalid tokens are logged, nor what their holders may have chosen in them."""
        secret = Path(self.mktemp())
        secret.write_text(CANARY * 4)
        secret.chmod(0o600)
        self.make(tokens=Tokens(need=TokenNeed.EVERYONE, secret_file=secret))
        key, expires = (CANARY * 4).encode(), 4_102_444_800
        signed = [
            minted(key, exp=expires, sub=CANARY, name=CANARY * 9),
            minted(key, exp=expires, sub=CANARY * 99),
            minted(key, exp=expires, signald={"session": CANARY}),
            minted(key, exp=expires, name=CANARY),
            minted(key, "HS256", {"kid": CANARY, "alg": "HS256"}, exp=expires),
            minted(exp=expires, sub=CANARY),
        ]
        for token in (*signed, CANARY, f"{CANARY}.{CANARY}.{CANARY}", "a.b.c", ""):
            line = self.websocket()
            self.send_request(line, type="hello", version=1, token=token)
            self.hang_up(line)
        self.assertIn("token-refused", self.events())


class FailureTests(CanaryCase):
    """Exceptions in signald, whose texts quote client data, leave no client data in the log."""

    def failed(self, least: int = 1) -> None:
        """Assert that errors were logged, and that no line contains their texts."""
        self.assertGreaterEqual(len(self.flushLoggedErrors()), least)
        text = "\n".join(self.lines())
        self.assertIn("ValueError", text)
        self.assertRegex(text, r"[a-z_]+\.py:\d+ [a-z_]+")

    def test_a_hub_that_fails(self) -> None:
        """The hub raises for every fact: a connection, a message, an end and a tick."""
        switchboard = self.make()._switchboard
        line, other = self.websocket(), self.websocket()
        hub, switchboard.hub = switchboard.hub, cast(Any, Broken())
        self.send_request(line, type="hello", version=1, instance="a" * 22)
        self.hang_up(other)
        self.reactor.pump([0.5] * 4)
        self.hang_up(self.websocket())
        switchboard.hub = hub
        self.failed(4)
        self.assertLessEqual({"connection-failed", "closing-failed", "housekeeping-failed"}, self.events())

    def test_a_registry_that_fails(self) -> None:
        """A decision raises at once, or its outcome is a failure."""
        switchboard = self.make()._switchboard
        access = switchboard.access
        for broken in (Broken(), BrokenLater()):
            switchboard.access = cast(Any, broken)
            self.send_request(self.websocket(), type="hello", version=1, instance="a" * 22)
        switchboard.access = access
        self.failed(2)
        self.assertIn("decision-failed", self.events())

    def test_a_handshake_that_fails(self) -> None:
        """The check of the opening handshake raises."""
        daemon = self.make()
        factory = cast(Any, daemon.page.factory).resource.children[b"ws"]._factory
        factory.signaling_port.rule = Broken()
        line = self.dial()
        line.send(upgrade_request(f"/ws?{CANARY}", user_agent=CANARY))
        self.assertEqual(line.response()[0], 500)
        self.failed()
        self.assertIn("handshake-failed", self.events())

    def test_a_resource_that_fails(self) -> None:
        """A resource raises while it renders a response."""
        site = cast(Any, self.make().page.factory)
        site.resource = Broken()
        line = self.dial()
        line.send(request(f"/{CANARY}", {"Host": "localhost", "X-A": CANARY}))
        self.failed()
        self.assertIn("request-failed", self.events())

    def test_what_libraries_log(self) -> None:
        """The log calls of Twisted and Autobahn, in old and new style, have values, reprs and unhandled errors."""
        twisted = Logger(namespace="twisted.internet.tcp")
        for level in ("debug", "info", "warn", "error", "critical"):
            getattr(twisted, level)(f"{CANARY} {{what}}", what=Broken(), address=ADDRESS, event=CANARY)
        twisted.failure(f"{CANARY}", Failure(ValueError(SDP)))
        legacy.msg(f"{CANARY} {SDP}", system=CANARY)
        legacy.msg(f"Starting factory {Broken()!r}", isError=True)
        legacy.err(Failure(ValueError(CANARY)), f"{CANARY}")
        try:
            raise ValueError(CANARY)
        except ValueError:
            legacy.err(None, CANARY)
        autobahn = cast(Any, txaio).make_logger()
        for level in ("info", "warn", "error"):
            getattr(autobahn, level)(f"{CANARY} {{peer}}", peer=ADDRESS)
        unhandled = fail(ValueError(f"{CANARY} {SDP} {ADDRESS}"))
        del unhandled
        self.failed(2)
        self.assertIn("library", self.events())

    def test_a_terminal_is_not_obeyed(self) -> None:
        """Client data in a log line can neither send control sequences to a terminal nor start a new line."""
        logger = Logger(namespace="signald.test")
        logger.warn("a {value} b", event="test", value="x\n2026 error [fake] \x1b[2J\u202e\u2028y")
        lines = [line for line in self.lines() if "test" in line]
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertFalse(set("\x1b\u202e\u2028\n") & set(line))
