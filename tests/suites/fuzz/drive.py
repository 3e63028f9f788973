"""One target under libFuzzer, by way of atheris: `python -m tests.suites.fuzz.drive TARGET ARGUMENTS-OF-LIBFUZZER…`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["signald"]):
    from tests.suites.fuzz.targets import TARGETS


def main() -> None:
    """Run until libFuzzer ends: at a crash, or when its time is over."""
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
