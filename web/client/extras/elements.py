"""Creates elements of the document, and files to save, for the parts that are loaded on demand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser.bridge import call, call_static, construct, get, put, spawn, window

if TYPE_CHECKING:
    from typing import Any

__all__ = ["create", "list_options", "save_file", "svg"]

DOWNLOAD_SECONDS = 60.0
"""Seconds for which the browser can fetch a file from its object URL."""


def create(tag: str, text: str = "", style: str = "") -> Any:
    """Return a new element with a text and a class; both may be empty."""
    element = call(get(window, "document"), "createElement", tag)
    put(element, "textContent", text)
    if style:
        put(element, "className", style)
    return element


def svg(tag: str, attributes: dict[str, str]) -> Any:
    """Return a new SVG element with these attributes."""
    element = call(get(window, "document"), "createElementNS", "http://www.w3.org/2000/svg", tag)
    for name, value in attributes.items():
        call(element, "setAttribute", name, value)
    return element


def list_options(select: Any, options: list[tuple[str, str]], selected: str) -> None:
    """Replace the options of a `select` element by these (value, text) pairs."""
    call(select, "replaceChildren")
    for value, text in options:
        option = create("option", text)
        put(option, "value", value)
        call(select, "append", option)
    put(select, "value", selected)


def save_file(name: str, media_type: str, text: str) -> None:
    """Let the browser save a text as a file of this name."""
    address = call_static("URL", "createObjectURL", construct("Blob", [text], {"type": media_type}))
    link = create("a")
    put(link, "href", address)
    put(link, "download", name)
    call(link, "click")
    spawn(_revoke_later(address))


async def _revoke_later(address: str) -> None:
    await asyncio.sleep(DOWNLOAD_SECONDS)
    call_static("URL", "revokeObjectURL", address)
