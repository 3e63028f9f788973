"""Keeps the screen from going dark during a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import BrowserError, call, get, listen, spawn, wait, window

if TYPE_CHECKING:
    from typing import Any

__all__ = ["WakeLock"]


class WakeLock:
    """The browser's lock (Screen Wake Lock), which it takes away whenever the page is hidden."""

    def __init__(self) -> None:
        self._wanted = False
        self._asking = False
        self._lock: Any = None
        listen(get(window, "document"), "visibilitychange", lambda event: self.follow(self._wanted))

    def follow(self, wanted: bool) -> None:
        """Hold the lock while it is wanted and the page is seen."""
        self._wanted = wanted
        if not wanted and self._lock is not None:
            lock, self._lock = self._lock, None
            spawn(self._release(lock))
        elif wanted and not self._asking and (self._lock is None or get(self._lock, "released")):
            self._asking = True
            spawn(self._ask())

    async def _ask(self) -> None:
        locks = get(window, "navigator", "wakeLock")
        try:
            if locks is not None and get(window, "document", "visibilityState") == "visible":
                self._lock = await wait(call(locks, "request", "screen"))
        except BrowserError:
            # A battery that is nearly empty, say: the call goes on, and the screen may go dark.
            self._lock = None
        self._asking = False
        if not self._wanted:
            self.follow(False)

    async def _release(self, lock: Any) -> None:
        try:
            await wait(call(lock, "release"))
        except BrowserError:
            return
