"""Tests of `signald.lifecycle.journal`, which writes each change before the answer that depends on it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, cast

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.core.journal_records import Rebuilt, rebuild
from signald.dialects.serde import Serde
from signald.lifecycle.journal import (
    CLOCK_SECONDS,
    GROWTH,
    LEAST_BYTES,
    PROBLEM,
    RETRY_SECONDS,
    SETTLE_POLL_SECONDS,
    SLICE,
    SYNC_SECONDS,
)
from signald.lifecycle.journal_file import FILE_NAME, MOST_BYTES, JournalFile, JournalWriter
from signald.lifecycle.journal_lines import read_lines
from tests.support.connections import MemoryConnection, make_switchboard
from tests.support.journals import WALL, Thread, make_journal


@define
class Disk:
    """A disk whose faults the test chooses.

    Attributes:
        is_full: whether writes fail, after a part of the data.
        is_read_only: whether files can be neither created nor deleted.
        is_failing: whether syncs fail.
        syncs: how many syncs were made.

    """

    is_full: bool = False
    is_read_only: bool = False
    is_failing: bool = False
    syncs: int = 0


@define
class DiskWriter(JournalWriter):
    """A file on such a disk."""

    disk: Disk = field(factory=Disk)

    def append(self, entries: list[tuple[str, bytes]]) -> None:
        """Write, or fail after some bytes."""
        if self.disk.is_full and entries:
            self.size += os.write(self.descriptor, b"torn")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().append(entries)

    def sync(self) -> None:
        """Count a sync, or fail."""
        if self.disk.is_failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.disk.syncs += 1
        super().sync()


@frozen
class DiskFile(JournalFile):
    """The names in a directory on such a disk."""

    disk: Disk

    def begin(self) -> JournalWriter:
        """Create a file, or fail."""
        self.check_writable()
        writer = super().begin()
        return DiskWriter(writer.descriptor, disk=self.disk)

    def remove(self) -> None:
        """Delete the file, or fail."""
        self.check_writable()
        super().remove()

    def abandon(self) -> None:
        """Delete the file, or fail."""
        self.check_writable()
        super().abandon()

    def check_writable(self) -> None:
        """Raise the error of a disk that is mounted read-only."""
        if self.disk.is_read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))


class JournalTestCase(SynchronousTestCase):
    """Has a switchboard with a journal whose disk and thread the test controls."""

    def setUp(self) -> None:
        """Start the journal, and record the log."""
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.directory = Path(self.mktemp())
        self.path = self.directory / FILE_NAME
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock)
        self.disk, self.thread = Disk(), Thread()
        self.journal = make_journal(
            self.switchboard, self.directory, self.clock, self.thread, file=DiskFile(self.directory, self.disk)
        )
        self.journal.start()

    def client(self, instance: str = "one") -> MemoryConnection:
        """Connect a client that can resume."""
        connection = MemoryConnection(self.switchboard)
        connection.say(type="hello", version=1, instance=instance)
        return connection

    def rebuilt(self) -> Rebuilt:
        """Return what the file contains."""
        contents = read_lines(self.path.read_bytes())
        self.assertEqual((contents.damaged, contents.unused), (0, 0))
        return rebuild(contents.bodies)

    def users(self) -> set[str]:
        """Return the users that the file contains."""
        return {user.id for user in self.rebuilt().snapshot.users}

    def advance(self, seconds: float) -> None:
        """Advance the clock second by second, as the daemon's timer does."""
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            self.journal.tick()

    def settle(self) -> None:
        """Let everything happen that is scheduled for now, such as the steps of a compaction."""
        for _ in range(1000):
            self.clock.advance(0.0)

    def logged(self) -> list[str]:
        """Return the names of the journal's logged events."""
        names = [str(event.get("event")) for event in self.events]
        return [name for name in names if name.startswith("journal-")]

    def names(self) -> set[str]:
        """Return the names of the files in the directory."""
        return {path.name for path in self.directory.iterdir()}


class WritingTests(JournalTestCase):
    """Tests of what is written, and when."""

    def test_the_record_is_written_before_the_answer(self) -> None:
        """When the client gets its welcome, the file contains its identity; when it opens a session, that too."""
        seen: list[tuple[int, int]] = []

        def look(_: bytes) -> None:
            snapshot = self.rebuilt().snapshot
            seen.append((len(snapshot.users), len(snapshot.sessions)))

        connection = MemoryConnection(self.switchboard)
        connection.on_send = look
        connection.say(type="hello", version=1, instance="one")
        connection.say(type="open")
        self.assertEqual(seen, [(1, 0), (1, 1)])

    def test_messages_are_not_written(self) -> None:
        """Nothing that members send each other touches the journal."""
        host, guest = self.client(), self.client("two")
        host.say(type="open")
        session = host.last()["session"]
        guest.say(type="join", session=session)
        content = self.path.read_bytes()
        negotiation = {"offerer": guest.take_messages()[0]["user"], "n": 1}
        other = self.rebuilt().snapshot.sessions[0].session.members[0].user
        guest.say(type="offer", session=session, to=other, negotiation=negotiation, sdp="v=0")
        guest.say(type="message", session=session, content="hello")
        host.say(type="ack", received=2)
        host.say(type="ping")
        self.assertEqual([message["type"] for message in host.take_messages()[-3:]], ["offer", "message", "pong"])
        self.assertEqual(self.path.read_bytes(), content)

    def test_what_is_over_is_recorded(self) -> None:
        """A user that leaves is not restored, and neither is its session."""
        host = self.client()
        host.say(type="open")
        host.disconnect(1000)
        snapshot = self.rebuilt().snapshot
        self.assertEqual((snapshot.users, snapshot.sessions), ([], []))

    def test_a_client_that_cannot_resume_is_not_recorded(self) -> None:
        """Neither its arrival nor its end is written, but the session that it opens is."""
        connection = MemoryConnection(self.switchboard)
        connection.say(type="hello", version=1)
        self.assertEqual(self.path.read_bytes(), b"")
        original = MemoryConnection(self.switchboard, Serde())
        original.receive(b'"SessionNew"')
        self.assertNotIn(b"user:", self.path.read_bytes())
        self.assertEqual(len(self.rebuilt().snapshot.sessions), 1)
        original.disconnect()
        self.assertEqual(self.rebuilt().snapshot.sessions, [])

    def test_a_forgotten_session_is_recorded(self) -> None:
        """A kept session that the registry forgets after its time is not restored."""
        host = self.client()
        host.say(type="open", keep=True)
        host.disconnect(1000)
        self.assertEqual(len(self.rebuilt().snapshot.sessions), 1)
        self.clock.advance(self.switchboard.registry.limits.kept_seconds)
        self.switchboard.tick()
        self.assertEqual(self.rebuilt().snapshot.sessions, [])

    def test_the_file_is_private(self) -> None:
        """Only its owner can read it."""
        self.client()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_a_start_writes_what_is_there(self) -> None:
        """A journal that starts after users were restored contains them."""
        self.client()
        other = self.directory / "other"
        journal = make_journal(self.switchboard, other, self.clock)
        journal.start()
        content = (other / FILE_NAME).read_bytes()
        self.assertEqual(rebuild(read_lines(content).bodies).snapshot.users, self.rebuilt().snapshot.users)

    def test_the_time_is_noted(self) -> None:
        """A journal without changes notes the time, so that the next start knows when this process ended."""
        self.client()
        self.advance(3 * CLOCK_SECONDS)
        size = self.path.stat().st_size
        self.assertEqual(self.rebuilt().wall, WALL + 3 * CLOCK_SECONDS)
        self.advance(CLOCK_SECONDS - 1)
        self.assertEqual(self.path.stat().st_size, size)

    def test_an_empty_server_leaves_nothing_about_anybody(self) -> None:
        """Once nobody is there, the file is replaced by an empty one, which stays empty."""
        self.client().disconnect(1000)
        self.assertIn(b"user:", self.path.read_bytes())
        self.advance(2 * CLOCK_SECONDS)
        self.settle()
        self.assertEqual(self.path.read_bytes(), b"")
        syncs = self.disk.syncs
        self.advance(3 * CLOCK_SECONDS)
        self.settle()
        self.assertEqual((self.disk.syncs, self.path.read_bytes()), (syncs, b""))

    def test_a_closed_journal_is_left_to_the_next_process(self) -> None:
        """After `close` nothing is written or scheduled, and the file stays."""
        self.client()
        content = self.path.read_bytes()
        self.assertNotEqual(self.clock.getDelayedCalls(), [])
        self.journal.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.client("two")
        self.advance(2 * CLOCK_SECONDS)
        self.assertEqual(self.path.read_bytes(), content)
        self.assertEqual(self.switchboard.registry.changes.take(), ([], []))

    def test_a_closed_journal_is_started_again(self) -> None:
        """A process that goes on after all writes a new file with what is there now, and records changes again."""
        gone = self.client()
        self.journal.close()
        gone.disconnect(1000)
        self.client("two")
        self.journal.start()
        self.assertEqual(self.users(), set(self.switchboard.hub.users))
        self.client("three")
        self.assertEqual(self.users(), set(self.switchboard.hub.users))
        bodies = read_lines(self.path.read_bytes()).bodies
        journal = cast(Any, self.journal)
        self.assertEqual(journal._sizes, {key: len(body) for key, body in bodies.items()})
        self.assertEqual(journal._live_bytes, sum(map(len, bodies.values())))

    def test_a_removed_journal_is_gone(self) -> None:
        """After `remove` there is no file."""
        self.client()
        self.journal.remove()
        self.advance(2 * CLOCK_SECONDS)
        self.assertEqual(self.names(), set())


class SyncTests(JournalTestCase):
    """Tests of when the file is synced."""

    def test_changes_are_synced_in_groups(self) -> None:
        """All changes within `SYNC_SECONDS` are synced together, and nothing is synced without a change."""
        before = self.disk.syncs
        for number in range(10):
            self.client(str(number))
        self.assertEqual(self.disk.syncs, before)
        self.clock.advance(SYNC_SECONDS)
        self.assertEqual(self.disk.syncs, before + 1)
        self.switchboard.tick()
        self.clock.advance(10 * SYNC_SECONDS)
        self.assertEqual(self.disk.syncs, before + 1)

    def test_one_sync_at_a_time(self) -> None:
        """What is written during a sync is synced by the next one, `SYNC_SECONDS` after its end."""
        self.thread.is_held = True
        self.client()
        self.clock.advance(SYNC_SECONDS)
        self.client("two")
        self.clock.advance(100 * SYNC_SECONDS)
        self.assertEqual(len(self.thread.held), 1)
        before = self.disk.syncs
        self.thread.run_next()
        # The sync covered what was there when the thread began, which was everything here.
        self.client("three")
        self.clock.advance(SYNC_SECONDS)
        self.assertEqual(len(self.thread.held), 1)
        self.thread.run_next()
        self.assertEqual(self.disk.syncs, before + 2)

    def test_a_change_during_a_sync_is_synced_afterwards(self) -> None:
        """A change that the thread did not see is not taken for synced."""
        self.client()

        def sync_with_a_change(call: Any) -> Any:
            done = Thread().run(call)
            self.client("late")
            return done

        self.journal.run_in_thread = sync_with_a_change
        before = self.disk.syncs
        self.clock.advance(SYNC_SECONDS)
        self.journal.run_in_thread = self.thread.run
        self.clock.advance(SYNC_SECONDS)
        self.assertEqual(self.disk.syncs, before + 2)

    def test_a_failed_sync_is_not_tried_again_on_the_same_file(self) -> None:
        """After it the kernel may have dropped the data, so that a new file is written."""
        self.client()
        self.disk.is_failing = True
        self.clock.advance(SYNC_SECONDS)
        self.assertEqual(self.logged(), ["journal-degraded"])
        self.assertEqual(self.names(), set())
        self.disk.is_failing = False
        self.advance(1)
        self.settle()
        self.assertEqual(self.logged(), ["journal-degraded", "journal-recovered"])
        self.assertEqual(len(self.users()), 1)

    def test_a_file_is_closed_when_no_thread_uses_it(self) -> None:
        """A file that is given up during a sync is closed after it, so that no other file is synced in its place."""
        self.thread.is_held = True
        self.client()
        self.clock.advance(SYNC_SECONDS)
        opened = set(os.listdir("/proc/self/fd"))
        self.journal.close()
        self.assertEqual(set(os.listdir("/proc/self/fd")), opened)
        self.thread.run_next()
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(opened) - 1)

    def test_a_failed_sync_of_a_file_that_was_given_up(self) -> None:
        """It concerns nothing that is in use."""
        self.thread.is_held = True
        self.client()
        self.clock.advance(SYNC_SECONDS)
        self.journal.close()
        self.disk.is_failing = True
        self.thread.run_next()
        self.assertEqual(self.logged(), [])


class FullDiskTests(JournalTestCase):
    """Tests of a journal that cannot be written."""

    def test_a_full_disk_is_said_once(self) -> None:
        """There is no journal then, clients are served, and the operator sees it in the log, metrics and readiness."""
        self.client()
        self.disk.is_full = True
        self.assertEqual(self.client("two").last()["type"], "welcome")
        self.assertEqual(self.client("three").last()["type"], "welcome")
        self.advance(3 * RETRY_SECONDS)
        self.settle()
        self.assertEqual(self.logged(), ["journal-degraded"])
        self.assertEqual([event["reason"] for event in self.events if "reason" in event], ["No space left on device"])
        self.assertTrue(self.journal.metrics.journal_degraded)
        self.assertEqual(self.journal.metrics.journal_bytes, 0)
        self.assertEqual(list(self.journal.readiness.warnings), [PROBLEM])
        self.assertTrue(self.journal.readiness.ready)

    def test_a_stale_journal_is_deleted(self) -> None:
        """A journal that lacks a change would bring back a guest who was removed, so it does not stay."""
        self.client()
        self.disk.is_full = True
        self.client("two")
        self.assertNotIn(FILE_NAME, self.names())

    def test_it_recovers_when_there_is_space_again(self) -> None:
        """A new file contains everything, also what changed meanwhile."""
        first = self.client()
        self.disk.is_full = True
        self.client("two")
        first.disconnect(1000)
        self.advance(1)
        self.settle()
        self.disk.is_full = False
        self.client("three")
        self.advance(RETRY_SECONDS)
        self.settle()
        self.assertEqual(self.logged(), ["journal-degraded", "journal-recovered"])
        self.assertEqual(self.users(), set(self.switchboard.hub.users))
        self.assertFalse(self.journal.metrics.journal_degraded)
        self.assertEqual(self.journal.metrics.journal_bytes, self.path.stat().st_size)
        self.assertEqual(self.journal.metrics.journal_written, self.journal.wall())
        self.assertEqual(self.journal.readiness.warnings, {})
        self.client("four")
        self.assertEqual(len(self.users()), 3)

    def test_changes_while_it_recovers(self) -> None:
        """A change while the new file is being written is in it."""
        self.client()
        self.disk.is_full = True
        self.client("two")
        self.disk.is_full = False
        self.thread.is_held = True
        self.advance(1)
        self.settle()
        third = self.client("three")
        third.disconnect(1000)
        self.client("four")
        self.thread.run_next()
        self.assertEqual(self.logged(), ["journal-degraded", "journal-recovered"])
        self.assertEqual(self.users(), set(self.switchboard.hub.users))

    def test_a_disk_that_is_read_only(self) -> None:
        """Files that can be neither created nor deleted degrade the journal as well."""
        self.client()
        self.disk.is_full = self.disk.is_read_only = True
        self.client("two")
        self.advance(2 * RETRY_SECONDS)
        self.settle()
        self.assertEqual(self.logged(), ["journal-degraded"])
        self.disk.is_full = self.disk.is_read_only = False
        self.advance(RETRY_SECONDS)
        self.settle()
        self.assertEqual(len(self.users()), 2)

    def test_a_start_on_a_full_disk(self) -> None:
        """The daemon starts without a journal, and writes one later."""
        self.client()
        for fault in ("is_full", "is_read_only", "is_failing"):
            disk = Disk(**{fault: True})
            directory = self.directory / fault
            journal = make_journal(self.switchboard, directory, self.clock, self.thread, file=DiskFile(directory, disk))
            journal.start()
            self.assertTrue(journal.metrics.journal_degraded)
            setattr(disk, fault, False)
            journal.tick()
            self.settle()
            self.assertFalse(journal.metrics.journal_degraded, fault)
            journal.close()

    def test_a_record_that_cannot_be_encoded(self) -> None:
        """It degrades the journal, and the client is served nevertheless."""
        client = self.client()
        user = self.switchboard.hub.users[client.last()["user"]]
        user.address = cast(Any, "\ud800")
        client.disconnect()
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual(self.logged(), ["journal-failed", "journal-degraded"])
        self.assertEqual(self.client("two").last()["type"], "welcome")
        # It cannot be encoded by a new file or by the next start either.
        self.advance(RETRY_SECONDS)
        self.settle()
        self.assertEqual(self.names(), set())
        self.journal.start()
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_a_file_that_would_be_too_large(self) -> None:
        """A file above the bound is given up, since a start could not read it, and a smaller one replaces it."""
        self.client()
        writer = cast(Any, self.journal)._writer
        writer.size = MOST_BYTES
        self.client("two")
        self.assertEqual(self.logged(), ["journal-degraded"])
        self.advance(1)
        self.settle()
        self.assertEqual(self.logged(), ["journal-degraded", "journal-recovered"])
        self.assertEqual(len(self.users()), 2)


class CompactionTests(JournalTestCase):
    """Tests of how the file is replaced by a smaller one."""

    def grow(self, connection: MemoryConnection, session: str) -> None:
        """Change a session until the file is due for a compaction."""
        before = self.path.stat().st_ino
        for _ in range(LEAST_BYTES // 300):
            if cast(Any, self.journal)._compaction is not None or self.path.stat().st_ino != before:
                return
            self.switchboard.registry.changes.add_session(cast(Any, session))
            self.switchboard.record_changes()
        raise AssertionError("no compaction was started")

    def open(self, connection: MemoryConnection) -> str:
        """Open a session."""
        connection.say(type="open", capacity=8)
        session: str = connection.last()["session"]
        return session

    def test_the_file_is_bounded(self) -> None:
        """It is compacted when it has grown to `LEAST_BYTES`, to the size of what is live."""
        host = self.client()
        session = self.open(host)
        for _ in range(3):
            self.grow(host, session)
            size = self.path.stat().st_size
            self.assertLess(size, LEAST_BYTES + 4096)
            before = self.rebuilt().snapshot
            self.settle()
            self.assertLess(self.path.stat().st_size, 4096)
            self.assertEqual(self.rebuilt().snapshot, before)
        self.assertEqual(self.names(), {FILE_NAME})
        self.assertEqual(self.logged(), [])

    def test_a_large_server_grows_by_a_factor(self) -> None:
        """With more live records than `LEAST_BYTES` the file is compacted at `GROWTH` times their size."""
        self.assertEqual(GROWTH, 2)
        journal = cast(Any, self.journal)
        journal._live_bytes = 10 * LEAST_BYTES
        journal._writer.size = GROWTH * 10 * LEAST_BYTES - 5000
        self.client()
        self.assertIsNone(journal._compaction)
        journal._writer.size = GROWTH * (10 * LEAST_BYTES + 5000)
        self.client("two")
        self.assertIsNotNone(journal._compaction)

    def test_it_is_written_in_slices(self) -> None:
        """Changes while a compaction is under way are in both files, also those of what is written or still to be."""
        connections = [self.client(str(number)) for number in range(3 * SLICE)]
        session = self.open(connections[0])
        self.grow(connections[0], session)
        self.clock.advance(0.0)
        connections[1].disconnect(1000)
        connections[-1].disconnect(1000)
        late = self.client("late")
        self.thread.is_held = True
        self.settle()
        connections[2].disconnect(1000)
        last = self.client("last")
        before = self.rebuilt().snapshot
        while self.thread.held:
            self.thread.run_next()
        self.thread.is_held = False
        after = self.rebuilt().snapshot
        self.assertEqual({user.id: user for user in after.users}, {user.id: user for user in before.users})
        self.assertEqual({user.id for user in after.users}, set(self.switchboard.hub.users))
        for connection in (late, last):
            self.assertIn(connection.last()["user"], {user.id for user in after.users})
        self.assertEqual([record.session for record in after.sessions], [record.session for record in before.sessions])
        self.assertLess(self.path.stat().st_size, LEAST_BYTES)
        self.client("afterwards")
        self.assertEqual(self.users(), set(self.switchboard.hub.users))

    def test_what_was_written_during_the_rename_is_synced(self) -> None:
        """A change after the sync of the new file is synced like any other."""
        host = self.client()
        self.grow(host, self.open(host))
        self.thread.is_held = True
        self.settle()
        call, done = self.thread.held.pop()
        call()
        self.client("late")
        done.callback(None)
        self.thread.is_held = False
        before = self.disk.syncs
        self.clock.advance(2 * SYNC_SECONDS)
        self.assertEqual(self.disk.syncs, before + 1)

    def test_a_compaction_that_fails_leaves_the_file_in_use(self) -> None:
        """It is tried again after `RETRY_SECONDS`, and nothing is degraded meanwhile."""
        host = self.client()
        session = self.open(host)
        self.grow(host, session)
        self.disk.is_full = True
        self.clock.advance(0.0)
        self.disk.is_full = False
        self.assertEqual(self.names(), {FILE_NAME})
        self.assertEqual(self.logged(), [])
        inode = self.path.stat().st_ino
        self.client("two")
        self.settle()
        self.assertEqual(self.path.stat().st_ino, inode)
        self.advance(RETRY_SECONDS)
        self.client("three")
        self.settle()
        self.assertNotEqual(self.path.stat().st_ino, inode)
        self.assertEqual(len(self.users()), 3)

    def test_a_compaction_that_cannot_begin(self) -> None:
        """A directory in which no file can be created leaves the file in use."""
        host = self.client()
        session = self.open(host)
        self.disk.is_read_only = True
        for _ in range(LEAST_BYTES // 300):
            self.switchboard.registry.changes.add_session(cast(Any, session))
            self.switchboard.record_changes()
        self.assertEqual(self.logged(), [])
        self.disk.is_read_only = False
        self.assertGreater(self.path.stat().st_size, LEAST_BYTES)
        self.advance(RETRY_SECONDS)
        self.client("two")
        self.settle()
        self.assertLess(self.path.stat().st_size, LEAST_BYTES)

    def test_a_rename_that_fails(self) -> None:
        """Which of the two files has the name is not known then, so that a third one is written."""
        host = self.client()
        self.grow(host, self.open(host))
        self.thread.is_held = True
        self.settle()
        self.disk.is_failing = True
        self.thread.run_next()
        self.thread.is_held = self.disk.is_failing = False
        self.assertEqual(self.logged(), ["journal-degraded"])
        self.advance(RETRY_SECONDS)
        self.settle()
        self.assertEqual(self.logged(), ["journal-degraded", "journal-recovered"])
        self.assertEqual(self.users(), set(self.switchboard.hub.users))

    def start_rename(self) -> None:
        """Begin a compaction, up to the thread that renames the new file."""
        host = self.client()
        self.grow(host, self.open(host))
        self.thread.is_held = True
        self.settle()
        self.assertEqual(len(self.thread.held), 1)

    def test_a_write_that_fails_during_the_rename(self) -> None:
        """The renamed file lacks a change, so that it does not stay."""
        self.start_rename()
        self.disk.is_full = True
        self.client("two")
        self.disk.is_full = False
        self.thread.run_next()
        self.assertNotIn(FILE_NAME, self.names())
        self.thread.is_held = False
        self.advance(RETRY_SECONDS)
        self.settle()
        self.assertEqual(self.logged(), ["journal-degraded", "journal-recovered"])
        self.assertEqual(self.users(), set(self.switchboard.hub.users))

    def test_a_rename_that_fails_after_it_was_given_up(self) -> None:
        """It changes nothing any more."""
        self.start_rename()
        self.disk.is_full = True
        self.client("two")
        self.disk.is_failing = True
        self.thread.run_next()
        self.assertEqual(self.logged(), ["journal-degraded"])

    def test_a_stop_during_the_rename(self) -> None:
        """A journal that is closed stays, and one that is removed is gone, although the thread renames a file later."""
        self.start_rename()
        self.journal.remove()
        self.thread.run_next()
        self.assertEqual(self.names(), set())

    def test_a_hand_over_during_the_rename(self) -> None:
        """The file that is left is complete, whichever of the two it is."""
        self.start_rename()
        users = set(self.switchboard.hub.users)
        self.journal.close()
        self.assertEqual(self.users(), users)
        self.thread.run_next()
        self.assertEqual(self.users(), users)
        self.assertEqual(self.names(), {FILE_NAME})

    def test_settling_waits_for_the_rename(self) -> None:
        """After `settle` and `close` no file is renamed or deleted any more, since these are a successor's then."""
        self.start_rename()
        settled = Deferred.fromCoroutine(self.journal.settle())
        for _ in range(100):
            self.clock.advance(SETTLE_POLL_SECONDS)
        self.assertNoResult(settled)
        while self.thread.held:
            self.assertNoResult(settled)
            self.thread.run_next()
            self.clock.advance(SETTLE_POLL_SECONDS)
        self.successResultOf(settled)
        self.journal.close()
        (self.directory / "journal.new").write_bytes(b"of the successor")
        self.settle()
        self.advance(2 * CLOCK_SECONDS)
        self.assertEqual((self.names(), self.thread.held), ({FILE_NAME, "journal.new"}, []))

    def test_settling_waits_for_a_sync(self) -> None:
        """A sync that is under way is waited for; where nothing is, `settle` does not wait."""
        self.successResultOf(Deferred.fromCoroutine(self.journal.settle()))
        self.thread.is_held = True
        self.client()
        self.clock.advance(SYNC_SECONDS)
        settled = Deferred.fromCoroutine(self.journal.settle())
        self.assertNoResult(settled)
        self.thread.run_next()
        self.successResultOf(settled)

    def test_a_compaction_that_begins_while_an_upgrade_waits(self) -> None:
        """`settle` waits for its rename as well, so that the successor's file is not renamed by this process."""
        host = self.client()
        session = self.open(host)
        self.thread.is_held = True
        self.clock.advance(SYNC_SECONDS)
        settled = Deferred.fromCoroutine(self.journal.settle())
        self.grow(host, session)
        self.settle()
        self.assertNoResult(settled)
        self.thread.run_next()
        self.settle()
        self.clock.advance(SETTLE_POLL_SECONDS)
        self.assertNoResult(settled)
        self.thread.is_held = False
        while self.thread.held:
            self.thread.run_next()
        self.clock.advance(SETTLE_POLL_SECONDS)
        self.successResultOf(settled)
        self.assertEqual(self.names(), {FILE_NAME})

    def test_a_stop_during_the_slices(self) -> None:
        """A compaction that is under way is given up, and its file is deleted."""
        host = self.client()
        self.grow(host, self.open(host))
        self.journal.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.settle()
        self.assertEqual(self.names(), {FILE_NAME})
