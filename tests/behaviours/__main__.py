"""Plays every script with every client, and prints whether they answer alike: `python -m tests.behaviours`."""

from __future__ import annotations

import sys

from tests.behaviours.clients import CLIENTS, read_scripts
from tests.behaviours.compare import find_differences


def main() -> int:
    """Print the differences, or that there are none; return the exit status."""
    scripts = read_scripts()
    differences = [
        f"{client}: {difference}"
        for client, play in CLIENTS.items()
        for difference in find_differences(scripts, play(list(scripts.values())))
    ]
    same = "all the same" if not differences else f"{len(differences)} differences"
    lines = [*differences, f"{len(scripts)} scripts, {len(CLIENTS)} clients ({', '.join(CLIENTS)}), {same}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
