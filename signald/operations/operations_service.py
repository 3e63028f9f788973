"""The operator's side of the running daemon: its own listener, the watch over the reactor, and the log's settings."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address

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
from signald.operations.endpoints import make_operations_site
from signald.operations.prometheus import Sources, make_registry
from signald.server.listening import accept_connections, bind

__all__ = ["OperationsService"]

READINESS_SECONDS = 5.0
"""Interval at which readiness is checked."""

DRAIN_AFTER_SECONDS = 0.2
"""Delay of a drain after its request on the admin page, so that the response is sent first."""

_log = Logger()


class OperationsService(MultiService):
    """Runs the operator's listener, the watch over the reactor, and the log's settings.

    Attributes:
        log: of the process.
        port: of the operator's listener; None where there is none.

    """

    def __init__(
        self,
        config: Config,
        sources: Sources,
        log: Log,
        reactor: IReactorTime,
        drain: Callable[[], None],
        handed_over: socket.socket | None = None,
    ) -> None:
        """Bind the operator's listener, if there is to be one.

        Arguments:
            config: `operations`, and the log's settings.
            sources: what is shown.
            log: of the process.
            reactor: that all runs on.
            drain: begins to stop the daemon.
            handed_over: the operator's socket, where the service manager has opened it already.

        Raises:
            ConfigError: its address or port cannot be used, or the admin page's token.

        """
        super().__init__()
        self.log = log
        self.port: int | None = None
        self._reactor = reactor
        self._socket: socket.socket | None = None
        self._listening: IListeningPort | None = None
        self._token = AdminToken()
        self._token.configure(config.operations)
        admin = make_admin(
            self._token,
            AdminState(sources, reactor.seconds()),
            sources.readiness,
            # Not at once: the one who asked is to hear that it was heard.
            lambda: reactor.callLater(DRAIN_AFTER_SECONDS, drain),
            reactor,
        )
        is_local = False
        if handed_over is not None:
            self._socket = handed_over
        elif config.operations.port is not None:
            self._socket = bind(config.operations.interface, config.operations.port)
        if self._socket is not None:
            address, self.port = self._socket.getsockname()[:2]
            is_local = ip_address(address.partition("%")[0]).is_loopback
        self._site = make_operations_site(
            make_registry(sources), sources.readiness, [(b"admin", admin)], reactor, is_local
        )
        self._sources = sources
        looks = TimerService(READINESS_SECONDS, self.update_readiness)
        looks.clock = reactor
        looks.setServiceParent(self)
        stalls = StallService(sources.metrics, config.operations.stall_seconds, reactor, reactor.seconds)
        stalls.setServiceParent(self)

    def configure(self, config: Config) -> None:
        """Take what can be changed while running.

        Raises:
            ConfigError: the admin page's token cannot be used; nothing is changed.

        """
        self._token.configure(config.operations)

    def configure_log(self, config: Config) -> None:
        """Take another least level."""
        self.log.configure(config.log)

    def update_readiness(self) -> None:
        """Check whether new clients can be served; the next readiness probe reports it."""
        sources = self._sources
        certificate = sources.certificate
        ended = certificate is not None and certificate.days_left(sources.wall_time()) < 0
        for holds, name, sentence in (
            (ended, "certificate-ended", "The certificate has ended."),
            (sources.is_full(), "full", "There are as many connections as there may be."),
        ):
            if holds:
                sources.readiness.set_problem(name, sentence)
            else:
                sources.readiness.clear_problem(name)

    def startService(self) -> None:
        """Begin to answer the operator."""
        super().startService()
        if self._socket is not None:
            # Accept errors of this port are not counted with those of the public ones.
            self._listening = accept_connections(self._reactor, self._socket, self._site, lambda: None)
            self._socket = None
            _log.info("operations: http on port {port}", event="operations-listening", port=self.port)

    def stopService(self) -> Deferred[list[tuple[bool, object]]]:
        """Answer no more: the daemon stops this last, so that whoever asks sees that it drains."""
        listening, self._listening = self._listening, None
        waits = [super().stopService(), None if listening is None else listening.stopListening()]
        return DeferredList([wait for wait in waits if isinstance(wait, Deferred)])
