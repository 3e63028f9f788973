"""Starts a command with sockets as a service manager does: `activate.py NAME=DESCRIPTOR... -- COMMAND...`.

This program replaces itself with the command, since `$LISTEN_PID` has to be the process id of the command
(sd_listen_fds(3)).
"""

import fcntl
import os
import sys

FIRST = 3
"""The first descriptor number that the command expects (SD_LISTEN_FDS_START)."""

BEYOND = 100
"""Temporary descriptor numbers begin here, so that they do not collide with the final numbers."""


def main() -> None:
    """Move the descriptors to their final numbers, and execute the command in this process."""
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
