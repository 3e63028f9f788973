"""Starts a command as a service manager does: `activate.py NAME=DESCRIPTOR... -- COMMAND...` (sd_listen_fds(3)).

A program of its own, since `$LISTEN_PID` is to be the process that the command is run in.
"""

import fcntl
import os
import sys

FIRST = 3
"""Where the command expects the descriptors."""

BEYOND = 100
"""Where they are out of the way of each other."""


def main() -> None:
    """Put the descriptors in their places, and become the command."""
    place = sys.argv.index("--")
    given = [word.rpartition("=") for word in sys.argv[1:place]]
    aside = [fcntl.fcntl(int(number), fcntl.F_DUPFD, BEYOND) for _, _, number in given]
    for number in aside:
        os.dup2(number, FIRST + aside.index(number))
        os.close(number)
    os.environ["LISTEN_FDS"] = str(len(given))
    os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _, _ in given)
    os.environ["LISTEN_PID"] = os.environ["WATCHDOG_PID"] = str(os.getpid())
    os.execv(sys.argv[place + 1], sys.argv[place + 1 :])  # noqa: S606 # what it is for


if __name__ == "__main__":
    main()
