"""The command `signald`: the service in the foreground, with its addresses on the terminal."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from ipaddress import ip_address
from typing import TextIO

from twisted.internet.interfaces import IReactorCore
from twisted.logger import globalLogBeginner
from twisted.python.usage import UsageError

from signald.cli.banner import banner
from signald.cli.commands import find_command
from signald.cli.options import Options
from signald.lifecycle.service import Daemon
from signald.net.addresses import Names, machine_names
from signald.tap import complaint, makeService
from signald.tls.certificates import LocalCertificate


def main() -> None:
    """Run until SIGINT or SIGTERM, of which a second one does not wait for the clients; or do what a command says.

    Raises:
        SystemExit: the options cannot be used; one sentence, status 1.

    """
    if len(sys.argv) > 1 and (command := find_command(sys.argv[1])) is not None:
        sys.exit(command(sys.argv[2:], os.environ))
    options = Options()
    try:
        options.parseOptions()
    except UsageError as error:
        sys.exit(complaint(error))
    daemon = makeService(options)

    from twisted.internet import reactor

    core = IReactorCore(reactor)
    globalLogBeginner.beginLoggingTo([daemon.operations_service.log.to_stream(sys.stderr)], redirectStandardIO=False)
    daemon.privilegedStartService()
    daemon.startService()
    daemon.when_left = _obey_the_next_signal
    core.addSystemEventTrigger("before", "shutdown", _heed_signals, signal.SIG_IGN)
    core.addSystemEventTrigger("before", "shutdown", daemon.stopService)
    core.callWhenRunning(_announce, daemon)
    core.run()


def _obey_the_next_signal() -> None:
    """Let a signal end the process: Twisted would do no more than log an error, since it is stopping already.

    Before everything is left to the next process, one more signal would make that impossible, and is ignored.
    """
    _heed_signals(signal.SIG_DFL)


def _heed_signals(action: signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, action)


def _announce(daemon: Daemon) -> None:
    out: TextIO | None = sys.stdout
    if out is None:  # closed before the start (`>&-`)
        return
    page = daemon.page
    text = banner(
        page.scheme,
        page.port,
        _names(daemon.interface),
        local_ca=isinstance(daemon.certificate, LocalCertificate),
        colour=out.isatty(),
    )
    if isinstance(out, TextIOWrapper):
        out.reconfigure(errors="replace")  # the QR code's blocks, where the terminal is not UTF-8
    # A full disk or a reader that is gone is no reason not to serve.
    with suppress(OSError):
        out.write(text)
        out.flush()


def _names(interface: str | None) -> Names:
    """The machine's names, or where it listens on one interface that one's address."""
    names = machine_names()
    address = None if interface is None else ip_address(interface)
    if address is None or address.is_unspecified:
        return names
    return Names(host=None, addresses=(address,), best=None if address.is_loopback else address)
