"""Detects the active speaker, and speech while muted, from audio levels. This module does not touch the browser."""

from __future__ import annotations

__all__ = ["ActiveSpeaker"]

SPEECH_LEVEL = 0.015
"""The audio level from which sound counts as speech, of 1.0 at most (WebRTC 1.0 `audioLevel`). It is about -36 dBov,
above the noise of a quiet room."""

HOLD_SECONDS = 0.8
"""Seconds for which a participant still counts as speaking after the last loud sample; pauses between words are
shorter."""

SILENT_AFTER = 1.0
"""Seconds of silence of the active speaker after which another participant can take their place."""

TALKING_AFTER = 0.6
"""Seconds of speech within the last `WINDOW` seconds after which a muted person is warned; a cough is shorter."""

WINDOW = 1.5
HINT_SECONDS = 4.0
"""Seconds for which the warning is shown."""


class ActiveSpeaker:
    """Tracks who speaks, by audio levels that the caller samples.

    Attributes:
        speaker: the user of the remote participant who speaks, or spoke last; empty for nobody.
        talking_muted: whether the local person talks while muted.

    """

    def __init__(self) -> None:
        self.speaker = ""
        self.talking_muted = False
        self._last_speech: dict[str, float] = {}
        self._own_speech: list[tuple[float, float]] = []
        self._hint_until = 0.0

    def is_speaking(self, user: str, now: float) -> bool:
        """Return whether this user speaks at this time (seconds)."""
        return user in self._last_speech and now - self._last_speech[user] <= HOLD_SECONDS

    def update_levels(self, levels: dict[str, float], now: float) -> None:
        """Store the audio level of each remote participant at this time (seconds); a user without a level has left."""
        for user in list(self._last_speech):
            if user not in levels:
                del self._last_speech[user]
        for user, level in levels.items():
            if level >= SPEECH_LEVEL:
                self._last_speech[user] = now
        if self.speaker not in levels:
            self.speaker = ""
        if not self.speaker or now - self._last_speech.get(self.speaker, 0.0) > SILENT_AFTER:
            loudest = SPEECH_LEVEL
            for user, level in levels.items():
                if level >= loudest:
                    loudest, self.speaker = level, user

    def update_own_level(self, level: float, muted: bool, seconds: float, now: float) -> None:
        """Store the local audio level of the last `seconds`, and detect speech while `muted`."""
        if not muted:
            self._own_speech = []
            self._hint_until = 0.0
        else:
            self._own_speech = [(then, length) for then, length in self._own_speech if now - then < WINDOW]
            if level >= SPEECH_LEVEL:
                self._own_speech.append((now, seconds))
            if sum([length for _, length in self._own_speech]) >= TALKING_AFTER:
                self._hint_until = now + HINT_SECONDS
        self.talking_muted = now < self._hint_until
