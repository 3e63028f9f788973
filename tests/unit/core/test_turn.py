"""TURN credentials, checked against the scheme and against values that another program computed."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.core.ice_server import IceServer
from signald.core.messages import UserId
from signald.core.turn import Turn, credentials, pseudonym

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"
SECRET = b"0123456789abcdef0123456789abcdef"
ANN = UserId("0K3PB4X7WQ2M9RT6ZC8HNJVDYA")
BOB = UserId("5V8HNJ0K3PB4X7WQ2M9RT6ZCDY")


class CredentialTests(SynchronousTestCase):
    """The user name and the credential."""

    def test_the_form(self) -> None:
        """The user name is the expiry, a colon and a pseudonym; the credential is the base64 form of 20 bytes.

        The credential is what `printf %s USERNAME | openssl dgst -sha1 -hmac SECRET -binary | base64` prints.
        """
        username, credential = credentials(SECRET, ANN, 1_700_000_600)
        self.assertEqual(username, "1700000600:c5cc378912d8a3df")
        self.assertEqual(credential, "fkvkA93+iLnDZX3Bk/Hgjw56CzI=")

    def test_the_example(self) -> None:
        """The example in docs/protocol.md is Ann's credential under this secret."""
        username, credential = credentials(SECRET, ANN, 1_700_000_600)
        server = f'"username":"{username}","credential":"{credential}","expires":600.0'
        self.assertIn(server, PROTOCOL.read_text())

    def test_one_pseudonym_a_user(self) -> None:
        """The pseudonym is stable, differs by user and by secret, and contains nothing of the user id."""
        self.assertEqual(pseudonym(SECRET, ANN), pseudonym(SECRET, ANN))
        self.assertEqual(len({pseudonym(SECRET, ANN), pseudonym(SECRET, BOB), pseudonym(SECRET * 2, ANN)}), 3)
        self.assertNotIn(ANN, credentials(SECRET, ANN, 1)[0])
        self.assertRegex(pseudonym(SECRET, ANN), r"^[0-9a-f]{16}$")

    def test_the_expiry_is_not_early(self) -> None:
        """Credentials are valid for the promised time at least, and the secret is not shown."""
        turn = Turn(("turn:a", "turns:b"), SECRET, 600.0)
        server = turn.server_for(ANN, 1_700_000_000.25)
        username, credential = credentials(SECRET, ANN, 1_700_000_601)
        self.assertEqual(server, IceServer(("turn:a", "turns:b"), username, credential, 600.0))
        self.assertNotIn("0123", repr(turn))
        self.assertNotIn(credential, repr(server))
