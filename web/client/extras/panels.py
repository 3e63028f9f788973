"""The messages beside a call, and the lists of devices before and in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chat_panel import ChatPanel
from .device_pickers import DevicePickers

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..browser.chat_feed import ChatFeed
    from ..browser.local_media import LocalMedia
    from ..browser.page import Page
    from ..model.device_choices import DeviceChoices
    from ..model.page_state import PageState

__all__ = ["Panels"]


class Panels:
    """Both.

    Attributes:
        pickers: the lists of devices.

    """

    def __init__(
        self,
        page: Page,
        state: PageState,
        feed: ChatFeed,
        choices: DeviceChoices,
        media: LocalMedia,
        speaker_chosen: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        """Take the page's elements; each argument is what one of the panels needs (see there)."""
        self._chat = ChatPanel(page, state, feed, changed)
        self.pickers = DevicePickers(page, state, choices, media, speaker_chosen)

    def update(self) -> None:
        """Show what there is now."""
        self._chat.update()
        self.pickers.update()
