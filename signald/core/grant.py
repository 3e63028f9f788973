"""A grant: what a valid token said of an identity."""

from __future__ import annotations

from attrs import field, frozen

from signald.core.messages import Role, SessionId

__all__ = ["Grant"]


@frozen
class Grant:
    """What an identity may do, and who it is to whoever gave it its token.

    Attributes:
        user: who (`sub`, RFC 7519 §4.1.2).
        expires: when it ends, with the leeway: wall time, seconds since the epoch.
        role: a host may open sessions and join them, a guest may join alone.
        session: the only one that it is good for; None for any.
        name: what the others are told that its holder is called; None leaves that to the holder.
        claims: all that the token said, a JSON object, for the webhook.

    """

    user: str
    expires: float
    role: Role = Role.GUEST
    session: SessionId | None = None
    name: str | None = None
    claims: str = field(default="{}", repr=False)
