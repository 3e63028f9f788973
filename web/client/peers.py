"""The peer connections of a call, one with each other person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import mesh
from .peer import Peer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from signald_client.signaling.negotiation import Negotiator
    from signald_client.signaling.wire import Message, Value

    from .media import Media
    from .state import PageState

__all__ = ["Peers"]


class Peers:
    """All of them; they follow the page's state, which is told what becomes of them.

    Attributes:
        by_user: the connections.
        ice_servers: W3C `RTCIceServer` dicts for those that are made from now on.

    """

    def __init__(
        self,
        state: PageState,
        media: Media,
        send: Callable[[Message], None],
        changed: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        """Begin without any.

        Args:
            state: the page's.
            media: the own tracks.
            send: takes what the negotiators send.
            changed: called when the state changed.
            log: takes lines for whoever looks for a fault.

        """
        self.by_user: dict[str, Peer] = {}
        self.ice_servers: list[dict[str, Any]] = []
        self._state = state
        self._media = media
        self._send = send
        self._changed = changed
        self._log = log

    def connect(self, negotiator: Negotiator, calls: bool) -> None:
        """Make the connection of a pair; `calls`: this side offers first."""
        self.by_user[negotiator.other] = Peer(
            negotiator,
            self.ice_servers,
            self._media,
            calls,
            self._send,
            self._connection_changed,
            self._negotiation_failed,
            self._log,
        )

    def run(self, user: str, commands: list[Value]) -> None:
        """Carry out what somebody's negotiator wants."""
        if user in self.by_user:
            self.by_user[user].run(commands)

    def seek_paths(self, users: list[str]) -> None:
        """Seek new paths to these (ICE restart)."""
        for user in users:
            if user in self.by_user:
                self.by_user[user].run(self.by_user[user].negotiator.restart_ice())

    def replace_track(self, kind: str) -> None:
        """The own track of this kind is another one, or none."""
        for peer in list(self.by_user.values()):
            peer.replace_track(kind)

    def follow(self) -> None:
        """Close the connections with those who are gone, and bound the others by their number."""
        self.close([user for user in self.by_user if self._state.other(user) is None])
        for peer in self.by_user.values():
            peer.bound_video(*mesh.video_bounds(len(self.by_user)))

    def close(self, users: list[str]) -> None:
        """Close the connections with these."""
        for user in users:
            peer = self.by_user.pop(user, None)
            if peer is not None:
                peer.close()

    def close_all(self) -> None:
        """Close every connection."""
        self.close(list(self.by_user))

    def _connection_changed(self, peer: Peer, connection: str) -> None:
        if self.by_user.get(peer.user) is peer:
            self._state.connection_changed(peer.user, connection)
            self._changed()

    def _negotiation_failed(self, user: str) -> None:
        self._state.disagreed(user)
        self._changed()
