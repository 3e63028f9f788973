"""Builds wheels of the checkout, and installs them into virtual environments."""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
from pathlib import Path

from tests.suites.e2e.program import run

ROOT = Path(__file__).resolve().parents[2]

#: The files that the build reads; README and CHANGELOG become metadata of the wheel.
PACKED = (
    "setup.cfg", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "signald", "clients", "web", "twisted",
)  # fmt: skip

BUILT_WITHIN = 120.0


def build_wheel(directory: Path, version: str | None = None) -> Path:
    """Build a wheel in a directory that does not exist yet, and return its path.

    Arguments:
        directory: for the sources and the wheel.
        version: the version in place of the checkout's.

    """
    source = directory / "source"
    source.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", "dropin.cache")
    for path in (ROOT / name for name in PACKED):
        if path.is_dir():
            shutil.copytree(path, source / path.name, ignore=ignored)
        elif path.exists():
            shutil.copy(path, source)
    if version is not None:
        set_version(source / "signald", version)
    succeed([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", directory, source], BUILT_WITHIN)
    return next(directory.glob("*.whl"))


def set_version(package: Path, version: str) -> None:
    """Give a copy of the package another version number."""
    start = package / "__init__.py"
    start.write_text(re.sub(r'__version__ = "[^"]*"', f'__version__ = "{version}"', start.read_text()))


def install_beside(wheel: Path, environment: Path) -> None:
    """Create a virtual environment with the wheel, and with the dependencies of the environment that runs the tests."""
    succeed([sys.executable, "-m", "venv", "--without-pip", environment], BUILT_WITHIN)
    python = environment / "bin" / "python"
    [library] = environment.glob("lib/python*/site-packages")
    (library / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "--disable-pip-version-check",
        "install",
        "--quiet",
    ]
    succeed([*install, "--no-index", "--no-deps", wheel], BUILT_WITHIN)


def succeed(command: list[str | Path], seconds: float) -> str:
    """Run a command and return its standard output.

    Raises:
        AssertionError: it failed, or did not end in time.

    """
    program = run(command, seconds=seconds)
    assert program.process.returncode == 0, program.stdout + program.stderr
    return program.stdout
