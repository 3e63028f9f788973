"""The daemon is killed with SIGKILL under traffic, its journal is cut and changed, and its disk is full."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.journal_records import rebuild
from signald.lifecycle.journal_file import FILE_NAME
from signald.lifecycle.journal_lines import read_lines
from tests.suites.faults.case import FaultTestCase
from tests.suites.faults.crash_clients import couples, wait_for_clients
from tests.suites.faults.report import add_fault, in_full
from tests.support.connections import make_switchboard
from tests.support.native_client import NativeClient
from tests.support.supervisor import Supervisor

#: Number of crashes.
ROUNDS = 20 if in_full() else 3

#: Couples of clients.
COUPLES = 15 if in_full() else 5

#: The seconds of traffic before a crash, at random between the two.
TRAFFIC = (0.2, 1.5)

#: The limits of one address, which are raised because all clients of this test have the same address.
LIMITS = (
    "address-connections",
    "address-connection-rate",
    "address-message-rate",
    "address-request-rate",
    "address-session-rate",
)

#: How often the journal is cut, and how often one byte of it is changed.
DAMAGES = 200


class CrashTests(SynchronousTestCase):
    """Tests in which the daemon is repeatedly killed and replaced by a new process on the same sockets."""

    def setUp(self) -> None:
        """Start a daemon with clients."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        raised = [word for name in LIMITS for word in ("--limit", f"{name}=10000")]
        self.supervisor = Supervisor(self.directory, "--no-tls", *raised)
        self.addCleanup(self.supervisor.close)
        self.supervisor.start()
        self.chance = random.Random(1)
        self.clients = couples(self.supervisor.port, COUPLES)
        for client in self.clients:
            client.start()
            self.addCleanup(client.end)

    def kill(self) -> None:
        """Kill the daemon after some traffic."""
        time.sleep(self.chance.uniform(*TRAFFIC))
        os.kill(self.supervisor.process, signal.SIGKILL)
        self.supervisor.program.wait()

    def test_crashes_under_traffic(self) -> None:
        """Nothing that a client was answered is lost, and every client resumes with its membership."""
        starts = []
        for _ in range(ROUNDS):
            self.kill()
            resumed = [len(client.blackouts) for client in self.clients]
            begin = time.monotonic()
            self.supervisor.start()
            starts.append(time.monotonic() - begin)
            wait_for_clients(self.clients, resumed)
        for client in self.clients:
            client.end()
        self.assertEqual([fault for client in self.clients for fault in client.faults], [])
        survivals = [survival for client in self.clients for survival in client.survivals]
        self.assertEqual(set(survivals), {"membership"})
        self.assertGreaterEqual(len(survivals), ROUNDS * len(self.clients))
        for program in self.supervisor.programs:
            self.assertEqual(program.faults, [])
        self.assertEqual(self.supervisor.logged("journal-restored"), ROUNDS)
        answers = sum(client.answers for client in self.clients)
        blackouts = sorted(blackout for client in self.clients for blackout in client.blackouts)
        add_fault(
            f"{ROUNDS} times kill -9 under traffic, {len(self.clients)} clients",
            f"{answers} answered requests: none lost; {len(survivals)} resumes: all with membership",
            f"blackout p50 {1000 * blackouts[len(blackouts) // 2]:.0f} ms, longest {1000 * blackouts[-1]:.0f} ms; "
            f"start {1000 * min(starts):.0f} to {1000 * max(starts):.0f} ms",
        )

    def test_a_damaged_journal(self) -> None:
        """A cut gives what was whole before it, and a changed byte costs one user or session at most."""
        self.kill()
        for client in self.clients:
            client.end()
        content = (self.supervisor.data / FILE_NAME).read_bytes()
        whole = read_lines(content)
        self.assertEqual((whole.damaged, whole.dropped), (0, frozenset()))
        self.assertGreater(len(content), 20_000)
        self.check_cuts(content)
        dropped = self.check_changes(content, whole.bodies)
        add_fault(
            f"journal of {len(content)} bytes cut at {DAMAGES} places, and one byte changed at {DAMAGES}",
            "whatever was whole before the cut restored; each change found, all others restored",
            f"{dropped} changes dropped a user or session, none more than one",
        )

    def check_cuts(self, content: bytes) -> None:
        """Restore the journal from the beginning up to random places."""
        for _ in range(DAMAGES):
            cut = self.chance.randrange(len(content))
            contents = read_lines(content[:cut])
            self.assertEqual((contents.damaged, contents.dropped), (0, frozenset()))
            self.assertEqual(contents.bodies, read_lines(content[: cut - contents.unused]).bodies)
            self.assertNotIn(b"\n", content[cut - contents.unused : cut])
            self.restore(contents.bodies)

    def check_changes(self, content: bytes, whole: dict[str, bytes]) -> int:
        """Restore the journal with one changed byte at random places; how often something was dropped."""
        dropped = 0
        for _ in range(DAMAGES):
            place = self.chance.randrange(len(content))
            changed = bytearray(content)
            changed[place] ^= self.chance.randrange(1, 256)
            contents = read_lines(bytes(changed))
            self.assertTrue(contents.damaged or contents.unused)
            self.assertLessEqual(len(contents.dropped), 1)
            if not contents.unused:
                self.assertEqual(contents.bodies, {key: whole[key] for key in whole.keys() - contents.dropped})
            dropped += bool(contents.dropped)
            self.restore(contents.bodies)
        return dropped

    def restore(self, bodies: dict[str, bytes]) -> None:
        """Restore records in another server, and assert that it has all users of these records."""
        rebuilt = rebuild(bodies)
        self.assertEqual(rebuilt.unreadable, frozenset())
        switchboard = make_switchboard(Clock())
        switchboard.restore(rebuilt.snapshot)
        self.assertEqual(len(switchboard.hub.users), len(rebuilt.snapshot.users))


class FullDiskTests(FaultTestCase):
    """Tests of a daemon whose files cannot grow."""

    def test_a_full_disk(self) -> None:
        """It is said once, everybody is served, and after there is space again a crash loses nothing."""
        daemon = self.start()
        host, _, session = self.pair(daemon, instance="one")
        process = daemon.program.process.pid
        before = resource.prlimit(process, resource.RLIMIT_FSIZE)
        # With this limit write(2) fails with EFBIG, as it does with ENOSPC on a full disk.
        resource.prlimit(process, resource.RLIMIT_FSIZE, (0, before[1]))
        late = self.client(daemon, instance="late")
        self.assertIn("session", late.request("open"))
        daemon.program.wait_for(r"\[journal-degraded\]", 10)
        time.sleep(3)
        self.assertEqual(host.request("change", session=session, label="full")["type"], "done")
        self.assertFalse((daemon.data / FILE_NAME).exists())
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)
        daemon.program.wait_for(r"\[journal-recovered\]", 30)
        self.assertEqual(daemon.program.stderr.count("[journal-degraded]"), 1)
        daemon.kill()
        later = self.start()
        again = NativeClient(later.port, tls=False)
        self.addCleanup(again.close)
        assert host.welcome is not None
        secret = host.welcome["secret"]
        welcome = again.request("resume", version=1, user=host.user, secret=secret, instance="one", received=0)
        self.assertEqual(welcome["resumed"], "membership")
        self.assertEqual(again.receive_type("joined")["label"], "full")
        add_fault(
            "no room for the journal, then room again, then kill -9",
            "said once, everybody served, written anew; resumed with membership",
        )
