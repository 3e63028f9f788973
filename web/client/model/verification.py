"""The code by which two people find out whether somebody sits between them: one exchange with one other page. Pure.

Each side commits to a random number before either reveals it, as ZRTP does (RFC 6189 §4.4.1.1), so that nobody can
choose a number that makes two codes alike. docs/verification.md has the messages and what is hashed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["ANSWERABLE", "COMMIT", "REVEAL", "SYMBOLS", "Verification", "code_numbers", "commitment", "fingerprints"]

COMMIT = "commit"
REVEAL = "reveal"
"""Types of messages."""

# States of an exchange.
NONE = "none"
EXCHANGING = "exchanging"
CODE = "code"
CONFIRMED = "confirmed"
DENIED = "denied"
NOT_VERIFIED = "not-verified"

ANSWERABLE = (CODE, CONFIRMED, DENIED)
"""The states in which there is a code that people can compare."""

# Reasons why there is none.
EARLY_REVEAL = "early-reveal"
MISMATCH = "mismatch"
REPEATED = "repeated"
REFLECTED = "reflected"
MALFORMED = "malformed"
NO_FINGERPRINT = "no-fingerprint"
CHANGED = "changed"
TIMEOUT = "timeout"

DEADLINE = 10.0
"""Seconds that an exchange may take."""

DOMAIN = "signald verification 1 "
"""Begins whatever is hashed here, so that no hash made for something else fits."""

FINGERPRINT = "fingerprint:"
"""Begins a fingerprint in a description, behind `a=` (RFC 8122 §5)."""

SYMBOLS = 7
"""Of a code."""

BITS = 6
"""Of a symbol."""


class Verification:
    """The exchange over one peer connection; a connection made anew begins another.

    Attributes:
        state: one of the states above.
        reason: why it is `not-verified`; otherwise empty.
        code: the numbers of the symbols, each below 64; empty unless the state is one of `ANSWERABLE`.

    """

    def __init__(self, nonce: str) -> None:
        """Begin without a channel.

        Args:
            nonce: 32 bytes that nobody can guess, as 64 lower-case hexadecimal digits; never used again.

        """
        self.state = NONE
        self.reason = ""
        self.code: list[int] = []
        self._nonce = nonce
        self._session = ""
        self._fingerprints: tuple[str, str] = ("", "")
        self._remote_commitment = ""
        self._seconds = 0.0

    def start(self, local: str, remote: str, session: str) -> list[dict[str, Any]]:
        """The channel is open: return what is to be sent.

        Args:
            local: the own description, SDP.
            remote: the other side's: as it came, and as the browser understood it.
            session: the session's canonical id.

        """
        if self.state != NONE:
            return []
        self._session = session
        self._fingerprints = (fingerprints(local), fingerprints(remote))
        if not all(self._fingerprints):
            return self._fail(NO_FINGERPRINT)
        self.state = EXCHANGING
        return [{"type": COMMIT, "hash": commitment(self._nonce)}]

    def descriptions_changed(self, local: str, remote: str) -> None:
        """There are other descriptions, as after an ICE restart; the fingerprints have to be the same."""
        if self.state not in (NONE, NOT_VERIFIED) and self._fingerprints != (fingerprints(local), fingerprints(remote)):
            self._fail(CHANGED)

    def receive(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """A message of the other page came: return what is to be sent."""
        if self.state in (NONE, NOT_VERIFIED):
            return []
        if self.state != EXCHANGING:
            return self._fail(REPEATED)
        if message.get("type") == COMMIT:
            return self._committed(message.get("hash"))
        if message.get("type") == REVEAL:
            return self._revealed(message.get("nonce"))
        return self._fail(MALFORMED)

    def _committed(self, remote: Any) -> list[dict[str, Any]]:
        if self._remote_commitment:
            return self._fail(REPEATED)
        if not _is_hex(remote):
            return self._fail(MALFORMED)
        if remote == commitment(self._nonce):
            return self._fail(REFLECTED)
        self._remote_commitment = remote
        return [{"type": REVEAL, "nonce": self._nonce}]

    def _revealed(self, nonce: Any) -> list[dict[str, Any]]:
        if not self._remote_commitment:
            return self._fail(EARLY_REVEAL)
        if not _is_hex(nonce):
            return self._fail(MALFORMED)
        if commitment(nonce) != self._remote_commitment:
            return self._fail(MISMATCH)
        self.state = CODE
        self.code = code_numbers(self._session, self._fingerprints, (self._nonce, nonce))
        return []

    def tick(self, seconds: float) -> None:
        """So much time went by."""
        if self.state == EXCHANGING:
            self._seconds += seconds
            if self._seconds >= DEADLINE:
                self._fail(TIMEOUT)

    def answer(self, match: bool) -> None:
        """The people have compared their codes; they may compare again."""
        if self.state in ANSWERABLE:
            self.state = CONFIRMED if match else DENIED

    def _fail(self, reason: str) -> list[dict[str, Any]]:
        self.state = NOT_VERIFIED
        self.reason = reason
        self.code = []
        return []


def commitment(nonce: str) -> str:
    """Return the commitment to a nonce, as hexadecimal digits."""
    return _hash("commitment", nonce).hex()


def fingerprints(sdp: str) -> str:
    """Return the fingerprints of a description in one form, sorted; empty if there are none.

    All of them: with several, each is good for a certificate (RFC 8122 §5), so one alone would leave room for
    another's. Whatever looks like one counts, since the browser may read a line that is not quite in order.
    """
    found = set()
    # Not by index: MicroPython counts from a text's beginning each time.
    for rest in sdp.lower().replace("\r", "\n").split(FINGERPRINT)[1:]:
        words = rest.split("\n", 1)[0].split()
        found.add(" ".join(words[:1] + [word.upper() for word in words[1:]]))
    return ",".join(sorted(found))


def code_numbers(session: str, fingerprint_pair: tuple[str, str], nonces: tuple[str, str]) -> list[int]:
    """Return the numbers of the symbols; the order within a pair does not matter."""
    first, second = sorted(fingerprint_pair)
    low, high = sorted(nonces)
    digest = _hash("code", "\n".join((session, first, second, low, high)))
    code = []
    for index in range(SYMBOLS):
        byte, bit = divmod(index * BITS, 8)
        code.append((digest[byte] << 8 | digest[byte + 1]) >> (16 - BITS - bit) & 63)
    return code


def _hash(purpose: str, text: str) -> bytes:
    return hashlib.sha256((DOMAIN + purpose + "\n" + text).encode()).digest()


def _is_hex(text: Any) -> bool:
    """Whether it is 32 bytes in the one form that they have here."""
    return isinstance(text, str) and len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)
