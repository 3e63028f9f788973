"""What the page remembers: this tab's place in a call, host keys, the person's name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .bridge import BrowserError, call, get, window

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "devices",
    "forget_call",
    "hints",
    "host_key",
    "keep_call",
    "keep_devices",
    "keep_hints",
    "keep_host_key",
    "keep_language",
    "keep_name",
    "keep_relay_only",
    "keep_single_keys",
    "keep_token",
    "kept_call",
    "language",
    "name",
    "relay_only",
    "settings",
    "single_keys",
    "token",
]

CALL = "signald.call"
TOKEN = "signald.token"  # noqa: S105 # no secret
"""In `sessionStorage`: a tab's own, which a reload finds."""

HOST_KEYS = "signald.host-keys"
NAME = "signald.name"
LANGUAGE = "signald.language"
SINGLE_KEYS = "signald.single-keys"
RELAY_ONLY = "signald.relay-only"
DEVICES = "signald.devices"
NO_HINTS = "signald.no-hints"
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


def keep_token(session: str, token: str) -> None:
    """Remember the token with which this tab came, and the session, empty for any; an empty one changes nothing."""
    if token:
        _write("sessionStorage", TOKEN, json.dumps([session, token]))


def token(session: str) -> str:
    """Return the token with which this tab came to this session; empty if there is none."""
    found = _read("sessionStorage", TOKEN)
    if isinstance(found, list) and len(found) == 2 and found[0] in ("", session) and isinstance(found[1], str):
        return found[1]
    return ""


def host_key(session: str) -> str:
    """Return the key with which this person can open a session again; empty if there is none."""
    return _kept_session(session)[1]


def settings(session: str) -> tuple[str, bool, bool]:
    """Return the password, empty for none, with which this person opened a session, its lobby, and if it is relayed."""
    return _kept_session(session)[2:]


def keep_host_key(session: str, key: str, password: str = "", lobby: bool = False, relayed: bool = False) -> None:
    """Remember the key of a session and its settings, which the server wants anew when it is opened again.

    An empty key: forget them. Of too many, the oldest are forgotten.
    """
    keys = [kept for kept in _host_keys() if kept[0] != session]
    if key:
        keys.append((session, key, password, lobby, relayed))
    _write("localStorage", HOST_KEYS, json.dumps([list(kept) for kept in keys[-MOST_HOST_KEYS:]]))


def _kept_session(session: str) -> tuple[str, str, str, bool, bool]:
    for kept in _host_keys():
        if kept[0] == session:
            return kept
    return session, "", "", False, False


def _host_keys() -> list[tuple[str, str, str, bool, bool]]:
    found = _read("localStorage", HOST_KEYS)
    keys = []
    for kept in found if isinstance(found, list) else []:
        # What an earlier page has kept has no settings, or fewer.
        if isinstance(kept, list) and 2 <= len(kept) <= 5 and all(isinstance(part, str) for part in kept[:3]):
            password, lobby, relayed = (kept[2:] + ["", False, False][len(kept) - 2 :])[:3]
            keys.append((kept[0], kept[1], password, lobby is True, relayed is True))
    return keys


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


def relay_only() -> bool:
    """Return whether the person hides their address."""
    return _text("localStorage", RELAY_ONLY) == "on"


def keep_relay_only(on: bool) -> None:
    """Remember whether they do."""
    _write("localStorage", RELAY_ONLY, "on" if on else None)


def single_keys() -> bool:
    """Return whether keys that are characters do something: yes, unless the person switched them off."""
    return _text("localStorage", SINGLE_KEYS) != "off"


def keep_single_keys(on: bool) -> None:
    """Remember whether they do."""
    _write("localStorage", SINGLE_KEYS, None if on else "off")


def devices() -> dict[str, str]:
    """Return the ids of the devices that the person chose, by kind."""
    found = _read("localStorage", DEVICES)
    chosen = {}
    for kind, device in found.items() if isinstance(found, dict) else []:
        if isinstance(kind, str) and isinstance(device, str):
            chosen[kind] = device
    return chosen


def keep_devices(chosen: dict[str, str]) -> None:
    """Remember the devices that the person chose."""
    _write("localStorage", DEVICES, json.dumps(chosen))


def hints() -> bool:
    """Return whether the person wants to be told when they talk while muted; so if they never said."""
    return not _text("localStorage", NO_HINTS)


def keep_hints(wanted: bool) -> None:
    """Remember whether they want that."""
    _write("localStorage", NO_HINTS, None if wanted else "1")


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
