"""Checks the token of the admin page, and bounds how often somebody may try."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from enum import Enum
from http import HTTPStatus

from attrs import define, field

from signald.config.secret_files import read_secret
from signald.config.settings import Operations
from signald.config.values import ConfigError
from signald.core.budgets import AddressBudget, guess_rate
from signald.core.limits import Limits, address_key

__all__ = ["LEAST_TOKEN", "AdminToken", "Check"]

LEAST_TOKEN = 16
"""Bytes of a token: what is shorter is a password that can be guessed."""


class Check(Enum):
    """Why a request is refused: status, code and sentence."""

    WRONG = (HTTPStatus.UNAUTHORIZED, "wrong-token", "The token is missing or wrong.")
    TOO_MANY = (HTTPStatus.TOO_MANY_REQUESTS, "too-many-tries", "Too many wrong tokens. Try again later.")
    CROSS_SITE = (HTTPStatus.FORBIDDEN, "cross-site", "Another site may not ask for this.")
    UNCONFIRMED = (HTTPStatus.BAD_REQUEST, "unconfirmed", "The request does not confirm what it asks for.")


@define
class AdminToken:
    """Authenticates requests for the admin page.

    The token is compared by its hash, in a time that does not depend on where the two differ. Wrong ones are counted
    for each address, by default ten in half an hour; after that the right one is refused as well.

    """

    _digest: bytes | None = field(init=False, default=None)
    _wrong: AddressBudget = field(init=False, factory=lambda: AddressBudget(guess_rate(Limits())))

    @property
    def is_set(self) -> bool:
        """Whether there is an admin page."""
        return self._digest is not None

    def configure(self, settings: Operations) -> None:
        """Read the token's file, if there is to be one.

        Raises:
            ConfigError: it cannot be read, is open to others, or holds less than a token; the old one stays.

        """
        if settings.admin_token_file is None:
            self._digest = None
            return
        token = read_secret(settings.admin_token_file)
        if len(token) < LEAST_TOKEN:
            raise ConfigError(f"The token in {settings.admin_token_file} is shorter than {LEAST_TOKEN} bytes.")
        self._digest = hashlib.sha256(token).digest()

    def refusal(self, authorization: Sequence[bytes], address: str, now: float) -> Check | None:
        """Why a request with those Authorization headers (RFC 6750 §2.1) is refused; None where it is not."""
        key = address_key(address)
        if not self._wrong.has_token(key, now):
            return Check.TOO_MANY
        scheme, _, token = (authorization[0] if len(authorization) == 1 else b"").partition(b" ")
        given = hashlib.sha256(token.strip(b" ")).digest()
        if hmac.compare_digest(given, self._digest or b"") and scheme.lower() == b"bearer":
            return None
        if token:
            self._wrong.take_token(key, now)
        return Check.WRONG
