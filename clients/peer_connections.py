"""The WebRTC connections of one peer, one with each other member."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from signald_client.data_channel import ChannelObserver
from signald_client.media import Media
from signald_client.peer_connection import PeerConnection
from signald_client.report import Report
from signald_client.signaling import messages
from signald_client.signaling.negotiation import Negotiator
from signald_client.signaling.wire import Message, Value

__all__ = ["PeerConnections"]

_log = logging.getLogger(__name__)


class PeerConnections:
    """The connections of one peer, by the other members' users."""

    def __init__(
        self,
        make_media: Callable[[], Media],
        send: Callable[[Message], None],
        on_failed: Callable[[], None],
        report: Report,
        channels: ChannelObserver | None = None,
    ) -> None:
        """Start without a connection.

        Arguments:
            make_media: returns the media of one connection.
            send: sends a request to the server.
            on_failed: called when a connection could not be created, or was lost and is closed.
            report: gets the figures of each connection.
            channels: is told about each connection and its data channel; without it there are no channels.

        """
        self._make_media = make_media
        self._send = send
        self._on_failed = on_failed
        self._report = report
        self._channels = channels
        self._count = 0
        self._by_user: dict[str, PeerConnection] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        """Whether there is a connection."""
        return bool(self._by_user)

    @property
    def connected_users(self) -> list[str]:
        """The members with whom a connection is established."""
        return [user for user, connection in self._by_user.items() if connection.is_connected]

    def connect(
        self,
        negotiator: Negotiator,
        member: messages.Member,
        ice_servers: Sequence[messages.IceServer],
        *,
        session: str,
        relay_only: bool,
    ) -> None:
        """Keep the connection with a member that still has it as well, or create a new one.

        Arguments:
            negotiator: the negotiator for the member.
            member: the member, as the latest event describes it.
            ice_servers: STUN and TURN servers for a new connection.
            session: the session's canonical id.
            relay_only: whether a new connection has to go through TURN servers.

        """
        kept = self._by_user.get(member.user)
        if kept is not None and member.connected:
            kept.attach(negotiator)
            return
        self.close(member.user)
        try:
            media = self._make_media()
        except Exception:  # noqa: BLE001, an error in an application's class costs one connection, not the peer
            _log.error("The media of a connection could not be created.", exc_info=True)
            self._on_failed()
            return
        self._count += 1
        connection = PeerConnection(
            negotiator,
            media,
            ice_servers,
            self._send,
            self._connection_failed,
            time.monotonic,
            relay_only=relay_only,
            number=self._count,
            name=member.name or "",
            session=session,
            channels=self._channels,
        )
        self._by_user[member.user] = connection
        if self._channels is not None:
            self._channels.connection_opened(connection)
        self._report.members.append(connection.report)
        connection.start_negotiation()

    def carry_out(self, user: str, commands: Sequence[Value]) -> None:
        """Carry out the commands of the negotiator for a member."""
        if user in self._by_user:
            self._by_user[user].carry_out(commands)

    def close(self, user: str) -> None:
        """Close the connection with a member, if there is one, in the background."""
        connection = self._by_user.pop(user, None)
        if connection is not None:
            if self._channels is not None:
                self._channels.connection_closed(connection)
            task = asyncio.ensure_future(connection.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def close_others(self, members: Sequence[messages.Member]) -> None:
        """Close the connections with everybody else than these members."""
        users = {member.user for member in members}
        for user in [user for user in self._by_user if user not in users]:
            self.close(user)

    def close_unconnected(self) -> None:
        """Close the connections that are not established."""
        for user in [user for user, connection in self._by_user.items() if not connection.is_connected]:
            self.close(user)

    async def close_all(self) -> None:
        """Close every connection, and wait until they are closed."""
        for user in list(self._by_user):
            self.close(user)
        await asyncio.gather(*self._closing)

    def _connection_failed(self, connection: PeerConnection) -> None:
        if self._by_user.get(connection.report.user) is connection:
            self.close(connection.report.user)
            self._on_failed()
