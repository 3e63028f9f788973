"""Tests the Debian package: built as `make deb` does, installed into a folder, started, removed and purged."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from signald import __version__
from tests.suites.e2e.program import run
from tests.support.supervisor import Supervisor
from tests.support.wheels import build_wheel, succeed

ROOT = Path(__file__).resolve().parents[3]

#: Seconds to build the package, and for each call of dpkg.
BUILT_WITHIN, DPKG_WITHIN = 400.0, 120.0

NAME = "signald-webrtc"
HOME = Path("/opt") / NAME

#: Debian's Python, which the package depends on, and which starts what is in it.
PYTHON = Path("/usr/bin/python3")


def version_of(python: str | Path) -> str:
    """Return the version of a Python without its last number."""
    return succeed([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], 30).strip()


class DebianPackageTests(SynchronousTestCase):
    """The life of the package in a folder that stands for the root of a system."""

    def setUp(self) -> None:
        """Build the package, and make the folder."""
        if shutil.which("dpkg-deb") is None or shutil.which("deb-systemd-helper") is None or not PYTHON.exists():
            raise SkipTest("this system is no Debian")
        if version_of(PYTHON) != version_of(sys.executable):
            raise SkipTest(f"the wheels of {sys.executable} do not fit {PYTHON}")
        self.directory = Path(tempfile.mkdtemp(prefix="signald-deb-"))
        self.addCleanup(shutil.rmtree, self.directory)
        wheel = build_wheel(self.directory / "wheel")
        # Bytecode and compression would take most of the time.
        variables = ["COMPILE=no", "COMPRESS=none", f"PYTHON={sys.executable}", f"PIP={self.pip()}"]
        build = ROOT / "deploy" / "debian" / "build"
        # pip writes scripts of another form where the path of their interpreter has a space.
        said = succeed(["env", *variables, build, wheel, self.directory / "the package"], BUILT_WITHIN)
        self.package = Path(said.strip().splitlines()[-1])
        self.root = self.directory / "root"
        for name in ("updates", "info", "triggers"):
            (self.root / "var" / "lib" / "dpkg" / name).mkdir(parents=True)
        (self.root / "var" / "lib" / "dpkg" / "status").touch()

    def pip(self) -> Path:
        """Write a command that runs the pip of this environment, and return its path."""
        script = self.directory / "pip"
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m pip "$@"\n')
        script.chmod(0o755)
        return script

    def dpkg(self, *arguments: str | Path) -> str:
        """Run dpkg on the folder; scripts run without chroot, and dependencies are this system's."""
        options: list[str | Path] = [
            f"--instdir={self.root}",
            f"--admindir={self.root / 'var' / 'lib' / 'dpkg'}",
            "--force-script-chrootless",
            "--force-depends",
            "--log=/dev/null",
        ]
        return succeed(["dpkg", *options, *arguments], DPKG_WITHIN)

    def path(self, name: str) -> Path:
        """Return the place of a file in the folder."""
        return self.root / name.lstrip("/")

    def test_life(self) -> None:
        """The package is installed, its units are enabled, it serves the page, and a purge leaves the operator's files.

        The links of sockets that the operator has enabled go with it, since they would lead nowhere.
        """
        self.assertRegex(self.package.name, rf"\A{NAME}_{re.escape(__version__)}-1_\w+\.deb\Z")
        self.dpkg("--install", self.package)
        self.check_files()
        wanted = self.path("/etc/systemd/system/sockets.target.wants") / f"{NAME}.socket"
        self.assertTrue(wanted.is_symlink(), wanted)
        self.check_service()
        chosen = wanted.with_name(f"{NAME}-ws.socket")
        chosen.symlink_to(f"/usr/lib/systemd/system/{NAME}-ws.socket")
        data = self.path(f"/var/lib/{NAME}")
        data.mkdir()
        (data / "host-secret").touch()
        configuration = self.path(f"/etc/{NAME}/signald.toml")
        secret = configuration.with_name("webhook-secret")
        secret.touch()
        self.dpkg("--remove", NAME)
        self.assertFalse(self.path(str(HOME)).exists())
        self.assertTrue(configuration.exists())
        self.assertTrue(data.exists())
        self.dpkg("--purge", NAME)
        self.assertEqual(list(configuration.parent.iterdir()), [secret])
        self.assertFalse(data.exists())
        for link in (wanted, chosen):
            self.assertFalse(link.is_symlink(), link)
        left = [path for path in self.root.rglob(f"*{NAME}*") if "dpkg" not in path.parts]
        self.assertEqual(left, [configuration.parent])

    def check_files(self) -> None:
        """Check that units and scripts name the package's paths, and no file names the machine that built it."""
        units = sorted(path.name for path in self.path("/usr/lib/systemd/system").iterdir())
        self.assertEqual(units, [f"{NAME}-operations.socket", f"{NAME}-ws.socket", f"{NAME}.service", f"{NAME}.socket"])
        service = self.path(f"/usr/lib/systemd/system/{NAME}.service").read_text()
        lines = [line for line in service.splitlines() if not line.startswith("#")]
        self.assertIn(f"ExecStart={HOME}/bin/signald --config /etc/{NAME}/signald.toml", lines)
        for key in ("StateDirectory", "ConfigurationDirectory"):
            self.assertIn(f"{key}={NAME}", lines)
        # The bridge to the Signal messenger has units, a command and directories of the plain name.
        for line in lines:
            self.assertNotRegex(line, r"\bsignald\.(socket|service)|/(etc|opt|var/lib)/signald\b(?!-)")
        search: list[str | Path] = ["grep", "-rIl", "--exclude-dir=dpkg", "-e", str(self.directory), "-e", str(ROOT)]
        self.assertEqual(run([*search, self.root], seconds=DPKG_WITHIN).stdout, "")

    def check_service(self) -> None:
        """Start the program of the unit as a service manager would, with the package in its place; load the page."""
        mounts: list[str | Path] = ["--dev-bind", "/", "/", "--tmpfs", "/opt", "--ro-bind", self.path(str(HOME)), HOME]
        home = self.directory / "home"
        home.mkdir()
        configuration = str(self.path(f"/etc/{NAME}/signald.toml"))
        supervisor = Supervisor(home, "--no-tls", "--config", configuration, around=["bwrap", *mounts])
        supervisor.script = HOME / "bin" / "signald"
        try:
            supervisor.start()
            with urllib.request.urlopen(f"http://127.0.0.1:{supervisor.port}/", timeout=30) as answer:
                self.assertIn(b"signald", answer.read())
        finally:
            supervisor.close()
