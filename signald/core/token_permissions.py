"""Which operations need a token, and which ones a token permits (docs/tokens.md)."""

from __future__ import annotations

from attrs import evolve

from signald.core.claim_mismatch import ClaimMismatch
from signald.core.decisions import JoinSession, OpenSession, Refused
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.messages import Role
from signald.core.token_need import TokenNeed

__all__ = ["apply_grant", "refuse_operation"]


def refuse_operation(
    need: TokenNeed, grant: Grant | None, operation: OpenSession | JoinSession, now: float
) -> Refused | None:
    """Refuse an operation to a client, with the claim that does not allow it; None where it is permitted.

    An expired grant permits nothing more, but its holder stays in its sessions.

    Arguments:
        need: the server's setting.
        grant: the client's grant; None without a token.
        operation: the requested operation.
        now: wall time, seconds since the epoch.

    """
    opens = isinstance(operation, OpenSession)
    if grant is None:
        is_needed = need is TokenNeed.EVERYONE or (need is TokenNeed.HOSTS and opens)
        return Refused(ErrorCode.TOKEN_REQUIRED) if is_needed else None
    if grant.expires <= now:
        mismatch = ClaimMismatch("exp", "a time that is not over", "one that was over before this request")
        return Refused(ErrorCode.TOKEN_EXPIRED, mismatch=mismatch)
    if opens and grant.role is not Role.HOST:
        mismatch = ClaimMismatch("signald.role", '"host", to open a session', f'"{grant.role.value}"')
        return Refused(ErrorCode.NOT_PERMITTED, mismatch=mismatch)
    # An `Open` that names no session means the one of the token.
    if grant.session is not None and operation.session not in (None, grant.session):
        mismatch = ClaimMismatch("signald.session", "the session of the request", "another one")
        return Refused(ErrorCode.NOT_PERMITTED, mismatch=mismatch)
    return None


def apply_grant(grant: Grant | None, operation: OpenSession | JoinSession) -> OpenSession | JoinSession:
    """Return a permitted operation with the name and the session that the grant prescribes."""
    if grant is None:
        return operation
    name = operation.name if grant.name is None else grant.name
    if isinstance(operation, JoinSession):
        return evolve(operation, name=name)
    return evolve(operation, name=name, session=grant.session or operation.session, grant=grant)
