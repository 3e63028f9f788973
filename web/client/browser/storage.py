"""The browser's storage: the call of this tab, host keys, and the person's settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..model.call_urls import storage_prefix
from .bridge import BrowserError, call, get, window

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "PREFIX",
    "clear_call",
    "crash_copy",
    "devices",
    "host_key",
    "language",
    "mute_hints",
    "name",
    "offers_verification",
    "relay_only",
    "save_call",
    "save_crash_copy",
    "save_devices",
    "save_host_key",
    "save_language",
    "save_mute_hints",
    "save_name",
    "save_relay_only",
    "save_single_keys",
    "save_sounds",
    "save_token",
    "save_verification_offered",
    "saved_call",
    "session_settings",
    "single_keys",
    "sounds",
    "token",
]

PREFIX = storage_prefix(get(window, "location", "pathname"))
"""What each name in the browser's storage begins with."""

CALL = "call"
TOKEN = "token"  # noqa: S105 # no secret
"""Keys in `sessionStorage`, which belongs to one tab and survives a reload."""

CRASH_COPY = "call-copy"
HOST_KEYS = "host-keys"
NAME = "name"
LANGUAGE = "language"
SINGLE_KEYS = "single-keys"
RELAY_ONLY = "relay-only"
DEVICES = "devices"
NO_HINTS = "no-hints"
NO_SOUNDS = "no-sounds"
VERIFICATION_OFFERED = "verification-offered"
"""Keys in `localStorage`, which all tabs share and which persists when the browser is closed."""

MAX_HOST_KEYS = 20
"""The maximum number of stored host keys; beyond this number the oldest keys are deleted."""


_token = ["", ""]
"""The last token with its session: a page without storage has it here alone, and other frames cannot replace it."""


def save_call(role: str, session: str, identity: str, ticket: str) -> None:
    """Store the role, the session, the resume identity and the rejoin ticket of this tab."""
    _write("sessionStorage", CALL, json.dumps([role, session, identity, ticket]))


def clear_call() -> None:
    """Delete the data of `save_call`, because the call has ended."""
    _write("sessionStorage", CALL, None)


def saved_call() -> tuple[str, str, str, str] | None:
    """Return the role, session, identity and ticket that this tab had before a reload; None if it had no call."""
    found = _read("sessionStorage", CALL)
    if isinstance(found, list) and len(found) == 4 and all(isinstance(part, str) for part in found):
        return found[0], found[1], found[2], found[3]
    return None


def save_crash_copy(text: str | None) -> None:
    """Store the text of a copy of this tab's call for another tab; None deletes it."""
    _write("localStorage", CRASH_COPY, text)


def crash_copy() -> Any:
    """Return the stored copy of the call of a tab; None if there is none."""
    return _read("localStorage", CRASH_COPY)


def save_token(session: str, token: str) -> None:
    """Store this tab's access token with the id of the session that the token is valid for.

    An empty id means any session; an empty token does not change the stored token.
    """
    if token:
        _token[0], _token[1] = session, token
        _write("sessionStorage", TOKEN, json.dumps(_token))


def token(session: str) -> str:
    """Return this tab's access token for a session; empty if there is none."""
    if _token[1] and _token[0] in ("", session):
        return _token[1]
    found = _read("sessionStorage", TOKEN)
    if isinstance(found, list) and len(found) == 2 and found[0] in ("", session) and isinstance(found[1], str):
        return found[1]
    return ""


def host_key(session: str) -> str:
    """Return the host key with which this person can open a session again; empty if there is none."""
    return _stored_session(session)[1]


def session_settings(session: str) -> tuple[str, bool, bool]:
    """Return the password (empty for none), lobby and relay-only setting of a session that this person opened."""
    return _stored_session(session)[2:]


def save_host_key(session: str, key: str, password: str = "", lobby: bool = False, relay_only: bool = False) -> None:
    """Store a session's host key and the settings for reopening the session; an empty key deletes them."""
    keys = [entry for entry in _host_keys() if entry[0] != session]
    if key:
        keys.append((session, key, password, lobby, relay_only))
    _write("localStorage", HOST_KEYS, json.dumps([list(entry) for entry in keys[-MAX_HOST_KEYS:]]))


def _stored_session(session: str) -> tuple[str, str, str, bool, bool]:
    for entry in _host_keys():
        if entry[0] == session:
            return entry
    return session, "", "", False, False


def _host_keys() -> list[tuple[str, str, str, bool, bool]]:
    found = _read("localStorage", HOST_KEYS)
    keys = []
    for entry in found if isinstance(found, list) else []:
        # Earlier versions of the page stored fewer settings or no settings.
        if isinstance(entry, list) and 2 <= len(entry) <= 5 and all(isinstance(part, str) for part in entry[:3]):
            password, lobby, relay = (entry[2:] + ["", False, False][len(entry) - 2 :])[:3]
            keys.append((entry[0], entry[1], password, lobby is True, relay is True))
    return keys


def name() -> str:
    """Return the name that the person entered last; empty if none."""
    return _text("localStorage", NAME) or ""


def save_name(text: str) -> None:
    """Store the person's name."""
    _write("localStorage", NAME, text or None)


def language() -> str:
    """Return the language that the person chose; empty if none."""
    return _text("localStorage", LANGUAGE) or ""


def save_language(code: str) -> None:
    """Store the language that the person chose."""
    _write("localStorage", LANGUAGE, code)


def relay_only() -> bool:
    """Return whether the person hides their address behind a TURN server."""
    return _text("localStorage", RELAY_ONLY) == "on"


def save_relay_only(on: bool) -> None:
    """Store whether the person hides their address."""
    _write("localStorage", RELAY_ONLY, "on" if on else None)


def single_keys() -> bool:
    """Return whether single-character shortcuts are on, which is the default."""
    return _text("localStorage", SINGLE_KEYS) != "off"


def save_single_keys(on: bool) -> None:
    """Store whether single-character shortcuts are on."""
    _write("localStorage", SINGLE_KEYS, None if on else "off")


def devices() -> dict[str, str]:
    """Return the ids of the devices that the person chose, by kind."""
    found = _read("localStorage", DEVICES)
    chosen = {}
    for kind, device in found.items() if isinstance(found, dict) else []:
        if isinstance(kind, str) and isinstance(device, str):
            chosen[kind] = device
    return chosen


def save_devices(chosen: dict[str, str]) -> None:
    """Store the ids of the devices that the person chose, by kind."""
    _write("localStorage", DEVICES, json.dumps(chosen))


def mute_hints() -> bool:
    """Return whether the page shows a hint when the person talks while muted, which is the default."""
    return not _text("localStorage", NO_HINTS)


def save_mute_hints(wanted: bool) -> None:
    """Store whether the page shows a hint when the person talks while muted."""
    _write("localStorage", NO_HINTS, None if wanted else "1")


def sounds() -> bool:
    """Return whether sounds signal what others do in a call, which is the default."""
    return not _text("localStorage", NO_SOUNDS)


def save_sounds(wanted: bool) -> None:
    """Store whether sounds signal what others do in a call."""
    _write("localStorage", NO_SOUNDS, None if wanted else "1")


def offers_verification() -> bool:
    """Return whether the person has not yet answered the offer to verify a connection."""
    return not _text("localStorage", VERIFICATION_OFFERED)


def save_verification_offered() -> None:
    """Store that the person has answered the offer to verify a connection."""
    _write("localStorage", VERIFICATION_OFFERED, "1")


def _text(storage: str, key: str) -> str | None:
    try:
        text: str | None = call(get(window, storage), "getItem", PREFIX + key)
    except BrowserError:
        # Browsers that block cookies also block storage.
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
            call(get(window, storage), "removeItem", PREFIX + key)
        else:
            call(get(window, storage), "setItem", PREFIX + key, text)
    except BrowserError:
        return
