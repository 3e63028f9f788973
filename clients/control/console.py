"""The terminal of `signald-peer screen`: prints what happens, and reads its user's answers."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

from ..signaling.names import clean_name

__all__ = ["Console", "print_line", "quoted_name"]

QUOTES = '"\u00ab\u00bb\u201c\u201d\u201e\u201f\u2033\uff02'
"""What looks like a quotation mark, which no name may have: the end of the name could be forged with it."""

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
        try:
            received = os.read(INPUT, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            # The terminal is gone (EIO), and would be readable for ever.
            received = b""
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


def quoted_name(name: str) -> str:
    """Return a name in quotation marks, as pages show it, without such marks and without what controls a terminal."""
    kept = clean_name("".join(letter for letter in name if letter.isprintable() and letter not in QUOTES))
    return f'"{kept}"' if kept else "Somebody"
