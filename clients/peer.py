"""A WebRTC peer without a browser, over aiortc: the library under the command `signald-peer`, and a basis for bots.

It needs Twisted's asyncio reactor, and all of it runs in that reactor's event loop. See docs/client.md.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Callable
from typing import Any

from signald_client.data_channel import ChannelObserver
from signald_client.errors import RefusedError, UnreachableError
from signald_client.media import Media
from signald_client.peer_connections import PeerConnections
from signald_client.pending_replies import PendingReplies
from signald_client.report import Report
from signald_client.server import Address, Trust
from signald_client.session_return import SessionReturn
from signald_client.signaling import messages
from signald_client.signaling.client import NO_ROLLBACK, READY, RELAY_ONLY, SignalingClient
from signald_client.signaling.events import (
    NOTHING,
    Disconnected,
    Interrupted,
    InvalidMessage,
    Negotiate,
    Refused,
    Resumed,
)
from signald_client.signaling.rejoining import RETURN_SECONDS
from signald_client.signaling.session_ids import find_session_id
from signald_client.signaling.wire import Message, Value
from signald_client.transport import SignalingSocket

__all__ = ["Peer"]

CLOSE_SECONDS = 5.0
"""Seconds that closing the WebSocket may take."""

INSTANCE_BYTES = 16
"""Random bytes that identify this run of the program."""

_log = logging.getLogger(__name__)


class Peer:
    """One peer: its connection to the server, one session, and a peer connection with each other member.

    A lost connection to the server is resumed within the grace that the server gives; calls go on meanwhile. When the
    server has crashed and forgotten the session, the peer comes back into it by itself, for a minute.

    Attributes:
        session: the session's canonical id; None before `open_session` or `join_session`.
        report: the figures so far; complete after `close`.

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
        stay_alone: bool = True,
        on_event: Callable[[Value], None] | None = None,
        channels: ChannelObserver | None = None,
        reactor: Any = None,
    ) -> None:
        """Create a peer without a connection.

        Arguments:
            address: the server's address.
            media: returns the media of one connection; called for each other member.
            name: the peer's display name in the session, up to 64 characters.
            trust: the trust in the server's certificate; the system's authorities when None.
            token: the token that authorizes the peer, where the server needs one.
            agent: the program's name, up to 64 characters.
            stay_alone: whether to go on when the last other member is gone.
            on_event: called with each event of the signaling client, after the peer has handled it.
            channels: is told about each peer connection and the messages on its data channel; without it there are no
                data channels.
            reactor: Twisted's reactor; the installed one when None.

        """
        if reactor is None:
            from twisted.internet import reactor
        self.session: str | None = None
        self.report = Report()
        self._address = address
        self._name = name
        self._stay_alone = stay_alone
        self._on_event = on_event
        self._client = self._make_client(agent, token)
        self._socket = SignalingSocket(self._client, self._handle_event, address, trust or Trust(), agent, reactor)
        self._relay_only = False
        self._connections = PeerConnections(media, self._send_request, self._connection_failed, self.report, channels)
        self._return = SessionReturn(self._client, self._send_request, self._return_given_up)
        self._welcomed: asyncio.Future[None] | None = None
        self._pending_replies = PendingReplies()
        self._grace_timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        self._handlers = self._make_handlers()

    def _make_client(self, agent: str, token: str | None) -> SignalingClient:
        return SignalingClient(
            json,
            random.random,
            secrets.token_urlsafe(INSTANCE_BYTES),
            agent,
            [NO_ROLLBACK, RELAY_ONLY],
            None,
            token,
            lambda: self._connections.connected_users,
        )

    def _make_handlers(self) -> dict[type[Value], Callable[[Any], None]]:
        """Return the method for each class of event."""
        return {
            Negotiate: lambda effect: self._connections.carry_out(effect.user, effect.commands),
            messages.Welcome: self._welcome_received,
            Refused: self._request_refused,
            Interrupted: self._connection_interrupted,
            Resumed: self._connection_resumed,
            Disconnected: self._connection_ended,
            InvalidMessage: self._invalid_message_received,
            messages.Opened: self._session_entered,
            messages.Joined: self._session_entered,
            messages.NotAdmitted: self._return.not_admitted,
            messages.HostChanged: self._return.host_changed,
            messages.MemberJoined: self._member_came,
            messages.MemberRenewed: self._member_came,
            messages.MemberLeft: self._member_left,
            messages.Ended: self._session_ended,
        }

    async def connect(self) -> None:
        """Connect to the server, and wait for its welcome.

        Raises:
            UnreachableError: there is no server, it is not trusted, or it does not speak the protocol.
            RefusedError: the server refuses this client.
            ValueError: the authorities to trust cannot be read.

        """
        self._welcomed = asyncio.get_running_loop().create_future()
        await self._socket.connect()
        await self._welcomed

    async def open_session(
        self,
        capacity: int = 2,
        *,
        label: str | None = None,
        password: str | None = None,
        lobby: bool = False,
        succession: bool = False,
        relay_only: bool = False,
    ) -> str:
        """Open a session and return its id; a peer is in one session at most, in its whole life.

        Arguments:
            capacity: most members at a time.
            label: the session's display name, up to 64 characters.
            password: the password that everyone who joins has to give.
            lobby: whether each user who joins has to be admitted with `admit_user`.
            succession: whether the session outlives this peer.
            relay_only: whether all members connect through TURN servers alone.

        Raises:
            RefusedError: the server refuses the request.
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
        self._return.requested(request)
        opened: Any = await self._send_and_wait(request)
        session: str = opened.session
        return session

    async def join_session(self, session: str, password: str | None = None) -> str:
        """Join a session by its id as people write it, or by the link to it, and return the canonical id.

        Where the host has to admit this peer, the call waits for that.

        Raises:
            ValueError: the text holds no session id; the argument is a sentence for people.
            RefusedError: the server or the host refuses the request.
            UnreachableError: the connection was lost for good.

        """
        canonical = find_session_id(session)
        request = messages.Join(canonical, name=self._name, password=password)
        self._return.requested(request)
        await self._send_and_wait(request)
        return canonical

    # In the session

    def send_message(self, content: str, to: str | None = None) -> None:
        """Send up to 16,384 characters to a member, or to all; a refusal comes as an event.

        A message that is sent while the connection to the server is lost is delivered after the resume.
        """
        if self.session is not None:
            self._socket.perform(self._client.send_message(self.session, content, to))

    async def change_session(
        self, *, label: str | None = None, locked: bool | None = None, lobby: bool | None = None
    ) -> None:
        """As the host, change the settings that are not None; the errors are those of `open_session`."""
        await self._send_and_wait(messages.Change(self._require_session(), label=label, locked=locked, lobby=lobby))

    async def admit_user(self, user: str) -> None:
        """As the host, admit a user who waits in the lobby (`messages.Knock`); raises the errors of `open_session`."""
        await self._send_and_wait(messages.Admit(self._require_session(), user))

    async def refuse_user(self, user: str) -> None:
        """As the host, turn away a user who waits in the lobby; raises the errors of `open_session`."""
        await self._send_and_wait(messages.Refuse(self._require_session(), user))

    async def remove_member(self, user: str) -> None:
        """As the host, end a guest's membership; raises the errors of `open_session`."""
        await self._send_and_wait(messages.Remove(self._require_session(), user))

    async def make_host(self, user: str) -> None:
        """As the host, make a guest the host; raises the errors of `open_session`."""
        await self._send_and_wait(messages.HandOver(self._require_session(), user))

    async def end_session(self) -> None:
        """As the host, end the session for all; raises the errors of `open_session`."""
        await self._send_and_wait(messages.End(self._require_session()))

    # The end

    async def wait_until_ended(self) -> str:
        """Wait for the end of the call, and return its reason (`report.Report`)."""
        await self._ended.wait()
        return self.report.reason

    def stop(self, reason: str) -> None:
        """End the call with this reason, unless it has ended: `wait_until_ended` returns."""
        if not self._ended.is_set():
            self._return.stop()
            self.report.reason = reason
            self._ended.set()

    async def close(self) -> Report:
        """Leave the session, close every connection, and return the report."""
        if self.session is not None and self._client.state == READY:
            self._socket.perform(self._client.leave_session(self.session))
        await self._connections.close_all()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close()
        except TimeoutError:
            self._socket.abort()
        return self.report

    # Requests

    def _require_session(self) -> str:
        """Return the session's id.

        Raises:
            RefusedError: the peer is in no session.

        """
        if self.session is None:
            raise RefusedError("not-a-member", "You are not in a session.")
        return self.session

    async def _send_and_wait(self, request: Message) -> Message:
        return await self._pending_replies.send_and_wait(request, self._send_request)

    def _send_request(self, message: Message) -> None:
        self._socket.perform(self._client.send_request(message))

    # Events of the connection to the server

    def _handle_event(self, event: Value) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        if isinstance(event, Negotiate):
            return
        self._pending_replies.settle(event)
        if self._on_event is not None:
            self._on_event(event)

    def _welcome_received(self, event: messages.Welcome) -> None:
        self.report.reference = event.reference
        if self._welcomed is not None and not self._welcomed.done():
            self._welcomed.set_result(None)

    def _request_refused(self, event: Refused) -> None:
        _log.info("The server refused %s: %s", event.about, event.code)
        self._return.refused(event)
        # Only a refused handshake fails `connect`: other requests may be refused before the welcome, too many for one.
        if event.about == "hello" and self._welcomed is not None and not self._welcomed.done():
            self.stop(event.code)
            self._welcomed.set_exception(RefusedError(event.code, event.sentence))

    def _connection_interrupted(self, event: Interrupted) -> None:
        _log.info("There is no connection to the server; the next attempt comes after %.1f s.", event.seconds)
        if self._welcomed is not None and not self._welcomed.done():
            error = UnreachableError(f"The connection to {self._address.authority} was lost.")
            self._welcomed.set_exception(error)
        if self._grace_timer is None:
            grace = (self._client.welcome.grace if self._client.welcome is not None else None) or 0.0
            if self._connections:
                # The call goes on, and a server that has crashed lets the peer in again with its ticket.
                grace = max(grace, RETURN_SECONDS)
            self._grace_timer = asyncio.get_running_loop().call_later(grace, self.stop, "disconnected")

    def _connection_resumed(self, event: Resumed) -> None:
        _log.info("The connection to the server is back; it kept: %s.", event.survival)
        self.report.reconnects += 1
        self._cancel_grace_timer()
        if event.survival == NOTHING and self.session is not None:
            self._return.start()

    def _return_given_up(self) -> None:
        # Connections with members last for as long as their media flows; others cannot be negotiated any more.
        self._connections.close_unconnected()
        self._stay_alone = False
        self._stop_if_alone("disconnected")

    def _connection_ended(self, event: Disconnected) -> None:
        self._cancel_grace_timer()
        self.stop("disconnected")

    def _invalid_message_received(self, event: InvalidMessage) -> None:
        _log.warning("The server sent an invalid message: %s", event.sentence)

    def _cancel_grace_timer(self) -> None:
        if self._grace_timer is not None:
            self._grace_timer.cancel()
            self._grace_timer = None

    # Events of the session

    def _session_entered(self, event: messages.Opened | messages.Joined) -> None:
        if self.session not in (None, event.session):
            return
        self.session = self.report.session = event.session
        self._relay_only = event.relay_only
        members = event.members or []
        if not self._return.active:
            # Those who are not back yet on the server that has crashed may still be connected.
            self._connections.close_others(members)
        self._return.entered(event)
        for member in members:
            self._connect_member(event.session, member)

    def _session_ended(self, event: messages.Ended) -> None:
        if event.session == self.session:
            self.stop(event.reason)

    def _member_came(self, event: messages.MemberJoined | messages.MemberRenewed) -> None:
        self._connect_member(event.session, event.member)

    def _member_left(self, event: messages.MemberLeft) -> None:
        if event.session == self.session:
            self._connections.close(event.user)
            self._stop_if_alone(event.reason)

    def _connect_member(self, session: str, member: messages.Member) -> None:
        negotiator = self._client.negotiator(session, member.user)
        if negotiator is not None and session == self.session:
            self._connections.connect(
                negotiator, member, self._client.ice_servers, session=session, relay_only=self._relay_only
            )

    def _connection_failed(self) -> None:
        self._stop_if_alone("connection-failed")

    def _stop_if_alone(self, reason: str) -> None:
        if not self._connections and not self._stay_alone:
            self.stop(reason)
