"""A test case in which a daemon is attacked while a bystander is measured."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.suites.attacks.bystander import Bystander, quantile
from tests.suites.attacks.loads import LOADS, Load
from tests.suites.attacks.report import add_threat, in_full
from tests.suites.attacks.target import Target, attacker, target, twin
from tests.suites.e2e.program import faults as logged_faults

#: MiB that an attack may take above the idle server.
MOST_MIB = 16.0

#: The bystander's 99th percentile may be so many times the one measured while the twin is attacked.
MOST_TIMES = 2.0

#: Milliseconds of a 99th percentile that are no harm, however short the other one was.
NO_HARM = 5.0

#: The same in a run of all tests, in which a machine may have other things to do and the sample is small.
BUSY = 50.0

#: Connections of an attacker at a time.
CONNECTIONS = 20

#: The same in a short run of an attack that spends a large budget.
FEW = 4

#: Lines that an attack may add to the log.
MOST_LINES = 10

#: An attack is measured at most so often before it has failed, since other programs share the machine.
TRIES = 3


class Measured:
    """The measured cost of one attack.

    Attributes:
        before: the bystander's waits while the twin was attacked, in seconds.
        during: its waits while its own daemon was.
        ends: how the daemon ended the attacker's connections, and how often.
        mib: the daemon's memory at most, above the idle one's.
        lines: that it added to its log.

    """

    def __init__(self) -> None:
        self.before: list[float] = []
        self.during: list[float] = []
        self.ends = Counter[str]()
        self.mib = 0.0
        self.lines = 0

    @property
    def times(self) -> float:
        """The bystander's 99th percentile in multiples of the one before."""
        return quantile(self.during, 0.99) / quantile(self.before, 0.99)

    def faults(self, load: Load) -> list[str]:
        """Return the bounds that were exceeded."""
        harmed = self.times > MOST_TIMES and quantile(self.during, 0.99) > (NO_HARM if in_full() else BUSY)
        return [
            *([f"{self.mib:.1f} MiB"] if self.mib > MOST_MIB else []),
            *([f"p99 {self.times:.1f} times"] if harmed else []),
            *[f"never {refusal}" for refusal in load.refused if refusal not in self.ends],
            *([f"{self.lines} lines of log"] if self.lines > MOST_LINES else []),
        ]


class AttackTestCase(SynchronousTestCase):
    """Attacks the shared daemon of a transport."""

    def setUp(self) -> None:
        """Memory is read from /proc."""
        if not Path("/proc/self/clear_refs").exists():
            raise SkipTest("the memory of a process is read from /proc")

    def measure(self, name: str, tls: bool, times: int) -> Measured:
        """Let an attack go to the twin and to the daemon in turn, for so many times the usual time."""
        found = Measured()
        victim, other = target(tls), twin(tls)
        lines = victim.log.count("\n")
        windows, seconds = (4, 1.5) if in_full() else (2, 0.6)
        bystander = Bystander(victim)
        self.addCleanup(bystander.close)
        victim.forget_peak()
        for _ in range(windows):
            for goes_to, waits in ((other, found.before), (victim, found.during)):
                ends = self.attack(name, goes_to, times * seconds, bystander, waits)
                if goes_to is victim:
                    found.ends.update(ends)
        found.mib = victim.above_idle()
        found.lines = victim.log.count("\n") - lines
        self.assertEqual(logged_faults(victim.log), [])
        bystander.close()
        return found

    def attack(
        self, name: str, goes_to: Target, seconds: float, bystander: Bystander, waits: list[float]
    ) -> dict[str, int]:
        """Attack for so many seconds, and measure the bystander meanwhile; how the connections ended."""
        attacker().order(
            name=name,
            port=goes_to.port,
            tls=goes_to.tls,
            seconds=seconds,
            count=FEW if LOADS[name].spends and not in_full() else CONNECTIONS,
            source=next_source(),
            asset=goes_to.asset,
            refused=LOADS[name].refused,
        )
        waits += bystander.waits(seconds)
        ends: dict[str, int] = attacker().report()["ends"]
        return ends

    def threaten(self, name: str, tls: bool) -> None:
        """Carry an attack out, add its row, and assert its bounds."""
        load = LOADS[name]
        for tries in range(TRIES):
            # A limit such as `message-burst` is reached later where attacker and server get less of the processors.
            found = self.measure(name, tls, 1 if in_full() else 2**tries)
            faults = found.faults(load)
            if not faults:
                break
        add_threat(
            load.threat,
            "wss" if tls else "ws",
            load.sent,
            ", ".join(end for end, _ in found.ends.most_common(2)),
            found.mib,
            (quantile(found.before, 0.5), quantile(found.before, 0.99)),
            (quantile(found.during, 0.5), quantile(found.during, 0.99)),
            "; ".join(faults) or "ok",
        )
        self.assertEqual(faults, [])


_sources = iter(range(1, 1 << 16))


def next_source() -> str:
    """An address of the loopback network that no attack has used yet, with its budgets whole."""
    number = next(_sources)
    return f"127.1.{number >> 8}.{number & 255}"
