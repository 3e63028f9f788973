"""Runs one target under libFuzzer with atheris: `python -m tests.suites.fuzz.drive TARGET LIBFUZZER-ARGUMENTS…`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["signald", "signald_client"]):
    from tests.suites.fuzz.targets import TARGETS


def main() -> None:
    """Run the target until libFuzzer ends because of a crash or its time limit."""
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
