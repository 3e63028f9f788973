"""The screen of the connectivity test: its rows and its buttons."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser.bridge import BrowserError, call, construct, get, put, spawn, wait, window
from ..browser.page import PagePart
from . import check_view, checks, extra_texts
from .check_runner import CheckRun
from .checks import Checks

if TYPE_CHECKING:
    from typing import Any

    from ..browser.page import Page

__all__ = ["CheckScreen"]

CONFIRMED_FOR = 2.5
"""Seconds for which the page says that the result was copied."""


class CheckScreen:
    """Controls the element `test-screen`."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._part = PagePart(page)
        self._test = Checks()
        self._run: CheckRun | None = None
        self._copied = ""
        self._document = get(window, "document")
        rows = {name: self._row(name) for name in checks.ORDER}
        call(rows[checks.CAMERA], "append", page.element("test-video"))
        call(rows[checks.MICROPHONE], "append", page.element("test-level"))
        for name in checks.ORDER:
            call(page.element("test-checks"), "append", rows[name])
        page.on_click("test-start", self._pressed)
        page.on_click("test-copy", self._copy)
        self._show()

    def reset(self) -> None:
        """Stop the test and clear its results, because the person leaves the screen."""
        if self._run is not None:
            self._run.stop()
        self._test = Checks()
        self._show()

    def _pressed(self) -> None:
        if self._run is not None and self._test.active:
            self._run.stop()
            return
        self._test = Checks()
        self._test.begin()
        self._run = CheckRun(self._test, self._page.element("test-video"), self._page.element("test-level"), self._show)
        spawn(self._run.run())

    def _show(self) -> None:
        self._part.show(check_view.view(self._test, self._copied))

    def _row(self, name: str) -> Any:
        """Return a copy of the row template of index.html, with ids for this check."""
        row = call(get(self._page.element("test-row"), "content", "firstElementChild"), "cloneNode", True)
        put(row, "id", f"test-{name}")
        for part in ("name", "state", "found", "remedy"):
            put(call(row, "querySelector", f"[data-part={part}]"), "id", f"test-{name}-{part}")
        return row

    async def _copy(self) -> None:
        page = get(window, "location", "origin") + get(window, "location", "pathname")
        today = call(construct("Date"), "toISOString")
        text = self._test.summary(f"{page}, {today}", get(window, "navigator", "userAgent"))
        clipboard = get(window, "navigator", "clipboard")
        self._copied = extra_texts.TEST_COPIED
        try:
            if clipboard is None:
                raise BrowserError("NotAllowedError", "Pages that came over http have no clipboard.")
            await wait(call(clipboard, "writeText", text))
        except BrowserError:
            self._copied = extra_texts.TEST_COPY_REFUSED
        self._show()
        await asyncio.sleep(CONFIRMED_FOR)
        self._copied = ""
        self._show()
