"""Connects the signaling client to a server with Autobahn's WebSocket client, on the asyncio reactor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from autobahn.exception import Disconnected
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from signald_client.errors import UnreachableError
from signald_client.server import Address, Trust, make_unreachable_error
from signald_client.signaling.client import CLOSED, SUBPROTOCOL, SignalingClient
from signald_client.signaling.events import CloseSocket, ConnectAfter, SendFrame, StoreIdentity
from signald_client.signaling.wire import Value

__all__ = ["SignalingSocket"]

OPEN_SECONDS = 10.0
"""Seconds for the TCP connection; the client's `open_timeout` bounds the handshakes of TLS and WebSocket after it."""

CLOSE_SECONDS = 2.0
"""Seconds for the server to answer a close frame."""

MESSAGE_BYTES = 1 << 20
"""Largest message that is accepted from the server, in bytes."""

TICK_SECONDS = 1.0
"""Seconds between two ticks of the signaling client."""

NORMAL = 1000
ABNORMAL = 1006
"""Close codes (RFC 6455 §7.4.1)."""

_log = logging.getLogger(__name__)


class _Protocol(WebSocketClientProtocol):
    """Autobahn's protocol of one WebSocket; reports to its `SignalingSocket`."""

    factory: _Factory

    def connectionMade(self) -> None:
        """Report that the TCP connection, or TLS over it, is made."""
        super().connectionMade()
        self.factory.socket.transport_connected(self)

    def onOpen(self) -> None:
        """Complete the attempt; close the connection when the server does not speak the subprotocol."""
        if self.websocket_protocol_in_use == SUBPROTOCOL:
            self.factory.complete_opening()
        else:
            self.sendClose(NORMAL)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Pass on a text message; binary messages, which no signald sends, are ignored."""
        if not isBinary:
            self.factory.socket.text_received(self, payload.decode("utf-8"))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Report that the WebSocket is closed, or did not open."""
        reason = (reason or "") if wasClean else "connection-lost"
        self.factory.fail_opening(reason)
        self.factory.socket.websocket_closed(self, code or ABNORMAL, reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Remember why the TCP connection was lost."""
        self.factory.failure = reason
        super().connectionLost(reason)


class _Factory(WebSocketClientFactory):
    """Makes the protocol of one attempt to connect.

    Attributes:
        socket: the signaling socket that the protocol reports to.
        opening: future that is done when the WebSocket is open.
        failure: why the TCP connection was lost; None before that.

    """

    protocol = _Protocol  # type: ignore[assignment] # the types of Autobahn's two base classes disagree
    noisy = False

    def __init__(self, socket: SignalingSocket, address: Address, agent: str, reactor: Any) -> None:
        super().__init__(address.url, protocols=[SUBPROTOCOL], useragent=agent, reactor=reactor)
        self.setProtocolOptions(
            maxMessagePayloadSize=MESSAGE_BYTES,
            openHandshakeTimeout=socket.client.open_timeout,
            closeHandshakeTimeout=CLOSE_SECONDS,
            autoPingInterval=0,
        )
        self.socket = socket
        self.opening: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: Failure | None = None

    def complete_opening(self) -> None:
        """Complete `opening`."""
        if not self.opening.done():
            self.opening.set_result(None)

    def fail_opening(self, reason: str) -> None:
        """Complete `opening` with an error, unless the WebSocket was open."""
        if not self.opening.done():
            self.opening.set_exception(ConnectionError(reason))


class SignalingSocket:
    """The edge of a signaling client: opens one WebSocket after the other, and carries out the client's effects.

    Attributes:
        client: the signaling client.

    """

    def __init__(
        self,
        client: SignalingClient,
        on_event: Callable[[Value], None],
        address: Address,
        trust: Trust,
        agent: str,
        reactor: Any,
    ) -> None:
        """Create an edge without a connection.

        Arguments:
            client: the signaling client.
            on_event: called with each event and each `Negotiate` of the client, in their order.
            address: the server's address.
            trust: the trust in the server's certificate.
            agent: the program's name, for the HTTP header `User-Agent`.
            reactor: Twisted's asyncio reactor.

        """
        self.client = client
        self._on_event = on_event
        self._address = address
        self._trust = trust
        self._agent = agent
        self._reactor = reactor
        self._protocol: _Protocol | None = None  # the one whose reports reach the client
        self._attempt: asyncio.Task[None] | None = None
        self._open_connections: set[_Protocol] = set()  # of every attempt, while their TCP connection lasts
        self._connection_ended = asyncio.Event()
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = reactor
        self._handlers: dict[type[Value], Callable[[Any], None]] = {
            SendFrame: lambda effect: self._send_text(effect.text),
            CloseSocket: lambda effect: self._abandon_socket(effect.code, effect.reason),
            ConnectAfter: self._plan_attempt,
            # The next run of a program is another user, so there is nothing to store.
            StoreIdentity: lambda effect: None,
        }

    async def connect(self) -> None:
        """Open the first WebSocket and start the handshake; later WebSockets are opened without a call.

        The welcome follows as an event. Requests that are made before it wait for it.

        Raises:
            UnreachableError: there is no server, it is not trusted, or it does not speak the protocol.
            ValueError: the authorities to trust cannot be read.

        """
        self.client.connect()
        try:
            protocol = await self._open_websocket()
        except BaseException:
            self.client.disconnect()
            raise
        self._ticking.start(TICK_SECONDS)
        self._start_handshake(protocol)

    def perform(self, effects: list[Value]) -> None:
        """Carry out the effects that a method of the client returned, and report the events."""
        for effect in effects:
            self._handlers.get(type(effect), self._on_event)(effect)
        if self.client.state == CLOSED and self._ticking.running:
            self._ticking.stop()

    async def close(self) -> None:
        """Close the connection, and wait until it is closed."""
        self.perform(self.client.disconnect())
        while self._open_connections:
            self._connection_ended.clear()
            await self._connection_ended.wait()

    def abort(self) -> None:
        """Drop the connection at once, without a close frame."""
        for protocol in list(self._open_connections):
            protocol.dropConnection(abort=True)
        self.perform(self.client.disconnect())

    # Reports of the protocols

    def transport_connected(self, protocol: _Protocol) -> None:
        """Handle a new TCP connection, before the WebSocket's handshake."""
        self._open_connections.add(protocol)

    def text_received(self, protocol: _Protocol, text: str) -> None:
        """Handle a text message of the server."""
        if protocol is self._protocol:
            self.perform(self.client.frame_received(text, self._reactor.seconds()))

    def websocket_closed(self, protocol: _Protocol, code: int, reason: str) -> None:
        """Handle the end of a WebSocket."""
        self._open_connections.discard(protocol)
        self._connection_ended.set()
        if protocol is self._protocol:
            self._protocol = None
            self.perform(self.client.socket_closed(code, reason, self._reactor.seconds()))

    # Helpers

    async def _open_websocket(self) -> _Protocol:
        """Open a WebSocket and return its protocol; the errors are those of `connect`."""
        address = self._address
        factory = _Factory(self, address, self._agent, self._reactor)
        endpoint: Any = HostnameEndpoint(self._reactor, address.host, address.port, timeout=OPEN_SECONDS)
        if address.secure:
            endpoint = wrapClientTLS(self._trust.tls_options(address.host), endpoint)
        attempt: Deferred[_Protocol] = endpoint.connect(factory)
        protocol: _Protocol | None = None
        try:
            protocol = await attempt.asFuture(asyncio.get_running_loop())
            await factory.opening
        except asyncio.CancelledError:
            if protocol is not None:
                protocol.dropConnection(abort=True)
            raise
        except Exception as error:
            # TCP, TLS, proxies and the WebSocket's handshake raise errors of many classes.
            raise make_unreachable_error(address, error, factory.failure) from error
        return protocol

    def _plan_attempt(self, effect: ConnectAfter) -> None:
        self._abandon_socket(NORMAL, "")
        self._attempt = asyncio.ensure_future(self._connect_after(effect.seconds))

    async def _connect_after(self, seconds: float) -> None:
        """Open another WebSocket, and report to the client whether it is open."""
        await asyncio.sleep(seconds)
        try:
            protocol = await self._open_websocket()
        except UnreachableError as error:
            _log.info("%s", error)
            self.perform(self.client.socket_closed(ABNORMAL, "", self._reactor.seconds()))
        else:
            self._start_handshake(protocol)

    def _start_handshake(self, protocol: _Protocol) -> None:
        self._protocol = protocol
        self._attempt = None
        self.perform(self.client.socket_opened(self._reactor.seconds()))
        if protocol not in self._open_connections:
            # The connection was lost between its opening and this turn of the loop.
            self.websocket_closed(protocol, ABNORMAL, "connection-lost")

    def _send_text(self, text: str) -> None:
        if self._protocol is not None:
            # The connection may be lost already: the client replays the message after the resume.
            with suppress(Disconnected):
                self._protocol.sendMessage(text.encode("utf-8"))

    def _abandon_socket(self, code: int, reason: str) -> None:
        """Close the current WebSocket, and cancel the one that is planned or being opened."""
        if self._protocol is not None:
            self._protocol.sendClose(code, reason or None)
            self._protocol = None
        # An attempt that failed runs this itself: it must not cancel its own task.
        if self._attempt is not None and self._attempt is not asyncio.current_task():
            self._attempt.cancel()
        self._attempt = None

    def _tick(self) -> None:
        self.perform(self.client.tick(self._reactor.seconds()))
