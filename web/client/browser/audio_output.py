"""Selects the loudspeaker of a media element."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import BrowserError, call, get, spawn, wait

if TYPE_CHECKING:
    from typing import Any

__all__ = ["set_speaker"]


def set_speaker(element: Any, device: str) -> None:
    """Play a media element through this device if the browser supports it; an empty id selects the default device."""
    if get(element, "setSinkId") is not None:
        spawn(_set_sink(element, device))


async def _set_sink(element: Any, device: str) -> None:
    try:
        await wait(call(element, "setSinkId", device))
    except BrowserError:
        # The device was removed; the browser continues to play through the current device.
        return
