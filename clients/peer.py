"""A WebRTC peer without a browser, over aiortc: the library under the command `signald-peer`, for bots of your own.

It needs Twisted's asyncio reactor, and everything here runs in that reactor's loop. See docs/client.md.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from signald_client.media import Media
from signald_client.pair import Pair
from signald_client.report import Report
from signald_client.signaling import messages
from signald_client.signaling.client import (
    NO_ROLLBACK,
    Disconnected,
    Misunderstood,
    Negotiate,
    Refused,
    SignalingClient,
)
from signald_client.signaling.messages import Value
from signald_client.transport import Address, SignalingSocket, Trust, UnreachableError

__all__ = ["Peer", "RefusedError"]

CLOSE_SECONDS = 5.0
"""For the WebSocket to close."""

_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """The server refused a request.

    Attributes:
        code: the error's code (docs/protocol.md, "Errors").
        sentence: the same for people.

    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Peer:
    """One peer: its connection to the server, one session, and a peer connection with each other member.

    Attributes:
        session: the session's id, canonical; None before `open` or `join`.
        report: what happened so far; complete after `close`.

    """

    def __init__(
        self,
        address: Address,
        media: Callable[[], Media],
        *,
        trust: Trust | None = None,
        agent: str = "signald-peer",
        stay: bool = True,
        event: Callable[[Value], None] | None = None,
        reactor: Any = None,
    ) -> None:
        """Begin without a connection.

        Args:
            address: where the server is.
            media: makes what one connection sends and receives; called for each other member.
            trust: which certificates are believed; the system's authorities when None.
            agent: the program's name, up to 64 characters.
            stay: whether to go on when the last other member is gone.
            event: is called with each event of the signaling client, after the peer has followed it.
            reactor: Twisted's; the installed one when None.

        """
        if reactor is None:
            from twisted.internet import reactor
        self.session: str | None = None
        self.report = Report()
        self._address = address
        self._media = media
        self._trust = trust or Trust()
        self._agent = agent
        self._stay = stay
        self._listener = event
        self._client = SignalingClient(json, agent, [NO_ROLLBACK])
        self._socket = SignalingSocket(self._client, self._event, reactor)
        self._pairs: dict[str, Pair] = {}
        self._reply: asyncio.Future[Any] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def connect(self) -> None:
        """Connect to the server.

        Raises:
            UnreachableError: there is no server, it is not trusted, or it speaks something else.
            RefusedError: it does not welcome this client.
            ValueError: the authorities to trust cannot be read.

        """
        await self._socket.connect(self._address, self._trust, self._agent)
        await self._answered([])

    async def open(self, capacity: int = 2) -> str:
        """Open a session of at most so many members and return its id; a peer is in one session in its life.

        Raises:
            RefusedError: the server does not.
            UnreachableError: the connection was lost.

        """
        session: str = await self._answered(self._client.open(capacity))
        return session

    async def join(self, session: str) -> str:
        """Join a session by its canonical id, and return it.

        Raises:
            RefusedError: the server does not.
            UnreachableError: the connection was lost.

        """
        joined: str = await self._answered(self._client.join(session))
        return joined

    async def ended(self) -> str:
        """Wait until there is nothing more to do, and return the reason (`report.Report`)."""
        await self._over.wait()
        return self.report.reason

    def end(self, reason: str) -> None:
        """Have `ended` return, with this reason unless there was one before."""
        if not self._over.is_set():
            self.report.reason = reason
            self._over.set()

    async def close(self) -> Report:
        """Leave the session, close every connection, and return the report."""
        if self.session is not None and self._client.welcome is not None:
            self._socket.perform(self._client.leave(self.session))
        for user in list(self._pairs):
            self._drop(user)
        await asyncio.gather(*self._closing)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close()
        except TimeoutError:
            self._socket.abort()
        return self.report

    # What follows

    async def _answered(self, effects: list[Value]) -> Any:
        """Send a request and wait for what it is answered with; with nothing to send, for the welcome."""
        self._reply = asyncio.get_running_loop().create_future()
        try:
            self._socket.perform(effects)
            return await self._reply
        finally:
            self._reply = None

    def _resolve(self, outcome: object) -> None:
        """Give the waiting request its answer."""
        if self._reply is None or self._reply.done():
            return
        if isinstance(outcome, Exception):
            self._reply.set_exception(outcome)
        else:
            self._reply.set_result(outcome)

    def _event(self, event: Value) -> None:
        """Follow what happened."""
        if isinstance(event, Negotiate):
            if event.user in self._pairs:
                self._pairs[event.user].carry_out(event.commands)
            return
        if isinstance(event, messages.Welcome):
            self._resolve(event)
        elif isinstance(event, messages.Opened):
            self._enter(event.session, [])
        elif isinstance(event, messages.Joined):
            self._enter(event.session, event.members)
        elif isinstance(event, messages.MemberJoined):
            self._add(event.session, event.member)
        elif isinstance(event, messages.MemberLeft):
            if event.session == self.session:
                self._drop(event.user)
                self._check_alone(event.reason)
        elif isinstance(event, messages.Ended):
            if event.session == self.session:
                self.end(event.reason)
        elif isinstance(event, Refused):
            _log.info("The server refused %s: %s", event.about, event.code)
            self._resolve(RefusedError(event.code, event.sentence))
        elif isinstance(event, Disconnected):
            self._resolve(UnreachableError(f"The connection to {self._address.authority} was lost."))
            self.end("disconnected")
        elif isinstance(event, Misunderstood):
            _log.warning("The server said something that is not valid: %s", event.sentence)
        if self._listener is not None:
            self._listener(event)

    def _enter(self, session: str, members: list[messages.Member]) -> None:
        if self.session is not None:
            return
        self.session = self.report.session = session
        for member in members:
            self._add(session, member)
        self._resolve(session)

    def _add(self, session: str, member: messages.Member) -> None:
        negotiator = self._client.negotiator(session, member.user)
        welcome = self._client.welcome
        if negotiator is None or welcome is None or session != self.session:
            return
        try:
            media = self._media()
        except Exception:  # noqa: BLE001, whatever an application's class raises costs one connection
            _log.error("The media could not be made.", exc_info=True)
            self._check_alone("connection-failed")
            return
        pair = Pair(negotiator, media, welcome.ice_servers, self._send, self._pair_failed, time.monotonic)
        self._pairs[member.user] = pair
        self.report.members.append(pair.report)
        pair.begin()

    def _send(self, message: messages.Message) -> None:
        self._socket.perform(self._client.send(message))

    def _drop(self, user: str) -> None:
        """Close the connection with a member, in the background."""
        pair = self._pairs.pop(user, None)
        if pair is not None:
            task = asyncio.ensure_future(pair.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _pair_failed(self, pair: Pair) -> None:
        self._drop(pair.report.user)
        self._check_alone("connection-failed")

    def _check_alone(self, reason: str) -> None:
        if not self._pairs and not self._stay:
            self.end(reason)
