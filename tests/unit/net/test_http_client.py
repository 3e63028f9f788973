"""One HTTP request and its answer: a real client and a real server, with no network between them."""

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

from signald.net.http_client import MOST_ANSWER_BYTES, UnusableAnswerError, client_of, is_usable, make_client, post
from tests.support.access import Agent

URL = "http://127.0.0.1:8080/may"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Service(Protocol):
    """Answers each request as the test says.

    Attributes:
        heard: all bytes that came on this connection.
        is_gone: whether the connection has ended.

    """

    def __init__(self, answer: Callable[[Service], None]) -> None:
        self.heard = b""
        self.is_gone = False
        self._answer = answer

    def dataReceived(self, data: bytes) -> None:
        """A request, whole once its body is there."""
        self.heard += data
        if self.heard.endswith(b"}"):
            self._answer(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection has ended."""
        self.is_gone = True

    def say(self, data: bytes) -> None:
        """Answer."""
        assert self.transport is not None
        self.transport.write(data)

    def leave(self) -> None:
        """End the connection."""
        assert self.transport is not None
        self.transport.loseConnection()


def saying(data: bytes) -> Callable[[Service], None]:
    """What a service does that says this."""
    return lambda service: service.say(data)


class PostTests(SynchronousTestCase):
    """What comes back."""

    def setUp(self) -> None:
        """A client."""
        self.reactor = MemoryReactorClock()
        self.client = make_client(self.reactor)
        self.services: list[Service] = []
        self.pumps: list[IOPump] = []

    def ask(self, answer: Callable[[Service], None]) -> Deferred[bytes]:
        """Send a request to a service that answers so."""
        self.answer = answer
        asked = post(self.client, URL, {"webhook-id": "one"}, b'{"a":1}')
        self.flush()
        return asked

    def flush(self) -> None:
        """Make each connection that is wanted, and let all bytes arrive."""
        while len(self.services) < len(self.reactor.tcpClients):
            host, port, factory, _, _ = self.reactor.tcpClients[len(self.services)]
            self.assertEqual((host, port), ("127.0.0.1", 8080))
            client: Any = factory.buildProtocol(None)
            service = Service(lambda service: self.answer(service))
            self.services.append(service)
            pump = connect(
                service, FakeTransport(service, isServer=True), client, FakeTransport(client, isServer=False)
            )
            self.pumps.append(pump)
        for pump in self.pumps:
            pump.flush()
        if len(self.services) < len(self.reactor.tcpClients):
            self.flush()

    def test_question_and_answer(self) -> None:
        """JSON, with the headers, over a connection that is used again."""
        for _ in range(2):
            self.assertEqual(self.successResultOf(self.ask(saying(OK))), b"{}")
        self.assertEqual(len(self.services), 1)
        head, _, body = self.services[0].heard.partition(b"\r\n\r\n")
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
        """Only 200 can be used: no redirect is followed, and no error page is read."""
        for status in (b"204 No Content", b"302 Found\r\nLocation: http://127.0.0.1:1/", b"404 Not Found", b"500 Oh"):
            answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
            self.failureResultOf(self.ask(saying(answer)), UnusableAnswerError)

    def test_nothing_is_remembered(self) -> None:
        """No cookie that a response sets is sent with the next request, and no proxy of the environment is used."""
        self.patch(os, "environ", {**os.environ, "http_proxy": "http://127.0.0.1:3128", "ALL_PROXY": "socks5://[::1]"})
        cookies = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n{}"
        for _ in range(2):
            self.successResultOf(self.ask(saying(cookies)))
        self.assertEqual(self.services[0].heard.count(b"POST /may HTTP/1.1\r\n"), 2)
        self.assertNotIn(b"cookie", self.services[0].heard.lower())

    def test_compression(self) -> None:
        """None is asked for, and none is undone: some bytes could become a thousand times as many."""
        body = gzip.compress(b"{}" + bytes(1 << 20))
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.assertEqual(self.successResultOf(self.ask(saying(head + body))), body)
        self.assertNotIn(b"accept-encoding", self.services[0].heard.lower())

    def test_addresses(self) -> None:
        """They are requested as they are written, IPv6 addresses and percent signs among them."""
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

    def test_a_body_that_is_too_long(self) -> None:
        """It is not read to its end, whether or not its length is told."""
        told = b"HTTP/1.1 200 OK\r\nContent-Length: 16385\r\n\r\n"
        self.failureResultOf(self.ask(saying(told)), UnusableAnswerError)
        endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MOST_ANSWER_BYTES + 1)
        self.failureResultOf(self.ask(saying(endless)), UnusableAnswerError)

    def test_a_head_without_an_end(self) -> None:
        """The connection is aborted once 32 KiB came, however they are divided, and nothing is asked again."""
        line = b"X-Filler: " + b"x" * 90 + b"\r\n"
        for begin, part in (
            (b"HTTP/1.1 200 OK\r\n", line),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"),
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
                self.assertTrue(service.is_gone)
                self.assertEqual(len(self.services), count + 1)

    def test_the_bound_is_of_one_response(self) -> None:
        """Each request on a connection may get a response of that size, and informational ones are passed over."""
        head = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 16384\r\nX-Filler: "
        head += b"x" * (MOST_ANSWER_BYTES - len(head) - 4) + b"\r\n\r\n"
        body = b"x" * MOST_ANSWER_BYTES
        for _ in range(3):
            self.assertEqual(self.successResultOf(self.ask(saying(head + body))), body)
        self.assertEqual(len(self.services), 1)

    def test_the_longest_body(self) -> None:
        """It is taken."""
        body = b"x" * MOST_ANSWER_BYTES
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 16384\r\n\r\n" + body
        self.assertEqual(self.successResultOf(self.ask(saying(answer))), body)

    def test_a_body_that_breaks_off(self) -> None:
        """It is no answer."""

        def half(service: Service) -> None:
            service.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
            service.leave()

        self.failureResultOf(self.ask(half), ResponseFailed)

    def test_a_connection_that_was_idle_for_too_long(self) -> None:
        """The request is sent again on a new one, and that is all."""
        self.successResultOf(self.ask(saying(OK)))
        first = self.services[0]
        again = self.ask(lambda service: service.leave() if service is first else service.say(OK))
        self.assertEqual(self.successResultOf(again), b"{}")
        self.assertEqual(len(self.services), 2)

    def test_a_service_that_never_answers(self) -> None:
        """It is asked twice."""
        self.failureResultOf(self.ask(Service.leave), ResponseNeverReceived)
        self.assertEqual(len(self.services), 2)

    def test_it_is_given_up(self) -> None:
        """Neither an answer nor its body is waited for, and nothing is sent again."""
        for begun in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"):
            asked = self.ask(saying(begun))
            self.assertNoResult(asked)
            asked.cancel()
            self.flush()
            failure = self.failureResultOf(asked)
            self.assertTrue(failure.check(CancelledError, ResponseNeverReceived, ResponseFailed), failure)
            self.assertTrue(self.services[-1].is_gone)
        self.assertEqual(len(self.services), 2)

    def test_no_service(self) -> None:
        """Whatever the reason, it is told."""
        asked = post(self.client, URL, {}, b"{}")
        connector: Any = None
        self.reactor.tcpClients[0][2].clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
        self.reactor.advance(60)
        self.failureResultOf(asked)


class AddressTests(SynchronousTestCase):
    """Where questions can be sent."""

    def test_it(self) -> None:
        """Over TLS, or to this machine."""
        for url in ("https://app.example/may", "https://10.0.0.1:8443/", "http://localhost:8080/a?b", "http://[::1]/"):
            self.assertTrue(is_usable(url), url)
        for url in (
            "http://app.example/may",
            "http://10.0.0.1/",
            "ftp://localhost/",
            "https:///may",
            "https://app.example:99999/",
            "https://app.example:0/",
            "https://user:secret@app.example/",
            "https://app.example/#a",
            "https://äpp.example/",
            "app.example",
            "",
            "https://[::1/",
        ):
            self.assertFalse(is_usable(url), url)
