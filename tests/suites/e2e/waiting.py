"""Polls a condition until it becomes true or a deadline expires."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

Found = TypeVar("Found")
Arguments = TypeVarTuple("Arguments")

#: The seconds between two calls of the probe.
INTERVAL = 0.05


def until(probe: Callable[[*Arguments], Found | None], seconds: float, what: str, *arguments: *Arguments) -> Found:
    """Return the first true value of `probe`.

    Arguments:
        probe: the function that is polled.
        seconds: the timeout.
        what: a description of the condition, for the error.
        arguments: the arguments of `probe`, such as the variable of a loop, which a lambda would not capture.

    Raises:
        AssertionError: the condition did not become true in time; the message has the last value.

    """
    deadline = time.monotonic() + seconds
    while True:
        last = probe(*arguments)
        if last:
            return last
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s; the last look saw {last!r}")
        time.sleep(INTERVAL)
