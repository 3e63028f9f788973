"""Which speaker a media element plays through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import BrowserError, call, get, spawn, wait

if TYPE_CHECKING:
    from typing import Any

__all__ = ["set_speaker"]


def set_speaker(element: Any, device: str) -> None:
    """Let a media element sound from this speaker, where the browser can; empty for the system's choice."""
    if get(element, "setSinkId") is not None:
        spawn(_sink(element, device))


async def _sink(element: Any, device: str) -> None:
    try:
        await wait(call(element, "setSinkId", device))
    except BrowserError:
        # A speaker that is gone: the browser stays with the one that sounds.
        return
