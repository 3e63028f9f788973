"""A WebRTC peer without a browser, over aiortc: the library under the command `signald-peer`, for bots of your own.

It needs Twisted's asyncio reactor, and everything here runs in that reactor's loop. See docs/client.md.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

from signald_client.asking import Asking, RefusedError
from signald_client.media import Media
from signald_client.pair import Pair
from signald_client.report import Report
from signald_client.server import Address, Trust, UnreachableError
from signald_client.signaling import messages
from signald_client.signaling.client import NO_ROLLBACK, READY, RELAY_ONLY, SignalingClient
from signald_client.signaling.events import (
    MEMBERSHIP,
    NOTHING,
    Disconnected,
    Interrupted,
    Misunderstood,
    Negotiate,
    Refused,
    Resumed,
)
from signald_client.signaling.session_ids import find_session_id
from signald_client.signaling.wire import Message, Value
from signald_client.transport import SignalingSocket

__all__ = ["Peer"]

CLOSE_SECONDS = 5.0
"""For the WebSocket to close."""

INSTANCE_BYTES = 16
"""Random bytes that tell this run of the program from others."""

_log = logging.getLogger(__name__)


class Peer:
    """One peer: its connection to the server, one session, and a peer connection with each other member.

    A lost connection to the server comes back by itself, within the grace that the server gives; calls go on meanwhile.

    Attributes:
        session: the session's id, canonical; None before `open` or `join`.
        report: what happened so far; complete after `close`.

    """

    def __init__(
        self,
        address: Address,
        media: Callable[[], Media],
        *,
        name: str | None = None,
        trust: Trust | None = None,
        token: str | None = None,
        agent: str = "signald-peer",
        stay: bool = True,
        event: Callable[[Value], None] | None = None,
        reactor: Any = None,
    ) -> None:
        """Begin without a connection.

        Args:
            address: where the server is.
            media: makes what one connection sends and receives; called for each other member.
            name: what the peer calls itself in the session, up to 64 characters.
            trust: which certificates are believed; the system's authorities when None.
            token: what the peer may do, where the server needs that.
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
        self._name = name
        self._stay = stay
        self._listener = event
        instance = secrets.token_urlsafe(INSTANCE_BYTES)
        self._client = SignalingClient(json, random.random, instance, agent, [NO_ROLLBACK, RELAY_ONLY], None, token)
        self._socket = SignalingSocket(self._client, self._event, address, trust or Trust(), agent, reactor)
        self._relay_only = False
        self._pairs: dict[str, Pair] = {}
        self._welcomed: asyncio.Future[None] | None = None
        self._asking = Asking()
        self._grace: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def connect(self) -> None:
        """Connect to the server.

        Raises:
            UnreachableError: there is no server, it is not trusted, or it speaks something else.
            RefusedError: it does not welcome this client.
            ValueError: the authorities to trust cannot be read.

        """
        self._welcomed = asyncio.get_running_loop().create_future()
        await self._socket.connect()
        await self._welcomed

    async def open(
        self,
        capacity: int = 2,
        *,
        label: str | None = None,
        password: str | None = None,
        lobby: bool = False,
        succession: bool = False,
        relay_only: bool = False,
    ) -> str:
        """Open a session and return its id; a peer is in one session in its life.

        Args:
            capacity: members at most.
            label: the session's name, up to 64 characters.
            password: what those who join have to know.
            lobby: whether each who joins has to be admitted with `admit`.
            succession: whether the session goes on without this peer.
            relay_only: whether everybody connects through TURN servers alone.

        Raises:
            RefusedError: the server does not.
            UnreachableError: the connection was lost for good.

        """
        request = messages.Open(
            capacity=capacity,
            name=self._name,
            label=label,
            password=password,
            lobby=lobby,
            succession=succession,
            relay_only=relay_only,
        )
        opened: Any = await self._ask(request)
        session: str = opened.session
        return session

    async def join(self, session: str, password: str | None = None) -> str:
        """Join a session by its id as people write it, or by the link to it, and return the canonical id.

        It waits for the host where that has to admit this peer.

        Raises:
            ValueError: it is no id; the argument is a sentence for people.
            RefusedError: the server does not, or the host.
            UnreachableError: the connection was lost for good.

        """
        canonical = find_session_id(session)
        await self._ask(messages.Join(canonical, name=self._name, password=password))
        return canonical

    # In the session

    def say(self, content: str, to: str | None = None) -> None:
        """Send up to 16,384 characters to a member, or to all; a refusal comes as an event.

        What is said while the connection to the server is lost arrives when it is back.
        """
        if self.session is not None:
            self._socket.perform(self._client.say(self.session, content, to))

    async def change(self, *, label: str | None = None, locked: bool | None = None, lobby: bool | None = None) -> None:
        """As the host, change what is not None. The methods from here to `end_session` raise as `open` does."""
        await self._ask(messages.Change(self._here(), label=label, locked=locked, lobby=lobby))

    async def admit(self, user: str) -> None:
        """As the host, let in one who knocked (`messages.Knock`)."""
        await self._ask(messages.Admit(self._here(), user))

    async def refuse(self, user: str) -> None:
        """As the host, turn away one who knocked."""
        await self._ask(messages.Refuse(self._here(), user))

    async def remove(self, user: str) -> None:
        """As the host, end a guest's membership."""
        await self._ask(messages.Remove(self._here(), user))

    async def hand_over(self, user: str) -> None:
        """As the host, make a guest the host."""
        await self._ask(messages.HandOver(self._here(), user))

    async def end_session(self) -> None:
        """As the host, end the session for all."""
        await self._ask(messages.End(self._here()))

    # The end

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
        if self.session is not None and self._client.state == READY:
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

    def _here(self) -> str:
        """Return the session.

        Raises:
            RefusedError: there is none.

        """
        if self.session is None:
            raise RefusedError("not-a-member", "You are not in a session.")
        return self.session

    async def _ask(self, request: Message) -> Message:
        return await self._asking.ask(request, self._send)

    # What happens

    def _event(self, event: Value) -> None:
        """Follow what happened."""
        if isinstance(event, Negotiate):
            if event.user in self._pairs:
                self._pairs[event.user].carry_out(event.commands)
            return
        self._follow_connection(event)
        self._follow_session(event)
        self._asking.follow(event)
        if self._listener is not None:
            self._listener(event)

    def _follow_connection(self, event: Value) -> None:
        if isinstance(event, messages.Welcome):
            if self._welcomed is not None and not self._welcomed.done():
                self._welcomed.set_result(None)
        elif isinstance(event, Refused):
            _log.info("The server refused %s: %s", event.about, event.code)
            # Other requests may have been made before the welcome, and refused without a word to the server.
            if event.about == "hello" and self._welcomed is not None and not self._welcomed.done():
                self.end(event.code)
                self._not_welcomed(RefusedError(event.code, event.sentence))
        elif isinstance(event, Interrupted):
            self._not_welcomed(UnreachableError(f"The connection to {self._address.authority} was lost."))
            _log.info("There is no connection to the server; the next attempt comes after %.1f s.", event.seconds)
            if self._grace is None:
                grace = self._client.welcome.grace if self._client.welcome is not None else None
                self._grace = asyncio.get_running_loop().call_later(grace or 0.0, self.end, "disconnected")
        elif isinstance(event, Resumed):
            _log.info("The connection to the server is back; what survived is %s.", event.survival)
            self.report.reconnects += 1
            self._stop_grace()
            if event.survival == MEMBERSHIP:
                for user in list(self._pairs):
                    self._drop(user)
            elif event.survival == NOTHING and self.session is not None:
                self.end("disconnected")
        elif isinstance(event, Disconnected):
            self._stop_grace()
            self.end("disconnected")
        elif isinstance(event, Misunderstood):
            _log.warning("The server said something that is not valid: %s", event.sentence)

    def _not_welcomed(self, error: Exception) -> None:
        if self._welcomed is not None and not self._welcomed.done():
            self._welcomed.set_exception(error)

    def _stop_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def _follow_session(self, event: Value) -> None:
        if isinstance(event, (messages.Opened, messages.Joined)):
            self._enter(event)
        elif isinstance(event, messages.MemberJoined):
            self._add(event.session, event.member)
        elif isinstance(event, messages.MemberRenewed):
            if event.session == self.session:
                self._drop(event.member.user)
                self._add(event.session, event.member)
        elif isinstance(event, messages.MemberLeft):
            if event.session == self.session:
                self._drop(event.user)
                self._check_alone(event.reason)
        elif isinstance(event, messages.Ended) and event.session == self.session:
            self.end(event.reason)

    def _enter(self, entered: messages.Opened | messages.Joined) -> None:
        if self.session not in (None, entered.session):
            return
        self.session = self.report.session = entered.session
        self._relay_only = entered.relay_only
        for member in entered.members or []:
            self._add(entered.session, member)

    def _add(self, session: str, member: messages.Member) -> None:
        negotiator = self._client.negotiator(session, member.user)
        if negotiator is None or session != self.session:
            return
        try:
            media = self._media()
        except Exception:  # noqa: BLE001, whatever an application's class raises costs one connection
            _log.error("The media could not be made.", exc_info=True)
            self._check_alone("connection-failed")
            return
        pair = Pair(
            negotiator,
            media,
            self._client.ice_servers,
            self._send,
            self._pair_failed,
            time.monotonic,
            relay_only=self._relay_only,
        )
        self._pairs[member.user] = pair
        self.report.members.append(pair.report)
        pair.begin()

    def _send(self, message: Message) -> None:
        self._socket.perform(self._client.send(message))

    def _drop(self, user: str) -> None:
        """Close the connection with a member, in the background."""
        pair = self._pairs.pop(user, None)
        if pair is not None:
            task = asyncio.ensure_future(pair.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _pair_failed(self, pair: Pair) -> None:
        if self._pairs.get(pair.report.user) is pair:
            self._drop(pair.report.user)
            self._check_alone("connection-failed")

    def _check_alone(self, reason: str) -> None:
        if not self._pairs and not self._stay:
            self.end(reason)
