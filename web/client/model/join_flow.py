"""Join and rejoin logic: decides which request to send, and when. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.rejoining import ASK, Rejoining

if TYPE_CHECKING:
    from signald_client.signaling.connection import Random

__all__ = ["AS_GUEST", "GIVE_UP", "IGNORED", "JOIN", "LATER", "OPEN", "REPORT", "RETRY", "JoinFlow"]

# These are the requests to send, by the types of the protocol.
OPEN = "open"
JOIN = "join"

# These are the reactions to a refused request.
REPORT = "report"
IGNORED = "ignored"
RETRY = "retry"
LATER = "later"
GIVE_UP = "give-up"
AS_GUEST = "as-guest"

REPORTED = (None, "hello", "resume", OPEN, JOIN, "change", "admit", "refuse", "remove", "hand-over", "end")
"""The requests that a person caused, so that the page must report a refusal. None stands for a request that the server
could not identify."""

BAD_KEY = ("wrong-host-key", "unknown-session")
"""The error codes that mean that a host key is no longer valid: another member decides about the session now."""

GRACE = 2.0
"""Seconds after a resume within which the server sends an event for each session that still exists, mostly at once."""


class JoinFlow:
    """Tracks whether the person is in a session, or on the way into it.

    Attributes:
        active: whether the person is in the session or waits to be admitted, so that a reload resumes it.

    """

    def __init__(self, resumes: bool, random: Random) -> None:
        """Start outside of a session.

        Arguments:
            resumes: whether the page was reloaded, so that a resume may restore it.
            random: returns floats from 0 up to 1, for the jitter of a return.

        """
        self.active = False
        self._rejoining = Rejoining(random)
        self._requested = resumes
        self._deadline: float | None = None

    def request(self, host: bool, session: str, key: str, settled: bool) -> str:
        """Return the request to send now, `OPEN` or `JOIN`; empty if there is none, or it was sent already.

        Arguments:
            host: whether the person is the session's host.
            session: the session id, empty for a new session.
            key: the host key, or a token that replaces it; empty if the person has neither, because another member made
                them the host: they can only join again.
            settled: whether the person has their devices or goes without them; a guest joins only then.

        """
        opens = host and (not session or bool(key))
        if self._requested or not (opens or settled):
            return ""
        self._requested = True
        return OPEN if opens else JOIN

    def entered(self) -> None:
        """Note that the server confirmed that the person is in the session, or waits to be admitted."""
        self.active = True
        self._deadline = None

    def resumed(self, membership: bool, now: float) -> None:
        """Note that a resumed connection missed its events; `membership` says that the memberships survived.

        If the session ended meanwhile, no event says so: it is requested again when none arrives in time.
        """
        self.active = False
        self._requested = membership
        self._deadline = now + GRACE if membership else None

    def return_started(self, now: float) -> None:
        """Note that the server has forgotten the session, and request it at once, as before."""
        self.resumed(False, now)
        self._rejoining.start(now)

    def return_ended(self) -> None:
        """Note that everybody is back, or that nobody is waited for any more."""
        self._rejoining.stop()

    def tick(self, now: float) -> str:
        """Return `RETRY` to request the session again, `GIVE_UP` at the end of a return, and empty otherwise."""
        todo = self._rejoining.tick(now)
        if todo == ASK:
            self._requested = False
            return RETRY
        return GIVE_UP if todo else ""

    def session_lost(self, now: float) -> bool:
        """Return True once if no event confirmed the session in time after a resume.

        The caller must request the session again then.
        """
        if self._deadline is None or now < self._deadline:
            return False
        self._deadline = None
        self._requested = False
        return True

    def refused(self, about: str | None, code: str, existed: bool, now: float) -> str:
        """Return the reaction to a refusal; `existed` says that the request was about a session that existed before."""
        if about == OPEN and existed and code in BAD_KEY:
            self._requested = False
            return AS_GUEST
        if code == "already-member":
            # The reply to an earlier request is on its way.
            return IGNORED
        if self._rejoining.active and about in (OPEN, JOIN):
            return LATER if self._rejoining.refused(code, now) else GIVE_UP
        if code == "no-reply" and (about == JOIN or (about == OPEN and existed)):
            self._requested = False
            return RETRY
        return REPORT if about in REPORTED else IGNORED
