"""Decides who may have an id in the directory: by the application's key, and by a token where tokens are needed."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from attrs import field, frozen

from signald.auth.token_claims import TokenError
from signald.auth.tokens import TokenVerifier
from signald.core.budgets import AddressBudget
from signald.core.directory_messages import ClientId, Registration
from signald.core.errors import ErrorCode, SignalError
from signald.core.limits import AddressKey
from signald.core.token_need import TokenNeed
from signald.dialects.dialect import Claim

__all__ = ["DirectoryAccess"]

_TOKEN_DOTS = 2
"""Dots in a token (RFC 7515 §3.1), by which it is told from the random secret of a client that has none."""


@frozen
class DirectoryAccess:
    """Checks the claims of the directory's clients.

    Attributes:
        key: the key of the application; empty in a protocol without keys.
        tokens: verifies tokens, and knows whether they are needed.
        bad_tokens: the budget of each address for tokens with a wrong signature.
        wall: returns wall time, in seconds since the epoch.

    """

    key: str = field(repr=False)
    tokens: TokenVerifier
    bad_tokens: AddressBudget
    wall: Callable[[], float]

    def registration(self, id: ClientId, claim: Claim, address: AddressKey, now: float) -> Registration:
        """Return the client's registration with what identifies the holder of its id.

        Where tokens are needed, also if only hosts need them, that is the user of the token: a client with an id can be
        called by all others, like a host. A token for one session is refused, since the directory has no sessions.
        Otherwise it is a digest of the client's secret, or of nothing where it has none. A reload may change the rule
        while ids are held by the former one, and so the client is also what it would be by the other rule, as far as
        its token proves that.

        Arguments:
            id: the id that it claims.
            claim: what the client says about itself.
            address: the address that a token with a wrong signature is charged to.
            now: monotonic seconds.

        Raises:
            SignalError: the client cannot have an id; a `TokenError` where its token is not valid.

        """
        if not hmac.compare_digest(claim.key.encode(), self.key.encode()):
            raise SignalError(ErrorCode.NOT_PERMITTED)
        digest = f"token {sha256(claim.token.encode()).hexdigest()}"
        if self.tokens.need is not TokenNeed.NOBODY:
            return Registration(id, self._user(claim.token, address, now), (digest,), claim.room)
        if self.tokens.has_keys and claim.token.count(".") == _TOKEN_DOTS:
            with suppress(SignalError):
                return Registration(id, digest, (self._user(claim.token, address, now),), claim.room)
        return Registration(id, digest, room=claim.room)

    def _user(self, token: str, address: AddressKey, now: float) -> str:
        """Return the user of a token.

        Raises:
            SignalError: the token is not valid here.

        """
        if not token:
            raise SignalError(ErrorCode.TOKEN_REQUIRED)
        if not self.bad_tokens.has_token(address, now):
            raise SignalError(ErrorCode.TOO_MANY_GUESSES)
        try:
            grant = self.tokens.verify(token, self.wall())
        except TokenError as error:
            if error.is_guess:
                self.bad_tokens.take_token(address, now)
            raise
        if grant.session is not None:
            raise SignalError(ErrorCode.NOT_PERMITTED)
        return f"user {grant.user}"
