"""What the registry knows of an identity: who may come back as it, and where it is a member."""

from __future__ import annotations

import hmac
from enum import Enum
from hashlib import sha256

from attrs import define, field

from signald.core.grant import Grant
from signald.core.messages import Instance, Secret, SessionId


def hashed(secret: Secret) -> str:
    """The form in which a secret is kept. It has 256 random bits: a plain hash will do."""
    return sha256(secret.encode()).hexdigest()


class SecretCheck(Enum):
    """What a secret is worth."""

    NEWEST = "newest"
    PREVIOUS = "previous"
    SPENT = "spent"
    WRONG = "wrong"


@define
class Identity:
    """One identity.

    Attributes:
        instance: of the client that has it; None where it cannot resume.
        current: the hash of the newest secret.
        previous: the hash of the one before, as long as it is not certain that the client has the newest.
        spent: the hash of the last one that the client has replaced.
        rotation: how many secrets there were.
        away: whether its connection is lost.
        sessions: those in which it is a member or waits.
        grant: what its token let it do; None without one.

    """

    instance: Instance | None = None
    current: str | None = None
    previous: str | None = None
    spent: str | None = None
    rotation: int = 0
    away: bool = False
    sessions: set[SessionId] = field(factory=set)
    grant: Grant | None = None

    def check(self, secret: Secret) -> SecretCheck:
        """Say what a secret is worth; a valid one is the previous one from now on, until `confirm`."""
        given = hashed(secret)
        if _same(given, self.current):
            self.previous = given
            return SecretCheck.NEWEST
        if _same(given, self.previous):
            return SecretCheck.PREVIOUS
        return SecretCheck.SPENT if _same(given, self.spent) else SecretCheck.WRONG

    def rotate(self, secret: Secret) -> None:
        """Take note of the newest secret."""
        self.current = hashed(secret)
        self.rotation += 1

    def confirm(self, rotation: int) -> None:
        """The client has the secret of that rotation; an older one is of no use any more."""
        if rotation == self.rotation and self.previous is not None:
            self.spent = self.previous
            self.previous = None


def _same(given: str, kept: str | None) -> bool:
    return kept is not None and hmac.compare_digest(given, kept)
