"""The way to the list of people and to what a host is asked, which are fetched when they are first wanted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model import texts
from .bridge import load_extras, spawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..extras.people_panel import PeoplePanel
    from ..model.media_status import MediaStatus
    from ..model.page_state import PageState
    from .call import Call
    from .page import Page

__all__ = ["PeopleController"]

ASK_WITHIN = 2.0
"""Seconds for what asks a host to arrive: a network that is gone must keep nobody in a call."""


class PeopleController:
    """The others in a call, as far as the person does something about them."""

    def __init__(
        self,
        page: Page,
        state: PageState,
        media_status: MediaStatus,
        current: Callable[[], Call | None],
        changed: Callable[[], None],
    ) -> None:
        """Begin without the list; the arguments are those of `PeoplePanel`."""
        self._state = state
        self._changed = changed
        self._given = (page, state, media_status, current, changed)
        self._panel: PeoplePanel | None = None
        self._name = ""
        self._wanted = False

    def hang_up(self) -> None:
        """The person ends their part; a host is asked what becomes of the others."""
        if self._state.leads:
            spawn(self._ask())
        else:
            self._state.hung_up()
            self._changed()

    def follow(self, name: str) -> None:
        """Show who is in the call, where that is to be seen; the person calls themselves `name`."""
        self._name = name
        if self._panel is not None:
            self._panel.follow(name)
        elif self._state.layout.side_panel != "people":
            self._wanted = False
        elif not self._wanted:
            self._wanted = True
            spawn(self._open())

    async def _ask(self) -> None:
        try:
            panel = await asyncio.wait_for(self._loaded(), ASK_WITHIN)
        except asyncio.TimeoutError:  # noqa: UP041 - MicroPython has no builtin of this name
            panel = None
        if panel is not None:
            panel.ask_to_leave()
        else:
            # Without the server nothing else could be done either.
            self._state.hung_up()
            self._changed()

    async def _open(self) -> None:
        if await self._loaded() is None:
            self._state.notices.problem = texts.SERVER_UNREACHABLE
        self._changed()

    async def _loaded(self) -> PeoplePanel | None:
        if not await load_extras():
            return None
        from ..extras.people_panel import PeoplePanel

        if self._panel is None:
            self._panel = PeoplePanel(*self._given)
            self._panel.follow(self._name)
        return self._panel
