"""Gives one program a wall clock that differs from the machine's, with libfaketime."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SkipTest


def faketime() -> Path:
    """Return the path of libfaketime, which replaces the wall clock of a program.

    Raises:
        SkipTest: libfaketime is not installed.

    """
    for path in sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")):
        return path
    raise SkipTest("libfaketime is not installed")


def another_clock(**settings: str) -> dict[str, str]:
    """Return the environment of a program whose wall clock libfaketime shifts; its monotonic clock stays right.

    Arguments:
        settings: variables of libfaketime, such as `FAKETIME="+3600s"`.

    Raises:
        SkipTest: libfaketime is not installed.

    """
    monotonic = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    return {"LD_PRELOAD": str(faketime()), **monotonic, **settings}
