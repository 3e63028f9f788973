"""Tests of `signald doctor`'s command line; the checks themselves are tested in `tests/unit/doctor`."""

from __future__ import annotations

import io
from functools import partial
from typing import Any
from unittest.mock import Mock

from signald.cli import doctor
from signald.cli.doctor import DoctorOptions, Tell, main
from signald.config.values import ConfigError
from signald.doctor.examination import DoctorTarget
from signald.doctor.findings import Finding, failure, ok
from tests.support.certificates import write_pair
from tests.support.commands import CommandCase


class DoctorCommandTests(CommandCase):
    """Tests of the options, the exit status and the output of the command."""

    def target(self, *arguments: object, **environment: str) -> Any:
        """Return the target that the command would examine."""
        options = DoctorOptions("doctor")
        options.parseOptions([*map(str, arguments)])
        return doctor._target(options, {"HOME": str(self.directory), **environment})

    def test_options_that_cannot_be_used(self) -> None:
        """Each invalid option causes one line on stderr and the exit status 2."""
        text = self.write_private("text", "no certificate")
        for arguments in (("--prot",), ("--seconds", "0"), ("--seconds", "x"), ("--ca", text), ("--ca", "/absent")):
            status, out, err = self.run_command(main, *arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertEqual(len(err.splitlines()), 1, err)

    def test_target(self) -> None:
        """The public address, the time limit and the configuration file are taken from options and environment."""
        certificate, _ = write_pair(self.directory, 1e9)
        target = self.target("--url", "https://calls.example/", "--seconds", "5", "--ca", certificate, "--slow")
        self.assertEqual((target.seconds, target.slow, target.file), (5.0, True, None))
        self.assertEqual(target.url.target.host, "calls.example")
        file = self.write_private("signald.toml", "tls = false\n")
        self.assertEqual(self.target(SIGNALD_CONFIG=str(file)).file, file)
        self.assertRaises(ConfigError, self.target, SIGNALD_CONFIG="/absent.toml")

    def test_status(self) -> None:
        """The exit status is 1 if a check failed, else 0; the findings are text or JSON."""
        for finding, status in ((ok("clock", "It is right."), 0), (failure("clock", "It is wrong.", "Set it."), 1)):

            def report(_target: DoctorTarget, tell: Tell, finding: Finding = finding) -> int:
                return tell([finding])

            command = partial(main, run=report)
            self.assertEqual(self.run_command(command)[::2], (status, ""))
            self.assertEqual(self.run_command(command, "--json")[1][:1], "{")

    def test_output(self) -> None:
        """Characters that the encoding lacks are replaced, and a closed pipe raises no error."""
        out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        doctor._write(out, "é")
        out.seek(0)
        self.assertEqual(out.read(), "?")
        doctor._write(Mock(encoding=None, write=Mock(side_effect=BrokenPipeError)), "text")
