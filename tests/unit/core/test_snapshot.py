"""Users and sessions in another process: what is exported is there again after an import."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.messages import (
    AppMessage,
    Candidate,
    Candidates,
    Count,
    ForwardedMessage,
    Hello,
    Instance,
    Join,
    LeaveReason,
    MemberLeft,
    Open,
    Opened,
    Resume,
    SessionId,
    Survival,
    UserId,
    Waiting,
    WaitReason,
    Welcome,
)
from signald.core.reconnect_window import return_seconds
from signald.core.snapshot import dump, export, load, restore
from signald.core.users import PeerId
from tests.support.world import SERDE, World

ONE = Instance("one")


def welcomed(world: World) -> tuple[PeerId, Welcome]:
    """Make a peer that can resume."""
    peer = world.connect()
    [welcome] = world.say(peer, Hello(version=1, instance=ONE))
    assert isinstance(welcome, Welcome)
    return peer, welcome


def again(world: World, seconds: float = 3.0) -> World:
    """The same in another process, whose clock is another one, after so many seconds."""
    data = dump(export(world.hub, world.registry, world.now))
    later = World()
    later.now = 77.0
    later.registry.now = 77.0
    later.act(restore(load(data), later.hub, later.registry, later.now))
    later.tick(seconds)
    return later


def resume(world: World, welcome: Welcome, received: int) -> tuple[PeerId, list[object]]:
    """Come back as this user."""
    peer = world.connect()
    assert welcome.secret is not None
    return peer, list(world.say(peer, Resume(1, welcome.user, welcome.secret, ONE, Count(received))))


class RecordTests(SynchronousTestCase):
    """Export and import."""

    def setUp(self) -> None:
        """A host and a guest who can come back."""
        self.world = World()
        self.host, self.host_welcome = welcomed(self.world)
        [opened] = self.world.say(self.host, Open(capacity=3, keep=True))
        assert isinstance(opened, Opened)
        self.opened = opened
        self.guest, self.guest_welcome = welcomed(self.world)
        self.world.say(self.guest, Join(opened.session))
        self.world.hears(self.host)

    def test_the_records_survive_their_form(self) -> None:
        """What is read is what was written, secrets hashed."""
        self.world.say(self.guest, AppMessage(self.opened.session, "unread"))
        snapshot = export(self.world.hub, self.world.registry, self.world.now)
        data = dump(snapshot)
        self.assertEqual(load(data), snapshot)
        assert self.host_welcome.secret is not None
        self.assertNotIn(self.host_welcome.secret.encode(), data)

    def test_nothing_is_lost(self) -> None:
        """A user comes back with everything: what waited for it arrives once, and membership goes on."""
        self.world.say(self.guest, AppMessage(self.opened.session, "before"))
        later = again(self.world)
        # The host had heard of the opened session and of the guest.
        host, [welcome, message] = resume(later, self.host_welcome, 2)
        assert isinstance(welcome, Welcome)
        self.assertEqual((welcome.resumed, welcome.received), (Survival.EVERYTHING, 1))
        self.assertEqual(message, ForwardedMessage(self.opened.session, self.guest_welcome.user, "before"))
        guest, [welcome] = resume(later, self.guest_welcome, 1)
        later.say(guest, AppMessage(self.opened.session, "after"))
        self.assertEqual(later.hears(host), [ForwardedMessage(self.opened.session, self.guest_welcome.user, "after")])

    def test_one_who_does_not_come_back_is_gone(self) -> None:
        """The grace begins anew with the import; after it the others hear that somebody is gone."""
        later = again(self.world)
        host, _ = resume(later, self.host_welcome, 2)
        later.tick(later.hub.limits.grace_seconds - 4)
        self.assertEqual(later.hears(host), [])
        later.tick(4)
        self.assertEqual(
            later.hears(host), [MemberLeft(self.opened.session, self.guest_welcome.user, LeaveReason.GONE)]
        )

    def test_one_who_cannot_resume_is_gone_at_once(self) -> None:
        """The others hear it when they are back."""
        world = World()
        host, welcome = welcomed(world)
        [opened] = world.say(host, Open())
        assert isinstance(opened, Opened)
        _, guest = world.joining(opened.session, SERDE)
        later = again(world)
        _, [_, left] = resume(later, welcome, 2)
        self.assertEqual(left, MemberLeft(opened.session, guest, LeaveReason.GONE))

    def test_durations_go_on(self) -> None:
        """A session's idle time and life are counted from before the export."""
        self.world.tick(80000)
        later = again(self.world)
        id = self.opened.session
        expires = later.hub.replicas.expires[id] - later.now
        self.assertAlmostEqual(expires, self.world.hub.replicas.expires[id] - self.world.now - 3)

    def test_kept_sessions_are_known(self) -> None:
        """Their ages as well, the oldest first; who waits there waits on."""
        self.world.disconnect(self.guest)
        self.world.disconnect(self.host)
        self.world.tick(31)
        id = self.opened.session
        self.assertEqual(self.world.registry.kept, {id: self.world.registry.now})
        early, welcome = welcomed(self.world)
        self.assertEqual(self.world.say(early, Join(id)), [Waiting(id, WaitReason.HOST)])
        later = again(self.world, seconds=0.0)
        self.assertEqual(later.registry.kept, {id: 77.0})
        host, _ = welcomed(later)
        later.say(host, Open(session=id, host_key=self.opened.host_key))
        _, events = resume(later, welcome, 1)
        self.assertEqual([type(event).__name__ for event in events], ["Welcome", "Joined"])

    def test_requests_that_wait_are_carried_out(self) -> None:
        """Such as the one whose password was being checked."""
        user = self.world.hub.users[self.guest_welcome.user]
        user.queue.waiting.append(AppMessage(self.opened.session, "late"))
        later = again(self.world)
        _, events = resume(later, self.host_welcome, 2)
        self.assertEqual(events[1:], [ForwardedMessage(self.opened.session, user.id, "late")])

    def test_a_decision_that_was_under_way_begins_anew(self) -> None:
        """Its request is the first to be carried out."""
        user = self.world.hub.users[self.guest_welcome.user]
        asked = self.world.hub.received(self.guest, Open(label="mine"), self.world.now)
        self.assertEqual(len(asked), 1)
        later = again(self.world)
        self.assertEqual(len(later.hub.users[user.id].sessions), 2)

    def test_candidates_that_wait_for_the_other_member(self) -> None:
        """They are there for the one who joins after the restart."""
        world = World()
        host, _ = welcomed(world)
        [opened] = world.say(host, Open())
        assert isinstance(opened, Opened)
        batch = Candidates(opened.session, None, None, (Candidate("candidate:1 1 udp 1 192.0.2.1 9 typ host"),))
        self.assertEqual(world.say(host, batch), [])
        later = again(world)
        guest, _ = welcomed(later)
        events = later.say(guest, Join(opened.session))
        self.assertIn("ForwardedCandidates", [type(event).__name__ for event in events])

    def test_records_that_do_not_fit_each_other(self) -> None:
        """A session of somebody who is not among the users, and what is named twice."""
        snapshot = export(self.world.hub, self.world.registry, self.world.now)
        for wrong in (
            evolve(snapshot, users=snapshot.users[1:]),
            evolve(snapshot, users=snapshot.users * 2),
            evolve(snapshot, sessions=snapshot.sessions * 2),
            evolve(snapshot, gone=[snapshot.users[0].id]),
        ):
            self.assertRaises(ValueError, load, dump(wrong))

    def test_many_have_longer_to_come_back(self) -> None:
        """As long as it takes them all at a rate that the server bears."""
        user = next(iter(again(self.world, seconds=0.0).hub.users.values()))
        self.assertAlmostEqual(user.until, 77.0 + self.world.hub.limits.grace_seconds + return_seconds(2))

    def test_what_is_no_snapshot_is_refused(self) -> None:
        """With a sentence."""
        data = dump(export(self.world.hub, self.world.registry, self.world.now))
        for wrong in (b"", b"{}", b"[]", data[:-1], data.replace(b'"format":1', b'"format":2')):
            self.assertRaises(ValueError, load, wrong)

    def test_values_of_another_type_are_refused(self) -> None:
        """Nothing is made of them: a number that is no integer could be too large to be written again."""
        data = dump(export(self.world.hub, self.world.registry, self.world.now))
        self.assertIn(b'"rotation":1', data)
        for wrong in (b'"rotation":1e30', b'"rotation":true', b'"rotation":"1"', b'"rotation":null'):
            self.assertRaises(ValueError, load, data.replace(b'"rotation":1', wrong))

    def test_the_same_ids(self) -> None:
        """Identities and sessions keep theirs."""
        later = again(self.world)
        self.assertEqual(
            (set(later.hub.users), set(later.hub.sessions)),
            ({UserId(self.host_welcome.user), self.guest_welcome.user}, {SessionId(self.opened.session)}),
        )
