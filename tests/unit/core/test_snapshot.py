"""Snapshots: users and sessions are restored in another process as they were."""

from __future__ import annotations

import orjson
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.messages import (
    AppMessage,
    Candidate,
    Candidates,
    Count,
    End,
    ForwardedCandidates,
    ForwardedMessage,
    Hello,
    Instance,
    Join,
    LeaveReason,
    MemberLeft,
    Open,
    Opened,
    Resume,
    Secret,
    SessionId,
    Source,
    Survival,
    Traits,
    UserId,
    Waiting,
    WaitReason,
    Welcome,
)
from signald.core.reconnect_window import reconnect_seconds
from signald.core.sessions import SessionState
from signald.core.snapshot import aged, dump, load, restore, take_snapshot, without_users
from signald.core.users import PeerId
from tests.support.world import SERDE, World

ONE = Instance("one")

ADDED = frozenset({"former", "connected", "expected", "ticket", "source", "source_kind"})
"""The keys that were added to the records of the first format, all of which have a default."""


def welcomed(world: World, traits: Traits | None = None) -> tuple[PeerId, Welcome]:
    """Welcome a peer that can resume."""
    peer = world.connect(traits)
    [welcome] = world.send(peer, Hello(version=1, instance=ONE))
    assert isinstance(welcome, Welcome)
    return peer, welcome


def again(world: World, seconds: float = 3.0) -> World:
    """Restore the world in another process with another clock, this number of seconds later."""
    data = dump(take_snapshot(world.hub, world.registry, world.now))
    later = World()
    later.now = 77.0
    later.registry.now = 77.0
    later.carry_out(restore(load(data), later.hub, later.registry, later.now))
    later.tick(seconds)
    return later


def resume(world: World, welcome: Welcome, received: int) -> tuple[PeerId, list[object]]:
    """Resume as the user of this welcome."""
    peer = world.connect()
    assert welcome.secret is not None
    return peer, list(world.send(peer, Resume(1, welcome.user, welcome.secret, ONE, Count(received))))


def keys_of(value: object) -> set[str]:
    """Return the keys of all objects in decoded JSON."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def without(value: object, keys: frozenset[str]) -> object:
    """Return decoded JSON without these keys of its objects."""
    if isinstance(value, dict):
        return {key: without(item, keys) for key, item in value.items() if key not in keys}
    return [without(item, keys) for item in value] if isinstance(value, list) else value


class RecordTests(SynchronousTestCase):
    """Taking and restoring a snapshot."""

    def setUp(self) -> None:
        """A host and a guest that can resume."""
        self.world = World()
        self.host, self.host_welcome = welcomed(self.world)
        [opened] = self.world.send(self.host, Open(capacity=3, keep=True))
        assert isinstance(opened, Opened)
        self.opened = opened
        self.guest, self.guest_welcome = welcomed(self.world)
        self.world.send(self.guest, Join(opened.session))
        self.world.receive(self.host)

    def test_the_records_survive_their_form(self) -> None:
        """The decoded snapshot equals the encoded one, and it contains no resume secret."""
        self.world.send(self.guest, AppMessage(self.opened.session, "unread"))
        snapshot = take_snapshot(self.world.hub, self.world.registry, self.world.now)
        data = dump(snapshot)
        self.assertEqual(load(data), snapshot)
        assert self.host_welcome.secret is not None
        self.assertNotIn(self.host_welcome.secret.encode(), data)

    def test_records_of_an_earlier_version(self) -> None:
        """Records without the keys that were added later are restored, and nothing of what they have is lost."""
        self.world.send(self.guest, AppMessage(self.opened.session, "unread"))
        candidate = Candidate("candidate:1 1 udp 1 192.0.2.1 9 typ host")
        self.world.send(self.guest, Candidates(self.opened.session, None, None, (candidate,)))
        content = orjson.loads(dump(take_snapshot(self.world.hub, self.world.registry, self.world.now)))
        self.assertLessEqual(ADDED, keys_of(content))
        later = World()
        later.carry_out(restore(load(orjson.dumps(without(content, ADDED))), later.hub, later.registry, later.now))
        _, [welcome, *events] = resume(later, self.host_welcome, 2)
        assert isinstance(welcome, Welcome)
        self.assertEqual(welcome.resumed, Survival.EVERYTHING)
        user = self.guest_welcome.user
        self.assertEqual(
            events,
            [
                ForwardedMessage(self.opened.session, user, "unread"),
                ForwardedCandidates(self.opened.session, user, (candidate,)),
            ],
        )

    def test_records_of_a_later_version(self) -> None:
        """Keys that this version does not know are ignored."""
        snapshot = take_snapshot(self.world.hub, self.world.registry, self.world.now)
        content = orjson.loads(dump(snapshot))
        for record in (content, *content["users"], *content["sessions"], content["sessions"][0]["session"]):
            record["later"] = {"than": ["this"]}
        self.assertEqual(load(orjson.dumps(content)), snapshot)

    def test_nothing_is_lost(self) -> None:
        """A user resumes with everything: kept events arrive once, and its memberships go on."""
        self.world.send(self.guest, AppMessage(self.opened.session, "before"))
        later = again(self.world)
        # The host has received the events of the opened session and of the guest.
        host, [welcome, message] = resume(later, self.host_welcome, 2)
        assert isinstance(welcome, Welcome)
        self.assertEqual((welcome.resumed, welcome.received), (Survival.EVERYTHING, 1))
        self.assertEqual(message, ForwardedMessage(self.opened.session, self.guest_welcome.user, "before"))
        guest, [welcome] = resume(later, self.guest_welcome, 1)
        later.send(guest, AppMessage(self.opened.session, "after"))
        self.assertEqual(later.receive(host), [ForwardedMessage(self.opened.session, self.guest_welcome.user, "after")])

    def test_all_are_away(self) -> None:
        """Users that were restored count as away until they resume."""
        later = again(self.world)
        away = later.hub.mailboxes.away
        self.assertEqual(set(away.users), {self.host_welcome.user, self.guest_welcome.user})
        resume(later, self.host_welcome, 2)
        self.assertEqual(set(away.users), {self.guest_welcome.user})

    def test_a_user_that_does_not_resume_is_gone(self) -> None:
        """The grace period starts again with the restart.

        When it ends, the other members get the event that the user is gone.
        """
        later = again(self.world)
        host, _ = resume(later, self.host_welcome, 2)
        later.tick(later.hub.limits.grace_seconds - 4)
        self.assertEqual(later.receive(host), [])
        later.tick(4)
        self.assertEqual(
            later.receive(host), [MemberLeft(self.opened.session, self.guest_welcome.user, LeaveReason.GONE)]
        )

    def test_a_user_that_cannot_resume_is_gone_at_once(self) -> None:
        """The other members get the event when they resume."""
        world = World()
        host, welcome = welcomed(world)
        [opened] = world.send(host, Open())
        assert isinstance(opened, Opened)
        _, guest = world.join_session(opened.session, SERDE)
        later = again(world)
        _, [_, left] = resume(later, welcome, 2)
        self.assertEqual(left, MemberLeft(opened.session, guest, LeaveReason.GONE))

    def test_durations_go_on(self) -> None:
        """A session's idle time and age continue across the restart."""
        self.world.tick(80000)
        later = again(self.world)
        id = self.opened.session
        expires = later.hub.lifetimes.expires[id] - later.now
        self.assertAlmostEqual(expires, self.world.hub.lifetimes.expires[id] - self.world.now - 3)

    def test_kept_sessions_are_known(self) -> None:
        """Their ages and order are restored, and their visitors go on waiting."""
        self.world.disconnect(self.guest)
        self.world.disconnect(self.host)
        self.world.tick(31)
        id = self.opened.session
        self.assertEqual(self.world.registry.kept_since, {id: self.world.registry.now})
        early, welcome = welcomed(self.world)
        self.assertEqual(self.world.send(early, Join(id)), [Waiting(id, WaitReason.HOST)])
        later = again(self.world, seconds=0.0)
        self.assertEqual(later.registry.kept_since, {id: 77.0})
        host, _ = welcomed(later)
        later.send(host, Open(session=id, host_key=self.opened.host_key))
        _, events = resume(later, welcome, 1)
        self.assertEqual([type(event).__name__ for event in events], ["Welcome", "Joined"])

    def test_host_keys_are_not_written(self) -> None:
        """An event that is not acknowledged and a request that waits have their host key back after the restart."""
        assert self.opened.host_key is not None
        self.world.send(self.host, End(self.opened.session))
        self.world.hub.received(self.guest, Open(label="first"), self.world.now)
        self.world.hub.received(
            self.guest, Open(session=self.opened.session, host_key=self.opened.host_key), self.world.now
        )
        data = dump(take_snapshot(self.world.hub, self.world.registry, self.world.now))
        self.assertNotIn(self.opened.host_key.encode(), data)
        later = again(self.world)
        self.assertIn(self.opened.session, later.hub.users[self.guest_welcome.user].sessions)
        _, events = resume(later, self.host_welcome, 0)
        self.assertEqual(events[1], self.opened)

    def test_other_secrets_are_not_written(self) -> None:
        """No password, token or resume secret of a waiting request is in the snapshot."""
        queue = self.world.hub.users[self.guest_welcome.user].queue
        secret = "open sesame"
        queue.waiting.extend(
            (
                Open(password=secret),
                Join(self.opened.session, password=secret),
                Hello(1, token=secret),
                Resume(1, self.guest_welcome.user, Secret(secret), ONE, Count(0), token=secret),
                Open(session=self.opened.session, host_key=Secret(secret)),
            )
        )
        snapshot = take_snapshot(self.world.hub, self.world.registry, self.world.now)
        self.assertNotIn(secret.encode(), dump(snapshot))
        self.assertEqual([len(record.requests) for record in snapshot.users], [0, 3])

    def test_secrets_that_stay_in_memory(self) -> None:
        """A snapshot that is not written keeps requests with passwords and host keys, which are carried out later."""
        assert self.opened.host_key is not None
        queue = self.world.hub.users[self.guest_welcome.user].queue
        waiting = (Open(password="open sesame"), Open(session=self.opened.session, host_key=self.opened.host_key))
        queue.waiting.extend(waiting)
        snapshot = take_snapshot(self.world.hub, self.world.registry, self.world.now, keep_secrets=True)
        data = dump(snapshot)
        self.assertIn(self.opened.host_key.encode(), data)
        self.assertEqual(load(data).users[1].requests, list(waiting))
        later = World()
        later.carry_out(restore(load(data), later.hub, later.registry, later.now))
        self.assertEqual(len(later.hub.users[self.guest_welcome.user].sessions), 2)
        _, events = resume(later, self.host_welcome, 0)
        self.assertEqual(events[1], self.opened)

    def test_requests_that_wait_are_carried_out(self) -> None:
        """A request whose decision had not started, such as a password check, is carried out."""
        user = self.world.hub.users[self.guest_welcome.user]
        user.queue.waiting.append(AppMessage(self.opened.session, "late"))
        later = again(self.world)
        _, events = resume(later, self.host_welcome, 2)
        self.assertEqual(events[1:], [ForwardedMessage(self.opened.session, user.id, "late")])

    def test_a_pending_decision_is_submitted_again(self) -> None:
        """The pending request is the first to be carried out."""
        user = self.world.hub.users[self.guest_welcome.user]
        asked = self.world.hub.received(self.guest, Open(label="mine"), self.world.now)
        self.assertEqual(len(asked), 1)
        later = again(self.world)
        self.assertEqual(len(later.hub.users[user.id].sessions), 2)

    def test_candidates_that_wait_for_the_other_member(self) -> None:
        """A member that joins after the restart gets the early candidates."""
        world = World()
        host, _ = welcomed(world)
        [opened] = world.send(host, Open())
        assert isinstance(opened, Opened)
        batch = Candidates(opened.session, None, None, (Candidate("candidate:1 1 udp 1 192.0.2.1 9 typ host"),))
        self.assertEqual(world.send(host, batch), [])
        later = again(world)
        guest, _ = welcomed(later)
        events = later.send(guest, Join(opened.session))
        self.assertIn("ForwardedCandidates", [type(event).__name__ for event in events])

    def test_sources_are_kept(self) -> None:
        """The source of a message is kept in the outbox and among the early candidates, to the byte."""
        world = World()
        reader = Traits(source_kind="kind")
        texts = ' {"a" :\u00e9} ', "\x00\U0001f600", ""
        sources = [Source("kind", text, translated=text != "") for text in texts]
        host, welcome = welcomed(world, reader)
        [opened] = world.send(host, Open())
        assert isinstance(opened, Opened)
        early = [Candidates(opened.session, None, None, (), source=source) for source in sources]
        self.assertEqual(world.send(host, *early), [])
        later = again(world)
        guest, guest_welcome = welcomed(later, reader)
        _, *received = later.send(guest, Join(opened.session))
        candidates = [ForwardedCandidates(opened.session, welcome.user, (), source=source) for source in sources]
        self.assertEqual(received, candidates)
        _, events = resume(again(later), guest_welcome, 1)
        self.assertEqual(events[1:], candidates)

    def test_records_that_do_not_fit_each_other(self) -> None:
        """A session with an unknown user and a duplicate id are refused."""
        snapshot = take_snapshot(self.world.hub, self.world.registry, self.world.now)
        for wrong in (
            evolve(snapshot, users=snapshot.users[1:]),
            evolve(snapshot, users=snapshot.users * 2),
            evolve(snapshot, sessions=snapshot.sessions * 2),
            evolve(snapshot, gone=[snapshot.users[0].id]),
        ):
            self.assertRaises(ValueError, load, dump(wrong))

    def test_many_have_longer_to_come_back(self) -> None:
        """The grace period is extended by the time in which all users can reconnect at the bounded rate."""
        user = next(iter(again(self.world, seconds=0.0).hub.users.values()))
        self.assertAlmostEqual(user.grace_ends, 77.0 + self.world.hub.limits.grace_seconds + reconnect_seconds(2))

    def test_other_data_than_a_snapshot_is_refused(self) -> None:
        """The error has a sentence for the log."""
        data = dump(take_snapshot(self.world.hub, self.world.registry, self.world.now))
        for wrong in (b"", b"{}", b"[]", data[:-1], data.replace(b'"format":1', b'"format":2')):
            self.assertRaises(ValueError, load, wrong)

    def test_values_of_another_type_are_refused(self) -> None:
        """Values are not coerced: a float in place of an integer could be too large to encode again."""
        data = dump(take_snapshot(self.world.hub, self.world.registry, self.world.now))
        self.assertIn(b'"rotation":1', data)
        for wrong in (b'"rotation":1e30', b'"rotation":true', b'"rotation":"1"', b'"rotation":null'):
            self.assertRaises(ValueError, load, data.replace(b'"rotation":1', wrong))

    def test_the_same_ids(self) -> None:
        """Users and sessions keep their ids."""
        later = again(self.world)
        self.assertEqual(
            (set(later.hub.users), set(later.hub.sessions)),
            ({UserId(self.host_welcome.user), self.guest_welcome.user}, {SessionId(self.opened.session)}),
        )

    def test_a_snapshot_ages(self) -> None:
        """The seconds between two processes count against every timeout: idling, life and keeping alike."""
        lone, lone_welcome = welcomed(self.world)
        [kept] = self.world.send(lone, Open(keep=True))
        assert isinstance(kept, Opened)
        self.world.send(lone, End(kept.session))
        snapshot = take_snapshot(self.world.hub, self.world.registry, self.world.now)
        older = {record.session.id: record for record in aged(snapshot, 7.0).sessions}
        for record in snapshot.sessions:
            later = older[record.session.id]
            if record.session.id == kept.session:
                self.assertEqual((later.idle, later.remaining, later.kept), (None, None, (record.kept or 0.0) + 7.0))
            else:
                assert record.idle is not None
                assert record.remaining is not None
                expected = (record.idle + 7.0, record.remaining - 7.0, None)
                self.assertEqual((later.idle, later.remaining, later.kept), expected)
        self.assertIsNotNone(lone_welcome.secret)

    def test_a_snapshot_without_users_ends_their_memberships(self) -> None:
        """No user can resume, and only the kept sessions are restored."""
        [opened] = self.world.send(self.host, Open())
        assert isinstance(opened, Opened)
        snapshot = without_users(take_snapshot(self.world.hub, self.world.registry, self.world.now))
        self.assertEqual(snapshot.users, [])
        later = World()
        later.carry_out(restore(snapshot, later.hub, later.registry, later.now))
        self.assertEqual((later.hub.users, later.registry.users), ({}, {}))
        self.assertEqual(list(later.registry.sessions), [self.opened.session])
        self.assertIs(later.registry.sessions[self.opened.session].state, SessionState.KEPT)
