"""Creates the daemon from its parts, for `signald` and for `twistd signald`."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import (
    IProtocolFactory,
    IReactorCore,
    IReactorFromThreads,
    IReactorThreads,
    IReactorTime,
)
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from signald import __version__
from signald.auth.authorization import TokenLink, WebhookLink
from signald.auth.directory_access import DirectoryAccess
from signald.auth.host_secret import SECRET_BYTES, load_host_secret
from signald.auth.passwords import PasswordLink, one_thread
from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook
from signald.cli.options import Options, error_text, refuse_start
from signald.config.appearance import read_logo
from signald.config.checks import doubts, locate
from signald.config.settings import Config
from signald.config.sources import Effective
from signald.config.values import ConfigError
from signald.core.budgets import ConnectionBudget
from signald.core.directory import Directory
from signald.core.hub import Hub
from signald.core.ids import IdSource
from signald.core.limits import Limits
from signald.core.registry import MemoryRegistry
from signald.core.rejoin_tickets import TicketSource
from signald.dialects import DIALECTS, matchbox, peerjs
from signald.dialects.dialect import DirectoryDialect
from signald.lifecycle import journal_file, process_file, state_file
from signald.lifecycle.certificate_reports import prepare_certificate
from signald.lifecycle.data_directory import DataDirectory, acquire, adopt
from signald.lifecycle.journal import Journal
from signald.lifecycle.journal_file import JournalFile
from signald.lifecycle.ports import Listener
from signald.lifecycle.reloading import ConfigReloader, Prepare
from signald.lifecycle.service import Daemon, DaemonParts, Draining
from signald.lifecycle.supervision import Supervision, started_with
from signald.monitoring.logs import FLUSH_SECONDS, Log
from signald.monitoring.metrics import Metrics
from signald.monitoring.readiness import Readiness
from signald.net.addresses import machine_names
from signald.net.origins import OriginRule
from signald.net.resolver import install_daemon_thread_resolver
from signald.operations.metric_sources import Sources
from signald.operations.operations_service import OperationsService
from signald.page.assets import load_assets
from signald.page.branding import Branding, brand_page
from signald.page.build_cache import load_build_cache
from signald.page.javascript_client import load_javascript_client
from signald.page.schemas import load_schemas
from signald.server.admission import Admission
from signald.server.direct_reactor import round_caller
from signald.server.directory_switchboard import DirectorySwitchboard
from signald.server.directory_web import DirectoryPaths, PathInUseError, add_directory, add_rooms, rooms_path
from signald.server.directory_websocket import DirectoryPort
from signald.server.factory import DirectoryFactory, SignalingFactory
from signald.server.fairness import FairRounds
from signald.server.ice_configuration import IceConfiguration
from signald.server.intake import Intake
from signald.server.limits_reloader import LimitsReloader, within
from signald.server.listening import BindError, open_sockets, raise_descriptor_limit
from signald.server.machine import memory_bytes
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


def makeService(options: Options, supervision: Supervision | None = None) -> Daemon:
    """Create the service and bind its sockets; Twisted calls this function for `twistd signald`.

    Arguments:
        options: the command line.
        supervision: the sockets and the service manager; None to read them from the environment.

    Raises:
        SystemExit: the service cannot be created; the process prints one sentence and exits with status 78 if a setting
            or a file is to blame, or with status 1 if a port is. A `UsageError` is no alternative, because twistd and
            twist would print its traceback.

    """
    from twisted.internet import reactor

    _use_monotonic_clock(reactor)

    def load() -> Effective:
        return options.effective(os.environ)

    try:
        supervision = supervision or Supervision.of(started_with(), os.getpid())
        effective = load()
    except ConfigError as error:
        refuse_start(error)
    try:
        daemon = make_daemon(effective.config, IReactorTime(reactor), load, supervision)
    except BindError as error:
        sys.exit(error_text(error))
    except (ConfigError, CertificateError) as error:
        refuse_start(ConfigError(locate(str(error), effective.config, effective.where)))
    for doubt in doubts(effective.config, effective.where):
        _log.warn("configuration: {problem}", event="configuration-doubtful", problem=str(doubt))
    _install_hangup_handler(daemon, reactor)
    signal.signal(signal.SIGUSR2, lambda *_: IReactorFromThreads(reactor).callFromThread(daemon.begin_upgrade))
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
    load: Callable[[], Effective] | None = None,
    supervision: Supervision | None = None,
) -> Daemon:
    """Lock the data directory, create the parts of the daemon, connect them, and bind the sockets.

    Arguments:
        config: the configuration.
        reactor: the reactor that runs the daemon.
        load: the function that reads the configuration again for a reload; without it, a reload keeps all settings.
        supervision: the sockets, the notifications and the watchdog of the service manager, if there is one.

    Raises:
        BindError: a socket cannot be bound.
        ConfigError: another daemon uses the data directory, or a setting or a file cannot be used.
        CertificateError: the certificate cannot be used.

    """
    supervision = supervision or Supervision()
    directory = acquire(config.data_dir) if supervision.lock is None else adopt(config.data_dir, supervision.lock)
    if not supervision.is_successor:
        directory.record_process(os.getpid())
    try:
        return _make_daemon(config, reactor, load or (lambda: Effective(config, {})), supervision, directory)
    except BaseException:
        directory.release()
        raise


def _make_daemon(
    config: Config,
    reactor: IReactorTime,
    load: Callable[[], Effective],
    supervision: Supervision,
    directory: DataDirectory,
) -> Daemon:
    """Create the daemon of a data directory that is locked."""
    for name in (state_file.FILE_NAME, journal_file.FILE_NAME, process_file.FILE_NAME):
        directory.check_file(name)
    metrics, readiness = Metrics(), Readiness()
    bounds = _make_bounds(config, reactor, metrics)
    log, certificate = Log(config.log), _certificate(config)
    decisions = _make_decisions(config, reactor, bounds.limits, metrics)
    sites = _make_sites(config, reactor, bounds=bounds, decisions=decisions, metrics=metrics, certificate=certificate)
    listeners = _bind(
        config, reactor, sites=sites, admission=bounds.admission, certificate=certificate, given=supervision
    )
    sources = Sources(
        metrics=metrics,
        hub=decisions.switchboard.hub,
        directory=decisions.directory.directory,
        rooms=decisions.rooms.directory,
        readiness=readiness,
        signaling=[factory.signaling_port for factory in sites.signaling],
        http_connections=lambda: len(sites.page.http_connections),
        certificate=certificate,
        log_lines=log.counts,
        is_full=bounds.admission.is_full,
        tokens=decisions.tokens,
        webhook=decisions.webhook,
        turn=lambda: decisions.ice.counts,
    )
    operations_service = _make_operations_service(config, reactor, sources, log, supervision)
    parts = _reloaded_parts(sites, bounds, decisions, operations_service, certificate)
    return Daemon(
        DaemonParts(
            reactor=reactor,
            listeners=listeners,
            config=config,
            data_directory=directory,
            supervision=supervision,
            draining=sites.draining,
            switchboard=decisions.switchboard,
            journal=_make_journal(config, reactor, decisions.switchboard, readiness, metrics),
            budget=bounds.budget,
            certificate=certificate,
            metrics=metrics,
            readiness=readiness,
            reloader=ConfigReloader(config, load, parts, metrics),
            operations_service=operations_service,
            stop=lambda: stop(reactor),
        )
    )


@frozen
class _Bounds:
    """The limits, and the parts that hold connections to them.

    Attributes:
        most_connections: how many connections the descriptors of the process suffice for.
        memory: the bytes of memory that the process may use.
        limits: the limits of the configuration, as far as the descriptors and the memory allow them.
        budget: admits WebSockets.
        admission: admits transports and requests.
        rounds: shares the time of the reactor among the connections.

    """

    most_connections: int
    memory: int
    limits: Limits
    budget: ConnectionBudget
    admission: Admission
    rounds: FairRounds


def _make_bounds(config: Config, reactor: IReactorTime, metrics: Metrics) -> _Bounds:
    most_connections, memory = raise_descriptor_limit(), memory_bytes()
    limits = within(config.limits, most_connections, memory)
    return _Bounds(
        most_connections,
        memory,
        limits,
        ConnectionBudget(limits),
        Admission(limits, config.trusted_proxies, metrics),
        FairRounds.of(reactor, limits, metrics, round_caller(reactor)),
    )


@frozen
class _Decisions:
    """The parts that decide about requests.

    Attributes:
        host_secret: the secret of the data directory, from which host keys and tickets are derived.
        tokens: verifies tokens.
        webhook: asks the operator's service.
        switchboard: connects WebSockets with users and sessions.
        directory: connects WebSockets with clients of PeerJS.
        rooms: connects WebSockets with clients of matchbox.
        ice: gives each user the ICE servers.

    """

    host_secret: bytes
    tokens: TokenVerifier
    webhook: Webhook
    switchboard: Switchboard
    directory: DirectorySwitchboard
    rooms: DirectorySwitchboard
    ice: IceConfiguration


def _make_decisions(config: Config, reactor: IReactorTime, limits: Limits, metrics: Metrics) -> _Decisions:
    host_secret = _host_secret(config)
    tokens = TokenVerifier(config.tokens)
    webhook = Webhook(
        config.webhook,
        _make_post(reactor),
        reactor,
        time.time,
        lambda: secrets.token_urlsafe(16),
        metrics.observe_webhook,
    )
    intake, numbers = Intake(), count(1)
    directory = DirectorySwitchboard(Directory(limits), reactor, intake, numbers)
    rooms = DirectorySwitchboard(Directory(limits), reactor, intake, numbers)
    switchboard = _make_switchboard(
        reactor,
        limits=limits,
        hold=config.state_seconds,
        host_secret=host_secret,
        tokens=tokens,
        webhook=webhook,
        directory=directory,
        rooms=rooms,
    )
    switchboard.calls.set_level(config.log.level)
    ice = IceConfiguration(switchboard)
    ice.prepare(config.ice)()
    return _Decisions(host_secret, tokens, webhook, switchboard, directory, rooms, ice)


def _make_operations_service(
    config: Config, reactor: IReactorTime, sources: Sources, log: Log, supervision: Supervision
) -> OperationsService:
    """Create the operator's listener, with its socket if the service manager or the predecessor has handed it over."""
    return OperationsService(
        config,
        sources,
        log,
        reactor,
        lambda: stop(reactor),
        next(iter(supervision.handed_over(OPERATIONS)), None),
        can_bind=not supervision.is_successor,
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
    reactor: IReactorTime,
    *,
    limits: Limits,
    hold: float,
    host_secret: bytes,
    tokens: TokenVerifier,
    webhook: Webhook,
    directory: DirectorySwitchboard,
    rooms: DirectorySwitchboard,
) -> Switchboard:
    """Create the hub, the registry and the chain that authorizes operations, and the switchboard that connects them."""
    registry = MemoryRegistry(IdSource(secrets.token_bytes), limits, host_secret, now=reactor.seconds())
    hub = Hub(limits, f"signald/{__version__}", TicketSource(host_secret, time.time), hold)
    run = one_thread(cast(IReactorFromThreads, reactor))
    passwords = PasswordLink(registry, run, hub.guesses.passwords, reactor.seconds, next=registry)
    asking = WebhookLink(webhook, registry, hub.guesses.sessions, reactor.seconds, next=passwords)
    access = TokenLink(tokens, registry, time.time, next=asking)
    return Switchboard(
        hub,
        registry,
        access,
        reactor,
        numbers=directory.numbers,
        intake=directory.intake,
        directory=directory,
        rooms=rooms,
    )


def _make_journal(
    config: Config, reactor: IReactorTime, switchboard: Switchboard, readiness: Readiness, metrics: Metrics
) -> Journal:
    """Create the journal of the data directory, which waits for the disk in a thread of the reactor's pool."""
    threads = cast(IReactorThreads, reactor)

    def run_in_thread(call: Callable[[], None]) -> Deferred[None]:
        return deferToThreadPool(threads, threads.getThreadPool(), call)

    file = JournalFile(config.data_dir)
    return Journal(switchboard, file, reactor, time.time, run_in_thread, readiness, metrics)


@frozen
class _Sites:
    """The factories of the protocols on the public ports.

    Attributes:
        signaling: the factories of WebSockets: of the page's port, of the plain port, and of PeerJS and matchbox where
            they are on.
        page: the site of the page's port, which contains the first factory of `signaling`.

    """

    signaling: tuple[SignalingFactory, ...]
    page: SignalingSite

    @property
    def draining(self) -> tuple[Draining, ...]:
        """The parts whose connections a stop closes."""
        return (*(factory.signaling_port.connections for factory in self.signaling), self.page.http_connections)

    def answer_hosts(self, hosts: frozenset[str] | None) -> None:
        """Answer requests under these host names from now on (`Host.is_among`)."""
        self.page.hosts = hosts
        for factory in self.signaling:
            factory.signaling_port.answer_hosts(hosts)


def _make_sites(
    config: Config,
    reactor: IReactorTime,
    *,
    bounds: _Bounds,
    decisions: _Decisions,
    metrics: Metrics,
    certificate: Certificate | None,
) -> _Sites:
    """Create the factories of the public ports."""
    reflector = RequestReflector(decisions.host_secret, time.time, bounds.rounds.traffic)

    def signaling(origins: OriginRule, *, bare: bool) -> SignalingFactory:
        return SignalingFactory(
            SignalingPort(
                switchboard=decisions.switchboard,
                limits=bounds.limits,
                budget=bounds.budget,
                admission=bounds.admission,
                clock=reactor,
                rounds=bounds.rounds,
                metrics=metrics,
                bare=bare,
                scheme="wss" if config.tls and not bare else "ws",
                reflector=reflector,
                rule=UpgradeRule.of_port(DIALECTS, origins, bare=bare, base=config.path),
            )
        )

    page = signaling(OriginRule.of(tls=config.tls, others=config.allow_origins), bare=False)
    original = signaling(OriginRule.bare(others=config.allow_origins), bare=True)
    cache = load_build_cache()
    site = make_site(
        assets={
            **brand_page(load_assets(build=cache), _branding(config), cache),
            **load_schemas(cache),
            **load_javascript_client(cache),
        },
        signaling=page,
        limits=bounds.limits,
        clock=reactor,
        ca_der=certificate.authority_der if isinstance(certificate, LocalCertificate) else None,
        hsts=isinstance(certificate, SuppliedCertificate),
        base=config.path,
        embed_origins=config.embed_origins,
    )
    if certificate is not None:
        site.has_certificate_for = certificate.covers
    factories: tuple[SignalingFactory, ...] = (page, original)
    if config.peerjs.enabled:
        factories = (*factories, _add_peerjs(config, page.signaling_port, site, decisions))
    if config.matchbox.enabled:
        factories = (*factories, _add_matchbox(config, page.signaling_port, site, decisions))
    sites = _Sites(factories, site)
    sites.answer_hosts(frozenset(config.hosts) or None)
    return sites


def _branding(config: Config) -> Branding:
    """Return what the operator chose of the page.

    Raises:
        ConfigError: the logo cannot be used.

    """
    return Branding(
        embed_origins=tuple(origin.serialized for origin in config.embed_origins),
        title=config.page.title,
        accent=config.page.accent,
        logo=None if config.page.logo is None else read_logo(config.page.logo),
    )


def _add_peerjs(config: Config, page: SignalingPort, site: SignalingSite, decisions: _Decisions) -> DirectoryFactory:
    """Serve clients of PeerJS on the page's port.

    Raises:
        ConfigError: a path of theirs is one of the page.

    """
    settings = config.peerjs
    paths = DirectoryPaths(config.path + settings.path[1:], peerjs.PATH, settings.key, config.path)
    factory = _make_directory_factory(
        config, page, decisions, peerjs.PeerJs, path=paths.websocket, key=settings.key, directory=decisions.directory
    )
    try:
        add_directory(site, factory, paths, lists_ids=settings.list_peers)
    except PathInUseError as error:
        raise ConfigError(
            f"peerjs.path and peerjs.key (--peerjs-path, --peerjs-key): expected free paths, got {error}, which is the "
            "page's."
        ) from None
    return factory


def _add_matchbox(config: Config, page: SignalingPort, site: SignalingSite, decisions: _Decisions) -> DirectoryFactory:
    """Serve clients of matchbox on the page's port.

    Raises:
        ConfigError: their path is one of PeerJS's clients.

    """
    path = rooms_path(config.path, matchbox.PATH)
    factory = _make_directory_factory(
        config, page, decisions, matchbox.Matchbox, path=path, key="", directory=decisions.rooms
    )
    try:
        add_rooms(site, factory, config.path, matchbox.PATH)
    except PathInUseError as error:
        raise ConfigError(
            f"peerjs.path and peerjs.key (--peerjs-path, --peerjs-key): expected free paths, got {error}, which is "
            "that of matchbox.enabled (--matchbox)."
        ) from None
    return factory


def _make_directory_factory(
    config: Config,
    page: SignalingPort,
    decisions: _Decisions,
    dialect: type[DirectoryDialect],
    *,
    path: str,
    key: str,
    directory: DirectorySwitchboard,
) -> DirectoryFactory:
    """Create the factory of the WebSockets of a dialect without sessions, which share the bounds of the page's port."""
    origins = OriginRule.of(tls=config.tls, others=config.allow_origins, every=True)
    port = DirectoryPort(
        switchboard=page.switchboard,
        limits=page.limits,
        budget=page.budget,
        admission=page.admission,
        clock=page.clock,
        rounds=page.rounds,
        metrics=page.metrics,
        scheme=page.scheme,
        reflector=page.reflector,
        rule=UpgradeRule.of([dialect], origins, path),
        directory=directory,
        access=DirectoryAccess(key, decisions.tokens, decisions.switchboard.hub.guesses.tokens, time.time),
        random_bytes=secrets.token_bytes,
    )
    return DirectoryFactory(port)


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
        BindError: a socket cannot be bound.

    """
    page: tuple[str, IProtocolFactory] = ("http", sites.page)
    if certificate is not None:
        page = ("https", TLSFactory(certificate.tls, False, sites.page, reactor))
    served: dict[str, tuple[str, IProtocolFactory]] = {PAGE: page, WS: ("ws", sites.signaling[1])}
    listeners = []
    for name, bound in open_sockets(config, given.sockets, can_bind=not given.is_successor):
        scheme, factory = served[name]
        if config.proxy_protocol:
            factory = ProxyProtocolFactory(factory, admission, reactor)
        listeners.append(Listener(name, bound, factory, scheme, bound.getsockname()[1]))
    return listeners


def _reloaded_parts(
    sites: _Sites,
    bounds: _Bounds,
    decisions: _Decisions,
    operations_service: OperationsService,
    certificate: Certificate | None,
) -> dict[str, Prepare]:
    """Return the functions that prepare a reload, by section, or by name for a setting outside all sections."""
    limits_reloader = LimitsReloader(
        bounds.most_connections,
        bounds.memory,
        decisions.switchboard,
        bounds.budget,
        bounds.admission,
        sites.signaling,
        sites.page,
    )

    def allow_origins(new: Config) -> None:
        for factory in sites.signaling:
            factory.signaling_port.allow_origins(new.allow_origins)

    def answer_hosts(new: Config) -> None:
        sites.answer_hosts(frozenset(new.hosts) or None)

    def configure_log(new: Config) -> None:
        operations_service.configure_log(new)
        decisions.switchboard.calls.set_level(new.log.level)

    parts: dict[str, Prepare] = {
        "hosts": lambda new: partial(answer_hosts, new),
        "allow_origins": lambda new: partial(allow_origins, new),
        "limits": lambda new: partial(limits_reloader.reload, new),
        "log": lambda new: partial(configure_log, new),
        "operations": operations_service.prepare,
        "ice": lambda new: decisions.ice.prepare(new.ice),
        "tokens": lambda new: decisions.tokens.prepare(new.tokens),
        "webhook": lambda new: decisions.webhook.prepare(new.webhook),
    }
    if certificate is not None:
        parts["certificate"] = lambda _: prepare_certificate(certificate)
    return parts


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
