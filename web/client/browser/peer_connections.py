"""The peer connections of a call, one with each other participant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.messages import IceError

from ..model import mesh
from ..model.devices import VIDEO
from .bridge import BrowserError, now
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

FAILURE = "no-connection"
"""The text of the `ice-error` for a member to whom this browser opens no connection."""


class PeerConnections:
    """The peer connections of one call; each change of a connection is passed to the page's state.

    Attributes:
        by_user: the connections by user.
        ice_servers: W3C `RTCIceServer` dicts for new connections.
        send: sends a message to another member through the server.
        log: receives log lines for diagnosis.

    """

    def __init__(
        self,
        state: PageState,
        media: LocalMedia,
        screen: ScreenShare,
        messaging: PeerMessaging,
        height_for: Callable[[str], int],
        send: Callable[[Message], None],
        refresh: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        """Start without a connection.

        Arguments:
            state: the page's state.
            media: the local camera and microphone.
            screen: the local shared screen.
            messaging: the messages between the pages.
            height_for: returns the height in pixels in which a user shows the local picture.
            send: sends a message to another member through the server.
            refresh: called when the state has changed.
            log: receives log lines for diagnosis.

        """
        self.by_user: dict[str, PeerConnection] = {}
        self.ice_servers: list[dict[str, Any]] = []
        self.send = send
        self.log = log
        self._state = state
        self._media = media
        self._screen = screen
        self._messaging = messaging
        self._height_for = height_for
        self._refresh = refresh

    @property
    def connected_users(self) -> list[str]:
        """The users with whom a connection was established that has not failed."""
        return [member.user for member in self._state.participants.members if member.is_established]

    def connect(self, negotiator: Negotiator, offers_first: bool, connected: bool) -> None:
        """Create the connection with a member, or keep it where the other side still has it.

        Arguments:
            negotiator: the negotiator of this pair.
            offers_first: whether this side sends the first offer over a new connection.
            connected: whether both sides still have the connection.

        """
        user = negotiator.known_as
        if connected and user in self.by_user:
            self.by_user[user].attach(negotiator)
            return
        self.close([user])
        try:
            self.by_user[user] = PeerConnection(
                negotiator=negotiator,
                configuration={
                    "iceServers": self.ice_servers,
                    "iceTransportPolicy": "relay" if self._state.relay_only else "all",
                },
                media=self._media,
                screen=self._screen,
                # The other side keeps a connection that this side gave up: it cannot make the first offer.
                offers_first=offers_first or connected,
                observer=self,
            )
        except BrowserError as error:
            self.log(f"create: {error.name}: {error.message}")
            self._report_failure(user)
            self._state.connection_refused(user)

    def set_ice_servers(self, ice_servers: list[dict[str, Any]]) -> None:
        """Use these servers for new connections, and for the next ICE restart of the existing connections."""
        self.ice_servers = ice_servers
        for peer in self.by_user.values():
            peer.set_ice_servers(ice_servers)

    def run(self, user: str, commands: list[Value]) -> None:
        """Run the commands of the negotiator with this user."""
        if user in self.by_user:
            self.by_user[user].run(commands)

    def restart_ice(self, users: list[str]) -> None:
        """Restart ICE on the connections with these users."""
        for user in users:
            if user in self.by_user:
                self.by_user[user].run(self.by_user[user].negotiator.restart_ice())

    def replace_track(self, kind: str) -> None:
        """Send the current local track of this kind to all participants, or no track."""
        for peer in list(self.by_user.values()):
            peer.senders.replace_track(kind)

    def replace_screen(self) -> None:
        """Send the current tracks of the shared screen to all participants, or no track."""
        for peer in list(self.by_user.values()):
            peer.senders.replace_screen()

    def send_text(self, user: str, text: str) -> bool:
        """Send a text over the data channel; return False if that is impossible now."""
        return user in self.by_user and self.by_user[user].send_text(text)

    def match_participants(self) -> None:
        """Close the connections with users who left, and limit the video to each of the others by what they show."""
        self.close([user for user in self.by_user if self._state.participants.find(user) is None])
        shown = {user: self._height_for(user) for user in self.by_user}
        sharing = self._screen.track(VIDEO) is not None
        for user, bounds in mesh.divide_uplink(shown, self._media.picture_height, sharing).items():
            self.by_user[user].senders.limit_video(bounds)

    def close(self, users: list[str]) -> None:
        """Close the connections with these users."""
        for user in users:
            peer = self.by_user.pop(user, None)
            if peer is not None:
                peer.close()
                self._messaging.channel_closed(user)

    def close_all(self) -> None:
        """Close every connection."""
        self.close(list(self.by_user))

    def _report_failure(self, user: str) -> None:
        """Tell a member that this side has no connection to them, so that they need not wait for one."""
        self.send(IceError(self._state.session.id, user, FAILURE))

    # Methods of `ConnectionObserver`

    def connection_changed(self, peer: PeerConnection, connection: str) -> None:
        """Pass a new `RTCPeerConnectionState` to the page's state."""
        if self.by_user.get(peer.user) is peer:
            self._state.connection_changed(peer.user, connection)
            self._refresh()

    def negotiation_failed(self, user: str) -> None:
        """Pass a failed negotiation to the page's state."""
        member = self._state.participants.find(user)
        if member is not None and not member.was_connected:
            self._report_failure(user)
        self._state.negotiation_failed(user)
        self._refresh()

    def media_changed(self) -> None:
        """Update the page, because a connection has a new description or one more remote track."""
        for user, peer in self.by_user.items():
            self._state.sound_negotiated(user, peer.sound_direction)
        self._refresh()

    def channel_opened(self, peer: PeerConnection) -> None:
        """Start the exchange of messages with a page."""
        if self.by_user.get(peer.user) is peer:
            self._messaging.channel_opened(peer.user, now())

    def receive(self, peer: PeerConnection, text: str) -> None:
        """Pass a text from the data channel to the messaging."""
        if self.by_user.get(peer.user) is peer:
            self._messaging.receive(peer.user, text, now())
            if self._messaging.is_ready(peer.user) and not peer.senders.understands_messages:
                peer.senders.enable_messages()

    def channel_closed(self, peer: PeerConnection) -> None:
        """Stop the exchange of messages with a page whose channel has closed, possibly before the connection."""
        if self.by_user.get(peer.user) is peer:
            self._messaging.channel_closed(peer.user)
