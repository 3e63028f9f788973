"""The exit statuses of `signald-peer`, and the way in which it reports an error."""

from __future__ import annotations

import sys

__all__ = ["EXIT_FLOWED", "EXIT_NOT_FLOWED", "EXIT_NO_CALL", "print_error"]

EXIT_FLOWED = 0
EXIT_NOT_FLOWED = 1
EXIT_NO_CALL = 2
"""Exit statuses: media flowed both ways; it did not; no call could be tried."""


def print_error(sentence: str) -> int:
    """Write one sentence to standard error, and return `EXIT_NO_CALL`."""
    sys.stderr.write(f"signald-peer: {sentence}\n")
    return EXIT_NO_CALL
