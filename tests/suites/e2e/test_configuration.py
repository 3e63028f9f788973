"""Tests `signald check-config` and `signald config`, called as an operator calls them."""

from __future__ import annotations

import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.program import SCRIPTS, Program, run


class ConfigurationTests(SynchronousTestCase):
    """Tests of the two commands."""

    def setUp(self) -> None:
        """Create a directory with a configuration file."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.file = self.directory / "signald.toml"

    def signald(self, *arguments: str, **environment: str) -> Program:
        """Run a command of signald to its end, and return the program."""
        return run([SCRIPTS / "signald", *arguments], environment={"HOME": str(self.directory), **environment})

    def test_check(self) -> None:
        """`check-config` accepts a valid file, and reports every kind of mistake on a separate line."""
        self.file.write_text("port = 443\n", "utf-8")
        good = self.signald("check-config", "--config", str(self.file))
        self.assertEqual((good.process.returncode, good.stderr), (0, ""))
        self.assertIn("can be used", good.stdout)
        self.file.write_text("prot = 443\n[ice]\nrelay_only = 1\n", "utf-8")
        bad = self.signald("check-config", "--config", str(self.file))
        self.assertEqual((bad.process.returncode, bad.stdout), (1, ""))
        self.assertEqual(
            bad.stderr.replace(f"{self.directory}/", "").splitlines(),
            [
                "signald.toml, line 1: there is no setting prot; did you mean port?",
                "signald.toml, line 3, ice.relay_only: expected true or false, got 1.",
            ],
        )

    def test_check_reads_the_files(self) -> None:
        """`check-config` names missing files; when all are there, it reads them and reports all mistakes."""
        tables = "[tokens]\nneed = 'hosts'\n[webhook]\nurl = 'http://example.org'\n"
        for files, expected in (
            ("certificate = 'no.pem'\nkey = 'no.key'\n", ("no.pem", "no.key")),
            (
                "certificate = 'signald.toml'\nkey = 'signald.toml'\n",
                ("a certificate in PEM format", "needs a key to verify tokens", "webhook.url"),
            ),
        ):
            self.file.write_text(files + tables, "utf-8")
            bad = self.signald("check-config", "--config", str(self.file))
            self.assertEqual(bad.process.returncode, 1)
            for words, line in zip(expected, bad.stderr.splitlines(), strict=True):
                self.assertIn(words, line)

    def test_show(self) -> None:
        """The printed configuration is a file with the same meaning, except for credentials."""
        variables = {"SIGNALD_ICE_SERVERS": "turn:turn.example.org,ann,hush", "SIGNALD_PORT": "443"}
        shown = self.signald("config", "--no-tls", **variables)
        self.assertEqual((shown.process.returncode, shown.stderr), (0, ""))
        self.assertNotIn("hush", shown.stdout)
        self.assertRegex(shown.stdout, r"(?m)^port = 443 +# SIGNALD_PORT$")
        document = tomllib.loads(shown.stdout)
        self.assertEqual((document["port"], document["tls"], document["log"]["format"]), (443, False, "human"))
        self.file.write_text(shown.stdout, "utf-8")
        again = self.signald("config", "--config", str(self.file))
        self.assertEqual(tomllib.loads(again.stdout), document)

    def test_a_start_that_cannot_be(self) -> None:
        """The daemon reports the same mistakes at its start as `check-config`."""
        started = self.signald(SIGNALD_PROT="1", SIGNALD_PORT="x")
        self.assertEqual(started.process.returncode, 78)
        self.assertEqual(
            started.stderr.splitlines(),
            [
                "signald: SIGNALD_PORT: expected a port number (0 to 65535), got x.",
                "signald: SIGNALD_PROT: there is no such setting; did you mean SIGNALD_PORT?",
            ],
        )
