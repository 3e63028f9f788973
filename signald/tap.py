"""The twistd plugin's options and service: the only place that wires the parts together."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

from attrs import evolve, fields
from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python import usage

from signald import __version__
from signald.addresses import machine_names
from signald.arrivals import Arrivals
from signald.assets import load_assets
from signald.certificates import Certificate, CertificateError, LocalCertificate, SuppliedCertificate
from signald.config import (
    DEFAULT_PORT,
    Config,
    Ice,
    default_data_dir,
)
from signald.dialects import DIALECTS
from signald.host_secret import SECRET_BYTES, load_host_secret
from signald.hub import Hub
from signald.ids import IdSource
from signald.limits import ConnectionBudget, Limits, limits_from
from signald.listening import bind_all, raise_descriptor_limit
from signald.metrics import Metrics
from signald.origins import OriginRule
from signald.passwords import Passwords
from signald.readiness import Readiness
from signald.registry import MemoryRegistry
from signald.schemas import load_schemas
from signald.service import Daemon, Listener
from signald.switchboard import Switchboard
from signald.tls import TLSFactory
from signald.values import (
    ConfigError,
    read_ice_server,
    read_interface,
    read_network,
    read_origin,
    read_path,
    read_port,
)
from signald.web import make_site
from signald.websocket import SignalingFactory

_Read = TypeVar("_Read")

_log = Logger()


class Options(usage.Options):
    """The command line."""

    longdesc: ClassVar[str] = "A WebRTC signaling daemon: it serves a private call page and the signaling under it."

    optParameters: ClassVar[list[list[object]]] = [
        ["port", "p", str(DEFAULT_PORT), "TCP port of the page and the signaling socket, 0 for any free one"],
        ["interface", "i", None, "IP address to listen on [default: every address of this machine]"],
        ["ws-port", None, None, "TCP port of a plain WebSocket for the original's clients [default: off]"],
        ["cert", None, None, "PEM file of a certificate and its chain [default: one of a local authority]"],
        ["key", None, None, "PEM file of its key [default: one of a local authority]"],
        ["data-dir", "d", None, "folder of the local authority [default: ~/.local/share/signald]"],
    ]
    optFlags: ClassVar[list[list[object]]] = [
        ["no-tls", None, "speak plain HTTP and WebSocket, for use behind a proxy [default: TLS]"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["allow-origin"] = []
        self["trusted-proxy"] = []
        self["ice-server"] = []
        self["limit"] = []

    def opt_allow_origin(self, origin: str) -> None:
        """Let pages of this other site connect, as https://HOST:PORT; repeatable [default: none]."""
        self["allow-origin"].append(_checked(read_origin, origin))

    def opt_trusted_proxy(self, network: str) -> None:
        """Believe X-Forwarded-For from this network; repeatable [default: none]."""
        self["trusted-proxy"].append(_checked(read_network, network))

    def opt_ice_server(self, server: str) -> None:
        """Tell clients of this STUN or TURN server, URL[,user,secret]; repeatable [default: none]."""
        self["ice-server"].append(_checked(read_ice_server, server))

    def opt_limit(self, setting: str) -> None:
        """Set a limit, NAME=VALUE; repeatable. The names are below."""
        name, equals, value = setting.partition("=")
        if not equals:
            raise usage.UsageError(f"A limit is set with NAME=VALUE, not {setting}.")
        self["limit"].append((name, value))

    def opt_version(self) -> NoReturn:
        """Show the version and exit."""
        print(f"signald {__version__}")  # noqa: T201 # what was asked for
        sys.exit(0)

    def getUsage(self, width: int | None = None) -> str:  # Twisted's name
        """The help, with the limits below it."""
        lines = [
            f"  {limit.name.replace('_', '-')}={limit.default:g}  {limit.metadata['unit']}: {limit.metadata['meaning']}"
            for limit in fields(Limits)
        ]
        limits = "\n".join(lines)
        return f"{super().getUsage(width)}\nLimits and their defaults:\n{limits}\n"

    def config(self, environment: Mapping[str, str]) -> Config:
        """The configuration that these options say.

        Raises:
            ConfigError: a value cannot be used.

        """
        try:
            limits = limits_from(self["limit"])
        except ValueError as error:
            # Not capitalize(), which would change what it quotes.
            sentence = str(error)
            raise ConfigError(f"{sentence[0].upper()}{sentence[1:]}.") from None
        return Config(
            data_dir=_path(self["data-dir"]) or default_data_dir(environment),
            port=read_port(self["port"]),
            interface=None if self["interface"] is None else read_interface(self["interface"]),
            ws_port=None if self["ws-port"] is None else read_port(self["ws-port"]),
            tls=not self["no-tls"],
            certificate=_path(self["cert"]),
            key=_path(self["key"]),
            allow_origins=tuple(self["allow-origin"]),
            trusted_proxies=tuple(self["trusted-proxy"]),
            ice=Ice(servers=tuple(self["ice-server"])),
            limits=limits,
        )


def makeService(options: Options) -> Daemon:
    """Make the service, its sockets bound.

    Raises:
        SystemExit: it cannot be; one sentence, status 1. Neither twistd nor twist reports a `UsageError` from here
            without a traceback.

    """
    from twisted.internet import reactor

    _keep_time(reactor)
    try:
        return make_daemon(options.config(os.environ), IReactorTime(reactor))
    except (ConfigError, CertificateError) as error:
        sys.exit(f"signald: {error}")


def make_daemon(config: Config, reactor: IReactorTime) -> Daemon:
    """Wire the parts together and bind the sockets.

    Raises:
        ConfigError: a socket cannot be bound.
        CertificateError: the certificate cannot be used.

    """
    limits = evolve(config.limits, connections=min(config.limits.connections, raise_descriptor_limit()))
    metrics, readiness = Metrics(), Readiness()
    certificate = _certificate(config)
    hub = Hub(limits=limits, server=f"signald/{__version__}", ice_servers=config.ice.servers)
    registry = MemoryRegistry(IdSource(secrets.token_bytes), limits, _host_secret(config), now=reactor.seconds())
    passwords = Passwords(limits, registry, deferToThread)
    switchboard = Switchboard(hub, registry, passwords, reactor)
    budget, arrivals = ConnectionBudget(limits), Arrivals(limits, config.trusted_proxies)

    def signaling(origins: OriginRule, *, bare: bool) -> SignalingFactory:
        return SignalingFactory(switchboard, DIALECTS, limits, budget, arrivals, reactor, origins, bare=bare)

    page = signaling(OriginRule.of(tls=config.tls, others=config.allow_origins), bare=False)
    authority = certificate.authority_der if isinstance(certificate, LocalCertificate) else None
    site: IProtocolFactory = make_site(
        assets={**load_assets(), **load_schemas()},
        signaling=page,
        limits=limits,
        clock=reactor,
        ca_der=authority,
        hsts=isinstance(certificate, SuppliedCertificate),
    )
    if certificate is not None:
        site = TLSFactory(certificate.tls, False, site, clock=reactor)
    original = signaling(OriginRule.bare(others=config.allow_origins), bare=True)
    ports = [config.port] if config.ws_port is None else [config.port, config.ws_port]
    served: list[tuple[str, IProtocolFactory]] = [("https" if config.tls else "http", site), ("ws", original)]
    listeners = [
        Listener(socket, factory, scheme, socket.getsockname()[1])
        for socket, (scheme, factory) in zip(bind_all(config.interface, ports), served, strict=False)
    ]
    return Daemon(
        reactor, listeners, config.interface, (page, original), switchboard, budget, certificate, metrics, readiness
    )


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
        _log.warn("host keys end with this process: {reason}", reason=error.strerror)
        return secrets.token_bytes(SECRET_BYTES)


def _certificate(config: Config) -> Certificate | None:
    if not config.tls:
        return None
    if config.certificate is not None and config.key is not None:
        return SuppliedCertificate(config.certificate, config.key, time.time())
    return LocalCertificate(config.data_dir, machine_names(), time.time())


def _checked(read: Callable[[str], _Read], text: str) -> _Read:
    """Read an option's value while the command line is parsed, where its error is a `UsageError`."""
    try:
        return read(text)
    except ConfigError as error:
        raise usage.UsageError(str(error)) from None


def _path(text: str | None) -> Path | None:
    return None if text is None else read_path(text)
