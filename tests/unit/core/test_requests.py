"""Requests of welcomed users: rate limits, and sessions that change while a request is decided."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.budgets import GuessBudgets
from signald.core.decisions import (
    Decided,
    EndSession,
    HostCommand,
    Identify,
    JoinSession,
    LeaveSession,
    OpenSession,
    Refused,
    ResumeUser,
    SessionChanged,
)
from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason
from signald.core.limits import AddressKey, Limits
from signald.core.members import Person
from signald.core.messages import (
    Admit,
    AppMessage,
    Change,
    Changed,
    Count,
    Done,
    End,
    Ended,
    EndReason,
    Error,
    Event,
    GoingAway,
    Hello,
    Instance,
    Join,
    Joined,
    Knock,
    KnockOver,
    Leave,
    LeaveReason,
    Left,
    MemberJoined,
    MemberLeft,
    Open,
    Opened,
    Ping,
    Pong,
    Remove,
    RequestId,
    Resume,
    SessionId,
    Survival,
    Traits,
    Waiting,
    Welcome,
)
from signald.core.reconnect_window import ReconnectWindow
from signald.core.session_settings import Settings
from signald.core.sessions import Session
from tests.support.world import Client, World

ELSEWHERE = AddressKey("198.51.100.9")
ID = RequestId("7")
RIGHT = "open sesame"


def types(events: list[Event]) -> list[type]:
    """The classes of events."""
    return [type(event) for event in events]


def opened_by(host: Client, session: SessionId) -> Session:
    """A session in its first version."""
    return Session.new(session, Settings(), Person(host.user, Traits()))


class Case(SynchronousTestCase):
    """A host and a guest in a session of eight."""

    def setUp(self) -> None:
        """Let both join."""
        self.world = World()
        self.ann, self.bob = Client(self.world), Client(self.world)
        self.session = self.ann.open()
        self.bob.send(Join(self.session))
        self.ann.receive()


class GuessTests(SynchronousTestCase):
    """The budget for joining sessions that do not exist."""

    def setUp(self) -> None:
        """Open a session with a password."""
        self.world = World(Limits(message_burst=1000))
        self.ann = Client(self.world)
        self.secret = self.ann.open(Open(8, password=RIGHT))

    def test_a_needed_password_is_no_guess(self) -> None:
        """The error that a password is needed is not charged, since a page asks for the password after it."""
        client = Client(self.world, address=ELSEWHERE)
        for _ in range(20):
            self.assertEqual(client.send(Join(self.secret))[-1], Error(ErrorCode.PASSWORD_NEEDED, Join))
        self.assertEqual(self.world.hub.guesses, GuessBudgets.of(self.world.hub.limits))

    def test_a_hidden_session_is_charged_like_an_unknown_one(self) -> None:
        """A session that exists and is refused as unknown, by a webhook or after a removal, is charged alike."""
        self.world.deferred_operations = (JoinSession,)
        client = Client(self.world, address=ELSEWHERE)
        codes = []
        for _ in range(14):
            client.send(Join(self.secret))
            for decide in self.world.deferred:
                refused = self.world.hub.decided(decide.id, Refused(ErrorCode.UNKNOWN_SESSION), self.world.now)
                self.world.carry_out(refused)
            self.world.deferred = []
            codes += [event.code for event in client.receive() if isinstance(event, Error)]
        self.assertEqual(codes, [ErrorCode.UNKNOWN_SESSION] * 10)

    def test_an_operation_has_the_address_of_its_client(self) -> None:
        """The authorization chain learns the address by which checks take turns, and does not log it."""
        client = Client(self.world, address=ELSEWHERE)
        self.world.deferred_operations = (JoinSession, OpenSession)
        client.send(Join(self.secret))
        Client(self.world, address=ELSEWHERE).send(Open())
        operations = [decide.operation for decide in self.world.deferred]
        for operation in operations:
            assert isinstance(operation, JoinSession | OpenSession)
            self.assertEqual(operation.address, ELSEWHERE)
            self.assertNotIn(ELSEWHERE, repr(operation))
        self.assertEqual(len(operations), 2)


class NumberTests(SynchronousTestCase):
    """The limit on the number of users."""

    def test_the_number_of_users_is_bounded(self) -> None:
        """A new user is refused while all are connected; an identity that ends makes room."""
        world = World(Limits(users=2))
        ann, _ = Client(world), Client(world)
        third = world.connect()
        self.assertEqual(world.send(third, Hello(1)), [Error(ErrorCode.SERVER_FULL, Hello)])
        ann.lose()
        self.assertEqual(ann.resume(), [])
        self.assertIs(ann.survival, Survival.EVERYTHING)
        self.assertEqual(world.send(third, Hello(1)), [Error(ErrorCode.SERVER_FULL, Hello)])
        ann.lose(DisconnectReason.LEFT)
        self.assertEqual(types(world.send(third, Hello(1))), [Welcome])

    def test_identities_left_behind_make_room(self) -> None:
        """The address with most users that are away loses those that left first, and a new user is welcomed.

        Users of other addresses that are away keep their identities.
        """
        world = World(Limits(users=6))
        hoarders = [Client(world, address=ELSEWHERE) for _ in range(4)]
        ann = Client(world)
        for client in (ann, *hoarders):
            client.lose()
        for _ in range(4):
            self.assertEqual(types(world.send(world.connect(address=ELSEWHERE), Hello(1))), [Welcome])
        self.assertEqual(len(world.hub.users), 6)
        self.assertEqual([client.user in world.hub.users for client in hoarders], [False, False, False, True])
        self.assertEqual(ann.resume(), [])
        self.assertIs(ann.survival, Survival.EVERYTHING)
        self.assertEqual(len(world.registry.users), 6)
        self.assertEqual(world.hub.evictions, {"outboxes_bytes": 0, "users": 3})

    def test_members_learn_that_an_identity_made_room(self) -> None:
        """The others are told that the member is gone, as if its grace were over."""
        world = World(Limits(users=2))
        ann, bob = Client(world), Client(world)
        session = ann.open()
        bob.send(Join(session))
        ann.receive()
        bob.lose()
        ann.receive()
        self.assertEqual(types(world.send(world.connect(), Hello(1))), [Welcome])
        self.assertEqual(ann.receive(), [MemberLeft(session, bob.user, LeaveReason.GONE)])

    def test_a_user_that_resumes_is_spared(self) -> None:
        """A user whose resume is being decided keeps its identity, and the number of users is exceeded by one."""
        world = World(Limits(users=1))
        ann = Client(world)
        ann.lose()
        world.deferred_operations = (ResumeUser,)
        peer = world.connect()
        assert ann.secret is not None
        assert ann.instance is not None
        world.send(peer, Resume(1, ann.user, ann.secret, ann.instance, Count(ann.received)))
        self.assertEqual(types(world.send(world.connect(), Hello(1))), [Welcome])
        world.decide_deferred()
        self.assertEqual(types(world.receive(peer)), [Welcome])
        self.assertEqual(len(world.hub.users), 2)


class OpeningTests(SynchronousTestCase):
    """The number of sessions that an address opens is rate-limited."""

    def test_an_address_opens_so_many(self) -> None:
        """Openings count by address, whatever the user; another address is not affected, and the budget refills."""
        world = World(Limits(address_session_burst=3, address_session_rate=1.0))
        ann, bob = Client(world), Client(world)
        self.assertEqual(types([*ann.send(Open()), *ann.send(Open()), *bob.send(Open())]), [Opened] * 3)
        before = world.state()
        for client in (ann, bob):
            self.assertEqual(client.send(Open()), [Error(ErrorCode.TOO_MANY_NEW_SESSIONS, Open)])
        self.assertEqual(world.state(), before)
        self.assertEqual(types(Client(world, address=ELSEWHERE).send(Open())), [Opened])
        world.tick(1.0)
        self.assertEqual(types(bob.send(Open())), [Opened])

    def test_an_invalid_request_costs_nothing(self) -> None:
        """A request that is invalid in itself is not charged."""
        world = World(Limits(address_session_burst=1, address_session_rate=1.0))
        ann = Client(world)
        self.assertEqual(ann.send(Open(capacity=99)), [Error(ErrorCode.BAD_CAPACITY, Open)])
        self.assertEqual(types(ann.send(Open())), [Opened])


class ConfigureTests(Case):
    """New limits while the hub runs."""

    def test_other_limits(self) -> None:
        """New limits apply at once to requests, budgets and outboxes; whatever exceeds them already stays."""
        self.world.hub.reload_limits(Limits(address_session_burst=1, session_members=2, outbox_messages=16))
        self.assertEqual(self.ann.send(Open(capacity=3)), [Error(ErrorCode.BAD_CAPACITY, Open)])
        self.assertEqual(self.ann.send(Open()), [Error(ErrorCode.TOO_MANY_NEW_SESSIONS, Open)])
        self.assertEqual(len(self.world.hub.sessions[self.session].members), 2)
        self.bob.lose()
        for _ in range(17):
            self.ann.send(AppMessage(self.session, "x"))
        refused = Error(ErrorCode.OUTBOX_FULL, AppMessage, self.session)
        self.assertEqual(self.ann.send(AppMessage(self.session, "x"))[-1], refused)


class RaceTests(Case):
    """Sessions that change while a request is decided."""

    def test_a_session_ends_before_it_is_joined(self) -> None:
        """The session is unknown by then, and no state of the join is stored."""
        cat = Client(self.world)
        self.world.deferred_operations = (JoinSession,)
        self.assertEqual(cat.send(Join(self.session, id=ID)), [])
        self.ann.send(End(self.session))
        self.world.decide_deferred()
        self.assertEqual(cat.receive(), [Error(ErrorCode.UNKNOWN_SESSION, Join, id=ID)])

    def test_a_session_ends_before_the_outcome_of_a_join_arrives(self) -> None:
        """The end arrived first, so the outcome is outdated."""
        cat = Client(self.world)
        self.world.deferred_operations = (JoinSession,)
        cat.send(Join(self.session, id=ID))
        [decide] = self.world.deferred
        ended = self.ann.send(Leave(self.session))
        self.assertEqual(ended, [Left(self.session)])
        record = evolve(opened_by(self.ann, self.session), version=2)
        self.world.carry_out(self.world.hub.decided(decide.id, Decided((SessionChanged(record),), self.session), 0.0))
        self.assertEqual(cat.receive(), [Error(ErrorCode.UNKNOWN_SESSION, Join, id=ID)])
        self.assertNotIn(self.session, self.world.hub.sessions)

    def test_a_session_ends_before_it_is_left(self) -> None:
        """The guest has received the end, and its leave is rejected."""
        self.world.deferred_operations = (LeaveSession,)
        self.bob.send(Leave(self.session, ID))
        self.ann.send(End(self.session))
        self.world.decide_deferred()
        ended, refused = self.bob.receive()
        self.assertEqual(ended, Ended(self.session, EndReason.BY_HOST))
        self.assertEqual(refused, Error(ErrorCode.UNKNOWN_SESSION, Leave, id=ID))

    def test_a_session_ends_before_its_end_is_due(self) -> None:
        """No client waits for a rejected end, so no client gets an error."""
        self.world.deferred_operations = (EndSession,)
        self.world.tick(self.world.hub.limits.session_life_seconds)
        self.assertEqual(
            [decide.operation for decide in self.world.deferred], [EndSession(self.session, EndReason.EXPIRED)]
        )
        self.ann.send(End(self.session))
        self.ann.receive()
        self.bob.receive()
        self.world.decide_deferred()
        self.assertEqual((self.ann.receive(), self.bob.receive()), ([], []))

    def test_a_guest_is_admitted_elsewhere_while_it_joins(self) -> None:
        """Each join gets its own reply."""
        lobby = self.ann.open(Open(8, lobby=True))
        cat = Client(self.world)
        self.assertEqual(types(cat.send(Join(lobby, id=RequestId("1")))), [Waiting])
        self.world.deferred_operations = (JoinSession,)
        cat.send(Join(self.session, id=RequestId("2")))
        self.ann.send(Admit(lobby, cat.user))
        [first] = cat.receive()
        self.world.decide_deferred()
        [second] = cat.receive()
        assert isinstance(first, Joined)
        assert isinstance(second, Joined)
        self.assertEqual([(first.session, first.id), (second.session, second.id)], [(lobby, "1"), (self.session, "2")])

    def test_a_guest_is_admitted_while_it_asks_for_something_else(self) -> None:
        """The membership is the reply to the join, and the other request gets its own reply."""
        lobby = self.ann.open(Open(8, lobby=True))
        self.bob.send(Join(lobby, id=RequestId("1")))
        self.world.deferred_operations = (LeaveSession,)
        self.bob.send(Leave(self.session, RequestId("2")))
        self.ann.send(Admit(lobby, self.bob.user))
        [joined] = self.bob.receive()
        assert isinstance(joined, Joined)
        self.assertEqual((joined.session, joined.id), (lobby, "1"))
        self.world.decide_deferred()
        self.assertEqual(self.bob.receive(), [Left(self.session, RequestId("2"))])

    def test_a_visitor_leaves_while_it_is_admitted(self) -> None:
        """The visitor gets its membership, and then it leaves the session."""
        lobby = self.ann.open(Open(8, lobby=True))
        cat = Client(self.world)
        cat.send(Join(lobby))
        self.world.deferred_operations = (LeaveSession,)
        cat.send(Leave(lobby, ID))
        self.ann.send(Admit(lobby, cat.user))
        self.world.decide_deferred()
        self.assertEqual(types(cat.receive()), [Joined, Left])
        self.assertEqual(self.world.hub.users[cat.user].sessions, set())

    def test_a_guest_is_removed_while_it_leaves(self) -> None:
        """The guest is no longer a member when its leave is decided."""
        self.world.deferred_operations = (LeaveSession,)
        self.bob.send(Leave(self.session, ID))
        self.ann.send(Remove(self.session, self.bob.user))
        self.world.decide_deferred()
        self.assertEqual(
            self.bob.receive(),
            [Ended(self.session, EndReason.REMOVED), Error(ErrorCode.NOT_A_MEMBER, Leave, id=ID)],
        )

    def test_the_host_commands_a_session_that_ended_meanwhile(self) -> None:
        """The request is rejected, and the queued requests behind it are handled."""
        self.world.deferred_operations = (HostCommand,)
        self.ann.send(Remove(self.session, self.bob.user, ID), Ping())
        self.bob.send(Leave(self.session))
        self.world.decide_deferred()
        events = self.ann.receive()
        self.assertIn(Error(ErrorCode.UNKNOWN_MEMBER, Remove, self.session, ID), events)
        self.assertEqual(events[-1], Pong())

    def test_a_guest_joins_before_the_host_has_its_reply(self) -> None:
        """The host gets the guest in the reply to its `open` request, or in a later event."""
        self.world.deferred_operations = (OpenSession,)
        cat = Client(self.world)
        cat.send(Open(8, id=ID))
        self.world.decide_deferred()
        [opened] = cat.receive()
        assert isinstance(opened, Opened)
        self.bob.send(Join(opened.session))
        self.assertEqual(types(cat.receive()), [MemberJoined])


class ReplyTests(Case):
    """Replies and their order."""

    def test_events_come_before_the_reply(self) -> None:
        """The sender gets the event of the change first, and then `Done`."""
        events = self.ann.send(Change(self.session, label="Monday", id=ID))
        self.assertEqual(events, [Changed(self.session, False, False, "Monday"), Done(ID)])

    def test_only_the_host_gets_a_knock(self) -> None:
        """Only the host gets the event of a knock, and other members do not."""
        self.ann.send(Change(self.session, lobby=True))
        self.bob.receive()
        cat = Client(self.world)
        cat.send(Join(self.session))
        cat.send(Leave(self.session))
        self.assertEqual(types(self.ann.receive()), [Knock, KnockOver])
        self.assertEqual(self.bob.receive(), [])

    def test_a_closing_connection_can_be_replaced(self) -> None:
        """A closing connection is closed once, even if its user resumes at once on another one."""
        world = World(Limits(message_burst=3, message_rate=1.0))
        ann = Client(world)
        flooder = ann.peer
        ann.send(Ping(), Ping(), Ping())
        self.assertEqual(world.closed, {flooder: ErrorCode.TOO_MANY_MESSAGES})
        ann.resume()
        self.assertEqual(world.closed, {flooder: ErrorCode.TOO_MANY_MESSAGES})
        world.disconnect(flooder)
        self.assertEqual(ann.send(Ping()), [Pong()])

    def test_too_many_requests_that_wait(self) -> None:
        """The connection is closed and the identity stays; queued requests are carried out."""
        world = World(Limits(waiting_messages=2))
        ann = Client(world)
        world.deferred_operations = (OpenSession,)
        ann.send(Open(), Open(), Open(), Open())
        self.assertEqual(world.closed, {ann.peer: ErrorCode.TOO_MANY_WAITING})
        ann.lose()
        world.decide_deferred()
        self.assertEqual(types(ann.resume()), [Opened, Opened, Opened])

    def test_a_rejected_hello_may_be_repeated(self) -> None:
        """Requests after it are handled as those of a connection that is not welcomed."""
        peer = self.world.connect()
        self.world.deferred_operations = (Identify,)
        self.world.send(peer, Hello(1, id=ID), Ping(), Open())
        [decide] = self.world.deferred
        self.world.deferred, self.world.deferred_operations = [], ()
        self.world.carry_out(self.world.hub.decided(decide.id, Refused(ErrorCode.INTERNAL_ERROR), self.world.now))
        self.assertEqual(
            self.world.receive(peer),
            [Error(ErrorCode.INTERNAL_ERROR, Hello, id=ID), Pong(), Error(ErrorCode.HELLO_FIRST, Open)],
        )
        self.assertEqual(types(self.world.send(peer, Hello(1))), [Welcome])

    def test_the_hello_timeout_waits_for_the_decision(self) -> None:
        """The timeout waits for the decision; after a refusal without another hello the connection is closed."""
        peer = self.world.connect()
        self.world.deferred_operations = (Identify,)
        self.world.send(peer, Hello(1))
        self.world.tick(11)
        self.assertEqual(self.world.closed, {})
        [decide] = self.world.deferred
        self.world.carry_out(self.world.hub.decided(decide.id, Refused(ErrorCode.INTERNAL_ERROR), self.world.now))
        self.world.tick(1)
        self.assertEqual(self.world.closed, {peer: ErrorCode.HELLO_TIMEOUT})

    def test_hello_is_too_late(self) -> None:
        """A second hello is rejected even if it was queued behind a decision."""
        self.world.deferred_operations = (OpenSession,)
        self.bob.send(Open(), Hello(1, instance=Instance("two")))
        self.world.decide_deferred()
        self.assertEqual(types(self.bob.receive()), [Opened, Error])


class StoppingTests(Case):
    """A server that is about to restart writes its state into a file."""

    def test_requests_with_a_password_are_rejected(self) -> None:
        """No password is written into the file: pending and queued requests with one are rejected in order.

        Other requests are kept.
        """
        cat = Client(self.world)
        self.world.deferred_operations = (OpenSession, JoinSession)
        pending = Open(8, password=RIGHT, id=RequestId("1"))
        queued = Join(self.session, password=RIGHT, id=RequestId("2"))
        self.assertEqual(cat.send(pending, queued, Leave(self.session, RequestId("3"))), [])
        self.world.carry_out(self.world.hub.requests.reject_passwords())
        rejections = [Error(ErrorCode.TOO_MANY_PASSWORDS, type(each), id=each.id) for each in (pending, queued)]
        self.assertEqual(cat.receive(), rejections)
        self.assertEqual(list(self.world.hub.users[cat.user].queue.waiting), [Leave(self.session, RequestId("3"))])
        self.assertIsNone(self.world.hub.decisions.for_user(self.world.hub.users[cat.user]).request)  # type: ignore[union-attr] # it is pending

    def test_every_client_learns_when_to_reconnect(self) -> None:
        """Every welcomed client gets the reconnect window.

        A connection that is not welcomed has nothing to resume and gets nothing.
        """
        stranger = self.world.connect()
        self.world.carry_out(self.world.hub.stopping(ReconnectWindow(1.0, 2.0), lambda: 0.0))
        self.assertEqual(self.ann.receive(), [GoingAway(1.0)])
        self.assertEqual(self.bob.receive(), [GoingAway(1.0)])
        self.assertEqual(self.world.receive(stranger), [])

    def test_clients_learn_how_long_their_state_is_held(self) -> None:
        """`going-away` states for how long the next process can resume a client."""
        self.world.hub.hold = 300.0
        self.world.carry_out(self.world.hub.stopping(ReconnectWindow(1.0, 2.0), lambda: 0.0))
        self.assertEqual(self.ann.receive(), [GoingAway(1.0, 300.0)])
