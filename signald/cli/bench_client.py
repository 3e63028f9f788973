"""A client of `signald bench`: one WebSocket that speaks the native dialect, as docs/protocol.md describes it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import orjson
from attrs import frozen
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.python.failure import Failure

from signald import __version__
from signald.net.websocket_client import set_client_options

__all__ = ["BenchClient", "BenchRefusedError", "Target", "open_client"]

SUBPROTOCOL = "signald.1"

ACK_MESSAGES, ACK_BYTES, ACK_SECONDS = 16, 32 * 1024, 4.0
"""When a client acknowledges: after so many messages or bytes, or once the first of them is so old."""

_UNCOUNTED = {"welcome", "ack", "pong", "error", "ice-servers", "going-away"}
"""The messages that are not counted for the acknowledgements."""

_MESSAGE_BYTES = 1 << 20
_CONNECT_SECONDS = 10.0
_NORMAL = 1000

_Body: TypeAlias = dict[str, Any]


class BenchRefusedError(Exception):
    """The server refused a connection or a request; the text is a sentence for people."""


@frozen
class Target:
    """The server under load.

    Attributes:
        secure: whether TLS is used.
        host: name or IP address, without brackets.
        port: TCP port.
        url: the URL of the signaling WebSocket.
        authorities: the authorities to trust instead of the system's; None for the system's.
        token: the token that each client presents; None for none.

    """

    secure: bool
    host: str
    port: int
    url: str
    authorities: Sequence[Certificate] | None = None
    token: str | None = None

    def endpoint(self, reactor: Any) -> Any:
        """Return the endpoint that connects to the server."""
        endpoint: Any = HostnameEndpoint(reactor, self.host, self.port, timeout=_CONNECT_SECONDS)
        if not self.secure:
            return endpoint
        root = {} if self.authorities is None else {"trustRoot": trustRootFromCertificates(self.authorities)}
        return wrapClientTLS(optionsForClientTLS(self.host, **root), endpoint)


class BenchClient(WebSocketClientProtocol):
    """One WebSocket.

    Attributes:
        welcome: the server's reply to `hello`; empty before.
        on_forwarded: called with each message that another member sent.
        on_lost: called with the reason when the server refuses something unasked, or the connection ends.
        opened: fires when the WebSocket is open; fails with BenchRefusedError if the server refuses it.
        ended: whether the connection has ended.

    """

    factory: _Factory

    def __init__(self) -> None:
        super().__init__()
        self.welcome: _Body = {}
        self.opened: Deferred[None] = Deferred()
        self.ended = False
        self.on_forwarded: Callable[[_Body], None] = lambda _: None
        self.on_lost: Callable[[str], None] = lambda _: None
        self._replies: dict[str, Deferred[_Body]] = {}
        self._requests = 0
        self._closing = False
        self._received = 0
        self._acknowledged = 0
        self._unacknowledged_bytes = 0
        self._first_unacknowledged_at = 0.0
        self._transport_failure: BaseException | None = None

    def onOpen(self) -> None:
        """Complete the opening."""
        self.opened.callback(None)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Handle a message of the server."""
        body: _Body = orjson.loads(payload)
        if body["type"] not in _UNCOUNTED:
            self._count(len(payload))
        reply = self._replies.pop(body.get("id", ""), None)
        if reply is not None:
            if body["type"] == "error":
                reply.errback(
                    BenchRefusedError(f"The server refused {body.get('about', 'a request')}: {_reason(body)}")
                )
            else:
                reply.callback(body)
        elif body["type"] == "error":
            self.on_lost(_reason(body))
        elif "from" in body:
            self.on_forwarded(body)
        elif body["type"] == "going-away":
            self.on_lost("the server is about to stop")

    def _count(self, size: int) -> None:
        if self._received == self._acknowledged:
            self._first_unacknowledged_at = self.factory.reactor.seconds()
        self._received += 1
        self._unacknowledged_bytes += size
        if self._received - self._acknowledged >= ACK_MESSAGES or self._unacknowledged_bytes >= ACK_BYTES:
            self._acknowledge()

    def _acknowledge(self) -> None:
        self._acknowledged, self._unacknowledged_bytes = self._received, 0
        self.send("ack", received=self._received)

    def acknowledge_old(self) -> None:
        """Acknowledge messages that have waited for long enough; called once a second."""
        age = self.factory.reactor.seconds() - self._first_unacknowledged_at
        if self._received > self._acknowledged and age >= ACK_SECONDS:
            self._acknowledge()

    def send(self, kind: str, **keys: object) -> None:
        """Send a message."""
        self.send_text(orjson.dumps({"type": kind, **keys}))

    def send_text(self, text: bytes) -> None:
        """Send an encoded message, unless the connection is closing."""
        if not self._closing:
            self.sendMessage(text)

    def request(self, kind: str, **keys: object) -> Deferred[_Body]:
        """Send a request, and return its reply; the deferred fails with BenchRefusedError or TimeoutError."""
        self._requests += 1
        name = str(self._requests)
        reply = self._replies[name] = Deferred()
        self.send(kind, id=name, **keys)
        return reply.addTimeout(_CONNECT_SECONDS, self.factory.reactor)

    async def greet(self, token: str | None) -> None:
        """Send `hello` as a client that can resume.

        Raises:
            BenchRefusedError: the server refused it.
            TimeoutError: it did not answer.

        """
        keys = {} if token is None else {"token": token}
        agent = f"signald-bench {__version__}"
        self.welcome = await self.request("hello", version=1, agent=agent, instance=secrets.token_hex(8), **keys)

    def close(self) -> None:
        """Close the WebSocket with 1000, unless it is closed."""
        self._closing = True
        if self.state == self.STATE_OPEN:
            self.sendClose(_NORMAL)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Remember why the transport was lost."""
        self._transport_failure = reason.value
        super().connectionLost(reason)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Tell the end of the connection to whoever waits for something."""
        self.ended = True
        text = _explain_close(reason, self._transport_failure, was_open=bool(self.welcome))
        waiting: list[Deferred[Any]] = [self.opened, *self._replies.values()]
        for one in waiting:
            if not one.called:
                one.errback(BenchRefusedError(text))
        self._replies.clear()
        if not self._closing:
            self._closing = True
            self.on_lost(text)


class _Factory(WebSocketClientFactory):
    """Makes the protocol of one connection, which has no timeouts."""

    protocol = BenchClient  # type: ignore[assignment] # the types of Autobahn's two base classes disagree
    noisy = False

    def __init__(self, url: str, reactor: Any) -> None:
        super().__init__(url, protocols=[SUBPROTOCOL], useragent=f"signald-bench {__version__}", reactor=reactor)
        set_client_options(self, _MESSAGE_BYTES)


async def open_client(target: Target, reactor: Any) -> BenchClient:
    """Connect a client.

    Raises:
        BenchRefusedError: there is no server, it is not trusted, or it refused.

    """
    try:
        client: BenchClient = await target.endpoint(reactor).connect(_Factory(target.url, reactor))
    except Exception as error:
        # Name resolution, TCP and proxies raise errors of many classes.
        raise BenchRefusedError(f"No server answers at {target.host}:{target.port} ({error}).") from error
    try:
        await client.opened.addTimeout(_CONNECT_SECONDS, reactor)
    except TimeoutError:
        client.dropConnection(abort=True)
        raise BenchRefusedError(f"{target.url} did not answer the opening handshake in time.") from None
    return client


def _reason(body: _Body) -> str:
    """Return the code and the sentence of the server's error."""
    return f"{body.get('code')} ({body.get('message')})"


def _explain_close(reason: str | None, failure: BaseException | None, *, was_open: bool) -> str:
    """Return the sentence about a connection that the server ended."""
    if isinstance(failure, (SSL.Error, VerificationError)):
        return "The server's certificate is not trusted; name its authority with --ca FILE."
    return f"The server {'closed' if was_open else 'refused'} a connection: {reason or 'it gave no reason'}."
