"""Ids in Crockford's base 32 and random secrets: how they are made and parsed."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable

from attrs import frozen

from signald.core.messages import Secret, SessionId, UserId

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CANONICAL = str.maketrans("abcdefghijklmnopqrstuvwxyzIOL", "ABCDEFGH1JK1MN0PQRSTUVWXYZ101", "- ")

USER_SYMBOLS = 26
"""The length of a user id: its 130 bits hold 128 random ones."""

SESSION_SYMBOLS = 10
"""The length of a session id: 50 random bits are enough since guesses are rate limited, and short enough to type."""


def base32(number: int, symbols: int) -> str:
    """Encode the lowest bits of a number, five for each symbol, in Crockford's base 32."""
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(5 * (symbols - 1), -1, -5))


@frozen
class IdSource:
    """Makes unguessable ids.

    Attributes:
        random_bytes: returns as many random bytes as asked for, as `secrets.token_bytes` does.

    """

    random_bytes: Callable[[int], bytes]

    def new_user_id(self) -> UserId:
        """Make a user id of 128 random bits."""
        return UserId(base32(int.from_bytes(self.random_bytes(16), "big"), USER_SYMBOLS))

    def new_session_id(self) -> SessionId:
        """Make a session id of 50 random bits."""
        return SessionId(base32(int.from_bytes(self.random_bytes(7), "big"), SESSION_SYMBOLS))

    def new_secret(self) -> Secret:
        """Make a secret of 256 random bits."""
        return Secret(base64url(self.random_bytes(32)))


def is_user_id(text: str) -> bool:
    """Whether a text has the form of a user id."""
    return len(text) == USER_SYMBOLS and all(symbol in _ALPHABET for symbol in text)


def parse_session_id(text: str) -> SessionId | None:
    """Parse a session id as people type it: in any case, with I or L for 1, O for 0, hyphens and spaces.

    Returns None where the text is not a session id.
    """
    canonical = text.translate(_CANONICAL)
    if len(canonical) == SESSION_SYMBOLS and all(symbol in _ALPHABET for symbol in canonical):
        return SessionId(canonical)
    return None


def host_key(secret: bytes, session: SessionId) -> Secret:
    """Derive a session's host key as an HMAC-SHA256 (RFC 2104) of its id, so that no keys have to be stored."""
    return Secret(base64url(hmac.digest(secret, session.encode(), "sha256")))


def base64url(data: bytes) -> str:
    """Encode bytes as base64url without padding (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
