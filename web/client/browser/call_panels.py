"""The panels of a call: chat, people, invitation, device pickers, and the lobby."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from .bridge import load_extras, spawn
from .chat_feed import ChatFeed
from .invitation import Invitation
from .keyboard_loader import KeyboardLoader
from .lobby_list import LobbyList
from .people_controller import PeopleController
from .side_panel import SidePanel

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..extras.panels import Panels
    from ..model.media_status import MediaStatus
    from ..model.page_state import PageState
    from .current_call import CurrentCall
    from .device_controls import DeviceControls
    from .page import Page

__all__ = ["CallPanels"]


class CallPanels:
    """The panels of a call; chat and device pickers are loaded when they are first needed."""

    def __init__(
        self,
        *,
        page: Page,
        state: PageState,
        current: CurrentCall,
        devices: DeviceControls,
        media_status: MediaStatus,
        speaker_chosen: Callable[[], None],
        refresh: Callable[[], None],
    ) -> None:
        """Listen to the buttons.

        Arguments:
            page: the page's elements.
            state: the page's state.
            current: the current call.
            devices: the local devices.
            media_status: the exchange of mute states and of the host's requests to mute.
            speaker_chosen: called when the person has chosen a loudspeaker.
            refresh: called when the state has changed.

        """
        self._page = page
        self._state = state
        self._devices = devices
        self._speaker_chosen = speaker_chosen
        self._refresh = refresh
        self._loaded: Panels | None = None
        self._loading = False
        # The number of unread messages at the time when loading the panels failed; a higher number causes a new
        # attempt.
        self._unread_at_failure = 0
        self._feed = ChatFeed(page, state, current.messaging, refresh)
        self._invitation = Invitation(page, state, refresh)
        self._people = PeopleController(
            page=page, state=state, media_status=media_status, current=lambda: current.call, refresh=refresh
        )
        self._lobby_list = LobbyList(page, state, current.answer_knock)
        self._keyboard_loader = KeyboardLoader(page, state)
        SidePanel(page, state, refresh)
        page.on_click("hang-up", self._people.hang_up)
        page.on_click("cancel", self._people.hang_up)
        page.on_click("open-settings", self._open_settings)
        page.on("devices", "toggle", lambda event: spawn(self._load()))

    def update(self, name: str) -> None:
        """Show the current state; `name` is the local person's name."""
        self._feed.update()
        self._invitation.draw(name)
        self._lobby_list.show()
        self._people.show(name)
        layout = self._state.layout
        if self._loaded is not None:
            self._loaded.update()
        elif (layout.side_panel == "chat" or layout.unread > self._unread_at_failure) and not self._loading:
            self._loading = True
            spawn(self._load())
        self._keyboard_loader.update()

    async def _load(self) -> None:
        """Load the chat and the device pickers, or show that they cannot be loaded."""
        layout = self._state.layout
        if not await load_extras():
            layout.side_panel = ""
            self._state.notices.problem = texts.NO_EXTRAS
            self._unread_at_failure = layout.unread
        elif self._loaded is None:
            from ..extras.panels import Panels

            devices = self._devices
            self._loaded = Panels(
                self._page,
                self._state,
                self._feed,
                devices.choices,
                devices.media,
                self._speaker_chosen,
                self._refresh,
            )
        self._loading = False
        self._refresh()

    async def _open_settings(self) -> None:
        await self._load()
        if self._loaded is not None:
            self._loaded.pickers.open()
