"""Checks tokens: JSON Web Tokens (RFC 7519), with the care that RFC 8725 asks for (docs/tokens.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
import orjson
from attrs import define, field, frozen
from jwt.types import Options

from signald.auth.token_keys import TokenKey, load_keys
from signald.config.tree import Tokens
from signald.config.values import ConfigError
from signald.core.errors import ErrorCode, SignalError
from signald.core.grant import Grant
from signald.core.ids import parse_session_id
from signald.core.messages import MAX_TOKEN_CHARACTERS, Role, SessionId
from signald.core.permissions import TokenNeed

__all__ = ["CLAIM", "TokenVerifier"]

CLAIM = "signald"
"""The claim that says what a token is good for: an object with `session` and `role`, both optional."""

_MOST_USER = 256
_MOST_NAME = 64
"""Characters of `sub` and `name`."""

_MOST_TIME = 2**53
_OPTIONS: Options = {"require": ["exp", "sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False}
"""Times are checked here, since the library looks at the machine's clock itself."""


@frozen
class _Rules:
    """What tokens are checked against."""

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
                "Tokens are needed, but there is no key to check them with: give tokens.secret_file, tokens.key_files "
                "or tokens.jwks_file."
            )
        return cls(settings.need, keys, settings.issuer, settings.audience, settings.leeway_seconds)


@define
class TokenVerifier:
    """Checks tokens against the keys of the configuration.

    Attributes:
        settings: the section `tokens`.

    Raises:
        ConfigError: the settings cannot be used.

    """

    settings: Tokens
    _rules: _Rules = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Read the keys."""
        self._rules = _Rules.of(self.settings)

    @property
    def need(self) -> TokenNeed:
        """Who must show a token."""
        return self._rules.need

    def configure(self, settings: Tokens) -> None:
        """Check tokens by other settings from now on; who was let in stays so.

        Raises:
            ConfigError: they cannot be used; nothing has changed.

        """
        self._rules = _Rules.of(settings)
        self.settings = settings

    def verify(self, token: str, now: float) -> Grant:
        """Return what a token grants.

        Arguments:
            token: in its compact form (RFC 7515 §7.1).
            now: wall time, seconds since the epoch.

        Raises:
            SignalError: `token-invalid`; `token-expired` for one that is good but for its age.

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
        """Return the claims of a token that one of the keys has signed."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise SignalError(ErrorCode.TOKEN_INVALID)
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise SignalError(ErrorCode.TOKEN_INVALID) from None
        # No extension is understood here (RFC 7515 §4.1.11).
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
        """The keys that may have signed a token: the header chooses among them, and no key changes its algorithm."""
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
    """Read what a token is good for. What is misspelt there would allow too much, and so is refused."""
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
    except (ValueError, TypeError):  # no role, or what JSON has no words for (`NaN`)
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
