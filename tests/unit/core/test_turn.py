"""TURN credentials, against the scheme and against figures that another program made."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.core.messages import IceServer, UserId
from signald.core.turn import Turn, credentials, pseudonym

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"
SECRET = b"0123456789abcdef0123456789abcdef"
ANN = UserId("0K3PB4X7WQ2M9RT6ZC8HNJVDYA")
BOB = UserId("5V8HNJ0K3PB4X7WQ2M9RT6ZCDY")


class CredentialTests(SynchronousTestCase):
    """User name and credential."""

    def test_the_form(self) -> None:
        """The expiry, a colon, a name; and base64 of 20 bytes.

        The credential is what `printf %s USERNAME | openssl dgst -sha1 -hmac SECRET -binary | base64` prints.
        """
        username, credential = credentials(SECRET, ANN, 1_700_000_600)
        self.assertEqual(username, "1700000600:c5cc378912d8a3df")
        self.assertEqual(credential, "fkvkA93+iLnDZX3Bk/Hgjw56CzI=")

    def test_the_example(self) -> None:
        """That of the protocol's document is Ann's, with this secret."""
        username, credential = credentials(SECRET, ANN, 1_700_000_600)
        server = f'"username":"{username}","credential":"{credential}","expires":600.0'
        self.assertIn(server, PROTOCOL.read_text())

    def test_one_pseudonym_a_user(self) -> None:
        """It stays, it is another for each user and each secret, and nothing of the user's id is in it."""
        self.assertEqual(pseudonym(SECRET, ANN), pseudonym(SECRET, ANN))
        self.assertEqual(len({pseudonym(SECRET, ANN), pseudonym(SECRET, BOB), pseudonym(SECRET * 2, ANN)}), 3)
        self.assertNotIn(ANN, credentials(SECRET, ANN, 1)[0])
        self.assertRegex(pseudonym(SECRET, ANN), r"^[0-9a-f]{16}$")

    def test_the_expiry_is_not_early(self) -> None:
        """The credentials are good for as long as is said, at least, and their secret is not shown."""
        turn = Turn(("turn:a", "turns:b"), SECRET, 600.0)
        server = turn.server(ANN, 1_700_000_000.25)
        username, credential = credentials(SECRET, ANN, 1_700_000_601)
        self.assertEqual(server, IceServer(("turn:a", "turns:b"), username, credential, 600.0))
        self.assertNotIn("0123", repr(turn))
        self.assertNotIn(credential, repr(server))
