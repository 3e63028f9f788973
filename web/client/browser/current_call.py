"""Access to the current call, for the features of the page that outlive a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.peer_messaging import PeerMessaging
from ..model.shown_pictures import ShownPictures
from .bridge import BrowserJson, get, window

if TYPE_CHECKING:
    from .call import Call
    from .peer_connection import PeerConnection

__all__ = ["CurrentCall"]


class CurrentCall:
    """Passes requests to the current call; between calls a request has no effect.

    Attributes:
        call: the call; None between calls.
        messaging: the messages between the pages of the call.
        shown_pictures: how large this page and the others show pictures.

    """

    def __init__(self) -> None:
        self.call: Call | None = None
        self.messaging = PeerMessaging(BrowserJson(), self._send_text)
        self.shown_pictures = ShownPictures(self.messaging)

    @property
    def user(self) -> str:
        """The user id of this person; empty between calls, and before the server has given it."""
        return "" if self.call is None else self.call.user

    def end(self) -> None:
        """End the call."""
        if self.call is not None:
            # The attribute is cleared first, because the call triggers a refresh while it ends.
            ended, self.call = self.call, None
            ended.end()

    def update(self) -> None:
        """Give the signals of what others did, because the page's state has changed."""
        if self.call is not None:
            self.call.signals.update()

    def peers(self) -> dict[str, PeerConnection]:
        """Return the peer connections by user."""
        return {} if self.call is None else self.call.peers.by_user

    def descriptions(self, user: str) -> tuple[str, str]:
        """Return the local and the remote SDP of the peer connection with this user; empty if there is none."""
        peer = self.peers().get(user)
        return ("", "") if peer is None else peer.descriptions

    def replace_track(self, kind: str) -> None:
        """Send the current local track of this kind."""
        if self.call is not None:
            self.call.peers.replace_track(kind)

    def replace_screen(self) -> None:
        """Send the current tracks of the shared screen."""
        if self.call is not None:
            self.call.peers.replace_screen()

    def answer_knock(self, user: str, admitted: bool) -> None:
        """Admit or refuse a visitor who waits in the lobby."""
        if self.call is not None:
            self.call.answer_knock(user, admitted)

    def probe_network(self, network_changed: bool) -> None:
        """Check every connection now, if the page is visible."""
        if self.call is not None and get(window, "document", "visibilityState") == "visible":
            self.call.probe_network(network_changed)

    def _send_text(self, user: str, text: str) -> bool:
        return self.call is not None and self.call.peers.send_text(user, text)
