"""Opens a WebSocket session as a client: sends hello, waits for the welcome, and then stays idle for a while."""

from __future__ import annotations

import json
from typing import Any

from attrs import define
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from signald import __version__
from signald.doctor.findings import Finding, failure, ok
from signald.doctor.handshakes import SUBPROTOCOL
from signald.doctor.http_exchange import UnreachableError, client_endpoint, unreachable
from signald.doctor.targets import PublicUrl
from signald.net.websocket_client import set_client_options
from signald.server.autobahn_options import Silence

__all__ = ["SessionFactory", "SessionRecord", "hold_session", "judge_idle", "judge_session"]

OPEN_SECONDS = 5.0
"""The timeout for the opening handshake and the welcome together."""

MESSAGE_BYTES = 1 << 20
"""The largest message that the doctor accepts from the server."""

_HELLO = json.dumps({"type": "hello", "version": 1, "agent": f"signald-doctor/{__version__}"}).encode()


@define
class SessionRecord:
    """The events of one session.

    Attributes:
        answer: the `type` of the first message; None if no message arrived.
        code: the error code, if the first message is an error.
        pings: the number of pings that the server sent.
        seconds: the time from the first message to the end of the session.
        lost: whether the server or a proxy closed the session before its planned end.

    """

    answer: str | None = None
    code: str | None = None
    pings: int = 0
    seconds: float = 0.0
    lost: bool = False


class Session(WebSocketClientProtocol):
    """Sends hello, and afterwards only pongs."""

    log = Silence()
    factory: SessionFactory
    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self.record = SessionRecord()
        self._deadline: IDelayedCall | None = None
        self._welcomed_at = 0.0

    def connectionMade(self) -> None:
        """Start the timeout for the opening handshake and the welcome."""
        super().connectionMade()
        self._end_after(OPEN_SECONDS)

    def onOpen(self) -> None:
        """Send hello."""
        self.sendMessage(_HELLO)

    def onPing(self, payload: bytes) -> None:
        """Count the ping, and send the pong."""
        self.record.pings += 1
        super().onPing(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Record the first message, which is the response to hello, and ignore all others."""
        if self.record.answer is not None:
            return
        try:
            message = json.loads(payload)
            self.record.answer, self.record.code = str(message["type"]), str(message.get("code") or "") or None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.record.answer = ""
        self._welcomed_at = self.factory.clock.seconds()
        self._end_after(self.factory.seconds)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Record the end of the session, and deliver the record."""
        super().connectionLost(reason)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self.record.lost = True
        if self.record.answer is not None:
            self.record.seconds = self.factory.clock.seconds() - self._welcomed_at
        if not self.factory.ended.called:
            self.factory.ended.callback(self.record)

    def _end_after(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.factory.clock.callLater(seconds, self._end)

    def _end(self) -> None:
        self._deadline = None
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=1000)
        self.transport.loseConnection()


class SessionFactory(WebSocketClientFactory):
    """Creates the protocol of a single session.

    Attributes:
        clock: the reactor, which measures the time.
        seconds: the time to stay idle after the welcome.
        ended: a Deferred that fires with the record when the session ends.

    """

    protocol = Session  # type: ignore[assignment] # the types of Autobahn's two base classes disagree
    noisy = False
    log = Silence()

    def __init__(self, url: PublicUrl, seconds: float, reactor: Any) -> None:
        super().__init__(url.socket, origin=url.origin, protocols=[SUBPROTOCOL], reactor=reactor)
        set_client_options(self, MESSAGE_BYTES)
        self.clock = reactor
        self.ended: Deferred[SessionRecord] = Deferred()
        self.seconds = seconds


async def hold_session(reactor: Any, url: PublicUrl, seconds: float) -> SessionRecord:
    """Open a session, stay idle in it, and return its record.

    Arguments:
        reactor: the reactor, which opens the TCP connection and measures the time.
        url: the URL of the page.
        seconds: the time to stay idle after the welcome.

    Raises:
        UnreachableError: no TCP connection to the server could be opened.

    """
    factory = SessionFactory(url, seconds, reactor)
    try:
        await client_endpoint(reactor, url.target).connect(factory)
    except (OSError, ConnectError) as error:
        raise UnreachableError(unreachable(error)) from None
    return await factory.ended


def judge_session(url: PublicUrl, record: SessionRecord) -> Finding:
    """Return a finding about the server's response to hello."""
    match record.answer, record.code:
        case "welcome", _:
            return ok("websocket", f"signald welcomes at {url.socket}.")
        case "error", str(code) if "token" in code:
            return ok("websocket", f"signald answers at {url.socket}, and asks for a token.")
        case "error", code:
            return failure(
                "websocket",
                f"signald refuses a hello at {url.socket}: {code}.",
                "Look the code up in docs/protocol.md.",
            )
        case None, _:
            return failure(
                "websocket",
                f"The WebSocket at {url.socket} opens, but no answer to hello comes.",
                "Switch off what the proxy does with WebSocket messages (buffering, inspection).",
            )
        case _:
            return failure(
                "websocket",
                f"What answers at {url.socket} does not speak {SUBPROTOCOL}.",
                "Correct --url or the proxy.",
            )


def judge_idle(record: SessionRecord, waited: float, ping_seconds: float) -> Finding:
    """Return a finding about whether an idle WebSocket stayed open.

    Arguments:
        record: the record of the session.
        waited: the planned idle time in seconds, which is longer than the server's ping interval.
        ping_seconds: the server's ping interval in seconds.

    """
    if record.lost:
        return failure(
            "proxy",
            f"An idle WebSocket is closed after {record.seconds:.0f} s; signald pings every {ping_seconds:g} s.",
            f"Let the proxy wait for {3 * ping_seconds:.0f} s (nginx: proxy_read_timeout, HAProxy: timeout tunnel, "
            "Apache: timeout= of ProxyPass), or set limits.ping_seconds to less.",
        )
    if not record.pings:
        return failure(
            "proxy",
            f"No ping of signald's comes through in {waited:.0f} s; one is sent every {ping_seconds:g} s.",
            "Let the proxy pass WebSocket frames on as they come.",
        )
    return ok("proxy", f"An idle WebSocket lives for {waited:.0f} s, longer than the {ping_seconds:g} s between pings.")
