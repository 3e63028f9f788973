"""A copy of the tab's call that outlives a crash of the tab, so that the page returns into it in another tab.

`sessionStorage` is lost with the tab. The copy in `localStorage` is deleted when the page is left in an orderly way. A
lock, which the browser releases with the tab, says whether the tab of the call is still there.
"""

from __future__ import annotations

import json

from . import storage
from .bridge import hold_lock, listen, now, spawn, wall_time, window

__all__ = ["CrashCopy", "crashed_call"]

MAX_AGE = 60.0
"""Seconds for which a call is resumed in another tab; a person who comes later finds the start screen."""

INTERVAL = 5.0
"""Seconds between two writes of a copy that has not changed."""


class CrashCopy:
    """The copy of the call of this tab."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._written_at = 0.0
        self._locked = ""
        listen(window, "pagehide", lambda event: self.clear())

    def save(self, role: str, session: str, identity: str, ticket: str) -> None:
        """Store the call of this tab."""
        if self._locked != session:
            self._locked = session
            spawn(_hold(session))
        copy, time = [role, session, identity, ticket], now()
        if copy != self._written or time - self._written_at >= INTERVAL:
            self._written, self._written_at = copy, time
            storage.save_crash_copy(json.dumps([wall_time(), copy]))

    def clear(self) -> None:
        """Delete the copy, because the call has ended or the page is left."""
        if self._written:
            self._written = []
            storage.save_crash_copy(None)


async def _hold(session: str) -> None:
    await hold_lock(_lock_name(session))


async def crashed_call(session: str) -> tuple[str, str, str, str] | None:
    """Return role, session, identity and ticket of a call in this session whose tab has crashed; None without one."""
    found = storage.crash_copy()
    if not isinstance(found, list) or len(found) != 2 or not isinstance(found[0], (int, float)):
        return None
    written_at, copy = found
    if not isinstance(copy, list) or len(copy) != 4 or not all(isinstance(part, str) for part in copy):
        return None
    if copy[1] != session or not 0.0 <= wall_time() - written_at <= MAX_AGE:
        return None
    if not await hold_lock(_lock_name(session)):
        return None
    return copy[0], copy[1], copy[2], copy[3]


def _lock_name(session: str) -> str:
    return storage.PREFIX + "call." + session
