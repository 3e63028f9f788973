"""HTTP/1.1 connections are bounded in number, time and size, and malformed requests are refused."""

from __future__ import annotations

import contextlib
import json
from ipaddress import ip_network
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.web import http
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.page.assets import FOREVER, Asset, Representation
from signald.server.draining import ANSWER_SECONDS
from signald.server.output import MAX_DISCARDED_BYTES
from signald.server.site import IDLE_SECONDS, MAX_HEADERS
from signald.tls.authority import Authority, wall_time
from signald.tls.context import ServerTLS, TLSFactory, server_context
from tests.support.endpoints import (
    CLIENT,
    TEXT,
    TRANSPORT_BYTES,
    UPGRADE,
    Endpoint,
    frame,
    parse_response,
    problem_code,
    request,
    upgrade_request,
)
from tests.support.handshake import client_context
from tests.support.machines import NOW, machine
from tests.support.memory_server import ServerCase

HOST = {"Host": "signald.example"}
PAGE = request("/", HOST)
BIG = bytes(range(256)) * 1000


def asset(path: str, body: bytes) -> Asset:
    """Return an asset with one representation."""
    return Asset(path, "application/wasm", FOREVER, {"identity": Representation(body, '"etag"')})


class Waiting(Resource):
    """A resource that responds when the test tells it to."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def render_GET(self, request: Request) -> int:
        """Leave the request pending."""
        self.requests.append(request)
        return NOT_DONE_YET


class SiteCase(ServerCase):
    """A site with a small page, a big asset, and a resource whose responses the test delays."""

    def serve(self, limits: Limits | None = None, **changes: Any) -> None:
        """Start a site."""
        assets = {asset.path: asset for asset in (asset("/", b"page"), asset("/assets/big.wasm", BIG))}
        super().serve(limits, assets=assets, **changes)
        self.site = self.server.site
        self.waiting = Waiting()
        root: Any = self.site.resource
        root.putChild(b"waiting", self.waiting)


class TimeTests(SiteCase):
    """HTTP connections have deadlines."""

    def test_headers(self) -> None:
        """The deadline runs from the connection's start to the end of the headers, and bytes do not extend it."""
        line = self.dial()
        for position in range(9):
            line.send(PAGE[position : position + 1])
            self.advance(1.0)
        self.assertFalse(line.closed)
        self.advance(1.1)
        self.assertTrue(line.transport.aborted)
        line.disconnect()
        self.nothing_left()

    def test_further_headers(self) -> None:
        """Each further request has the same timeout for its headers, which starts at the request's first byte."""
        line = self.dial()
        line.send(PAGE)
        self.assertEqual(line.response()[0], 200)
        self.advance(10.0)
        for position in range(9):
            line.send(PAGE[position : position + 1])
            self.advance(1.0)
        self.assertFalse(line.closed)
        self.advance(1.1)
        self.assertTrue(line.transport.aborted)

    def test_idle(self) -> None:
        """A connection without a further request is closed at the idle timeout."""
        line = self.dial()
        line.send(PAGE)
        self.advance(IDLE_SECONDS - 0.1)
        self.assertFalse(line.closed)
        line.send(PAGE)
        self.advance(IDLE_SECONDS - 0.1)
        self.assertFalse(line.closed)
        self.advance(0.3)
        self.assertTrue(line.closed)
        line.disconnect()
        self.nothing_left()

    def test_tls(self) -> None:
        """The TLS handshake counts against the timeout for the headers, even if the handshake never completes."""
        names = machine("attic", ["192.168.1.20"])
        tls = ServerTLS(server_context(Authority.create(names, NOW).issue(names, NOW)))
        line = Endpoint(TLSFactory(tls, False, self.site, self.clock))
        line.send(b"\x16\x03\x01")
        self.advance(9.9)
        self.assertFalse(line.closed)
        self.advance(0.2)
        self.assertTrue(line.transport.aborted)
        line.disconnect()
        self.nothing_left()

    def test_upgrade(self) -> None:
        """After an upgrade no HTTP deadline is left for the WebSocket."""
        line = self.dial()
        self.assertEqual(line.upgrade(), 101)
        self.advance(15.0)
        self.assertFalse(line.closed)
        line.disconnect()
        self.nothing_left()

    def test_unread_end(self) -> None:
        """A last response that the client does not read does not keep the connection open."""
        line = self.dial()
        line.send(request("/", HOST, method="POST"))
        self.assertTrue(line.transport.lost)
        self.assertFalse(line.transport.aborted)
        self.advance(5.1)
        self.assertTrue(line.transport.aborted)
        line.disconnect()
        self.nothing_left()


class DrainTests(SiteCase):
    """HTTP connections while the server drains."""

    def test_nobody_there(self) -> None:
        """A drain without connections is complete at once."""
        self.successResultOf(self.site.http_connections.drain(5.0))
        self.nothing_left()

    def test_idle(self) -> None:
        """A connection without a request under way is closed at once."""
        line = self.dial()
        line.send(PAGE)
        line.response()
        drained = self.site.http_connections.drain(5.0)
        self.assertTrue(line.closed)
        line.disconnect()
        self.successResultOf(drained)
        self.nothing_left()

    def test_asked_already(self) -> None:
        """A response that is under way is completed, and is the last one of its connection."""
        line = self.dial()
        line.send(request("/waiting", HOST))
        drained = self.site.http_connections.drain(5.0)
        self.advance(ANSWER_SECONDS + 0.1)
        (waiting,) = self.waiting.requests
        waiting.write(b"late")
        waiting.finish()
        status, _, body = line.response()
        self.assertEqual((status, b"late" in body, line.closed), (200, True, True))
        self.assertNoResult(drained)
        line.disconnect()
        self.successResultOf(drained)

    def test_asked_just_now(self) -> None:
        """A client that connected before the drain and sends a request now gets its response.

        The response has `Connection: close`.
        """
        line = self.dial()
        drained = self.site.http_connections.drain(5.0)
        self.assertFalse(line.closed)
        line.send(PAGE)
        status, headers, body = line.response()
        self.assertEqual((status, headers["connection"], body), (200, "close", b"page"))
        self.assertTrue(line.closed)
        line.disconnect()
        self.successResultOf(drained)

    def test_nothing_is_asked(self) -> None:
        """A client that connected and sends no request does not delay the restart."""
        line = self.dial()
        drained = self.site.http_connections.drain(5.0)
        self.advance(ANSWER_SECONDS + 0.1)
        self.assertTrue(line.transport.aborted)
        line.disconnect()
        self.successResultOf(drained)
        self.nothing_left()

    def test_a_handshake_of_tls_under_way(self) -> None:
        """A TLS handshake may finish during a drain.

        A client that has sent nothing is aborted early, and a client that has sent bytes at the deadline.
        """
        names = machine("attic", ["192.168.1.20"])
        tls = ServerTLS(server_context(Authority.create(names, NOW).issue(names, NOW)))
        factory = TLSFactory(tls, False, self.site, self.clock)
        hello = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
        hello.set_connect_state()
        with self.assertRaises(SSL.WantReadError):
            hello.do_handshake()
        silent, late = Endpoint(factory), Endpoint(factory, clock=self.clock)
        late.send(hello.bio_read(65536))
        drained = self.site.http_connections.drain(5.0)
        self.advance(ANSWER_SECONDS + 0.1)
        self.assertEqual((silent.transport.aborted, late.transport.aborted), (True, False))
        self.advance(5.0)
        self.assertTrue(late.transport.aborted)
        self.successResultOf(drained)
        for line in (silent, late):
            line.disconnect()
        self.nothing_left()

    def test_never_answered(self) -> None:
        """At the deadline of the drain every connection is aborted."""
        line = self.dial()
        line.send(request("/waiting", HOST))
        drained = self.site.http_connections.drain(5.0)
        self.advance(4.9)
        self.assertNoResult(drained)
        self.advance(0.2)
        self.successResultOf(drained)
        self.assertTrue(line.transport.aborted)
        line.disconnect()
        self.nothing_left()

    def test_upgrades_are_refused(self) -> None:
        """An upgrade is refused with `going-away`, while the WebSockets of the port drain as well.

        The drain waits until the refused connection has closed, even if it is the last connection.
        """
        line = self.dial()
        drained = self.site.http_connections.drain(5.0)
        self.successResultOf(self.server.page.signaling_port.connections.drain(5.0))
        self.assertEqual(line.upgrade(), 503)
        self.assertNoResult(drained)
        line.disconnect()
        self.successResultOf(drained)


class NumberTests(SiteCase):
    """The number of connections is bounded."""

    def test_connections_of_an_address_are_bounded(self) -> None:
        """An address has a bounded number of connections that are not WebSockets."""
        self.serve(Limits(address_connections=2))
        self.assertEqual(self.dial().upgrade(), 101)
        lines = [self.dial(), self.dial()]
        self.assertTrue(self.dial().transport.aborted)
        self.assertFalse(self.dial("192.0.2.2").closed)
        lines.pop().disconnect()
        self.assertFalse(self.dial().closed)

    def test_in_all(self) -> None:
        """WebSockets count against the total, each once; a refused connection leaves no state."""
        self.serve(Limits(connections=3))
        lines = [self.dial(f"192.0.2.{number}") for number in range(1, 4)]
        self.assertEqual([line.upgrade() for line in lines[:2]], [101, 101])
        self.assertTrue(self.dial("192.0.2.9").transport.aborted)
        lines.pop().disconnect()
        line = self.dial("192.0.2.9")
        line.send(PAGE)
        self.assertEqual(line.response()[0], 200)

    def test_in_all_on_both_ports(self) -> None:
        """Connections of the bare port and the site count together.

        They share the process's descriptors; the connections of one address count together too.
        """
        self.serve(Limits(connections=3, address_connections=2))
        lines = [self.dial("192.0.2.1"), Endpoint(self.server.bare, "192.0.2.1")]
        for factory in (self.site, self.server.bare):
            self.assertTrue(Endpoint(factory, "192.0.2.1").transport.aborted)
        lines.append(Endpoint(self.server.bare, "192.0.2.2"))
        for factory in (self.site, self.server.bare):
            self.assertTrue(Endpoint(factory, "192.0.2.3").transport.aborted)
        lines[0].disconnect()
        self.assertEqual(Endpoint(self.server.bare, "192.0.2.3").upgrade(), 101)

    def test_in_all_over_tls(self) -> None:
        """Connections over TLS count against the total in the same way."""
        self.serve(Limits(connections=1))
        names = machine("attic", ["192.168.1.20"])
        tls = ServerTLS(server_context(Authority.create(names, NOW).issue(names, NOW)))
        factory = TLSFactory(tls, False, self.site, self.clock)
        lines = [Endpoint(factory), Endpoint(factory, "192.0.2.2")]
        self.assertEqual([line.transport.aborted for line in lines], [False, True])
        lines[0].disconnect()
        self.nothing_left()

    def test_refused_at_once(self) -> None:
        """A refused connection creates no protocol, so that its descriptor is closed in the same reactor iteration."""
        self.serve(Limits(address_connections=1))
        peer = IPv4Address("TCP", CLIENT, 50000)
        names = machine("attic", ["192.168.1.20"])
        tls = ServerTLS(server_context(Authority.create(names, NOW).issue(names, NOW)))
        for factory in (self.site, TLSFactory(tls, False, self.site, self.clock), self.server.bare):
            line = self.dial()
            self.assertIs(factory.buildProtocol(peer), None)
            line.disconnect()


class RateTests(SiteCase):
    """The rate limit of requests by address."""

    def test_requests(self) -> None:
        """A burst is answered on one connection or several; then a request gets 429 with Retry-After and is closed."""
        self.serve(Limits(address_request_burst=3, address_request_rate=1.0))
        line = self.dial()
        for _ in range(2):
            line.send(PAGE)
            self.assertEqual(line.response()[0], 200)
        other = self.dial()
        other.send(PAGE)
        self.assertEqual(other.response()[0], 200)
        line.send(PAGE)
        status, headers, _ = response = line.response()
        self.assertIs(problem_code(response), ErrorCode.TOO_MANY_REQUESTS)
        self.assertEqual((status, headers["retry-after"], line.closed), (429, "10", True))
        self.assertEqual(self.site.metrics.limits["address_request_rate"], 1)
        self.clock.advance(1.0)
        other.send(PAGE)
        self.assertEqual(other.response()[0], 200)

    def test_upgrades_count(self) -> None:
        """A refused handshake costs as much as a request for the page."""
        self.serve(Limits(address_request_burst=2, address_request_rate=1.0))
        for expected in (403, 403, 429):
            self.assertEqual(self.dial().upgrade(origin="https://evil.example"), expected)

    def test_behind_a_proxy(self) -> None:
        """The client's own address is counted if the proxy is trusted, and the proxy's address otherwise."""
        self.serve(Limits(address_request_burst=1, address_request_rate=1.0))
        self.server.admission.trusted_proxies = [ip_network(CLIENT)]

        def request_status(address: str, client: str) -> int:
            line = self.dial(address)
            line.send(request("/", {"Host": "localhost", "X-Forwarded-For": client}))
            return line.response()[0]

        self.assertEqual([request_status(CLIENT, f"203.0.113.{number}") for number in (1, 2, 1)], [200, 200, 429])
        self.assertEqual([request_status("198.51.100.1", f"203.0.113.{number}") for number in (3, 4)], [200, 429])


class SizeTests(SiteCase):
    """The bounds on the size of a request."""

    def test_line(self) -> None:
        """A request line without an end is refused."""
        line = self.dial()
        line.send(b"GET /", *[b"x" * 1000] * 20)
        self.assertIs(problem_code(line.response()), ErrorCode.HEADERS_TOO_LARGE)

    def test_headers(self) -> None:
        """Headers without an end are refused, whether one header is too long or there are too many."""
        for header in (b"X: " + b"x" * 1000 + b"\r\n", b"X: x\r\n"):
            line = self.dial()
            line.send(PAGE[:-2])
            line.send(*[header * 10] * 400)
            self.assertIs(problem_code(line.response()), ErrorCode.HEADERS_TOO_LARGE)

    def test_a_browser_full_of_cookies(self) -> None:
        """Cookies of 17 kB are refused with 431 and the bounds in numbers, which tells the person what to delete."""
        line = self.dial()
        line.send(request("/", {**HOST, **{f"Cookie-{number}": "x" * 8500 for number in range(2)}}))
        status, _, body = line.response()
        self.assertEqual(status, 431)
        detail = json.loads(body)["detail"]
        self.assertIn(f"{HTTPChannel.totalHeadersSize} bytes", detail)
        self.assertIn(f"{MAX_HEADERS} lines", detail)

    def test_big_response(self) -> None:
        """A big response is passed to the transport as the transport accepts it, not copied whole for each client."""
        line = self.dial()
        line.send(request("/assets/big.wasm", HOST))
        self.assertLess(len(line.transport.dataBuffer), TRANSPORT_BYTES + 40_000)
        status, headers, body = line.response()
        self.assertEqual((status, headers["content-length"], body), (200, str(len(BIG)), BIG))
        line.send(PAGE)
        self.assertEqual(line.response()[2], b"page")
        line.disconnect()
        self.nothing_left()

    def test_unread_response(self) -> None:
        """A client that reads nothing of a response is aborted; a client that reads a little now and then is not."""
        line = self.dial()
        line.send(request("/assets/big.wasm", HOST))
        for _ in range(5):
            self.advance(4.0)
            line.transport.take(1000)
        self.assertFalse(line.closed)
        self.advance(10.1)
        self.assertTrue(line.transport.aborted)
        line.disconnect()
        self.nothing_left()

    def test_many_requests_in_one_read(self) -> None:
        """Unread responses stop the handling of pipelined requests, so that small requests cannot fill the memory."""
        line = self.dial()
        line.send(request("/assets/big.wasm", HOST) * 50)
        most = 0
        while line.transport.dataBuffer:
            most = max(most, len(line.transport.dataBuffer))
            line.transport.take(len(line.transport.dataBuffer))
        self.assertLess(most, TRANSPORT_BYTES + 40_000)
        line = self.dial()
        line.send(PAGE * 400)
        line.send(PAGE * 400)
        self.assertLess(len(line.transport.dataBuffer), TRANSPORT_BYTES + 40_000)
        self.assertTrue(line.transport.lost)

    def test_lost_in_the_middle(self) -> None:
        """A client that disconnects while its response is sent leaves no state."""
        line = self.dial()
        line.send(request("/assets/big.wasm", HOST))
        producer: Any = line.transport.producer
        producer.stopProducing()
        line.disconnect()
        self.nothing_left()

    def test_requests_while_one_is_answered(self) -> None:
        """Pipelined requests are neither buffered nor answered.

        The connection closes, and the client has to repeat them.
        """
        line = self.dial()
        line.send(request("/waiting", HOST) + PAGE * 100, *[PAGE * 100] * 20)
        kept: Any = line.transport.protocol
        self.assertEqual(kept._dataBuffer, [])
        (waiting,) = self.waiting.requests
        waiting.finish()
        self.assertEqual(line.response()[0], 200)
        self.assertTrue(line.transport.lost)

    def test_after_the_end(self) -> None:
        """Input after a refusal is discarded, and a client that keeps sending is aborted with the response unread."""
        line = self.dial()
        line.send(request("/", {**HOST, "Content-Length": "999999999"}, method="POST"))
        line.transport.disconnecting = False
        line.send(bytes(MAX_DISCARDED_BYTES))
        self.assertFalse(line.transport.aborted)
        self.assertTrue(line.transport.reads)
        line.send(b"x")
        self.assertTrue(line.transport.aborted)

    def test_many_headers(self) -> None:
        """A request with the greatest number of headers is accepted, and one with one more is refused."""
        line = Endpoint(self.site)
        some = {f"X-{number}": "" for number in range(MAX_HEADERS - 1)}
        line.send(request("/", {**HOST, **some}))
        self.assertEqual(line.response()[0], 200)
        line.send(request("/", {**HOST, **some, "X": ""}))
        self.assertIs(problem_code(line.response()), ErrorCode.HEADERS_TOO_LARGE)


class RequestTests(SiteCase):
    """The form of a request."""

    def refused(self, code: ErrorCode, data: bytes) -> None:
        """Assert that the request is refused once, and that the bytes behind it are not parsed."""
        line = self.dial()
        line.send(data + PAGE, PAGE)
        response = line.response()
        self.assertIs(problem_code(response), code, data)
        self.assertEqual(response[1]["connection"], "close")
        self.assertTrue(line.transport.lost)
        line.disconnect()
        self.assertEqual(self.waiting.requests, [])
        self.nothing_left()

    def test_bodies(self) -> None:
        """A request body is refused however it is announced, and the server never sends `100 Continue`."""
        for header in (
            "Content-Length: 5", "Content-Length: 0005", "Content-Length: 99999999999", "Transfer-Encoding: chunked",
            "Transfer-Encoding: identity",
            "Content-Length: 5\r\nExpect: 100-continue",
        ):  # fmt: skip
            self.refused(ErrorCode.BODY_REFUSED, f"GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n".encode())

    def test_no_body(self) -> None:
        """A request with `Content-Length: 0` has no body, and gets no `100 Continue`."""
        line = self.dial()
        line.send(request("/", {**HOST, "Content-Length": "0", "Expect": "100-continue"}))
        self.assertEqual(line.response()[0], 200)

    def test_hosts(self) -> None:
        """A request needs exactly one valid Host header; an invalid one is refused in HTTP/1.0 too."""
        for hosts in ("Host: \r\n", "Host: a b\r\n", "Host: a\r\nHost: a\r\n", "Host: a:b\r\n", "Host: \xe9\r\n"):
            for version in ("1.0", "1.1"):
                data = f"GET / HTTP/{version}\r\n{hosts}\r\n".encode("latin-1")
                self.refused(ErrorCode.BAD_HOST, data)
        self.refused(ErrorCode.BAD_HOST, b"GET / HTTP/1.1\r\n\r\n")

    def test_no_host_in_the_old_version(self) -> None:
        """HTTP/1.0 needs no Host header (RFC 9112 §3.2): health checks are answered for the listening address."""
        for method, expected in (("GET", (200, b"page")), ("HEAD", (200, b"")), ("OPTIONS", (204, b""))):
            line = self.dial()
            line.send(request("/", {}, method=method, version="HTTP/1.0"))
            status, _, body = line.response()
            self.assertEqual((status, body), expected)
            self.assertTrue(line.transport.lost)

    def test_no_socket_in_the_old_version(self) -> None:
        """An upgrade in HTTP/1.0 without a Host header opens no WebSocket."""
        line = self.dial()
        headers = {name: value for name, value in UPGRADE.items() if name != "Host"}
        line.send(request("/ws", headers, version="HTTP/1.0"))
        self.assertIs(problem_code(line.response()), ErrorCode.UPGRADE_REQUIRED)

    def test_options(self) -> None:
        """OPTIONS is answered with the methods and without a body, with the status that GET would have otherwise."""
        for path, headers, expected in (
            ("/", HOST, (204, "GET, HEAD, OPTIONS", None)),
            ("/", {**HOST, "If-None-Match": "*"}, (204, "GET, HEAD, OPTIONS", None)),
            ("*", HOST, (204, "GET, HEAD, OPTIONS", None)),
            ("/none", HOST, (404, None, "0")),
            ("/ws", UPGRADE, (426, None, "0")),
        ):
            line = self.dial()
            line.send(request(path, headers, method="OPTIONS"))
            status, answered, body = line.response()
            self.assertEqual((status, answered.get("allow"), answered.get("content-length")), expected, path)
            self.assertEqual((body, answered["server"]), (b"", "signald"))
            self.assertNotIn("access-control-allow-methods", answered)
            line.send(PAGE)
            self.assertEqual(line.response()[2], b"page")

    def test_methods(self) -> None:
        """Only GET, HEAD and OPTIONS are allowed, and the response's Allow header lists them."""
        for method in ("POST", "PUT", "DELETE", "TRACE", "CONNECT", "PATCH", "get", "options"):
            self.refused(ErrorCode.METHOD_NOT_ALLOWED, request("/", HOST, method=method))
        line = self.dial()
        line.send(request("/", HOST, method="POST"))
        self.assertEqual(line.response()[1]["allow"], "GET, HEAD, OPTIONS")

    def test_refused_head(self) -> None:
        """A refused HEAD request gets the headers of the refused GET request, without the body."""
        for data in (
            request("/", {}, method="HEAD"),
            request("/", {**HOST, "Content-Length": "5"}, method="HEAD"),
            request("/ws", UPGRADE, method="HEAD"),
            request("/none", HOST, method="HEAD"),
        ):
            line = self.dial()
            line.send(data)
            status, headers, body = line.response()
            self.assertEqual((status // 100, body), (4, b""), data)
            self.assertGreater(int(headers["content-length"]), 0)

    def test_malformed(self) -> None:
        """A request that a proxy may parse in another way is refused: RFC 9112 §2.2, §3, §5.1, §5.2, §6.3."""
        for data in (
            b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n",
            b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\n: empty\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nContent-Length: 5\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
            b"GET /\r\nHost: a\r\n\r\n",
            b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /\x7f\xff HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\nHost: a\n\n",
            b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET x HTTP/1.1\r\nHost: a\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
            b"\r\n\r\n",
        ):
            self.refused(ErrorCode.BAD_REQUEST, data)

    def test_old_version(self) -> None:
        """An HTTP/1.0 request gets its response, and the connection closes."""
        line = self.dial()
        line.send(request("/", HOST, version="HTTP/1.0") + PAGE)
        self.assertEqual(line.response()[2], b"page")
        self.assertTrue(line.transport.lost)

    def test_wish_to_close(self) -> None:
        """A client that sends `Connection: close` gets its response, and the connection closes."""
        line = self.dial()
        line.send(request("/", {**HOST, "Connection": "close"}))
        status, headers, body = line.response()
        self.assertEqual((status, headers["connection"], body), (200, "close", b"page"))
        self.assertTrue(line.transport.lost)
        self.advance(11.0)
        self.assertTrue(line.transport.aborted)


class VersionTests(SiteCase):
    """HTTP/2 is never spoken, since its connections would bypass all these bounds."""

    def test_offer(self) -> None:
        """ALPN does not offer HTTP/2, even if the package `h2` is installed."""
        self.patch(http, "H2_ENABLED", True)
        self.assertEqual(self.site.acceptableProtocols(), [b"http/1.1"])

    def test_negotiated(self) -> None:
        """If a client negotiates HTTP/2 nevertheless, the connection speaks HTTP/1.1."""
        line = self.dial()
        line.transport.negotiatedProtocol = b"h2"  # type: ignore[attr-defined] # TLS transports have this attribute
        line.send(PAGE)
        self.assertEqual(line.response()[0], 200)


class UnencryptedTests(SiteCase):
    """HTTP at a port that speaks TLS is redirected, within the bounds of that port."""

    def setUp(self) -> None:
        """Start a site whose certificate covers `signald.example`, with an additional name."""
        super().setUp()
        self.start()

    def start(self, **changes: Any) -> None:
        """Start the site with other limits, or behind a proxy."""
        self.serve(changes.pop("limits", None), **changes)
        self.site.hosts = frozenset({"calls.example"})
        self.site.has_certificate_for = lambda name: name == "signald.example"
        names = machine("attic", ["192.168.1.20"])
        tls = ServerTLS(server_context(Authority.create(names, NOW).issue(names, NOW)))
        self.tls_factory = TLSFactory(tls, False, self.site, self.clock)

    def connect(self, address: str = CLIENT) -> Endpoint:
        """Connect to the TLS port, which listens at 192.0.2.7:9000."""
        line = Endpoint(self.tls_factory, address, self.clock)
        line.transport.hostAddress = IPv6Address("TCP", "::ffff:192.0.2.7", 9000)
        return line

    def ask(self, data: bytes, **kwargs: Any) -> tuple[int, dict[str, str], bytes]:
        """Send bytes on a new connection, and return the response, with which the connection ends."""
        line = self.connect(**kwargs)
        line.send(data)
        self.assertTrue(line.transport.lost)
        response = line.response()
        line.disconnect()
        return response

    def location(self, path: str, host: str, **kwargs: Any) -> str:
        """Return where a request is redirected to."""
        status, headers, _ = self.ask(request(path, {"Host": host}, **kwargs))
        self.assertEqual((status, headers["connection"]), (308, "close"))
        self.assertNotIn("strict-transport-security", headers)
        return headers["location"]

    def test_redirect(self) -> None:
        """The same path is named with https, under the host and the port of the request."""
        self.assertEqual(self.location("/#x?a=b", "signald.example:9000"), "https://signald.example:9000/#x?a=b")
        self.assertEqual(self.location("//evil.example/", "calls.example"), "https://calls.example//evil.example/")
        for method in ("HEAD", "POST", "OPTIONS"):
            location = self.location("/ws", "192.0.2.7:9000", method=method)
            self.assertEqual(location, "https://192.0.2.7:9000/ws")
        self.nothing_left()

    def test_no_host(self) -> None:
        """HTTP/1.0 without a Host header is redirected to the listening address; HTTP/1.1 is refused."""
        self.assertEqual(self.ask(b"GET /a HTTP/1.0\r\n\r\n")[1]["location"], "https://192.0.2.7:9000/a")
        self.assertIs(problem_code(self.ask(b"GET /a HTTP/1.1\r\n\r\n")), ErrorCode.BAD_HOST)

    def test_no_host_behind_a_router(self) -> None:
        """A client from the internet does not learn the private address that a router or a proxy has sent it to."""
        old = b"GET /a HTTP/1.0\r\n\r\n"
        response = self.ask(old, address="1.1.1.1")
        self.assertIs(problem_code(response), ErrorCode.BAD_HOST)
        self.assertNotIn(b"192.0.2.7", response[2] + str(response[1]).encode())
        self.assertEqual(self.ask(old, address="10.0.0.1")[0], 308)

    def test_no_open_redirect(self) -> None:
        """A host that is not known to be this server is refused, and is not named in the response."""
        for host in ("evil.example", "192.0.2.8", "signald.example.evil.example", "localhost", "a b", "a\r\nHost: b"):
            response = self.ask(request("/", {"Host": host}))
            self.assertIs(problem_code(response), ErrorCode.BAD_HOST)
            self.assertNotIn("location", response[1])
            self.assertNotIn(b"evil", response[2])

    def test_a_socket(self) -> None:
        """A WebSocket's handshake is refused with 426 and the protocol to begin with (RFC 2817 §4.2)."""
        response = self.ask(upgrade_request())
        self.assertIs(problem_code(response), ErrorCode.TLS_REQUIRED)
        self.assertEqual((response[0], response[1]["upgrade"]), (426, "TLS/1.2, HTTP/1.1"))

    def test_in_pieces(self) -> None:
        """The request may arrive in any number of reads, within the deadline of the connection."""
        line = self.connect()
        for byte in PAGE[:-1]:
            line.send(bytes([byte]))
        self.assertEqual(line.answer(), b"")
        line.send(PAGE[-1:])
        self.assertEqual(line.response()[0], 308)
        slow = self.connect()
        slow.send(PAGE[:3])
        self.advance(self.server.page.signaling_port.limits.header_seconds + 0.1)
        self.assertTrue(slow.transport.aborted)

    def test_malformed(self) -> None:
        """What is no valid request is refused, and so are headers beyond 16 KiB."""
        for data in (b"GET /\r\n\r\n", b"GET http://a/ HTTP/1.1\r\n\r\n", b"GET /\x01 HTTP/1.1\r\n\r\n", b"X\r\n\r\n"):
            self.assertIs(problem_code(self.ask(data)), ErrorCode.BAD_REQUEST)
        self.assertIs(problem_code(self.ask(b"GET / HTTP/1.1\r\nX: " + b"x" * 17000)), ErrorCode.HEADERS_TOO_LARGE)
        self.nothing_left()

    def test_no_request(self) -> None:
        """A first line that begins no request is refused without a wait for headers."""
        response = self.ask(b"PROXY TCP4 198.51.100.1 192.0.2.7 1 2\r\n")
        self.assertIs(problem_code(response), ErrorCode.BAD_REQUEST)

    def test_after_the_answer(self) -> None:
        """What follows is not parsed."""
        line = self.connect()
        line.send(PAGE + PAGE)
        line.transport.protocol.dataReceived(PAGE)
        self.assertEqual(line.answer().count(b"HTTP/1.1 308"), 1)

    def test_rate(self) -> None:
        """Such requests count in the rate limit of their client, also behind a trusted proxy."""
        limits = Limits(address_request_burst=1, address_request_rate=1)
        self.start(limits=limits)
        self.assertEqual([self.ask(PAGE)[0] for _ in range(2)], [308, 429])
        self.start(limits=limits, proxies=(CLIENT,))
        behind = [request("/", {**HOST, "X-Forwarded-For": f"192.0.2.{last}"}) for last in (5, 5, 6)]
        self.assertEqual([self.ask(data)[0] for data in behind], [308, 429, 308])

    def test_connections_are_counted(self) -> None:
        """Such connections count like all others of their address."""
        self.start(limits=Limits(address_connections=1))
        first = self.connect()
        first.send(PAGE[:9])
        self.assertTrue(self.connect().transport.aborted)
        first.disconnect()
        self.assertFalse(self.connect().transport.aborted)

    def test_other_bytes(self) -> None:
        """Bytes that are neither TLS nor HTTP get an alert, as before."""
        line = self.connect()
        line.send(b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b")
        self.assertNotIn(b"HTTP", line.answer())
        self.assertTrue(line.closed)


class TLSTests(SiteCase):
    """The site works over TLS."""

    def test_page_and_socket(self) -> None:
        """The same TLS connection carries requests and is then upgraded to a WebSocket."""
        names = machine("attic", ["192.168.1.20"])
        authority = Authority.create(names, NOW)
        tls = ServerTLS(server_context(authority.issue(names, NOW)))
        line = Endpoint(TLSFactory(tls, False, self.site, self.clock))
        client = SSL.Connection(client_context(authority.certificate, wall_time(NOW)), None)
        client.set_connect_state()

        def exchange(data: bytes) -> bytes:
            received = b""
            if data:
                client.send(data)
            for _ in range(20):
                with contextlib.suppress(SSL.WantReadError):
                    line.send(client.bio_read(1 << 20))
                self.clock.advance(0)
                if answer := line.answer():
                    client.bio_write(answer)
                try:
                    received += client.recv(1 << 20)
                except SSL.WantReadError:
                    continue
            return received

        try:
            client.do_handshake()
        except SSL.WantReadError:
            exchange(b"")
        client.do_handshake()
        self.assertEqual(parse_response(exchange(PAGE))[2], b"page")
        self.assertEqual(parse_response(exchange(request("/assets/big.wasm", HOST)))[2], BIG)
        self.assertEqual(parse_response(exchange(upgrade_request()))[0], 101)
        exchange(frame(TEXT, b"hello"))
        self.assertEqual([payload for _, payload in self.record.heard], [b"hello"])
        line.disconnect()
        self.nothing_left()
