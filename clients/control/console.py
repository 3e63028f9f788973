"""The terminal of `signald-peer screen`: prints what happens, and reads its user's answers."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

__all__ = ["Console", "plain_name", "print_line"]

MAX_NAME = 64
"""Most characters of a name that are printed."""

READ_BYTES = 4096

INPUT = 0
"""The file descriptor of standard input."""


class Console:
    """Reads commands from standard input, one a line."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        """Start to read; `on_line` is called with each line, without spaces around it, in lower case."""
        self._on_line = on_line
        self._buffered = b""
        self._reading = False
        try:
            asyncio.get_running_loop().add_reader(INPUT, self._read)
            self._reading = True
        except (OSError, ValueError):
            # A file or no standard input at all: nobody can answer, so that nothing is allowed.
            print_line("Nobody can answer here: standard input is no terminal.")

    def close(self) -> None:
        """Stop reading."""
        if self._reading:
            self._reading = False
            asyncio.get_running_loop().remove_reader(INPUT)

    def _read(self) -> None:
        received = os.read(INPUT, READ_BYTES)
        if not received:
            self.close()
            return
        *lines, self._buffered = (self._buffered + received).split(b"\n")
        self._buffered = self._buffered[-READ_BYTES:]
        for line in lines:
            self._on_line(line.decode("utf-8", "replace").strip().lower())


def print_line(line: str) -> None:
    """Print a line to standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def plain_name(name: str) -> str:
    """Return a name without characters that control a terminal or the direction of writing (UAX #9)."""
    kept = "".join(letter for letter in name if letter.isprintable()).strip()
    return kept[:MAX_NAME] or "Somebody"
