"""Tests of `signald.core.journal_records`: records of users and sessions, and the snapshot that they add up to."""

from __future__ import annotations

import orjson
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.grant import Grant
from signald.core.hub import DisconnectReason
from signald.core.journal_records import Record, Recorder, rebuild
from signald.core.messages import (
    AppMessage,
    Candidate,
    Candidates,
    Change,
    ForwardedMessage,
    Instance,
    Join,
    Joined,
    MemberLeft,
    Open,
    Opened,
    SessionId,
    Survival,
    UserId,
    Welcome,
)
from signald.core.snapshot import CONVERTER, Snapshot, restore, take_snapshot
from tests.support.world import SERDE, Client, World

WALL = 1_800_000_000.0


class RecordTests(SynchronousTestCase):
    """A host and a guest that can resume are in a session that is kept."""

    def setUp(self) -> None:
        """Open the session, and let the guest join."""
        self.world = World()
        self.host, self.guest = Client(self.world), Client(self.world, "two")
        self.session = self.host.open(Open(4, label="Müller", keep=True))
        self.guest.send(Join(self.session, name="Ann"))
        self.host.receive()

    def records(self, world: World | None = None) -> dict[str, Record]:
        """Return the records of all users and sessions by their keys."""
        world = world or self.world
        recorder = Recorder(world.hub, world.registry)
        subjects = [recorder.of_key(key, world.now, WALL) for key in recorder.subjects()]
        return {record.key: record for record in subjects}

    def bodies(self) -> dict[str, bytes]:
        """Return the bodies of all records."""
        return {key: record.body for key, record in self.records().items()}

    def crash(self, snapshot: Snapshot | None = None) -> World:
        """Start another process with what the records contain, or with this snapshot."""
        later = World()
        snapshot = rebuild(self.bodies()).snapshot if snapshot is None else snapshot
        later.carry_out(restore(snapshot, later.hub, later.registry, later.now))
        return later

    def resume(self, world: World, client: Client) -> list[object]:
        """Resume a client in another process, and return the events after the welcome."""
        client.world = world
        return list(client.resume())

    def test_records_add_up_to_the_snapshot_without_mailboxes(self) -> None:
        """The rebuilt snapshot equals the one of an orderly stop, but for messages and counters."""
        self.world.tick(7.0)
        taken = take_snapshot(self.world.hub, self.world.registry, self.world.now)
        users = [evolve(user, received=0, acknowledged=0, whole=False, events=[], requests=[]) for user in taken.users]
        sessions = [evolve(session, idle=0.0) for session in taken.sessions]
        rebuilt = rebuild(self.bodies())
        self.assertEqual(rebuilt.snapshot, evolve(taken, users=users, sessions=sessions))
        self.assertEqual((rebuilt.wall, rebuilt.unreadable), (WALL, frozenset()))

    def test_every_field_is_recorded(self) -> None:
        """The records, which are written by hand, have each field that the decoded ones have."""
        visitor = Client(self.world, "three")
        self.world.registry.users[visitor.user].grant = Grant("ann@example.org", 9999.0, session=self.session)
        self.host.send(Change(self.session, lobby=True))
        visitor.send(Join(self.session, name="Visitor"))
        self.assertEqual(len(self.world.registry.sessions[self.session].visitors), 1)
        rebuilt = rebuild(self.bodies()).snapshot
        raw = [orjson.loads(body)["record"] for body in self.bodies().values()]
        decoded = [*rebuilt.users, *rebuilt.sessions]
        self.assertEqual(raw, [orjson.loads(orjson.dumps(CONVERTER.unstructure(record))) for record in decoded])
        self.assertEqual(len(raw), 4)

    def test_a_client_resumes_with_its_membership(self) -> None:
        """After a crash a resume is answered with `membership` and a `joined` for each session."""
        later = self.crash()
        [joined] = self.resume(later, self.guest)
        self.assertIs(self.guest.survival, Survival.MEMBERSHIP)
        assert isinstance(joined, Joined)
        self.assertEqual((joined.session, joined.label), (self.session, "Müller"))
        self.assertEqual([member.user for member in joined.members], [self.host.user])
        self.resume(later, self.host)
        self.host.send(AppMessage(self.session, "again"))
        self.assertIn(ForwardedMessage(self.session, self.host.user, "again"), self.guest.receive())

    def test_a_welcome_that_was_recorded_and_lost_locks_nobody_out(self) -> None:
        """The secret that the client has stays valid as the previous one."""
        before = self.guest.secret
        self.guest.lose()
        self.guest.resume()
        self.guest.secret = before
        self.resume(self.crash(), self.guest)
        self.assertIs(self.guest.survival, Survival.MEMBERSHIP)

    def test_members_that_cannot_resume_are_gone(self) -> None:
        """A client without an instance has no record, and the others learn that it has left."""
        plain, _ = self.world.join_session(self.session)
        self.assertEqual(len([key for key in self.records() if key.startswith("user:")]), 3)
        dead = [record for record in self.records().values() if not record.is_live]
        self.assertEqual([orjson.loads(record.body)["record"] for record in dead], [None])
        user = self.world.hub.peers[plain].user
        assert user is not None
        snapshot = rebuild(self.bodies()).snapshot
        self.assertEqual(snapshot.gone, [user])
        [joined] = self.resume(self.crash(snapshot), self.host)
        assert isinstance(joined, Joined)
        self.assertEqual([member.user for member in joined.members], [self.guest.user])

    def test_a_client_of_the_original_is_gone(self) -> None:
        """Its session ends with it after a crash, unless a host who can resume has opened it."""
        world = self.world
        _, _, session = world.open_session(traits=SERDE)
        later = self.crash()
        self.assertNotIn(session, later.registry.sessions)

    def test_what_is_over_has_a_record_that_is_null(self) -> None:
        """The record of a user or session that does not exist is not live."""
        recorder = Recorder(self.world.hub, self.world.registry)
        for record in (recorder.user(UserId("A"), 1.0, 2.0), recorder.session(SessionId("S"), 1.0, 2.0)):
            self.assertFalse(record.is_live)
            self.assertEqual(orjson.loads(record.body), {"key": record.key, "at": 1.0, "wall": 2.0, "record": None})
            self.assertEqual(rebuild({record.key: record.body}).snapshot.users, [])

    def test_an_identity_without_a_user_is_not_live(self) -> None:
        """A user that the hub has removed is over, although the registry's decision about it is still to come."""
        recorder = Recorder(self.world.hub, self.world.registry)
        del self.world.hub.users[self.guest.user]
        self.assertFalse(recorder.user(self.guest.user, 1.0, 2.0).is_live)
        del self.world.registry.users[self.host.user]
        self.assertFalse(recorder.user(self.host.user, 1.0, 2.0).is_live)

    def test_the_key_comes_first(self) -> None:
        """A reader can tell the subject from the first bytes of a body, also where the rest is damaged."""
        for key, body in self.bodies().items():
            self.assertTrue(body.startswith(b'{"key":"%s"' % key.encode()))

    def test_no_secret_and_no_message_is_recorded(self) -> None:
        """Resume secrets are recorded as hashes; what waits for a member that is away is not recorded."""
        self.guest.lose()
        self.host.send(AppMessage(self.session, "to be forgotten"))
        self.host.send(Candidates(self.session, None, None, (Candidate("candidate:forgotten"),)))
        content = b"".join(self.bodies().values())
        self.assertNotIn(b"forgotten", content)
        for client in (self.host, self.guest):
            assert client.secret is not None
            self.assertNotIn(client.secret.encode(), content)

    def test_durations_go_on(self) -> None:
        """The time between a record and the latest one counts against a session's life."""
        world = self.world
        bodies = self.bodies()
        before = world.hub.lifetimes.expires[self.session] - world.now
        clock = Recorder(world.hub, world.registry).clock(world.now + 100.0, WALL + 100.0)
        rebuilt = rebuild({**bodies, clock.key: clock.body})
        [session] = rebuilt.snapshot.sessions
        self.assertEqual((session.idle, session.remaining, session.kept), (0.0, before - 100.0, None))
        self.assertEqual(rebuilt.wall, WALL + 100.0)

    def test_a_kept_session_ages(self) -> None:
        """A session that is kept stays kept, and has been for the time before and after its record."""
        self.host.lose(DisconnectReason.LEFT)
        self.world.tick(5.0)
        bodies = self.bodies()
        clock = Recorder(self.world.hub, self.world.registry).clock(self.world.now + 3.0, WALL)
        for order in ({**bodies, clock.key: clock.body}, {clock.key: clock.body, **bodies}):
            [session] = rebuild(order).snapshot.sessions
            self.assertEqual((session.idle, session.remaining, session.kept), (None, None, 8.0))
        later = self.crash()
        self.assertEqual(later.registry.kept_since, {self.session: later.now - 5.0})

    def test_an_open_session_whose_life_is_unknown_has_all_of_it(self) -> None:
        """A record of an open session always says when it ends, so that no session lives for ever after a crash."""
        del self.world.hub.lifetimes.expires[self.session]
        [session] = rebuild(self.bodies()).snapshot.sessions
        self.assertEqual(session.remaining, self.world.hub.limits.session_life_seconds)

    def test_a_body_that_cannot_be_read_costs_its_own_subject(self) -> None:
        """A record of another subject, or of another form, is left out and named."""
        bodies = self.bodies()
        user, session = f"user:{self.guest.user}", f"session:{self.session}"
        host = bodies[f"user:{self.host.user}"]
        changed = orjson.loads(bodies[session])

        def with_session(**values: object) -> bytes:
            return orjson.dumps({**changed, "record": {**changed["record"], **values}})

        wrong = [
            (user, b""),
            (user, b"[]"),
            (user, host),
            (user, host.replace(f'"key":"user:{self.host.user}"'.encode(), f'"key":"{user}"'.encode())),
            (user, bodies[user].replace(b'"at":1000.0', b'"at":"nan"')),
            (user, bodies[user].replace(b'"at":1000.0', b'"at":true')),
            (session, bodies[user]),
            (session, with_session(kept=1.0)),
            (session, with_session(remaining=None)),
            (session, with_session(session={**changed["record"]["session"], "state": "kept"})),
            (session, with_session(session={**changed["record"]["session"], "state": "over"})),
            (session, with_session(session={**changed["record"]["session"], "id": "0123456789"})),
            ("clock:", b'{"key":"clock:","at":1.0,"wall":1.0,"record":{}}'),
        ]
        for key, body in wrong:
            self.assertNotEqual(bodies.get(key), body)
            rebuilt = rebuild({**bodies, key: body})
            self.assertEqual(rebuilt.unreadable, {key})
            self.crash(rebuilt.snapshot)

    def test_a_dropped_user_is_gone_from_its_sessions(self) -> None:
        """A member whose record is lost has left when the others come back."""
        bodies = self.bodies()
        del bodies[f"user:{self.host.user}"]
        rebuilt = rebuild(bodies)
        self.assertEqual(rebuilt.snapshot.gone, [self.host.user])
        self.assertEqual(self.resume(self.crash(rebuilt.snapshot), self.host), [])
        self.assertIs(self.host.survival, Survival.NOTHING)

    def test_a_dropped_session_is_not_joined_again(self) -> None:
        """A member whose session is lost resumes without it, and can open another one."""
        bodies = self.bodies()
        del bodies[f"session:{self.session}"]
        later = self.crash(rebuild(bodies).snapshot)
        self.assertEqual(self.resume(later, self.guest), [])
        self.assertIs(self.guest.survival, Survival.MEMBERSHIP)
        [opened] = [event for event in self.guest.send(Open()) if isinstance(event, Opened)]
        self.assertNotEqual(opened.session, self.session)

    def test_nothing_adds_up_to_nothing(self) -> None:
        """Without records the snapshot is empty."""
        rebuilt = rebuild({})
        self.assertEqual((rebuilt.snapshot.users, rebuilt.snapshot.gone, rebuilt.snapshot.sessions), ([], [], []))

    def test_a_user_that_does_not_come_back_leaves(self) -> None:
        """After the grace the members that are back learn that another one is gone."""
        later = self.crash()
        self.resume(later, self.host)
        later.tick(later.hub.limits.grace_seconds + 1.0)
        left = [event for event in self.host.receive() if isinstance(event, MemberLeft)]
        self.assertEqual([event.user for event in left], [self.guest.user])

    def test_a_reloaded_page_resumes_as_before(self) -> None:
        """A new instance gets `membership` as well."""
        self.guest.world = self.crash()
        self.guest.resume(instance="three")
        self.assertIs(self.guest.survival, Survival.MEMBERSHIP)
        self.assertEqual(self.guest.world.hub.users[self.guest.user].instance, Instance("three"))

    def test_an_identity_can_resume_without_a_session(self) -> None:
        """A client that is in no session keeps its identity."""
        lone = Client(self.world, "lone")
        self.assertEqual(self.resume(self.crash(), lone), [])
        self.assertIs(lone.survival, Survival.MEMBERSHIP)

    def test_welcome(self) -> None:
        """A new client of the next process gets another identity than those that were restored."""
        later = self.crash()
        peer, user = later.welcome_peer(instance="new")
        self.assertNotIn(user, (self.host.user, self.guest.user))
        self.assertNotIn(Welcome, [type(event) for event in later.receive(peer)])
