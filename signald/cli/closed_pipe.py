"""Ends a command in silence when nobody reads its output any more, as `head` does after its last line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

__all__ = ["ending_at_closed_pipe", "open_closed_streams"]


@contextmanager
def ending_at_closed_pipe() -> Iterator[None]:
    """Write all output at the end of the block; a closed pipe ends the process as SIGPIPE ends other tools.

    Python ignores SIGPIPE, so that the write fails instead. To restore the signal's default action at the start would
    be no alternative: it would also end a command that writes to a closed socket.
    """
    try:
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:  # closed before the start (`>&-`)
                    stream.flush()
    except BrokenPipeError:
        _end_by_sigpipe()


def open_closed_streams() -> None:
    """Discard what a command writes to a stream that was closed before its start (`>&-`), which Python has as None."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 # until the process ends


def _end_by_sigpipe() -> NoReturn:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    # The first process of a container is not ended by a signal's default action.
    os._exit(128 + signal.SIGPIPE)
