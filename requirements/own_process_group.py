#!/usr/bin/env python3
"""Runs a command in a process group of its own in the foreground of the terminal: `own_process_group.py COMMAND…`.

`make run` needs it: make stops with `Interrupt` and status 130 when it receives the SIGINT of a Ctrl-C, even if its
recipe ends well. The terminal sends its signals to the foreground process group alone, which make is not part of then.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main(command: list[str]) -> int:
    """Run the command, pass on the signals that end it, and return its exit status."""
    if not os.isatty(0) or os.tcgetpgrp(0) != os.getpgrp():
        os.execvp(command[0], command)  # noqa: S606 # the command is the caller's own
    # A process in the background that moves the terminal's foreground is stopped by this signal.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 # the command is the caller's own

    def forward(number: int, _: FrameType | None) -> None:
        os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status) % 256
        # Ctrl-Z stopped the command: stop with it, and go on with it.
        os.killpg(0, signal.SIGSTOP)
        os.tcsetpgrp(0, child)
        os.killpg(child, signal.SIGCONT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
