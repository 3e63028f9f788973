"""Loads the people panel and the host's dialog for leaving on first use."""

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

LOAD_TIMEOUT = 2.0
"""Seconds within which the host's dialog has to load; without a network, the host leaves without the dialog."""


class PeopleController:
    """The people panel, and the hang-up button's dialog."""

    def __init__(
        self,
        *,
        page: Page,
        state: PageState,
        media_status: MediaStatus,
        current: Callable[[], Call | None],
        refresh: Callable[[], None],
    ) -> None:
        """Start without loading the panel; the arguments are those of `PeoplePanel`."""
        self._state = state
        self._refresh = refresh
        self._panel_arguments = (page, state, media_status, current, refresh)
        self._panel: PeoplePanel | None = None
        self._name = ""
        self._requested = False

    def hang_up(self) -> None:
        """Leave the call; the host of other participants is asked first whether the call should end."""
        if self._state.leads:
            spawn(self._ask_host())
        else:
            self._state.hung_up()
            self._refresh()

    def show(self, name: str) -> None:
        """Show the participants while the panel is open; `name` is the local person's name."""
        self._name = name
        if self._panel is not None:
            self._panel.update(name)
        elif self._state.layout.side_panel != "people":
            self._requested = False
        elif not self._requested:
            self._requested = True
            spawn(self._open())

    async def _ask_host(self) -> None:
        try:
            panel = await asyncio.wait_for(self._load(), LOAD_TIMEOUT)
        except asyncio.TimeoutError:  # noqa: UP041 - MicroPython has no builtin of this name
            panel = None
        if panel is not None:
            panel.ask_to_leave()
        else:
            # The panel could not be loaded. Without the signaling connection the dialog would offer no choice anyway.
            self._state.hung_up()
            self._refresh()

    async def _open(self) -> None:
        if await self._load() is None:
            self._state.notices.problem = texts.SERVER_UNREACHABLE
        self._refresh()

    async def _load(self) -> PeoplePanel | None:
        if not await load_extras():
            return None
        from ..extras.people_panel import PeoplePanel

        if self._panel is None:
            self._panel = PeoplePanel(*self._panel_arguments)
            self._panel.update(self._name)
        return self._panel
