"""Audio levels: the local level bar, the active speaker, and the warning about speech while muted."""

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
"""Seconds between two measurements; the interval is shorter than a word."""

LEVEL_BARS = ("self-level", "level")


class AudioLevels:
    """Measures the local and the remote audio levels.

    Attributes:
        speech: detects the active speaker and speech while muted.

    """

    def __init__(
        self,
        *,
        page: Page,
        state: PageState,
        media: LocalMedia,
        peers: Callable[[], dict[str, PeerConnection]],
        refresh: Callable[[], None],
    ) -> None:
        """Start measuring.

        Arguments:
            page: the page's elements.
            state: the page's state.
            media: the local microphone.
            peers: returns the peer connections by user.
            refresh: called when the active speaker changes, or the local person talks while muted.

        """
        self.speech = ActiveSpeaker()
        self._page = page
        self._state = state
        self._media = media
        self._peers = peers
        self._refresh = refresh
        self._meter = LevelMeter()
        self._shown = 0.0
        spawn(self._measure())

    def meter_microphone(self) -> None:
        """Measure the current local microphone track from now on."""
        self._meter.set_track(self._media.track(AUDIO))

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            level = self._meter.level()
            self._show_level(level)
            if self._state.in_session:
                self._find_speaker(level)

    def _find_speaker(self, level: float) -> None:
        state, speech, time = self._state, self.speech, now()
        before = self._summary(time)
        levels = {}
        for user, peer in self._peers().items():
            member = state.participants.find(user)
            # Browsers report the last level for some seconds after a microphone has stopped.
            levels[user] = peer.loudness() if member is not None and member.microphone is not False else 0.0
        speech.update(levels, time)
        speech.update_own(level, state.devices.microphone.status == MUTED, INTERVAL, time)
        state.devices.talking_muted = speech.talking_muted
        state.participants.speaker = speech.speaker
        if self._summary(time) != before:
            self._refresh()

    def _summary(self, time: float) -> tuple[str, bool, list[str]]:
        speaking = sorted([user for user in self._peers() if self.speech.is_speaking(user, time)])
        return self.speech.speaker, self.speech.talking_muted, speaking

    def _show_level(self, level: float) -> None:
        # Loudness is perceived as a ratio; the root makes soft speech visible.
        shown = min(1.0, (level * 4) ** 0.5)
        if abs(shown - self._shown) < 0.01:
            return
        self._shown = shown
        for name in LEVEL_BARS:
            call(get(self._page.element(name), "style"), "setProperty", "--level", str(shown))
        put(self._page.element("level"), "ariaValueNow", str(int(shown * 100)))
