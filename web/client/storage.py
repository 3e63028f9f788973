"""What the page remembers: this tab's place in a call, host keys, the person's name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .browser import BrowserError, call, get, window

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "forget_call",
    "host_key",
    "keep_call",
    "keep_host_key",
    "keep_language",
    "keep_name",
    "keep_single_keys",
    "kept_call",
    "language",
    "name",
    "single_keys",
]

CALL = "signald.call"
"""In `sessionStorage`: a tab's own, which a reload finds."""

HOST_KEYS = "signald.host-keys"
NAME = "signald.name"
LANGUAGE = "signald.language"
SINGLE_KEYS = "signald.single-keys"
"""In `localStorage`: the person's, which tomorrow finds."""

MOST_HOST_KEYS = 20


def keep_call(role: str, session: str, identity: str) -> None:
    """Remember who this tab is, and where."""
    _write("sessionStorage", CALL, json.dumps([role, session, identity]))


def forget_call() -> None:
    """The tab is in no call any more."""
    _write("sessionStorage", CALL, None)


def kept_call() -> tuple[str, str, str] | None:
    """Return role, session and identity of this tab before it was loaded anew; None if it was in no call."""
    found = _read("sessionStorage", CALL)
    if isinstance(found, list) and len(found) == 3 and all(isinstance(part, str) for part in found):
        return found[0], found[1], found[2]
    return None


def host_key(session: str) -> str:
    """Return the key with which this person can open a session again; empty if there is none."""
    for known, key in _host_keys():
        if known == session:
            return key
    return ""


def keep_host_key(session: str, key: str) -> None:
    """Remember the key of a session; an empty one: forget it. Of too many, the oldest are forgotten."""
    keys = [pair for pair in _host_keys() if pair[0] != session]
    if key:
        keys.append((session, key))
    _write("localStorage", HOST_KEYS, json.dumps([[known, value] for known, value in keys[-MOST_HOST_KEYS:]]))


def _host_keys() -> list[tuple[str, str]]:
    found = _read("localStorage", HOST_KEYS)
    pairs = []
    for pair in found if isinstance(found, list) else []:
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], str):
            pairs.append((pair[0], pair[1]))
    return pairs


def name() -> str:
    """Return what the person called themselves last; empty if nothing."""
    return _text("localStorage", NAME) or ""


def keep_name(text: str) -> None:
    """Remember what the person calls themselves."""
    _write("localStorage", NAME, text or None)


def language() -> str:
    """Return the language that the person chose; empty if none."""
    return _text("localStorage", LANGUAGE) or ""


def keep_language(code: str) -> None:
    """Remember the language that the person chose."""
    _write("localStorage", LANGUAGE, code)


def single_keys() -> bool:
    """Return whether keys that are characters do something: yes, unless the person switched them off."""
    return _text("localStorage", SINGLE_KEYS) != "off"


def keep_single_keys(on: bool) -> None:
    """Remember whether they do."""
    _write("localStorage", SINGLE_KEYS, None if on else "off")


def _text(storage: str, key: str) -> str | None:
    try:
        text: str | None = call(get(window, storage), "getItem", key)
    except BrowserError:
        # Whoever forbids cookies forbids this as well.
        return None
    return text


def _read(storage: str, key: str) -> Any:
    try:
        return json.loads(_text(storage, key) or "null")
    except ValueError:
        return None


def _write(storage: str, key: str, text: str | None) -> None:
    try:
        if text is None:
            call(get(window, storage), "removeItem", key)
        else:
            call(get(window, storage), "setItem", key, text)
    except BrowserError:
        return
