"""What lets the page open without a network: the service worker, and the way back when there is a network again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .bridge import BrowserError, call, get, listen, wait, window

if TYPE_CHECKING:
    from typing import Any

__all__ = ["install"]

AFTER = 3.0
"""Seconds that the page has for itself before the worker fetches anything."""


async def install() -> None:
    """Let the browser keep the page; over http, or under a certificate that it doubts, it does not."""
    document = get(window, "document")
    if call(get(document, "documentElement"), "hasAttribute", "data-offline"):
        listen(call(document, "getElementById", "reload"), "click", _reload)
        listen(window, "online", _reload)
    workers = get(window, "navigator", "serviceWorker")
    if workers is None:
        return
    await asyncio.sleep(AFTER)
    try:
        await wait(call(workers, "register", "/service-worker.js"))
    except BrowserError:
        # The page works without.
        return


def _reload(event: Any) -> None:
    call(get(window, "location"), "reload")
