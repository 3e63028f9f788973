"""Tests of `signald.main`, in particular that each command imports only the modules that it needs."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald import __version__, foreground
from signald.cli.options import Options
from signald.main import main

RUN = """
import json, sys
from signald.main import main
try:
    main()
except SystemExit as end:
    status = end.code
else:
    status = 0
sys.stderr.write(json.dumps([status, sorted(sys.modules)]))
"""

DAEMON = ("autobahn", "treq", "prometheus_client", "segno", "signald.server", "twisted.internet", "twisted.web")
"""The packages that only the daemon needs."""

CRYPTOGRAPHY = ("OpenSSL", "cryptography", "jwt")


class ImportTests(SynchronousTestCase):
    """Tests of the modules that a command imports in a new process."""

    def setUp(self) -> None:
        """Write a secret that signs tokens."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.secret = self.folder / "secret"
        self.secret.write_text("s" * 64)
        self.secret.chmod(0o600)

    def run_command(self, *arguments: str) -> tuple[str, list[str]]:
        """Run `signald` with some arguments, and return its standard output and the names of its imported modules."""
        environment = {**os.environ, "SIGNALD_TOKENS_SECRET_FILE": str(self.secret), "HOME": str(self.folder)}
        ended = subprocess.run(
            [sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, timeout=60, env=environment
        )
        status, modules = json.loads(ended.stderr.splitlines()[-1])
        self.assertEqual(status, 0, ended.stderr)
        return ended.stdout, modules

    def assertNotImported(self, modules: list[str], packages: tuple[str, ...]) -> None:
        """Assert that no module of the packages is among the imported modules."""
        found = [name for name in modules if any(name == one or name.startswith(f"{one}.") for one in packages)]
        self.assertEqual(found, [])

    def test_version(self) -> None:
        """`--version` imports no dependency."""
        out, modules = self.run_command("--version")
        self.assertEqual(out, f"signald {__version__}\n")
        self.assertNotImported(modules, (*DAEMON, *CRYPTOGRAPHY, "attr", "cattrs", "twisted"))

    def test_config(self) -> None:
        """`config` imports neither the modules of messages nor those of cryptography."""
        out, modules = self.run_command("config")
        self.assertIn("port = 9000", out)
        self.assertNotImported(modules, (*DAEMON, *CRYPTOGRAPHY, "signald.core.messages"))

    def test_check_config(self) -> None:
        """`check-config` imports only the checks of configured settings, here those of tokens, and not the daemon."""
        out, modules = self.run_command("check-config")
        self.assertIn("can be used", out)
        self.assertNotImported(modules, DAEMON)

    def test_token(self) -> None:
        """`token` imports neither Twisted nor the daemon."""
        out, modules = self.run_command("token", "--user", "ann")
        self.assertEqual(out.count("."), 2)
        self.assertNotImported(modules, (*DAEMON, "twisted"))


class DispatchTests(SynchronousTestCase):
    """Tests of `main` in this process."""

    def run_main(self, *arguments: str) -> str:
        """Run `main` with some arguments, and return its standard output."""
        out = StringIO()
        self.patch(sys, "argv", ["signald", *arguments])
        self.patch(sys, "stdout", out)
        main()
        return out.getvalue()

    def test_version(self) -> None:
        """`--version` prints the name and the version of the program."""
        self.assertEqual(self.run_main("--version"), f"signald {__version__}\n")

    def test_command(self) -> None:
        """The exit status of a command is that of the process."""
        self.patch(os, "environ", {"HOME": "/nowhere"})
        self.assertEqual(self.assertRaises(SystemExit, self.run_main, "check-config").code, 0)

    def test_options_that_cannot_be_used(self) -> None:
        """The message of an invalid option begins with the name of the program."""
        ended = self.assertRaises(SystemExit, self.run_main, "--prot", "1")
        self.assertRegex(str(ended.code), "^signald: .*--prot")

    def test_daemon(self) -> None:
        """Without a command, `main` runs the daemon with the options."""
        ran: list[Options] = []
        self.patch(foreground, "run", ran.append)
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.run_main("--port", "9001")
        young, middle, _ = gc.get_threshold()
        # Each object of a collection of the middle generation costs some 0.4 µs, in which everybody waits.
        self.assertLess(young * middle, 3000)
        self.assertEqual([options["port"] for options in ran], ["9001"])
