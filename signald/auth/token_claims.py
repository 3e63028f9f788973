"""Reads the claims of a token whose signature is verified (RFC 7519 §4), and says which of them is wrong: pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from attrs import frozen

from signald.core.claim_mismatch import ClaimMismatch
from signald.core.errors import ErrorCode, SignalError
from signald.core.grant import Grant
from signald.core.ids import parse_session_id
from signald.core.messages import Role, SessionId

__all__ = ["CLAIM", "LAST_TIME", "ClaimRules", "TokenError", "format_time", "quoted", "read_grant"]

CLAIM = "signald"
"""The private claim with the scope of a token: an object with `session` and `role`, both optional."""

_MEMBERS = ("role", "session")
"""The members of that object."""

_MOST_USER = 256
"""The maximum length of `sub`, in characters."""

_MOST_NAME = 64
"""The maximum length of `name` and of a session id as it may be spelt, in characters."""

_LEAST_EXPIRY = 946_684_800
"""The beginning of the year 2000, before which nobody means a token to expire: such a number is a duration."""

LAST_TIME = 253_402_300_799
"""The end of the year 9999, the largest NumericDate (RFC 7519 §2): a larger number is one of milliseconds."""

_MOST_QUOTED = 40
"""The characters that are quoted of a text, and `_MOST_LISTED` elements of a list."""

_MOST_LISTED = 5

_MOST_DIGITS = 15
"""The digits of a number that are quoted: every time in milliseconds has as many."""


class TokenError(SignalError):
    """A token is refused.

    Attributes:
        mismatch: what is wrong with it, for the operator; the client that showed it is told its code alone.
        is_guess: whether its signature was checked and is wrong, so that it may be a guess. Whatever is refused without
            a check tells nobody anything about the keys.

    """

    def __init__(
        self,
        claim: str,
        expected: str,
        found: str,
        code: ErrorCode = ErrorCode.TOKEN_INVALID,
        *,
        is_guess: bool = False,
    ) -> None:
        super().__init__(code)
        self.mismatch = ClaimMismatch(claim, expected, found)
        self.is_guess = is_guess


@frozen
class ClaimRules:
    """What the operator expects of claims.

    Attributes:
        issuer: the only value of `iss`; None for any.
        audience: the value that `aud` has to contain; None where a token must have no `aud` (RFC 7519 §4.1.3).
        leeway: seconds by which the issuer's clock may differ.

    """

    issuer: str | None = None
    audience: str | None = None
    leeway: float = 0.0


def read_grant(claims: Mapping[str, Any], rules: ClaimRules, now: float) -> Grant:
    """Check all claims, and return the grant.

    Arguments:
        claims: the claims, whose signature is verified.
        rules: what the operator expects of them.
        now: wall time, in seconds since the epoch.

    Raises:
        TokenError: `token-expired` if only its time is over, else `token-invalid`.

    """
    _check_parties(claims, rules)
    expires = _expiry(claims) + rules.leeway
    if "nbf" in claims:
        begins = _time("nbf", claims["nbf"])
        if begins - rules.leeway > now:
            raise TokenError("nbf", f"a time before {format_time(now)}", format_time(begins))
    grant = _grant(claims, expires)
    if expires <= now:
        found = format_time(expires - rules.leeway)
        raise TokenError("exp", f"a time after {format_time(now)}", found, ErrorCode.TOKEN_EXPIRED)
    return grant


def quoted(value: object) -> str:
    """Describe a value that the issuer has chosen: a short text is quoted in ASCII, anything else named by its kind."""
    if isinstance(value, str):
        return json.dumps(value if len(value) <= _MOST_QUOTED else f"{value[:_MOST_QUOTED]}...")
    if isinstance(value, list) and value and all(isinstance(element, str) for element in value):
        listed = ", ".join(map(quoted, value[:_MOST_LISTED]))
        return listed if len(value) <= _MOST_LISTED else f"{listed} and {len(value) - _MOST_LISTED} more"
    return _kind(value)


def _kind(value: object) -> str:
    """Name the kind of a JSON value."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return f"a text of {len(value)} characters"
        case list():
            return "a list"
        case _:
            return "an object"


def _check_parties(claims: Mapping[str, Any], rules: ClaimRules) -> None:
    """Check issuer and audience (RFC 7519 §4.1.1 and §4.1.3)."""
    issuer, audience = claims.get("iss"), claims.get("aud")
    if rules.issuer is not None and issuer != rules.issuer:
        raise TokenError("iss", f"{quoted(rules.issuer)} (tokens.issuer)", quoted(issuer))
    if rules.audience is None:
        if audience is not None:
            raise TokenError("aud", "none, since tokens.audience is not set", quoted(audience))
    elif rules.audience not in (audience if isinstance(audience, list) else (audience,)):
        raise TokenError("aud", f"{quoted(rules.audience)} (tokens.audience)", quoted(audience))


def _expiry(claims: Mapping[str, Any]) -> float:
    expires = _time("exp", claims.get("exp"))
    if expires < _LEAST_EXPIRY:
        raise TokenError("exp", "a time after the year 2000, in seconds since 1970", _number(expires))
    return expires


def _time(claim: str, value: object) -> float:
    """Read a NumericDate (RFC 7519 §2)."""
    expected = "a time in seconds since 1970"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError(claim, expected, _kind(value))
    if not 0 <= value <= LAST_TIME:
        is_milliseconds = _LEAST_EXPIRY * 1000 <= value <= LAST_TIME * 1000
        found = f"{_number(value)}, which are milliseconds" if is_milliseconds else _number(value)
        raise TokenError(claim, f"{expected}, up to the year 9999", found)
    return float(value)


def _number(value: float) -> str:
    """Format a number of any size in a few characters."""
    return f"{value:.0f}" if abs(value) < 10**_MOST_DIGITS else f"no number of up to {_MOST_DIGITS} digits"


def format_time(time: float) -> str:
    """Return a time in seconds since the epoch as a date and time in UTC (RFC 3339)."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _grant(claims: Mapping[str, Any], expires: float) -> Grant:
    """Read the grant. Unknown members of the scope are refused: a misspelt one would allow too much."""
    scope = claims.get(CLAIM, {})
    if not isinstance(scope, dict):
        raise TokenError(CLAIM, "an object", _kind(scope))
    for name in scope:
        if name not in _MEMBERS:
            raise TokenError(CLAIM, f"no members but {' and '.join(_MEMBERS)}", quoted(name))
    name = claims.get("name")
    try:
        return Grant(
            user=_text("sub", claims.get("sub"), _MOST_USER),
            expires=expires,
            role=_role(scope),
            session=_session(scope),
            name=None if name is None else _text("name", name, _MOST_NAME),
            claims=orjson.dumps(claims).decode(),
        )
    except TypeError:  # a number that is too large, a lone surrogate, or too many levels
        raise TokenError("payload", "values that JSON can express (RFC 8259)", "another one") from None


def _role(scope: Mapping[str, Any]) -> Role:
    value = scope.get("role", Role.GUEST.value)
    roles = [role.value for role in Role]
    if value not in roles:
        raise TokenError(f"{CLAIM}.role", " or ".join(map(quoted, roles)), quoted(value))
    return Role(value)


def _session(scope: Mapping[str, Any]) -> SessionId | None:
    if "session" not in scope:
        return None
    claim = f"{CLAIM}.session"
    session = parse_session_id(_text(claim, scope["session"], _MOST_NAME))
    if session is None:
        # A session's id admits to it, so that not even one that is misspelt is repeated.
        raise TokenError(claim, "ten letters and digits without U", "a text of another form")
    return session


def _text(claim: str, value: object, most: int) -> str:
    """Read a text that the holder of a token may have chosen."""
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise TokenError(claim, f"a text of 1 to {most} characters", _kind(value))
    return value
