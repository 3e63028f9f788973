"""What the suite measures: works of several servers in turn, and the goals that signald has in each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

__all__ = ["SUBJECTS", "WORKS", "Goal", "Subject", "Work"]


@frozen
class Subject:
    """A server with clients of one kind.

    Attributes:
        name: its name in the tables.
        server: `signald`, or a key of `PEERS`.
        resumable: whether the clients can resume, where the protocol knows that.
        wire: the protocol of the clients, a key of the load generator's `WIRES`; empty for the server's own.

    """

    name: str
    server: str
    resumable: bool = True
    wire: str = ""


SUBJECTS = {
    "signald": Subject("signald", "signald"),
    "signald-fixed": Subject("signald, cannot resume", "signald", resumable=False),
    "signald-peerjs": Subject("signald, clients of PeerJS", "signald", wire="peerjs"),
    "node": Subject("Node ws", "node"),
    "peerjs": Subject("PeerJS server", "peerjs"),
    "go": Subject("Go", "go"),
    "picows": Subject("picows", "picows"),
    "websockets": Subject("websockets", "websockets"),
    "matchbox": Subject("matchbox", "matchbox"),
}
"""All subjects by the names that works use. The first one, whose clients can resume, is the headline."""


@frozen
class Goal:
    """The greatest ratio of a subject to its reference in the same rounds, or the greatest value of a subject.

    Attributes:
        subject: a key of `SUBJECTS`.
        reference: likewise; empty for a value by itself.
        goal: what has to be reached; None if there is only a stretch.
        stretch: what is aimed at; None if that is not of this kind.
        before: what was measured before the work on speed began.
        metric: what is compared: `cost`, the CPU of the server for an operation, or a percentile of the latency.

    """

    subject: str
    reference: str
    goal: float | None
    stretch: float | None
    before: str
    metric: str = "cost"


@frozen
class Work:
    """A work that several servers do in turn.

    Attributes:
        name: its name in the tables.
        tls: whether the WebSockets are over TLS.
        workload: the name of the load generator's workload.
        operations: the operations of a round.
        warming: the operations before the first round.
        subjects: keys of `SUBJECTS`.
        options: attributes of the workload.
        batched: whether candidates that are gathered together are sent together, as signald's clients do.
        unit: the unit of the CPU of one operation: `µs` or `ms`.
        goals: what is to be reached.
        quick: whether it is a part of the quick suite.
        rounds: the rounds of the full suite.

    """

    name: str
    tls: bool
    workload: str
    operations: int
    warming: int
    subjects: tuple[str, ...]
    options: Mapping[str, Any] = field(factory=dict)
    batched: bool = True
    unit: str = "µs"
    goals: tuple[Goal, ...] = ()
    quick: bool = False
    rounds: int = 9

    def shortened(self, part: float) -> Work:
        """Return the work with only a part of the operations in each round."""
        return evolve(self, operations=int(part * self.operations))


WITH_DIALECTS = tuple(SUBJECTS)
ALL = tuple(key for key in SUBJECTS if key != "signald-peerjs")
WITH_TLS = ALL[:-1]
IN_CALLS = ("signald", "signald-fixed", "signald-peerjs", "node", "peerjs", "go", "picows")
IN_GROUPS = ("signald", "signald-fixed", "node", "go", "picows")


_DIALECT_GOAL = Goal("signald-peerjs", "signald", 1.1, None, "–")  # noqa: RUF001 # nothing was there before
"""What another dialect may cost beside the native one."""


def _forward(
    name: str, subjects: tuple[str, ...], goals: tuple[Goal, ...], *, tls: bool, depth: int = 1, **options: Any
) -> Work:
    return Work(
        name=f"forward {name}",
        tls=tls,
        workload="forward",
        operations=3000,
        warming=4000,
        subjects=subjects,
        options={"depth": depth, **options},
        goals=goals,
        quick=bool(goals),
    )


def _pair(can: tuple[float, float, str], cannot: tuple[float, float, str]) -> tuple[Goal, ...]:
    """Return the goals of forwarding: of clients that can resume, and of those that cannot."""
    return (Goal("signald", "node", *can), Goal("signald-fixed", "node", *cannot))


def _call(name: str, goals: tuple[Goal, ...], *, batched: bool) -> Work:
    return Work(
        name=f"whole call wss, candidates {name}",
        tls=True,
        workload="calls",
        operations=60,
        warming=60,
        subjects=IN_CALLS,
        batched=batched,
        unit="ms",
        goals=goals,
        quick=True,
    )


def _connect(scheme: str, goal: Goal) -> Work:
    return Work(
        name=f"connect and hello {scheme}",
        tls=scheme == "wss",
        workload="connects",
        operations=400,
        warming=300,
        subjects=ALL if scheme == "ws" else WITH_TLS,
        goals=(goal,),
        quick=True,
    )


WORKS = (
    _forward("ws, depth 1", WITH_DIALECTS, (*_pair((1.2, 0.9, "9"), (0.95, 0.7, "8.5")), _DIALECT_GOAL), tls=False),
    _forward("ws, depth 4", ALL, _pair((1.05, 0.7, "4.8"), (0.9, 0.7, "4.8")), tls=False, depth=4),
    _forward("wss, depth 1", WITH_TLS, _pair((1.2, 0.9, "6.2"), (1.0, 0.7, "6.2")), tls=True),
    _forward("wss, depth 4", WITH_TLS, (), tls=True, depth=4),
    _forward("ws, offers of 4 kB", ALL, (), tls=False, kind="offer", size=4000),
    _forward("wss, offers of 4 kB", WITH_TLS, (), tls=True, kind="offer", size=4000),
    _call("batched", (Goal("signald", "peerjs", 0.9, 0.6, "1.65"),), batched=True),
    _call("one by one", (Goal("signald", "peerjs", 1.15, 0.8, "2.8"), _DIALECT_GOAL), batched=False),
    _connect("ws", Goal("signald", "node", 0.95, 0.8, "1.3")),
    _connect("wss", Goal("signald", "node", 0.9, 0.7, "1.3")),
    Work(
        name="a message to the other seven of eight, ws",
        tls=False,
        workload="fan-out",
        operations=3500,
        warming=3500,
        subjects=IN_GROUPS,
    ),
    Work(
        name="2,000/s wss, 200 connections",
        tls=True,
        workload="open-loop",
        operations=10000,
        warming=3000,
        subjects=("signald", "node", "peerjs", "go", "picows"),
        options={"rate": 2000.0},
        goals=(
            Goal("signald", "node", 1.0, None, "8 to 11", "p99"),
            Goal("signald", "", None, 2.0, "39 to 182", "p99"),
        ),
        rounds=5,
    ),
)
