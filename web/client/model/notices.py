"""The sentences that tell the person what happens, what went wrong, and how a call ended."""

from __future__ import annotations

__all__ = ["ANNOUNCEMENT_SECONDS", "Notices"]

ANNOUNCEMENT_SECONDS = 8.0
"""Seconds for which an announcement is shown; what it says can be seen elsewhere on the page as well."""


class Notices:
    """The messages to the person, each a sentence or empty.

    Attributes:
        progress: what is being done while the page connects.
        notice: what has happened in the session, if it is worth saying.
        problem: what went wrong.
        alarm: a danger in the call, until the person has read it.
        outcome: how the session ended.
        headline: what others did while the person did not see the page.

    """

    def __init__(self) -> None:
        self.progress = ""
        self._now = 0.0
        self._announced_until = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget what was said about the last call."""
        self.notice = self.problem = self.alarm = self.outcome = self.headline = self._announcement = ""
        self._refusal = ("", "")

    @property
    def code(self) -> str:
        """The protocol's code of the problem; empty if it has none, or there is no problem."""
        code, sentence = self._refusal
        return code if self.problem == sentence else ""

    def refused(self, code: str, sentence: str) -> None:
        """Say that the server refused something, with the protocol's code for that; empty for a problem without one."""
        self._refusal = code, sentence
        self.problem = sentence

    def announce(self, sentence: str) -> None:
        """Show a sentence for `ANNOUNCEMENT_SECONDS`."""
        self.notice = self._announcement = sentence
        self._announced_until = self._now + ANNOUNCEMENT_SECONDS

    def recovered(self) -> None:
        """Clear the problem and the notice after a connection came about; an announcement is shown to its end."""
        self.problem = ""
        self.notice = self._announcement

    def dismiss(self) -> None:
        """Clear what went wrong, because the person has read it."""
        self.problem = self.alarm = ""

    def tick(self, now: float) -> None:
        """Withdraw an announcement whose time is over."""
        self._now = now
        if self._announcement and now >= self._announced_until:
            if self.notice == self._announcement:
                self.notice = ""
            self._announcement = ""
