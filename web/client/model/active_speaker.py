"""Detects the active speaker, and speech while muted, from audio levels. This module does not touch the browser."""

from __future__ import annotations

__all__ = ["ActiveSpeaker"]

SPEECH = 0.015
"""The audio level from which sound counts as speech, of 1.0 at most (WebRTC 1.0 `audioLevel`). It is about -36 dBov,
above the noise of a quiet room."""

HOLD = 0.8
"""Seconds for which a participant still counts as speaking after the last loud sample; pauses between words are
shorter."""

SILENCE = 1.0
"""Seconds of silence of the active speaker after which another participant can take their place."""

TALKING_AFTER = 0.6
"""Seconds of speech within the last `WINDOW` seconds after which a muted person is warned; a cough is shorter."""

WINDOW = 1.5
HINT = 4.0
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
        self._spoke_at: dict[str, float] = {}
        self._own: list[tuple[float, float]] = []
        self._hint_until = 0.0

    def is_speaking(self, user: str, now: float) -> bool:
        """Return whether this user speaks at this time (seconds)."""
        return user in self._spoke_at and now - self._spoke_at[user] <= HOLD

    def update(self, levels: dict[str, float], now: float) -> None:
        """Store the audio level of each remote participant at this time (seconds); a user without a level has left."""
        for user in list(self._spoke_at):
            if user not in levels:
                del self._spoke_at[user]
        for user, level in levels.items():
            if level >= SPEECH:
                self._spoke_at[user] = now
        if self.speaker not in levels:
            self.speaker = ""
        if not self.speaker or now - self._spoke_at.get(self.speaker, 0.0) > SILENCE:
            loudest = SPEECH
            for user, level in levels.items():
                if level >= loudest:
                    loudest, self.speaker = level, user

    def update_own(self, level: float, muted: bool, seconds: float, now: float) -> None:
        """Store the local audio level of the last `seconds`, and detect speech while `muted`."""
        if not muted:
            self._own = []
            self._hint_until = 0.0
        else:
            self._own = [(then, length) for then, length in self._own if now - then < WINDOW]
            if level >= SPEECH:
                self._own.append((now, seconds))
            if sum([length for _, length in self._own]) >= TALKING_AFTER:
                self._hint_until = now + HINT
        self.talking_muted = now < self._hint_until
