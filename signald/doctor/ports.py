"""Checks whether signald, another program or no process listens on each port of the configuration."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from attrs import frozen

from signald.doctor.findings import Finding, failure, ok, skipped
from signald.doctor.http_exchange import UnreachableError, exchange
from signald.doctor.processes import Process
from signald.doctor.targets import Target
from signald.server.listening import BACKLOG
from signald.server.problems import SERVER

__all__ = ["PortProblem", "check_port", "is_signald", "judge_port", "local_host", "port_problem"]

TOPIC = "ports"


@frozen
class PortProblem:
    """Why a port cannot be bound.

    Attributes:
        number: the error number (errno).

    """

    number: int


def local_host(interface: str | None) -> str:
    """Return the address at which this machine reaches a server on the interface; None means all interfaces."""
    if interface is None or interface == "0.0.0.0":  # noqa: S104 # it is compared with, not bound to
        return "127.0.0.1"
    return "::1" if interface == "::" else interface


def port_problem(interface: str | None, port: int) -> PortProblem | None:
    """Return why the port cannot be bound; None if the port is free."""
    host = interface or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104 # as the daemon binds
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    everywhere = interface is None and family == socket.AF_INET6
    try:
        socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=everywhere).close()
    except OSError as error:
        return PortProblem(error.errno or 0)
    return None


async def is_signald(reactor: Any, target: Target) -> bool:
    """Return whether the server at the target names itself signald in its Server header."""
    request = f"HEAD /ws HTTP/1.1\r\nHost: {target.authority}\r\nConnection: close\r\n\r\n"
    try:
        answer = await exchange(reactor, target, request.encode("ascii"))
    except UnreachableError:
        return False
    return answer.response.headers.get("server") == SERVER


async def check_port(
    reactor: Any,
    setting: str,
    interface: str | None,
    port: int,
    *,
    tls: bool,
    process: Process | None,
    answers: bool = True,
) -> list[Finding]:
    """Check whether signald listens on a port of the configuration, or whether it could bind the port.

    Arguments:
        reactor: the reactor, which opens the TCP connection.
        setting: the name of the port's setting.
        interface: the interface of the port; None for all interfaces.
        port: the port number; 0 for any free port.
        tls: whether the port uses TLS.
        process: the process that listens on the port, if the doctor can see it.
        answers: whether signald responds to this machine; it does not if it expects a PROXY header from it.

    """
    if port == 0:
        return [ok(TOPIC, f"{setting} is 0: any free port is taken.")]
    problem = port_problem(interface, port)
    if problem is not None and problem.number == errno.EADDRINUSE and not answers:
        who = "a program" if process is None else f"{process.name} (process {process.id})"
        return [skipped(TOPIC, f"Port {port} ({setting}) is {who}'s: signald would expect a PROXY header from here.")]
    ours = False
    if problem is not None and problem.number == errno.EADDRINUSE:
        ours = await is_signald(reactor, Target(local_host(interface), port, tls))
    return [judge_port(setting, interface, port, problem, process, ours=ours)]


def judge_port(
    setting: str, interface: str | None, port: int, problem: PortProblem | None, process: Process | None, *, ours: bool
) -> Finding:
    """Return a finding about a port; `ours` is whether signald responds on it."""
    where = f"Port {port}" if interface is None else f"Port {port} of {interface}"
    if problem is None:
        return ok(TOPIC, f"{where} ({setting}) is free: signald does not run.")
    match problem.number:
        case errno.EADDRINUSE if ours:
            return ok(TOPIC, f"signald listens on port {port} ({setting}).")
        case errno.EADDRINUSE:
            who = "another program" if process is None else f"{process.name} (process {process.id})"
            return failure(
                TOPIC,
                f"{where} ({setting}) is taken by {who}, which does not answer as signald does.",
                f"Stop that program (ss -ltnp 'sport = :{port}' shows it), or give signald another {setting}.",
            )
        case errno.EACCES | errno.EPERM:
            return failure(
                TOPIC,
                f"{where} ({setting}) is for privileged processes.",
                "Give signald AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, let systemd hold the "
                "socket, or put a proxy in front and use a port above 1023.",
            )
        case errno.EADDRNOTAVAIL:
            return failure(
                TOPIC,
                f"This machine has no address {interface}, which {setting} is to be on.",
                "Correct interface, or wait until the network is up (After=network-online.target).",
            )
        case number:
            return failure(
                TOPIC,
                f"{where} ({setting}) cannot be used: {os.strerror(number)}.",
                f"Give signald another {setting}, or another interface.",
            )
