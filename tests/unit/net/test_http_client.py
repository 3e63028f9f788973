"""Tests of the HTTP client against a server in memory."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import URI, ResponseFailed, ResponseNeverReceived

from signald.net.http_client import MOST_ANSWER_BYTES, client_of, make_client, post
from signald.net.request_urls import url_fault
from signald.net.unusable_answer import UnusableAnswerError
from tests.support.access import Agent

URL = "http://127.0.0.1:8080/may"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Service(Protocol):
    """A server that responds to each request as the test says.

    Attributes:
        received: all bytes received on this connection.
        is_closed: whether the connection was closed.

    """

    def __init__(self, answer: Callable[[Service], None]) -> None:
        self.received = b""
        self.is_closed = False
        self._answer = answer

    def dataReceived(self, data: bytes) -> None:
        """Receive a request, and respond once its body is complete."""
        self.received += data
        if self.received.endswith(b"}"):
            self._answer(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Record that the connection was closed."""
        self.is_closed = True

    def say(self, data: bytes) -> None:
        """Send a part of the response."""
        assert self.transport is not None
        self.transport.write(data)

    def leave(self) -> None:
        """Close the connection."""
        assert self.transport is not None
        self.transport.loseConnection()


def saying(data: bytes) -> Callable[[Service], None]:
    """Return a function that responds with these bytes."""
    return lambda service: service.say(data)


class ClientTransport(FakeTransport):
    """The client's end of a connection in memory.

    Attributes:
        aborted: whether the connection was aborted.

    """

    aborted = False

    def abortConnection(self) -> None:
        """Record that the connection is aborted."""
        self.aborted = True
        super().abortConnection()


class PostTests(SynchronousTestCase):
    """`post` returns the body of a response."""

    def setUp(self) -> None:
        """Create a client on a fake reactor."""
        self.reactor = MemoryReactorClock()
        self.client = make_client(self.reactor)
        self.services: list[Service] = []
        self.pumps: list[IOPump] = []

    def ask(self, answer: Callable[[Service], None]) -> Deferred[bytes]:
        """Send a request to a server that responds in this way."""
        self.answer = answer
        asked = post(self.client, URL, {"webhook-id": "one"}, b'{"a":1}')
        self.flush()
        return asked

    def flush(self) -> None:
        """Establish all requested connections, and deliver all bytes."""
        while len(self.services) < len(self.reactor.tcpClients):
            host, port, factory, _, _ = self.reactor.tcpClients[len(self.services)]
            self.assertEqual((host, port), ("127.0.0.1", 8080))
            client: Any = factory.buildProtocol(None)
            service = Service(lambda service: self.answer(service))
            self.services.append(service)
            pump = connect(
                service, FakeTransport(service, isServer=True), client, ClientTransport(client, isServer=False)
            )
            self.pumps.append(pump)
        for pump in self.pumps:
            pump.flush()
        if len(self.services) < len(self.reactor.tcpClients):
            self.flush()

    def test_request_and_response(self) -> None:
        """The request is JSON with the given headers, and the connection is reused."""
        for _ in range(2):
            self.assertEqual(self.successResultOf(self.ask(saying(OK))), b"{}")
        self.assertEqual(len(self.services), 1)
        head, _, body = self.services[0].received.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        self.assertEqual(lines[0], b"POST /may HTTP/1.1")
        for line in (
            b"Content-Type: application/json",
            b"Webhook-Id: one",
            b"Content-Length: 7",
            b"Host: 127.0.0.1:8080",
        ):
            self.assertIn(line.lower(), [line.lower() for line in lines])
        self.assertTrue(body.startswith(b'{"a":1}'))

    def test_other_statuses(self) -> None:
        """Any status but 200 is an error; redirects are not followed and error pages not read."""
        for status in (b"204 No Content", b"302 Found\r\nLocation: http://127.0.0.1:1/", b"404 Not Found", b"500 Oh"):
            answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
            self.failureResultOf(self.ask(saying(answer)), UnusableAnswerError)

    def test_cookies_and_proxies(self) -> None:
        """Cookies are not stored, and proxies of the environment are not used."""
        self.patch(os, "environ", {**os.environ, "http_proxy": "http://127.0.0.1:3128", "ALL_PROXY": "socks5://[::1]"})
        cookies = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n{}"
        for _ in range(2):
            self.successResultOf(self.ask(saying(cookies)))
        self.assertEqual(self.services[0].received.count(b"POST /may HTTP/1.1\r\n"), 2)
        self.assertNotIn(b"cookie", self.services[0].received.lower())

    def test_compression(self) -> None:
        """Compression is neither offered nor undone, since decompression has no bound."""
        body = gzip.compress(b"{}" + bytes(1 << 20))
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.assertEqual(self.successResultOf(self.ask(saying(head + body))), body)
        self.assertNotIn(b"accept-encoding", self.services[0].received.lower())

    def test_addresses(self) -> None:
        """URLs are requested unchanged, also with IPv6 addresses and percent signs."""
        for url in (
            "https://app.example",
            "http://localhost/a?b",
            "http://[::1]:81/a%2fb/../c;d?e=f+g%20&h",
            "https://[2001:db8::1]/%C3%A4",
            "http://127.0.0.1:80//?a=%zz&&=",
            "https://xn--pp-uia.example:8443/~a/?a=c|d",
        ):
            agent = Agent()
            self.assertNoResult(post(client_of(agent), url, {}, b"{}"))
            [(method, sent, *_)] = agent.requests
            self.assertEqual(method, b"POST")
            actual, expected = URI.fromBytes(sent), URI.fromBytes(url.encode())
            self.assertEqual(
                (actual.scheme, actual.host, actual.port, actual.originForm),
                (expected.scheme, expected.host, expected.port, expected.originForm),
            )

    def test_body_too_long(self) -> None:
        """A body above the bound is an error and not read to its end, with and without Content-Length."""
        told = b"HTTP/1.1 200 OK\r\nContent-Length: 16385\r\n\r\n"
        self.failureResultOf(self.ask(saying(told)), UnusableAnswerError)
        endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MOST_ANSWER_BYTES + 1)
        self.failureResultOf(self.ask(saying(endless)), UnusableAnswerError)

    def test_endless_responses(self) -> None:
        """Whatever part of a response has no end, the connection is aborted after 32 KiB, and the request not repeated.

        The parts arrive together or one by one. Twisted itself bounds only some of them, and above this size.
        """
        head = b"HTTP/1.1 200 OK\r\n"
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        for begin, part in (
            (head, b"X-Filler: " + b"x" * 90 + b"\r\n"),
            (head + b"X-Filler: x\r\n", b" continued " + b"x" * 90 + b"\r\n"),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"),
            (b"HTTP/1.1 100 Continue\r\n", b"X-Filler: " + b"x" * 90 + b"\r\n"),
            (chunked, b"1;extension=" + b"x" * 90 + b"\r\nx\r\n"),
            (chunked, b"1\r\nx\r\n"),
            (chunked + b"0\r\n", b"X-Trailer: " + b"x" * 90 + b"\r\n"),
        ):
            for at_once in (True, False):
                count = len(self.services)
                parts = MOST_ANSWER_BYTES * 2 // len(part) + 1

                def answer(service: Service, begin: bytes = begin, part: bytes = part, parts: int = parts) -> None:
                    service.say(begin + part * (parts - 100))

                asked = self.ask(answer)
                self.assertNoResult(asked)
                service, pump = self.services[-1], self.pumps[-1]
                if at_once:
                    service.say(part * 100)
                    pump.flush()
                else:
                    for _ in range(100):
                        service.say(part)
                        pump.flush()
                self.failureResultOf(asked, ResponseFailed)
                self.assertTrue(service.is_closed)
                self.assertEqual(len(self.services), count + 1)

    def test_endless_lines(self) -> None:
        """A line without an end is not kept beyond the bound, wherever it stands in a response."""
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for begin in (b"", b"HTTP/1.1 200 OK\r\n", chunked, chunked + b"1;", chunked + b"0\r\n"):
            count = len(self.services)
            asked = self.ask(saying(begin + b"x" * (2 * MOST_ANSWER_BYTES + 1)))
            self.failureResultOf(asked, ResponseFailed)
            self.assertTrue(self.services[-1].is_closed)
            self.assertEqual(len(self.services), count + 1)

    def test_bytes_after_a_response(self) -> None:
        """What a server sends without a request closes the connection, and the next request has a new one."""
        self.assertEqual(self.successResultOf(self.ask(saying(OK))), b"{}")
        self.services[0].say(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000)
        self.pumps[0].flush()
        self.assertTrue(self.services[0].is_closed)
        self.assertEqual(self.successResultOf(self.ask(saying(OK))), b"{}")
        self.assertEqual(len(self.services), 2)

    def test_connections_are_aborted(self) -> None:
        """A connection that is closed before the end of a response is aborted.

        An orderly end of TLS would wait for the other side, which might keep the descriptor for ever.
        """
        for answer in (b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000):
            self.failureResultOf(self.ask(saying(answer)), UnusableAnswerError)
            self.assertTrue(self.pumps[-1].clientIO.aborted)

    def test_bound_per_response(self) -> None:
        """The bound applies to each response on a connection; informational responses are skipped."""
        head = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 16384\r\nX-Filler: "
        head += b"x" * (MOST_ANSWER_BYTES - len(head) - 4) + b"\r\n\r\n"
        body = b"x" * MOST_ANSWER_BYTES
        for _ in range(3):
            self.assertEqual(self.successResultOf(self.ask(saying(head + body))), body)
        self.assertEqual(len(self.services), 1)

    def test_longest_body(self) -> None:
        """A body of the maximum size is returned."""
        body = b"x" * MOST_ANSWER_BYTES
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 16384\r\n\r\n" + body
        self.assertEqual(self.successResultOf(self.ask(saying(answer))), body)

    def test_truncated_body(self) -> None:
        """A truncated body is an error."""

        def half(service: Service) -> None:
            service.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
            service.leave()

        self.failureResultOf(self.ask(half), ResponseFailed)

    def test_stale_connection(self) -> None:
        """A request on an idle connection that the server closed is repeated once on a new one."""
        self.successResultOf(self.ask(saying(OK)))
        first = self.services[0]
        again = self.ask(lambda service: service.leave() if service is first else service.say(OK))
        self.assertEqual(self.successResultOf(again), b"{}")
        self.assertEqual(len(self.services), 2)

    def test_no_response(self) -> None:
        """A request that gets no response is sent twice."""
        self.failureResultOf(self.ask(Service.leave), ResponseNeverReceived)
        self.assertEqual(len(self.services), 2)

    def test_cancel(self) -> None:
        """A cancelled request waits for neither response nor body, and is not repeated."""
        for begun in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"):
            asked = self.ask(saying(begun))
            self.assertNoResult(asked)
            asked.cancel()
            self.flush()
            failure = self.failureResultOf(asked)
            self.assertTrue(failure.check(CancelledError, ResponseNeverReceived, ResponseFailed), failure)
            self.assertTrue(self.services[-1].is_closed)
        self.assertEqual(len(self.services), 2)

    def test_connection_refused(self) -> None:
        """A failure to connect is passed on."""
        asked = post(self.client, URL, {}, b"{}")
        connector: Any = None
        self.reactor.tcpClients[0][2].clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
        self.reactor.advance(60)
        self.failureResultOf(asked)


class AddressTests(SynchronousTestCase):
    """URLs to which questions can be sent are checked."""

    def test_https_or_this_machine(self) -> None:
        """A URL needs https, or has to name this machine."""
        for url in ("https://app.example/may", "https://10.0.0.1:8443/", "http://localhost:8080/a?b", "http://[::1]/"):
            self.assertIsNone(url_fault(url), url)
        for url, fault in (
            ("http://app.example/may", "http:// to another machine; use https:// there"),
            ("http://10.0.0.1/", "http:// to another machine; use https:// there"),
            ("ftp://localhost/", "one that begins with neither"),
            ("https:///may", "one without a host"),
            ("https://app.example:99999/", "one whose host or port is not valid"),
            ("https://app.example:0/", "one with port 0"),
            ("https://user:secret@app.example/", "one with a user or a password"),
            ("https://app.example/#a", "one with a fragment (#)"),
            ("https://äpp.example/", "one with characters other than ASCII"),
            ("app.example", "one that begins with neither"),
            ("", "one that begins with neither"),
            ("https://[::1/", "one whose host or port is not valid"),
        ):
            self.assertEqual(url_fault(url), fault, url)
