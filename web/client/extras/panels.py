"""The chat panel and the device pickers, which are loaded together."""

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
    """Owns both panels.

    Attributes:
        pickers: the device pickers.

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
        """Create both panels; each argument is passed to one of them."""
        self._chat = ChatPanel(page, state, feed, changed)
        self.pickers = DevicePickers(page, state, choices, media, speaker_chosen)

    def update(self) -> None:
        """Draw the present state."""
        self._chat.update()
        self.pickers.update()
