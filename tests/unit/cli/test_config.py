"""Tests of `signald config`, which prints every setting with its value and its source."""

from __future__ import annotations

import tomllib

from signald.cli.config import main
from tests.support.commands import CommandCase


class ConfigTests(CommandCase):
    """Tests of the document that the command prints."""

    def test_sources(self) -> None:
        """The output is a TOML document of the effective values, and each line names the source of its value."""
        file = self.write_private("signald.toml", "port = 9001\n[limits]\nsession_members = 4\n")
        status, out, err = self.run_command(main, "--config", file, environment={"SIGNALD_TLS": "false"})
        self.assertEqual((status, err), (0, ""))
        settings = tomllib.loads(out)
        self.assertEqual((settings["port"], settings["tls"], settings["limits"]["session_members"]), (9001, False, 4))
        (port,) = [line for line in out.splitlines() if line.startswith("port = ")]
        (tls,) = [line for line in out.splitlines() if line.startswith("tls = ")]
        self.assertIn("signald.toml", port)
        self.assertIn("SIGNALD_TLS", tls)
        self.assertIn("# ws_port is not set", out)

    def test_a_configuration_that_cannot_be_used(self) -> None:
        """An invalid option and a missing file each cause one line on stderr and the exit status 1."""
        for arguments in (("--prot", "1"), ("--config", self.directory / "absent.toml")):
            status, out, err = self.run_command(main, *arguments)
            self.assertEqual((status, out), (1, ""))
            self.assertEqual(len(err.splitlines()), 1, err)
