"""Rejoin tickets: signed statements that a user was a member of a session, which outlive the server's memory."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from attrs import field, frozen

from signald.core.ids import base64url
from signald.core.messages import Role, SessionId, UserId

__all__ = ["RejoinTicket", "TicketSource"]

_DOMAIN = "rejoin ticket"
"""Begins the text that is signed, so that no ticket is a valid host key: those sign the bare session id with the same
secret."""


@frozen
class RejoinTicket:
    """The content of a valid ticket.

    Attributes:
        user: the member to whom it was issued.
        role: the member's role at that time. A host's ticket opens the session again.

    """

    user: UserId
    role: Role


@frozen
class TicketSource:
    """Issues and verifies tickets, which are not stored anywhere.

    A ticket is `role.expires.user.code`; the code is an HMAC-SHA256 (RFC 2104) over the session's id and the other
    parts. It has 100 characters at most.

    Attributes:
        secret: the secret that host keys are derived from as well; as long as it stays, tickets survive a restart.
        wall: returns wall time, seconds since the epoch, since a ticket has to expire in another process too.

    """

    secret: bytes = field(repr=False)
    wall: Callable[[], float]

    def issue(self, session: SessionId, user: UserId, role: Role, seconds: float) -> str:
        """Return a ticket for a member of a session, which is valid for so many seconds."""
        claims = f"{role.value}.{int(self.wall() + seconds)}.{user}"
        return f"{claims}.{self._code(session, claims)}"

    def verify(self, ticket: str, session: SessionId) -> RejoinTicket | None:
        """Return the content of a ticket for this session; None where it is forged, expired or for another session."""
        claims, _, code = ticket.rpartition(".")
        if not hmac.compare_digest(code.encode(), self._code(session, claims).encode()):
            return None
        role, expires, user = claims.split(".")
        return RejoinTicket(UserId(user), Role(role)) if self.wall() < int(expires) else None

    def _code(self, session: SessionId, claims: str) -> str:
        return base64url(hmac.digest(self.secret, f"{_DOMAIN}\0{session}\0{claims}".encode(), "sha256"))
