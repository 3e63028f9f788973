"""The webhook's wire format: the question whether a client may open or join, and its answer (docs/tokens.md)."""

from __future__ import annotations

import orjson
from attrs import field, frozen

from signald.core.decisions import JoinSession, OpenSession
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.messages import Role, SessionId

__all__ = ["Question", "Verdict", "make_question", "read_answer"]

Verdict = ErrorCode | None
"""None permits the operation; an error code refuses it."""

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
"""The error codes with which a service may refuse an operation."""


@frozen
class Question:
    """A question to the service whether this user may open or join this session.

    Attributes:
        operation: `open` or `join`.
        session: the session; None for a new one.
        user: the user's name in its token; None without a token.
        claims: all claims of the token as JSON; None without a token.

    """

    operation: str
    session: SessionId | None
    user: str | None
    claims: str | None = field(repr=False)

    def body(self) -> bytes:
        """The question as the JSON body of an HTTP request."""
        claims = None if self.claims is None else orjson.Fragment(self.claims)
        return orjson.dumps({"operation": self.operation, "session": self.session, "user": self.user, "claims": claims})


def make_question(operation: OpenSession | JoinSession, grant: Grant | None) -> Question:
    """Make the question for an operation of a grant's holder."""
    name = OPEN if isinstance(operation, OpenSession) else JOIN
    user, claims = (None, None) if grant is None else (grant.user, grant.claims)
    return Question(name, operation.session, user, claims)


def read_answer(content: bytes, question: Question) -> Verdict:
    """Parse an answer: `{"allow": true}`, perhaps with a lower `role`, or `{"allow": false, "code": …}`.

    Unknown keys are ignored, and an unknown code counts as `not-permitted`.

    Raises:
        ValueError: the content is not a valid answer.

    """
    answer = orjson.loads(content)
    if type(answer) is not dict or type(answer.get("allow")) is not bool:
        raise ValueError("The answer is not an object with a boolean `allow`.")
    if not answer["allow"]:
        code = answer.get("code")
        return _REASONS.get(code, ErrorCode.NOT_PERMITTED) if type(code) is str else ErrorCode.NOT_PERMITTED
    role = Role(answer.get("role", Role.HOST.value))
    return ErrorCode.NOT_PERMITTED if question.operation == OPEN and role is not Role.HOST else None
