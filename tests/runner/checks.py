"""Runs the checks of the checkout; each counts as a test.

They are the linter, the formatter, the type checker, the import contracts, MicroPython's compiler, and the comparison
of the last run's coverage with its floors.

    checks.py --root DIRECTORY --record FILE

The record has the form of that of `trial_suite.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

#: The directories of the checkout that hold Python.
PYTHON = ("signald", "clients", "web", "twisted", "tests", "codegen", "examples", "benchmarks", "requirements")

#: The packages whose directory in the checkout has another name than the package.
LINKS = {"signald_client": "clients", "signald_page": "web"}


def make_links(root: Path) -> Path:
    """Make links that give the checkout's packages the names by which they are imported; return their directory."""
    links = root / ".checks"
    links.mkdir(exist_ok=True)
    for name, source in LINKS.items():
        if not (links / name).is_symlink():
            (links / name).symlink_to(Path("..", source))
    return links


def linted(root: Path) -> list[str]:
    """Return the directories that the linter and the formatter look at."""
    return [name for name in PYTHON if (root / name).is_dir()]


def typed(root: Path) -> list[str]:
    """Return what the type checker looks at: the packages under the names that they are installed by, and scripts."""
    links = make_links(root)
    paths = ["signald", "tests", "codegen", "benchmarks", *(str((links / name).relative_to(root)) for name in LINKS)]
    for pattern in ("twisted/plugins/*.py", "requirements/*.py"):
        paths += [str(path.relative_to(root)) for path in sorted(root.glob(pattern))]
    return [path for path in paths if (root / path).exists()]


def commands(root: Path) -> dict[str, list[str]]:
    """Return the command of each check."""
    return {
        "ruff check": ["ruff", "check", "--quiet", *linted(root)],
        "ruff format": ["ruff", "format", "--check", "--quiet", *linted(root)],
        "mypy": ["mypy", *typed(root)],
        "import-linter": ["lint-imports", "--no-logo", "--cache-dir", ".checks/import-linter"],
        "MicroPython": ["python", "-m", "tests.runner.micropython"],
        "coverage floors": ["python", "-m", "tests.runner.coverage_floors"],
    }


def run_check(name: str, command: Sequence[str], root: Path) -> dict[str, object]:
    """Run one check, and return its entry in the record."""
    entry: dict[str, object] = {"test": f"check: {name}", "outcome": "passed", "reason": "", "seconds": 0.0}
    program = Path(sys.executable).parent / command[0]
    if not program.exists():
        return entry | {"outcome": "skipped", "reason": f"cannot run: {command[0]} is not installed"}
    started = time.monotonic()
    variables = dict(os.environ)
    if name == "import-linter":
        # Its contracts are about the checkout, not about what is installed. The type checker has mypy_path for that.
        variables["PYTHONPATH"] = os.pathsep.join([str(root / ".checks"), str(root)])
    status = subprocess.run([program, *command[1:]], cwd=root, env=variables, check=False).returncode
    entry["seconds"] = time.monotonic() - started
    return entry | ({"outcome": "failed", "reason": f"ended with status {status}"} if status else {})


def main(arguments: Sequence[str]) -> None:
    """Run all checks; the exit status is 0 whenever all have run."""
    parser = argparse.ArgumentParser(description="Runs the checks.")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--record", type=Path, required=True)
    options = parser.parse_args(arguments)
    with options.record.open("w") as record:
        for name, command in commands(options.root).items():
            record.write(json.dumps(run_check(name, command, options.root)) + "\n")
            record.flush()
        record.write(json.dumps({"finished": True}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
