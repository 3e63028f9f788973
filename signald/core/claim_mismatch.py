"""Why a token is refused, in words for the operator: the claim, what was expected of it, and what was found."""

from __future__ import annotations

from attrs import frozen

__all__ = ["ClaimMismatch"]


@frozen
class ClaimMismatch:
    """The first part of a token that is not as it has to be.

    Attributes:
        claim: the claim such as `aud` or `signald.role`, the member of the header such as `alg`, or `signature`,
            `token` and `payload` for these as a whole.
        expected: what it has to be.
        found: what it is. A value that the holder of the token may have chosen is described, and not repeated; others
            are those of the token's issuer, whose signature was checked before.

    """

    claim: str
    expected: str
    found: str

    @property
    def sentence(self) -> str:
        """Return all of it as a sentence."""
        return f"{self.claim}: expected {self.expected}, found {self.found}."
