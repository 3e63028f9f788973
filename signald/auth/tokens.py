"""Verifies tokens: JSON Web Tokens (RFC 7519), by the best practices of RFC 8725 (docs/tokens.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from signald.auth.token_claims import ClaimRules, TokenError, quoted, read_grant
from signald.auth.token_keys import TokenKey, load_keys
from signald.config.settings import Tokens
from signald.config.values import ConfigError
from signald.core.grant import Grant
from signald.core.token_need import TokenNeed

if TYPE_CHECKING:
    from jwt.types import Options

__all__ = ["TokenVerifier"]

_ALGORITHMS = {*(f"{family}{bits}" for family in ("HS", "RS", "ES", "PS") for bits in (256, 384, 512)), "EdDSA", "none"}
"""The algorithms that a log line may name (RFC 7518 §3.1, RFC 8037 §3.1): the header is not verified."""

_OPTIONS: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""PyJWT checks the signature alone: it would read the system clock, which tests cannot set, and its errors do not say
what was expected."""


@frozen
class _Rules:
    """The settings with the keys loaded, which one assignment replaces on a reload."""

    need: TokenNeed
    keys: tuple[TokenKey, ...]
    claims: ClaimRules

    @classmethod
    def of(cls, settings: Tokens) -> _Rules:
        keys = load_keys(settings)
        if settings.need is not TokenNeed.NOBODY and not keys:
            raise ConfigError(
                f"tokens.need: {settings.need.value} needs a key to verify tokens, found no key; "
                "set tokens.secret_file, tokens.key_files or tokens.jwks_file."
            )
        return cls(settings.need, keys, ClaimRules(settings.issuer, settings.audience, settings.leeway_seconds))


@define
class TokenVerifier:
    """Verifies tokens with the configured keys.

    Attributes:
        settings: the section `tokens`.

    Raises:
        ConfigError: the settings cannot be used.

    """

    settings: Tokens
    _rules: _Rules = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Load the keys."""
        self._rules = _Rules.of(self.settings)

    @property
    def need(self) -> TokenNeed:
        """Return who must show a token."""
        return self._rules.need

    @property
    def keys(self) -> tuple[TokenKey, ...]:
        """Return the keys that verify tokens."""
        return self._rules.keys

    @property
    def has_keys(self) -> bool:
        """Whether any token can be verified."""
        return bool(self._rules.keys)

    def prepare(self, settings: Tokens) -> Callable[[], None]:
        """Check other settings and read the key files, and return the function that puts the settings in force.

        Identities that exist keep their grants.

        Raises:
            ConfigError: the new settings cannot be used.

        """
        rules = _Rules.of(settings)

        def apply() -> None:
            self._rules, self.settings = rules, settings

        return apply

    def verify(self, token: str, now: float) -> Grant:
        """Verify a token and return its grant.

        Arguments:
            token: the token in its compact serialization (RFC 7515 §7.1).
            now: wall time, in seconds since the epoch.

        Raises:
            TokenError: `token-expired` if only its time is over, else `token-invalid`.

        """
        return read_grant(self._claims(token), self._rules.claims, now)

    def _claims(self, token: str) -> dict[str, Any]:
        """Verify the signature with the keys that match the header, and return the claims."""
        import jwt  # here, since a daemon without tokens starts faster without it

        try:
            header = jwt.get_unverified_header(token)
        except jwt.DecodeError:
            raise TokenError("token", "three parts in base64url with dots between (RFC 7515)", "another text") from None
        except jwt.PyJWTError:
            raise TokenError("header", "a text as kid, and no crit (RFC 7515 §4.1)", "something else") from None
        for name in ("crit", "b64"):
            # A token with a critical extension that is not implemented must be refused (RFC 7515 §4.1.11).
            if name in header:
                raise TokenError(name, "none, since no extension is known", "one")
        keys = self._candidates(header)
        for key in keys:
            try:
                return jwt.decode(token, key.material, algorithms=[key.algorithm], options=_OPTIONS)
            except jwt.InvalidSignatureError:
                continue
            except jwt.PyJWTError:
                raise TokenError("payload", "a JSON object (RFC 7519 §7.2)", "something else") from None
        expected = f"that of the {keys[0].algorithm} key" if len(keys) == 1 else f"that of one of {len(keys)} keys"
        raise TokenError("signature", expected, "another one", is_guess=True)

    def _candidates(self, header: Mapping[str, Any]) -> list[TokenKey]:
        """Return the keys that match the header's `alg` and `kid`; the header cannot change a key's algorithm."""
        keys, named, algorithm = self._rules.keys, header.get("kid"), header.get("alg")
        if not keys:
            raise TokenError("signature", "no token, since the section tokens names no key", "one")
        ours = [key for key in keys if key.algorithm == algorithm]
        if not ours:
            expected = " or ".join(sorted({key.algorithm for key in keys}))
            known = isinstance(algorithm, str) and algorithm in _ALGORITHMS
            raise TokenError("alg", expected, str(algorithm) if known else "another one")
        matching = [key for key in ours if key.id in (None, named) or (named is None and len(keys) == 1)]
        if not matching:
            ids = quoted(sorted(key.id for key in ours if key.id is not None))
            raise TokenError("kid", ids, "none" if named is None else "another one")
        return matching
