"""Builds the peers that are not Python into `build/bench`, each where its toolchain is there."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

__all__ = ["AbsentError", "build_go", "build_matchbox", "build_node"]

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"
SOURCES = Path(__file__).parent

NODE_PACKAGES = ("ws@8.23.0", "peer@1.0.2")
MATCHBOX = "0.15.0"
"""The versions of the peers that package registries serve; that of the Go library is in `go.mod`."""

BUILD_SECONDS = 900.0


class AbsentError(Exception):
    """A peer cannot be built here; the text says why."""


@frozen
class _Tool:
    """A program that builds peers."""

    name: str

    def run(self, *arguments: str, directory: Path) -> None:
        """Run the program.

        Raises:
            AbsentError: it is not installed, or it failed.

        """
        if (program := shutil.which(self.name)) is None:
            raise AbsentError(f"{self.name} is not installed")
        directory.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(  # noqa: S603 # a build tool, with arguments of ours
                [program, *arguments], cwd=directory, check=True, capture_output=True, text=True, timeout=BUILD_SECONDS
            )
        except subprocess.SubprocessError as error:
            output = (getattr(error, "stderr", "") or "").strip().splitlines()
            raise AbsentError(f"{self.name} {arguments[0]} failed: {output[-1] if output else error}") from None


def _built(stamp: Path, text: str, build: Callable[[], None]) -> None:
    """Build what has not been built from this text yet."""
    if not stamp.is_file() or stamp.read_text() != text:
        build()
        stamp.write_text(text)


def build_node() -> Path:
    """Install the npm packages, and return the directory that `NODE_PATH` shall name.

    Raises:
        AbsentError: Node or npm is not there, or the packages cannot be installed.

    """
    if shutil.which("node") is None:
        raise AbsentError("node is not installed")
    directory = BUILD / "node"
    options = ("--omit=dev", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
    _built(
        directory / "installed",
        " ".join(NODE_PACKAGES),
        lambda: _Tool("npm").run("install", *options, *NODE_PACKAGES, directory=directory),
    )
    return directory / "node_modules"


def build_go() -> Path:
    """Build the forwarder in Go, and return its program.

    Raises:
        AbsentError: Go is not there, or the build failed.

    """
    directory = BUILD / "go"
    sources = [SOURCES / name for name in ("forwarder.go", "go.mod", "go.sum")]

    def build() -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for source in sources:
            shutil.copy(source, directory)
        _Tool("go").run("build", "-o", "forwarder", ".", directory=directory)

    _built(directory / "built", "".join(source.read_text() for source in sources), build)
    return directory / "forwarder"


def build_matchbox() -> Path:
    """Install the crate `matchbox_server`, which takes minutes at the first time, and return its program.

    Raises:
        AbsentError: cargo is not there, or the build failed.

    """
    directory = BUILD / "matchbox"
    arguments = ("install", f"matchbox_server@{MATCHBOX}", "--locked", "--quiet", "--root", str(directory))
    _built(directory / "installed", MATCHBOX, lambda: _Tool("cargo").run(*arguments, directory=directory))
    return directory / "bin" / "matchbox_server"
