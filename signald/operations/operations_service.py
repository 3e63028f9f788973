"""The service for the operator of the daemon: a separate listener, the monitor of the reactor's lag, and the log."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, cast

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.logger import Logger

from signald.config.settings import Config
from signald.monitoring.logs import Log
from signald.monitoring.stalls import StallService
from signald.operations.admin import make_admin
from signald.operations.admin_state import AdminState
from signald.operations.admin_token import AdminToken
from signald.operations.degradations import PROBLEMS, WARNINGS, find_problems, find_warnings
from signald.operations.endpoints import make_operations_site
from signald.operations.metric_sources import Sources
from signald.operations.prometheus import make_registry
from signald.server.listening import accept_connections, bind
from signald.server.socket_activation import OPERATIONS

__all__ = ["OperationsService", "answered_hosts"]

READINESS_SECONDS = 5.0
"""The interval at which readiness is checked."""

DRAIN_AFTER_SECONDS = 0.2
"""The delay of a drain after the admin page's request for it, so that the response is sent first."""

_log = Logger()


def answered_hosts(names: Sequence[str], *, is_local: bool) -> frozenset[str] | None:
    """Return the host names under which the operator's listener answers (`Host.is_among`).

    On a loopback address, or where names are configured, all other names are refused, because the page of an attacker
    could make a browser that reaches the listener send requests to it (DNS rebinding).
    """
    return frozenset(names) if is_local or names else None


class OperationsService(MultiService):
    """Runs the operator's listener and the monitor of the reactor's lag, and applies the log's settings.

    Attributes:
        log: the log of the process.
        port: the port of the operator's listener; None if there is no listener.

    """

    def __init__(
        self,
        config: Config,
        sources: Sources,
        log: Log,
        reactor: IReactorTime,
        drain: Callable[[], None],
        handed_over: socket.socket | None = None,
        *,
        can_bind: bool = True,
    ) -> None:
        """Bind the operator's listener, if the configuration has one.

        Arguments:
            config: the configuration, whose section `operations` is used.
            sources: the parts of the daemon that the metrics and the admin page are read from.
            log: the log of the process.
            reactor: the reactor that runs the service.
            drain: the function that starts to stop the daemon.
            handed_over: the listening socket for the operator, if the service manager has opened one.
            can_bind: whether a socket may be bound if none is handed over.

        Raises:
            ConfigError: the address, the port or the token of the admin page cannot be used.

        """
        super().__init__()
        self.log = log
        self.port: int | None = None
        self._reactor = reactor
        self._socket: socket.socket | None = None
        self._listening: IListeningPort | None = None
        self._is_local = False
        self._token = AdminToken(config.limits)
        self._token.prepare(config.operations)()
        admin = make_admin(
            self._token,
            AdminState(sources, reactor.seconds()),
            sources.readiness,
            # The drain is delayed, so that the client still receives the response to its request.
            lambda: reactor.callLater(DRAIN_AFTER_SECONDS, drain),
            reactor,
        )
        if handed_over is not None:
            self._socket = handed_over
        elif config.operations.port is not None and can_bind:
            self._socket = bind(config.operations.interface, config.operations.port)
        if self._socket is not None:
            address, self.port = self._socket.getsockname()[:2]
            self._is_local = ip_address(address.partition("%")[0]).is_loopback
        self._site = make_operations_site(
            make_registry(sources),
            sources.readiness,
            [(b"admin", admin)],
            reactor,
            answered_hosts(config.operations.hosts, is_local=self._is_local),
        )
        self._sources = sources
        readiness_timer = TimerService(READINESS_SECONDS, self.update_readiness)
        readiness_timer.clock = reactor
        readiness_timer.setServiceParent(self)
        stalls = StallService(sources.metrics, config.operations.stall_seconds, reactor, reactor.seconds)
        stalls.setServiceParent(self)

    def prepare(self, config: Config) -> Callable[[], None]:
        """Check the settings that can be changed while the daemon runs, and return the function that applies them.

        Raises:
            ConfigError: the admin page's token cannot be used.

        """
        apply_token = self._token.prepare(config.operations)

        def apply() -> None:
            apply_token()
            self._site.hosts = answered_hosts(config.operations.hosts, is_local=self._is_local)
            self._token.reload_limits(config.limits)

        return apply

    def configure_log(self, config: Config) -> None:
        """Apply the settings of the log."""
        self.log.configure(config.log)

    def update_readiness(self) -> None:
        """Check what the daemon depends on, and update the readiness that the probe reports."""
        sources, readiness = self._sources, self._sources.readiness
        problems, warnings = find_problems(sources), find_warnings(sources)
        for name in PROBLEMS:
            if name in problems:
                readiness.set_problem(name, PROBLEMS[name])
            else:
                readiness.clear_problem(name)
        for name in WARNINGS:
            if name in warnings:
                readiness.set_warning(name, WARNINGS[name])
            else:
                readiness.clear_warning(name)

    def startService(self) -> None:
        """Begin to accept the operator's TCP connections."""
        super().startService()
        if self._socket is not None:
            # Accept errors of this port are not counted with those of the public ones.
            self._listening = accept_connections(self._reactor, self._socket, self._site, lambda: None)
            self._socket = None
            _log.info("operations: http on port {port}", event="operations-listening", port=self.port)

    def descriptors(self) -> list[tuple[str, int]]:
        """Return the purpose and the descriptor of the listening socket; an empty list without one."""
        return [] if self._listening is None else [(OPERATIONS, cast(Any, self._listening).fileno())]

    def pause(self) -> None:
        """Accept no connection until `resume`; new ones wait in the queue of the socket."""
        if self._listening is not None:
            cast(Any, self._listening).stopReading()

    def resume(self) -> None:
        """Accept connections again."""
        if self._listening is not None:
            cast(Any, self._listening).startReading()

    def stopService(self) -> Deferred[list[tuple[bool, object]]]:
        """Stop listening; the daemon stops this service last, so that the readiness probe reports the drain."""
        listening, self._listening = self._listening, None
        waits = [super().stopService(), None if listening is None else listening.stopListening()]
        return DeferredList([wait for wait in waits if isinstance(wait, Deferred)])
