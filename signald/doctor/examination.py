"""Runs all checks of the doctor concurrently, each with a timeout, and reports their findings in a fixed order."""

from __future__ import annotations

import resource
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from OpenSSL import crypto
from twisted.internet.defer import Deferred, TimeoutError, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.config.checks import Doubt
from signald.config.settings import Config
from signald.config.values import ConfigError
from signald.doctor.chain import trusted_store
from signald.doctor.clock import judge_clock, kernel_synchronised
from signald.doctor.descriptors import judge_descriptors
from signald.doctor.files import check_data_directory, check_secret_files, secret_files
from signald.doctor.findings import Finding, failure, skipped, warning
from signald.doctor.ice_servers import given_targets, minted_targets
from signald.doctor.key_ages import check_token_keys
from signald.doctor.own_certificate import check_certificate_files
from signald.doctor.own_readiness import check_readiness
from signald.doctor.ports import check_port, local_host, port_problem
from signald.doctor.processes import Process, listening_process
from signald.doctor.public import Visit, check_idle, check_public
from signald.doctor.relays import check_ice
from signald.doctor.targets import PublicUrl, Target
from signald.doctor.webhook_question import check_webhook_answer
from signald.net.proxies import is_trusted

__all__ = ["DoctorTarget", "examine"]

_UNKNOWN_LISTENER = (
    "What the running signald says: operations.port is not set; "
    "where systemd opens the socket, name its port there (9001)."
)

_log = Logger()

Check = Coroutine[Any, Any, list[Finding]]


@frozen
class DoctorTarget:
    """The installation that the doctor examines.

    Attributes:
        config: the configuration.
        file: the configuration file, if there is one.
        url: the page's public address, if the operator named it.
        store: the trusted authorities.
        now: the wall time in seconds since the epoch.
        slow: whether to test how long an idle WebSocket stays open.
        seconds: the timeout of every check except the one of the idle WebSocket, which takes longer.
        doubts: what is doubtful about the configuration.

    """

    config: Config
    file: Path | None
    url: PublicUrl | None
    store: crypto.X509Store
    now: float
    slow: bool = False
    seconds: float = 30.0
    doubts: tuple[Doubt, ...] = ()


async def examine(target: DoctorTarget, reactor: Any, in_thread: Callable[..., Deferred[Any]]) -> list[Finding]:
    """Run all checks and return their findings in the order of the checks, regardless of how long each check took."""
    process = listening_process(target.config.port) if target.config.port else None
    running = [
        Deferred.fromCoroutine(check).addTimeout(seconds, reactor).addErrback(_judge_failure, topic)
        for topic, seconds, check in _checks(target, reactor, in_thread, process)
    ]
    return [finding for findings in await gatherResults(running) for finding in findings]


def _checks(
    target: DoctorTarget, reactor: Any, in_thread: Callable[..., Deferred[Any]], process: Process | None
) -> Iterator[tuple[str, float, Check]]:
    """Yield every check with its topic and its timeout, in the order of the report."""
    config, seconds = target.config, target.seconds
    yield "configuration", seconds, _without_check(*_judge_configuration(target.doubts))
    yield "files", seconds, _check_files(target, process)
    yield "descriptors", seconds, _check_descriptors(config, process)
    for setting, interface, port, tls in _ports(config):
        held = process if port == config.port else listening_process(port)
        answers = setting != "port" or not _expects_header(config)
        yield (
            "ports",
            seconds,
            check_port(reactor, setting, interface, port, tls=tls, process=held, answers=answers),
        )
    if config.operations.port:
        host = local_host(config.operations.interface)
        yield "readiness", seconds, check_readiness(reactor, host, config.operations.port)
    else:
        yield "readiness", seconds, _without_check(skipped("readiness", _UNKNOWN_LISTENER))
    yield "clock", seconds, _check_clock()
    yield "certificate", seconds, _check_certificate(target)
    visit = _visit(target)
    if visit is None:
        yield (
            "public",
            seconds,
            _without_check(skipped("public", "The page: no --url was given, and nothing answers here.")),
        )
    else:
        yield "public", seconds, check_public(reactor, visit)
        if target.slow:
            limits = config.limits
            yield "proxy", seconds + 2 * limits.ping_seconds + limits.pong_seconds, check_idle(reactor, visit)
        elif visit.is_public:
            yield "proxy", seconds, _without_check(skipped("proxy", "Its idle timeout: --slow measures it."))
    yield "tokens", seconds, _without_check(*check_token_keys(config.tokens, target.now))
    if config.webhook.url is not None:
        # signald itself trusts the system's authorities alone, whatever --ca says.
        yield "webhook", seconds, check_webhook_answer(reactor, config.webhook, trusted_store([]), target.now)
    for server in given_targets(config.ice):
        yield "ice", seconds, check_ice(reactor, server, target.store, target.now, in_thread, minted=False)
    try:
        minted = minted_targets(config.ice, target.now)
    except ConfigError as error:
        yield (
            "ice",
            seconds,
            _without_check(failure("ice", str(error), "signald does not start with it: correct the file.")),
        )
        return
    for server in minted:
        yield "ice", seconds, check_ice(reactor, server, target.store, target.now, in_thread, minted=True)


def _judge_configuration(doubts: Sequence[Doubt]) -> list[Finding]:
    """Return a finding about each doubtful setting; the check of files judges the data directory."""
    return [
        warning("configuration", f"{doubt.where}: {doubt.text}", doubt.remedy)
        for doubt in doubts
        if doubt.path != ("data_dir",)
    ]


def _ports(config: Config) -> Iterator[tuple[str, str | None, int, bool]]:
    """Yield the setting, the interface and the number of each configured port, and whether the port uses TLS."""
    yield "port", config.interface, config.port, config.tls
    if config.ws_port is not None:
        yield "ws_port", config.interface, config.ws_port, False
    if config.operations.port is not None:
        yield "operations.port", config.operations.interface, config.operations.port, False


def _visit(target: DoctorTarget) -> Visit | None:
    """Return where to look for the page: at its public address, or else at this machine's port if a process listens.

    The result is None if neither exists, or if signald would expect a PROXY header from this machine.
    """
    config = target.config
    if target.url is not None:
        return Visit(target.url, True, config, target.store, target.now)
    if not config.port or _expects_header(config) or port_problem(config.interface, config.port) is None:
        return None
    host = "localhost" if config.interface is None else local_host(config.interface)
    return Visit(PublicUrl(Target(host, config.port, config.tls), config.path), False, config, target.store, target.now)


def _expects_header(config: Config) -> bool:
    """Return whether signald treats this machine as a trusted proxy, and so expects a PROXY header from it."""
    return config.proxy_protocol and is_trusted(local_host(config.interface), config.trusted_proxies)


async def _check_files(target: DoctorTarget, process: Process | None) -> list[Finding]:
    config = target.config
    holds_secrets = any(server.credential is not None for server in config.ice.servers)
    return [
        *check_data_directory(config.data_dir, None if process is None else process.owner),
        *check_secret_files(secret_files(config), target.file if holds_secrets else None),
    ]


async def _check_descriptors(config: Config, process: Process | None) -> list[Finding]:
    if process is not None:
        return [judge_descriptors(process.open_files, config.limits.connections, f"signald (process {process.id})")]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    whose = "A process started from here"
    return [judge_descriptors(None if hard == resource.RLIM_INFINITY else hard, config.limits.connections, whose)]


async def _check_clock() -> list[Finding]:
    return [judge_clock(kernel_synchronised())]


async def _check_certificate(target: DoctorTarget) -> list[Finding]:
    host = None if target.url is None else target.url.target.host
    return check_certificate_files(target.config, host, target.store, target.now)


async def _without_check(*findings: Finding) -> list[Finding]:
    """Return findings that need no check."""
    return list(findings)


def _judge_failure(reason: Failure, topic: str) -> list[Finding]:
    """Turn the timeout or the exception of one check into a finding, so that the other checks are still reported."""
    if reason.check(TimeoutError):
        return [failure(topic, "The check did not end in time.", "Run the doctor again, with a higher --seconds.")]
    _log.failure("A check of the doctor's ended with an error.", failure=reason)
    return [
        failure(topic, "The check ended with an error of the doctor's own.", "Please report it, with what is above.")
    ]
