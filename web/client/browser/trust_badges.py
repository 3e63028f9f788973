"""The shields beside people's names, and the way to the sheet that tells what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.trust import badge
from .bridge import call, get, listen, load_extras, put, spawn

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..extras.verify_sheet import VerifySheet
    from ..model.page_state import PageState
    from ..model.trust import Trust
    from .page import Page
    from .peer_connection import PeerConnection

__all__ = ["TrustBadges"]


class TrustBadges:
    """All of them, one in each tile."""

    def __init__(
        self, page: Page, state: PageState, trust: Trust, peers: Callable[[], dict[str, PeerConnection]]
    ) -> None:
        """Take the tiles of the page; `peers` returns the connections there are."""
        self._page = page
        self._state = state
        self._trust = trust
        self._peers = peers
        self._room = page.element("remotes")
        self._sheet: VerifySheet | None = None
        listen(self._room, "click", self._pressed)
        for name in ("privacy", "open-verify"):
            page.on(name, "click", lambda event: spawn(self._open("")))

    def follow(self) -> None:
        """Show what is known of each person now."""
        for figure in call(self._room, "querySelectorAll", ".remote"):
            other = self._state.participants.find(_user(figure))
            button = call(figure, "querySelector", ".trust")
            put(button, "hidden", other is None or call(figure, "getAttribute", "data-screen") == "true")
            if other is None:
                continue
            icon, label = badge(self._trust.of(other.user), other.name)
            if call(button, "getAttribute", "aria-label") != label:
                call(button, "setAttribute", "aria-label", label)
                put(button, "title", label)
                call(button, "setAttribute", "data-icon", icon)
                call(call(button, "querySelector", "use"), "setAttribute", "href", "#icon-" + icon)
        if self._sheet is not None:
            self._sheet.follow()

    def _pressed(self, event: Any) -> None:
        button = call(get(event, "target"), "closest", ".trust")
        if button is not None:
            spawn(self._open(_user(call(button, "closest", ".remote"))))

    async def _open(self, user: str) -> None:
        """Show the sheet, about this person or else the first."""
        if self._sheet is None:
            if not await load_extras():
                return
            from ..extras.verify_sheet import VerifySheet

            self._sheet = VerifySheet(self._page, self._state, self._trust, self._peers)
        self._sheet.open(user)


def _user(figure: Any) -> str:
    return call(call(figure, "querySelector", "video"), "getAttribute", "data-user") or ""
