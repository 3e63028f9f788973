"""Sends one HTTP request with a JSON body through treq, and bounds what treq and Twisted's agent leave unbounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

from attrs import define
from hyperlink import EncodedURL
from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IConsumer, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    ResponseDone,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IAgentEndpointFactory, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from signald.net.unusable_answer import UnusableAnswerError

__all__ = ["MOST_ANSWER_BYTES", "client_of", "make_client", "post"]

MOST_ANSWER_BYTES = 16384
"""Maximum size of a response's body."""

_MOST_RECEIVED_BYTES = 2 * MOST_ANSWER_BYTES
"""Maximum size of a whole response: informational responses, headers, the framing of chunks, and the body.

Twisted's agent has no such bound, so that headers without an end would fill the memory until the deadline.
"""

_MOST_IDLE = 8
"""The maximum number of idle connections in the pool."""

_IDLE_SECONDS = 15
"""Time after which an idle connection is closed, which is before most servers close it."""

_OK = 200


def make_client(reactor: Any) -> HTTPClient:
    """Create a client that reuses connections, bounds what they receive, and trusts the system's authorities."""
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool.maxPersistentPerHost = _MOST_IDLE
    pool.cachedConnectionTimeout = _IDLE_SECONDS
    endpoints = _BoundedEndpoints(reactor, BrowserLikePolicyForHTTPS())
    return client_of(Agent.usingEndpointFactory(reactor, endpoints, pool))


def client_of(agent: IAgent) -> HTTPClient:
    """Create a client that sends its requests through an agent, without cookies and compression."""
    no_cookies = IndexableCookieJar(DefaultCookiePolicy(allowed_domains=()))
    return HTTPClient(_UncompressedAgent(agent), no_cookies, _Body)


def post(client: HTTPClient, url: str, headers: Mapping[str, str], body: bytes) -> Deferred[bytes]:
    """Send JSON, follow no redirect, and return the body of the response.

    The request is sent once more if the connection, which may have been idle for long, ends without a response.

    The deferred fails with UnusableAnswerError, or with an error of the agent. It can be cancelled at any time.
    """
    target = _PlainURL.from_text(url)
    fields = Headers({"content-type": ["application/json"], "user-agent": ["signald"]})
    for name, value in headers.items():
        fields.setRawHeaders(name, [value])

    def send() -> Deferred[Any]:
        return client.post(target, data=body, headers=fields.copy(), allow_redirects=False, unbuffered=True)

    def retry(failure: Failure) -> Deferred[Any]:
        error = failure.value
        # A cancelled request ends with the same error, and must not be repeated.
        if not isinstance(error, ResponseNeverReceived) or any(one.check(CancelledError) for one in error.reasons):
            failure.raiseException()
        return send()

    return send().addErrback(retry).addCallback(_read)


class _PlainURL(EncodedURL):
    """A URL that is sent unchanged; treq would encode its host by IDNA, which fails for IPv6 addresses."""

    def to_uri(self) -> EncodedURL:
        """Return the URL itself, which is ASCII (`url_fault`)."""
        return self


@implementer(IAgent)
@define(eq=False)
class _UncompressedAgent:
    """Undoes the compression that treq always offers, since treq decompresses without a bound."""

    agent: IAgent

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """Send a request."""
        if headers is not None:
            headers.removeHeader("accept-encoding")
        return self.agent.request(method, uri, headers, bodyProducer).addCallback(_without_encoding)


def _without_encoding(response: IResponse) -> IResponse:
    """Remove Content-Encoding, so that treq does not decompress a body that is compressed although not requested."""
    response.headers.removeHeader("content-encoding")
    return response


class _BoundedConnection(ProtocolWrapper):
    """A connection that is aborted if it has received too many bytes since its last request was written."""

    _left = 0

    def write(self, data: bytes) -> None:
        """Write a part of a request."""
        self._left = _MOST_RECEIVED_BYTES
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write a part of a request."""
        self._left = _MOST_RECEIVED_BYTES
        super().writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        """Pass on the bytes within the bound: without a partial response the request would be repeated."""
        within, self._left = data[: self._left], self._left - len(data)
        super().dataReceived(within)
        if self._left < 0:
            self.abortConnection()

    def loseConnection(self) -> None:
        """Abort the connection: an orderly end of TLS waits for the server's, which may never come (RFC 8446 §6.1)."""
        self.abortConnection()


class _BoundedConnections(WrappingFactory[_BoundedConnection]):
    """Wraps the agent's connections in `_BoundedConnection`."""

    noisy = False
    protocol = _BoundedConnection


@implementer(IStreamClientEndpoint)
@define(eq=False)
class _BoundedEndpoint:
    """An endpoint that bounds what the connection of another endpoint receives."""

    endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, and return the protocol that the agent's factory built."""
        connected: Deferred[Any] = self.endpoint.connect(_BoundedConnections(protocolFactory))
        return connected.addCallback(lambda connection: connection.wrappedProtocol)


@implementer(IAgentEndpointFactory)
@define(eq=False)
class _BoundedEndpoints:
    """Creates the endpoints of an agent, whose connections are bounded."""

    reactor: Any
    policy: IPolicyForHTTPS

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return an endpoint for TCP or TLS."""
        endpoint: IStreamClientEndpoint = HostnameEndpoint(self.reactor, uri.host, uri.port)
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self.policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return _BoundedEndpoint(endpoint)


@implementer(IBodyProducer)
@define(eq=False)
class _Body:
    """A request body that is written at once; treq's body producer would use the global reactor."""

    content: bytes

    @property
    def length(self) -> int:
        """The size in bytes."""
        return len(self.content)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write the whole body."""
        consumer.write(self.content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Do nothing, since the whole body is written already."""

    def resumeProducing(self) -> None:
        """Do nothing, since the whole body is written already."""

    def stopProducing(self) -> None:
        """Do nothing, since the whole body is written already."""


def _read(response: IResponse) -> Deferred[bytes]:
    """Read a response's body if it is usable, else close the connection."""
    is_too_long = response.length is not UNKNOWN_LENGTH and response.length > MOST_ANSWER_BYTES
    reader = _Reader(response.code, is_wanted=response.code == _OK and not is_too_long)
    response.deliverBody(reader)
    return reader.done


class _Reader(Protocol):
    """Collects a body, and closes the connection when it is cancelled, which `treq.collect` does not.

    Attributes:
        done: fires with the body; fails at once if it is not wanted.

    """

    def __init__(self, status: int, is_wanted: bool) -> None:
        self._status = status
        self.done: Deferred[bytes] = Deferred(lambda _: self._close())
        self._content = b""
        if not is_wanted:
            self.done.errback(UnusableAnswerError(status))

    def connectionMade(self) -> None:
        if self.done.called:
            self._close()

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._content += data
        if len(self._content) > MOST_ANSWER_BYTES:
            self.done.errback(UnusableAnswerError(self._status))
            self._close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone):
            self.done.callback(self._content)
        else:
            self.done.errback(reason)

    def _close(self) -> None:
        """Close the connection without reading further."""
        if self.transport is not None:
            self.transport.loseConnection()
