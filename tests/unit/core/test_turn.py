"""TURN credentials, checked against the scheme and against values that another program computed."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.core.ice_server import IceServer
from signald.core.turn import Turn, credentials

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"
SECRET = b"0123456789abcdef0123456789abcdef"
ANN = "7F3K9QXM"


class CredentialTests(SynchronousTestCase):
    """The user name and the credential."""

    def test_the_form(self) -> None:
        """The user name is the expiry, a colon and the reference; the credential is the base64 form of 20 bytes.

        The credential is what `printf %s USERNAME | openssl dgst -sha1 -hmac SECRET -binary | base64` prints.
        """
        username, credential = credentials(SECRET, ANN, 1_700_000_600)
        self.assertEqual(username, "1700000600:7F3K9QXM")
        self.assertEqual(credential, "bBlQ/vcT99wK4lTG9Y4snCe/GmY=")

    def test_the_example(self) -> None:
        """The example in docs/protocol.md is Ann's credential under this secret."""
        username, credential = credentials(SECRET, ANN, 1_700_000_600)
        server = f'"username":"{username}","credential":"{credential}","expires":600.0'
        self.assertIn(server, PROTOCOL.read_text())

    def test_the_expiry_is_not_early(self) -> None:
        """Credentials are valid for the promised time at least, and the secret is not shown."""
        turn = Turn(("turn:a", "turns:b"), SECRET, 600.0)
        server = turn.server_for(ANN, 1_700_000_000.25)
        username, credential = credentials(SECRET, ANN, 1_700_000_601)
        self.assertEqual(server, IceServer(("turn:a", "turns:b"), username, credential, 600.0))
        self.assertNotIn("0123", repr(turn))
        self.assertNotIn(credential, repr(server))
