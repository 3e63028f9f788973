"""What is counted of the running server, and how Prometheus is told: one registry for a process."""

from __future__ import annotations

from attrs import fields
from prometheus_client import CollectorRegistry

from signald.errors import ErrorCode
from signald.limits import Limits

__all__ = ["OTHER", "Metrics"]

OTHER = "other"
"""The label of what has no label of its own: nobody can make a new one."""


class Metrics:
    """Counts facts as plain numbers, which a scrape reads.

    Attributes:
        registry: of all metrics.

    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._limits = dict.fromkeys([*(limit.name for limit in fields(Limits)), OTHER], 0)
        self._errors = dict.fromkeys(ErrorCode, 0)

    def told(self, code: ErrorCode) -> None:
        """An error was told to a client, over WebSocket or HTTP."""
        self._errors[code] += 1

    def refused(self, limit: str) -> None:
        """A limit was hit; its name is that of its field in `Limits`, once for each refusal."""
        self._limits[limit if limit in self._limits else OTHER] += 1
