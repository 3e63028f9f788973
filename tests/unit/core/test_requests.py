"""What a welcomed user asks for: guesses, and sessions that change while a request is decided."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import (
    Decided,
    EndSession,
    HostCommand,
    Identify,
    JoinSession,
    LeaveSession,
    OpenSession,
    Refused,
    SessionChanged,
)
from signald.core.errors import ErrorCode
from signald.core.hub import Ending
from signald.core.limits import AddressKey, Limits
from signald.core.members import Person
from signald.core.messages import (
    Admit,
    AppMessage,
    Change,
    Changed,
    Done,
    End,
    Ended,
    EndReason,
    Error,
    Event,
    Hello,
    Instance,
    Join,
    Joined,
    Knock,
    KnockOver,
    Leave,
    Left,
    MemberJoined,
    Open,
    Opened,
    Ping,
    Pong,
    Remove,
    RequestId,
    SessionId,
    Survival,
    Traits,
    Waiting,
    Welcome,
)
from signald.core.sessions import Session, Settings
from tests.support.world import Client, World

ELSEWHERE = AddressKey("198.51.100.9")
ID = RequestId("7")
RIGHT = "open sesame"


def types(events: list[Event]) -> list[type]:
    """What kinds of events these are."""
    return [type(event) for event in events]


def opened_by(host: Client, session: SessionId) -> Session:
    """A session as it was when it was opened."""
    return Session.opened(session, Settings(), Person(host.user, Traits()))


class Case(SynchronousTestCase):
    """A host and a guest in a session of eight."""

    def setUp(self) -> None:
        """Both are there."""
        self.world = World()
        self.ann, self.bob = Client(self.world), Client(self.world)
        self.session = self.ann.open()
        self.bob.say(Join(self.session))
        self.ann.hears()


class GuessTests(SynchronousTestCase):
    """Wrong passwords and unknown sessions are counted apart."""

    def setUp(self) -> None:
        """A session with a password and one without."""
        self.world = World(Limits(message_burst=1000))
        ann = Client(self.world)
        self.secret = ann.open(Open(8, password=RIGHT))
        self.plain = ann.open()

    def test_wrong_passwords_are_throttled(self) -> None:
        """After ten, every join with a password is refused, also a right one; others are not."""
        guesser = Client(self.world, address=ELSEWHERE)
        for _ in range(10):
            refused = guesser.say(Join(self.secret, password="guess"))[-1]
            self.assertEqual(refused, Error(ErrorCode.WRONG_PASSWORD, Join))
        again = Client(self.world, address=ELSEWHERE)
        for client in (guesser, again):
            refused = client.say(Join(self.secret, password=RIGHT))[-1]
            self.assertEqual(refused, Error(ErrorCode.TOO_MANY_GUESSES, Join))
        self.assertEqual(again.say(Join(self.secret)), [Error(ErrorCode.PASSWORD_NEEDED, Join)])
        self.assertEqual(types(again.say(Join(self.plain))), [Joined])
        self.assertEqual(types(Client(self.world).say(Join(self.secret, password=RIGHT))), [Joined])

    def test_the_budget_comes_back(self) -> None:
        """One guess in three minutes, and nothing is remembered of one who has its whole budget."""
        guesser = Client(self.world, address=ELSEWHERE)
        for _ in range(10):
            guesser.say(Join(self.secret, password="guess"))
        self.world.tick(180)
        guesser.hears()
        self.assertEqual(types(guesser.say(Join(self.secret, password=RIGHT))), [Joined])
        self.world.tick(1800)
        self.assertEqual(self.world.hub.requests.passwords.full_at, {})

    def test_unknown_sessions_and_wrong_passwords_do_not_add_up(self) -> None:
        """Nine of each are no ten of one."""
        guesser = Client(self.world, address=ELSEWHERE)
        for n in range(9):
            guesser.say(Join(self.secret, password="guess"))
            guesser.say(Join(SessionId(f"Z{n:09}"), password="guess"))
        self.assertEqual(types(guesser.say(Join(self.secret, password=RIGHT)))[-1:], [Joined])

    def test_a_needed_password_is_no_guess(self) -> None:
        """A page asks for it when it is told."""
        client = Client(self.world, address=ELSEWHERE)
        for _ in range(20):
            self.assertEqual(client.say(Join(self.secret))[-1], Error(ErrorCode.PASSWORD_NEEDED, Join))
        self.assertEqual(self.world.hub.requests.passwords.full_at, {})


class NumberTests(SynchronousTestCase):
    """How many users there may be."""

    def test_in_all(self) -> None:
        """Also those that are away; these come back, and one that is over makes room."""
        world = World(Limits(users=2))
        ann, _ = Client(world), Client(world)
        ann.lose()
        third = world.connect()
        self.assertEqual(world.say(third, Hello(1)), [Error(ErrorCode.SERVER_FULL, Hello)])
        self.assertEqual(ann.resume(), [])
        self.assertIs(ann.survived, Survival.EVERYTHING)
        ann.lose(Ending.LEFT)
        self.assertEqual(types(world.say(third, Hello(1))), [Welcome])


class OpeningTests(SynchronousTestCase):
    """How fast sessions may be opened."""

    def test_an_address_opens_so_many(self) -> None:
        """As one user or as many; another address is not affected, and time gives them back."""
        world = World(Limits(address_session_burst=3, address_session_rate=1.0))
        ann, bob = Client(world), Client(world)
        self.assertEqual(types([*ann.say(Open()), *ann.say(Open()), *bob.say(Open())]), [Opened] * 3)
        before = world.state()
        for client in (ann, bob):
            self.assertEqual(client.say(Open()), [Error(ErrorCode.TOO_MANY_NEW_SESSIONS, Open)])
        self.assertEqual(world.state(), before)
        self.assertEqual(types(Client(world, address=ELSEWHERE).say(Open())), [Opened])
        world.tick(1.0)
        self.assertEqual(types(bob.say(Open())), [Opened])

    def test_what_is_no_session_costs_nothing(self) -> None:
        """A request that is wrong in itself is refused before it is counted."""
        world = World(Limits(address_session_burst=1, address_session_rate=1.0))
        ann = Client(world)
        self.assertEqual(ann.say(Open(capacity=99)), [Error(ErrorCode.BAD_CAPACITY, Open)])
        self.assertEqual(types(ann.say(Open())), [Opened])


class ConfigureTests(Case):
    """Other limits while the hub runs."""

    def test_other_limits(self) -> None:
        """They hold at once for requests, budgets and outboxes; nothing ends because it is too much by now."""
        self.world.hub.configure(Limits(address_session_burst=1, session_members=2, outbox_messages=16))
        self.assertEqual(self.ann.say(Open(capacity=3)), [Error(ErrorCode.BAD_CAPACITY, Open)])
        self.assertEqual(self.ann.say(Open()), [Error(ErrorCode.TOO_MANY_NEW_SESSIONS, Open)])
        self.assertEqual(len(self.world.hub.sessions[self.session].members), 2)
        self.bob.lose()
        for _ in range(17):
            self.ann.say(AppMessage(self.session, "x"))
        refused = Error(ErrorCode.OUTBOX_FULL, AppMessage, self.session)
        self.assertEqual(self.ann.say(AppMessage(self.session, "x"))[-1], refused)


class RaceTests(Case):
    """Sessions that change while a request is decided."""

    def test_a_session_ends_before_it_is_joined(self) -> None:
        """It is unknown; nothing of it stays."""
        cat = Client(self.world)
        self.world.holding = (JoinSession,)
        self.assertEqual(cat.say(Join(self.session, id=ID)), [])
        self.ann.say(End(self.session))
        self.world.release()
        self.assertEqual(cat.hears(), [Error(ErrorCode.UNKNOWN_SESSION, Join, id=ID)])

    def test_a_session_ends_before_the_outcome_of_a_join_is_heard(self) -> None:
        """The end was heard first, so that the outcome is of no use."""
        cat = Client(self.world)
        self.world.holding = (JoinSession,)
        cat.say(Join(self.session, id=ID))
        [decide] = self.world.held
        ended = self.ann.say(Leave(self.session))
        self.assertEqual(ended, [Left(self.session)])
        record = evolve(opened_by(self.ann, self.session), version=2)
        self.world.act(self.world.hub.decided(decide.id, Decided((SessionChanged(record),), self.session), 0.0))
        self.assertEqual(cat.hears(), [Error(ErrorCode.UNKNOWN_SESSION, Join, id=ID)])
        self.assertNotIn(self.session, self.world.hub.sessions)

    def test_a_session_ends_before_it_is_left(self) -> None:
        """The guest has heard of the end, and its leave is refused."""
        self.world.holding = (LeaveSession,)
        self.bob.say(Leave(self.session, ID))
        self.ann.say(End(self.session))
        self.world.release()
        ended, refused = self.bob.hears()
        self.assertEqual(ended, Ended(self.session, EndReason.BY_HOST))
        self.assertEqual(refused, Error(ErrorCode.UNKNOWN_SESSION, Leave, id=ID))

    def test_a_session_ends_before_its_end_is_due(self) -> None:
        """Nobody asked for the end that is refused, so nobody hears of it."""
        self.world.holding = (EndSession,)
        self.world.tick(self.world.hub.limits.session_life_seconds)
        self.assertEqual(
            [decide.operation for decide in self.world.held], [EndSession(self.session, EndReason.EXPIRED)]
        )
        self.ann.say(End(self.session))
        self.ann.hears()
        self.bob.hears()
        self.world.release()
        self.assertEqual((self.ann.hears(), self.bob.hears()), ([], []))

    def test_a_guest_is_admitted_elsewhere_while_it_joins(self) -> None:
        """Each join has its own reply."""
        lobby = self.ann.open(Open(8, lobby=True))
        cat = Client(self.world)
        self.assertEqual(types(cat.say(Join(lobby, id=RequestId("1")))), [Waiting])
        self.world.holding = (JoinSession,)
        cat.say(Join(self.session, id=RequestId("2")))
        self.ann.say(Admit(lobby, cat.user))
        [first] = cat.hears()
        self.world.release()
        [second] = cat.hears()
        assert isinstance(first, Joined)
        assert isinstance(second, Joined)
        self.assertEqual([(first.session, first.id), (second.session, second.id)], [(lobby, "1"), (self.session, "2")])

    def test_a_guest_is_admitted_while_it_asks_for_something_else(self) -> None:
        """Its reply is that of its join, and the other request has its own."""
        lobby = self.ann.open(Open(8, lobby=True))
        self.bob.say(Join(lobby, id=RequestId("1")))
        self.world.holding = (LeaveSession,)
        self.bob.say(Leave(self.session, RequestId("2")))
        self.ann.say(Admit(lobby, self.bob.user))
        [joined] = self.bob.hears()
        assert isinstance(joined, Joined)
        self.assertEqual((joined.session, joined.id), (lobby, "1"))
        self.world.release()
        self.assertEqual(self.bob.hears(), [Left(self.session, RequestId("2"))])

    def test_one_who_waits_leaves_while_it_is_admitted(self) -> None:
        """It was a member for a moment, and hears of it; then it has left."""
        lobby = self.ann.open(Open(8, lobby=True))
        cat = Client(self.world)
        cat.say(Join(lobby))
        self.world.holding = (LeaveSession,)
        cat.say(Leave(lobby, ID))
        self.ann.say(Admit(lobby, cat.user))
        self.world.release()
        self.assertEqual(types(cat.hears()), [Joined, Left])
        self.assertEqual(self.world.hub.users[cat.user].sessions, set())

    def test_a_guest_is_removed_while_it_leaves(self) -> None:
        """It is no member any more when its leave is decided."""
        self.world.holding = (LeaveSession,)
        self.bob.say(Leave(self.session, ID))
        self.ann.say(Remove(self.session, self.bob.user))
        self.world.release()
        self.assertEqual(
            self.bob.hears(),
            [Ended(self.session, EndReason.REMOVED), Error(ErrorCode.NOT_A_MEMBER, Leave, id=ID)],
        )

    def test_the_host_changes_what_is_gone_meanwhile(self) -> None:
        """It is refused, and its next requests are taken."""
        self.world.holding = (HostCommand,)
        self.ann.say(Remove(self.session, self.bob.user, ID), Ping())
        self.bob.say(Leave(self.session))
        self.world.release()
        events = self.ann.hears()
        self.assertIn(Error(ErrorCode.UNKNOWN_MEMBER, Remove, self.session, ID), events)
        self.assertEqual(events[-1], Pong())

    def test_a_guest_comes_before_its_host_has_heard(self) -> None:
        """The reply to the opening lists the guest then, or it is told of it after."""
        self.world.holding = (OpenSession,)
        cat = Client(self.world)
        cat.say(Open(8, id=ID))
        self.world.release()
        [opened] = cat.hears()
        assert isinstance(opened, Opened)
        self.bob.say(Join(opened.session))
        self.assertEqual(types(cat.hears()), [MemberJoined])


class ReplyTests(Case):
    """Replies and their order."""

    def test_events_come_before_the_reply(self) -> None:
        """Whoever changes something hears what is different, and then that it is done."""
        events = self.ann.say(Change(self.session, label="Monday", id=ID))
        self.assertEqual(events, [Changed(self.session, False, False, "Monday"), Done(ID)])

    def test_one_who_waits_is_told_of_to_the_host_alone(self) -> None:
        """Coming and going."""
        self.ann.say(Change(self.session, lobby=True))
        self.bob.hears()
        cat = Client(self.world)
        cat.say(Join(self.session))
        cat.say(Leave(self.session))
        self.assertEqual(types(self.ann.hears()), [Knock, KnockOver])
        self.assertEqual(self.bob.hears(), [])

    def test_a_connection_that_is_told_to_go_can_be_taken_over(self) -> None:
        """It floods; its user comes back at once on another one, and it is closed once."""
        world = World(Limits(message_burst=3, message_rate=1.0))
        ann = Client(world)
        flooder = ann.peer
        ann.say(Ping(), Ping(), Ping())
        self.assertEqual(world.closed, {flooder: ErrorCode.TOO_MANY_MESSAGES})
        ann.resume()
        self.assertEqual(world.closed, {flooder: ErrorCode.TOO_MANY_MESSAGES})
        world.disconnect(flooder)
        self.assertEqual(ann.say(Ping()), [Pong()])

    def test_too_many_requests_that_wait(self) -> None:
        """They end the connection, and not the identity; what waited is carried out."""
        world = World(Limits(waiting_messages=2))
        ann = Client(world)
        world.holding = (OpenSession,)
        ann.say(Open(), Open(), Open(), Open())
        self.assertEqual(world.closed, {ann.peer: ErrorCode.TOO_MANY_WAITING})
        ann.lose()
        world.release()
        self.assertEqual(types(ann.resume()), [Opened, Opened, Opened])

    def test_a_refused_hello_may_be_said_again(self) -> None:
        """What was said after it is heard as what it is, before a welcome."""
        peer = self.world.connect()
        self.world.holding = (Identify,)
        self.world.say(peer, Hello(1, id=ID), Ping(), Open())
        [decide] = self.world.held
        self.world.held, self.world.holding = [], ()
        self.world.act(self.world.hub.decided(decide.id, Refused(ErrorCode.INTERNAL_ERROR), self.world.now))
        self.assertEqual(
            self.world.hears(peer),
            [Error(ErrorCode.INTERNAL_ERROR, Hello, id=ID), Pong(), Error(ErrorCode.HELLO_FIRST, Open)],
        )
        self.assertEqual(types(self.world.say(peer, Hello(1))), [Welcome])

    def test_one_whose_hello_is_decided_late(self) -> None:
        """It is waited for, and closed when it is refused and says no more."""
        peer = self.world.connect()
        self.world.holding = (Identify,)
        self.world.say(peer, Hello(1))
        self.world.tick(11)
        self.assertEqual(self.world.closed, {})
        [decide] = self.world.held
        self.world.act(self.world.hub.decided(decide.id, Refused(ErrorCode.INTERNAL_ERROR), self.world.now))
        self.world.tick(1)
        self.assertEqual(self.world.closed, {peer: ErrorCode.HELLO_TIMEOUT})

    def test_hello_is_too_late(self) -> None:
        """Also where it waits for a decision."""
        self.world.holding = (OpenSession,)
        self.bob.say(Open(), Hello(1, instance=Instance("two")))
        self.world.release()
        self.assertEqual(types(self.bob.hears()), [Opened, Error])
