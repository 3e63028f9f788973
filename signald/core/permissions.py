"""What a token lets its holder do, and who needs one: the table of need, role and operation (docs/tokens.md)."""

from __future__ import annotations

from enum import Enum

from attrs import evolve

from signald.core.decisions import JoinSession, OpenSession
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.messages import Role

__all__ = ["TokenNeed", "granted", "refusal"]


class TokenNeed(Enum):
    """Who must show a token."""

    NOBODY = "nobody"
    HOSTS = "hosts"
    EVERYONE = "everyone"


def refusal(need: TokenNeed, grant: Grant | None, operation: OpenSession | JoinSession, now: float) -> ErrorCode | None:
    """Why somebody may not open or join a session, or None.

    A grant that has ended opens and joins nothing more; the sessions in which its holder is go on.

    Arguments:
        need: of this server.
        grant: of the one who asks; None without a token.
        operation: what is asked for.
        now: wall time, seconds since the epoch.

    """
    opens = isinstance(operation, OpenSession)
    if grant is None:
        is_needed = need is TokenNeed.EVERYONE or (need is TokenNeed.HOSTS and opens)
        return ErrorCode.TOKEN_REQUIRED if is_needed else None
    if grant.expires <= now:
        return ErrorCode.TOKEN_EXPIRED
    if opens and grant.role is not Role.HOST:
        return ErrorCode.NOT_PERMITTED
    # An opening that names no session is for that of the token.
    if grant.session is not None and operation.session not in (None, grant.session):
        return ErrorCode.NOT_PERMITTED
    return None


def granted(grant: Grant | None, operation: OpenSession | JoinSession) -> OpenSession | JoinSession:
    """Return an operation that is not refused with what the token says: the name, and the session."""
    if grant is None:
        return operation
    name = operation.name if grant.name is None else grant.name
    if isinstance(operation, JoinSession):
        return evolve(operation, name=name)
    return evolve(operation, name=name, session=grant.session or operation.session, grant=grant)
