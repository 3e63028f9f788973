"""Identifiers in Crockford's base 32: how they are made, read and shown."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable

from attrs import frozen

from signald.core.messages import Secret, SessionId, UserId

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ = str.maketrans("abcdefghijklmnopqrstuvwxyzIOL", "ABCDEFGH1JK1MN0PQRSTUVWXYZ101", "- ")

USER_SYMBOLS = 26
"""Symbols of a user id: 130 bits hold its 128 random ones."""

SESSION_SYMBOLS = 10
"""Symbols of a session id: 50 random bits, enough since guesses are throttled, and short enough to be typed."""


def _encode(number: int, symbols: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(5 * (symbols - 1), -1, -5))


@frozen
class IdSource:
    """Makes unguessable ids.

    Attributes:
        random_bytes: gives so many random bytes, `secrets.token_bytes` for one.

    """

    random_bytes: Callable[[int], bytes]

    def user(self) -> UserId:
        """Make a user id of 128 random bits."""
        return UserId(_encode(int.from_bytes(self.random_bytes(16), "big"), USER_SYMBOLS))

    def session(self) -> SessionId:
        """Make a session id of 50 random bits."""
        return SessionId(_encode(int.from_bytes(self.random_bytes(7), "big"), SESSION_SYMBOLS))

    def secret(self) -> Secret:
        """Make a secret of 256 random bits."""
        return Secret(_base64url(self.random_bytes(32)))


def is_user_id(text: str) -> bool:
    """Whether the text has the form of a user id."""
    return len(text) == USER_SYMBOLS and all(symbol in _ALPHABET for symbol in text)


def read_session_id(text: str) -> SessionId | None:
    """The canonical form of a session id as people type it: any case, I and L for 1, O for 0, hyphens and spaces.

    None when the text is no session id.
    """
    canonical = text.translate(_READ)
    if len(canonical) == SESSION_SYMBOLS and all(symbol in _ALPHABET for symbol in canonical):
        return SessionId(canonical)
    return None


def host_key(secret: bytes, session: SessionId) -> Secret:
    """The host key of a session: an HMAC-SHA256 (RFC 2104) of its id, so that no list of keys has to be kept."""
    return Secret(_base64url(hmac.digest(secret, session.encode(), "sha256")))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
