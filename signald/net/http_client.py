"""One HTTP request with JSON and its answer, both bounded."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import define
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    ResponseDone,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IResponse
from zope.interface import implementer

__all__ = ["MOST_ANSWER_BYTES", "UnusableAnswerError", "is_usable", "make_agent", "post"]

MOST_ANSWER_BYTES = 16384
"""Of an answer's body."""

_MOST_IDLE = 8
"""Connections that are kept for the next request."""

_IDLE_SECONDS = 15
"""For which they are kept: less than most servers keep theirs."""

_OK = 200


class UnusableAnswerError(Exception):
    """The service answered, but not with 200 and a body within the bound."""


def make_agent(reactor: Any) -> IAgent:
    """Make what sends requests, over connections that are used again; the system's authorities vouch for the others."""
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool.maxPersistentPerHost = _MOST_IDLE
    pool.cachedConnectionTimeout = _IDLE_SECONDS
    return Agent(reactor, BrowserLikePolicyForHTTPS(), pool=pool)


def post(agent: IAgent, url: str, headers: Mapping[str, str], body: bytes) -> Deferred[bytes]:
    """Send JSON, and return the body of the answer.

    It is sent once more where the connection, which may have been idle for long, ends without an answer.

    The deferred fails with UnusableAnswerError, and as the agent's do.
    """

    def send() -> Deferred[IResponse]:
        fields = Headers({"content-type": ["application/json"], "user-agent": ["signald"]})
        for name, value in headers.items():
            fields.setRawHeaders(name, [value])
        return agent.request(b"POST", url.encode(), fields, _Body(body))

    def again(failure: Failure) -> Deferred[IResponse]:
        error = failure.value
        # A question that is given up ends in the same way.
        if not isinstance(error, ResponseNeverReceived) or any(one.check(CancelledError) for one in error.reasons):
            failure.raiseException()
        return send()

    return send().addErrback(again).addCallback(_read)


def is_usable(url: str) -> bool:
    """Whether nobody else can answer what is sent there: it goes over TLS, or to this machine itself."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not parts.hostname or port == 0 or parts.username is not None or not url.isascii() or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@implementer(IBodyProducer)
@define(eq=False)
class _Body:
    """A body that is there as a whole."""

    content: bytes

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.content)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Hand it over at once."""
        consumer.write(self.content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Nothing is left to be written."""

    def resumeProducing(self) -> None:
        """Nothing is left to be written."""

    def stopProducing(self) -> None:
        """Nothing is left to be written."""


def _read(response: IResponse) -> Deferred[bytes]:
    """Take an answer's body, as far as it is one that is wanted."""
    is_too_long = response.length is not UNKNOWN_LENGTH and response.length > MOST_ANSWER_BYTES
    reader = _Reader(is_wanted=response.code == _OK and not is_too_long)
    response.deliverBody(reader)
    return reader.done


class _Reader(Protocol):
    """Collects a body.

    Attributes:
        done: fires with it; fails at once where it is not wanted.

    """

    def __init__(self, is_wanted: bool) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._leave())
        self._content = b""
        if not is_wanted:
            self.done.errback(UnusableAnswerError())

    def connectionMade(self) -> None:
        if self.done.called:
            self._leave()

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._content += data
        if len(self._content) > MOST_ANSWER_BYTES:
            self.done.errback(UnusableAnswerError())
            self._leave()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone):
            self.done.callback(self._content)
        else:
            self.done.errback(reason)

    def _leave(self) -> None:
        """Read no more of it."""
        if self.transport is not None:
            self.transport.loseConnection()
