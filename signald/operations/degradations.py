"""Finds what keeps the daemon from serving, and what is degraded without that, for the readiness probe."""

from __future__ import annotations

from collections.abc import Mapping

from signald.auth.token_keys import keys_end
from signald.operations.metric_sources import Sources

__all__ = ["PROBLEMS", "WARNINGS", "find_problems", "find_warnings"]

PROBLEMS: Mapping[str, str] = {
    "certificate-ended": "The certificate has ended.",
    "full": "There are as many connections as there may be.",
}
"""The sentences about what keeps new clients from being served, by name."""

WARNINGS: Mapping[str, str] = {
    "certificate-expiring": "The certificate ends soon, and was not renewed in time.",
    "reload-refused": "The last reload was refused or not applied as a whole; the log has the reason (reload-refused).",
    "state-degraded": "Not all users and sessions of the process before could be taken up; the log has the reason.",
    "token-keys-ended": "All keys that verify tokens have ended by what their JWKS says.",
    "webhook-unavailable": "The webhook gave no usable answer to the last question, so that it was refused.",
}
"""The sentences about what is degraded while new clients are served, by name. The journal adds its own."""


def find_problems(sources: Sources) -> set[str]:
    """Return the names of the problems that apply now."""
    certificate = sources.certificate
    found = {
        "certificate-ended": certificate is not None and certificate.expires < sources.wall_time(),
        "full": sources.is_full(),
    }
    return {name for name, applies in found.items() if applies}


def find_warnings(sources: Sources) -> set[str]:
    """Return the names of the warnings that apply now."""
    now, certificate, metrics = sources.wall_time(), sources.certificate, sources.metrics
    end = keys_end(sources.tokens.keys)
    found = {
        "certificate-expiring": certificate is not None and certificate.is_expiring(now),
        "reload-refused": not metrics.reload_succeeded,
        "state-degraded": metrics.state_degraded,
        "token-keys-ended": end is not None and end < now,
        "webhook-unavailable": sources.webhook.is_on and sources.webhook.is_failing,
    }
    return {name for name, applies in found.items() if applies}
