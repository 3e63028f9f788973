"""A test case that attacks a daemon and measures the response times of a bystander meanwhile."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.suites.attacks.bystander import Bystander, quantile
from tests.suites.attacks.loads import LOADS, Load
from tests.suites.attacks.report import add_threat, in_full
from tests.suites.attacks.target import Target, attacker, target, twin
from tests.suites.e2e.program import faults as logged_faults

#: The memory in MiB that an attack may use above the idle server.
MOST_MIB = 16.0

#: The largest ratio of the bystander's 99th percentile during the attack to that while the twin is attacked.
MOST_TIMES = 2.0

#: A 99th percentile up to so many milliseconds is harmless, whatever the ratio is.
NO_HARM = 5.0

#: The same bound in a run of all tests, in which the machine may be busy and the sample is small.
BUSY = 50.0

#: The number of an attacker's simultaneous connections.
CONNECTIONS = 20

#: The number of simultaneous connections in a short run of an attack that spends a large budget.
FEW = 4

#: The number of lines that an attack may add to the log.
MOST_LINES = 10

#: The number of measurements before an attack fails its test, since other programs share the machine.
TRIES = 3


class Measured:
    """The measured cost of one attack.

    Attributes:
        before: the bystander's waits while the twin was attacked, in seconds.
        during: the bystander's waits while its own daemon was attacked, in seconds.
        ends: how the daemon ended the attacker's connections, and how often.
        mib: the daemon's peak memory above the idle daemon's, in MiB.
        lines: the number of lines that the daemon added to its log.

    """

    def __init__(self) -> None:
        self.before: list[float] = []
        self.during: list[float] = []
        self.ends = Counter[str]()
        self.mib = 0.0
        self.lines = 0

    @property
    def times(self) -> float:
        """The ratio of the bystander's 99th percentile during the attack to that while the twin was attacked."""
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
        """Skip the test without /proc, from which the memory is read."""
        if not Path("/proc/self/clear_refs").exists():
            raise SkipTest("the memory of a process is read from /proc")

    def measure(self, name: str, tls: bool, times: int) -> Measured:
        """Attack the twin and the daemon in turn, `times` times as long as usual, and return the measured cost."""
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
        """Attack for so many seconds, and measure the bystander meanwhile; return how the connections ended."""
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
        """Carry out an attack, add its row to the table, and assert its bounds."""
        load = LOADS[name]
        for tries in range(TRIES):
            # On a busy machine attacker and server reach a limit such as `message-burst` later; each retry attacks
            # longer.
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
    """Return an address of the loopback network that no attack has used yet, so that its budgets are unused."""
    number = next(_sources)
    return f"127.1.{number >> 8}.{number & 255}"
