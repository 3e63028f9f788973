"""The sheet about verification and privacy: the code, the path, and whether the own address is hidden."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser import storage
from ..browser.bridge import BrowserError, call, get, put, spawn, window
from ..browser.page import PagePart
from ..model import texts as sentences
from ..model.webrtc_stats import figures
from .verify_view import path, symbols, view

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.page import Page
    from ..browser.peer_connection import PeerConnection
    from ..model.page_state import PageState
    from ..model.trust import Trust

__all__ = ["VerifySheet"]

LOOK_EVERY = 2.0
"""Seconds between two looks at the path, which an ICE restart may change."""


class VerifySheet:
    """The dialog `verify`: about one person at a time."""

    def __init__(
        self, page: Page, state: PageState, trust: Trust, peers: Callable[[], dict[str, PeerConnection]]
    ) -> None:
        """Take the page's dialog; `peers` returns the connections there are."""
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
        self._looking = False
        page.on("verify-match", "click", lambda event: self._answer(True))
        page.on("verify-differ", "click", lambda event: self._answer(False))
        page.on("verify-who", "change", lambda event: self._choose(get(page.element("verify-who"), "value")))
        page.on("relay-only", "change", lambda event: self._hide_address())

    def open(self, user: str) -> None:
        """Show it, about this person; about the one before, or the first, if empty."""
        if get(self._dialog, "open"):
            return
        put(self._page.element("relay-only"), "checked", self._state.network.relay_only)
        call(self._dialog, "showModal")
        self._choose(user or self._user)
        if not self._looking:
            self._looking = True
            spawn(self._look())

    def follow(self) -> None:
        """Show what is so now."""
        if not get(self._dialog, "open"):
            return
        state = self._state
        people = [(other.user, other.name or sentences.THE_OTHER) for other in state.participants.others]
        if people != self._people:
            self._list(people)
        names = [name for user, name in people if user == self._user]
        if people and not names:
            self._path = ""
            self._user, name = people[0]
            names = [name]
        exchange = self._trust.of(self._user) if names else None
        without_turn = state.in_session and not state.network.turn_available
        self._part.show(
            view(
                exchange,
                names[0] if names else "",
                self._path,
                len(people),
                without_turn,
                state.in_session and state.session.relay_only,
            )
        )
        if exchange is not None:
            call(self._page.element("verify-person"), "setAttribute", "data-trust", exchange.state)
            self._write(exchange.code)

    def _choose(self, user: str) -> None:
        self._user, self._path = user, ""
        self.follow()
        put(self._page.element("verify-who"), "value", self._user)

    def _answer(self, alike: bool) -> None:
        self._trust.answer(self._user, alike)

    def _hide_address(self) -> None:
        self._state.network.relay_only = bool(get(self._page.element("relay-only"), "checked"))
        storage.save_relay_only(self._state.network.relay_only)

    async def _look(self) -> None:
        """Find out which way picture and sound go, as long as somebody wants to know."""
        while get(self._dialog, "open"):
            user = self._user
            peer = self._peers().get(user)
            try:
                found = "" if peer is None else path(figures(await peer.statistics()))
            except BrowserError:
                found = ""
            if user == self._user:
                self._path = found
                self.follow()
            await asyncio.sleep(LOOK_EVERY)
        self._looking = False

    # Lists

    def _list(self, people: list[tuple[str, str]]) -> None:
        self._people = people
        choice = self._page.element("verify-who")
        put(choice, "textContent", "")
        for user, name in people:
            option = _make("option", name)
            put(option, "value", user)
            call(choice, "append", option)
        put(choice, "value", self._user)

    def _write(self, code: list[int]) -> None:
        if code == self._code:
            return
        self._code = code
        row = self._page.element("verify-code")
        put(row, "textContent", "")
        for emoji, word in symbols(code):
            item = _make("li", "")
            picture = _make("span", emoji)
            # The word says the same; what a screen reader calls the picture may be another word.
            call(picture, "setAttribute", "aria-hidden", "true")
            call(item, "append", picture, _make("span", word))
            call(row, "append", item)


def _make(tag: str, text: str) -> Any:
    element = call(get(window, "document"), "createElement", tag)
    put(element, "textContent", text)
    return element
