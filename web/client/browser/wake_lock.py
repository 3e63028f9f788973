"""Keeps the screen on during a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import BrowserError, call, get, listen, spawn, wait, window

if TYPE_CHECKING:
    from typing import Any

__all__ = ["WakeLock"]


class WakeLock:
    """The browser's screen wake lock (Screen Wake Lock API), which the browser releases whenever the page is hidden."""

    def __init__(self) -> None:
        self._wanted = False
        self._requesting = False
        self._lock: Any = None
        listen(get(window, "document"), "visibilitychange", lambda event: self.hold(self._wanted))

    def hold(self, wanted: bool) -> None:
        """Hold the lock while it is wanted and the page is visible; release it otherwise."""
        self._wanted = wanted
        if not wanted and self._lock is not None:
            lock, self._lock = self._lock, None
            spawn(self._release(lock))
        elif wanted and not self._requesting and (self._lock is None or get(self._lock, "released")):
            self._requesting = True
            spawn(self._request())

    async def _request(self) -> None:
        locks = get(window, "navigator", "wakeLock")
        try:
            if locks is not None and get(window, "document", "visibilityState") == "visible":
                self._lock = await wait(call(locks, "request", "screen"))
        except BrowserError:
            # The browser refuses the lock on a low battery, for instance. The call continues, and the screen may go
            # dark.
            self._lock = None
        self._requesting = False
        if not self._wanted:
            self.hold(False)

    async def _release(self, lock: Any) -> None:
        try:
            await wait(call(lock, "release"))
        except BrowserError:
            return
