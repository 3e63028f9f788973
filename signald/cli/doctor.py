"""The command `signald doctor`, which finds faults in the daemon's surroundings and prints a remedy for each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, TextIO

from cryptography import x509
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from signald.cli.options import Options
from signald.config.checks import doubts
from signald.config.sources import CONFIG_VARIABLE
from signald.config.values import ConfigError, read_path
from signald.doctor.chain import read_roots, trusted_store
from signald.doctor.examination import DoctorTarget, examine
from signald.doctor.findings import Finding, failed
from signald.doctor.own_certificate import local_authority
from signald.doctor.report import as_json, as_text
from signald.doctor.targets import PublicUrl

INTERRUPTED = 130
"""The exit status after SIGINT, by the convention of shells."""

SECONDS = 30.0
"""The default of `--seconds`, the timeout of the checks, which run concurrently."""


Tell = Callable[[list[Finding]], int]
"""Prints the findings and returns the exit status of the command."""


class DoctorOptions(Options):
    """The options of `signald doctor`: those of the daemon's configuration, and those of the checks."""

    longdesc: ClassVar[str] = "The exit status is 0 when nothing failed, 1 when something did."

    optParameters: ClassVar[list[list[object]]] = [
        ["url", "u", None, "the page's public address, as https://calls.example.org/"],
        ["ca", None, None, "PEM file of an authority that is trusted besides the system's"],
        ["seconds", None, f"{SECONDS:g}", "for all checks together"],
    ]
    optFlags: ClassVar[list[list[object]]] = [
        ["json", None, "print one JSON object"],
        ["slow", None, "also hold an idle WebSocket until pings must have come, near a minute"],
    ]


def run_checks(target: DoctorTarget, tell: Tell) -> int:
    """Run the checks in the reactor of this process, pass the findings to `tell`, and return its exit status.

    `tell` is called before the reactor stops, because a thread that still resolves a name delays the process's end.
    """
    from twisted.internet import reactor

    statuses: list[int] = []
    failures: list[Failure] = []

    def begin() -> None:
        done = Deferred.fromCoroutine(examine(target, reactor, deferToThread))
        done.addCallbacks(lambda findings: statuses.append(tell(findings)), failures.append)
        done.addBoth(lambda _: reactor.stop())
        # After SIGINT the checks must not go on: they would report the TCP connections that the shutdown closes.
        reactor.addSystemEventTrigger("before", "shutdown", done.pause)

    reactor.callWhenRunning(begin)
    reactor.run()
    for one in failures:
        one.raiseException()
    return statuses[0] if statuses else INTERRUPTED


def main(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    run: Callable[[DoctorTarget, Tell], int] = run_checks,
) -> int:
    """Run all checks; return 0 if none failed, 1 if one failed, 2 if an option or the configuration is invalid.

    Arguments:
        arguments: the command line after the command's name.
        environment: the environment variables.
        run: examines a target, passes the findings to a function, and returns that one's exit status.

    """
    options = DoctorOptions("doctor")
    try:
        options.parseOptions(list(arguments))
        target = _target(options, environment)
    except (UsageError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    out = sys.stdout
    colour = out.isatty() and "NO_COLOR" not in environment

    def tell(findings: list[Finding]) -> int:
        _write(out, as_json(findings) if options["json"] else as_text(findings, colour=colour))
        return 1 if failed(findings) else 0

    return run(target, tell)


def _target(options: DoctorOptions, environment: Mapping[str, str]) -> DoctorTarget:
    """Return the installation that the doctor shall examine.

    Raises:
        ConfigError: an option, a setting or a file that they name cannot be used.

    """
    effective = options.effective(environment)
    config = effective.config
    named = environment.get(CONFIG_VARIABLE)
    roots: list[x509.Certificate] = []
    own = local_authority(config)
    if own is not None:
        roots += x509.load_pem_x509_certificates(own)
    if options["ca"] is not None:
        roots += _roots(read_path(options["ca"]))
    return DoctorTarget(
        config=config,
        doubts=tuple(doubts(config, effective.where)),
        file=read_path(named) if options.file is None and named else options.file,
        url=None if options["url"] is None else PublicUrl.read(options["url"]),
        store=trusted_store(roots),
        now=time.time(),
        slow=bool(options["slow"]),
        seconds=_seconds(options["seconds"]),
    )


def _roots(path: Path) -> list[x509.Certificate]:
    try:
        return read_roots(path)
    except ValueError:
        raise ConfigError(f"{path} holds no certificate in PEM form.") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3600:
        raise ConfigError(f"--seconds: {text:.20} is not a number from 1 to 3600.")
    return seconds


def _write(out: TextIO, text: str) -> None:
    """Write a text, in which question marks replace characters that the terminal's encoding does not have."""
    encoding = out.encoding or "ascii"
    # A reader such as `head` may close the pipe early.
    with suppress(BrokenPipeError):
        out.write(text.encode(encoding, "replace").decode(encoding))
        out.flush()
