"""Asks the running daemon at its operations listener what it says is degraded."""

from __future__ import annotations

import json
from typing import Any

from signald.doctor.findings import Finding, failure, ok, warning
from signald.doctor.http_exchange import UnreachableError, exchange
from signald.doctor.responses import Response
from signald.doctor.targets import Target

__all__ = ["TOPIC", "check_readiness", "judge_readiness"]

TOPIC = "readiness"

_RUNBOOK = "docs/runbook.md says what it means and what to do."


async def check_readiness(reactor: Any, host: str, port: int) -> list[Finding]:
    """Ask for `/readyz`, and return a finding about each line; none if no daemon of signald answers there.

    Arguments:
        reactor: the reactor, which opens the TCP connection.
        host: the address of the operations listener.
        port: its port.

    """
    target = Target(host, port, tls=False)
    lines = ["GET /readyz HTTP/1.1", f"Host: {target.authority}", "Connection: close", "", ""]
    try:
        answer = await exchange(reactor, target, "\r\n".join(lines).encode("ascii"))
    except UnreachableError:
        # The check of the ports says whether something else listens there.
        return []
    return judge_readiness(answer.response)


def judge_readiness(response: Response) -> list[Finding]:
    """Return findings about the warnings or the problems that a response of the readiness probe lists."""
    if response.status == 200:
        first, *lines = response.body.decode("utf-8", "replace").splitlines() or [""]
        if first != "ok":
            return []
        warnings = [warning(TOPIC, f"The running signald says: {line}", _RUNBOOK) for line in lines]
        return warnings or [ok(TOPIC, "The running signald says that nothing is degraded.")]
    if response.code is None:
        return []
    reasons = json.loads(response.body).get("reasons")
    found = [
        failure(TOPIC, f"The running signald says: {one.get('name')}: {one.get('detail')}", _RUNBOOK)
        for one in (reasons if isinstance(reasons, list) else [])
        if isinstance(one, dict)
    ]
    return found or [failure(TOPIC, f"The running signald is not ready: {response.code}.", _RUNBOOK)]
