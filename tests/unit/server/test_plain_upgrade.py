"""A plain upgrade request is recognized, and is answered as `twisted.web` and Autobahn together would answer it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from signald.core.limits import AddressKey, Limits
from signald.net.origins import OriginRule
from signald.server.plain_upgrade import (
    MAX_BYTES,
    MAX_HEADERS,
    PlainUpgrade,
    read_plain_upgrade,
    switching_protocols,
)
from signald.server.reflection import REQUEST, RequestReflector, proof
from tests.support.endpoints import (
    CLIENT,
    CLOSE,
    PING,
    TEXT,
    UPGRADE,
    Endpoint,
    close_payload,
    frame,
    parse_response,
    request,
    upgrade_request,
)
from tests.support.memory_server import MemoryServer

SECRET, NOW = b"s" * 32, 1_800_000_000.0

BROWSER = upgrade_request(
    sec_websocket_protocol="signald.1, named.1",
    origin="http://signald.example",
    sec_websocket_extensions="permessage-deflate; client_max_window_bits",
    user_agent="Mozilla/5.0 (X11; Linux x86_64)",
    cookie="a=b; c",
)

LAST_HEADER = b"Sec-WebSocket-Version: 13\r\n"


def with_line(line: bytes) -> bytes:
    """Return an upgrade request with one more header line."""
    return upgrade_request().replace(LAST_HEADER, LAST_HEADER + line + b"\r\n")


def with_first_line(line: bytes) -> bytes:
    """Return an upgrade request with another request line."""
    return line + upgrade_request().removeprefix(b"GET /ws HTTP/1.1")


PLAIN = [
    BROWSER,
    upgrade_request(),
    upgrade_request(origin="https://signald.example"),
    upgrade_request(origin="http://signald.example:80"),
    upgrade_request(host="signald.example:8080", origin="http://signald.example:8080"),
    upgrade_request(host="[2001:db8::1]:9000", origin="http://[2001:DB8::1]:9000"),
    upgrade_request(host="192.0.2.80"),
    upgrade_request(origin="http://evil.example"),
    upgrade_request(origin="chrome-extension://abc"),
    upgrade_request(origin="null"),
    upgrade_request(origin="file://"),
    upgrade_request(origin="file://signald.example"),
    upgrade_request(sec_websocket_protocol="named.1"),
    upgrade_request(sec_websocket_protocol="named.2"),
    upgrade_request(sec_websocket_protocol=""),
    upgrade_request(sec_websocket_protocol=" other ,named.1 ,"),
    upgrade_request(upgrade="h2c, WebSocket"),
    upgrade_request(connection="keep-alive, Upgrade"),
    upgrade_request(sec_websocket_extensions="permessage-deflate"),
    upgrade_request(sec_websocket_extensions="permessage-deflate;client_no_context_takeover ; client_max_window_bits"),
    upgrade_request(x_forwarded_for="198.51.100.1, 198.51.100.2"),
    upgrade_request(x_forwarded_for="unknown"),
    upgrade_request(authorization="Basic YTpi", if_none_match='"x"', range="bytes=0-1", te="trailers"),
    upgrade_request(**{REQUEST: proof(SECRET, NOW)}),
    upgrade_request(**{REQUEST: "1-2"}),
    upgrade_request().replace(b": ", b":"),
    upgrade_request().replace(b": ", b":   ").replace(b"\r\nUp", b"  \r\nuP"),
    with_line(b"X:"),
    with_line(b"!#$%&'*+-.^_`|~: x:y"),
    with_line(b"\r\n".join([b"X-%d: y" % number for number in range(MAX_HEADERS - 5)])),
    with_line(b"X: " + b"y" * 8000),
    *(with_first_line(b"GET %b HTTP/1.1" % target) for target in (b"/ws?a=b", b"/ws?", b"/ws?a?b")),
]
"""Requests that are recognized; not all of them are accepted."""

OTHER_PATHS = [
    with_first_line(b"GET %b HTTP/1.1" % target)
    for target in (b"/", b"//ws", b"/ws/", b"/WS", b"/w%73", b"/ws/a", b"/w?s", b"/wss?a=b")
]
"""Requests that are recognized, for paths without a WebSocket."""

UNUSUAL = [
    *(with_first_line(line) for line in (
        b"GET /ws HTTP/1.0", b"GET /ws HTTP/2.0", b"GET /ws HTTP/1.10", b"POST /ws HTTP/1.1",
        b"HEAD /ws HTTP/1.1", b"get /ws HTTP/1.1", b"GET  /ws HTTP/1.1", b"GET /ws  HTTP/1.1", b"GET /ws", b"", b"\r",
        b" GET /ws HTTP/1.1", b"GET /ws#x HTTP/1.1", b"GET /ws?a#x HTTP/1.1", b"GET /ws?\xe9 HTTP/1.1",
        b"GET http://signald.example/ws HTTP/1.1", b"GET * HTTP/1.1", b"GET ws HTTP/1.1",
        b"GET /ws HTTP/1.1 ", b"GET /ws\x00 HTTP/1.1", b"\r\nGET /ws HTTP/1.1", b"\r\n\r\nGET /ws HTTP/1.1",
    )),
    *(with_line(line) for line in (
        b"Host: signald.example", b"host: other.example", b"Origin: http://signald.example\r\nOrigin: http://a.example",
        b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"X: a\r\nx: b",
        b"Upgrade: websocket", b"Connection: keep-alive", b"X-Forwarded-For: 192.0.2.8\r\nX-Forwarded-For: 192.0.2.9",
        b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: x", b"Content-Length: 0\r\nContent-Length: 0",
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip",
        b"Expect: 100-continue", b"X", b": x", b"X : y", b" folded: x", b"\tfolded", b"X: \x00", b"X: a\rb", b"X: a\nb",
        b"X: \xe9", b"X: a\tb", b"X\x00: y", b"X: a\x0bb: c", b"X: a\x85Host: b", b"X(: y", b"X: \x7f", b"\xe9: x",
        b"X: " + b"y" * 9000, b"X: " + b"y" * 17000, b"\r\n".join([b"X: y"] * 101),
        b"\r\n".join(b"X-%d: y" % number for number in range(95)), b"\r\n".join(b"X%d: y" % n for n in range(96)),
        b"Sec-WebSocket-Protocol: named.1\r\nSec-WebSocket-Protocol: other",
        b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Extensions: x",
    )),
    *(upgrade_request(**changes) for changes in (
        {"host": None}, {"host": ""}, {"host": "a b"}, {"host": "a,b"}, {"host": "signald.example:"},
        {"host": "signald.example:port"}, {"host": "signald.example:0"}, {"host": "signald.example:99999"},
        {"host": "[::1"}, {"host": "[::g]"}, {"host": "a@b"}, {"host": "a..b"}, {"upgrade": None}, {"upgrade": "h2c"},
        {"upgrade": ""}, {"connection": None}, {"connection": "keep-alive"}, {"connection": "close"},
        {"sec_websocket_version": None}, {"sec_websocket_version": "8"}, {"sec_websocket_version": "x"},
        {"sec_websocket_version": "+13"}, {"sec_websocket_version": "013"}, {"sec_websocket_version": "13, 8"},
        {"sec_websocket_key": None}, {"sec_websocket_key": ""}, {"sec_websocket_key": "short"},
        {"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ=a"}, {"sec_websocket_key": "dGhlIHNhbXBsZSBub25j*Q=="},
        {"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==="}, {"sec_websocket_protocol": "a, a"}, {"origin": ""},
        {"sec_websocket_protocol": ","}, {"origin": "NULL"}, {"origin": "file:///x"},
        {"origin": "http://[::1"}, {"origin": "http://a:99999"},
        {"origin": "http://signald.example/"}, {"origin": "http://signald.example, http://signald.example"},
        {"origin": "signald.example"}, {"origin": "http://"}, {"origin": "http://u@signald.example"},
        {"sec_websocket_extensions": 'permessage-deflate; client_max_window_bits="99'},
        {"sec_websocket_extensions": "permessage-deflate; client_max_window_bits=10"},
        {"sec_websocket_extensions": "permessage-deflate; server_max_window_bits"},
        {"sec_websocket_extensions": "permessage-deflate; client_max_window_bits; client_max_window_bits"},
        {"sec_websocket_extensions": "permessage-deflate; nonsense"}, {"sec_websocket_extensions": "x-other"},
        {"sec_websocket_extensions": "permessage-deflate, permessage-deflate; client_max_window_bits"},
        {"sec_websocket_extensions": ""},
    )),
    upgrade_request().replace(b"\r\n", b"\n"),
    upgrade_request() + frame(TEXT, b"early"),
    upgrade_request() + upgrade_request(),
    upgrade_request() + b"\r\n",
    upgrade_request()[:-1],
    request("/", {"Host": "signald.example"}),
    b"\x16\x03\x01",
    b"\r\n\r\n",
    b"",
]  # fmt: skip
"""What `twisted.web` and Autobahn look at: nearly all of it is refused."""


class ReadTests(SynchronousTestCase):
    """Plain upgrade requests are recognized by their form."""

    def test_fields(self) -> None:
        """The names of the headers are in lower case, values have no spaces around, and the key is one of them."""
        read = read_plain_upgrade(BROWSER)
        assert read is not None
        self.assertEqual((read.key, read.size), (UPGRADE["Sec-WebSocket-Key"], len(BROWSER)))
        self.assertEqual(read.subprotocols, ("signald.1", "named.1"))
        self.assertEqual(read.headers["origin"], "http://signald.example")
        data = upgrade_request("/a/b?c=%20d&e")
        headers = {name.lower(): value for name, value in UPGRADE.items()}
        self.assertEqual(read_plain_upgrade(data), PlainUpgrade("/a/b", "c=%20d&e", headers, (), len(data)))

    def test_plain(self) -> None:
        """Every request of the table is recognized, and the beginning of none is."""
        for data in PLAIN:
            self.assertIsNotNone(read_plain_upgrade(data), data)
            self.assertEqual({read_plain_upgrade(data[:end]) for end in range(0, len(data), 7)}, {None})

    def test_unusual(self) -> None:
        """Nothing else is recognized."""
        self.assertEqual([data for data in UNUSUAL if read_plain_upgrade(data) is not None], [])

    def test_size(self) -> None:
        """A request is recognized up to a number of bytes and of headers."""
        room = MAX_BYTES - len(with_line(b"X: "))
        self.assertIsNotNone(read_plain_upgrade(with_line(b"X: " + b"y" * room)))
        self.assertIsNone(read_plain_upgrade(with_line(b"X: " + b"y" * (room + 1))))
        lines = [b"X-%d: y" % number for number in range(MAX_HEADERS - 4)]
        self.assertIsNotNone(read_plain_upgrade(with_line(b"\r\n".join(lines[1:]))))
        self.assertIsNone(read_plain_upgrade(with_line(b"\r\n".join(lines))))


class ResponseTests(SynchronousTestCase):
    """The response that completes the opening handshake."""

    def test_response(self) -> None:
        """The key of RFC 6455 §1.3 has the value that is given there; further headers and a subprotocol are added."""
        status, headers, rest = parse_response(switching_protocols(UPGRADE["Sec-WebSocket-Key"], None, {}))
        self.assertEqual((status, rest), (101, b""))
        self.assertEqual(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.assertNotIn("sec-websocket-protocol", headers)
        _, headers, _ = parse_response(switching_protocols(UPGRADE["Sec-WebSocket-Key"], "signald.1", {"X": "y"}))
        self.assertEqual((headers["sec-websocket-protocol"], headers["x"]), ("signald.1", "y"))


@frozen
class Situation:
    """The state of a server before the requests.

    Attributes:
        limits: its limits.
        options: further arguments of `MemoryServer`.
        prepare: changes the server.

    """

    limits: Limits = field(factory=Limits)
    options: Mapping[str, Any] = field(factory=dict)
    prepare: Callable[[MemoryServer], object] = lambda server: None


SITUATIONS = {
    "defaults": Situation(),
    "behind a proxy, with the doctor's secret": Situation(
        options={"proxies": ("192.0.2.0/24",), "reflector": RequestReflector(SECRET, lambda: NOW)}
    ),
    "origins are required": Situation(options={"origins": OriginRule.of(tls=True, missing=False)}),
    "no request is left": Situation(
        Limits(address_request_burst=1, address_request_rate=1),
        prepare=lambda server: server.admission.admit_request(CLIENT, 0.0),
    ),
    "no WebSocket is left": Situation(
        Limits(address_connections=1), prepare=lambda server: server.budget.admit(AddressKey(CLIENT), 0.0)
    ),
    "no new WebSocket is left": Situation(
        Limits(address_connection_burst=1, address_connection_rate=1),
        prepare=lambda server: server.budget.new_connections.take_token(AddressKey(CLIENT), 0.0),
    ),
    "the server is full": Situation(
        Limits(connections=2), prepare=lambda server: setattr(server.budget, "total", 2)
    ),
    "the address has offended": Situation(
        prepare=lambda server: server.budget.charge_offence(AddressKey(CLIENT), 0.0)
    ),
    "HTTP connections are drained": Situation(
        prepare=lambda server: setattr(server.site.http_connections, "is_draining", True)
    ),
    "WebSockets are drained": Situation(
        prepare=lambda server: setattr(server.page.signaling_port.connections, "is_draining", True)
    ),
    "no dialect": Situation(options={"dialects": ()}),
    "the switchboard fails": Situation(prepare=lambda server: server.record.fails.add("add_connection")),
    "the rule fails": Situation(prepare=lambda server: setattr(server.page.signaling_port, "rule", None)),
}  # fmt: skip


class DifferentialTests(SynchronousTestCase):
    """A site that recognizes plain upgrades does what a site does that leaves all requests to the general way."""

    def observe(self, situation: Situation, pieces: Iterable[bytes], *, recognizes: bool) -> dict[str, object]:
        """Send a request in pieces, then frames, and return all that can be seen of the server."""
        events: list[tuple[object, object]] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            events.append((event.get("event"), event["log_format"]))

        server = MemoryServer(situation.limits, **situation.options)
        if not recognizes:
            server.site.websockets = {}
        situation.prepare(server)
        globalLogPublisher.addObserver(observer)
        try:
            seen: dict[str, object] = {}
            endpoint = Endpoint(server.site, CLIENT, server.clock)
            server.clock.advance(0.25)
            endpoint.send(*pieces)
            seen["response"] = self.look(server, endpoint)
            endpoint.send(frame(TEXT, b"one") + frame(PING, b"two"), frame(TEXT, b"three"))
            seen["frames"] = self.look(server, endpoint)
            # Before the deadline of a request that is incomplete, and after it.
            server.clock.pump([1.0] * 9)
            seen["before the deadline"] = self.look(server, endpoint)
            server.clock.pump([1.0] * 7)
            seen["after the deadline"] = self.look(server, endpoint)
            endpoint.send(frame(CLOSE, close_payload(1000)))
            seen["closed"] = self.look(server, endpoint)
            endpoint.disconnect()
            seen["disconnected"] = self.look(server, endpoint)
        finally:
            globalLogPublisher.removeObserver(observer)
        seen["log"] = events
        seen["errors"] = [failure.type for failure in self.flushLoggedErrors()]
        return seen

    def look(self, server: MemoryServer, endpoint: Endpoint) -> dict[str, object]:
        """Return what the peer received since the last look, and the state of the server."""
        transport, record = endpoint.transport, server.record
        # The bytes received are not compared: without the shortcut, the request is written anew for Autobahn, with
        # other white space, and counted as that.
        metrics = evolve(server.site.metrics, bytes_in=0)
        calls = server.clock.getDelayedCalls()
        return {
            # `twisted.web` has the Date of some errors from the wall clock.
            "sent": re.sub(rb"\r\nDate: [^\r]*", b"", endpoint.answer()),
            "transport": (transport.lost, transport.aborted, transport.reads),
            "metrics": str(metrics),
            "budgets": str((server.budget, server.admission._budget, server.admission._requests)),
            "connections": (len(server.site.http_connections), len(server.page.signaling_port.connections)),
            "peers": str((record.addresses, [*record.connections], record.slow_starts, record.offenders)),
            "heard": str((record.heard, record.malformed, record.closed_peers)),
            # Autobahn's deadline of a request goes on after its refusal, and does nothing then.
            "round": str((server.rounds.number, server.rounds.latest)),
            "calls": sorted(call.getTime() for call in calls if "onOpenHandshakeTimeout" not in str(call)),
        }

    def assert_same(self, situation: Situation, pieces: list[bytes]) -> None:
        """Assert that the server does the same whether it recognizes plain upgrades or not."""
        new = self.observe(situation, pieces, recognizes=True)
        old = self.observe(situation, pieces, recognizes=False)
        for step in old:
            self.assertEqual(new[step], old[step], (step, pieces))

    def test_tables(self) -> None:
        """Each request of the tables in one read is answered, counted and logged alike, with the default limits."""
        for data in PLAIN + UNUSUAL + OTHER_PATHS:
            self.assert_same(SITUATIONS["defaults"], [data])

    def test_situations(self) -> None:
        """So is each plain upgrade in every situation: refused by each of the budgets, draining, or failing."""
        for situation in SITUATIONS.values():
            for data in PLAIN:
                self.assert_same(situation, [data])

    def test_bytes(self) -> None:
        """The bytes of the request are counted as they arrived."""
        server = MemoryServer()
        data = upgrade_request().replace(b": ", b":   ")
        Endpoint(server.site).send(data)
        self.assertEqual(server.site.metrics.bytes_in, len(data))

    def test_deadline(self) -> None:
        """The request has arrived, so no deadline of it goes on: what is pending is the ping, and the round."""
        server = MemoryServer()
        Endpoint(server.site, CLIENT, server.clock).send(upgrade_request())
        pending = [call.getTime() for call in server.clock.getDelayedCalls()]
        self.assertEqual(pending, [server.page.signaling_port.limits.ping_seconds])

    def test_later_requests(self) -> None:
        """What follows the first read of a connection is left to the general way.

        It may be the rest of a header whose value looks like an upgrade, or the next request of a connection.
        """
        page = request("/", {"Host": "signald.example"})
        for first in (page, page[:-2] + b"X: ", b"GET /", b"\r\n", page + page, b"POST /ws HTTP/1.1\r\n"):
            self.assert_same(SITUATIONS["defaults"], [first, BROWSER])

    def test_split(self) -> None:
        """So is a request that is split at any byte, whichever part of it arrives first."""
        for data in (upgrade_request(), upgrade_request(origin="http://evil.example"), with_line(b"X : y")):
            for position in range(1, len(data)):
                self.assert_same(SITUATIONS["defaults"], [data[:position], data[position:]])

    def test_mutations(self) -> None:
        """So is a browser's request with a few bytes changed, removed, added or repeated at random."""
        chance = random.Random(12)
        for _ in range(300):
            self.assert_same(SITUATIONS["defaults"], [mutated(BROWSER, chance)])


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one to three changes: bytes are replaced, inserted, removed or repeated."""
    for _ in range(chance.randint(1, 3)):
        start, other = chance.randrange(len(data)), chance.randrange(len(data))
        size = chance.choice((1, 1, 2, 8, 40))
        byte = bytes([chance.choice((chance.randrange(256), *b"\r\n\t :,;=/A0\x00\x7f\xe9"))])
        inserted = chance.choice((b"", byte, data[other : other + size]))
        data = data[:start] + inserted + data[start + chance.choice((0, size, len(inserted))) :]
    return data
