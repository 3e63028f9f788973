"""Loads remote control when another member first offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from .bridge import listen, load_extras, spawn, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..extras.remote_control import RemoteControl
    from ..model.page_state import PageState
    from ..model.peer_messaging import PeerMessaging
    from .tiles import Tiles

__all__ = ["ControlLoader"]


class ControlLoader:
    """Passes the first offers to remote control once it is loaded, and receives none afterwards."""

    def __init__(
        self,
        state: PageState,
        messaging: PeerMessaging,
        tiles: Tiles,
        is_verified: Callable[[str], bool],
        refresh: Callable[[], None],
    ) -> None:
        """Subscribe to offers.

        Arguments:
            state: the page's state.
            messaging: the messages between the pages.
            tiles: the pictures.
            is_verified: returns whether the person has verified the connection with a user.
            refresh: called when the person gets control, or has it no longer.

        """
        self._state = state
        self._messaging = messaging
        self._tiles = tiles
        self._is_verified = is_verified
        self._refresh = refresh
        self._control: RemoteControl | None = None
        self._offers: dict[str, dict[str, Any]] = {}
        self._loading = False
        messaging.on_message("control-offer", self._offered)
        # What could not be fetched is tried again when the person does something.
        listen(window, "click", lambda event: self._load_for_offers())

    @property
    def controls(self) -> bool:
        """Whether this person controls another computer."""
        return self._control is not None and bool(self._control.viewer.controlled)

    def update(self) -> None:
        """Show the present state."""
        if self._control is not None:
            self._control.update()

    def _offered(self, user: str, message: dict[str, Any]) -> None:
        self._offers[user] = message
        self._load_for_offers()

    def _load_for_offers(self) -> None:
        if self._offers and not self._loading:
            self._loading = True
            spawn(self._load())

    async def _load(self) -> None:
        loaded = await load_extras()
        self._loading = False
        if not loaded:
            self._state.notices.announce(texts.NO_EXTRAS)
            return
        offers, self._offers = self._offers, {}
        from ..extras.remote_control import RemoteControl

        self._control = RemoteControl(self._state, self._messaging, self._tiles, self._is_verified, self._refresh)
        for user, message in offers.items():
            # Who has left meanwhile offers nothing any more.
            if self._messaging.is_ready(user):
                self._control.viewer.offered(user, message)
