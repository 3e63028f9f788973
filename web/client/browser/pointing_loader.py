"""Shows the button for pointing while a screen is shared, and loads pointing when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import load_extras, spawn
from .page import PagePart

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..extras.pointing import Pointing
    from ..model.page_state import PageState
    from .current_call import CurrentCall
    from .page import Page
    from .screen_share import ScreenShare
    from .tiles import Tiles

__all__ = ["PointingLoader"]

MAX_WAITING = 60
"""Most messages that are kept while pointing is loaded: a person sends half as many a second."""


class PointingLoader(PagePart):
    """Passes the first messages to pointing once it is loaded, and receives none afterwards."""

    def __init__(
        self,
        *,
        page: Page,
        state: PageState,
        current: CurrentCall,
        tiles: Tiles,
        screen: ScreenShare,
        controls: Callable[[], bool],
        refresh: Callable[[], None],
    ) -> None:
        """Subscribe to the messages, and listen to the button.

        Arguments:
            page: the page's elements.
            state: the page's state.
            current: the current call.
            tiles: the pictures.
            screen: the shared screen of this person.
            controls: returns whether this person controls another computer, during which they cannot point.
            refresh: called when the state has changed.

        """
        super().__init__(page)
        self._state = state
        self._current = current
        self._tiles = tiles
        self._screen = screen
        self._controls = controls
        self._refresh = refresh
        self._pointing: Pointing | None = None
        self._messages: list[tuple[str, dict[str, Any]]] = []
        current.messaging.on_message("point-at", self._received)
        page.on_click("point", self._toggle)

    def update(self) -> None:
        """Show the present state."""
        state = self._state
        shared = state.devices.sharing or any(member.screen for member in state.participants.members)
        possible = shared and state.in_session and not self._controls()
        if self._pointing is not None:
            self._pointing.update(possible)
        self.show(
            {
                ("point", "hidden"): not possible,
                ("point", "pressed"): self._pointing is not None and self._pointing.active,
            }
        )

    def _received(self, user: str, message: dict[str, Any]) -> None:
        if len(self._messages) < MAX_WAITING:
            self._messages.append((user, message))
        if len(self._messages) == 1:
            spawn(self._load())

    async def _toggle(self) -> None:
        await self._load()
        if self._pointing is not None:
            self._pointing.toggle()

    async def _load(self) -> None:
        loaded = await load_extras()
        messages, self._messages = self._messages, []
        if loaded and self._pointing is None:
            from ..extras.pointing import Pointing

            self._pointing = Pointing(self._state, self._current, self._tiles, self._screen, self._refresh)
            for user, message in messages:
                self._pointing.receive(user, message)
