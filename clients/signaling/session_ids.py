"""Session ids as people type, read and paste them (docs/protocol.md, "Values")."""

from __future__ import annotations

__all__ = ["find_session_id", "find_token", "group_session_id", "normalise_session_id"]

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, which leaves out I, L, O and U."""

LENGTH = 10
"""Symbols in a session id."""

TOKEN_SEPARATOR = "&token="  # noqa: S105 # no secret
"""Separates the id from the token in a link's fragment (docs/tokens.md)."""


def normalise_session_id(text: str) -> str:
    """Return the canonical form of a typed session id: ten symbols, upper case, no hyphens.

    Letters may have any case, `I` and `L` are read as `1`, `O` as `0`, and hyphens and spaces are dropped.

    Raises:
        ValueError: the rest is not ten symbols of the alphabet; the argument is a sentence for people.

    """
    symbols = ""
    for symbol in text.upper():
        if symbol in "- \t\r\n":
            continue
        if symbol in "IL":
            symbol = "1"
        elif symbol == "O":
            symbol = "0"
        elif symbol not in ALPHABET:
            raise ValueError("A session ID has letters and digits only, and no letter U.")
        symbols += symbol
    if len(symbols) != LENGTH:
        raise ValueError(f"A session ID has ten letters and digits, like ABC-DEFG-HJK; this has {len(symbols)}.")
    return symbols


def group_session_id(session: str) -> str:
    """Return a canonical session id in groups that people can read: `ABC-DEFG-HJK`."""
    return session[:3] + "-" + session[3:7] + "-" + session[7:]


def find_session_id(text: str) -> str:
    """Return the canonical session id in a pasted text: an id, or a link with the id after `#` and before any `&`.

    Raises:
        ValueError: the text holds no session id; the argument is a sentence for people.

    """
    text = text.strip()
    if "#" in text:
        text = text[text.rfind("#") + 1 :]
    elif "://" in text:
        raise ValueError("This link names no session: the session ID stands after a # sign.")
    return normalise_session_id(text.split("&")[0])


def find_token(text: str) -> str:
    """Return the token in a link's fragment, which follows the session id or stands alone; empty if there is none."""
    fragment = text[text.rfind("#") + 1 :] if "#" in text else ""
    return fragment.partition(TOKEN_SEPARATOR)[2].partition("&")[0].strip()
