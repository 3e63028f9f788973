"""A wall clock for one program that differs from the machine's: libfaketime."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SkipTest


def faketime() -> Path:
    """Return the library that shows a program another wall clock.

    Raises:
        SkipTest: it is not installed.

    """
    for path in sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")):
        return path
    raise SkipTest("libfaketime is not installed")


def another_clock(**settings: str) -> dict[str, str]:
    """Return the environment of a program whose wall clock libfaketime shifts; its monotonic clock stays right.

    Arguments:
        settings: variables of libfaketime, such as `FAKETIME="+3600s"`.

    Raises:
        SkipTest: it is not installed.

    """
    monotonic = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    return {"LD_PRELOAD": str(faketime()), **monotonic, **settings}
