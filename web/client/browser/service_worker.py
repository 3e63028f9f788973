"""Installs the service worker, with which the page opens offline, and reloads an offline page when it can."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .bridge import BrowserError, call, get, is_embedded, listen, wait, window

if TYPE_CHECKING:
    from typing import Any

__all__ = ["install"]

DELAY = 3.0
"""Seconds before the registration, so that the worker's downloads do not compete with the page's."""


async def install() -> None:
    """Register the service worker, which browsers allow only over HTTPS with a trusted certificate.

    A frame registers none: it is a part of another page, which has to be opened first.
    """
    document = get(window, "document")
    if call(get(document, "documentElement"), "hasAttribute", "data-offline"):
        listen(call(document, "getElementById", "reload"), "click", _reload)
        listen(window, "online", _reload)
    workers = get(window, "navigator", "serviceWorker")
    if workers is None or is_embedded():
        return
    await asyncio.sleep(DELAY)
    try:
        await wait(call(workers, "register", "service-worker.js"))
    except BrowserError:
        # The page works without a service worker.
        return


def _reload(event: Any) -> None:
    call(get(window, "location"), "reload")
