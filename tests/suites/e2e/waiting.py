"""Waiting for something to become true, by looking again and again until a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

Found = TypeVar("Found")
Arguments = TypeVarTuple("Arguments")

#: Seconds between two looks.
INTERVAL = 0.05


def until(probe: Callable[[*Arguments], Found | None], seconds: float, what: str, *arguments: *Arguments) -> Found:
    """Return the first true value of `probe`.

    Arguments:
        probe: looks once.
        seconds: how long to go on looking.
        what: what is waited for, for the error.
        arguments: those of `probe`, such as the variable of a loop, which a lambda would not keep.

    Raises:
        AssertionError: it did not become true in time; says what the last look saw.

    """
    deadline = time.monotonic() + seconds
    while True:
        last = probe(*arguments)
        if last:
            return last
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s; the last look saw {last!r}")
        time.sleep(INTERVAL)
