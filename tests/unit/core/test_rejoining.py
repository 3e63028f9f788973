"""Members that come back to a server which has forgotten them: rejoin tickets and kept peer connections."""

from __future__ import annotations

from typing import TypeVar

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import JoinSession, Refused
from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason
from signald.core.limits import AddressKey, Limits
from signald.core.messages import Change as ChangeRequest
from signald.core.messages import (
    Error,
    Event,
    Join,
    Joined,
    Knock,
    Leave,
    MemberJoined,
    MemberRenewed,
    NotAdmitted,
    Open,
    Opened,
    RefusalReason,
    Remove,
    RequestId,
    Role,
    SessionId,
    Survival,
    UserId,
    Waiting,
    WaitReason,
)
from signald.core.snapshot import restore, take_snapshot
from tests.support.world import Client, World

ID = RequestId("7")
NOWHERE = SessionId("ZZZZZZZZZZ")
OFFICE = AddressKey("192.0.2.2")

_T = TypeVar("_T")


def only(events: list[Event], kind: type[_T]) -> _T:
    """Return the only event of a class."""
    [found] = [event for event in events if isinstance(event, kind)]
    return found


def ticket_of(entered: Opened | Joined) -> str:
    """Return the ticket in a reply."""
    assert entered.ticket is not None
    return entered.ticket


class Case(SynchronousTestCase):
    """Ann has opened a session that Bob and Cat have joined."""

    settings = Open(capacity=4)

    def setUp(self) -> None:
        """Let them meet, and note their tickets."""
        self.world = World()
        self.ann, self.bob, self.cat = (Client(self.world) for _ in range(3))
        opened = only(self.ann.send(self.settings), Opened)
        self.session = opened.session
        self.tickets = {self.ann.user: ticket_of(opened)}
        for guest in (self.bob, self.cat):
            self.tickets[guest.user] = ticket_of(only(guest.send(Join(self.session)), Joined))
        self.old = [client.user for client in (self.ann, self.bob, self.cat)]

    def crash(self) -> None:
        """Start again with another server that knows nothing but the secret; all come back with new identities."""
        tickets = self.tickets
        self.world = World()
        # Other ids than before the crash.
        self.world.registry.ids = evolve(
            self.world.registry.ids, random_bytes=lambda count: next(self.numbers).to_bytes(count, "big")
        )
        self.numbers = iter(range(500, 1000))
        self.tickets = tickets
        self.ann, self.bob, self.cat = (Client(self.world) for _ in range(3))

    def reopen(self, *connected: UserId, password: str | None = None, lobby: bool = False) -> list[Event]:
        """Let Ann open the session again with her ticket."""
        ticket = self.tickets[self.old[0]]
        request = Open(4, password=password, lobby=lobby, session=self.session, ticket=ticket, connected=connected)
        return self.ann.send(evolve(request, id=ID))

    def rejoin(self, client: Client, old: UserId, *connected: UserId, password: str | None = None) -> list[Event]:
        """Let a guest join the session with the ticket of its former identity."""
        return client.send(Join(self.session, None, password, self.tickets[old], connected, ID))

    def refused(self, events: list[Event], code: ErrorCode) -> None:
        """Assert that a join or an open was refused."""
        self.assertEqual([event.code for event in events if isinstance(event, Error)], [code], events)
        self.assertEqual(len(events), 1)


class AfterACrashTests(Case):
    """All identities and the session are lost."""

    def setUp(self) -> None:
        """Crash."""
        super().setUp()
        self.crash()

    def test_guest_first(self) -> None:
        """A guest with a ticket waits for the host; both are told who the other was, and that they keep the pair."""
        ann, bob, _ = self.old
        self.assertEqual(self.rejoin(self.bob, bob, ann), [Waiting(self.session, WaitReason.HOST, ID)])
        [view] = only(self.reopen(bob), Opened).members
        self.assertEqual((view.user, view.former, view.connected), (self.bob.user, bob, True))
        [view] = only(self.bob.receive(), Joined).members
        self.assertEqual((view.user, view.former, view.connected, view.role), (self.ann.user, ann, True, Role.HOST))

    def test_host_first(self) -> None:
        """A host with its ticket opens the same id again, and the guest joins at once."""
        ann, bob, _ = self.old
        opened = only(self.reopen(bob), Opened)
        self.assertEqual((opened.session, opened.members), (self.session, ()))
        [view] = only(self.rejoin(self.bob, bob, ann), Joined).members
        self.assertTrue(view.connected)
        view = only(self.ann.receive(), MemberJoined).member
        self.assertEqual((view.user, view.former, view.connected), (self.bob.user, bob, True))

    def test_one_side_alone(self) -> None:
        """A pair of which one side has no peer connection any more negotiates from the start."""
        ann, bob, cat = self.old
        self.reopen(bob, cat)
        self.assertFalse(only(self.rejoin(self.bob, bob), Joined).members[0].connected)
        self.assertFalse(only(self.ann.receive(), MemberJoined).member.connected)
        views = only(self.rejoin(self.cat, cat, ann, bob), Joined).members
        self.assertEqual([view.connected for view in views], [True, False])

    def test_ids_without_tickets(self) -> None:
        """Who comes without a ticket is nobody's former user, whatever connections it claims."""
        ann, bob, _ = self.old
        self.reopen(bob)
        joined = only(self.bob.send(Join(self.session, connected=(ann,))), Joined)
        self.assertFalse(joined.members[0].connected)
        view = only(self.ann.receive(), MemberJoined).member
        self.assertEqual((view.former, view.connected), (None, False))

    def test_it_is_no_guess(self) -> None:
        """Joins with valid tickets are not charged, and pass an address from which too many ids were guessed."""
        for _ in range(self.world.hub.limits.failed_guesses):
            self.refused(self.cat.send(Join(NOWHERE)), ErrorCode.UNKNOWN_SESSION)
        self.refused(self.cat.send(Join(NOWHERE)), ErrorCode.TOO_MANY_GUESSES)
        self.assertIsInstance(self.rejoin(self.bob, self.old[1])[0], Waiting)
        self.assertIsInstance(self.rejoin(self.cat, self.old[2])[0], Waiting)

    def test_refused_by_the_webhook(self) -> None:
        """A valid ticket is not charged where the operator's service does not know the session either."""
        self.world.deferred_operations = (JoinSession,)
        self.rejoin(self.bob, self.old[1])
        [decide] = self.world.deferred
        self.world.carry_out(self.world.hub.decided(decide.id, Refused(ErrorCode.UNKNOWN_SESSION), self.world.now))
        self.refused(self.bob.receive(), ErrorCode.UNKNOWN_SESSION)
        self.assertEqual(self.world.hub.requests.session_guesses.full_at, {})

    def test_invalid_tickets(self) -> None:
        """A ticket that is forged, of another session or expired is refused as an unknown id, and charged once."""
        limits = Limits(failed_guesses=4)
        self.world.hub.reload_limits(limits)
        good = self.tickets[self.old[1]]
        for session, ticket in ((self.session, good[:-1] + "_"), (NOWHERE, good), (self.session, "")):
            self.refused(self.bob.send(Join(session, ticket=ticket)), ErrorCode.UNKNOWN_SESSION)
        self.world.wall += limits.session_life_seconds
        self.refused(self.bob.send(Join(self.session, ticket=good)), ErrorCode.UNKNOWN_SESSION)
        self.refused(self.bob.send(Join(self.session, ticket=good)), ErrorCode.TOO_MANY_GUESSES)
        self.assertEqual(self.world.registry.sessions, {})

    def test_strangers_do_not_wait(self) -> None:
        """For others the session does not exist before its host is back, and they are charged for it."""
        self.rejoin(self.bob, self.old[1])
        self.world.hub.reload_limits(Limits(failed_guesses=1))
        self.refused(self.cat.send(Join(self.session)), ErrorCode.UNKNOWN_SESSION)

    def test_nobody_waits_any_more(self) -> None:
        """When the last one has stopped to wait, the session is forgotten."""
        self.rejoin(self.bob, self.old[1])
        self.rejoin(self.cat, self.old[2])
        self.bob.send(Leave(self.session))
        self.assertIn(self.session, self.world.registry.sessions)
        self.cat.lose(DisconnectReason.LEFT)
        self.assertEqual(self.world.registry.sessions, {})
        self.assertEqual(self.world.registry.kept_since, {})

    def test_expected_guests_pass(self) -> None:
        """Guests with whom the host is still connected need neither password nor admission; others need both."""
        ann, bob, cat = self.old
        self.rejoin(self.bob, bob, ann)
        self.rejoin(self.cat, cat, ann)
        opened = only(self.reopen(bob, password="p", lobby=True), Opened)
        self.assertEqual([view.former for view in opened.members], [bob])
        self.assertIsInstance(self.bob.receive()[0], Joined)
        self.assertEqual(self.cat.receive(), [NotAdmitted(self.session, RefusalReason.FULL, ID)])
        self.refused(self.rejoin(self.cat, cat), ErrorCode.PASSWORD_NEEDED)
        waits = self.rejoin(self.cat, cat, password="p")
        self.assertEqual(waits, [Waiting(self.session, WaitReason.LOBBY, ID)])

    def test_lobby_without_password(self) -> None:
        """Without a password, the guests that the host does not expect wait in the lobby."""
        ann, bob, cat = self.old
        self.rejoin(self.bob, bob, ann)
        self.rejoin(self.cat, cat, ann)
        events = self.reopen(bob, lobby=True)
        self.assertEqual(only(events, Knock).user, self.cat.user)
        self.assertEqual(self.cat.receive(), [Waiting(self.session, WaitReason.LOBBY)])

    def test_expected_guests_pass_the_lock(self) -> None:
        """A guest whose return is expected joins a session that its host has locked again meanwhile."""
        ann, bob, cat = self.old
        self.reopen(bob)
        self.ann.send(ChangeRequest(self.session, locked=True))
        self.refused(self.rejoin(self.cat, cat), ErrorCode.SESSION_LOCKED)
        self.assertIsInstance(self.rejoin(self.bob, bob, ann)[0], Joined)

    def test_a_guests_ticket_opens_nothing(self) -> None:
        """The ticket of a guest, a forged one and one without a session do not open a session."""
        ann, bob, _ = self.old
        for ticket in (self.tickets[bob], "x"):
            opening = Open(session=self.session, ticket=ticket)
            self.refused(self.ann.send(opening), ErrorCode.WRONG_HOST_KEY)
        self.refused(self.ann.send(Open(ticket=self.tickets[ann])), ErrorCode.WRONG_HOST_KEY)

    def test_a_hosts_ticket_displaces_nobody(self) -> None:
        """The ticket of a host does not take over a session that is open; it joins it as a guest's does."""
        ann, bob, _ = self.old
        self.reopen(bob)
        other = Client(self.world)
        opening = Open(session=self.session, ticket=self.tickets[ann])
        self.refused(other.send(opening), ErrorCode.WRONG_HOST_KEY)
        self.assertEqual(only(self.rejoin(other, ann), Joined).role, Role.GUEST)

    def test_second_crash(self) -> None:
        """After another crash the new tickets lead back, with the identities between the crashes."""
        ann, bob, _ = self.old
        tickets = {self.ann.user: ticket_of(only(self.reopen(bob), Opened))}
        tickets[self.bob.user] = ticket_of(only(self.rejoin(self.bob, bob, ann), Joined))
        self.old, self.tickets = [self.ann.user, self.bob.user], tickets
        between = self.old
        self.crash()
        self.rejoin(self.bob, between[1], between[0])
        [view] = only(self.reopen(between[1]), Opened).members
        self.assertEqual((view.former, view.connected), (between[1], True))


class WithTheServerTests(Case):
    """The server has not been restarted, but a member's identity has ended."""

    def test_gone(self) -> None:
        """A guest that comes back after its grace passes password, lobby and lock, and its pairs start over."""
        self.ann.send(ChangeRequest(self.session, lobby=True, locked=True))
        self.bob.lose()
        self.world.tick(31.0)
        again = Client(self.world)
        joined = only(self.rejoin(again, self.old[1], self.old[0]), Joined)
        self.assertFalse(joined.members[0].connected)
        events = self.ann.receive()
        self.assertEqual(only(events, MemberJoined).member.former, self.old[1])

    def test_left(self) -> None:
        """A guest that left on purpose has to be admitted again."""
        self.ann.send(ChangeRequest(self.session, lobby=True))
        self.bob.send(Leave(self.session))
        again = Client(self.world)
        self.assertEqual(self.rejoin(again, self.old[1]), [Waiting(self.session, WaitReason.LOBBY, ID)])

    def test_removed(self) -> None:
        """A removed guest's ticket does not lead back, and is not charged: the session is known to its holder."""
        self.world.hub.reload_limits(Limits(failed_guesses=1))
        self.ann.send(Remove(self.session, self.bob.user))
        self.bob.receive()
        for client in (self.bob, Client(self.world, address=OFFICE)):
            self.refused(self.rejoin(client, self.old[1]), ErrorCode.UNKNOWN_SESSION)
            self.assertEqual(self.world.hub.requests.session_guesses.full_at, {})

    def test_full(self) -> None:
        """A ticket does not exceed the session's capacity."""
        self.bob.lose()
        self.world.tick(31.0)
        for _ in range(2):
            Client(self.world).send(Join(self.session))
        self.refused(self.rejoin(Client(self.world), self.old[1]), ErrorCode.SESSION_FULL)

    def test_clients_that_cannot_resume(self) -> None:
        """A client without an instance gets no ticket."""
        guest = Client(self.world, instance=None)
        self.assertIsNone(only(guest.send(Join(self.session)), Joined).ticket)


class MembershipTests(Case):
    """The server has been restarted with the identities and memberships, and without what the mailboxes held."""

    def setUp(self) -> None:
        """Restore them into another server."""
        super().setUp()
        snapshot = take_snapshot(self.world.hub, self.world.registry, self.world.now)
        lossy = [evolve(record, whole=False, events=[]) for record in snapshot.users]
        world = World()
        world.registry.ids = self.world.registry.ids
        self.world = world
        world.carry_out(restore(evolve(snapshot, users=lossy), world.hub, world.registry, world.now))
        for client in (self.ann, self.bob, self.cat):
            client.world = world

    def resume(self, client: Client, *connected: UserId) -> list[Event]:
        """Let a client resume."""
        events = client.resume(connected=connected)
        self.assertIs(client.survival, Survival.MEMBERSHIP)
        return events

    def views(self, events: list[Event]) -> list[bool]:
        """Return for each other member whether the pair is kept."""
        return [view.connected for view in only(events, Joined).members]

    def test_both_say_so(self) -> None:
        """Pairs of which both sides still have their peer connection keep it, whoever is back first."""
        ann, bob, cat = self.old
        self.assertEqual(self.views(self.resume(self.bob, ann, cat)), [True, True])
        self.assertEqual(self.views(self.resume(self.ann, bob)), [True, False])
        self.assertTrue(only(self.bob.receive(), MemberRenewed).member.connected)
        # Cat does not know anything about Ann's statement yet.
        self.assertEqual(self.views(self.resume(self.cat, ann, bob)), [False, True])

    def test_a_page_was_reloaded(self) -> None:
        """A member that comes back without its peer connections starts over with those that kept theirs."""
        ann, _, cat = self.old
        self.resume(self.bob, ann, cat)
        self.assertEqual(self.views(self.resume(self.ann)), [False, False])
        self.assertFalse(only(self.bob.receive(), MemberRenewed).member.connected)

    def test_renewed_once_more(self) -> None:
        """What a member said at an earlier return is replaced at the next one."""
        ann, bob, cat = self.old
        self.resume(self.bob, ann, cat)
        self.resume(self.ann, bob)
        self.bob.receive()
        self.ann.lose()
        self.ann.resume(instance="reloaded")
        self.assertFalse(only(self.bob.receive(), MemberRenewed).member.connected)


class OneMemberTests(Case):
    """One member alone has lost its state; the others go on."""

    def test_it_starts_over(self) -> None:
        """The others have not said that they kept their peer connections, so that both sides start over."""
        self.bob.lose()
        self.ann.receive()
        joined = only(self.bob.resume(instance="reloaded", connected=(self.old[0],)), Joined)
        self.assertEqual([view.connected for view in joined.members], [False, False])
        renewed = only(self.ann.receive(), MemberRenewed).member
        self.assertEqual((renewed.former, renewed.connected), (None, False))
        self.assertEqual(self.bob.user, self.old[1])
