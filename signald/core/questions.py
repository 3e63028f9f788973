"""What a webhook is asked, and what its answers mean (docs/tokens.md)."""

from __future__ import annotations

import orjson
from attrs import field, frozen

from signald.core.decisions import JoinSession, OpenSession
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.messages import Role, SessionId

__all__ = ["Question", "Verdict", "question_about", "read_answer"]

Verdict = ErrorCode | None
"""None: it may be; else why not."""

OPEN = "open"
JOIN = "join"

_REASONS = {
    code.value: code
    for code in (
        ErrorCode.NOT_PERMITTED,
        ErrorCode.TOKEN_EXPIRED,
        ErrorCode.TOKEN_REQUIRED,
        ErrorCode.UNKNOWN_SESSION,
        ErrorCode.SESSION_FULL,
        ErrorCode.SESSION_LOCKED,
        ErrorCode.TOO_MANY_SESSIONS,
    )
}
"""What a service may give as its reason to refuse."""


@frozen
class Question:
    """Whether somebody may do something.

    Attributes:
        operation: `open` or `join`.
        session: which one; None for a new one.
        user: who asks, by its token; None without one.
        claims: all that the token said, as JSON; None without one.

    """

    operation: str
    session: SessionId | None
    user: str | None
    claims: str | None = field(repr=False)

    def body(self) -> bytes:
        """The question as JSON."""
        claims = None if self.claims is None else orjson.Fragment(self.claims)
        return orjson.dumps({"operation": self.operation, "session": self.session, "user": self.user, "claims": claims})


def question_about(operation: OpenSession | JoinSession, grant: Grant | None) -> Question:
    """Make the question whether the holder of a grant may open or join."""
    name = OPEN if isinstance(operation, OpenSession) else JOIN
    user, claims = (None, None) if grant is None else (grant.user, grant.claims)
    return Question(name, operation.session, user, claims)


def read_answer(content: bytes, question: Question) -> Verdict:
    """Read `{"allow": true}`, with `role` where it is less than was asked for, or `{"allow": false, "code": …}`.

    Keys that are not known are passed over; a reason that is not known is `not-permitted`.

    Raises:
        ValueError: it is no answer.

    """
    answer = orjson.loads(content)
    if type(answer) is not dict or type(answer.get("allow")) is not bool:
        raise ValueError("This is no answer.")
    if not answer["allow"]:
        code = answer.get("code")
        return _REASONS.get(code, ErrorCode.NOT_PERMITTED) if type(code) is str else ErrorCode.NOT_PERMITTED
    role = Role(answer.get("role", Role.HOST.value))
    return ErrorCode.NOT_PERMITTED if question.operation == OPEN and role is not Role.HOST else None
