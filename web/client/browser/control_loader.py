"""Loads remote control when another member first offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import load_extras, spawn

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
        self, state: PageState, messaging: PeerMessaging, tiles: Tiles, is_verified: Callable[[str], bool]
    ) -> None:
        """Subscribe to offers.

        Arguments:
            state: the page's state.
            messaging: the messages between the pages.
            tiles: the pictures.
            is_verified: returns whether the person has verified the connection with a user.

        """
        self._state = state
        self._messaging = messaging
        self._tiles = tiles
        self._is_verified = is_verified
        self._control: RemoteControl | None = None
        self._offers: list[tuple[str, dict[str, Any]]] = []
        messaging.on_message("control-offer", self._offered)

    def update(self) -> None:
        """Show the present state."""
        if self._control is not None:
            self._control.update()

    def _offered(self, user: str, message: dict[str, Any]) -> None:
        self._offers.append((user, message))
        if len(self._offers) == 1:
            spawn(self._load())

    async def _load(self) -> None:
        loaded = await load_extras()
        offers, self._offers = self._offers, []
        if loaded and self._control is None:
            from ..extras.remote_control import RemoteControl

            self._control = RemoteControl(self._state, self._messaging, self._tiles, self._is_verified)
            for user, message in offers:
                # Who has left meanwhile offers nothing any more.
                if self._messaging.is_ready(user):
                    self._control.viewer.offered(user, message)
