"""The command `signald`: chooses what to run, and imports no more than that.

Importing the daemon takes ten times as long as Python's own start, which a command such as `signald token` in a script
would pay at each call.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

from signald import __version__
from signald.cli.closed_pipe import ending_at_closed_pipe, open_closed_streams
from signald.cli.commands import find_command

__all__ = ["main"]


def main() -> None:
    """Run a command, or the daemon in the foreground; when nobody reads the output any more, end in silence.

    Raises:
        SystemExit: the status of the command; or the options cannot be used: one sentence, status 1.

    """
    with ending_at_closed_pipe():
        arguments = sys.argv[1:]
        if arguments == ["--version"]:
            sys.stdout.write(f"signald {__version__}\n")
            return
        if arguments and (command := find_command(arguments[0])) is not None:
            open_closed_streams()
            sys.exit(command(arguments[1:], os.environ))
        _run_daemon()


def _run_daemon() -> None:
    # Collections while modules are imported take a seventh of the start's processor time. What the imports made stays
    # for as long as the process, so later collections need not look at it either: a full one takes 90 ms less.
    gc.disable()

    # The signal that begins an upgrade would end a process that is not ready for it yet.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)

    from twisted.python.usage import UsageError

    from signald.cli.options import Options, error_text

    options = Options()
    try:
        options.parseOptions()
    except UsageError as error:
        sys.exit(error_text(error))

    from signald import foreground

    gc.freeze()
    # The middle generation is collected three times as often as by default, in a third of the time: while many clients
    # connect, each collection stopped everybody for 3 ms (by processor time), and now for 1.
    gc.set_threshold(700, 3, 33)
    gc.enable()
    foreground.run(options)
