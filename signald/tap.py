"""Creates the daemon from its parts, for `signald` and for `twistd signald`."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IProtocolFactory, IReactorCore, IReactorFromThreads, IReactorTime
from twisted.logger import Logger

from signald import __version__
from signald.auth.authorization import TokenLink, WebhookLink
from signald.auth.host_secret import SECRET_BYTES, load_host_secret
from signald.auth.passwords import PasswordLink, one_thread
from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook
from signald.cli.options import Options, error_text
from signald.config.settings import Config
from signald.config.values import ConfigError
from signald.core.budgets import ConnectionBudget
from signald.core.hub import Hub
from signald.core.ids import IdSource
from signald.core.limits import Limits
from signald.core.registry import MemoryRegistry
from signald.dialects import DIALECTS
from signald.lifecycle.reloading import Apply, ConfigReloader
from signald.lifecycle.service import Daemon, DaemonParts, Listener
from signald.lifecycle.supervision import Supervision, started_with
from signald.monitoring.logs import FLUSH_SECONDS, Log
from signald.monitoring.metrics import Metrics
from signald.monitoring.readiness import Readiness
from signald.net.addresses import machine_names
from signald.net.origins import OriginRule
from signald.net.resolver import install_daemon_thread_resolver
from signald.operations.operations_service import OperationsService
from signald.operations.prometheus import Sources
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
from signald.server.site import SignalingSite
from signald.server.socket_activation import OPERATIONS, PAGE, WS
from signald.server.switchboard import Switchboard
from signald.server.upgrade_request import UpgradeRule
from signald.server.web import make_site
from signald.tls.certificates import Certificate, CertificateError, LocalCertificate, SuppliedCertificate
from signald.tls.context import TLSFactory

if TYPE_CHECKING:
    from treq.client import HTTPClient

_log = Logger()


def makeService(options: Options) -> Daemon:
    """Create the service and bind its sockets; Twisted calls this function for `twistd signald`.

    Raises:
        SystemExit: the service cannot be created; the process prints one sentence and exits with status 1. A
            `UsageError` is no alternative, because twistd and twist would print its traceback.

    """
    from twisted.internet import reactor

    _use_monotonic_clock(reactor)

    def load() -> Config:
        return options.effective(os.environ).config

    try:
        supervision = Supervision.of(started_with(), os.getpid())
        daemon = make_daemon(load(), IReactorTime(reactor), load, supervision)
    except (ConfigError, CertificateError) as error:
        sys.exit(error_text(error))
    _install_hangup_handler(daemon, reactor)
    hold_signals(reactor)
    install_daemon_thread_resolver(reactor)
    twistd = options.parent
    if twistd is not None and "nodaemon" in twistd:
        _take_over_twistd_log(daemon, twistd, IReactorCore(reactor))
    return daemon


def _take_over_twistd_log(daemon: Daemon, twistd: Any, reactor: IReactorCore) -> None:
    log = daemon.operations_service.log
    try:
        daemon.twistd_log = log.to_twistd_target(twistd)
    except OSError as error:
        sys.exit(error_text(OSError(f"The log cannot be written: {error.strerror}.")))
    # twistd ends itself with the signal that it received, so that functions registered with atexit are not called.
    reactor.addSystemEventTrigger("after", "shutdown", log.flush, FLUSH_SECONDS)


def _install_hangup_handler(daemon: Daemon, reactor: Any) -> None:
    """Handle SIGHUP: reload the configuration, or stop the daemon if its terminal was closed."""
    terminal = os.isatty(0)

    def hung_up(*_: object) -> None:
        reactor.callFromThread(reactor.stop if terminal and not os.isatty(0) else daemon.reload)

    signal.signal(signal.SIGHUP, hung_up)


def hold_signals(reactor: Any) -> None:
    """Block SIGINT and SIGTERM until the reactor runs and can stop in an orderly way.

    An earlier signal would end the process at once. If the process had already restored the state of the previous
    process, that state would be lost: two restarts in quick succession would end every session.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    reactor.callWhenRunning(signal.pthread_sigmask, signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))


def make_daemon(
    config: Config,
    reactor: IReactorTime,
    load: Callable[[], Config] | None = None,
    supervision: Supervision | None = None,
) -> Daemon:
    """Create the parts of the daemon, connect them, and bind the sockets.

    Arguments:
        config: the configuration.
        reactor: the reactor that runs the daemon.
        load: the function that reads the configuration again for a reload; without it, a reload keeps all settings.
        supervision: the sockets, the notifications and the watchdog of the service manager, if there is one.

    Raises:
        ConfigError: a socket cannot be bound.
        CertificateError: the certificate cannot be used.

    """
    supervision = supervision or Supervision()
    most_connections = raise_descriptor_limit()
    limits = within(config.limits, most_connections)
    metrics, readiness, log = Metrics(), Readiness(), Log(config.log)
    certificate, host_secret = _certificate(config), _host_secret(config)
    tokens = TokenVerifier(config.tokens)
    webhook = Webhook(config.webhook, _make_post(reactor), reactor, time.time, lambda: secrets.token_urlsafe(16))
    switchboard = _make_switchboard(reactor, limits=limits, host_secret=host_secret, tokens=tokens, webhook=webhook)
    ice = IceConfiguration(switchboard)
    ice.reload(config.ice)
    budget, admission = ConnectionBudget(limits), Admission(limits, config.trusted_proxies, metrics)
    sites = _make_sites(
        config,
        reactor,
        limits=limits,
        switchboard=switchboard,
        budget=budget,
        admission=admission,
        reflector=RequestReflector(host_secret, time.time),
        metrics=metrics,
        certificate=certificate,
    )
    listeners = _bind(config, reactor, sites=sites, admission=admission, certificate=certificate, given=supervision)
    sources = Sources(
        metrics,
        switchboard.hub,
        readiness,
        [factory.signaling_port for factory in sites.signaling],
        lambda: len(sites.page.http_connections),
        certificate,
        log.counts,
        admission.is_full,
    )
    operations = next(iter(supervision.handed_over(OPERATIONS)), None)
    operations_service = OperationsService(config, sources, log, reactor, lambda: stop(reactor), operations)
    limits_reloader = LimitsReloader(most_connections, switchboard, budget, admission, sites.signaling, sites.page)
    appliers = _appliers(sites, ice, tokens, webhook, operations_service, limits_reloader)
    return Daemon(
        DaemonParts(
            reactor=reactor,
            listeners=listeners,
            config=config,
            supervision=supervision,
            draining=(
                *(factory.signaling_port.connections for factory in sites.signaling),
                sites.page.http_connections,
            ),
            switchboard=switchboard,
            budget=budget,
            certificate=certificate,
            metrics=metrics,
            readiness=readiness,
            reloader=ConfigReloader(config, load or (lambda: config), appliers),
            operations_service=operations_service,
        )
    )


def _make_post(reactor: IReactorTime) -> Callable[[str, Mapping[str, str], bytes], Deferred[bytes]]:
    """Return the function that sends the webhook's requests.

    Its first call imports treq and Twisted's HTTP client, which would be an eighth of every start's processor time.
    """

    @cache
    def client() -> HTTPClient:
        from signald.net.http_client import make_client

        return make_client(reactor)

    def send(url: str, headers: Mapping[str, str], body: bytes) -> Deferred[bytes]:
        from signald.net.http_client import post

        return post(client(), url, headers, body)

    return send


def _make_switchboard(
    reactor: IReactorTime, *, limits: Limits, host_secret: bytes, tokens: TokenVerifier, webhook: Webhook
) -> Switchboard:
    """Create the hub, the registry and the chain that authorizes operations, and the switchboard that connects them."""
    registry = MemoryRegistry(IdSource(secrets.token_bytes), limits, host_secret, now=reactor.seconds())
    passwords = PasswordLink(registry, one_thread(cast(IReactorFromThreads, reactor)), next=registry)
    access = TokenLink(tokens, registry, time.time, next=WebhookLink(webhook, registry, next=passwords))
    hub = Hub(limits=limits, server=f"signald/{__version__}")
    return Switchboard(hub, registry, access, reactor)


@frozen
class _Sites:
    """The factories of the protocols on the public ports.

    Attributes:
        signaling: the factories of WebSockets, first that of the page's port, then that of the plain port.
        page: the site of the page's port, which contains the first factory of `signaling`.

    """

    signaling: tuple[SignalingFactory, SignalingFactory]
    page: SignalingSite


def _make_sites(
    config: Config,
    reactor: IReactorTime,
    *,
    limits: Limits,
    switchboard: Switchboard,
    budget: ConnectionBudget,
    admission: Admission,
    reflector: RequestReflector,
    metrics: Metrics,
    certificate: Certificate | None,
) -> _Sites:
    """Create the factories of the public ports."""

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
    original = signaling(OriginRule.bare(others=config.allow_origins), bare=True)
    cache = load_build_cache()
    site = make_site(
        assets={**load_assets(build=cache), **load_schemas(cache)},
        signaling=page,
        limits=limits,
        clock=reactor,
        ca_der=certificate.authority_der if isinstance(certificate, LocalCertificate) else None,
        hsts=isinstance(certificate, SuppliedCertificate),
    )
    return _Sites((page, original), site)


def _bind(
    config: Config,
    reactor: IReactorTime,
    *,
    sites: _Sites,
    admission: Admission,
    certificate: Certificate | None,
    given: Supervision,
) -> list[Listener]:
    """Bind the public ports, or adopt the service manager's sockets, and return the listeners, the page's first.

    Raises:
        ConfigError: a socket cannot be bound.

    """
    page: tuple[str, IProtocolFactory] = ("http", sites.page)
    if certificate is not None:
        page = ("https", TLSFactory(certificate.tls, False, sites.page, reactor))
    served: dict[str, tuple[str, IProtocolFactory]] = {PAGE: page, WS: ("ws", sites.signaling[1])}
    listeners = []
    for name, bound in open_sockets(config, given.sockets):
        scheme, factory = served[name]
        if config.proxy_protocol:
            factory = ProxyProtocolFactory(factory, admission, reactor)
        listeners.append(Listener(bound, factory, scheme, bound.getsockname()[1]))
    return listeners


def _appliers(
    sites: _Sites,
    ice: IceConfiguration,
    tokens: TokenVerifier,
    webhook: Webhook,
    operations_service: OperationsService,
    limits_reloader: LimitsReloader,
) -> dict[str, Apply]:
    """Return the functions that apply reloaded settings, by section, or by name for a setting outside all sections."""

    def allow_origins(new: Config) -> None:
        for factory in sites.signaling:
            factory.signaling_port.allow_origins(new.allow_origins)

    return {
        "allow_origins": allow_origins,
        "limits": limits_reloader.reload,
        "log": operations_service.configure_log,
        "operations": operations_service.configure,
        "ice": lambda new: ice.reload(new.ice),
        "tokens": lambda new: tokens.configure(new.tokens),
        "webhook": lambda new: webhook.configure(new.webhook),
    }


def stop(reactor: IReactorTime) -> None:
    """Stop the reactor, unless a signal has already stopped it."""
    with suppress(ReactorNotRunning):
        IReactorCore(reactor).stop()


def _use_monotonic_clock(reactor: Any) -> None:
    """Make the reactor use the monotonic clock instead of the wall clock, before any call is scheduled.

    If the wall clock were set back, every deadline and every budget would stop until the old time is reached again. If
    it were set forward, as on a machine without a hardware clock that sets the time from the network after it has
    booted, every session and identity would end.
    """
    reactor.seconds = time.monotonic


def _host_secret(config: Config) -> bytes:
    """Return the secret of the data directory; if it cannot be read or stored, return one for this process only."""
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
