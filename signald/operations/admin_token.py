"""Authenticates requests for the admin page by a token, and throttles clients that send wrong tokens."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
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
"""The minimum length of a token in bytes; a shorter one could be guessed."""


class Check(Enum):
    """The reasons for which a request is refused, each with the status, the error code and the sentence to send."""

    WRONG = (HTTPStatus.UNAUTHORIZED, "wrong-token", "The token is missing or wrong.")
    TOO_MANY = (HTTPStatus.TOO_MANY_REQUESTS, "too-many-tries", "Too many wrong tokens. Try again later.")
    CROSS_SITE = (HTTPStatus.FORBIDDEN, "cross-site", "Another site may not ask for this.")
    UNCONFIRMED = (HTTPStatus.BAD_REQUEST, "unconfirmed", "The request does not confirm what it asks for.")


@define
class AdminToken:
    """Authenticates requests for the admin page.

    The hash of the token is compared in constant time. The number of wrong tokens of each client address is limited as
    that of other guesses (`failed_guesses`); after that, its further wrong tokens are refused without a log line. The
    right token is accepted all the same: otherwise whoever reaches the listener through the same address, such as that
    of a proxy, could lock the operator out. The length of the token protects it from being guessed, not this limit.

    Attributes:
        limits: the limits, of which the rate limit of guesses is used.

    """

    limits: Limits = field(factory=Limits)
    _digest: bytes | None = field(init=False, default=None)
    _wrong: AddressBudget = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Create the budget from the limits."""
        self._wrong = AddressBudget(guess_rate(self.limits))

    @property
    def is_set(self) -> bool:
        """Whether a token is configured; without a token there is no admin page."""
        return self._digest is not None

    def prepare(self, settings: Operations) -> Callable[[], None]:
        """Read the token from the file that the settings name, and return the function that puts the token in force.

        If the settings name no file, that function removes the token.

        Raises:
            ConfigError: the file cannot be read, is open to others, or its token is too short.

        """
        digest: bytes | None = None
        if settings.admin_token_file is not None:
            token = read_secret(settings.admin_token_file)
            if len(token) < LEAST_TOKEN:
                raise ConfigError(
                    f"The token in {settings.admin_token_file} is shorter than {LEAST_TOKEN} bytes, so that it could "
                    "be guessed; `(umask 077; openssl rand -base64 32 > FILE)` makes a usable one."
                )
            digest = hashlib.sha256(token).digest()

        def apply() -> None:
            self._digest = digest

        return apply

    def reload_limits(self, limits: Limits) -> None:
        """Replace the limits; wrong tokens that were counted stay counted."""
        self.limits = limits
        self._wrong.rate_limit = guess_rate(limits)

    def refusal(self, authorization: Sequence[bytes], address: str, now: float) -> Check | None:
        """Return why a request with these Authorization headers (RFC 6750 §2.1) is refused; None if it is allowed."""
        scheme, _, token = (authorization[0] if len(authorization) == 1 else b"").partition(b" ")
        given = hashlib.sha256(token.strip(b" ")).digest()
        if hmac.compare_digest(given, self._digest or b"") and scheme.lower() == b"bearer":
            return None
        if token and not self._wrong.take_token(address_key(address), now):
            return Check.TOO_MANY
        return Check.WRONG
