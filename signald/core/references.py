"""References: short keyed pseudonyms of users and sessions, under which the log and the TURN server name them."""

from __future__ import annotations

import hmac
from functools import lru_cache

from signald.core.ids import base32
from signald.core.messages import SessionId, UserId

__all__ = ["SYMBOLS", "References"]

SYMBOLS = 8
"""Symbols of a reference: 40 bits, by which 40,000 users share one with a probability of 0.07 %, and few enough to read
out on the telephone."""

_MOST_KEPT = 4096
"""References that are kept, those of the users and sessions that were named last; computing another one takes 2 µs."""

_BYTES = SYMBOLS * 5 // 8
"""Bytes of the code that a reference shows."""

_PAIRS = tuple(base32(bits, 2) for bits in range(1024))
"""Two symbols for each ten bits: every welcome has a reference, and symbol by symbol it would take twice as long."""

_DOMAIN = b"signald references\0"
"""Begins the text from which the key is derived, so that the key is neither a host key nor the code of a ticket."""


class References:
    """Computes the reference of a user or a session when it is first needed.

    A reference is an HMAC-SHA256 (RFC 2104) of the id, in Crockford's base 32. Members of a session know each other's
    ids, and can compute nobody's reference from them; whoever reads a log cannot join a session that it names.
    """

    def __init__(self, host_secret: bytes) -> None:
        """Derive the key from the secret of the data directory, so that references outlast a restart."""
        self._key = hmac.digest(host_secret, _DOMAIN, "sha256")
        # A cache of each object, since `lru_cache` as a decorator of a method would keep every object alive.
        self._compute = lru_cache(_MOST_KEPT)(self._digest)

    def of_user(self, user: UserId) -> str:
        """Return the reference of a user."""
        return self._compute("user", user)

    def of_session(self, session: SessionId) -> str:
        """Return the reference of a session."""
        return self._compute("session", session)

    def _digest(self, kind: str, id: str) -> str:
        code = hmac.digest(self._key, f"{kind}\0{id}".encode(), "sha256")
        bits = int.from_bytes(code[:_BYTES], "big")
        return _PAIRS[bits >> 30] + _PAIRS[bits >> 20 & 1023] + _PAIRS[bits >> 10 & 1023] + _PAIRS[bits & 1023]
