"""Runs the daemon in the foreground and prints its addresses on the terminal."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from ipaddress import ip_address
from typing import TextIO

from twisted.internet.interfaces import IReactorCore
from twisted.logger import globalLogBeginner

from signald.cli.banner import banner
from signald.cli.options import Options
from signald.lifecycle.service import Daemon
from signald.net.addresses import Names, machine_names
from signald.tap import makeService
from signald.tls.certificates import LocalCertificate


def run(options: Options) -> None:
    """Run the daemon until SIGINT or SIGTERM; a second signal ends the process without waiting for the clients.

    Raises:
        SystemExit: the daemon cannot be started; the process prints one sentence and exits with status 1.

    """
    daemon = makeService(options)

    from twisted.internet import reactor

    core = IReactorCore(reactor)
    globalLogBeginner.beginLoggingTo([daemon.operations_service.log.to_stream(sys.stderr)], redirectStandardIO=False)
    daemon.privilegedStartService()
    daemon.startService()
    daemon.when_saved = _let_signals_end_the_process
    core.addSystemEventTrigger("before", "shutdown", _set_signal_action, signal.SIG_IGN)
    core.addSystemEventTrigger("before", "shutdown", daemon.stopService)
    core.callWhenRunning(_announce, daemon)
    core.run()


def _let_signals_end_the_process() -> None:
    """Restore the default action of SIGINT and SIGTERM, so that the next signal ends the process at once.

    Twisted's own handler would only log an error, because the reactor is already stopping. Signals are ignored until
    the state is saved for the next process, because they would prevent the save.
    """
    _set_signal_action(signal.SIG_DFL)


def _set_signal_action(action: signal.Handlers) -> None:
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
    # A full disk or a closed pipe must not stop the daemon.
    with suppress(OSError):
        out.write(text)
        out.flush()


def _names(interface: str | None) -> Names:
    """Return the machine's names and addresses; if the daemon listens on one interface, only the address of that."""
    names = machine_names()
    address = None if interface is None else ip_address(interface)
    if address is None or address.is_unspecified:
        return names
    return Names(host=None, addresses=(address,), best=None if address.is_loopback else address)
