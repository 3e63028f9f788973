"""Who speaks, from the loudness of everybody: pure."""

from __future__ import annotations

__all__ = ["ActiveSpeaker"]

LOUD = 0.015
"""Loudness of speech, of 1.0 at most (WebRTC 1.0 `audioLevel`): about -36 dBov, above the noise of a quiet room."""

HOLD = 0.8
"""Seconds for which somebody still counts as speaking: pauses between words are shorter."""

SILENT_FOR = 1.0
"""Seconds of silence after which somebody else can become the speaker."""

TALKING_AFTER = 0.6
"""Seconds of speech in the last `WITHIN` seconds after which a muted person is told so; a cough is shorter."""

WITHIN = 1.5
TOLD_FOR = 4.0
"""Seconds for which they are told."""


class ActiveSpeaker:
    """Everybody's.

    Attributes:
        speaker: the other who speaks, or spoke last; empty for nobody.
        talking: whether the person talks while muted.

    """

    def __init__(self) -> None:
        self.speaker = ""
        self.talking = False
        self._spoke: dict[str, float] = {}
        self._own: list[tuple[float, float]] = []
        self._told_until = 0.0

    def speaks(self, user: str, now: float) -> bool:
        """Return whether this user speaks at present."""
        return user in self._spoke and now - self._spoke[user] <= HOLD

    def heard(self, levels: dict[str, float], now: float) -> None:
        """So loud are the others at this time (seconds); whoever is missing is gone."""
        for user in list(self._spoke):
            if user not in levels:
                del self._spoke[user]
        for user, level in levels.items():
            if level >= LOUD:
                self._spoke[user] = now
        if self.speaker not in levels:
            self.speaker = ""
        if not self.speaker or now - self._spoke.get(self.speaker, 0.0) > SILENT_FOR:
            loudest = LOUD
            for user, level in levels.items():
                if level >= loudest:
                    loudest, self.speaker = level, user

    def heard_self(self, level: float, muted: bool, seconds: float, now: float) -> None:
        """So loud was the person themselves in the last so many seconds; `muted`: nobody hears it."""
        if not muted:
            self._own = []
            self._told_until = 0.0
        else:
            self._own = [(then, length) for then, length in self._own if now - then < WITHIN]
            if level >= LOUD:
                self._own.append((now, seconds))
            if sum([length for _, length in self._own]) >= TALKING_AFTER:
                self._told_until = now + TOLD_FOR
        self.talking = now < self._told_until
