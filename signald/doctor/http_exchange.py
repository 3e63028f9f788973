"""Sends one HTTP request over a new TCP or TLS connection and records the server's certificate for a later check."""

from __future__ import annotations

from typing import Any, NoReturn

from attrs import frozen
from cryptography import x509
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import (  # two of the names are Twisted's own, not Python's
    ConnectError,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from signald.doctor.responses import MOST_BYTES, Response, read_response
from signald.doctor.targets import NO_ADDRESS, Target, is_address

__all__ = [
    "Answer",
    "Exchange",
    "UnreachableError",
    "client_endpoint",
    "exchange",
    "read_chain",
    "shown_chain",
    "unreachable",
]

CONNECT_SECONDS = 5.0
"""The timeout for opening a TCP connection."""

ANSWER_SECONDS = 5.0
"""The timeout for the TLS handshake and the response together."""


class UnreachableError(Exception):
    """A server could not be reached or sent no valid response; the message is the end of a sentence about it."""


@frozen
class Answer:
    """The response to a request, with the certificates of the server.

    Attributes:
        response: the HTTP response.
        chain: the certificates that the server sent, its own certificate first; empty without TLS.

    """

    response: Response
    chain: tuple[x509.Certificate, ...]


@implementer(IOpenSSLClientConnectionCreator)
class _AnyCertificate:
    """Creates TLS connections without verification, so that the doctor can examine a server with a bad certificate."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._context = SSL.Context(SSL.TLS_METHOD)
        self._context.set_verify(SSL.VERIFY_NONE)

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Create the OpenSSL connection; SNI is sent for a DNS name only, never for an IP address (RFC 6066 §3)."""
        connection = SSL.Connection(self._context)
        if not is_address(self._host):
            connection.set_tlsext_host_name(self._host.encode("ascii"))
        connection.set_alpn_protos([b"http/1.1"])
        return connection


def client_endpoint(reactor: Any, target: Target) -> IStreamClientEndpoint:
    """Return the client endpoint of a server, wrapped in TLS if the server uses TLS."""
    endpoint = HostnameEndpoint(reactor, target.host, target.port, timeout=CONNECT_SECONDS)
    return wrapClientTLS(_AnyCertificate(target.host), endpoint) if target.tls else endpoint


def shown_chain(transport: Any) -> tuple[x509.Certificate, ...]:
    """Return the certificates that the TLS peer sent, its own certificate first; empty without TLS."""
    handle = transport.getHandle() if hasattr(transport, "getPeerCertificate") else None
    chain = handle.get_peer_cert_chain(as_cryptography=True) if isinstance(handle, SSL.Connection) else None
    return tuple(chain or ())


@implementer(IHandshakeListener)
class Exchange(Protocol):
    """Sends an HTTP request and collects the beginning of the response."""

    transport: Any

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._data = b""
        self._chain: tuple[x509.Certificate, ...] = ()
        self.answered: Deferred[Answer] = Deferred(lambda _: self.transport.abortConnection())

    def connectionMade(self) -> None:
        """Send the request."""
        self.transport.write(self._request)

    def handshakeCompleted(self) -> None:
        """Store the certificates of the server when the TLS handshake is complete."""
        self._chain = shown_chain(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Add received bytes, and finish once the response is complete or has reached the size limit."""
        self._data += data
        try:
            response = read_response(self._data)
        except ValueError:
            self._fail("what answers there does not speak HTTP/1.1")
            return
        if response is not None and (response.whole or len(self._data) >= MOST_BYTES):
            self._succeed(response)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Finish with the part of the response that arrived, or fail if no valid response arrived."""
        if self.answered.called:
            return
        try:
            response = read_response(self._data) if self._data else None
        except ValueError:
            response = None
        if response is not None:
            self._succeed(response)
        elif reason.check(SSL.Error):
            self._fail("TLS could not be agreed on")
        else:
            self._fail("the connection was closed without an answer")

    def _succeed(self, response: Response) -> None:
        if not self.answered.called:
            self.answered.callback(Answer(response, self._chain))
            self.transport.abortConnection()

    def _fail(self, text: str) -> None:
        if not self.answered.called:
            self.answered.errback(UnreachableError(text))
            self.transport.abortConnection()


@implementer(IHandshakeListener)
class _ChainReader(Protocol):
    """Completes a TLS handshake, and closes the connection.

    Attributes:
        shown: fires with the server's certificates, its own first.

    """

    transport: Any

    def __init__(self) -> None:
        self.shown: Deferred[tuple[x509.Certificate, ...]] = Deferred(lambda _: self.transport.abortConnection())

    def handshakeCompleted(self) -> None:
        """Take the certificates of the server."""
        self.shown.callback(shown_chain(self.transport))
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Fail if there was no handshake."""
        if not self.shown.called:
            self.shown.errback(UnreachableError("TLS could not be agreed on"))


async def read_chain(reactor: Any, target: Target) -> tuple[x509.Certificate, ...]:
    """Return the certificates that a server with TLS presents, without sending it a request.

    Raises:
        UnreachableError: no handshake was completed in time.

    """
    protocol = _ChainReader()
    try:
        await client_endpoint(reactor, target).connect(Factory.forProtocol(lambda: protocol))
    except (OSError, ConnectError) as error:
        raise UnreachableError(unreachable(error)) from None
    return await protocol.shown.addTimeout(ANSWER_SECONDS, reactor, _too_late)


async def exchange(reactor: Any, target: Target, request: bytes) -> Answer:
    """Send an HTTP request and return the response.

    Raises:
        UnreachableError: no valid response arrived in time.

    """
    protocol = Exchange(request)
    try:
        await client_endpoint(reactor, target).connect(Factory.forProtocol(lambda: protocol))
    except (OSError, ConnectError) as error:
        raise UnreachableError(unreachable(error)) from None
    return await protocol.answered.addTimeout(ANSWER_SECONDS, reactor, _too_late)


def unreachable(error: Exception) -> str:
    """Return why a TCP connection could not be opened, as the end of a sentence."""
    if isinstance(error, DNSLookupError):
        return NO_ADDRESS
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, TimeoutError):
        return f"nothing answers within {CONNECT_SECONDS:.0f} s"
    return "there is no way to it"


def _too_late(_value: object, _seconds: float) -> NoReturn:
    raise UnreachableError(f"no answer comes within {ANSWER_SECONDS:.0f} s")
