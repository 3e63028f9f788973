"""The verification badges beside people's names, and the offer to verify, which open the verification sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from ..model.trust import badge
from ..model.verification_offer import VerificationOffer
from . import storage
from .bridge import call, get, listen, load_extras, now, put, spawn, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..extras.verify_sheet import VerifySheet
    from ..model.page_state import PageState
    from ..model.trust import Trust
    from .page import Page
    from .peer_connection import PeerConnection

__all__ = ["TrustBadges"]

OFFER_BUTTONS = ("verify-now", "verify-later")


class TrustBadges:
    """The verification badges, one in each tile."""

    def __init__(
        self, page: Page, state: PageState, trust: Trust, peers: Callable[[], dict[str, PeerConnection]]
    ) -> None:
        """Listen to the badges; `peers` returns the peer connections by user."""
        self._page = page
        self._state = state
        self._trust = trust
        self._peers = peers
        self._remotes = page.element("remotes")
        self._sheet: VerifySheet | None = None
        self._offer = VerificationOffer(storage.offers_verification())
        self._offered = ""
        listen(self._remotes, "click", self._clicked)
        for name in ("privacy", "open-verify"):
            page.on_click(name, lambda: self._open_sheet(""))
        page.on_click("verify-now", lambda: self._open_sheet(self._offered))
        page.on_click("verify-later", self._end_offer)

    def show(self) -> None:
        """Show whether the connection with each participant is verified."""
        for figure in call(self._remotes, "querySelectorAll", ".remote"):
            member = self._state.participants.find(_user(figure))
            button = call(figure, "querySelector", ".trust")
            put(button, "hidden", member is None or call(figure, "getAttribute", "data-screen") == "true")
            if member is None:
                continue
            icon, label = badge(self._trust.verification(member.user), member.name)
            if call(button, "getAttribute", "aria-label") != label:
                call(button, "setAttribute", "aria-label", label)
                put(button, "title", label)
                call(button, "setAttribute", "data-icon", icon)
                call(call(button, "querySelector", "use"), "setAttribute", "href", "#icon-" + icon)
        if self._sheet is not None:
            self._sheet.update()
        self._show_offer()

    def tick(self) -> None:
        """End an offer that nobody answers; call this method about once a second."""
        hidden = get(window, "document", "visibilityState") != "visible"
        held = hidden or call(self._page.element("verify-offer"), "matches", ":hover, :focus-within")
        if self._offer.tick(now(), held):
            self._end_offer()

    def _show_offer(self) -> None:
        """Show the offer to verify a connection, or remove it."""
        self._offer.update(self._state, lambda user: self._trust.verification(user).state)
        user = self._offer.user
        if user == self._offered:
            return
        self._offered = user
        member = self._state.participants.find(user)
        name = texts.THE_OTHER if member is None or not member.name else member.name
        focused = call(self._page.element("verify-offer"), "matches", ":focus-within")
        for button in OFFER_BUTTONS:
            put(self._page.element(button), "hidden", not user)
        put(self._page.element("verify-offer-text"), "textContent", texts.VERIFY_OFFER.format(name) if user else "")
        if focused and not user:
            call(self._page.element("stage"), "focus", {"preventScroll": True})

    def _end_offer(self) -> None:
        """Never offer it again in this browser."""
        if self._offer.end():
            storage.save_verification_offered()
            self._show_offer()

    def _clicked(self, event: Any) -> None:
        button = call(get(event, "target"), "closest", ".trust")
        if button is not None:
            spawn(self._open_sheet(_user(call(button, "closest", ".remote"))))

    async def _open_sheet(self, user: str) -> None:
        """Open the sheet for this participant; an empty user selects the first participant."""
        if self._state.in_session:
            self._end_offer()
        if self._sheet is None:
            if not await load_extras():
                return
            from ..extras.verify_sheet import VerifySheet

            self._sheet = VerifySheet(self._page, self._state, self._trust, self._peers)
        self._sheet.open(user)


def _user(figure: Any) -> str:
    return call(call(figure, "querySelector", "video"), "getAttribute", "data-user") or ""
