"""The command `signald-peer`: a call without a browser, or a shared screen, with a report at its end."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from signald_client.exit_status import EXIT_NO_CALL, EXIT_NOT_FLOWED, print_error

__all__ = ["main", "parse_arguments"]

DEFAULT_SERVER = "wss://localhost:9000/ws"

SIDE_PIXELS = range(16, 3841, 2)
"""Allowed width and height of the pattern; even, as YUV 4:2:0 halves them."""

MAX_RATE = 120.0
"""Highest frame rate of the pattern, in frames per second."""


class _Parser(argparse.ArgumentParser):
    """Argument parser that reports a wrong command line in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Write the sentence to standard error, and exit with status 2."""
        self.exit(EXIT_NO_CALL, f"signald-peer: {message}\n")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of a command line; a wrong command line ends the process with status 2."""
    shared, media = _shared_options(), _Parser(add_help=False)
    _add_media_options(media)
    parser = _Parser(
        prog="signald-peer",
        description="Make a WebRTC call without a browser. Standard output gets the report as JSON, and nothing else.",
        epilog="Exit status: 0 when media flowed both ways, or a screen was shared; 1 when it did not, 2 when no call "
        "could be tried.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="host|join|screen")
    host = commands.add_parser("host", parents=[shared, media], help="open a session and wait for other members")
    host.add_argument("--capacity", metavar="N", type=int, default=2, help="most members of the session [2]")
    join = commands.add_parser("join", parents=[shared, media], help="join a session")
    join.add_argument("session", metavar="ID", help="ID of the session, or the link to it")
    screen = commands.add_parser("screen", parents=[shared], help="share this computer's X11 screen")
    screen.add_argument("session", metavar="ID", nargs="?", help="ID of the session, or the link to it [a new one]")
    _add_screen_options(screen)
    options = parser.parse_args(arguments)
    if options.server is None:
        session = getattr(options, "session", None) or ""
        options.server = session.partition("#")[0] if "://" in session else DEFAULT_SERVER
    return options


def _shared_options() -> _Parser:
    """Return a parser of the options that all commands have."""
    shared = _Parser(add_help=False)
    _add_server_options(shared)
    shared.add_argument(
        "--duration", metavar="SECONDS", type=_seconds, help="end the call after this time in the session"
    )
    shared.add_argument("--verbose", action="store_true", help="log to standard error")
    return shared


def _add_server_options(parser: _Parser) -> None:
    """Add the options about the server, and about who takes part."""
    parser.add_argument(
        "--server",
        metavar="URL",
        help=f"URL of the server or its page [default: that of the link, or {DEFAULT_SERVER}]",
    )
    parser.add_argument(
        "--ca", metavar="FILE", type=Path, help="trust this certificate authority (PEM) instead of the system's"
    )
    parser.add_argument("--insecure", action="store_true", help="accept any certificate")
    parser.add_argument(
        "--name", metavar="NAME", type=_text_up_to(64), help="display name, which the other members see"
    )
    parser.add_argument("--password", metavar="TEXT", type=_text_up_to(128), help="the session's password")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", metavar="TEXT", help="token, where the server needs one")
    token.add_argument(
        "--token-file", metavar="FILE", type=Path, help="file with the token, which hides it from other users"
    )


def _add_media_options(parser: _Parser) -> None:
    """Add the options about what is sent and recorded."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--play", metavar="FILE", type=Path, help="send this file instead of the test pattern and the tone"
    )
    source.add_argument("--echo", action="store_true", help="send received media back")
    parser.add_argument("--record", metavar="FILE", type=Path, help="record received media into this file")
    parser.add_argument("--size", metavar="WxH", type=_size, default=(640, 480), help="size of the pattern [640x480]")
    parser.add_argument("--rate", metavar="FPS", type=_rate, default=15.0, help="frame rate of the pattern [15]")


def _add_screen_options(parser: _Parser) -> None:
    """Add the options about the screen, and about its control by a viewer."""
    parser.add_argument("--capacity", metavar="N", type=int, default=2, help="most members of a new session [2]")
    parser.add_argument("--display", metavar="NAME", help="the X display [that of the environment]")
    parser.add_argument("--rate", metavar="FPS", type=_rate, default=30.0, help="pictures per second [30]")
    parser.add_argument(
        "--control",
        choices=("never", "ask", "code"),
        default="never",
        help="who may control keyboard and pointer: nobody, whom you allow it each time, or who knows a code [never]",
    )
    parser.add_argument(
        "--control-code-file", metavar="FILE", type=Path, help="file with the code of at least 8 symbols [a new code]"
    )
    parser.add_argument("--unverified", action="store_true", help="also give control over unverified connections")
    parser.add_argument("--clipboard", action="store_true", help="give the clipboard's text with the control")
    parser.add_argument(
        "--emergency-key", metavar="KEYSYM", default="Escape", help="key of this computer that ends control [Escape]"
    )


def _text_up_to(max_length: int) -> Callable[[str], str]:
    """Return an argument type for texts of 1 to so many characters."""

    def check_text(text: str) -> str:
        if not 0 < len(text) <= max_length:
            raise argparse.ArgumentTypeError(f"expected a text of 1 to {max_length} characters, got {len(text)}")
        return text

    return check_text


def _number(text: str) -> float:
    """Return the number in a text; 0, which no option accepts, when the text is not a number."""
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) else 0.0


def _seconds(text: str) -> float:
    if not (seconds := _number(text)):
        raise argparse.ArgumentTypeError(f"expected a number of seconds greater than 0, got {text}")
    return seconds


def _rate(text: str) -> float:
    if not 0 < (rate := _number(text)) <= MAX_RATE:
        raise argparse.ArgumentTypeError(f"expected a number greater than 0 and up to {MAX_RATE:.0f}, got {text}")
    return rate


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if match is None or int(match[1]) not in SIDE_PIXELS or int(match[2]) not in SIDE_PIXELS:
        raise argparse.ArgumentTypeError(f"expected a size like 640x480, of even numbers from 16 to 3840, got {text}")
    return int(match[1]), int(match[2])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse_arguments(arguments)
    if importlib.util.find_spec("aiortc") is None:
        return print_error("The library aiortc is missing; install it with: pip install 'signald[peer]'")
    if options.command == "screen" and importlib.util.find_spec("Xlib") is None:
        return print_error("The library python-xlib is missing; install it with: pip install 'signald[screen]'")
    from signald_client.asyncio_reactor import run_in_reactor
    from signald_client.call import run_call

    # aiortc and Autobahn log a lot that tells the user nothing.
    logging.basicConfig(level=logging.INFO if options.verbose else logging.CRITICAL)
    try:
        return run_in_reactor(lambda reactor: run_call(options, reactor))
    except KeyboardInterrupt:
        # The signal came before the call had set its own handler.
        return EXIT_NOT_FLOWED
