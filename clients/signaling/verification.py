"""Computes the code by which two people detect a person in the middle: one exchange with one page.

This is a short authentication string. Each side commits to a random number before either reveals it, as ZRTP does (RFC
6189 §4.4.1.1), so that nobody can choose a number that makes two codes alike. docs/verification.md has the messages and
the hashed values.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["ANSWERABLE", "COMMIT", "REVEAL", "SYMBOLS", "Verification", "code_numbers", "commitment", "fingerprints"]

COMMIT = "commit"
REVEAL = "reveal"
"""The types of messages."""

# These are the states of a verification.
NONE = "none"
EXCHANGING = "exchanging"
CODE = "code"
CONFIRMED = "confirmed"
DENIED = "denied"
NOT_VERIFIED = "not-verified"

ANSWERABLE = (CODE, CONFIRMED, DENIED)
"""The states in which there is a code that people can compare."""

# These are the reasons for a failed verification.
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
"""The prefix of all hashed values. It separates the domains, so that no hash made for another purpose fits."""

FINGERPRINT = "fingerprint:"
"""The prefix of a fingerprint attribute in SDP, behind `a=` (RFC 8122 §5)."""

SYMBOLS = 7
"""The number of symbols in a code."""

BITS = 6
"""The number of bits in a symbol."""


class Verification:
    """The verification of one peer connection; a new connection takes a new verification.

    Attributes:
        state: one of the states above.
        reason: why the state is `not-verified`; otherwise empty.
        code: the numbers of the symbols, each below 64; empty unless the state is one of `ANSWERABLE`.

    """

    def __init__(self, nonce: str) -> None:
        """Prepare the exchange.

        Arguments:
            nonce: 32 unpredictable bytes, as 64 lower-case hexadecimal digits; it must never be used again.

        """
        self.state = NONE
        self.reason = ""
        self.code: list[int] = []
        self._nonce = nonce
        self._session = ""
        self._fingerprints: tuple[str, str] = ("", "")
        self._commitment = ""
        self._seconds = 0.0

    def start(self, local: str, remote: str, session: str) -> list[dict[str, Any]]:
        """Start the exchange over an open channel, and return the messages to send.

        Arguments:
            local: the local SDP.
            remote: the remote SDP, as it was received and as the browser understood it.
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

    def check(self, local: str, remote: str) -> None:
        """Check the descriptions that an ICE restart replaced: the fingerprints must not change."""
        if self.state not in (NONE, NOT_VERIFIED) and self._fingerprints != (fingerprints(local), fingerprints(remote)):
            self._fail(CHANGED)

    def receive(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Handle a message of the other page, and return the messages to send."""
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
        if self._commitment:
            return self._fail(REPEATED)
        if not _is_hex(remote):
            return self._fail(MALFORMED)
        if remote == commitment(self._nonce):
            return self._fail(REFLECTED)
        self._commitment = remote
        return [{"type": REVEAL, "nonce": self._nonce}]

    def _revealed(self, nonce: Any) -> list[dict[str, Any]]:
        if not self._commitment:
            return self._fail(EARLY_REVEAL)
        if not _is_hex(nonce):
            return self._fail(MALFORMED)
        if commitment(nonce) != self._commitment:
            return self._fail(MISMATCH)
        self.state = CODE
        self.code = code_numbers(self._session, self._fingerprints, (self._nonce, nonce))
        return []

    def tick(self, seconds: float) -> None:
        """Add time to the exchange, which fails after `DEADLINE`."""
        if self.state == EXCHANGING:
            self._seconds += seconds
            if self._seconds >= DEADLINE:
                self._fail(TIMEOUT)

    def answer(self, match: bool) -> None:
        """Store whether the codes match, as the people found; they may compare again."""
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
    """Return the fingerprints of an SDP in a normal form, sorted; empty if there are none.

    All fingerprints count: with several, each authenticates a certificate (RFC 8122 §5), so checking only one would let
    an attacker add another. Lines that merely resemble one count as well, since the browser may accept a malformed
    line.
    """
    found = set()
    # Splitting is linear, while indexing is not: MicroPython searches a text's characters from its beginning each time.
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
    """Return whether a value is 32 bytes in lower-case hexadecimal digits."""
    return isinstance(text, str) and len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)
