"""The memory of the machine, and the bound that follows from it."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import Limits
from signald.server.machine import LEAST_OUTBOXES_BYTES, MEMORY_SHARE, memory_bytes, outboxes_bytes


class MemoryTests(SynchronousTestCase):
    """The memory is the machine's, or what a control group allows."""

    def setUp(self) -> None:
        """Create the files of a process in a control group."""
        self.machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self.root = Path(self.mktemp()).resolve()
        (self.root / "system" / "signald").mkdir(parents=True)
        self.cgroup = self.root / "cgroup"
        self.cgroup.write_text("0::/system/signald\n")

    def found(self) -> int:
        """Return the memory that is found."""
        return memory_bytes(self.cgroup, self.root)

    def test_machine(self) -> None:
        """Without control groups, and in groups without a limit, it is the machine's."""
        self.assertEqual(memory_bytes(self.root / "nothing", self.root), self.machine)
        self.assertEqual(self.found(), self.machine)
        (self.root / "system" / "signald" / "memory.max").write_text("max\n")
        self.assertEqual(self.found(), self.machine)
        self.cgroup.write_text("3:memory:/version-1\n")
        self.assertEqual(self.found(), self.machine)

    def test_groups(self) -> None:
        """The least limit counts of the group and those around it."""
        (self.root / "system" / "signald" / "memory.max").write_text("2000000\n")
        self.assertEqual(self.found(), 2_000_000)
        (self.root / "system" / "memory.max").write_text("1000000\n")
        self.assertEqual(self.found(), 1_000_000)

    def test_this_process(self) -> None:
        """The memory of this process is some positive number of bytes, and not more than the machine's."""
        self.assertTrue(0 < memory_bytes() <= self.machine)


class OutboxesTests(SynchronousTestCase):
    """The bound of all outboxes."""

    def test_default(self) -> None:
        """The default is a share of a small machine's memory, with a least value, and never more than the limit's."""
        limits = Limits()
        self.assertEqual(outboxes_bytes(limits, 1 << 30), (1 << 30) // MEMORY_SHARE)
        self.assertEqual(outboxes_bytes(limits, 1 << 20), LEAST_OUTBOXES_BYTES)
        self.assertEqual(outboxes_bytes(limits, 1 << 40), limits.outboxes_bytes)

    def test_by_name(self) -> None:
        """A value that was set is taken as it is."""
        for value in (1 << 20, 1 << 34):
            self.assertEqual(outboxes_bytes(Limits(outboxes_bytes=value), 1 << 30), value)
