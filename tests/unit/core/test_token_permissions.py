"""The permission to open or join, for every combination of setting, token and operation."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import JoinSession, OpenSession
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.messages import Role, SessionId, Traits, UserId
from signald.core.session_settings import Settings
from signald.core.token_need import TokenNeed
from signald.core.token_permissions import apply_grant, refuse_operation
from tests.support.access import NOW

OURS, OTHER = SessionId("7Q2M9RT6ZC"), SessionId("0000000000")
ANN = UserId("A" * 26)
REQUIRED, EXPIRED, FORBIDDEN = ErrorCode.TOKEN_REQUIRED, ErrorCode.TOKEN_EXPIRED, ErrorCode.NOT_PERMITTED


def opening(session: SessionId | None = None) -> OpenSession:
    """Create an operation that opens a session."""
    return OpenSession(ANN, Traits(), "Ann", Settings(), session=session)


def joining(session: SessionId) -> JoinSession:
    """Create an operation that joins a session."""
    return JoinSession(ANN, Traits(), session, "Ann")


OPERATIONS: dict[str, OpenSession | JoinSession] = {
    "open": opening(),
    "open ours": opening(OURS),
    "open other": opening(OTHER),
    "join ours": joining(OURS),
    "join other": joining(OTHER),
}

GRANTS = {
    "none": None,
    "guest": Grant("ann", NOW + 1),
    "host": Grant("ann", NOW + 1, Role.HOST),
    "guest of ours": Grant("ann", NOW + 1, session=OURS),
    "host of ours": Grant("ann", NOW + 1, Role.HOST, OURS),
    "expired": Grant("ann", NOW, Role.HOST),
}

WITH_A_TOKEN = {
    "guest": (FORBIDDEN, FORBIDDEN, FORBIDDEN, None, None),
    "host": (None, None, None, None, None),
    "guest of ours": (FORBIDDEN, FORBIDDEN, FORBIDDEN, None, FORBIDDEN),
    "host of ours": (None, None, FORBIDDEN, None, FORBIDDEN),
    "expired": (EXPIRED,) * 5,
}
"""The expected result is the same for every setting; it is listed in the order of the operations above."""

WITHOUT = {
    TokenNeed.NOBODY: (None,) * 5,
    TokenNeed.HOSTS: (REQUIRED, REQUIRED, REQUIRED, None, None),
    TokenNeed.EVERYONE: (REQUIRED,) * 5,
}


class TableTests(SynchronousTestCase):
    """The table of docs/tokens.md."""

    def test_every_row(self) -> None:
        """Each setting is tried with each token and each operation."""
        rows = 0
        for need in TokenNeed:
            for name, grant in GRANTS.items():
                expected = WITHOUT[need] if grant is None else WITH_A_TOKEN[name]
                for (operation, asked), code in zip(OPERATIONS.items(), expected, strict=True):
                    with self.subTest(need=need, token=name, operation=operation):
                        refused = refuse_operation(need, grant, asked, NOW)
                        self.assertIs(None if refused is None else refused.code, code)
                        rows += 1
        self.assertEqual(rows, 90)


class MismatchTests(SynchronousTestCase):
    """The operator is told which claim does not allow an operation."""

    def test_claims(self) -> None:
        """A wrong role is named before a wrong session; without a token there is no claim."""
        for name, operation, code, claim in (
            ("none", opening(), REQUIRED, None),
            ("guest", opening(), FORBIDDEN, "signald.role"),
            ("guest of ours", opening(OTHER), FORBIDDEN, "signald.role"),
            ("host of ours", opening(OTHER), FORBIDDEN, "signald.session"),
            ("guest of ours", joining(OTHER), FORBIDDEN, "signald.session"),
            ("expired", joining(OTHER), EXPIRED, "exp"),
        ):
            refused = refuse_operation(TokenNeed.EVERYONE, GRANTS[name], operation, NOW)
            assert refused is not None
            self.assertIs(refused.code, code)
            self.assertEqual(None if refused.mismatch is None else refused.mismatch.claim, claim)


class AppliedGrantTests(SynchronousTestCase):
    """A grant changes the operation that it permits."""

    def test_without_one(self) -> None:
        """Without a grant the operation stays as it was."""
        for operation in OPERATIONS.values():
            self.assertIs(apply_grant(None, operation), operation)

    def test_the_session(self) -> None:
        """An `Open` without a session gets the token's; one with a session keeps it with a token valid for any."""
        host, of_ours = GRANTS["host"], GRANTS["host of ours"]
        self.assertEqual(apply_grant(of_ours, opening()).session, OURS)
        self.assertEqual(apply_grant(host, opening(OTHER)).session, OTHER)
        self.assertIsNone(apply_grant(host, opening()).session)

    def test_the_name(self) -> None:
        """The token's display name replaces the chosen one."""
        named = Grant("ann", NOW + 1, name="Dr Ann")
        for operation in (opening(), joining(OURS)):
            self.assertEqual(apply_grant(named, operation).name, "Dr Ann")
            self.assertEqual(apply_grant(GRANTS["guest"], operation).name, "Ann")
