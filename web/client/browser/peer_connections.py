"""The peer connections of a call, one with each other person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import mesh
from .bridge import now
from .peer_connection import PeerConnection

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from signald_client.signaling.negotiation import Negotiator
    from signald_client.signaling.wire import Message, Value

    from ..model.page_state import PageState
    from ..model.peer_messaging import PeerMessaging
    from .local_media import LocalMedia
    from .screen_share import ScreenShare

__all__ = ["PeerConnections"]


class PeerConnections:
    """All of them; they follow the page's state, which is told what becomes of them.

    Attributes:
        by_user: the connections.
        ice_servers: W3C `RTCIceServer` dicts for those that are made from now on (`supply`).

    """

    def __init__(
        self,
        state: PageState,
        media: LocalMedia,
        screen: ScreenShare,
        messaging: PeerMessaging,
        send: Callable[[Message], None],
        changed: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        """Begin without any.

        Args:
            state: the page's.
            media: the own tracks.
            screen: what the person shows of their screen.
            messaging: told of the channels and of what comes through them.
            send: takes what the negotiators send.
            changed: called when the state changed.
            log: takes lines for whoever looks for a fault.

        """
        self.by_user: dict[str, PeerConnection] = {}
        self.ice_servers: list[dict[str, Any]] = []
        self.send = send
        self.log = log
        self._state = state
        self._media = media
        self._screen = screen
        self._messaging = messaging
        self._changed = changed

    def connect(self, negotiator: Negotiator, calls: bool) -> None:
        """Make the connection of a pair; `calls`: this side offers first."""
        configuration = {
            "iceServers": self.ice_servers,
            "iceTransportPolicy": "relay" if self._state.hides else "all",
        }
        self.by_user[negotiator.remote_user] = PeerConnection(
            negotiator, configuration, self._media, self._screen, calls, self
        )

    def supply(self, ice_servers: list[dict[str, Any]]) -> None:
        """Use these servers from now on, and for the next paths of the connections that there are."""
        self.ice_servers = ice_servers
        for peer in self.by_user.values():
            peer.supply(ice_servers)

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

    def share(self) -> None:
        """The person shows something else of their screen, or nothing any more."""
        for peer in list(self.by_user.values()):
            peer.share()

    def tell(self, user: str, text: str) -> bool:
        """Send a text to somebody's page; False when there is no way now."""
        return user in self.by_user and self.by_user[user].tell(text)

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
                self._messaging.closed(user)

    def close_all(self) -> None:
        """Close every connection."""
        self.close(list(self.by_user))

    # What a connection tells

    def connection_changed(self, peer: PeerConnection, connection: str) -> None:
        """It is in another `RTCPeerConnectionState`."""
        if self.by_user.get(peer.user) is peer:
            self._state.connection_changed(peer.user, connection)
            self._changed()

    def negotiation_failed(self, user: str) -> None:
        """A negotiation with this user came to nothing."""
        self._state.disagreed(user)
        self._changed()

    def described(self) -> None:
        """A connection has another description."""
        self._changed()

    def track_came(self) -> None:
        """Somebody sends one more track."""
        self._changed()

    def channel_opened(self, peer: PeerConnection) -> None:
        """Texts can be sent."""
        if self.by_user.get(peer.user) is peer:
            self._messaging.opened(peer.user, now())

    def text_came(self, peer: PeerConnection, text: str) -> None:
        """A text came."""
        if self.by_user.get(peer.user) is peer:
            self._messaging.received(peer.user, text, now())
            if self._messaging.speaks(peer.user) and not peer.speaks:
                peer.understood()

    def channel_closed(self, peer: PeerConnection) -> None:
        """The channel is over, maybe before the connection."""
        if self.by_user.get(peer.user) is peer:
            self._messaging.closed(peer.user)
