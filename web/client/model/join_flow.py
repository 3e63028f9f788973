"""How a person comes into a session, and into it again: what is to be asked of the server, and when. Pure."""

from __future__ import annotations

__all__ = ["AGAIN", "AS_GUEST", "IGNORED", "JOIN", "OPEN", "TOLD", "JoinFlow"]

# What is asked of the server, by the types of its requests.
OPEN = "open"
JOIN = "join"

# What follows from a refusal.
TOLD = "told"
IGNORED = "ignored"
AGAIN = "again"
AS_GUEST = "as-guest"

PERSONS = (None, "hello", "resume", OPEN, JOIN, "change", "admit", "refuse", "remove", "hand-over", "end")
"""What a person asked for, so that a refusal of it has to be told; None: the server cannot say what it was."""

SPENT_KEY = ("wrong-host-key", "unknown-session")
"""Refusals that say that a host key is of no use: whoever has the session now decides."""

FOLLOWS_WITHIN = 2.0
"""Seconds after a resume within which each session that is left is told: mostly in the same moment."""


class JoinFlow:
    """Whether the person is in the session or on the way into it.

    Attributes:
        inside: whether they are in it, or wait at its door: then a reload finds them there again.

    """

    def __init__(self, resumes: bool) -> None:
        """Begin outside; `resumes`: the page was loaded anew, and a resume may bring the person back."""
        self.inside = False
        self._asked = resumes
        self._told_until: float | None = None

    def request(self, host: bool, session: str, key: str, settled: bool) -> str:
        """Return what is to be asked now, `OPEN` or `JOIN`; empty if nothing is, or it was asked before.

        Args:
            host: whether the person is the session's host.
            session: its id, empty for a new one.
            key: its host key, or whatever takes its place; empty if the person has none: then somebody made them the
                host, and cannot again.
            settled: whether they have their devices, or go without: a guest comes in only then.

        """
        opens = host and (not session or bool(key))
        if self._asked or not (opens or settled):
            return ""
        self._asked = True
        return OPEN if opens else JOIN

    def entered(self) -> None:
        """The server says that the person is in the session, or waits at its door."""
        self.inside = True
        self._told_until = None

    def resumed(self, membership: bool, now: float) -> None:
        """The connection is back without all that was there, or with the memberships alone.

        What happened to the session meanwhile is lost as well: if nothing is said of it, it is asked for anew.
        """
        self.inside = False
        self._asked = membership
        self._told_until = now + FOLLOWS_WITHIN if membership else None

    def forgotten(self, now: float) -> bool:
        """Whether a resume left nothing of the session, which shows with time; then it is to be asked for."""
        if self._told_until is None or now < self._told_until:
            return False
        self._told_until = None
        self._asked = False
        return True

    def refused(self, about: str | None, code: str, again: bool) -> str:
        """Return what follows from a refusal; `again`: it is about a session that there was before."""
        if about == OPEN and again and code in SPENT_KEY:
            self._asked = False
            return AS_GUEST
        if code == "already-member":
            # The reply to an earlier request is on its way.
            return IGNORED
        if code == "no-reply" and (about == JOIN or (about == OPEN and again)):
            self._asked = False
            return AGAIN
        return TOLD if about in PERSONS else IGNORED
