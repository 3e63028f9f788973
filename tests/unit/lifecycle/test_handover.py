"""Tests of `signald.lifecycle.handover`, which hands users and sessions over from one process to the next."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.passwords import PasswordLink
from signald.core.messages import AppMessage
from signald.dialects.serde import Serde
from signald.lifecycle.handover import Handover
from signald.lifecycle.journal_file import FILE_NAME as JOURNAL_NAME
from signald.lifecycle.journal_file import JournalFile
from signald.lifecycle.state_file import FILE_NAME, StateFile
from signald.server.switchboard import Switchboard
from tests.support.access import find_link
from tests.support.connections import MemoryConnection, make_switchboard
from tests.support.journals import make_journal

NOW = 1_800_000_000.0

MOST = 300.0


class Process:
    """The switchboard of a process, with the hand-over that saves and restores its state."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.switchboard: Switchboard = make_switchboard(self.clock)
        self.journal = make_journal(self.switchboard, directory, self.clock)
        self.handover = Handover(self.switchboard, StateFile(directory), self.journal, MOST, self.journal.metrics)

    def open(self) -> MemoryConnection:
        """Connect a client of the native dialect."""
        return MemoryConnection(self.switchboard)


class HandoverTestCase(SynchronousTestCase):
    """Has a process with two clients in a session."""

    def setUp(self) -> None:
        """Connect a host and a guest to a session that is kept."""
        self.directory = Path(self.mktemp())
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.old = Process(self.directory)
        self.host = self.old.open()
        self.host.say(type="hello", version=1, instance="host")
        self.host_secret = self.host.last()["secret"]
        self.host_user = self.host.last()["user"]
        self.host.say(type="open", keep=True)
        self.session = self.host.last()["session"]
        self.guest = self.old.open()
        self.guest.say(type="hello", version=1, instance="guest")
        self.guest.say(type="join", session=self.session)

    def file_names(self) -> set[str]:
        """Return the names of the files in the data directory, without the lock file."""
        return {path.name for path in self.directory.iterdir()} - {".lock"}

    def event_names(self) -> list[str]:
        """Return the names of the logged events."""
        return [str(event.get("event")) for event in self.events]

    def start_next(self, seconds: float = 1.0) -> Process:
        """Start the next process, `seconds` after the state was saved."""
        later = Process(self.directory)
        self.metrics = later.journal.metrics
        later.handover.restore(NOW + seconds)
        return later

    def resume(self, process: Process, received: int) -> MemoryConnection:
        """Resume as the host, which acknowledges `received` messages."""
        connection = process.open()
        connection.say(
            type="resume", version=1, user=self.host_user, secret=self.host_secret, instance="host",
            received=received,
        )  # fmt: skip
        return connection


class HandoverTests(HandoverTestCase):
    """Tests of saving and restoring the state."""

    def test_everything_goes_on(self) -> None:
        """A message received before the save is delivered once, by the next process, to the host that resumes."""
        received = len([frame for frame in self.host.frames if b"welcome" not in frame])
        self.guest.say(type="message", session=self.session, content="before")
        self.old.handover.save(NOW)
        again = self.resume(self.start_next(), received)
        bodies = [json.loads(frame) for frame in again.frames]
        self.assertEqual([body["type"] for body in bodies], ["welcome", "message"])
        self.assertEqual((bodies[0]["resumed"], bodies[1]["content"]), ("everything", "before"))
        self.assertEqual(self.event_names(), ["state-written", "state-restored"])
        self.assertEqual((self.metrics.state_written, self.metrics.state_degraded), (NOW, False))

    def test_nothing_happens_after_the_state(self) -> None:
        """After the save, messages are neither delivered nor counted, and no member is notified of a disconnect."""
        before = len(self.host.frames), len(self.guest.frames)
        self.old.handover.save(NOW)
        for _ in range(40):
            self.guest.say(type="message", session=self.session, content="after")
        self.guest.disconnect(1012)
        self.old.clock.advance(60)
        self.old.switchboard.tick()
        self.assertEqual((len(self.host.frames), len(self.guest.frames)), before)
        later = self.start_next()
        guest = next(user for id, user in later.switchboard.hub.users.items() if id != self.host_user)
        self.assertEqual(guest.inbox.received, 1)  # the join

    def test_no_secret_is_in_the_file(self) -> None:
        """The state file does not contain the secret with which a user resumes."""
        self.old.handover.save(NOW)
        self.assertNotIn(self.host_secret.encode(), (self.directory / FILE_NAME).read_bytes())

    def test_too_old(self) -> None:
        """From a state that is too old, only kept sessions are restored, and no users."""
        self.old.handover.save(NOW)
        later = self.start_next(MOST + 1)
        self.assert_only_the_kept_session(later)
        self.assertEqual(self.event_names(), ["state-written", "state-old", "state-restored"])

    def test_a_clock_that_went_back(self) -> None:
        """If the wall clock was set back, the age is unknown, and the state counts as too old."""
        self.old.handover.save(NOW)
        self.assert_only_the_kept_session(self.start_next(-1))

    def assert_only_the_kept_session(self, process: Process) -> None:
        """Assert that the process has restored the kept session, and nothing else."""
        hub, registry = process.switchboard.hub, process.switchboard.registry
        self.assertEqual((set(registry.users), set(hub.users), set(hub.sessions)), (set(), set(), set()))
        self.assertEqual((hub.lifetimes.active, hub.lifetimes.expires, hub.lifetimes.idle_checks), ({}, {}, {}))
        self.assertEqual((set(registry.sessions), set(registry.kept_since)), ({self.session}, {self.session}))
        self.assertEqual(json.loads(self.resume(process, 2).frames[0])["resumed"], "nothing")

    def test_age_counts(self) -> None:
        """The time between two processes is subtracted from the remaining lifetime of a session."""
        before = self.old.switchboard.hub.lifetimes.expires[self.session] - self.old.clock.seconds()
        self.old.handover.save(NOW)
        later = self.start_next(100.0)
        self.assertAlmostEqual(
            later.switchboard.hub.lifetimes.expires[self.session] - later.clock.seconds(), before - 100
        )

    def test_a_crash_loop(self) -> None:
        """A state is read only once: if the process that reads it crashes, the next one finds no state."""
        self.old.handover.save(NOW)
        StateFile(self.directory).take(NOW)
        self.assertEqual(self.start_next().switchboard.hub.users, {})

    def test_a_crash_after_the_restore(self) -> None:
        """The journal of the process that restored a state contains what was restored."""
        self.old.handover.save(NOW)
        self.assertEqual(self.file_names(), {"state.json"})
        self.start_next()
        self.assertEqual(self.file_names(), {"journal"})
        self.assertEqual(set(self.start_next().switchboard.hub.users), set(self.old.switchboard.hub.users))

    def test_damaged(self) -> None:
        """A damaged state file is logged, and the process starts without users."""
        self.old.handover.save(NOW)
        path = self.directory / FILE_NAME
        path.write_bytes(path.read_bytes()[:-1])
        self.assertEqual(self.start_next().switchboard.hub.users, {})
        self.assertEqual(self.event_names(), ["state-written", "state-damaged"])
        self.assertTrue(self.metrics.state_degraded)

    def test_a_fault_in_restoring(self) -> None:
        """An exception during the restore is logged, the file is set aside, and the process starts without users."""
        self.old.handover.save(NOW)
        later = Process(self.directory)
        hub = later.switchboard.hub
        hub.limits = cast(Any, None)
        later.handover.restore(NOW + 1)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.assertEqual(self.event_names(), ["state-written", "state-unusable"])
        self.assertTrue(later.journal.metrics.state_degraded)
        self.assertEqual((hub.users, later.switchboard.registry.users), ({}, {}))
        self.assertEqual(self.file_names(), {"state.damaged", "journal"})

    def test_one_record_that_cannot_be_restored(self) -> None:
        """If one record cannot be restored, none of the others is restored either."""
        snapshot = self.old.switchboard.suspend()
        broken = evolve(snapshot.users[-1], requests=[cast(Any, None)])
        later = Process(self.directory).switchboard
        with self.assertRaises(AssertionError):
            later.restore(evolve(snapshot, users=[*snapshot.users[:-1], broken]))
        self.assertEqual((later.hub.users, later.hub.sessions), ({}, {}))
        self.assertEqual((later.registry.users, later.registry.sessions), ({}, {}))

    def test_a_password_that_is_not_checked_in_time(self) -> None:
        """Requests whose passwords are not checked before the stop fail, and the file contains none of the passwords.

        This includes a request that waits behind another request of the same client.
        """
        slow: Deferred[str] = Deferred()
        find_link(self.old.switchboard.access, PasswordLink).run = lambda _: slow
        self.host.say(type="open", password="open sesame", id="1")
        self.host.say(type="ping", id="2")
        self.host.say(type="join", session=self.session, password="open poppy", id="3")
        self.old.switchboard.reject_passwords()
        errors = [body for body in map(json.loads, self.host.frames) if body["type"] == "error"]
        self.assertEqual([(body["code"], body["id"]) for body in errors], [("too-many-passwords", "1"),
                                                                         ("too-many-passwords", "3")])  # fmt: skip
        self.old.handover.save(NOW)
        self.assertNotIn(b"open ", (self.directory / FILE_NAME).read_bytes())
        slow.callback("")  # a result after the save has no effect
        later = self.start_next()
        self.assertEqual(later.switchboard.hub.users[self.host_user].inbox.received, 3)
        self.assertEqual(list(later.switchboard.registry.sessions), [self.session])

    def test_unwritable_file(self) -> None:
        """If the file cannot be written, a warning is logged, and no exception is raised."""
        self.directory = Path(self.mktemp())
        self.directory.write_bytes(b"")
        self.old.handover = evolve(self.old.handover, file=StateFile(self.directory))
        self.old.handover.save(NOW)
        self.assertEqual(self.event_names(), ["state-lost"])

    def test_state_that_cannot_be_encoded(self) -> None:
        """If the state cannot be encoded, the error is logged, and the next process starts without users."""
        user = self.old.switchboard.hub.users[self.host_user]
        user.queue.waiting.append(AppMessage(self.session, "\ud800"))
        self.old.handover.save(NOW)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual(self.event_names(), ["state-failed"])
        self.assertEqual(self.start_next().switchboard.hub.users, {})

    def test_unreadable_file(self) -> None:
        """If the file cannot be read, a warning is logged, and the process starts without users."""
        self.directory.mkdir()
        (self.directory / FILE_NAME).mkdir()
        self.assertEqual(self.start_next().switchboard.hub.users, {})
        self.assertEqual(self.event_names(), ["state-unreadable"])
        self.assertTrue(self.metrics.state_degraded)

    def test_clients_that_cannot_come_back(self) -> None:
        """Clients of the original dialect cannot reconnect, so that neither they nor their sessions are restored."""
        process = Process(self.directory)
        MemoryConnection(process.switchboard, Serde()).receive(b'"SessionNew"')
        process.handover.save(NOW)
        later = self.start_next()
        self.assertEqual((later.switchboard.registry.sessions, later.switchboard.registry.users), ({}, {}))


class CrashTests(HandoverTestCase):
    """Tests of a start after a process that did not save its state."""

    def setUp(self) -> None:
        """Connect a host and a guest to a session, with a journal."""
        super().setUp()
        self.old.handover.restore(NOW)
        self.path = self.directory / JOURNAL_NAME

    def survival(self, process: Process) -> str:
        """Resume as the host, and return what survived."""
        survival: str = json.loads(self.resume(process, 0).frames[0])["resumed"]
        return survival

    def test_clients_resume_with_their_membership(self) -> None:
        """After a crash the host is still in its session, and the log says what was restored."""
        later = self.start_next()
        frames = [json.loads(frame) for frame in self.resume(later, 2).frames]
        self.assertEqual([frame["type"] for frame in frames], ["welcome", "joined"])
        self.assertEqual((frames[0]["resumed"], frames[1]["session"]), ("membership", self.session))
        [event] = [event for event in self.events if event.get("event") == "journal-restored"]
        self.assertEqual((event["users"], event["sessions"], event["age"], event["unused"]), (2, 1, 1.0, 0))
        self.assertEqual(self.event_names(), ["journal-restored"])
        self.assertEqual(self.file_names(), {"journal"})

    def test_one_crash_after_the_other(self) -> None:
        """A process that crashes at any time after its start leaves what it found, and its changes."""
        second = self.start_next()
        newcomer = second.open()
        newcomer.say(type="hello", version=1, instance="new")
        third = self.start_next()
        self.assertIn(newcomer.last()["user"], third.switchboard.hub.users)
        self.assertEqual(len(third.switchboard.hub.users), 3)
        self.assertEqual(self.survival(third), "membership")

    def test_a_process_that_is_killed_at_its_start(self) -> None:
        """The journal is read again, until a start has written its own."""
        JournalFile(self.directory).take()
        JournalFile(self.directory).take()
        self.assertEqual(self.survival(self.start_next()), "membership")
        self.assertEqual(self.file_names(), {"journal"})

    def test_too_late(self) -> None:
        """After the time in which users can come back only kept sessions are restored."""
        later = self.start_next(MOST + 1.0)
        self.assertEqual((later.switchboard.hub.users, later.switchboard.registry.users), ({}, {}))
        self.assertEqual(list(later.switchboard.registry.sessions), [self.session])
        self.assertEqual(self.event_names(), ["state-old", "journal-restored"])

    def test_the_age_is_that_of_the_end(self) -> None:
        """A server that lived for hours without a change, and crashed a moment ago, counts as a moment old."""
        for _ in range(2000):
            self.old.clock.advance(5.0)
            self.old.journal.tick()
        self.assertEqual(self.survival(self.start_next(2000 * 5.0 + 2.0)), "membership")

    def test_a_clock_that_went_back(self) -> None:
        """The age is unknown then, and users cannot come back."""
        self.assertEqual(self.survival(self.start_next(-1.0)), "nothing")

    def test_a_stop_wins_over_a_crash(self) -> None:
        """The state file is used where there is one, and the journal of the process before it is replaced."""
        content = self.path.read_bytes()
        self.old.handover.save(NOW)
        self.path.write_bytes(content)
        self.path.chmod(0o600)
        JournalFile(self.directory).take()
        later = self.start_next()
        self.assertEqual(self.survival(later), "everything")
        self.assertEqual(self.file_names(), {"journal"})

    def test_a_state_that_cannot_be_used(self) -> None:
        """A damaged state file does not hide the journal."""
        (self.directory / FILE_NAME).write_bytes(b"damaged")
        self.assertEqual(self.survival(self.start_next()), "membership")
        self.assertEqual(self.event_names(), ["state-damaged", "journal-restored"])

    def test_a_state_that_cannot_be_written(self) -> None:
        """The journal stays, so that the next process restores all but undelivered messages."""
        (self.directory / f"{FILE_NAME}.new").mkdir()
        self.old.handover.save(NOW)
        (self.directory / f"{FILE_NAME}.new").rmdir()
        self.assertEqual(self.survival(self.start_next()), "membership")
        self.assertEqual(self.event_names(), ["state-lost", "journal-restored"])

    def test_a_journal_that_cannot_be_deleted(self) -> None:
        """A stop that leaves the journal is said to have done so, and the state file wins at the next start."""
        self.path.unlink()
        self.path.mkdir()
        self.old.handover.save(NOW)
        self.assertEqual(self.event_names(), ["state-left", "state-written"])
        self.path.rmdir()
        self.assertEqual(self.survival(self.start_next()), "everything")

    def test_a_changed_byte(self) -> None:
        """It is said, the file is kept for a diagnosis, and whoever it does not concern comes back."""
        self.old.clock.advance(20.0)
        self.old.journal.tick()
        content = self.path.read_bytes()
        place = content.index(b'"instance":"guest"')
        self.path.write_bytes(content[:place] + b"X" + content[place + 1 :])
        later = self.start_next(21.0)
        self.assertEqual(self.survival(later), "membership")
        self.assertEqual(list(later.switchboard.hub.users), [self.host_user])
        self.assertEqual(self.event_names(), ["journal-restored", "journal-damaged"])
        self.assertTrue(self.metrics.state_degraded)
        [event] = [event for event in self.events if event.get("event") == "journal-damaged"]
        self.assertEqual((event["damaged"], event["dropped"]), (1, 1))
        self.assertEqual(self.file_names(), {"journal", "journal.damaged"})
        self.assertNotIn(self.host_user, str(event))

    def test_a_cut(self) -> None:
        """What is incomplete at the end is no damage."""
        self.path.write_bytes(self.path.read_bytes()[:-20])
        self.start_next()
        self.assertEqual(self.event_names(), ["journal-restored"])
        [event] = [event for event in self.events if event.get("event") == "journal-restored"]
        self.assertGreater(event["unused"], 100)

    def test_a_journal_that_is_open_to_others(self) -> None:
        """It is refused with a sentence, and the start goes on."""
        self.path.chmod(0o644)
        self.assertEqual(self.start_next().switchboard.hub.users, {})
        self.assertEqual(self.event_names(), ["journal-refused"])
        self.assertTrue(self.metrics.state_degraded)
        self.assertEqual(self.file_names(), {"journal", "journal.damaged"})

    def test_a_link(self) -> None:
        """A symbolic link is refused, and what it points to is neither read nor changed."""
        elsewhere = self.directory / "elsewhere"
        self.path.rename(elsewhere)
        content = elsewhere.read_bytes()
        self.path.symlink_to(elsewhere)
        self.assertEqual(self.start_next().switchboard.hub.users, {})
        self.assertEqual(self.event_names(), ["journal-unreadable"])
        self.assertTrue(self.metrics.state_degraded)
        self.assertEqual(elsewhere.read_bytes(), content)
        self.assertEqual(self.file_names(), {"journal", "elsewhere"})

    def test_a_fault_in_restoring(self) -> None:
        """An exception during the restore is logged, the journal is set aside, and the start goes on."""
        later = Process(self.directory)
        later.switchboard.hub.limits = cast(Any, None)
        later.handover.restore(NOW + 1)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.assertEqual(self.event_names(), ["journal-unusable"])
        self.assertTrue(later.journal.metrics.state_degraded)
        self.assertEqual(self.file_names(), {"journal", "journal.damaged"})

    def test_a_directory_without_room(self) -> None:
        """A start without a journal is degraded and goes on, with what the last process left."""
        os.mkdir(self.directory / "journal.new")
        self.assertEqual(self.survival(self.start_next()), "membership")
        self.assertEqual(self.event_names(), ["journal-restored", "journal-degraded"])
