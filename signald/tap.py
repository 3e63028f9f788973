"""The twistd plugin's options and service: the only place that wires the parts together."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IProtocolFactory, IReactorCore, IReactorFromThreads, IReactorTime
from twisted.logger import Logger

from signald import __version__
from signald.auth.authorization import TokenLink, WebhookLink
from signald.auth.host_secret import SECRET_BYTES, load_host_secret
from signald.auth.passwords import PasswordLink, one_thread
from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook
from signald.cli.options import Options
from signald.config.tree import Config
from signald.config.values import ConfigError
from signald.core.budgets import ConnectionBudget
from signald.core.hub import Hub
from signald.core.ids import IdSource
from signald.core.registry import MemoryRegistry
from signald.dialects import DIALECTS
from signald.lifecycle.reloading import Apply, Reloading
from signald.lifecycle.service import Daemon, Listener
from signald.lifecycle.supervision import Supervision, started_with
from signald.monitoring.logs import FLUSH_SECONDS, Log
from signald.monitoring.metrics import Metrics
from signald.monitoring.readiness import Readiness
from signald.net.addresses import machine_names
from signald.net.http_client import make_client
from signald.net.origins import OriginRule
from signald.net.resolver import resolve_aside
from signald.operations.exposition import Sources
from signald.operations.operations_service import OperationsService
from signald.page.assets import load_assets
from signald.page.build_cache import load_build_cache
from signald.page.schemas import load_schemas
from signald.server.admission import Admission
from signald.server.factory import SignalingFactory
from signald.server.ice_configuration import IceConfiguration
from signald.server.limits_reloader import LimitsReloader, within
from signald.server.listening import open_sockets, raise_descriptor_limit
from signald.server.port import SignalingPort
from signald.server.proxy_protocol import ProxyProtocolFactory
from signald.server.reflection import RequestReflector
from signald.server.socket_activation import OPERATIONS, PAGE, WS
from signald.server.switchboard import Switchboard
from signald.server.upgrade_request import UpgradeRule
from signald.server.web import make_site
from signald.tls.certificates import Certificate, CertificateError, LocalCertificate, SuppliedCertificate
from signald.tls.context import TLSFactory

_log = Logger()


def makeService(options: Options) -> Daemon:
    """Make the service, its sockets bound.

    Raises:
        SystemExit: it cannot be; one sentence, status 1. Neither twistd nor twist reports a `UsageError` from here
            without a traceback.

    """
    from twisted.internet import reactor

    _keep_time(reactor)

    def load() -> Config:
        return options.effective(os.environ).config

    try:
        supervision = Supervision.of(started_with(), os.getpid())
        daemon = make_daemon(load(), IReactorTime(reactor), load, supervision)
    except (ConfigError, CertificateError) as error:
        sys.exit(complaint(error))
    _obey_hangups(daemon, reactor)
    hold_signals(reactor)
    resolve_aside(reactor)
    twistd = options.parent
    if twistd is not None and "nodaemon" in twistd:
        try:
            daemon.twistd_log = daemon.operations_service.log.to_twistd_target(twistd)
        except OSError as error:
            sys.exit(complaint(OSError(f"The log cannot be written: {error.strerror}.")))
        # twistd ends by the signal that it got, and nothing that waits for the interpreter's end is called.
        core = IReactorCore(reactor)
        core.addSystemEventTrigger("after", "shutdown", daemon.operations_service.log.flush, FLUSH_SECONDS)
    return daemon


def _obey_hangups(daemon: Daemon, reactor: Any) -> None:
    """Let SIGHUP reload; or stop, where what sent it is that the terminal is gone on which the daemon was started."""
    terminal = os.isatty(0)

    def hung_up(*_: object) -> None:
        reactor.callFromThread(reactor.stop if terminal and not os.isatty(0) else daemon.reload)

    signal.signal(signal.SIGHUP, hung_up)


def hold_signals(reactor: Any) -> None:
    """Let signals that end the process wait until the reactor runs and stops it in an orderly way.

    Before that one would end it at once, when it has perhaps taken up the state of the process before, which nobody
    else could then do: two restarts in quick succession would end every session.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    reactor.callWhenRunning(signal.pthread_sigmask, signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))


def complaint(error: Exception) -> str:
    """What to end with: each line of an error after the program's name."""
    return "\n".join(f"signald: {line}" for line in str(error).splitlines())


def make_daemon(
    config: Config,
    reactor: IReactorTime,
    load: Callable[[], Config] | None = None,
    supervision: Supervision | None = None,
) -> Daemon:
    """Wire the parts together and bind the sockets.

    Arguments:
        config: all settings.
        reactor: that the daemon runs on.
        load: reads the settings anew for a reload; without it they stay.
        supervision: what the service manager gives, if there is one.

    Raises:
        ConfigError: a socket cannot be bound.
        CertificateError: the certificate cannot be used.

    """
    most_connections = raise_descriptor_limit()
    limits = within(config.limits, most_connections)
    metrics, readiness = Metrics(), Readiness()
    certificate = _certificate(config)
    hub = Hub(limits=limits, server=f"signald/{__version__}")
    host_secret = _host_secret(config)
    registry = MemoryRegistry(IdSource(secrets.token_bytes), limits, host_secret, now=reactor.seconds())
    tokens = TokenVerifier(config.tokens)
    webhook = Webhook(config.webhook, make_client(reactor), reactor, time.time, lambda: secrets.token_urlsafe(16))
    passwords = PasswordLink(registry, one_thread(cast(IReactorFromThreads, reactor)), next=registry)
    access = TokenLink(tokens, registry, time.time, next=WebhookLink(webhook, registry, next=passwords))
    switchboard = Switchboard(hub, registry, access, reactor)
    ice = IceConfiguration(switchboard)
    ice.reload(config.ice)
    budget, admission = ConnectionBudget(limits), Admission(limits, config.trusted_proxies, metrics)
    reflector = RequestReflector(host_secret, time.time)

    def signaling(origins: OriginRule, *, bare: bool) -> SignalingFactory:
        return SignalingFactory(
            SignalingPort(
                switchboard=switchboard,
                limits=limits,
                budget=budget,
                admission=admission,
                clock=reactor,
                metrics=metrics,
                bare=bare,
                scheme="wss" if config.tls and not bare else "ws",
                reflector=reflector,
                rule=UpgradeRule.of_port(DIALECTS, origins, bare=bare),
            )
        )

    page = signaling(OriginRule.of(tls=config.tls, others=config.allow_origins), bare=False)
    authority = certificate.authority_der if isinstance(certificate, LocalCertificate) else None
    cache = load_build_cache()
    pages = make_site(
        assets={**load_assets(build=cache), **load_schemas(cache)},
        signaling=page,
        limits=limits,
        clock=reactor,
        ca_der=authority,
        hsts=isinstance(certificate, SuppliedCertificate),
    )
    original = signaling(OriginRule.bare(others=config.allow_origins), bare=True)
    served: dict[str, tuple[str, IProtocolFactory]] = {
        PAGE: ("http", pages) if certificate is None else ("https", TLSFactory(certificate.tls, False, pages, reactor)),
        WS: ("ws", original),
    }
    if config.proxy_protocol:
        served = {
            name: (scheme, ProxyProtocolFactory(factory, admission, reactor))
            for name, (scheme, factory) in served.items()
        }
    supervision = supervision or Supervision()
    listeners = []
    for name, bound in open_sockets(config, supervision.sockets):
        scheme, factory = served[name]
        listeners.append(Listener(bound, factory, scheme, bound.getsockname()[1]))

    def allow(new: Config) -> None:
        for factory in (page, original):
            factory.signaling_port.allow_origins(new.allow_origins)

    log = Log(config.log)
    sources = Sources(
        metrics,
        hub,
        readiness,
        (page.signaling_port, original.signaling_port),
        lambda: len(pages.http_connections),
        certificate,
        log.counts,
        admission.is_full,
    )
    operations = next(iter(supervision.handed_over(OPERATIONS)), None)
    operations_service = OperationsService(config, sources, log, reactor, lambda: stop(reactor), operations)
    limits_reloader = LimitsReloader(most_connections, switchboard, budget, admission, (page, original), pages)
    parts: dict[str, Apply] = {
        "allow_origins": allow,
        "limits": limits_reloader.reload,
        "log": operations_service.configure_log,
        "operations": operations_service.configure,
        "ice": lambda new: ice.reload(new.ice),
        "tokens": lambda new: tokens.configure(new.tokens),
        "webhook": lambda new: webhook.configure(new.webhook),
    }
    reloading = Reloading(config, load or (lambda: config), parts)
    return Daemon(
        reactor,
        listeners,
        config,
        supervision,
        (page.signaling_port.connections, original.signaling_port.connections, pages.http_connections),
        switchboard,
        budget,
        certificate,
        metrics,
        readiness,
        reloading,
        operations_service,
    )


def stop(reactor: IReactorTime) -> None:
    """Stop, unless a signal has meanwhile asked for the same."""
    with suppress(ReactorNotRunning):
        IReactorCore(reactor).stop()


def _keep_time(reactor: Any) -> None:
    """Give the reactor, on which nothing is due yet, a clock that nobody sets: Twisted's own is the wall clock.

    A step back would stop every deadline and every budget until the old time is reached again; a step forward, as that
    of a machine which boots without a clock and then asks the network, would end every session and identity.
    """
    reactor.seconds = time.monotonic


def _host_secret(config: Config) -> bytes:
    """The secret of this data directory; where there is none, one for this process alone."""
    try:
        return load_host_secret(config.data_dir, secrets.token_bytes)
    except OSError as error:
        _log.warn("host keys end with this process: {reason}", event="host-secret-unusable", reason=error.strerror)
        return secrets.token_bytes(SECRET_BYTES)


def _certificate(config: Config) -> Certificate | None:
    if not config.tls:
        return None
    if config.certificate is not None and config.key is not None:
        return SuppliedCertificate(config.certificate, config.key, time.time())
    return LocalCertificate(config.data_dir, machine_names(), time.time())
