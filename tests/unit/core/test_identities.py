"""What the registry knows of an identity: its secrets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.identities import Identity, SecretCheck, hashed
from signald.core.messages import Secret

FIRST, SECOND, THIRD = (Secret(letter * 43) for letter in "ABC")


class SecretTests(SynchronousTestCase):
    """A secret is valid until the client has the next one."""

    def setUp(self) -> None:
        """An identity with its first secret."""
        self.identity = Identity()
        self.identity.rotate(FIRST)

    def test_only_hashes_are_kept(self) -> None:
        """A copy of the server's memory resumes nobody."""
        self.assertEqual(self.identity.current, hashed(FIRST))
        self.assertNotIn(FIRST, str(self.identity))

    def test_a_wrong_secret_changes_nothing(self) -> None:
        """Not even when there is none at all."""
        self.assertIs(self.identity.check(SECOND), SecretCheck.WRONG)
        self.assertIsNone(self.identity.previous)
        self.assertIs(Identity().check(FIRST), SecretCheck.WRONG)

    def test_a_lost_welcome_locks_nobody_out(self) -> None:
        """The secret before is valid until the client confirms, however often it is used."""
        for secret, check in ((SECOND, SecretCheck.NEWEST), (THIRD, SecretCheck.PREVIOUS)):
            self.assertIs(self.identity.check(FIRST), check)
            self.identity.rotate(secret)
        self.assertIs(self.identity.check(THIRD), SecretCheck.NEWEST)

    def test_a_secret_that_was_never_heard_of_is_worth_nothing(self) -> None:
        """Of those whose welcomes were lost only the newest is valid."""
        for secret in (SECOND, THIRD):
            self.identity.check(FIRST)
            self.identity.rotate(secret)
        self.assertIs(self.identity.check(SECOND), SecretCheck.WRONG)

    def test_a_confirmed_secret_spends_the_one_before(self) -> None:
        """Once and for all."""
        self.identity.check(FIRST)
        self.identity.rotate(SECOND)
        self.identity.confirm(2)
        self.assertIs(self.identity.check(FIRST), SecretCheck.SPENT)
        self.assertIs(self.identity.check(SECOND), SecretCheck.NEWEST)

    def test_only_the_newest_secret_is_confirmed(self) -> None:
        """Word of an older one comes late."""
        self.identity.check(FIRST)
        self.identity.rotate(SECOND)
        self.identity.confirm(1)
        self.assertIs(self.identity.check(FIRST), SecretCheck.PREVIOUS)

    def test_there_may_be_nothing_to_spend(self) -> None:
        """The first secret has none before it."""
        self.identity.confirm(1)
        self.assertIsNone(self.identity.spent)
        self.assertIs(self.identity.check(FIRST), SecretCheck.NEWEST)
