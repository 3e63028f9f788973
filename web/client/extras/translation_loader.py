"""Loads and applies another language, at the start or when the person chooses it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..browser.bridge import BrowserError, call, get, put, wait, window
from ..model import texts, translation

if TYPE_CHECKING:
    from typing import Any

__all__ = ["apply", "fetch"]

SHOW_TEXT = 4
"""`NodeFilter.SHOW_TEXT` of the DOM standard, §6.3."""

NAMES = ("aria-label", "placeholder", "title")
"""HTML attributes whose values are shown or read to the user, and so are translated."""

_replaced: list[tuple[Any, str, str, str]] = []
"""The translated texts of index.html: node, attribute or empty, English, translation."""


async def fetch(language: str) -> dict[str, Any]:
    """Return the texts of a language by section; an empty dict for English.

    Raises:
        BrowserError: the language could not be fetched.

    """
    if language == translation.ENGLISH:
        return {}
    option = call(get(window, "document"), "querySelector", "#language [value=" + language + "]")
    reply = await wait(call(window, "fetch", call(option, "getAttribute", "data-file")))
    if not get(reply, "ok"):
        raise BrowserError("NetworkError", "The server does not have this language.")
    sections: dict[str, Any] = json.loads(await wait(call(reply, "text")))
    return sections


def apply(language: str, sections: dict[str, Any]) -> None:
    """Translate the static page at once, and what Python shows from the next view on."""
    translation.register("texts", texts)
    translation.apply(sections)
    root = get(window, "document", "documentElement")
    put(root, "lang", language)
    put(root, "dir", sections.get("dir", "ltr"))
    for node, name, english, foreign in _replaced:
        if _read(node, name) == foreign:
            _write(node, name, english)
    _replaced.clear()
    if sections:
        _translate(root, sections["html"])


def _translate(root: Any, sentences: dict[str, str]) -> None:
    """Replace each English text below a node that has a translation."""
    walker = call(get(window, "document"), "createTreeWalker", root, SHOW_TEXT)
    while True:
        node = call(walker, "nextNode")
        if node is None:
            break
        _exchange(node, "", sentences)
    for name in NAMES:
        for element in call(root, "querySelectorAll", "[" + name + "]"):
            _exchange(element, name, sentences)
    for template in call(root, "querySelectorAll", "template"):
        _translate(get(template, "content"), sentences)


def _exchange(node: Any, name: str, sentences: dict[str, str]) -> None:
    english = _read(node, name)
    sentence = " ".join(english.split())
    if sentence in sentences:
        foreign = sentences[sentence]
        _write(node, name, foreign)
        _replaced.append((node, name, english, foreign))


def _read(node: Any, name: str) -> str:
    text: str | None = call(node, "getAttribute", name) if name else get(node, "nodeValue")
    return text or ""


def _write(node: Any, name: str, text: str) -> None:
    if name:
        call(node, "setAttribute", name, text)
    else:
        put(node, "nodeValue", text)
