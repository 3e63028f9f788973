"""The resume secrets of an identity."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.identities import Identity, SecretCheck, hash_secret
from signald.core.messages import Secret

FIRST, SECOND, THIRD = (Secret(letter * 43) for letter in "ABC")


class SecretTests(SynchronousTestCase):
    """A secret stays valid until the client has the next one."""

    def setUp(self) -> None:
        """Create an identity with its first secret."""
        self.identity = Identity()
        self.identity.rotate_secret(FIRST)

    def test_only_hashes_are_kept(self) -> None:
        """A copy of the server's memory resumes no identity, since it holds hashes only."""
        self.assertEqual(self.identity.current, hash_secret(FIRST))
        self.assertNotIn(FIRST, str(self.identity))

    def test_a_wrong_secret_changes_nothing(self) -> None:
        """No secret is valid for an identity without one."""
        self.assertIs(self.identity.check_secret(SECOND), SecretCheck.WRONG)
        self.assertIsNone(self.identity.previous)
        self.assertIs(Identity().check_secret(FIRST), SecretCheck.WRONG)

    def test_a_lost_welcome_locks_nobody_out(self) -> None:
        """The previous secret stays valid until the client confirms the newest, however often it is used."""
        for secret, check in ((SECOND, SecretCheck.NEWEST), (THIRD, SecretCheck.PREVIOUS)):
            self.assertIs(self.identity.check_secret(FIRST), check)
            self.identity.rotate_secret(secret)
        self.assertIs(self.identity.check_secret(THIRD), SecretCheck.NEWEST)

    def test_an_unknown_secret_is_wrong(self) -> None:
        """Of several secrets whose welcomes were lost only the newest is valid."""
        for secret in (SECOND, THIRD):
            self.identity.check_secret(FIRST)
            self.identity.rotate_secret(secret)
        self.assertIs(self.identity.check_secret(SECOND), SecretCheck.WRONG)

    def test_a_confirmed_secret_spends_the_one_before(self) -> None:
        """A spent secret stays spent."""
        self.identity.check_secret(FIRST)
        self.identity.rotate_secret(SECOND)
        self.identity.confirm_secret(2)
        self.assertIs(self.identity.check_secret(FIRST), SecretCheck.SPENT)
        self.assertIs(self.identity.check_secret(SECOND), SecretCheck.NEWEST)

    def test_only_the_newest_secret_is_confirmed(self) -> None:
        """A late confirmation of an older secret is ignored."""
        self.identity.check_secret(FIRST)
        self.identity.rotate_secret(SECOND)
        self.identity.confirm_secret(1)
        self.assertIs(self.identity.check_secret(FIRST), SecretCheck.PREVIOUS)

    def test_first_secret_has_no_previous_one(self) -> None:
        """The first secret has no previous one to invalidate."""
        self.identity.confirm_secret(1)
        self.assertIsNone(self.identity.spent)
        self.assertIs(self.identity.check_secret(FIRST), SecretCheck.NEWEST)
