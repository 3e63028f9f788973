"""Verifies tokens: JSON Web Tokens (RFC 7519), by the best practices of RFC 8725 (docs/tokens.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from attrs import define, field, frozen

from signald.auth.token_keys import TokenKey, load_keys
from signald.config.settings import Tokens
from signald.config.values import ConfigError
from signald.core.errors import ErrorCode, SignalError
from signald.core.grant import Grant
from signald.core.ids import parse_session_id
from signald.core.messages import MAX_TOKEN_CHARACTERS, Role, SessionId
from signald.core.token_need import TokenNeed

if TYPE_CHECKING:
    from jwt.types import Options

__all__ = ["CLAIM", "TokenVerifier"]

CLAIM = "signald"
"""The private claim with the scope of a token: an object with `session` and `role`, both optional."""

_MOST_USER = 256
"""The maximum length of `sub`, in characters."""

_MOST_NAME = 64
"""The maximum length of `name` and of a session id as it may be spelt, in characters."""

_MOST_TIME = 2**53
"""The largest NumericDate that is accepted: beyond it floats do not hold every integer."""

_OPTIONS: Options = {"require": ["exp", "sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False}
"""PyJWT does not check times: it would read the system clock, which tests cannot set."""


@frozen
class _Rules:
    """The settings with the keys loaded, which one assignment replaces on a reload."""

    need: TokenNeed
    keys: tuple[TokenKey, ...]
    issuer: str | None
    audience: str | None
    leeway: float

    @classmethod
    def of(cls, settings: Tokens) -> _Rules:
        keys = load_keys(settings)
        if settings.need is not TokenNeed.NOBODY and not keys:
            raise ConfigError(
                f"tokens.need: {settings.need.value} needs a key to verify tokens, found no key; "
                "set tokens.secret_file, tokens.key_files or tokens.jwks_file."
            )
        return cls(settings.need, keys, settings.issuer, settings.audience, settings.leeway_seconds)


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
            SignalError: `token-expired` if only its time is over, else `token-invalid`.

        """
        claims = self._claims(token)
        expires = _time(claims, "exp") + self._rules.leeway
        if "nbf" in claims and _time(claims, "nbf") - self._rules.leeway > now:
            raise SignalError(ErrorCode.TOKEN_INVALID)
        grant = _grant(claims, expires)
        if expires <= now:
            raise SignalError(ErrorCode.TOKEN_EXPIRED)
        return grant

    def _claims(self, token: str) -> dict[str, Any]:
        """Verify the signature with the keys that match the header, and return the claims."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise SignalError(ErrorCode.TOKEN_INVALID)

        import jwt  # here, since a daemon without tokens starts faster without it

        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise SignalError(ErrorCode.TOKEN_INVALID) from None
        # A token with a critical extension that is not implemented must be rejected (RFC 7515 §4.1.11).
        if "crit" in header or "b64" in header:
            raise SignalError(ErrorCode.TOKEN_INVALID)
        for key in self._candidates(header):
            try:
                return jwt.decode(
                    token,
                    key.material,
                    algorithms=[key.algorithm],
                    issuer=self._rules.issuer,
                    audience=self._rules.audience,
                    options=_OPTIONS,
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.PyJWTError:
                break
        raise SignalError(ErrorCode.TOKEN_INVALID)

    def _candidates(self, header: Mapping[str, Any]) -> list[TokenKey]:
        """Return the keys that match the header's `alg` and `kid`; the header cannot change a key's algorithm."""
        ours = [key for key in self._rules.keys if key.algorithm == header.get("alg")]
        named = header.get("kid")
        alone = len(self._rules.keys) == 1
        return [key for key in ours if key.id is None or key.id == named or (named is None and alone)]


def _time(claims: Mapping[str, Any], name: str) -> float:
    """Read a NumericDate (RFC 7519 §2)."""
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value < _MOST_TIME:
        raise SignalError(ErrorCode.TOKEN_INVALID)
    return float(value)


def _grant(claims: Mapping[str, Any], expires: float) -> Grant:
    """Read the grant. Unknown members of the scope are rejected: a misspelt one would allow too much."""
    scope = claims.get(CLAIM, {})
    if type(scope) is not dict or not scope.keys() <= {"session", "role"}:
        raise SignalError(ErrorCode.TOKEN_INVALID)
    user, name = _text(claims.get("sub"), _MOST_USER), claims.get("name")
    try:
        return Grant(
            user=user,
            expires=expires,
            role=Role(scope.get("role", Role.GUEST.value)),
            session=_session(scope),
            name=None if name is None else _text(name, _MOST_NAME),
            claims=orjson.dumps(claims).decode(),
        )
    except (ValueError, TypeError):  # an unknown role, or a value that JSON cannot express, such as NaN
        raise SignalError(ErrorCode.TOKEN_INVALID) from None


def _session(scope: Mapping[str, Any]) -> SessionId | None:
    if "session" not in scope:
        return None
    session = parse_session_id(_text(scope["session"], _MOST_NAME))
    if session is None:
        raise SignalError(ErrorCode.TOKEN_INVALID)
    return session


def _text(value: object, most: int) -> str:
    if type(value) is not str or not 0 < len(value) <= most:
        raise SignalError(ErrorCode.TOKEN_INVALID)
    return value
