"""The signaling client over a real WebSocket: Autobahn's client on the asyncio reactor, and TLS that is verified."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from OpenSSL import SSL, crypto
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import Certificate, CertificateOptions, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from signald_client.signaling.client import SUBPROTOCOL, CloseSocket, SendFrame, SignalingClient
from signald_client.signaling.messages import Value

__all__ = ["Address", "SignalingSocket", "Trust", "UnreachableError"]

OPEN_SECONDS = 10.0
"""For the connection, and again for the WebSocket's opening handshake."""

CLOSE_SECONDS = 2.0
"""For the server to answer a close frame."""

MESSAGE_BYTES = 1 << 20
"""The largest message that is taken from the server."""

TICK_SECONDS = 1.0
"""Between two ticks of the signaling client."""

NORMAL = 1000
ABNORMAL = 1006
"""Close codes of RFC 6455 §7.4.1."""


class UnreachableError(Exception):
    """There is no server at the address, or none that can be trusted; the argument is a sentence for people."""


@frozen
class Address:
    """Where the signaling server is.

    Attributes:
        secure: whether TLS is used.
        host: its name or IP address, without brackets.
        port: TCP port.
        path: of the WebSocket.

    """

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address in a URL: the socket's, `wss://HOST:PORT/ws`, or the page's, `https://HOST:PORT/`.

        Raises:
            ValueError: it is none; the argument is a sentence for people.

        """
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if not host or parts.scheme not in ("wss", "ws", "https", "http"):
            raise ValueError(f"{text!r} is not the address of a server, like wss://localhost:9000/ws.")
        secure = parts.scheme in ("wss", "https")
        path = parts.path
        if path in ("", "/") or parts.scheme in ("https", "http"):
            path = (path[: path.rfind("/") + 1] or "/") + "ws"
        return cls(secure, host, port or (443 if secure else 80), path)

    @property
    def authority(self) -> str:
        """Host and port as in a URL (RFC 3986 §3.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The WebSocket's URL."""
        return f"{'wss' if self.secure else 'ws'}://{self.authority}{self.path}"

    def link(self, session: str) -> str:
        """Return the link that brings a person into a session."""
        page = self.path[: self.path.rfind("/") + 1]
        return f"{'https' if self.secure else 'http'}://{self.authority}{page}#{session}"


@frozen
class Trust:
    """Which server certificates are believed.

    Attributes:
        authorities: PEM certificates of the authorities to trust in the place of the system's; None for the system's.
        verify: False to believe every certificate, and so to be anybody's victim.

    """

    authorities: bytes | None = field(default=None, repr=False)
    verify: bool = True

    def options(self, host: str) -> IOpenSSLClientConnectionCreator:
        """Return the TLS settings for a connection to a host.

        Raises:
            ValueError: `authorities` holds no certificate; the argument is a sentence for people.

        """
        if not self.verify:
            return _Believing(host)
        if self.authorities is None:
            return _creator(optionsForClientTLS(host))
        blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", self.authorities, re.DOTALL)
        try:
            certificates = [Certificate.loadPEM(block) for block in blocks]
        except crypto.Error:
            certificates = []
        if not certificates:
            raise ValueError("The CA file holds no certificate in PEM form.")
        return _creator(optionsForClientTLS(host, trustRoot=trustRootFromCertificates(certificates)))


def _creator(options: Any) -> IOpenSSLClientConnectionCreator:
    return IOpenSSLClientConnectionCreator(options)


@implementer(IOpenSSLClientConnectionCreator)
class _Believing:
    """TLS without any verification."""

    def __init__(self, host: str) -> None:
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """Return a connection that believes whatever certificate comes."""
        connection = SSL.Connection(CertificateOptions(verify=False).getContext(), None)
        if not re.fullmatch(r"[0-9.]+|.*:.*", self._host):
            # No IP addresses in SNI (RFC 6066 §3).
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection


class _Protocol(WebSocketClientProtocol):
    """Reports to the socket what happens."""

    factory: _Factory

    def onOpen(self) -> None:
        """The handshake is done; a server that chose no subprotocol speaks something else."""
        if self.websocket_protocol_in_use == SUBPROTOCOL:
            self.factory.socket.opened(self)
        else:
            self.sendClose(NORMAL)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message came; the server sends no binary ones."""
        if not isBinary:
            self.factory.socket.received(payload.decode("utf-8"))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The connection is over, or never came to be."""
        self.factory.socket.closed(code or ABNORMAL, (reason or "") if wasClean else "connection-lost")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The TCP connection is over."""
        self.factory.failure = reason
        super().connectionLost(reason)


class _Factory(WebSocketClientFactory):
    """Makes the one protocol.

    Attributes:
        socket: whom it reports to.
        failure: what the TCP connection ended with.

    """

    protocol = _Protocol  # type: ignore[assignment] # the types of Autobahn's two base classes disagree
    noisy = False

    def __init__(self, socket: SignalingSocket, address: Address, agent: str, reactor: Any) -> None:
        super().__init__(address.url, protocols=[SUBPROTOCOL], useragent=agent, reactor=reactor)
        self.setProtocolOptions(
            maxMessagePayloadSize=MESSAGE_BYTES,
            openHandshakeTimeout=OPEN_SECONDS,
            closeHandshakeTimeout=CLOSE_SECONDS,
            autoPingInterval=0,
        )
        self.socket = socket
        self.failure: Failure | None = None


class SignalingSocket:
    """A signaling client and its WebSocket: carries out the client's effects, and hands its events on.

    Attributes:
        client: the signaling client.

    """

    def __init__(self, client: SignalingClient, event: Callable[[Value], None], reactor: Any) -> None:
        """Begin without a connection.

        Args:
            client: the signaling client.
            event: is called with each event and each `Negotiate` of the client, in their order.
            reactor: Twisted's reactor, the asyncio one.

        """
        self.client = client
        self._event = event
        self._reactor = reactor
        self._protocol: _Protocol | None = None
        self._opening: asyncio.Future[None] | None = None
        self._closed = asyncio.Event()
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = reactor

    async def connect(self, address: Address, trust: Trust, agent: str) -> None:
        """Open the WebSocket and greet the server; the welcome comes as an event.

        Raises:
            UnreachableError: there is no server, it is not trusted, or it speaks something else.
            ValueError: the authorities to trust cannot be read.

        """
        factory = _Factory(self, address, agent, self._reactor)
        endpoint: Any = HostnameEndpoint(self._reactor, address.host, address.port, timeout=OPEN_SECONDS)
        if address.secure:
            endpoint = wrapClientTLS(trust.options(address.host), endpoint)
        loop = asyncio.get_running_loop()
        self._opening = loop.create_future()
        attempt: Deferred[_Protocol] = endpoint.connect(factory)
        protocol: _Protocol | None = None
        try:
            protocol = await attempt.asFuture(loop)
            await self._opening
        except asyncio.CancelledError:
            if protocol is not None:
                protocol.dropConnection(abort=True)
            raise
        except Exception as error:
            # Whatever stands between the two.
            raise UnreachableError(_sentence(address, error, factory.failure)) from error
        self._ticking.start(TICK_SECONDS)
        self.perform(self.client.socket_opened())

    def perform(self, effects: list[Value]) -> None:
        """Carry out what a method of the client returned."""
        for effect in effects:
            if isinstance(effect, SendFrame):
                if self._protocol is not None:
                    self._protocol.sendMessage(effect.text.encode("utf-8"))
            elif isinstance(effect, CloseSocket):
                if self._protocol is not None:
                    self._protocol.sendClose(effect.code, effect.reason or None)
            else:
                self._event(effect)

    async def close(self) -> None:
        """Close the WebSocket, and wait until it is closed."""
        if self._protocol is None:
            return
        self.perform(self.client.disconnect())
        await self._closed.wait()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._protocol is not None:
            self._protocol.dropConnection(abort=True)

    # What the protocol reports

    def opened(self, protocol: _Protocol) -> None:
        """The WebSocket is open."""
        self._protocol = protocol
        if self._opening is not None and not self._opening.done():
            self._opening.set_result(None)

    def received(self, text: str) -> None:
        """A text message came."""
        self.perform(self.client.frame_received(text))

    def closed(self, code: int, reason: str) -> None:
        """The WebSocket is closed."""
        if self._opening is not None and not self._opening.done():
            self._opening.set_exception(ConnectionError(reason))
        self._protocol = None
        if self._ticking.running:
            self._ticking.stop()
        self._closed.set()
        self.perform(self.client.socket_closed(code, reason))

    def _tick(self) -> None:
        self.perform(self.client.tick(self._reactor.seconds()))


def _sentence(address: Address, error: Exception, failure: Failure | None) -> str:
    """Say why there is no connection."""
    cause = error if failure is None else failure.value
    if isinstance(cause, (SSL.Error, VerificationError)):
        return f"The certificate of {address.authority} is not trusted; name its authority with --ca FILE."
    if isinstance(cause, DNSLookupError):
        return f"There is no host {address.host}."
    if failure is not None:
        return f"{address.url} is not a signaling server that speaks {SUBPROTOCOL}."
    return f"Nothing answers at {address.authority}."
