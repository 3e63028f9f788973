"""Shows the progress of a benchmark."""

from __future__ import annotations

import sys

__all__ = ["progress"]


def progress(what: str, done: int, of: int) -> None:
    """Show the progress on a terminal; the line is erased when the benchmark is complete."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what}: {done} of {of} " if done < of else "\r\x1b[K")
        sys.stderr.flush()
