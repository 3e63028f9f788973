"""Prints lines of the runner itself among the output of the processes that it starts."""

from __future__ import annotations

import sys


def say(text: str = "") -> None:
    """Write a line at once, so that it keeps its place among the lines of other processes."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
