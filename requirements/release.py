#!/usr/bin/env python3
"""Cuts a release: checks the tree, builds and checks the sdist and the wheel, and tags the commit (docs/releasing.md).

    make release                      everything, the tag included
    make release ARGS=--no-tag        everything but the tag

The version is that of signald/__init__.py. Nothing is uploaded or pushed.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path

#: The directories whose files all have to be in the sdist.
IN_SDIST = (
    "benchmarks", "clients", "codegen", "deploy", "docs", "examples", "requirements", "signald", "tests", "twisted",
    "web",
)  # fmt: skip

#: Files that Twisted and the tests make in a checkout.
MADE_IN_PLACE = {"build_cache.bin", "dropin.cache"}

#: Files and folders of deploy/ that are of use only with the sources, so that the wheel goes without them.
NOT_IN_WHEEL = {"Containerfile", "debian"}


class ReleaseError(Exception):
    """The release cannot be cut; the text says why, and what to do about it."""


def read_version(tree: Path) -> str:
    """Return the version that signald/__init__.py states."""
    found = re.search(r'(?m)^__version__ = "([^"]+)"$', (tree / "signald" / "__init__.py").read_text("utf-8"))
    if found is None:
        raise ReleaseError('signald/__init__.py: expected a line __version__ = "…", found none.')
    return found[1]


def changes_of(changelog: str, version: str) -> str:
    """Return what CHANGELOG.md says of a version.

    Raises:
        ReleaseError: there is no section for the version, its date is none, or it says nothing.

    """
    heading = re.search(rf"(?m)^## {re.escape(version)} - (\S+)$", changelog)
    if heading is None:
        raise ReleaseError(
            f"CHANGELOG.md: expected a heading `## {version} - YYYY-MM-DD`, found none. "
            f"Move what is under `## Unreleased` below such a heading."
        )
    try:
        datetime.date.fromisoformat(heading[1])
    except ValueError:
        raise ReleaseError(f"CHANGELOG.md: expected a date YYYY-MM-DD after {version}, found {heading[1]}.") from None
    section = changelog[heading.end() :].partition("\n## ")[0].strip()
    if not section:
        raise ReleaseError(f"CHANGELOG.md: the section for {version} is empty. Say what changed.")
    return section


def missing_from_sdist(tree: Path, names: Collection[str]) -> list[str]:
    """Return the files of a source tree that an sdist built from it lacks; names are without the first directory."""
    expected = [
        path.relative_to(tree).as_posix()
        for directory in IN_SDIST
        for path in sorted((tree / directory).rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and path.name not in MADE_IN_PLACE
    ]
    return [name for name in expected if name not in names]


def missing_from_wheel(tree: Path, names: Collection[str]) -> list[str]:
    """Return the files of deploy/ that a wheel lacks below `share/signald`, whichever folder they belong to."""
    held = {Path(name).name for name in names if ".data/data/share/signald/" in name}
    deploy = tree / "deploy"
    files = [
        path for path in deploy.rglob("*") if path.is_file() and path.relative_to(deploy).parts[0] not in NOT_IN_WHEEL
    ]
    return sorted({path.name for path in files} - held)


def build(tree: Path, target: Path) -> tuple[Path, Path]:
    """Build the sdist from a source tree and the wheel from the sdist; return their paths.

    The build runs with the packages of this environment, whose versions and hashes are locked.
    """
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", target, tree])
    (sdist,) = target.glob("*.tar.gz")
    (wheel,) = target.glob("*.whl")
    return sdist, wheel


def check_contents(tree: Path, sdist: Path, wheel: Path) -> None:
    """Compare what was built with the source tree.

    Raises:
        ReleaseError: files are missing.

    """
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers()}
    if missing := missing_from_sdist(tree, names):
        raise ReleaseError(f"{sdist.name} lacks {', '.join(missing)}. Name them in MANIFEST.in.")
    with zipfile.ZipFile(wheel) as package:
        names = set(package.namelist())
    if missing := missing_from_wheel(tree, names):
        raise ReleaseError(f"{wheel.name} lacks {', '.join(missing)}. Name them under data_files in setup.cfg.")


def run(command: Sequence[str | Path], **environment: str) -> str:
    """Run a command and return what it writes to standard output.

    Raises:
        ReleaseError: its status is not 0; with all that it wrote.

    """
    done = subprocess.run(  # noqa: S603 # commands of this file
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    if done.returncode:
        words = " ".join(map(str, command))
        raise ReleaseError(f"{words} failed with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def release(root: Path, tag: bool) -> None:
    """Carry out each step, and say what it did."""
    git = ["git", "-C", str(root)]
    version = read_version(root)
    name = f"v{version}"
    if changed := run([*git, "status", "--porcelain"]):
        raise ReleaseError(f"The tree is not clean. Commit, or put away, what changed:\n{changed.rstrip()}")
    if run([*git, "tag", "--list", name]):
        raise ReleaseError(f"The tag {name} exists. Give signald/__init__.py the next version.")
    changes = changes_of((root / "CHANGELOG.md").read_text("utf-8"), version)
    say(f"The tree is clean, and CHANGELOG.md has {version}.")

    target = root / "dist"
    shutil.rmtree(target, ignore_errors=True)
    # The wheels of one commit are the same, byte for byte: their files have the commit's time.
    os.environ["SOURCE_DATE_EPOCH"] = run([*git, "log", "-1", "--format=%ct"]).strip()
    with tempfile.TemporaryDirectory() as folder:
        archive, tree = Path(folder, "tree.tar"), Path(folder, "tree")
        run([*git, "archive", "--output", archive, "HEAD"])
        with tarfile.open(archive) as files:
            files.extractall(tree, filter="data")
        sdist, wheel = build(tree, target)
        check_contents(tree, sdist, wheel)
    run([sys.executable, "-m", "twine", "check", "--strict", sdist, wheel])
    for path in (sdist, wheel):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        say(f"dist/{path.name}: {path.stat().st_size:,} bytes, sha256 {digest}")
    say("Both are complete, and twine finds no fault in them.")
    if not tag:
        say(f"The tag {name} was not made.")
        return
    # The headings of the changes begin with `#`, which other ways of cleaning up take for comments.
    message = f"signald {version}\n\n{changes}\n"
    run([*git, "tag", "--annotate", "--cleanup=whitespace", "--message", message, name])
    say(f"The commit has the tag {name}.")
    say()
    say("What is left to do, as docs/releasing.md explains:")
    say(f"  git push origin main {name}")
    say("  publish the two files of dist/, with their digests, where the users of signald get them")
    say("  give signald/__init__.py the next version, and commit it")


def say(text: str = "") -> None:
    """Write a line to standard output."""
    sys.stdout.write(text + "\n")


def main(arguments: Sequence[str]) -> int:
    """Cut the release, and return the exit status."""
    parser = argparse.ArgumentParser(description="Cuts a release of signald; docs/releasing.md explains the steps.")
    parser.add_argument("--no-tag", action="store_true", help="build and check, and leave the commit without a tag")
    options = parser.parse_args(arguments)
    try:
        release(Path(__file__).resolve().parents[1], tag=not options.no_tag)
    except ReleaseError as error:
        sys.stderr.write(f"make release: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
