"""The signaling client over real WebSockets: Autobahn's client on the asyncio reactor."""

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

from signald_client.server import Address, Trust, UnreachableError, unreachable
from signald_client.signaling.client import CLOSED, SUBPROTOCOL, SignalingClient
from signald_client.signaling.events import CloseSocket, ConnectAfter, Keep, SendFrame
from signald_client.signaling.wire import Value

__all__ = ["SignalingSocket"]

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

_log = logging.getLogger(__name__)


class _Protocol(WebSocketClientProtocol):
    """Reports to its socket what happens."""

    factory: _Factory

    def connectionMade(self) -> None:
        """There is a TCP connection, or TLS over one."""
        super().connectionMade()
        self.factory.socket.connected(self)

    def onOpen(self) -> None:
        """The handshake is done; a server that chose no subprotocol speaks something else."""
        if self.websocket_protocol_in_use == SUBPROTOCOL:
            self.factory.opened()
        else:
            self.sendClose(NORMAL)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message came; the server sends no binary ones."""
        if not isBinary:
            self.factory.socket.received(self, payload.decode("utf-8"))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The connection is over, or never came to be."""
        reason = (reason or "") if wasClean else "connection-lost"
        self.factory.closed(reason)
        self.factory.socket.closed(self, code or ABNORMAL, reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The TCP connection is over."""
        self.factory.failure = reason
        super().connectionLost(reason)


class _Factory(WebSocketClientFactory):
    """Makes the one protocol of an attempt to connect.

    Attributes:
        socket: whom it reports to.
        opening: done when the WebSocket is open.
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
        self.opening: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: Failure | None = None

    def opened(self) -> None:
        """The WebSocket is open."""
        if not self.opening.done():
            self.opening.set_result(None)

    def closed(self, reason: str) -> None:
        """The WebSocket is closed, or did not open."""
        if not self.opening.done():
            self.opening.set_exception(ConnectionError(reason))


class SignalingSocket:
    """A signaling client and its WebSockets, one after the other: carries out the client's effects, tells its events.

    Attributes:
        client: the signaling client.

    """

    def __init__(
        self,
        client: SignalingClient,
        event: Callable[[Value], None],
        address: Address,
        trust: Trust,
        agent: str,
        reactor: Any,
    ) -> None:
        """Begin without a connection.

        Args:
            client: the signaling client.
            event: is called with each event and each `Negotiate` of the client, in their order.
            address: where the server is.
            trust: which certificates are believed.
            agent: the program's name, for the HTTP header `User-Agent`.
            reactor: Twisted's reactor, the asyncio one.

        """
        self.client = client
        self._event = event
        self._address = address
        self._trust = trust
        self._agent = agent
        self._reactor = reactor
        self._protocol: _Protocol | None = None  # the one that the client knows of
        self._attempt: asyncio.Task[None] | None = None
        self._lines: set[_Protocol] = set()  # those whose TCP connection is not over
        self._silence = asyncio.Event()
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = reactor

    async def connect(self) -> None:
        """Open the first WebSocket and greet the server; the welcome comes as an event. Later ones open by themselves.

        Raises:
            UnreachableError: there is no server, it is not trusted, or it speaks something else.
            ValueError: the authorities to trust cannot be read.

        """
        self.client.connect()
        try:
            protocol = await self._open()
        except BaseException:
            self.client.disconnect()
            raise
        self._ticking.start(TICK_SECONDS)
        self._begin(protocol)

    def perform(self, effects: list[Value]) -> None:
        """Carry out what a method of the client returned."""
        for effect in effects:
            if isinstance(effect, SendFrame):
                self._send(effect.text)
            elif isinstance(effect, CloseSocket):
                self._give_up(effect.code, effect.reason)
            elif isinstance(effect, ConnectAfter):
                self._give_up(NORMAL, "")
                self._attempt = asyncio.ensure_future(self._connect_after(effect.seconds))
            elif not isinstance(effect, Keep):
                # A program that ends is not succeeded by another instance.
                self._event(effect)
        if self.client.state == CLOSED and self._ticking.running:
            self._ticking.stop()

    async def close(self) -> None:
        """End the connection, and wait until it is closed."""
        self.perform(self.client.disconnect())
        while self._lines:
            self._silence.clear()
            await self._silence.wait()

    def abort(self) -> None:
        """End the connection at once, without a word to the server."""
        for protocol in list(self._lines):
            protocol.dropConnection(abort=True)
        self.perform(self.client.disconnect())

    # What the protocols report

    def connected(self, protocol: _Protocol) -> None:
        """A connection is made, whose WebSocket is to be opened."""
        self._lines.add(protocol)

    def received(self, protocol: _Protocol, text: str) -> None:
        """A text message came."""
        if protocol is self._protocol:
            self.perform(self.client.frame_received(text, self._reactor.seconds()))

    def closed(self, protocol: _Protocol, code: int, reason: str) -> None:
        """A WebSocket is closed."""
        self._lines.discard(protocol)
        self._silence.set()
        if protocol is self._protocol:
            self._protocol = None
            self.perform(self.client.socket_closed(code, reason, self._reactor.seconds()))

    # What follows

    async def _open(self) -> _Protocol:
        """Return the protocol of a new WebSocket.

        Raises:
            UnreachableError: as `connect`.
            ValueError: as `connect`.

        """
        address = self._address
        factory = _Factory(self, address, self._agent, self._reactor)
        endpoint: Any = HostnameEndpoint(self._reactor, address.host, address.port, timeout=OPEN_SECONDS)
        if address.secure:
            endpoint = wrapClientTLS(self._trust.options(address.host), endpoint)
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
            # Whatever stands between the two.
            raise unreachable(address, error, factory.failure) from error
        return protocol

    async def _connect_after(self, seconds: float) -> None:
        """Open another WebSocket, and report it."""
        await asyncio.sleep(seconds)
        try:
            protocol = await self._open()
        except UnreachableError as error:
            _log.info("%s", error)
            self.perform(self.client.socket_closed(ABNORMAL, "", self._reactor.seconds()))
        else:
            self._begin(protocol)

    def _begin(self, protocol: _Protocol) -> None:
        self._protocol = protocol
        self._attempt = None
        self.perform(self.client.socket_opened(self._reactor.seconds()))
        if protocol not in self._lines:
            # It was lost between its opening and this turn of the loop.
            self.closed(protocol, ABNORMAL, "connection-lost")

    def _send(self, text: str) -> None:
        if self._protocol is not None:
            # On a connection whose end is still to be reported: the client sends it again when it is back.
            with suppress(Disconnected):
                self._protocol.sendMessage(text.encode("utf-8"))

    def _give_up(self, code: int, reason: str) -> None:
        """Close the WebSocket that there is, and give up the one that is planned or being opened."""
        if self._protocol is not None:
            self._protocol.sendClose(code, reason or None)
            self._protocol = None
        # An attempt that failed reports that itself, and is over.
        if self._attempt is not None and self._attempt is not asyncio.current_task():
            self._attempt.cancel()
        self._attempt = None

    def _tick(self) -> None:
        self.perform(self.client.tick(self._reactor.seconds()))
