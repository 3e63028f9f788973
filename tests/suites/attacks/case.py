"""A test case that attacks a daemon and measures the waits of a bystander before and meanwhile."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from signald.core.limits import Limits
from signald.monitoring.line_budget import ADDRESS_BURST, ADDRESS_RATE
from tests.suites.attacks.attacker import LEFT
from tests.suites.attacks.bystander import Bystander, Wait, cpus, quantile, walls
from tests.suites.attacks.ceilings import CEILINGS, MIB_CEILINGS
from tests.suites.attacks.links import Load
from tests.suites.attacks.loads import LOADS
from tests.suites.attacks.report import add_threat, in_full
from tests.suites.attacks.target import Target, attacker, target
from tests.suites.e2e.program import faults as logged_faults

#: The number of an attacker's simultaneous connections.
CONNECTIONS = 200 if in_full() else 60

#: The number of simultaneous connections that have to be refused in an attack that spends a large budget: many would
#: share the processor, and none would get to its end.
FEW = 4

#: The memory in MiB that an attack may use above the idle server, and besides for each connection of the attacker: what
#: it has sent and what it has not read, as far as both are kept.
MOST_MIB, CONNECTION_MIB = 16.0, 0.125

#: The same for each address of a flood within the limits.
ADDRESS_MIB = 1.0

#: A row is met if the 99th percentile of the bystander's waits is at most so many times that of the idle server, or
MOST_TIMES = 2.0

#: at most so many milliseconds more.
MOST_MORE = 2.0

#: The same for the median of the processor time in the waits, by which a test fails: on a busy machine each of the
#: daemon's steps takes longer. Without turns it is tens of milliseconds: every wait is long then, not one in a hundred.
MOST_CPU_MORE = 5.0

#: The number of lines that an attack may add to the log, besides those about users and sessions.
MOST_LINES = 10

#: Matches the event of a line about users and sessions, which are bounded for each address.
NEWS = re.compile(r" \[(?:session|member|visitor|host)-[a-z-]+\] ")

#: The number of tries of which the median decides.
TRIES = 3

#: The seconds for which the bystander is measured before an attack, and during it.
IDLE_SECONDS, ATTACK_SECONDS = (0.5, 1.5) if in_full() else (0.3, 0.6)


def is_harmless(idle: float, during: float, most_more: float) -> bool:
    """Return whether a quantile of waits during an attack is harmless beside that of the idle server; all in ms."""
    return during <= max(idle * MOST_TIMES, idle + most_more)


@dataclass
class Try:
    """One measurement of an attack.

    Attributes:
        idle: the bystander's waits before the attack.
        during: the bystander's waits while the daemon is attacked.

    """

    idle: list[Wait] = field(default_factory=list)
    during: list[Wait] = field(default_factory=list)

    @property
    def p99(self) -> tuple[float, float]:
        """The 99th percentiles of the waits, idle and during, in milliseconds."""
        return quantile(walls(self.idle), 0.99), quantile(walls(self.during), 0.99)

    @property
    def cpu(self) -> tuple[float, float]:
        """The medians of the processor time in the waits, idle and during, in milliseconds."""
        return quantile(cpus(self.idle), 0.5), quantile(cpus(self.during), 0.5)


@dataclass
class Measured:
    """The measured cost of one attack.

    Attributes:
        tries: the measurements of the bystander.
        ends: how the daemon ended the attacker's connections, and how often.
        mib: the daemon's peak memory above the idle daemon's, in MiB.
        lines: the number of lines that the daemon added to its log, without those about users and sessions.
        surplus_news: how many of the latter there were beyond what the daemon may write about the attacker's addresses.

    """

    tries: list[Try] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    mib: float = 0.0
    lines: int = 0
    surplus_news: float = 0.0

    @property
    def p99(self) -> Try:
        """The try whose 99th percentile during the attack is the median."""
        return sorted(self.tries, key=lambda one: one.p99[1])[len(self.tries) // 2]

    @property
    def cpu(self) -> tuple[float, float]:
        """The processor time in the waits, idle and during, of the try in which it is the median during the attack."""
        return sorted((one.cpu for one in self.tries), key=lambda waits: waits[1])[len(self.tries) // 2]

    def unmet(self, load: Load) -> str:
        """Return by how much the memory or the bystander's wait misses its bound; nothing where both are met."""
        idle, during = self.p99.p99
        unmet = [
            *([f"{self.mib:.1f} MiB"] if self.mib > most_mib(load) else []),
            *(
                [f"{during / idle:.1f} times, {during - idle:+.1f} ms"]
                if not is_harmless(idle, during, MOST_MORE)
                else []
            ),
        ]
        return f"not met: {', '.join(unmet)}" if unmet else ""

    def faults(self, load: Load, ceiling: float, mib_ceiling: float) -> list[str]:
        """Return the bounds that fail the test.

        The bystander's wait is judged by the daemon's processor time in it, since other programs of the machine make
        the wait itself longer: it has to be harmless, or below the ceiling in milliseconds that is recorded for the
        attack; so has the memory.
        """
        idle, during = self.cpu
        harmful = during > ceiling and not is_harmless(idle, during, MOST_CPU_MORE)
        return [
            *([f"{self.mib:.1f} MiB"] if self.mib > max(most_mib(load), mib_ceiling) else []),
            *([f"CPU {idle:.2f} to {during:.2f} ms"] if harmful else []),
            *[f"never {refusal}" for refusal in load.refused if refusal not in self.ends],
            *[f"refused: {end}" for end in self.ends if load.is_within_limits and end != LEFT],
            *([f"{self.lines} lines of log"] if self.lines > MOST_LINES else []),
            *([f"{self.surplus_news:.0f} lines too many about sessions"] if self.surplus_news > 0 else []),
        ]


def most_mib(load: Load) -> float:
    """Return the memory in MiB that an attack may use above the idle server."""
    return MOST_MIB + (ADDRESS_MIB * load.addresses if load.is_within_limits else CONNECTION_MIB * CONNECTIONS)


class AttackTestCase(SynchronousTestCase):
    """Attacks the shared daemon of a transport."""

    def setUp(self) -> None:
        """Skip the test without /proc, from which the memory is read."""
        if not Path("/proc/self/clear_refs").exists():
            raise SkipTest("the memory of a process is read from /proc")

    def measure(self, name: str, tls: bool, found: Measured) -> None:
        """Measure an idle daemon, then attack it, and add the measured cost to what was found before."""
        load, victim = LOADS[name], target(tls)
        before, began = len(victim.log), time.monotonic()
        bystander = Bystander(victim)
        self.addCleanup(bystander.close)
        victim.forget_peak()
        one = Try(bystander.waits(IDLE_SECONDS))
        attacker().order(
            name=name,
            port=victim.port,
            tls=victim.tls,
            seconds=ATTACK_SECONDS,
            count=load.count or min(CONNECTIONS, Limits().address_connections - load.spare),
            sources=[next_source() for _ in range(load.addresses)],
            asset=victim.asset,
            refused=() if load.spends else load.refused,
        )
        attacker().wait_until_under_way()
        one.during = bystander.waits(ATTACK_SECONDS)
        found.tries.append(one)
        found.ends.update(attacker().report()["ends"])
        if load.spends:
            found.ends.update(self.spend(name, victim))
        found.mib = max(found.mib, victim.above_idle())
        news = NEWS.findall(victim.log, before)
        found.lines = max(found.lines, victim.log.count("\n", before) - len(news))
        # What is left of an attack, such as the end of its sessions, is logged during the next one.
        addresses, victim.addresses = victim.addresses, load.addresses + load.spends
        allowed = ADDRESS_BURST + ADDRESS_RATE * (time.monotonic() - began)
        found.surplus_news = max(found.surplus_news, len(news) - (addresses + victim.addresses) * allowed)
        self.assertEqual(logged_faults(victim.log), [])
        bystander.close()

    def spend(self, name: str, victim: Target) -> dict[str, int]:
        """Attack with few connections until the daemon has refused them; return how the connections ended."""
        attacker().order(
            name=name,
            port=victim.port,
            tls=victim.tls,
            seconds=0.0,
            count=FEW,
            sources=[next_source()],
            asset=victim.asset,
            refused=LOADS[name].refused,
        )
        attacker().wait_until_under_way()
        ends: dict[str, int] = attacker().report()["ends"]
        return ends

    def threaten(self, name: str, tls: bool) -> None:
        """Carry out an attack, add its row to the table, and assert its bounds.

        A short run tries again only where the first try misses a bound.
        """
        load, over = LOADS[name], "wss" if tls else "ws"
        found = Measured()
        faults = list[str]()
        for _ in range(TRIES):
            self.measure(name, tls, found)
            faults = found.faults(load, CEILINGS.get((name, over), 0.0), MIB_CEILINGS.get(name, 0.0))
            if not faults and not in_full():
                break
        shown = found.p99
        add_threat(
            load.threat,
            over,
            load.sent,
            ", ".join(end for end, _ in found.ends.most_common(2)),
            found.mib,
            shown.idle,
            shown.during,
            "; ".join(filter(None, [found.unmet(load), *faults])) or "ok",
        )
        self.assertEqual(faults, [])


_sources = iter(range(1, 1 << 16))


def next_source() -> str:
    """Return an address of the loopback network that no attack has used yet, so that its budgets are unused."""
    number = next(_sources)
    return f"127.1.{number >> 8}.{number & 255}"
