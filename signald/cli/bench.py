"""The command `signald bench`, which puts a bounded load on a signaling server and prints throughput and latency."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TextIO
from urllib.parse import urlsplit

from OpenSSL import crypto
from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate
from twisted.python.failure import Failure

from signald.cli.bench_client import BenchRefusedError, Target
from signald.cli.bench_load import Load
from signald.cli.bench_summary import Summary, progress_bar
from signald.config.secret_files import read_file
from signald.config.values import ConfigError, read_path

__all__ = ["main", "run_in_reactor"]

INTERRUPTED = 130
"""The exit status after SIGINT, by the convention of shells."""

_PAIRS, _RATE, _SECONDS = (10, 1000), (50.0, 20000.0), (30.0, 3600.0)
"""Defaults and upper bounds of the options."""

Run = Callable[[Callable[[Any], Load]], Summary]
"""Runs a load that a function makes for a reactor, and returns what it measured."""


class _Parser(argparse.ArgumentParser):
    """Raises a ConfigError for an invalid command line, where argparse would exit the process."""

    def error(self, message: str) -> NoReturn:
        """Raise a ConfigError with the message as a sentence."""
        raise ConfigError(f"signald bench: {message}.")


def run_in_reactor(make: Callable[[Any], Load], reactor: Any = None) -> Summary:
    """Run a load in a reactor. SIGINT ends it early, and its connections are closed all the same.

    Arguments:
        make: makes the load for the reactor.
        reactor: the reactor; None for that of this process.

    Raises:
        BenchRefusedError: the server refused a connection or a request before the load began.

    """
    if reactor is None:
        from twisted.internet import reactor

    results: list[Summary | Failure] = []

    def begin() -> None:
        load = make(reactor)
        done: Deferred[Any] = Deferred.fromCoroutine(load.run())
        done.addBoth(results.append)

        def interrupt() -> Deferred[Any] | None:
            """End the load; the reactor waits for the deferred before it stops."""
            if results:
                return None
            load.interrupt()
            return done

        done.addCallback(lambda _: None if load.summary.interrupted else reactor.stop())
        reactor.addSystemEventTrigger("before", "shutdown", interrupt)

    reactor.callWhenRunning(begin)
    reactor.run()
    result = results[0]
    if isinstance(result, Failure):
        result.raiseException()
    return result


def main(arguments: Sequence[str], environment: Mapping[str, str], run: Run = run_in_reactor) -> int:
    """Put a load on a server, and print a summary.

    Return 0; 1 if the server refused something or lost a message; 2 if an option is invalid; 130 after SIGINT.

    Arguments:
        arguments: the command line after the command's name.
        environment: the environment variables, of which none is used.
        run: runs the load.

    """
    err = sys.stderr
    try:
        options = _parser().parse_args(arguments)
        target = _target(options)
    except ConfigError as error:
        err.write(f"{error}\n")
        return 2

    def show(summary: Summary) -> None:
        _show(err, progress_bar(summary, options.seconds))

    try:
        summary = run(lambda reactor: Load(target, reactor, options.pairs, options.rate, options.seconds, show))
    except BenchRefusedError as error:
        _show(err, "")
        err.write(f"{error}\n")
        return 1
    _show(err, "")
    sys.stdout.write(summary.as_text())
    return INTERRUPTED if summary.interrupted else int(summary.failed)


def _show(err: TextIO, text: str) -> None:
    """Replace the progress bar on a terminal."""
    if err.isatty():
        err.write(f"\r\x1b[K{text}")
        err.flush()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="signald bench",
        description="Put a load on a signaling server of your own: pairs of clients, which can resume, open a session "
        "each and forward messages of the size of an ICE candidate at a fixed rate. The load ends when the server "
        "refuses something.",
    )
    parser.add_argument("--url", required=True, help="the signaling socket, wss://HOST/ws, or the page, https://HOST/")
    parser.add_argument("--pairs", metavar="N", type=_number(int, 1, _PAIRS[1]), default=_PAIRS[0], help="pairs [10]")
    parser.add_argument(
        "--rate", metavar="N", type=_number(float, 0.1, _RATE[1]), default=_RATE[0], help="messages a second [50]"
    )
    parser.add_argument(
        "--seconds", metavar="N", type=_number(float, 1, _SECONDS[1]), default=_SECONDS[0], help="how long [30]"
    )
    parser.add_argument("--ca", metavar="FILE", help="PEM file of the authority to trust [the system's]")
    parser.add_argument("--token", metavar="TOKEN", help="a token that lets its holder open sessions")
    return parser


def _number(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    """Return the reader of an option's number.

    The reader raises ArgumentTypeError for what is no number within the bounds.
    """

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a number from {least:g} to {most:g}, got {text:.20}")
        return value

    return read


def _target(options: argparse.Namespace) -> Target:
    """Return the server that the options describe.

    Raises:
        ConfigError: the URL or the file of the authority cannot be used.

    """
    try:
        parts = urlsplit(options.url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in ("wss", "ws", "https", "http"):
        raise ConfigError("--url: expected the address of a server, like wss://HOST/ws.")
    secure = parts.scheme in ("wss", "https")
    path = parts.path
    if path in ("", "/") or parts.scheme in ("https", "http"):
        folder, _, name = path.rpartition("/")
        # The page is a folder, to which signald redirects browsers that omit the slash at its end.
        path = f"{folder}/ws" if not name or "." in name else f"{path}/ws"
    port = port or (443 if secure else 80)
    shown = f"[{host}]" if ":" in host else host
    url = f"{'wss' if secure else 'ws'}://{shown}:{port}{path}"
    authorities = None if options.ca is None else _authorities(options.ca)
    return Target(secure, host, port, url, authorities, options.token)


def _authorities(name: str) -> list[Certificate]:
    """Return the certificates in a file.

    Raises:
        ConfigError: it cannot be read, or holds none.

    """
    path = read_path(name)
    content = read_file(path)
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", content, re.DOTALL)
    try:
        certificates = [Certificate.loadPEM(block) for block in blocks]
    except crypto.Error:
        certificates = []
    if not certificates:
        raise ConfigError(f"--ca: {path} holds no certificate in PEM form.")
    return certificates
