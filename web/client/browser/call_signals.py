"""Tells the person what others do in the call: by a sound, and by the title of a hidden tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.call_news import CallNews
from .bridge import get, load_extras, now, spawn, window

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.page_state import PageState

__all__ = ["CallSignals"]

PAUSE = 1.0
"""Seconds within which a sound is not repeated, so that nobody can make the page play without an end."""


class CallSignals:
    """The signals of one call."""

    def __init__(self, state: PageState, speaker_id: Callable[[], str]) -> None:
        """Start with what the page shows now; `speaker_id` returns the device id of the chosen loudspeaker."""
        self._state = state
        self._speaker_id = speaker_id
        self._news = CallNews()
        self._played: dict[str, float] = {}

    def update(self) -> None:
        """Give the signals of what happened since the last update."""
        visible = get(window, "document", "visibilityState") == "visible"
        for kind in self._news.update(self._state, visible):
            time = now()
            if self._state.devices.sounds and time - self._played.get(kind, -PAUSE) >= PAUSE:
                self._played[kind] = time
                spawn(self._play(kind))

    async def _play(self, kind: str) -> None:
        if await load_extras():
            from ..extras.tones import SIGNALS, play

            play(SIGNALS[kind], self._speaker_id())
