"""How a person comes into a session, and into it again: what is to be asked of the server, and when. Pure."""

from __future__ import annotations

__all__ = ["AS_GUEST", "IGNORED", "JOIN", "OPEN", "REPORT", "RETRY", "JoinFlow"]

# What is asked of the server, by the types of its requests.
OPEN = "open"
JOIN = "join"

# What follows from a refusal.
REPORT = "told"
IGNORED = "ignored"
RETRY = "again"
AS_GUEST = "as-guest"

USER_REQUESTS = (None, "hello", "resume", OPEN, JOIN, "change", "admit", "refuse", "remove", "hand-over", "end")
"""What a person asked for, so that a refusal of it has to be told; None: the server cannot say what it was."""

INVALID_KEY = ("wrong-host-key", "unknown-session")
"""Refusals that say that a host key is of no use: whoever has the session now decides."""

EVENTS_WITHIN = 2.0
"""Seconds after a resume within which each session that is left is told: mostly in the same moment."""


class JoinFlow:
    """Whether the person is in the session or on the way into it.

    Attributes:
        inside: whether they are in it, or wait at its door: then a reload finds them there again.

    """

    def __init__(self, resumes: bool) -> None:
        """Begin outside; `resumes`: the page was loaded anew, and a resume may bring the person back."""
        self.active = False
        self._requested = resumes
        self._deadline: float | None = None

    def next_request(self, host: bool, session: str, key: str, devices_settled: bool) -> str:
        """Return what is to be asked now, `OPEN` or `JOIN`; empty if nothing is, or it was asked before.

        Args:
            host: whether the person is the session's host.
            session: its id, empty for a new one.
            key: its host key, or whatever takes its place; empty if the person has none: then somebody made them the
                host, and cannot again.
            settled: whether they have their devices, or go without: a guest comes in only then.

        """
        opens = host and (not session or bool(key))
        if self._requested or not (opens or devices_settled):
            return ""
        self._requested = True
        return OPEN if opens else JOIN

    def entered(self) -> None:
        """The server says that the person is in the session, or waits at its door."""
        self.active = True
        self._deadline = None

    def resumed(self, membership: bool, now: float) -> None:
        """The connection is back without all that was there, or with the memberships alone.

        What happened to the session meanwhile is lost as well: if nothing is said of it, it is asked for anew.
        """
        self.active = False
        self._requested = membership
        self._deadline = now + EVENTS_WITHIN if membership else None

    def session_lost(self, now: float) -> bool:
        """Whether a resume left nothing of the session, which shows with time; then it is to be asked for."""
        if self._deadline is None or now < self._deadline:
            return False
        self._deadline = None
        self._requested = False
        return True

    def refused(self, about: str | None, code: str, existed: bool) -> str:
        """Return what follows from a refusal; `again`: it is about a session that there was before."""
        if about == OPEN and existed and code in INVALID_KEY:
            self._requested = False
            return AS_GUEST
        if code == "already-member":
            # The reply to an earlier request is on its way.
            return IGNORED
        if code == "no-reply" and (about == JOIN or (about == OPEN and existed)):
            self._requested = False
            return RETRY
        return REPORT if about in USER_REQUESTS else IGNORED
