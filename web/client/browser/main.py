"""The entry point of the page: the start screen accepts input, and the other modules are loaded behind it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .bridge import call, get, listen, mark, put, spawn, window

if TYPE_CHECKING:
    from typing import Any

    from .start_screen import StartScreen

__all__ = ["start"]


class PageLoader:
    """Listens to the start screen before its modules are loaded, and loads them; it is as small as possible."""

    def __init__(self) -> None:
        self._screen: StartScreen | None = None
        document = get(window, "document")
        for name in ("start", "preview", "join", "session-input"):
            put(call(document, "getElementById", name), "disabled", False)
        listen(call(document, "getElementById", "start"), "click", lambda event: self._start_screen().start())
        listen(call(document, "getElementById", "preview"), "click", lambda event: self._start_screen().preview())
        listen(call(document, "getElementById", "join-form"), "submit", self._join)

    def _join(self, event: Any) -> None:
        call(event, "preventDefault")
        self._start_screen().join()

    def _start_screen(self) -> StartScreen:
        if self._screen is None:
            from .start_screen import StartScreen

            self._screen = StartScreen()
        return self._screen

    async def load(self) -> None:
        """Load the other modules step by step, so that the browser can handle input in between."""
        await asyncio.sleep(0)
        screen = self._start_screen()
        await screen.load_language()
        await asyncio.sleep(0)
        screen.load_call_page()
        await asyncio.sleep(0)
        from .service_worker import install

        await install()


def start() -> None:
    """Start the page."""
    loader = PageLoader()
    mark("usable")
    spawn(loader.load())
