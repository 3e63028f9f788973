"""The command `signald-peer`: a call without a browser, with a report at its end."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

__all__ = ["main", "parse"]

DEFAULT_SERVER = "wss://localhost:9000/ws"

FLOWED = 0
NOT_FLOWED = 1
USAGE = 2
"""Exit statuses."""

SIDES = range(16, 3841, 2)
"""Pixels of a side of the pattern: VP8 wants even ones."""

MAX_RATE = 120.0
"""Frames per second."""


class _Parser(argparse.ArgumentParser):
    """Says one sentence when the command line is wrong."""

    def error(self, message: str) -> NoReturn:
        """Say it, and exit with status 2."""
        self.exit(USAGE, f"signald-peer: {message}\n")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of a command line; a wrong one ends the process with one sentence and status 2."""
    shared = _Parser(add_help=False)
    shared.add_argument(
        "--server", metavar="URL", help=f"the server or its page [default: that of the link, or {DEFAULT_SERVER}]"
    )
    shared.add_argument("--ca", metavar="FILE", type=Path, help="trust this authority (PEM) in the system's place")
    shared.add_argument("--insecure", action="store_true", help="believe any certificate")
    shared.add_argument("--name", metavar="NAME", type=_short(64), help="what the others are told that you are called")
    shared.add_argument("--password", metavar="TEXT", type=_short(128), help="the session's password")
    token = shared.add_mutually_exclusive_group()
    token.add_argument("--token", metavar="TEXT", help="what lets you in, where the server needs a token")
    token.add_argument("--token-file", metavar="FILE", type=Path, help="the file that holds it, out of others' sight")
    source = shared.add_mutually_exclusive_group()
    source.add_argument("--play", metavar="FILE", type=Path, help="send this file, not the test pattern and the tone")
    source.add_argument("--echo", action="store_true", help="send back what is received")
    shared.add_argument("--record", metavar="FILE", type=Path, help="write what is received into this file")
    shared.add_argument("--duration", metavar="SECONDS", type=_seconds, help="end after this time in the session")
    shared.add_argument("--size", metavar="WxH", type=_size, default=(640, 480), help="of the pattern [640x480]")
    shared.add_argument("--rate", metavar="FPS", type=_rate, default=15.0, help="of the pattern [15]")
    shared.add_argument("--verbose", action="store_true", help="say on standard error what happens")
    parser = _Parser(
        prog="signald-peer",
        description="A WebRTC call without a browser. Standard output gets its report alone, as JSON.",
        epilog="Exit status: 0 when media went both ways, 1 when it did not, 2 when no call could be tried.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="host|join")
    host = commands.add_parser("host", parents=[shared], help="open a session and wait for others")
    host.add_argument("--capacity", metavar="N", type=int, default=2, help="members at most [2]")
    join = commands.add_parser("join", parents=[shared], help="join a session")
    join.add_argument("session", metavar="ID", help="the session's ID, or the link to it")
    options = parser.parse_args(arguments)
    if options.server is None:
        link = options.command == "join" and "://" in options.session
        options.server = options.session.partition("#")[0] if link else DEFAULT_SERVER
    return options


def _short(most: int) -> Callable[[str], str]:
    """Return a check of a text for its length."""

    def check(text: str) -> str:
        if not 0 < len(text) <= most:
            raise argparse.ArgumentTypeError(f"a text of 1 to {most} characters is wanted")
        return text

    return check


def _number(text: str) -> float:
    """Return the number in a text; 0, which no option takes, when there is none."""
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) else 0.0


def _seconds(text: str) -> float:
    if not (seconds := _number(text)):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return seconds


def _rate(text: str) -> float:
    if not 0 < (rate := _number(text)) <= MAX_RATE:
        raise argparse.ArgumentTypeError(f"{text} is not a number up to {MAX_RATE:.0f}")
    return rate


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if match is None or int(match[1]) not in SIDES or int(match[2]) not in SIDES:
        raise argparse.ArgumentTypeError(f"{text} is not a size like 640x480, of even numbers from 16 to 3840")
    return int(match[1]), int(match[2])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse(arguments)
    if importlib.util.find_spec("aiortc") is None:
        return complain("The library aiortc is missing; install it with: pip install 'signald[peer]'")
    from signald_client.call import call
    from signald_client.running import run

    # What aiortc and Autobahn say in passing is of no use to the one who calls.
    logging.basicConfig(level=logging.INFO if options.verbose else logging.CRITICAL)
    try:
        return run(lambda reactor: call(options, reactor))
    except KeyboardInterrupt:
        # Before the call has its own handler.
        return NOT_FLOWED


def complain(sentence: str) -> int:
    """Write one sentence to standard error, and return the status of a call that could not be tried."""
    sys.stderr.write(f"signald-peer: {sentence}\n")
    return USAGE
