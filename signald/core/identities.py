"""The registry's record of an identity: its resume secrets, and the sessions that it is in."""

from __future__ import annotations

import hmac
from enum import Enum
from hashlib import sha256

from attrs import define, field

from signald.core.grant import Grant
from signald.core.messages import Instance, Secret, SessionId


def hash_secret(secret: Secret) -> str:
    """The SHA-256 hash under which a secret is stored. It needs no salt or stretching: it has 256 random bits."""
    return sha256(secret.encode()).hexdigest()


class SecretCheck(Enum):
    """The result of checking a resume secret."""

    NEWEST = "newest"
    PREVIOUS = "previous"
    SPENT = "spent"
    WRONG = "wrong"


@define
class Identity:
    """An identity.

    Attributes:
        instance: the id of its client's run; None where it cannot resume.
        current: the hash of the newest secret.
        previous: the hash of the one before, which stays valid until the client confirms that it has the newest.
        spent: the hash of the last secret that the client has confirmed to have replaced.
        rotation: the number of the newest secret.
        away: whether its connection is lost.
        sessions: the sessions of which it is a member or a visitor.
        grant: the permissions of its token; None without one.

    """

    instance: Instance | None = None
    current: str | None = None
    previous: str | None = None
    spent: str | None = None
    rotation: int = 0
    away: bool = False
    sessions: set[SessionId] = field(factory=set)
    grant: Grant | None = None

    def check_secret(self, secret: Secret) -> SecretCheck:
        """Check a resume secret; a valid one stays valid as the previous one until `confirm_secret`."""
        given = hash_secret(secret)
        if _is_same_hash(given, self.current):
            self.previous = given
            return SecretCheck.NEWEST
        if _is_same_hash(given, self.previous):
            return SecretCheck.PREVIOUS
        return SecretCheck.SPENT if _is_same_hash(given, self.spent) else SecretCheck.WRONG

    def rotate_secret(self, secret: Secret) -> None:
        """Store a new secret as the newest one."""
        self.current = hash_secret(secret)
        self.rotation += 1

    def confirm_secret(self, rotation: int) -> None:
        """Invalidate the previous secret, since the client has shown that it has the one of this rotation."""
        if rotation == self.rotation and self.previous is not None:
            self.spent = self.previous
            self.previous = None


def _is_same_hash(given: str, kept: str | None) -> bool:
    return kept is not None and hmac.compare_digest(given, kept)
