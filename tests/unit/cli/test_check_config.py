"""Tests of `signald check-config`, which names each file of the configuration that cannot be used."""

from __future__ import annotations

import time

from cryptography.hazmat.primitives.asymmetric import ed25519

from signald.cli.check_config import main
from tests.support.certificates import write_pair
from tests.support.commands import CommandCase
from tests.support.machines import DAY


class CheckConfigTests(CommandCase):
    """Tests of the exit status and the output of the command."""

    def check(self, text: str) -> tuple[int, str, str]:
        """Check a configuration file with this text."""
        return self.run_command(main, "--config", self.write_private("signald.toml", text))

    def test_defaults(self) -> None:
        """A configuration without any setting passes the check."""
        self.assertEqual(
            self.run_command(main), (0, "The configuration can be used. Settings that are given: 0.\n", "")
        )

    def test_large_sessions(self) -> None:
        """Sessions of more members than a call bears are warned of, and can be used."""
        said = "The configuration can be used. Settings that are given: 1.\n"
        self.assertEqual(self.check("[limits]\nsession_members = 8\n"), (0, said, ""))
        status, out, err = self.check("[limits]\nsession_members = 9\n")
        self.assertEqual((status, out), (0, said))
        self.assertRegex(err, r"\Awarning: \S+signald\.toml, line 2, limits\.session_members: 9 is more than 8\.")

    def test_everything_that_names_a_file(self) -> None:
        """The token secret, the webhook secret, the TURN secret and the admin token are read; no file is written."""
        secret = self.write_private("secret", "s" * 64)
        text = f"""
            data_dir = "{self.directory / "data"}"
            [tokens]
            secret_file = "{secret}"
            [webhook]
            url = "https://hooks.example/ask"
            secret_file = "{secret}"
            [ice]
            turn_urls = ["turn:turn.example:3478"]
            turn_secret_file = "{secret}"
            [operations]
            port = 9090
            admin_token_file = "{secret}"
            """
        status, out, err = self.check(text)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("The configuration can be used.", out)
        self.assertFalse((self.directory / "data").exists())

    def test_each_file_that_cannot_be_used(self) -> None:
        """For each file that is missing or cannot be used, stderr has one line, and the exit status is 1."""
        absent, short = str(self.directory / "absent"), str(self.write_private("short", "abc"))
        for file, missing in ((absent, 6), (short, 5)):
            status, out, err = self.check(self.naming(file))
            self.assertEqual((status, out), (1, ""))
            self.assertEqual(len(err.splitlines()), missing, err)

    def naming(self, file: str) -> str:
        """Return a configuration that names a file for each certificate and secret."""
        return f"""
            certificate = "{file}"
            key = "{file}"
            [tokens]
            secret_file = "{file}"
            [webhook]
            url = "https://hooks.example/ask"
            secret_file = "{file}"
            [ice]
            turn_urls = ["turn:turn.example:3478"]
            turn_secret_file = "{file}"
            [operations]
            port = 9090
            admin_token_file = "{file}"
            """

    def test_certificates_that_browsers_refuse(self) -> None:
        """A certificate that no browser takes can be used, and is warned of; so is one that has expired."""
        certificate, key = write_pair(self.directory, time.time(), ed25519.Ed25519PrivateKey.generate())
        status, _, err = self.check(f'certificate = "{certificate}"\nkey = "{key}"\n')
        self.assertEqual(status, 0)
        self.assertIn(f"warning: {certificate}: Browsers refuse it, since they have no EdDSA keys", err)
        certificate, key = write_pair(self.directory, time.time() - 200 * DAY)
        status, _, err = self.check(f'certificate = "{certificate}"\nkey = "{key}"\n')
        self.assertEqual(status, 0)
        self.assertIn("expired on", err)

    def test_a_certificate_that_can_be_used(self) -> None:
        """A certificate with its private key passes the check."""
        certificate, key = write_pair(self.directory, time.time())
        status, out, err = self.check(f'certificate = "{certificate}"\nkey = "{key}"\n')
        self.assertEqual((status, err), (0, ""))
        self.assertIn("Settings that are given: 2.", out)

    def test_options_that_cannot_be_used(self) -> None:
        """An unknown option and an invalid value are both reported on stderr, with exit status 1."""
        for arguments in (("--prot", "1"), ("--port", "many")):
            status, out, err = self.run_command(main, *arguments)
            self.assertEqual((status, out), (1, ""))
            self.assertNotEqual(err, "")
