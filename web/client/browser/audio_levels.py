"""Follows how loud everybody is: the bar of the own level, who speaks, and whether a muted person talks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model.active_speaker import ActiveSpeaker
from ..model.devices import AUDIO, MUTED
from .bridge import call, get, now, put, spawn
from .level_meter import LevelMeter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.page_state import PageState
    from .local_media import LocalMedia
    from .page import Page
    from .peer_connection import PeerConnection

__all__ = ["AudioLevels"]

INTERVAL = 0.25
"""Seconds between two looks: shorter than a word."""

BARS = ("self-level", "level")


class AudioLevels:
    """What is heard.

    Attributes:
        speech: who speaks.

    """

    def __init__(
        self,
        page: Page,
        state: PageState,
        media: LocalMedia,
        peers: Callable[[], dict[str, PeerConnection]],
        changed: Callable[[], None],
    ) -> None:
        """Begin to listen.

        Args:
            page: which shows the own level.
            state: the page's.
            media: has the own microphone.
            peers: gives the connections with the others, by user.
            changed: called when somebody else speaks, or the person talks while muted.

        """
        self.speech = ActiveSpeaker()
        self._page = page
        self._state = state
        self._media = media
        self._peers = peers
        self._changed = changed
        self._meter = LevelMeter()
        self._shown = 0.0
        spawn(self._listen())

    def follow(self) -> None:
        """Listen to the microphone that runs now."""
        self._meter.follow(self._media.track(AUDIO))

    async def _listen(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            level = self._meter.level()
            self._show(level)
            if self._state.in_session:
                self._hear(level)

    def _hear(self, level: float) -> None:
        state, speech, time = self._state, self.speech, now()
        before = self._heard(time)
        levels = {}
        for user, peer in self._peers().items():
            other = state.participants.find(user)
            # What came last from a microphone is told for some seconds after it went silent.
            levels[user] = peer.loudness() if other is not None and other.microphone is not False else 0.0
        speech.heard(levels, time)
        speech.heard_self(level, state.devices.microphone.status == MUTED, INTERVAL, time)
        state.devices.talking_muted = speech.talking
        state.participants.speaker = speech.speaker
        if self._heard(time) != before:
            self._changed()

    def _heard(self, time: float) -> tuple[str, bool, list[str]]:
        speaking = sorted([user for user in self._peers() if self.speech.speaks(user, time)])
        return self.speech.speaker, self.speech.talking, speaking

    def _show(self, level: float) -> None:
        # Ears hear ratios: the root makes soft speech visible.
        shown = min(1.0, (level * 4) ** 0.5)
        if abs(shown - self._shown) < 0.01:
            return
        self._shown = shown
        for name in BARS:
            call(get(self._page.element(name), "style"), "setProperty", "--level", str(shown))
        put(self._page.element("level"), "ariaValueNow", str(int(shown * 100)))
