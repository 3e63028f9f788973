"""The webhook's question and the parsing of its answer."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import JoinSession, OpenSession
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.messages import Role, SessionId, Traits, UserId
from signald.core.session_settings import Settings
from signald.core.webhook_messages import Question, make_question, read_answer

ANN = UserId("0" * 26)
SESSION = SessionId("7Q2M9RT6ZC")
JOIN = JoinSession(ANN, Traits(), SESSION)
OPEN = OpenSession(ANN, Traits(), "Ann", Settings())


class QuestionTests(SynchronousTestCase):
    """The body of the webhook's HTTP request."""

    def test_a_question_names_the_token_and_its_claims(self) -> None:
        """The question contains the token's claims unchanged."""
        grant = Grant("ann@example", 2000.0, Role.HOST, claims='{"sub":"ann@example","plan":"free"}')
        body = json.loads(make_question(JOIN, grant).body())
        claims = {"sub": "ann@example", "plan": "free"}
        self.assertEqual(body, {"operation": "join", "session": SESSION, "user": "ann@example", "claims": claims})

    def test_a_question_without_a_token_has_null_in_their_place(self) -> None:
        """Without a token the user and the claims are null; a new session has no id, so its id is null too."""
        body = json.loads(make_question(OPEN, None).body())
        self.assertEqual(body, {"operation": "open", "session": None, "user": None, "claims": None})


class AnswerTests(SynchronousTestCase):
    """The answer permits the operation or names an error."""

    def read(self, answer: object, operation: str = "open") -> ErrorCode | None:
        """Parse an answer to a question about this operation."""
        return read_answer(json.dumps(answer).encode(), Question(operation, SESSION, None, None))

    def test_allow_permits(self) -> None:
        """Unknown keys are ignored."""
        self.assertIsNone(self.read({"allow": True, "comment": "welcome"}))
        self.assertIsNone(self.read({"allow": True, "role": "host"}))

    def test_a_guest_may_join_but_not_open(self) -> None:
        """The service can grant a lower role than the operation needs."""
        self.assertIsNone(self.read({"allow": True, "role": "guest"}, "join"))
        self.assertIs(self.read({"allow": True, "role": "guest"}), ErrorCode.NOT_PERMITTED)

    def test_a_refusal_names_one_of_the_listed_errors(self) -> None:
        """An unknown code, a code that is not for services and a missing code count as `not-permitted`."""
        self.assertIs(self.read({"allow": False, "code": "session-locked"}), ErrorCode.SESSION_LOCKED)
        for code in ("going-away", "unheard-of", 7, None):
            self.assertIs(self.read({"allow": False, "code": code}), ErrorCode.NOT_PERMITTED)
        self.assertIs(self.read({"allow": False}), ErrorCode.NOT_PERMITTED)

    def test_anything_else_raises(self) -> None:
        """The caller treats it as a failure of the service, not as a refusal."""
        answers: list[object] = [[], {}, {"allow": 1}, {"allow": "true"}, {"allow": True, "role": "owner"}]
        for answer in answers:
            with self.assertRaises(ValueError):
                self.read(answer)
        with self.assertRaises(ValueError):
            read_answer(b"<html>", Question("open", None, None, None))
