"""WebSocket connections on the bare port and on the site: handshakes, frames, limits, and events of the switchboard."""

from __future__ import annotations

import json
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from signald.config.settings import LogLevel as MinimumLevel
from signald.core.budgets import SLOW_START_BYTES
from signald.core.errors import ErrorCode
from signald.core.limits import Limits, address_key
from signald.core.messages import Error, Hello, Join, Ping, Pong, Welcome
from signald.core.users import PeerId
from signald.dialects import DIALECTS
from signald.net.origins import OriginRule, origin_from
from signald.server.autobahn_options import CLOSE_SECONDS
from signald.server.costs import DECISION_POINTS, EVENT_POINTS, FRAME_POINTS, READ_POINTS
from signald.server.draining import ANSWER_SECONDS
from signald.server.factory import SignalingFactory
from signald.server.frames import ABORT_SECONDS, CLOSING_STEPS
from signald.server.output import MAX_DISCARDED_BYTES
from signald.server.websocket import SignalingProtocol
from tests.support.connections import make_switchboard
from tests.support.endpoints import (
    BINARY,
    CLIENT,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    UPGRADE,
    Endpoint,
    NamedDialect,
    PlainDialect,
    close_payload,
    closing,
    frame,
    frame_header,
    problem_code,
    request,
    upgrade_request,
)
from tests.support.memory_server import ServerCase, make_port


class WebSocketCase(ServerCase):
    """A test on the bare port; a subclass runs it on the site."""

    bare = True

    def open(self, address: str = CLIENT, **changes: str | None) -> Endpoint:
        """Open a WebSocket."""
        endpoint = self.dial(address)
        self.assertEqual(endpoint.upgrade("/ws", **changes), 101)
        return endpoint

    def refused(self, code: ErrorCode, data: bytes | None = None, **changes: str | None) -> None:
        """Assert that an opening handshake is refused with this error, and that no state of it is left."""
        endpoint = self.dial()
        endpoint.send(data or upgrade_request("/ws", **changes))
        self.assertIs(problem_code(endpoint.response()), code)
        self.assertTrue(endpoint.closed)
        endpoint.disconnect()
        self.nothing_left()


class HandshakeTests(WebSocketCase):
    """The opening handshake."""

    def test_accepted(self) -> None:
        """The handshake of RFC 6455 §1.3 is accepted; the response names no compression, software or version."""
        endpoint = self.dial()
        endpoint.send(upgrade_request(sec_websocket_extensions="permessage-deflate; client_max_window_bits"))
        status, headers, rest = endpoint.response()
        self.assertEqual((status, rest), (101, b""))
        self.assertEqual(headers.pop("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.assertEqual(headers, {"server": "signald", "upgrade": "WebSocket", "connection": "Upgrade"})
        self.assertEqual(self.record.addresses, {PeerId(1): CLIENT})

    def test_no_delay(self) -> None:
        """The kernel sends each message at once, and does not wait for more."""
        self.assertTrue(self.open().transport.no_delay)

    def test_in_pieces(self) -> None:
        """An opening handshake may arrive byte by byte."""
        endpoint = self.dial()
        endpoint.send(*(bytes([byte]) for byte in upgrade_request()))
        self.assertEqual(endpoint.response()[0], 101)

    def test_one_peer_a_connection(self) -> None:
        """The switchboard is informed of each connection once, and of its end once."""
        first, second = self.open(), self.open("2001:db8::1")
        self.assertEqual(self.record.addresses, {PeerId(1): CLIENT, PeerId(2): "2001:db8::/64"})
        first.disconnect()
        self.assertEqual(self.record.closed_peers, [PeerId(1)])
        second.disconnect()
        self.nothing_left()

    def test_origins(self) -> None:
        """Pages of the same host and programs without an Origin header are accepted, and other origins are refused."""
        self.open(origin="http://signald.example").disconnect()
        for origin in (
            "http://evil.example", "null", "NULL", "file:///tmp/x.html", "https://signald.example.evil",
            "http://signald.example, http://signald.example", "chrome-extension://abc",
        ):  # fmt: skip
            self.refused(ErrorCode.BAD_ORIGIN, origin=origin)

    def test_origins_without_a_host(self) -> None:
        """Files and opaque origins may connect if the operator names them, however their request is parsed."""
        for named in ("null", "file://"):
            self.serve(origins=OriginRule.of(tls=False, others=[origin_from(named)]))
            for origin in ("null", "file://"):
                data = upgrade_request("/ws", origin=origin)
                whole, pieces = self.dial(), self.dial()
                whole.send(data)
                pieces.send(data[:9], data[9:])
                expected = 101 if origin == named else 403
                self.assertEqual([whole.response()[0], pieces.response()[0]], [expected] * 2)

    def test_origin_wanted(self) -> None:
        """With the setting that requires an origin, programs without an Origin header are refused."""
        self.serve(origins=OriginRule.of(tls=False, missing=False))
        self.refused(ErrorCode.BAD_ORIGIN)

    def test_malformed(self) -> None:
        """An invalid handshake gets 400 and an explanation; no error is logged."""
        for changes in (
            {"host": None}, {"host": "a b"}, {"host": ""}, {"host": "signald.example:port"}, {"host": "a,b"},
            {"upgrade": "h2c"}, {"connection": None}, {"connection": "keep-alive"},
            {"sec_websocket_version": None}, {"sec_websocket_version": "8"}, {"sec_websocket_version": "x"},
            {"sec_websocket_key": None}, {"sec_websocket_key": "short"}, {"sec_websocket_key": "\xe9" * 22 + "=="},
            {"sec_websocket_protocol": "a, a"}, {"origin": "http://[::1"}, {"origin": "http://a:99999"},
            {"origin": ""}, {"sec_websocket_extensions": 'permessage-deflate; client_max_window_bits="99'},
        ):  # fmt: skip
            endpoint = self.dial()
            endpoint.send(upgrade_request("/ws", **changes))
            self.assertIn(problem_code(endpoint.response()).http_status, (400, 403), changes)
            endpoint.disconnect()
        self.nothing_left()

    def test_methods(self) -> None:
        """Only GET opens a WebSocket."""
        self.refused(ErrorCode.METHOD_NOT_ALLOWED, request("/ws", UPGRADE, method="POST"))

    def test_double_host(self) -> None:
        """Two Host headers are refused, even if they are equal."""
        twice = upgrade_request().replace(b"\r\nUpgrade", b"\r\nHost: signald.example\r\nUpgrade", 1)
        endpoint = self.dial()
        endpoint.send(twice)
        self.assertEqual(endpoint.response()[0], 400)

    def test_too_many(self) -> None:
        """The WebSockets of an address are bounded.

        A refused client gets the error before the upgrade, and other addresses are still accepted.
        """
        self.serve(Limits(address_connections=2))
        endpoints = [self.open(), self.open()]
        self.assertEqual(self.server.budget.total, 2)
        endpoint = self.dial()
        endpoint.send(upgrade_request())
        self.assertIs(problem_code(endpoint.response()), ErrorCode.TOO_MANY_CONNECTIONS)
        endpoint.disconnect()
        self.open("192.0.2.2").disconnect()
        endpoints.pop().disconnect()
        self.open().disconnect()
        endpoints.pop().disconnect()
        self.nothing_left()

    def test_trusted_proxy(self) -> None:
        """Behind a trusted proxy the address that the proxy appended is counted, not the one that the client wrote."""
        self.serve(Limits(address_connections=1), proxies=("192.0.2.0/24",))
        self.open(x_forwarded_for="198.51.100.1")
        self.open(x_forwarded_for="198.51.100.1, 198.51.100.2")
        self.assertEqual(list(self.record.addresses.values()), ["198.51.100.1", "198.51.100.2"])
        endpoint = self.dial()
        endpoint.send(upgrade_request(x_forwarded_for="198.51.100.9, 198.51.100.2"))
        self.assertIs(problem_code(endpoint.response()), ErrorCode.TOO_MANY_CONNECTIONS)

    def test_untrusted_proxy(self) -> None:
        """The forwarding header of an untrusted peer is ignored, since anyone can write it."""
        self.open("198.51.100.7", x_forwarded_for="198.51.100.1")
        self.assertEqual(list(self.record.addresses.values()), ["198.51.100.7"])

    def test_forwarding_addresses_are_noted(self) -> None:
        """The traffic of an untrusted peer that sends X-Forwarded-For is counted apart; of others it is not."""
        self.serve(proxies=("10.0.0.0/8",))
        self.open("10.0.0.1", x_forwarded_for="198.51.100.1")
        self.open("198.51.100.2")
        traffic = self.server.rounds.traffic
        self.assertEqual(traffic._points, {})
        self.open("198.51.100.7", x_forwarded_for="198.51.100.1")
        self.assertEqual(list(traffic._points), ["198.51.100.7"])

    def test_unfinished(self) -> None:
        """A handshake that never ends is aborted at a timeout, which later bytes do not extend."""
        endpoint = self.dial()
        data = upgrade_request()
        for position in range(9):
            endpoint.send(data[position : position + 1])
            self.advance(1.0)
        self.assertFalse(endpoint.closed)
        self.advance(1.1)
        self.assertTrue(endpoint.transport.aborted)
        endpoint.disconnect()
        self.nothing_left()

    def test_too_long(self) -> None:
        """A handshake without an end is aborted at 16 KiB."""
        endpoint = self.dial()
        headers = [b"X-%d: " % number + b"x" * 1000 + b"\r\n" for number in range(20)]
        endpoint.send(request("/ws", UPGRADE)[:-2], *headers)
        self.assertIs(problem_code(endpoint.response()), ErrorCode.HEADERS_TOO_LARGE)
        self.assertTrue(endpoint.transport.lost)

    def test_failing_switchboard(self) -> None:
        """A connection that the switchboard cannot register is closed; the exception is logged once."""
        self.record.fails.add("add_connection")
        endpoint = self.dial()
        endpoint.send(upgrade_request())
        self.assertTrue(endpoint.response()[2].endswith(close_payload(1011, "internal-error")))
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        endpoint.send(frame(TEXT, b"x"), frame(CLOSE))
        endpoint.disconnect()
        self.assertEqual(self.record.closed_peers, [])
        self.nothing_left()

    def test_failing_rule(self) -> None:
        """An exception in our check of the handshake is an internal error, and logged once."""
        self.factory.signaling_port.rule = None  # type: ignore[assignment] # a fault
        self.refused(ErrorCode.INTERNAL_ERROR)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)

    def test_failing_protocol(self) -> None:
        """An exception in Autobahn, for which no cause is known, ends the connection and is logged once."""

        class Failing(SignalingProtocol):
            def processHandshake(self) -> None:
                raise ArithmeticError

        self.factory.protocol = Failing
        endpoint = self.dial()
        request = upgrade_request()
        endpoint.send(request[:9], request[9:])  # in pieces, since the site parses a request in one read itself
        self.assertTrue(endpoint.transport.aborted)
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        endpoint.disconnect()
        self.nothing_left()


class SiteHandshakeTests(HandshakeTests):
    """The same tests on the site, where the subprotocol chooses the dialect."""

    bare = False

    def test_subprotocols(self) -> None:
        """The first subprotocol that the server knows is chosen and named in the response.

        Without an offer the dialect without a subprotocol is spoken.
        """
        endpoint = self.dial()
        endpoint.send(upgrade_request(sec_websocket_protocol="other, named.1"))
        self.assertEqual(endpoint.response()[1]["sec-websocket-protocol"], "named.1")
        self.open()
        spoken = [type(connection.dialect) for connection in self.record.connections.values()]
        self.assertEqual(spoken, [NamedDialect, PlainDialect])

    def test_unknown_subprotocols(self) -> None:
        """A client that offers only unknown subprotocols is refused."""
        self.refused(ErrorCode.UNSUPPORTED_SUBPROTOCOL, sec_websocket_protocol="other, named.2")

    def test_paths(self) -> None:
        """WebSockets are accepted on one path only."""
        for path in ("/", "/ws/", "/ws/x", "/%77s", "//ws"):
            endpoint = self.dial()
            endpoint.send(request(path, UPGRADE))
            self.assertIs(problem_code(endpoint.response()), ErrorCode.NOT_FOUND, path)

    def test_old_http(self) -> None:
        """HTTP/1.0 has no upgrades (RFC 6455 §4.1)."""
        endpoint = self.dial()
        endpoint.send(request("/ws", UPGRADE, version="HTTP/1.0"))
        self.assertIs(problem_code(endpoint.response()), ErrorCode.UPGRADE_REQUIRED)

    def test_frames_before_the_answer(self) -> None:
        """A client that sends frames before the response violates RFC 6455 §4.1 and is refused.

        Its frames are not parsed as HTTP.
        """
        endpoint = self.dial()
        endpoint.send(upgrade_request() + frame(TEXT, b"early"))
        self.assertEqual(self.record.heard, [])
        self.assertTrue(endpoint.closed)

    def test_failing_acceptance(self) -> None:
        """An exception while a plain upgrade is accepted ends the connection, and is logged once."""

        class Failing(SignalingProtocol):
            def start_open_state(self) -> None:
                raise ArithmeticError

        self.factory.protocol = Failing
        endpoint = self.dial()
        endpoint.send(upgrade_request())
        self.assertTrue(endpoint.transport.aborted)
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        endpoint.disconnect()
        self.nothing_left()

    def test_server_full(self) -> None:
        """The number of all WebSockets is bounded."""
        self.serve(Limits(connections=10))
        self.server.budget.total = 10
        self.refused_by_budget(ErrorCode.SERVER_FULL)

    def refused_by_budget(self, code: ErrorCode) -> None:
        """Assert that an upgrade is refused."""
        endpoint = self.dial()
        endpoint.send(upgrade_request())
        self.assertIs(problem_code(endpoint.response()), code)


class BareHandshakeTests(WebSocketCase):
    """The opening handshake on the bare port alone."""

    def test_any_path(self) -> None:
        """The bare port accepts WebSockets on any path."""
        for path in ("/", "/ws", "/x/y?z"):
            self.assertEqual(self.dial().upgrade(path), 101)

    def test_only_the_plain_dialect(self) -> None:
        """The bare port accepts no subprotocol."""
        self.refused(ErrorCode.UNSUPPORTED_SUBPROTOCOL, sec_websocket_protocol="named.1")

    def test_any_port_of_the_host(self) -> None:
        """The origin may have any port, since the pages of the original were served from another port."""
        self.open(origin="http://signald.example:9000")

    def test_plain_request(self) -> None:
        """A plain request is answered with 426 and the Upgrade header that RFC 9110 §15.5.22 requires."""
        endpoint = self.dial()
        endpoint.send(request("/", {"Host": "signald.example"}))
        response = endpoint.response()
        self.assertIs(problem_code(response), ErrorCode.UPGRADE_REQUIRED)
        self.assertEqual(response[1]["upgrade"], "websocket")

    def test_arrivals(self) -> None:
        """An address has a bounded number of connections without a finished handshake.

        An open WebSocket no longer counts as such a connection.
        """
        self.serve(Limits(address_connections=2))
        self.open()
        silent = [self.dial(), self.dial()]
        self.assertTrue(self.dial().transport.aborted)
        self.assertFalse(self.dial("192.0.2.2").closed)
        silent.pop().disconnect()
        self.assertFalse(self.dial().closed)

    def test_full(self) -> None:
        """Connections beyond the total are closed at once.

        This includes the connections of a proxy, which are not counted by address.
        """
        self.serve(Limits(connections=2), proxies=("192.0.2.0/24",))
        endpoints = [self.dial(f"192.0.2.{number}") for number in range(3)]
        self.assertEqual([endpoint.closed for endpoint in endpoints], [False, False, True])


class FrameTests(WebSocketCase):
    """Frames and messages are parsed and bounded."""

    def setUp(self) -> None:
        """Open a WebSocket."""
        super().setUp()
        self.endpoint = self.open()

    def received_frames(self) -> list[object]:
        """The frames of the requests that the switchboard received."""
        return [payload for _, payload in self.record.heard]

    def closed_with(self, code: ErrorCode) -> None:
        """Assert that the connection closes with this error, and that later frames do not reach the switchboard."""
        self.assertEqual(self.endpoint.frames()[-1], closing(code))
        before = self.received_frames()
        self.endpoint.send(frame(TEXT, b"more"), frame(CONTINUATION, b"more"), frame(PING, b"more"))
        self.assertEqual(self.received_frames(), before)
        self.assertEqual(self.endpoint.frames(), [])
        self.advance(CLOSE_SECONDS + 0.1)
        self.assertTrue(self.endpoint.transport.aborted)
        self.endpoint.disconnect()
        self.assertEqual(self.record.closed_peers, [PeerId(1)])
        self.nothing_left()

    def test_messages(self) -> None:
        """A message may arrive whole, in fragments with a ping between them, in one read or byte by byte."""
        self.endpoint.send(frame(TEXT, b"one") + frame(TEXT, b"two") + frame(TEXT, b""))
        pieces = frame(TEXT, "thr\u00e9".encode()[:4], fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"\xa9e")
        self.endpoint.send(*(bytes([byte]) for byte in pieces))
        self.assertEqual(self.received_frames(), [b"one", b"two", b"", "thr\u00e9e".encode()])
        self.assertEqual(self.endpoint.frames(), [(PONG, b"p")])

    def test_sending(self) -> None:
        """Messages are sent as text frames, and may be longer than the greatest message that is accepted."""
        connection = self.record.connections[PeerId(1)]
        connection.send_text(b"short")
        connection.send_text(b"x" * 100_000)
        self.assertEqual(self.endpoint.frames(), [(TEXT, b"short"), (TEXT, b"x" * 100_000)])

    def test_too_large(self) -> None:
        """A frame that is too large is refused at its header, before its payload arrives."""
        self.endpoint.send(frame(TEXT, b"x" * 65536))
        self.assertEqual(len(self.received_frames()), 1)
        self.endpoint.send(frame_header(TEXT, 65537) + b"mask")
        self.closed_with(ErrorCode.MESSAGE_TOO_LARGE)

    def test_too_large_in_all(self) -> None:
        """The fragments of a message count together against the greatest size, and are freed once it is exceeded."""
        protocol: Any = self.endpoint.transport.protocol
        self.endpoint.send(frame(TEXT, b"x" * 65536, fin=False))
        self.assertEqual(sum(map(len, protocol.message_data)), 65536)
        self.endpoint.send(frame_header(CONTINUATION, 1) + b"mask")
        self.assertEqual(protocol.message_data, [])
        self.closed_with(ErrorCode.MESSAGE_TOO_LARGE)

    def test_too_many_fragments(self) -> None:
        """A message has a bounded number of fragments.

        Empty fragments count too, since no bound on bytes would stop them.
        """
        rest = [frame(CONTINUATION, fin=False)] * 62
        self.endpoint.send(frame(TEXT, fin=False), *rest, frame(CONTINUATION))
        self.assertEqual(self.received_frames(), [b""])
        self.endpoint.send(frame(TEXT, fin=False), *rest, frame(CONTINUATION, fin=False), frame(CONTINUATION))
        self.closed_with(ErrorCode.TOO_MANY_FRAGMENTS)

    def test_slow_message(self) -> None:
        """A message has to be complete within the timeout, whether it arrives in fragments or in bytes.

        Other traffic does not extend the timeout.
        """
        self.endpoint.send(frame(TEXT, b"a", fin=False))
        for _ in range(9):
            self.advance(1.0)
            self.endpoint.send(frame(CONTINUATION, b"a", fin=False))
        self.assertEqual(self.endpoint.frames(), [])
        self.advance(1.1)
        self.closed_with(ErrorCode.SLOW_MESSAGE)

    def test_slow_frame(self) -> None:
        """A single frame that arrives byte by byte has the same timeout."""
        self.endpoint.send(frame_header(TEXT, 100) + b"mask")
        for _ in range(9):
            self.advance(1.0)
            self.endpoint.send(b"x")
        self.advance(1.1)
        self.closed_with(ErrorCode.SLOW_MESSAGE)

    def test_time_of_each_message(self) -> None:
        """Each message has its own timeout, even if it begins in the read that completes the previous message."""
        self.endpoint.send(frame(TEXT, b"a", fin=False))
        self.advance(6.0)
        self.endpoint.send(frame(CONTINUATION, b"b") + frame(TEXT, b"c", fin=False))
        self.advance(6.0)
        self.endpoint.send(frame(CONTINUATION, b"d"))
        self.assertEqual(self.received_frames(), [b"ab", b"cd"])

    def test_binary(self) -> None:
        """A binary message is refused at its first frame, since no dialect has binary messages."""
        self.endpoint.send(frame(BINARY, b"x", fin=False))
        self.closed_with(ErrorCode.UNSUPPORTED_DATA)

    def test_violations(self) -> None:
        """A frame that RFC 6455 forbids closes the connection with 1002, and text that is not UTF-8 with 1007."""
        for data, code in (
            (frame(TEXT, b"x", mask=None), 1002),
            (frame(TEXT, b"x", rsv=4), 1002),
            (frame(3, b"x"), 1002),
            (frame(11, b"x"), 1002),
            (frame(CONTINUATION, b"x"), 1002),
            (frame(PING, b"x", fin=False), 1002),
            (frame(PING, b"x" * 126), 1002),
            (frame(CLOSE, b"x"), 1002),
            (frame(CLOSE, close_payload(1005)), 1002),
            (frame(TEXT, b"\xff"), 1007),
            (frame(TEXT, b"\xed\xa0\x80"), 1007),
            (frame(TEXT, b"\xe2\x82", fin=True), 1007),
        ):
            endpoint = self.open()
            endpoint.send(data, frame(TEXT, b"more"))
            opcode, payload = endpoint.frames()[0]
            self.assertEqual((opcode, payload[:2]), (CLOSE, close_payload(code)), data)
            endpoint.disconnect()
        self.assertEqual(self.received_frames(), [])

    def test_nothing_is_kept_after_a_failure(self) -> None:
        """After a failure a control frame of any length is discarded, which Autobahn alone would buffer."""
        self.endpoint.send(frame_header(PING, 1 << 40) + b"mask")
        self.assertEqual(self.endpoint.frames()[0][0], CLOSE)
        protocol: Any = self.endpoint.transport.protocol
        for _ in range(100):
            self.endpoint.send(b"x" * 65536)
        self.assertEqual(sum(map(len, protocol.control_frame_data)) + len(protocol.data), 0)

    def test_flood_after_a_close(self) -> None:
        """After a close frame was sent, the input that is still parsed is bounded.

        A peer that completes its message and sends its close frame stays within the bound.
        """
        for count, answered in ((20, True), (200, False)):
            endpoint = self.open()
            endpoint.send(frame(BINARY, b"x"))
            endpoint.send(frame(TEXT, b"more") * count, frame(CLOSE, close_payload(1003)))
            self.assertEqual(endpoint.transport.lost, answered)
            self.assertEqual([opcode for opcode, _ in endpoint.frames()], [CLOSE])
            self.advance(CLOSE_SECONDS + 0.1)
            self.assertNotEqual(endpoint.transport.aborted, answered)

    def test_a_peer_that_goes_on_after_a_close_is_cut_off(self) -> None:
        """A peer that continues to send after a close is aborted.

        Its input is read at first, so that a disconnect is seen at once and the peer can read the close code.
        """
        endpoint = self.open()
        endpoint.send(frame(BINARY, b"x"))
        endpoint.send(frame(TEXT, b"more") * 6000)
        self.assertTrue(endpoint.transport.reads)
        for _ in range(MAX_DISCARDED_BYTES // 8192):
            endpoint.send(b"x" * 8192)
        self.assertEqual((endpoint.transport.reads, endpoint.transport.aborted), (False, False))
        self.assertEqual(endpoint.frames()[0][0], CLOSE)
        self.advance(ABORT_SECONDS + 0.1)
        self.assertTrue(endpoint.transport.aborted)

    def test_a_peer_that_is_to_be_cut_off_goes(self) -> None:
        """A peer that disconnects before it is aborted leaves no delayed call and no counted connection."""
        self.endpoint.send(frame(BINARY, b"x"))
        self.endpoint.send(frame(TEXT, b"more") * 6000)
        self.endpoint.send(b"x" * MAX_DISCARDED_BYTES)
        self.assertFalse(self.endpoint.transport.reads)
        self.endpoint.disconnect()
        self.nothing_left()

    def test_closing_by_the_peer(self) -> None:
        """A close frame is echoed, and the switchboard is informed at once.

        The TCP connection closes without a reset.
        """
        self.endpoint.send(frame(CLOSE, close_payload(1001, "bye")))
        self.assertEqual(self.endpoint.frames(), [(CLOSE, close_payload(1000))])
        self.assertEqual(self.record.closed_peers, [PeerId(1)])
        self.assertTrue(self.endpoint.transport.lost)
        self.assertFalse(self.endpoint.transport.aborted)

    def test_flood_after_the_closing_handshake(self) -> None:
        """A peer that sends on when everything is closed, as TLS's closing alert lets it, is aborted after a while."""
        self.endpoint.send(frame(CLOSE, close_payload(1001)))
        for _ in range(MAX_DISCARDED_BYTES // 65536):
            self.endpoint.transport.protocol.dataReceived(bytes(65536))
        self.assertFalse(self.endpoint.transport.aborted)
        self.endpoint.transport.protocol.dataReceived(b"x")
        self.assertTrue(self.endpoint.transport.aborted)

    def test_closing_by_the_server(self) -> None:
        """The close frame has the switchboard's code and reason.

        After the peer's close frame the TCP connection ends without a reset.
        """
        connection = self.record.connections[PeerId(1)]
        connection.close(4001, "replaced")
        connection.close(4002, "again")
        connection.send_text(b"late")
        self.assertEqual(self.endpoint.frames(), [(CLOSE, close_payload(4001, "replaced"))])
        self.endpoint.send(frame(TEXT, b"late"))
        self.assertEqual(self.received_frames(), [])
        self.endpoint.send(frame(CLOSE, close_payload(4001)))
        self.assertTrue(self.endpoint.transport.lost)
        self.assertFalse(self.endpoint.transport.aborted)
        connection.close(4003, "gone")
        connection.send_text(b"gone")
        self.endpoint.disconnect()
        self.nothing_left()

    def test_closing_without_an_answer(self) -> None:
        """Without the peer's close frame the transport is aborted at a timeout, and the switchboard is informed."""
        self.record.connections[PeerId(1)].close(1008, "x" * 200)
        self.assertEqual(self.endpoint.frames(), [(CLOSE, close_payload(1008, "x" * 123))])
        self.advance(CLOSE_SECONDS + 0.1)
        self.assertTrue(self.endpoint.transport.aborted)
        self.assertEqual(self.record.closed_peers, [PeerId(1)])

    def test_control_frames(self) -> None:
        """Pings and pongs together have one rate limit with a burst."""
        self.endpoint.send(*[frame(PING, b"x")] * 10, *[frame(PONG)] * 10)
        self.assertEqual(self.endpoint.frames(), [(PONG, b"x")] * 10)
        self.advance(1.1)
        self.endpoint.send(*[frame(PING)] * 5)
        self.assertEqual(self.endpoint.frames(), [(PONG, b"")] * 5)
        self.endpoint.send(frame(PONG))
        self.closed_with(ErrorCode.TOO_MANY_CONTROL_FRAMES)

    def test_bytes(self) -> None:
        """Bytes have a rate limit with a burst, and a frame that exceeds the limit is refused at its header."""
        self.serve(Limits(message_byte_rate=1024.0, message_byte_burst=4096, message_bytes=4096))
        self.endpoint = self.open()
        self.endpoint.send(*[frame(TEXT, b"x" * 1024)] * 4)
        self.advance(1.1)
        self.endpoint.send(frame(TEXT, b"x" * 1024))
        self.assertEqual(len(self.received_frames()), 5)
        self.endpoint.send(frame_header(TEXT, 1024) + b"mask")
        self.closed_with(ErrorCode.TOO_MANY_BYTES)
        self.assertEqual(self.factory.signaling_port.metrics.limits["message_byte_rate"], 1)

    def test_the_largest_message_is_always_possible(self) -> None:
        """A message of the greatest size is accepted even if the configured burst is smaller."""
        self.serve(Limits(message_byte_rate=1024.0, message_byte_burst=1024, message_bytes=4096))
        self.endpoint = self.open()
        self.endpoint.send(frame(TEXT, b"x" * 4096))
        self.assertEqual(len(self.received_frames()), 1)

    def test_other_limits(self) -> None:
        """An open connection keeps its limits; later connections have the new limits."""
        self.factory.reload_limits(Limits(message_bytes=1024, ping_seconds=5.0, address_connections=1))
        self.endpoint.send(frame(TEXT, b"x" * 65536))
        self.assertEqual(len(self.received_frames()), 1)
        self.endpoint = self.open()
        self.endpoint.send(frame_header(TEXT, 1025) + b"mask")
        self.assertEqual(self.endpoint.frames()[-1], closing(ErrorCode.MESSAGE_TOO_LARGE))

    def test_silence(self) -> None:
        """A peer that sends no pong is aborted."""
        self.advance(19.9)
        self.assertEqual(self.endpoint.frames(), [])
        self.advance(0.2)
        ((opcode, _),) = self.endpoint.frames()
        self.assertEqual(opcode, PING)
        self.advance(9.8)
        self.assertFalse(self.endpoint.closed)
        self.advance(0.2)
        self.assertTrue(self.endpoint.transport.aborted)
        self.assertEqual(self.record.closed_peers, [PeerId(1)])
        self.assertEqual(self.factory.signaling_port.metrics.limits["pong_seconds"], 1)

    def test_traffic(self) -> None:
        """No ping goes to a peer that sends messages, and one after the whole interval of silence."""
        for _ in range(10):
            self.advance(15.0)
            self.endpoint.send(frame(TEXT, b"x"))
        self.received_frames()
        self.advance(19.9)
        self.assertEqual(self.endpoint.frames(), [])
        self.advance(0.2)
        self.assertEqual(self.endpoint.frames(), [(PING, b"")])

    def test_any_traffic_answers_a_ping(self) -> None:
        """A ping is answered by whatever arrives after it: a message, a part of one, a pong with another payload."""
        for answer in (frame(TEXT, b"x"), frame(TEXT, b"x")[:3], frame(TEXT, b"x")[3:], frame(PONG, b"other")):
            self.advance(20.1)
            self.assertEqual([opcode for opcode, _ in self.endpoint.frames()], [PING])
            self.advance(9.5)
            self.endpoint.send(answer)
            self.endpoint.frames()
        self.advance(9.5)
        self.assertFalse(self.endpoint.closed)

    def test_closing_connection(self) -> None:
        """A connection that is closing is sent no ping, and is aborted by the deadline of its close frame alone."""
        self.serve(Limits(ping_seconds=1.0, pong_seconds=1.0))
        self.endpoint = self.open()
        self.advance(1.1)
        self.endpoint.send(frame(BINARY, b"x"))
        self.assertEqual([opcode for opcode, _ in self.endpoint.frames()], [PING, CLOSE])
        self.advance(CLOSE_SECONDS - 0.2)
        self.assertEqual(self.endpoint.frames(), [])
        self.assertFalse(self.endpoint.transport.aborted)
        self.advance(0.4)
        self.assertTrue(self.endpoint.transport.aborted)
        self.assertEqual(self.factory.signaling_port.metrics.limits["pong_seconds"], 0)
        self.endpoint.disconnect()
        self.nothing_left()

    def test_connection_that_closes_before_its_ping(self) -> None:
        """A connection that begins to close in the round of its ping is sent none."""
        protocol = self.endpoint.transport.protocol
        protocol.close(1001, "")
        self.endpoint.frames()
        protocol.send_ping()
        self.assertEqual(self.endpoint.frames(), [])

    def test_connection_that_is_not_read_from(self) -> None:
        """A connection that waits for its turn is not aborted for its silence: its pong may be unread."""
        self.advance(20.1)
        protocol = self.endpoint.transport.protocol
        protocol.hold()
        self.assertTrue(protocol.is_held)
        self.advance(20.0)
        self.assertFalse(self.endpoint.closed)
        self.endpoint.frames()
        protocol.take_turn(protocol._share, False)
        self.advance(1.2)
        self.assertEqual(self.endpoint.frames(), [(PING, b"")])
        self.advance(8.9)
        self.assertFalse(self.endpoint.closed)
        self.advance(1.1)
        self.assertTrue(self.endpoint.transport.aborted)

    def test_intervals_after_a_reload(self) -> None:
        """An open connection keeps its intervals at a reload, and later connections have the new ones."""
        self.factory.reload_limits(Limits(ping_seconds=5.0))
        other = self.open()
        self.advance(5.2)
        self.assertEqual(other.frames(), [(PING, b"")])
        self.assertEqual(self.endpoint.frames(), [])
        self.advance(15.0)
        self.assertEqual(self.endpoint.frames(), [(PING, b"")])

    def test_short_pongs(self) -> None:
        """A pong without a payload counts like any other: for life, for the rate limit, and for its address."""
        for payload in (b"", b"x"):
            self.serve(Limits(control_burst=2, control_rate=1.0))
            self.endpoint = self.open()
            share = self.endpoint.transport.protocol._share
            left = share.left
            self.endpoint.send(frame(PONG, payload))
            self.assertEqual(left - share.left, READ_POINTS + FRAME_POINTS)
            self.endpoint.send(frame(PONG, payload))
            self.assertFalse(self.endpoint.closed)
            self.endpoint.send(frame(PONG, payload))
            self.assertEqual(self.endpoint.frames(), [closing(ErrorCode.TOO_MANY_CONTROL_FRAMES)])
            self.assertEqual(self.factory.signaling_port.metrics.limits["control_rate"], 1)

    def test_short_pongs_out_of_turn(self) -> None:
        """A short pong waits for the turn of its address like any other frame."""
        protocol = self.endpoint.transport.protocol
        protocol._share.charge(protocol._share.left)
        protocol.dataReceived(frame(PONG, b""))
        self.assertTrue(protocol.is_held)
        self.clock.advance(0)
        self.assertFalse(protocol.is_held)

    def test_short_pongs_after_a_close(self) -> None:
        """Short pongs after the server's close frame are discarded in the end, like any other frames."""
        protocol = self.endpoint.transport.protocol
        protocol.close(1001, "")
        self.endpoint.send(*[frame(PONG, b"")] * (CLOSING_STEPS + 2))
        self.assertGreater(protocol._discarded_bytes, 0)

    def test_short_pongs_in_a_message(self) -> None:
        """The bytes of a short pong are one between the fragments of a message, and payload within a frame."""
        self.endpoint.send(frame(TEXT, b"ab", fin=False), frame(PONG, b""), frame(CONTINUATION, b"cd"))
        self.assertEqual(self.received_frames(), [b"abcd"])
        self.record.heard.clear()
        text, key = b"@@maAA", b"\xca\xc0\0\0"
        whole = frame(TEXT, text, mask=key)
        self.assertEqual(whole[-6:-4], frame(PONG, b"")[:2])
        self.endpoint.send(whole[:-6], whole[-6:])
        self.assertEqual(self.received_frames(), [text])

    def test_answered_pings(self) -> None:
        """A peer that answers each ping stays connected for hours."""
        for _ in range(100):
            self.advance(20.1)
            for opcode, payload in self.endpoint.frames():
                self.assertEqual(opcode, PING)
                self.endpoint.send(frame(PONG, payload))
        self.assertFalse(self.endpoint.closed)
        self.endpoint.disconnect()
        self.nothing_left()

    def test_small_times(self) -> None:
        """Timeouts below a second are precise, which Autobahn's own timers would round to zero."""
        self.serve(Limits(ping_seconds=0.5, pong_seconds=0.5))
        self.endpoint = self.open()
        self.clock.advance(0.49)
        self.assertEqual(self.endpoint.frames(), [])
        self.clock.advance(0.02)
        self.assertEqual(len(self.endpoint.frames()), 1)
        self.clock.advance(0.48)
        self.assertFalse(self.endpoint.closed)
        self.clock.advance(0.03)
        self.assertTrue(self.endpoint.closed)

    def test_failing_switchboard(self) -> None:
        """An exception in the switchboard closes only the connection whose message caused it.

        The exception is logged once, without the message.
        """
        other = self.open()
        self.record.fails.add("receive_requests")
        self.endpoint.send(frame(TEXT, b"secret"), frame(TEXT, b"secret"))
        (logged,) = self.flushLoggedErrors(ArithmeticError)
        self.assertNotIn("secret", logged.getTraceback())
        self.assertEqual(self.endpoint.frames(), [closing(ErrorCode.INTERNAL_ERROR)])
        self.record.fails.clear()
        other.send(frame(TEXT, b"fine"))
        self.assertEqual(self.record.heard, [(PeerId(2), b"fine")])

    def test_failing_end(self) -> None:
        """An exception while the switchboard processes an end is logged, and the connection's slots are released."""
        self.record.fails.add("remove_connection")
        self.endpoint.disconnect()
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.nothing_left()


class OffenceTests(WebSocketCase):
    """A connection that had to be closed for its peer's fault is charged to its address."""

    def offend(self, address: str = CLIENT) -> None:
        """Open a connection that is closed for its peer's misbehaviour."""
        endpoint = self.open(address)
        endpoint.send(frame(BINARY, b"x"))
        self.assertEqual(endpoint.frames(), [closing(ErrorCode.UNSUPPORTED_DATA)])
        endpoint.disconnect()

    def test_offences_shut_nobody_out(self) -> None:
        """One client that offends a hundred times keeps none of fifty others of its address from connecting."""
        self.serve(Limits(address_connection_burst=200))
        early = [self.open() for _ in range(25)]
        for _ in range(100):
            self.offend()
        late = [self.open() for _ in range(25)]
        for endpoint in early + late:
            endpoint.send(frame(TEXT, b"hello"))
            self.assertEqual(endpoint.frames(), [])
        self.assertEqual(len(self.record.heard), 50)

    def test_offenders_start_slowly(self) -> None:
        """New connections of an offender's address start slowly for a minute; those of other addresses do not."""
        self.open().disconnect()
        self.assertEqual((self.record.slow_starts, self.record.offenders), (set(), set()))
        self.offend()
        self.assertEqual(self.record.offenders, {PeerId(2)})
        self.open()
        self.open("192.0.2.200")
        self.assertEqual(self.record.slow_starts, {PeerId(3)})
        self.clock.advance(61)
        self.open()
        self.assertEqual(self.record.slow_starts, {PeerId(3)})

    def test_bytes_of_a_slow_start(self) -> None:
        """A slow start leaves a part of the bytes at once, and always one message of the greatest size."""
        for limits, expected in ((Limits(), SLOW_START_BYTES), (Limits(message_bytes=200_000), 200_000)):
            self.serve(limits)
            self.offend()
            self.open()
            self.assertEqual(self.record.connections[PeerId(2)]._message_bytes.tokens, expected)

    def test_no_offence(self) -> None:
        """A connection that ends by itself, or because the server stops, is no offence."""
        endpoint = self.open()
        endpoint.send(frame(CLOSE, close_payload(1000)))
        endpoint.disconnect()
        self.open()
        self.assertEqual((self.record.slow_starts, self.record.offenders), (set(), set()))


class SiteOffenceTests(OffenceTests):
    """The same tests on the site."""

    bare = False


class SiteFrameTests(FrameTests):
    """The same tests on the site."""

    bare = False


class OutputTests(WebSocketCase):
    """The output of a peer that reads too slowly is bounded."""

    def setUp(self) -> None:
        """Open a WebSocket."""
        super().setUp()
        self.endpoint = self.open()
        self.connection = self.record.connections[PeerId(1)]

    def test_too_much(self) -> None:
        """The write that exceeds the bound in bytes aborts the connection, and the switchboard is informed."""
        for _ in range(262):
            self.connection.send_text(b"x" * 1000)
        self.assertTrue(self.endpoint.transport.aborted)
        self.assertEqual(self.record.closed_peers, [PeerId(1)])
        self.endpoint.disconnect()
        self.nothing_left()

    def test_too_long(self) -> None:
        """The connection is aborted when the peer reads nothing for the timeout."""
        self.connection.send_text(b"x" * 70_000)
        self.advance(4.9)
        self.assertFalse(self.endpoint.closed)
        self.advance(0.2)
        self.assertTrue(self.endpoint.transport.aborted)
        self.assertEqual(self.record.closed_peers, [PeerId(1)])

    def test_all_of_it_in_order(self) -> None:
        """A peer that was slow for a while receives all messages in order."""
        messages = [b"%d" % number * 1000 for number in range(40)]
        for message in messages:
            self.connection.send_text(message)
        self.advance(4.0)
        self.assertEqual([payload for _, payload in self.endpoint.frames()], messages)
        self.advance(10.0)
        self.assertFalse(self.endpoint.closed)

    def test_unread_pongs(self) -> None:
        """Pongs count against the bound, so that pings cannot fill the server's memory."""
        self.serve(Limits(control_rate=1e6, control_burst=10**6))
        endpoint = self.open()
        endpoint.send(*[frame(PING, b"x" * 125)] * 2100)
        self.assertTrue(endpoint.transport.aborted)

    def test_unread_close(self) -> None:
        """The connection ends even if the peer never reads the close frame."""
        self.connection.send_text(b"x" * 70_000)
        self.endpoint.send(frame(CLOSE, close_payload(1000)))
        self.assertTrue(self.endpoint.transport.lost)
        self.assertFalse(self.endpoint.transport.aborted)
        self.advance(5.1)
        self.assertTrue(self.endpoint.transport.aborted)

    def test_close_after_what_waits(self) -> None:
        """A peer that reads receives everything that was sent before the close."""
        for _ in range(10):
            self.connection.send_text(b"x" * 10_000)
        self.endpoint.send(frame(CLOSE, close_payload(1000)))
        self.assertEqual(self.endpoint.frames(), [*[(TEXT, b"x" * 10_000)] * 10, (CLOSE, close_payload(1000))])

    def test_after_the_end(self) -> None:
        """Input that TLS delivers after a close is discarded."""
        self.endpoint.send(frame(CLOSE, close_payload(1000)))
        protocol: Any = self.endpoint.transport.protocol
        protocol.dataReceived(b"x" * 100_000)
        self.assertEqual(len(protocol.data), 0)


class SiteOutputTests(OutputTests):
    """The same tests on the site."""

    bare = False


class DrainTests(WebSocketCase):
    """WebSockets are closed while the server drains."""

    def drain(self, seconds: float = 10.0) -> Deferred[None]:
        """Start the drain."""
        return self.factory.signaling_port.connections.drain(seconds)

    def test_nobody_there(self) -> None:
        """A drain without connections is complete at once."""
        self.successResultOf(self.drain())
        self.nothing_left()

    def test_everyone_goes(self) -> None:
        """The drain closes each WebSocket with 1012 and waits for its end."""
        endpoints = [self.open(), self.open()]
        drained = self.drain()
        for endpoint in endpoints:
            self.assertNoResult(drained)
            self.assertEqual(endpoint.frames(), [closing(ErrorCode.GOING_AWAY)])
            endpoint.send(frame(CLOSE, close_payload(1012)))
            endpoint.disconnect()
        self.successResultOf(drained)
        self.nothing_left()

    def test_somebody_stays(self) -> None:
        """A connection that does not close is aborted at the deadline of the drain."""
        endpoint = self.open()
        drained = self.drain(3.0)
        self.advance(2.9)
        self.assertNoResult(drained)
        self.advance(0.2)
        self.successResultOf(drained)
        self.assertTrue(endpoint.transport.aborted)
        endpoint.disconnect()
        self.nothing_left()

    def test_somebody_is_frozen(self) -> None:
        """A peer that has received everything and sends no close frame does not delay the restart."""
        endpoint = self.open()
        drained = self.drain()
        endpoint.transport.take_all()
        self.advance(ANSWER_SECONDS + 0.1)
        self.assertTrue(endpoint.transport.aborted)
        endpoint.disconnect()
        self.successResultOf(drained)
        self.nothing_left()

    def test_somebody_reads_slowly(self) -> None:
        """A peer that still has output to read has the whole duration of the drain."""
        endpoint = self.open()
        drained = self.drain()
        self.advance(ANSWER_SECONDS + 0.1)
        self.assertNoResult(drained)
        self.assertFalse(endpoint.transport.aborted)
        endpoint.transport.take_all()
        endpoint.disconnect()
        self.successResultOf(drained)

    def test_nobody_comes(self) -> None:
        """Upgrades are refused during the drain."""
        self.successResultOf(self.drain())
        self.refused(ErrorCode.GOING_AWAY)

    def test_unfinished_handshake(self) -> None:
        """An unfinished handshake on the bare port is refused at once."""
        endpoint = self.dial()
        endpoint.send(b"GET /")
        drained = self.drain()
        self.assertIs(problem_code(endpoint.response()), ErrorCode.GOING_AWAY)
        endpoint.disconnect()
        self.successResultOf(drained)


class SiteDrainTests(DrainTests):
    """The same tests on the site."""

    bare = False

    def test_unfinished_handshake(self) -> None:
        """An unfinished handshake on the site is still HTTP: it may be completed, and is then refused."""
        endpoint = self.dial()
        endpoint.send(upgrade_request()[:20])
        self.successResultOf(self.drain())
        endpoint.send(upgrade_request()[20:])
        self.assertIs(problem_code(endpoint.response()), ErrorCode.GOING_AWAY)


class DialectTests(SynchronousTestCase):
    """A WebSocket decodes and encodes in its dialect, over a real switchboard."""

    def setUp(self) -> None:
        """Create a port with both dialects."""
        self.clock = Clock()
        self.port = make_port(self.clock, make_switchboard(self.clock), dialects=DIALECTS)
        self.factory = SignalingFactory(self.port)

    def open(self, subprotocol: str | None) -> Endpoint:
        """Open a WebSocket with that subprotocol."""
        endpoint = Endpoint(self.factory, clock=self.clock)
        changes = {} if subprotocol is None else {"sec_websocket_protocol": subprotocol}
        endpoint.send(upgrade_request(**changes))
        return endpoint

    def exchange(self, endpoint: Endpoint, **message: object) -> list[str]:
        """Send a message, and return the types of the responses."""
        endpoint.answer()
        endpoint.send(frame(TEXT, json.dumps(message).encode()))
        return [json.loads(payload)["type"] for opcode, payload in endpoint.frames() if opcode == TEXT]

    def test_requests_and_events_are_counted(self) -> None:
        """A request, its event, a malformed frame and the resulting error are counted by their classes."""
        endpoint, metrics = self.open("signald.1"), self.port.metrics
        self.assertEqual(self.exchange(endpoint, type="hello", version=1), ["welcome"])
        self.assertEqual(self.exchange(endpoint, type="join"), ["error"])
        self.assertEqual((metrics.received[Hello], metrics.sent[Welcome]), (1, 1))
        self.assertEqual((metrics.malformed[Join], metrics.declined[Join], metrics.sent[Error]), (1, 1, 1))
        self.assertEqual(metrics.errors[ErrorCode.BAD_MESSAGE], 1)

    def test_unknown_keys_are_counted_and_logged(self) -> None:
        """Their number is counted by the request's class, and logged with its type, but nothing of their text."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.port.switchboard.calls.set_level(MinimumLevel.DEBUG)
        endpoint, metrics = self.open("signald.1"), self.port.metrics
        self.assertEqual(self.exchange(endpoint, type="hello", version=1, CANARY={"CANARY": 1}), ["welcome"])
        self.assertEqual(self.exchange(endpoint, type="ping", one="CANARY", two=[]), ["pong"])
        self.assertEqual(self.exchange(endpoint, type="ping"), ["pong"])
        self.assertEqual((metrics.unknown_keys[Hello], metrics.unknown_keys[Ping]), (1, 2))
        logged = [event for event in events if event.get("event") == "unknown-keys"]
        self.assertEqual([(event["type"], event["count"]) for event in logged], [("hello", 1), ("ping", 2)])
        self.assertEqual({event["log_level"] for event in logged}, {LogLevel.debug})
        self.assertNotIn("CANARY", "".join(eventAsText(event) + repr(event) for event in logged))

    def test_forwarded_messages_are_timed(self) -> None:
        """The histogram observes a message to another member, and not a ping."""
        host, guest = self.open("signald.1"), self.open("signald.1")
        for endpoint in (host, guest):
            self.exchange(endpoint, type="hello", version=1)
        host.send(frame(TEXT, b'{"type":"open"}'))
        session = json.loads(host.frames()[-1][1])["session"]
        self.exchange(guest, type="join", session=session)
        self.exchange(guest, type="ping")
        self.assertEqual(sum(self.port.metrics.forward.counts), 0)
        host.answer()
        self.exchange(guest, type="message", session=session, content="fine")
        self.assertEqual(json.loads(host.frames()[-1][1])["content"], "fine")
        self.assertEqual(sum(self.port.metrics.forward.counts), 1)

    def test_a_dialect_may_close(self) -> None:
        """An error that the serde dialect cannot express closes the connection."""
        endpoint = self.open(None)
        endpoint.answer()
        endpoint.send(frame(TEXT, b"{"))
        self.assertEqual(endpoint.frames(), [(CLOSE, close_payload(1007, "bad-message"))])

    def test_an_encoder_that_raises_closes_its_connection_once(self) -> None:
        """The close frame has 1011; later events are not encoded, so that the exception is logged once."""
        endpoint = self.open("signald.1")
        protocol: Any = endpoint.transport.protocol
        protocol.dialect.encode = None
        self.assertEqual(self.exchange(endpoint, type="hello", version=1), [])
        protocol.send_event(Pong())
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertEqual(protocol.localCloseCode, 1011)

    def test_costs(self) -> None:
        """A message is charged for the decision that it leads to, and for each event to another member."""
        endpoints = [self.open("signald.1") for _ in range(4)]
        for endpoint in endpoints:
            self.exchange(endpoint, type="hello", version=1)
        self.exchange(endpoints[0], type="open", capacity=4)
        turns = self.port.rounds.shares[address_key(CLIENT)].turns

        def cost(endpoint: Endpoint, **message: object) -> int:
            self.clock.advance(0)
            turns.left = 1000
            protocol: Any = endpoint.transport.protocol
            protocol.dataReceived(frame(TEXT, json.dumps(message).encode()))
            return 1000 - turns.left

        self.assertEqual(cost(endpoints[0], type="ping"), READ_POINTS + FRAME_POINTS)
        opened = cost(endpoints[0], type="open", capacity=4)
        self.assertEqual(opened, READ_POINTS + FRAME_POINTS + DECISION_POINTS)
        session = json.loads(endpoints[0].frames()[-1][1])["session"]
        for endpoint in endpoints[1:]:
            self.exchange(endpoint, type="join", session=session)
        sent = cost(endpoints[0], type="message", session=session, content="fine")
        self.assertEqual(sent, READ_POINTS + FRAME_POINTS + 2 * EVENT_POINTS)

    def test_a_suspended_switchboard_receives_nothing(self) -> None:
        """After the state was handed over a frame is neither decoded nor counted."""
        endpoint = self.open("signald.1")
        self.port.switchboard.suspend()
        self.assertEqual(self.exchange(endpoint, type="hello", version=1), [])
        self.assertEqual(self.port.metrics.received[Hello], 0)


class LogTests(WebSocketCase):
    """Addresses and payloads are not logged."""

    def test_no_address_and_no_payload(self) -> None:
        """No log line about a refusal, a violation, an abort or a close contains an address or a payload."""
        events: list[str] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            events.append(f"{formatEvent(event)} {event}")

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.dial().send(upgrade_request(host="secret secret"))
        self.dial().send(upgrade_request(origin="http://secret.example"))
        for data in (frame(TEXT, b"secret"), frame(TEXT, b"secret\xff"), frame(TEXT, b"secret", mask=None)):
            endpoint = self.open()
            endpoint.send(data)
            self.advance(40.0)
            endpoint.disconnect()
        self.open().send(frame(CLOSE, close_payload(4999, "secret")))
        for event in events:
            self.assertNotIn("secret", event)
            self.assertNotIn(CLIENT, event)


class SiteLogTests(LogTests):
    """The same tests on the site."""

    bare = False
