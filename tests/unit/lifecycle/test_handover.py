"""Tests of `signald.lifecycle.handover`, which hands users and sessions over from one process to the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.passwords import PasswordLink
from signald.core.messages import AppMessage
from signald.core.reconnect_window import ReconnectWindow
from signald.dialects.serde import Serde
from signald.lifecycle.handover import Handover
from signald.lifecycle.state_file import FILE_NAME, StateFile
from signald.server.switchboard import Switchboard
from tests.support.access import find_link
from tests.support.connections import MemoryConnection, make_switchboard

NOW = 1_800_000_000.0

MOST = 300.0


class Process:
    """The switchboard of a process, with the hand-over that saves and restores its state."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.switchboard: Switchboard = make_switchboard(self.clock)
        self.handover = Handover(self.switchboard, StateFile(directory), MOST)

    def open(self) -> MemoryConnection:
        """Connect a client of the native dialect."""
        return MemoryConnection(self.switchboard)


class HandoverTests(SynchronousTestCase):
    """Tests of saving and restoring the state."""

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

    def event_names(self) -> list[str]:
        """Return the names of the logged events."""
        return [str(event.get("event")) for event in self.events]

    def start_next(self, seconds: float = 1.0) -> Process:
        """Start the next process, `seconds` after the state was saved."""
        later = Process(self.directory)
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
        """A state is restored only once: if the process that restored it crashes, the next one finds no state."""
        self.old.handover.save(NOW)
        self.start_next()
        self.assertEqual(self.start_next().switchboard.hub.users, {})

    def test_damaged(self) -> None:
        """A damaged state file is logged, and the process starts without users."""
        self.old.handover.save(NOW)
        path = self.directory / FILE_NAME
        path.write_bytes(path.read_bytes()[:-1])
        self.assertEqual(self.start_next().switchboard.hub.users, {})
        self.assertEqual(self.event_names(), ["state-written", "state-damaged"])

    def test_a_fault_in_restoring(self) -> None:
        """An exception during the restore is logged, the file is set aside, and the process starts without users."""
        self.old.handover.save(NOW)
        later = Process(self.directory)
        hub = later.switchboard.hub
        hub.limits = cast(Any, None)
        later.handover.restore(NOW + 1)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.assertEqual(self.event_names(), ["state-written", "state-unusable"])
        self.assertEqual((hub.users, later.switchboard.registry.users), ({}, {}))
        self.assertEqual({path.name for path in self.directory.iterdir()} - {".lock"}, {"state.damaged"})

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
        self.old.switchboard.announce_stop(ReconnectWindow(1, 1), lambda: 0.0)
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
        self.directory.write_bytes(b"")
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

    def test_clients_that_cannot_come_back(self) -> None:
        """Clients of the original dialect cannot reconnect, so that neither they nor their sessions are restored."""
        process = Process(self.directory)
        MemoryConnection(process.switchboard, Serde()).receive(b'"SessionNew"')
        process.handover.save(NOW)
        later = self.start_next()
        self.assertEqual((later.switchboard.registry.sessions, later.switchboard.registry.users), ({}, {}))
