"""Collects the data of the admin page: counts, totals and sessions by their references, without names or addresses."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest

from attrs import frozen

from signald import __version__
from signald.core.sessions import Session, SessionState
from signald.core.users import UserState
from signald.operations.metric_sources import Sources
from signald.tls.certificates import DAY

__all__ = ["MOST_SESSIONS", "SHOWN_SYMBOLS", "AdminState"]

MOST_SESSIONS = 100
"""The maximum number of sessions that are shown: the most recently active ones."""

SHOWN_SYMBOLS = 4
"""The shown characters of a session's ID: enough to distinguish sessions, and too few to guess the rest."""


@frozen
class AdminState:
    """Reads the state of the daemon.

    Attributes:
        sources: the parts of the daemon that the numbers are read from.
        started: the start time of the process in monotonic seconds.

    """

    sources: Sources
    started: float

    def at(self, now: float) -> dict[str, object]:
        """Return the state at the monotonic time `now`, as an object for JSON."""
        sources, hub = self.sources, self.sources.hub
        metrics, readiness, certificate = sources.metrics, sources.readiness, sources.certificate
        shown = nlargest(MOST_SESSIONS, hub.sessions.values(), key=lambda session: self._active(session))
        return {
            "version": __version__,
            "uptime": round(now - self.started),
            "ready": readiness.ready,
            "draining": readiness.draining,
            "reasons": [
                {"name": name, "detail": detail} for name, detail in {**readiness.reasons, **readiness.warnings}.items()
            ],
            "certificateDays": None
            if certificate is None
            else round((certificate.expires - sources.wall_time()) / DAY, 1),
            "counts": self._counts(),
            "totals": self._totals(),
            "limits": {name: count for name, count in (metrics.limits | hub.evictions).items() if count},
            "errors": {code.value: count for code, count in metrics.errors.items() if count},
            "sessions": list(self._sessions(shown, now)),
            "moreSessions": len(hub.sessions) - len(shown),
        }

    def _counts(self) -> dict[str, int]:
        """Return what there is at this time."""
        hub, metrics = self.sources.hub, self.sources.metrics
        away = sum(user.state is UserState.AWAY for user in hub.users.values())
        kept = sum(session.state is SessionState.KEPT for session in hub.sessions.values())
        return {
            "websockets": sum(metrics.opened.values()) - sum(metrics.closed.values()),
            "http": self.sources.http_connections(),
            "present": len(hub.users) - away,
            "away": away,
            "open": len(hub.sessions) - kept,
            "kept": kept,
            "members": sum(len(session.members) for session in hub.sessions.values()),
            "waiting": sum(len(session.visitors) for session in hub.sessions.values()),
            "outboxBytes": hub.mailboxes.quota.used,
            "decisions": len(hub.decisions.by_id),
        }

    def _totals(self) -> dict[str, float]:
        """Return what has been counted since the start of the process; times are in seconds."""
        metrics = self.sources.metrics
        return {
            "received": sum(metrics.received.values()) + sum(metrics.malformed.values()),
            "sent": sum(metrics.sent.values()),
            "bytesIn": metrics.bytes_in,
            "bytesOut": metrics.bytes_out,
            "errors": sum(metrics.errors.values()),
            "opened": sum(metrics.opened.values()),
            "forwarded": sum(metrics.forward.counts),
            "forwardSeconds": metrics.forward.total,
            "lags": sum(metrics.lag.counts),
            "lagSeconds": metrics.lag.total,
            "stalls": metrics.stalls,
            "logDropped": self.sources.log_lines()[1],
        }

    def _active(self, session: Session) -> float:
        return self.sources.hub.lifetimes.active.get(session.id, 0.0)

    def _sessions(self, sessions: list[Session], now: float) -> Iterator[dict[str, object]]:
        lifetimes, references = self.sources.hub.lifetimes, self.sources.hub.references
        for session in sessions:
            active, expires = lifetimes.active.get(session.id), lifetimes.expires.get(session.id)
            yield {
                "id": session.id[:SHOWN_SYMBOLS],
                "reference": references.of_session(session.id),
                "state": session.state.value,
                "capacity": session.settings.capacity,
                "locked": session.settings.locked,
                "lobby": session.settings.lobby,
                "password": session.settings.password is not None,
                "waiting": len(session.visitors),
                "idle": None if active is None else round(max(0.0, now - active)),
                "left": None if expires is None else round(max(0.0, expires - now)),
                "members": [
                    {
                        "role": member.role.value,
                        "away": member.person.away,
                        "reference": references.of_user(member.user),
                    }
                    for member in session.members
                ],
            }
