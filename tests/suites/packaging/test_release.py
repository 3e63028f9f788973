"""The sdist and the wheel of a release contain what docs/releasing.md promises, and a faulty release is refused."""

from __future__ import annotations

import configparser
import importlib.util
import re
import shutil
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from twisted.trial.unittest import SynchronousTestCase

from signald import __version__

ROOT = next(path for path in Path(__file__).resolve().parents if (path / "setup.cfg").exists())

#: The files, besides the directories, from which the sdist is built.
FILES = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "Makefile", "README.md", "CHANGELOG.md", "LICENSE")


def load_release() -> ModuleType:
    """Import requirements/release.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("signald_release", ROOT / "requirements" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release = load_release()


class ArchiveTests(SynchronousTestCase):
    """Tests that share one sdist, and the wheel that is built from it."""

    directory: ClassVar[Path | None] = None

    def setUp(self) -> None:
        """Build the sdist and the wheel before the first test."""
        if ArchiveTests.directory is None:
            ArchiveTests.directory = self.build()
        self.tree = ArchiveTests.directory / "tree"
        (sdist,) = ArchiveTests.directory.glob("*.tar.gz")
        (wheel,) = ArchiveTests.directory.glob("*.whl")
        self.sdist, self.wheel = sdist, wheel

    def build(self) -> Path:
        """Build from a copy of the tree, so that the checkout stays unchanged; return the archives' directory."""
        directory = Path(self.mktemp()).resolve()
        tree = directory / "tree"
        tree.mkdir(parents=True)
        leftovers = shutil.ignore_patterns("__pycache__", "*.pyc", "dropin.cache")
        for name in release.IN_SDIST:
            shutil.copytree(ROOT / name, tree / name, ignore=leftovers)
        for name in FILES:
            shutil.copy(ROOT / name, tree)
        release.build(tree, directory)
        return directory

    def names_in_sdist(self) -> set[str]:
        """Return the names in the sdist, without its first directory."""
        with tarfile.open(self.sdist) as archive:
            return {member.name.partition("/")[2] for member in archive.getmembers()}

    def names_in_wheel(self) -> set[str]:
        """Return the names in the wheel."""
        with zipfile.ZipFile(self.wheel) as package:
            return set(package.namelist())

    def test_names(self) -> None:
        """The file names of the sdist and the wheel contain the version."""
        self.assertEqual(self.sdist.name, f"signald-{__version__}.tar.gz")
        self.assertTrue(self.wheel.name.startswith(f"signald-{__version__}-py3-none-"), self.wheel.name)

    def test_sdist_is_complete(self) -> None:
        """The sdist contains deploy/, docs/, the tests and all other files that a contributor needs."""
        names = self.names_in_sdist()
        self.assertEqual(release.missing_from_sdist(self.tree, names), [])
        for name in (*FILES, "deploy/signald.service", "docs/protocol.md", "tests/run.py", "requirements/run.txt"):
            self.assertIn(name, names)
        self.assertEqual([name for name in names if name.endswith((".pyc", "dropin.cache"))], [])

    def test_wheel_has_the_operators_files(self) -> None:
        """The wheel installs units, proxy files, dashboard and rules below share/signald, with their content."""
        self.assertEqual(release.missing_from_wheel(self.tree, self.names_in_wheel()), [])
        folder = f"signald-{__version__}.data/data/share/signald"
        with zipfile.ZipFile(self.wheel) as package:
            for installed, source in {
                "systemd/signald.service": "signald.service",
                "systemd/signald.socket": "signald.socket",
                "systemd/signald.service.d/secrets.conf": "signald.service.d/secrets.conf",
                "proxies/nginx.conf": "nginx.conf",
                "proxies/haproxy.cfg": "haproxy.cfg",
                "proxies/Caddyfile": "Caddyfile",
                "proxies/apache.conf": "apache.conf",
                "monitoring/grafana-dashboard.json": "grafana-dashboard.json",
                "monitoring/prometheus-rules.yml": "prometheus-rules.yml",
                "turn/turnserver.conf": "turnserver.conf",
                "certificates/certbot-hook": "certbot-hook",
            }.items():
                self.assertEqual(package.read(f"{folder}/{installed}"), (ROOT / "deploy" / source).read_bytes())

    def test_missing_files_are_named(self) -> None:
        """The check reports a file that is missing in an archive by its name."""
        sdist = self.names_in_sdist() - {"docs/protocol.md"}
        self.assertEqual(release.missing_from_sdist(self.tree, sdist), ["docs/protocol.md"])
        wheel = {name for name in self.names_in_wheel() if not name.endswith("/nginx.conf")}
        self.assertEqual(release.missing_from_wheel(self.tree, wheel), ["nginx.conf"])


class LockTests(SynchronousTestCase):
    """Tests of the locks for the documentation site and for a release, which `make lock` writes."""

    def test_extras_are_locked(self) -> None:
        """Each lock has every requirement of its extra in a matching version, with hashes, and names no index."""
        config = configparser.ConfigParser()
        config.read(ROOT / "setup.cfg")
        for extra in ("docs", "release"):
            text = (ROOT / "requirements" / f"{extra}.txt").read_text("utf-8")
            entries = re.split(r"(?m)^(?=[a-z0-9])", text)
            pins = {
                pin[1]: (pin[2], pin.string) for pin in (re.match(r"([a-z0-9-]+)==(\S+) ", e) for e in entries) if pin
            }
            self.assertNotIn("://", text)
            self.assertEqual([name for name, (_, entry) in pins.items() if "--hash=sha256:" not in entry], [])
            for line in config["options.extras_require"][extra].split("\n"):
                if line:
                    requirement = Requirement(line)
                    self.assertIn(pins[canonicalize_name(requirement.name)][0], requirement.specifier)

    def test_build_is_locked(self) -> None:
        """The lock of the release environment has the build requirements, since the build is not isolated from it."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
        text = (ROOT / "requirements" / "release.txt").read_text("utf-8")
        for line in project["build-system"]["requires"]:
            self.assertRegex(text, rf"(?m)^{re.escape(canonicalize_name(Requirement(line).name))}==")


class ChangelogTests(SynchronousTestCase):
    """Tests of the changelog's section for a version."""

    def test_this_version(self) -> None:
        """CHANGELOG.md has a dated section for the current version, unless the version is under development."""
        version = release.read_version(ROOT)
        self.assertEqual(version, __version__)
        if "dev" not in version:
            self.assertIn("### Added", release.changes_of((ROOT / "CHANGELOG.md").read_text("utf-8"), version))

    def test_section(self) -> None:
        """The function returns the text between the version's heading and the next heading."""
        text = "## Unreleased\n\n## 1.2.0 - 2026-11-28\n\n### Fixed\n\n- A.\n\n## 1.1.0 - 2026-01-01\n\n- B.\n"
        self.assertEqual(release.changes_of(text, "1.2.0"), "### Fixed\n\n- A.")

    def test_refused(self) -> None:
        """A missing or empty section and an invalid date are refused with an error that names the expectation."""
        for text, reason in (
            ("## Unreleased\n\n- A.\n", "expected a heading `## 1.2.0 - YYYY-MM-DD`"),
            ("## 1.2.0 - soon\n\n- A.\n", "found soon"),
            ("## 1.2.0 - 2026-11-28\n\n## 1.1.0 - 2026-01-01\n\n- A.\n", "is empty"),
        ):
            error = self.assertRaises(release.ReleaseError, release.changes_of, text, "1.2.0")
            self.assertIn(reason, str(error))


class CommandTests(SynchronousTestCase):
    """Tests of the release command in a separate repository."""

    def setUp(self) -> None:
        """Create a repository with one commit that has a version and a changelog."""
        self.root = Path(self.mktemp()).resolve()
        (self.root / "signald").mkdir(parents=True)
        (self.root / "signald" / "__init__.py").write_text('__version__ = "1.2.0"\n')
        (self.root / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 - 2026-11-28\n\n- A.\n")
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "First")

    def git(self, *arguments: str) -> None:
        """Run git in the repository, with a fictitious identity."""
        identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
        release.run(["git", "-C", self.root, *identity, *arguments])

    def test_dirty_tree_is_refused(self) -> None:
        """An uncommitted file stops the release before anything is built, and the error names the file."""
        (self.root / "new.txt").write_text("new\n")
        error = self.assertRaises(release.ReleaseError, release.release, self.root, tag=True)
        self.assertIn("new.txt", str(error))
        self.assertFalse((self.root / "dist").exists())

    def test_existing_tag_is_refused(self) -> None:
        """A version that has a tag already is not tagged again."""
        self.git("tag", "v1.2.0")
        error = self.assertRaises(release.ReleaseError, release.release, self.root, tag=True)
        self.assertIn("The tag v1.2.0 exists.", str(error))

    def test_failing_command(self) -> None:
        """The error about a failed command names the command, its status and its output."""
        error = self.assertRaises(
            release.ReleaseError, release.run, [sys.executable, "-c", "import sys; print('spilled'); sys.exit(3)"]
        )
        self.assertIn("failed with status 3:\nspilled", str(error))
