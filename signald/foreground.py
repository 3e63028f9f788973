"""Runs the daemon in the foreground and prints its addresses on the terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from ipaddress import ip_address
from typing import NoReturn, TextIO

from twisted.internet.interfaces import IReactorCore
from twisted.logger import globalLogBeginner

from signald.cli.banner import banner
from signald.cli.options import Options, error_text
from signald.config.values import ConfigError
from signald.core.snapshot import Snapshot
from signald.lifecycle.predecessor import Predecessor, Takeover
from signald.lifecycle.service import Daemon
from signald.lifecycle.successor import launch
from signald.lifecycle.supervision import started_with
from signald.monitoring.logs import FLUSH_SECONDS
from signald.net.addresses import Names, machine_names
from signald.server.direct_reactor import install_direct_reactor
from signald.tap import makeService
from signald.tls.certificates import LocalCertificate


def run(options: Options) -> NoReturn:
    """Run the daemon until SIGINT or SIGTERM, or until a successor has taken over.

    A second signal ends the process without waiting for the clients.

    Raises:
        SystemExit: the daemon cannot be started; the process prints one sentence (`makeService`).

    """
    install_direct_reactor()
    try:
        predecessor = Predecessor.of(started_with())
    except ConfigError as error:
        sys.exit(error_text(error))
    daemon = makeService(options) if predecessor is None else _make_successor(options, predecessor)

    from twisted.internet import reactor

    core = IReactorCore(reactor)
    log = daemon.operations_service.log
    globalLogBeginner.beginLoggingTo([log.to_stream(sys.stderr)], redirectStandardIO=False)
    if os.getpid() != 1:  # the end of the first process would be that of the container
        environment = started_with() or dict(os.environ)
        daemon.upgrade.launch = lambda end: launch(end, environment)
    daemon.when_saved = _let_signals_end_the_process
    core.addSystemEventTrigger("before", "shutdown", _set_signal_action, signal.SIG_IGN)
    core.addSystemEventTrigger("before", "shutdown", daemon.stopService)
    takeover: Takeover | None = None
    if predecessor is None:
        _start(daemon)
        core.callWhenRunning(_announce, daemon)
    else:
        takeover = Takeover(reactor, predecessor, _serving(daemon), daemon.begin_supervision, core.stop)
        core.callWhenRunning(takeover.begin)
    core.run()
    _exit(daemon, 0 if takeover is None else takeover.status)


def _make_successor(options: Options, predecessor: Predecessor) -> Daemon:
    """Create the service on the sockets of the running process; a failure is told to it.

    Raises:
        SystemExit: the service cannot be created.

    """
    try:
        return makeService(options, predecessor.supervision)
    except SystemExit as error:
        predecessor.refuse(str(error.__cause__ or error.code))
        raise
    except Exception as error:
        predecessor.refuse(f"{type(error).__name__} at its start")
        raise


def _serving(daemon: Daemon) -> Callable[[Snapshot, float], None]:
    """Return the function that makes a daemon serve with the state of the running process."""

    def serve(snapshot: Snapshot, resume_seconds: float) -> None:
        daemon.adopt_state(snapshot, resume_seconds)
        _start(daemon)

    return serve


def _start(daemon: Daemon) -> None:
    daemon.privilegedStartService()
    daemon.startService()


def _exit(daemon: Daemon, status: int) -> NoReturn:
    """End the process at once, with all output written.

    An ordinary exit takes 0.3 s of processor time, for objects that the kernel frees with the process anyway, while the
    next process starts on the same cores.
    """
    daemon.operations_service.log.flush(FLUSH_SECONDS)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed before the start (`>&-`)
            with suppress(OSError, ValueError):
                stream.flush()
    os._exit(status)


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
        path=daemon.path,
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
