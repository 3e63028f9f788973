"""Whether this process should be sent new clients, and if not, why: pure."""

from __future__ import annotations

from attrs import define, field

__all__ = ["DRAINING", "Readiness"]

DRAINING = "draining"
"""The name of the reason that the server is stopping."""


@define
class Readiness:
    """What the readiness probe tells. Being alive is another question, which an answer of any kind settles.

    Attributes:
        draining: whether the server is stopping; nothing takes that back.
        problems: what is wrong, a sentence for the operator by a kebab-case name. A name is of few, and is told to
            whoever may ask for metrics, so neither holds anything that a client said.

    """

    draining: bool = False
    problems: dict[str, str] = field(factory=dict)

    @property
    def ready(self) -> bool:
        """Whether new clients are welcome."""
        return not self.draining and not self.problems

    @property
    def reasons(self) -> dict[str, str]:
        """Why not: a sentence by name, in order of the names."""
        stopping = {DRAINING: "The server is stopping."} if self.draining else {}
        return dict(sorted({**stopping, **self.problems}.items()))

    def drain(self) -> None:
        """The server begins to stop."""
        self.draining = True

    def problem(self, name: str, sentence: str) -> None:
        """Something is wrong, or is wrong in another way."""
        self.problems[name] = sentence

    def solved(self, name: str) -> None:
        """That is no longer wrong, if it was."""
        self.problems.pop(name, None)
