"""The dialog about verification and privacy: the code, the path, and the choice to hide the address."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser import storage
from ..browser.bridge import BrowserError, call, get, put, spawn
from ..browser.page import PagePart
from ..model import texts as sentences
from ..model.webrtc_stats import totals
from .elements import create, list_options, svg
from .verify_view import path, symbols, view

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..browser.page import Page
    from ..browser.peer_connection import PeerConnection
    from ..model.page_state import PageState
    from ..model.trust import Trust

__all__ = ["VerifySheet"]

POLL_SECONDS = 2.0
"""Seconds between two polls of the path, which an ICE restart may change."""


class VerifySheet:
    """Controls the dialog `verify`, which is about one participant at a time."""

    def __init__(
        self, page: Page, state: PageState, trust: Trust, peers: Callable[[], dict[str, PeerConnection]]
    ) -> None:
        """Listen to the elements of the page; `peers` returns the peer connections by user."""
        self._page = page
        self._state = state
        self._trust = trust
        self._peers = peers
        self._part = PagePart(page)
        self._dialog = page.element("verify")
        self._user = ""
        self._path = ""
        self._people: list[tuple[str, str]] = []
        self._code: list[int] = []
        self._polling = False
        page.on_click("verify-match", lambda: self._answer(True))
        page.on_click("verify-differ", lambda: self._answer(False))
        page.on("verify-who", "change", lambda event: self._choose(get(page.element("verify-who"), "value")))
        page.on("relay-only", "change", lambda event: self._hide_address())

    def open(self, user: str) -> None:
        """Open the dialog about a user; if empty, about the previous or the first one."""
        if get(self._dialog, "open"):
            return
        put(self._page.element("relay-only"), "checked", self._state.network.relay_only)
        call(self._dialog, "showModal")
        self._choose(user or self._user)
        if not self._polling:
            self._polling = True
            spawn(self._poll_path())

    def update(self) -> None:
        """Draw the present state."""
        if not get(self._dialog, "open"):
            return
        state = self._state
        people = [(member.user, member.name or sentences.THE_OTHER) for member in state.participants.members]
        if people != self._people:
            self._list_people(people)
        names = [name for user, name in people if user == self._user]
        if people and not names:
            self._path = ""
            self._user, name = people[0]
            names = [name]
        verification = self._trust.verification(self._user) if names else None
        without_turn = state.in_session and not state.network.turn_available
        self._part.show(
            view(
                verification,
                names[0] if names else "",
                self._path,
                len(people),
                without_turn,
                state.in_session and state.session.relay_only,
            )
        )
        if verification is not None:
            call(self._page.element("verify-person"), "setAttribute", "data-trust", verification.state)
            self._show_code(verification.code)

    def _choose(self, user: str) -> None:
        self._user, self._path = user, ""
        self.update()
        put(self._page.element("verify-who"), "value", self._user)

    def _answer(self, match: bool) -> None:
        self._trust.answer(self._user, match)

    def _hide_address(self) -> None:
        self._state.network.relay_only = bool(get(self._page.element("relay-only"), "checked"))
        storage.save_relay_only(self._state.network.relay_only)

    async def _poll_path(self) -> None:
        """Poll the path of the media while the dialog is open."""
        while get(self._dialog, "open"):
            user = self._user
            peer = self._peers().get(user)
            try:
                found = "" if peer is None else path(totals(await peer.statistics()))
            except BrowserError:
                found = ""
            if user == self._user:
                self._path = found
                self.update()
            await asyncio.sleep(POLL_SECONDS)
        self._polling = False

    # The lists of people, and of the symbols of the code

    def _list_people(self, people: list[tuple[str, str]]) -> None:
        self._people = people
        list_options(self._page.element("verify-who"), people, self._user)

    def _show_code(self, code: list[int]) -> None:
        if code == self._code:
            return
        self._code = code
        row = self._page.element("verify-code")
        put(row, "textContent", "")
        pictures = call(row, "getAttribute", "data-pictures")
        for ident, word in symbols(code):
            item = create("li")
            # The word says the same as the picture.
            picture = svg("svg", {"aria-hidden": "true"})
            call(picture, "append", svg("use", {"href": pictures + "#" + ident}))
            call(item, "append", picture, create("span", word))
            call(row, "append", item)
