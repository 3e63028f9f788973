"""Readiness: whether load balancers should send new clients to this process, and if not, why."""

from __future__ import annotations

from attrs import define, field

__all__ = ["DRAINING", "Readiness"]

DRAINING = "draining"
"""The name of the reason while the server is stopping."""


@define
class Readiness:
    """The state behind the readiness probe. Liveness is a different probe: any response shows it.

    Attributes:
        draining: whether the server is stopping, which is final.
        problems: a sentence for the operator, by the kebab-case name of the problem. Everybody who may read metrics
            sees both, so they contain nothing that a client sent.
        warnings: the same for what is degraded, while new clients are still served.

    """

    draining: bool = False
    problems: dict[str, str] = field(factory=dict)
    warnings: dict[str, str] = field(factory=dict)

    @property
    def ready(self) -> bool:
        """Whether new clients should be sent here."""
        return not self.draining and not self.problems

    @property
    def reasons(self) -> dict[str, str]:
        """The reasons against it: sentences by name, sorted by name."""
        stopping = {DRAINING: "The server is stopping."} if self.draining else {}
        return dict(sorted({**stopping, **self.problems}.items()))

    def drain(self) -> None:
        """Note that the server is stopping."""
        self.draining = True

    def set_problem(self, name: str, sentence: str) -> None:
        """Add a problem, or replace its sentence."""
        self.problems[name] = sentence

    def clear_problem(self, name: str) -> None:
        """Remove a problem, if it is there."""
        self.problems.pop(name, None)

    def set_warning(self, name: str, sentence: str) -> None:
        """Add a warning, or replace its sentence."""
        self.warnings[name] = sentence

    def clear_warning(self, name: str) -> None:
        """Remove a warning, if it is there."""
        self.warnings.pop(name, None)
