"""A grant: the permissions that a valid token gives to an identity."""

from __future__ import annotations

from attrs import field, frozen

from signald.core.messages import Role, SessionId

__all__ = ["Grant"]


@frozen
class Grant:
    """The permissions of a token's holder, and who the holder is to the token's issuer.

    Attributes:
        user: the holder's name at the issuer (`sub`, RFC 7519 §4.1.2).
        expires: when it expires, leeway included: wall time, seconds since the epoch.
        role: a host may open and join sessions, a guest may only join them.
        session: the only session that it is valid for; None for any.
        name: the holder's display name; None lets the holder choose it.
        claims: all claims of the token as a JSON object, for the webhook.

    """

    user: str
    expires: float
    role: Role = Role.GUEST
    session: SessionId | None = None
    name: str | None = None
    claims: str = field(default="{}", repr=False)
