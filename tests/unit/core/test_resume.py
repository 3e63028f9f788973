"""Identities that outlive their connections, through the hub (docs/protocol.md, "Resume")."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import ConfirmSecret, JoinSession, OpenSession, RenewUser, ResumeUser
from signald.core.errors import ErrorCode
from signald.core.hub import Ending
from signald.core.limits import Limits
from signald.core.messages import (
    Ack,
    AppMessage,
    Change,
    Changed,
    Count,
    Debug,
    Ended,
    EndReason,
    Error,
    ForwardedMessage,
    Instance,
    Join,
    Joined,
    Knock,
    LeaveReason,
    MemberAway,
    MemberBack,
    MemberJoined,
    MemberLeft,
    MemberRenewed,
    Open,
    Ping,
    Pong,
    RequestId,
    Resume,
    Secret,
    Survival,
    Traits,
    UserId,
    Waiting,
    WaitReason,
    Welcome,
)
from signald.core.users import (
    PEER_TRANSITIONS,
    USER_TRANSITIONS,
    PeerEvent,
    PeerState,
    UserEvent,
    UserState,
)
from tests.support.world import SERDE, Client, World

WRONG = Secret("A" * 43)
ID = RequestId("7")


class Case(SynchronousTestCase):
    """A host and a guest who can come back."""

    limits = Limits(outbox_messages=16)

    def setUp(self) -> None:
        """Both have heard of each other, and that what they said has come."""
        self.world = World(self.limits)
        self.ann = Client(self.world)
        self.session = self.ann.open()
        self.bob = Client(self.world)
        self.bob.say(Join(self.session))
        self.world.tick(5)
        self.ann.hears()
        self.bob.hears()

    def message(self, sender: Client, text: str = "") -> ForwardedMessage:
        """What another one hears of a message."""
        return ForwardedMessage(self.session, sender.user, text)


class WelcomeTests(Case):
    """Who may come back."""

    def test_one_with_an_instance_gets_a_secret_and_a_grace(self) -> None:
        """One without gets neither."""
        for instance, expected in (("one", True), (None, False)):
            client = Client(self.world, None if instance is None else instance)
            self.assertEqual(client.secret is not None, expected)
            self.assertIsNone(client.survived)

    def test_each_welcome_has_another_secret(self) -> None:
        """The grace is told each time."""
        first = self.bob.secret
        self.bob.lose()
        self.bob.resume()
        self.assertNotEqual(self.bob.secret, first)


class EverythingTests(Case):
    """Nothing was lost."""

    def test_what_was_said_meanwhile_arrives_in_order(self) -> None:
        """The others hear that the member is away, and back; messages to it wait."""
        self.bob.lose()
        self.assertEqual(self.ann.hears(), [MemberAway(self.session, self.bob.user)])
        self.ann.say(AppMessage(self.session, "a"), Change(self.session, label="b"), AppMessage(self.session, "c"))
        heard = self.bob.resume()
        self.assertIs(self.bob.survived, Survival.EVERYTHING)
        self.assertEqual(
            heard, [self.message(self.ann, "a"), Changed(self.session, False, False, "b"), self.message(self.ann, "c")]
        )
        self.assertEqual(self.ann.hears()[-1], MemberBack(self.session, self.bob.user))

    def test_what_was_sent_and_not_received_is_sent_again(self) -> None:
        """Once: what the client has, it does not get a second time."""
        self.ann.say(AppMessage(self.session, "a"), AppMessage(self.session, "b"))
        self.bob.received += 1
        self.bob.lose()
        self.assertEqual(self.bob.resume(), [self.message(self.ann, "b")])

    def test_the_welcome_says_what_the_server_has(self) -> None:
        """So that the client sends the others of its messages again; refused ones and the malformed count."""
        self.bob.say(AppMessage(self.session, "a"), Join(self.session), Ping(), Ack(Count(0)))
        malformed = Error(ErrorCode.BAD_MESSAGE, Join)
        self.world.act(self.world.hub.malformed(self.bob.peer, malformed, self.world.now))
        self.world.act(self.world.hub.malformed(self.bob.peer, Error(ErrorCode.BAD_MESSAGE, Ack), self.world.now))
        self.assertEqual(self.bob.hears(), [malformed, Error(ErrorCode.BAD_MESSAGE, Ack)])
        self.bob.lose()
        peer = self.bob.peer
        self.bob.resume()
        self.assertNotEqual(self.bob.peer, peer)
        self.assertEqual(self.world.hub.users[self.bob.user].inbox.received, 4)

    def test_a_connection_that_the_server_still_holds_is_taken_over(self) -> None:
        """It is closed with `replaced`, and neither what it says nor its end counts; the others hear nothing."""
        old = self.bob.peer
        self.bob.resume()
        self.assertIs(self.bob.survived, Survival.EVERYTHING)
        self.assertEqual(self.world.closed, {old: ErrorCode.REPLACED})
        self.assertEqual(self.world.say(old, AppMessage(self.session, "late")), [])
        self.world.act(self.world.hub.malformed(old, Error(ErrorCode.BAD_MESSAGE), self.world.now))
        self.world.disconnect(old)
        self.assertEqual(self.ann.hears(), [])
        self.assertEqual(self.bob.say(Ping()), [Pong()])

    def test_of_two_tabs_one_stays(self) -> None:
        """The one that came last; the other one is closed with 4001 and does not come back by itself."""
        old, copied = self.bob.peer, self.bob.secret
        self.bob.resume()
        first, self.bob.secret = self.bob.peer, copied
        self.bob.resume()
        self.assertEqual(self.world.closed, {old: ErrorCode.REPLACED, first: ErrorCode.REPLACED})
        self.assertEqual(ErrorCode.REPLACED.close_code, 4001)
        self.assertIs(self.bob.survived, Survival.EVERYTHING)


class MembershipTests(Case):
    """The messages are lost, and the memberships are not."""

    def test_a_reloaded_page_begins_anew(self) -> None:
        """It hears of each session, with numbers above all before; the others that it is renewed."""
        self.bob.say(Change(self.session))
        self.bob.lose()
        self.ann.say(AppMessage(self.session, "lost"))
        [joined] = self.bob.resume(instance="two")
        assert isinstance(joined, Joined)
        self.assertIs(self.bob.survived, Survival.MEMBERSHIP)
        [renewed] = self.ann.hears()
        assert isinstance(renewed, MemberRenewed)
        self.assertEqual((joined.members[0].base, renewed.member.base), (4096, 4096))
        self.assertEqual((joined.members[0].offers_first, renewed.member.offers_first), (True, False))
        user = self.world.hub.users[self.bob.user]
        self.assertEqual((user.inbox.received, user.outbox.sent), (0, 1))

    def test_another_program_may_have_other_features(self) -> None:
        """The reloaded page cannot roll back: it is the impolite one of the pair from now on."""
        assert self.ann.secret is not None
        features = ("no-rollback",)
        for instance, expected in (("two", features), ("three", ())):
            peer = self.world.connect()
            resume = Resume(1, self.ann.user, self.ann.secret, Instance(instance), Count(0), features=expected)
            welcome, joined = self.world.say(peer, resume)
            [renewed] = self.bob.hears()
            assert isinstance(welcome, Welcome)
            assert isinstance(joined, Joined)
            assert isinstance(renewed, MemberRenewed)
            self.assertEqual((joined.members[0].polite, renewed.member.polite), (not expected, bool(expected)))
            self.assertEqual(self.world.hub.users[self.ann.user].traits.rollback, not expected)
            assert welcome.secret is not None
            self.ann.secret = welcome.secret

    def test_a_lost_welcome_of_such_a_one(self) -> None:
        """It cannot know from where its messages are counted, so that they are counted anew once more."""
        before = self.bob.secret
        self.bob.resume(instance="two")
        self.bob.received = 0
        self.assertEqual([type(event) for event in self.bob.resume(secret=before)], [Joined])
        self.assertIs(self.bob.survived, Survival.MEMBERSHIP)

    def test_all_that_it_is_in_is_told(self) -> None:
        """Sessions, knocks, and where it waits."""
        host = Client(self.world)
        lobby = host.open(Open(lobby=True))
        self.bob.say(Join(lobby, name="Bob"))
        host.hears()
        self.assertEqual([type(event) for event in self.bob.resume(instance="two")], [Joined, Waiting])
        self.bob.lose()
        events = host.resume(instance="two")
        self.assertEqual([type(event) for event in events], [Joined, Knock])
        self.assertEqual(events[1], Knock(lobby, self.bob.user, "Bob"))

    def test_more_than_is_kept(self) -> None:
        """Past twice the bound the events of the server are lost; then only the membership survives."""
        self.bob.lose()
        for n in range(33):
            self.ann.say(Change(self.session, label=str(n)))
        self.ann.hears()
        [joined] = self.bob.resume()
        assert isinstance(joined, Joined)
        self.assertEqual((self.bob.survived, joined.label), (Survival.MEMBERSHIP, "32"))
        self.assertIsInstance(self.ann.hears()[0], MemberRenewed)

    def test_a_count_that_cannot_be(self) -> None:
        """A client that has lost count begins anew."""
        self.bob.received = 1000
        self.bob.resume()
        self.assertIs(self.bob.survived, Survival.MEMBERSHIP)

    def test_the_other_one_takes_one_exchange(self) -> None:
        """Its session cannot be kept like that: the client is gone from it."""
        session = self.bob.open(Open())
        serde, _ = self.world.joining(session, SERDE)
        self.bob.hears()
        events = self.bob.resume(instance="two")
        self.assertEqual([event.session for event in events if isinstance(event, Joined)], [self.session])
        self.assertEqual(self.world.hears(serde), [Ended(session, EndReason.HOST_GONE)])

    def test_requests_that_wait_are_dropped(self) -> None:
        """The client begins anew, and does not know of them."""
        self.world.holding = (JoinSession,)
        self.bob.say(Join(self.session), AppMessage(self.session, "late"))
        other = self.ann.open(Open(8))
        self.bob.say(Join(other), AppMessage(self.session, "late"))
        self.assertEqual(len(self.world.held), 1)
        self.bob.resume(instance="two")
        self.ann.hears()
        self.world.release()
        self.assertEqual([type(event) for event in self.bob.hears()], [Joined])
        self.assertEqual([type(event) for event in self.ann.hears()], [MemberJoined])


class NothingTests(Case):
    """There is nothing to come back to."""

    def test_a_new_identity(self) -> None:
        """For an unknown user, a wrong secret, and one who is over: nobody hears of it."""
        gone = Client(self.world)
        gone.lose(Ending.LEFT)
        gone.resume()
        self.assertIs(gone.survived, Survival.NOTHING)
        unknown = Client(self.world)
        unknown.user = UserId("Z" * 26)
        unknown.resume()
        self.assertIs(unknown.survived, Survival.NOTHING)
        before = self.bob.user
        self.bob.resume(secret=WRONG)
        self.assertEqual((self.bob.survived, self.bob.user == before), (Survival.NOTHING, False))
        self.assertEqual((self.ann.hears(), self.world.closed), ([], {}))

    def test_the_new_identity_can_come_back(self) -> None:
        """As any other."""
        self.bob.resume(secret=WRONG)
        self.bob.lose()
        self.bob.resume()
        self.assertIs(self.bob.survived, Survival.EVERYTHING)

    def test_one_without_an_instance_cannot_be_resumed(self) -> None:
        """It has no secret, and any other is wrong."""
        client = Client(self.world, None)
        client.instance = self.bob.instance
        client.resume(secret=WRONG)
        self.assertIs(client.survived, Survival.NOTHING)


class SecretTests(Case):
    """Secrets rotate."""

    def test_a_lost_welcome_locks_nobody_out(self) -> None:
        """The secret before is valid until the first message on the new connection."""
        first = self.bob.secret
        for _ in range(3):
            self.bob.resume(secret=first)
            self.assertIs(self.bob.survived, Survival.EVERYTHING)

    def test_a_spent_secret_ends_the_identity(self) -> None:
        """Both connections lose it: the one that had it is closed, the other one is somebody new."""
        first = self.bob.secret
        self.bob.resume()
        self.bob.say(Ack(Count(self.bob.received)))
        victim, user = self.bob.peer, self.bob.user
        self.bob.resume(secret=first)
        self.assertIs(self.bob.survived, Survival.NOTHING)
        self.assertEqual(self.world.closed[victim], ErrorCode.SECRET_REUSED)
        self.assertEqual(self.ann.hears(), [MemberLeft(self.session, user, LeaveReason.GONE)])
        self.assertNotIn(user, self.world.hub.users)
        self.assertNotIn(user, self.world.registry.users)
        self.world.disconnect(victim)

    def test_a_spent_secret_of_one_who_is_away(self) -> None:
        """The same, without a connection to close; the newest secret is of no use any more."""
        first = self.bob.secret
        self.bob.resume()
        self.bob.say(Ping())
        second, user = self.bob.secret, self.bob.user
        self.bob.lose()
        self.ann.hears()
        self.bob.resume(secret=first)
        self.assertEqual(self.ann.hears(), [MemberLeft(self.session, user, LeaveReason.GONE)])
        self.bob.user = user
        self.bob.resume(secret=second)
        self.assertIs(self.bob.survived, Survival.NOTHING)

    def test_what_is_malformed_confirms_as_well(self) -> None:
        """It shows that the client is on the new connection."""
        first = self.bob.secret
        self.bob.resume()
        self.world.act(self.world.hub.malformed(self.bob.peer, Error(ErrorCode.BAD_MESSAGE), self.world.now))
        victim = self.bob.peer
        self.bob.resume(secret=first)
        self.assertEqual(self.world.closed[victim], ErrorCode.SECRET_REUSED)

    def test_a_connection_that_never_had_the_secret_does_not_confirm_it(self) -> None:
        """The resume's own connection is lost before the outcome: the old one goes on, and the old secret is valid."""
        first, old = self.bob.secret, self.bob.peer
        self.world.holding = (ResumeUser,)
        self.bob.resume()
        self.bob.lose()
        self.world.release()
        self.assertEqual(self.world.say(old, Ping()), [Pong()])
        self.bob.resume(secret=first)
        self.assertIs(self.bob.survived, Survival.EVERYTHING)


class GraceTests(Case):
    """How long somebody may be away."""

    def gone_after(self, client: Client, ending: Ending, seconds: float) -> None:
        """The member is there so long, and then no more."""
        client.lose(ending)
        self.assertEqual(self.ann.hears(), [MemberAway(self.session, client.user)])
        self.world.tick(seconds - 0.1)
        self.assertEqual(self.ann.hears(), [])
        self.world.tick(0.2)
        self.assertEqual(self.ann.hears(), [MemberLeft(self.session, client.user, LeaveReason.GONE)])
        self.assertNotIn(client.user, self.world.hub.users)
        self.assertNotIn(client.user, self.world.registry.users)

    def test_a_lost_connection(self) -> None:
        """Its user is away for the grace."""
        self.gone_after(self.bob, Ending.LOST, 30.0)

    def test_a_page_that_is_left(self) -> None:
        """It is back within seconds, or never."""
        self.gone_after(self.bob, Ending.RELOADING, 5.0)

    def test_one_who_leaves(self) -> None:
        """Its memberships end at once, as if it had said so."""
        self.bob.lose(Ending.LEFT)
        self.assertEqual(self.ann.hears(), [MemberLeft(self.session, self.bob.user, LeaveReason.LEFT)])
        self.assertNotIn(self.bob.user, self.world.registry.users)

    def test_a_host_who_leaves(self) -> None:
        """It is told apart from one who is gone."""
        self.ann.lose(Ending.LEFT)
        self.assertEqual(self.bob.hears(), [Ended(self.session, EndReason.HOST_LEFT)])

    def test_one_who_is_back_stays(self) -> None:
        """The end of an earlier grace is no end; nor does it shorten a later one."""
        self.bob.lose()
        self.world.tick(20)
        self.bob.resume()
        self.world.tick(8)
        self.bob.lose()
        self.ann.hears()
        self.world.tick(20)
        self.assertEqual(self.ann.hears(), [])
        self.bob.resume()
        self.assertIs(self.bob.survived, Survival.EVERYTHING)

    def test_one_who_is_about_to_be_back_is_waited_for(self) -> None:
        """The grace ends while its resume is decided."""
        self.bob.lose()
        self.ann.hears()
        self.world.tick(29)
        self.world.holding = (ResumeUser,)
        self.bob.resume()
        self.world.tick(1.5)
        self.assertEqual(self.ann.hears(), [])
        self.world.release()
        self.bob.hears()
        self.assertIs(self.bob.survived, Survival.EVERYTHING)
        self.world.tick(5)
        self.assertEqual(self.ann.hears(), [MemberBack(self.session, self.bob.user)])

    def test_the_deadlines_are_forgotten(self) -> None:
        """With the users whose they are."""
        for _ in range(100):
            client = Client(self.world)
            client.say(Debug())
            client.lose()
            client.resume()
            client.lose(Ending.LEFT)
        self.world.tick(11)
        self.assertLess(len(self.world.hub.deadlines.heap), 100)


class AcknowledgementTests(Case):
    """Both sides say how much they have."""

    def test_the_server_acknowledges_every_16_messages(self) -> None:
        """At once with the sixteenth."""
        refused = Error(ErrorCode.ALREADY_MEMBER, Join)
        for total in (17, 33):
            self.assertEqual(self.bob.say(*[Join(self.session)] * 15), [refused] * 15)
            self.assertEqual(self.bob.say(Join(self.session)), [Ack(Count(total)), refused])

    def test_the_server_acknowledges_every_32_kib(self) -> None:
        """Text counts, and an envelope for each message."""
        self.assertEqual(self.bob.say(AppMessage(self.session, "x" * 16384)), [])
        [ack] = self.bob.say(AppMessage(self.session, "x" * 16384))
        self.assertEqual(ack, Ack(Count(3)))

    def test_the_server_acknowledges_after_5_seconds(self) -> None:
        """Whatever has come by then, once."""
        self.bob.say(AppMessage(self.session, ""))
        self.world.tick(3)
        self.bob.say(AppMessage(self.session, ""))
        self.assertEqual(self.bob.hears(), [])
        self.world.tick(2)
        self.assertEqual(self.bob.hears(), [Ack(Count(3))])
        self.world.tick(5)
        self.assertEqual(self.bob.hears(), [])

    def test_one_who_is_away_is_told_when_it_is_back(self) -> None:
        """The welcome says it."""
        self.bob.say(AppMessage(self.session, ""))
        self.bob.lose()
        self.world.tick(6)
        peer = self.bob.peer
        self.bob.resume()
        self.assertEqual(self.world.hears(peer), [])
        self.world.tick(6)
        self.assertEqual(self.bob.hears(), [])

    def test_what_was_never_sent_cannot_be_acknowledged(self) -> None:
        """Neither by one who can come back nor by one who cannot; the right count is accepted from both."""
        for client in (self.bob, Client(self.world, None)):
            before = self.world.state()
            self.assertEqual(
                client.say(Ack(Count(client.received + 1), ID)), [Error(ErrorCode.BAD_ACKNOWLEDGEMENT, Ack, id=ID)]
            )
            self.assertEqual(self.world.state(), before)
        forgetful = Client(self.world, None)
        forgetful.open()
        self.assertEqual((forgetful.received, forgetful.say(Ack(Count(1)))), (1, []))

    def test_one_who_cannot_come_back_is_not_told(self) -> None:
        """It keeps nothing."""
        client = Client(self.world, None)
        self.assertEqual(client.say(*[Debug()] * 40), [])


class OutboxTests(Case):
    """What a member has not acknowledged is bounded."""

    def test_whoever_sends_more_is_refused(self) -> None:
        """Until the member acknowledges; what is there stays, and nobody hears of the refused one."""
        cat = Client(self.world)
        cat.say(Join(self.session))
        cat.say(Ack(Count(cat.received)))
        self.bob.hears()
        self.ann.hears()
        user = self.world.hub.users[self.bob.user]
        while len(user.outbox.waiting) < 16:
            self.ann.say(AppMessage(self.session, "", self.bob.user))
        before = self.world.state()
        for to in (None, self.bob.user):
            refused = Error(ErrorCode.OUTBOX_FULL, AppMessage, self.session, ID)
            self.assertEqual(self.ann.say(AppMessage(self.session, "", to, ID))[-1], refused)
        self.assertEqual((self.world.state(), cat.hears()), (before, []))
        self.bob.hears()
        self.bob.say(Ack(Count(self.bob.received)))
        self.assertEqual(self.ann.say(AppMessage(self.session, "now")), [])
        self.assertEqual(self.bob.hears(), [self.message(self.ann, "now")])

    def test_the_room_of_one_who_is_gone_is_free(self) -> None:
        """Nothing of it is kept."""
        self.bob.lose()
        self.ann.say(AppMessage(self.session, "x" * 1000))
        self.ann.lose()
        self.world.tick(31)
        self.assertEqual((self.world.hub.users, self.world.hub.mailboxes.room.used), ({}, 0))


class DecisionTests(Case):
    """Decisions that are under way while connections come and go."""

    def test_a_reply_waits_for_one_who_is_away(self) -> None:
        """Its request was taken; the requests behind it are carried out in order."""
        other = self.ann.open(Open(8))
        self.world.holding = (JoinSession,)
        self.bob.say(Join(other, id=ID), AppMessage(self.session, "after"))
        self.bob.lose()
        self.ann.hears()
        self.world.release()
        [joined, said] = self.ann.hears()
        assert isinstance(joined, MemberJoined)
        self.assertEqual((joined.session, joined.member.away), (other, True))
        self.assertEqual(said, self.message(self.bob, "after"))
        [reply] = self.bob.resume()
        assert isinstance(reply, Joined)
        self.assertEqual((reply.session, reply.id), (other, ID))

    def test_what_was_opened_for_one_who_is_gone(self) -> None:
        """It is over with the identity."""
        self.world.holding = (OpenSession,)
        self.bob.say(Open())
        self.bob.lose(Ending.LEFT)
        self.world.release()
        self.assertEqual((len(self.world.registry.sessions), len(self.world.hub.sessions)), (1, 1))

    def test_more_came_while_a_resume_was_decided(self) -> None:
        """Then everybody begins anew after all."""
        self.bob.lose()
        self.ann.hears()
        self.world.holding = (ResumeUser,)
        self.bob.resume()
        for n in range(33):
            self.ann.say(Change(self.session, label=str(n)))
        self.ann.hears()
        self.world.release()
        [_, joined] = self.bob.hears()
        self.assertIsInstance(joined, Joined)
        self.assertIs(self.bob.survived, Survival.MEMBERSHIP)
        self.assertEqual([type(event) for event in self.ann.hears()], [MemberBack, MemberRenewed])

    def test_the_one_who_came_back_is_gone_before_the_renewal(self) -> None:
        """It is away again, until its grace is over."""
        self.bob.lose()
        self.renewal()
        self.bob.lose()
        self.world.release()
        self.ann.hears()
        self.assertTrue(self.world.registry.users[self.bob.user].away)
        self.world.tick(31)
        self.assertEqual(self.ann.hears()[-1], MemberLeft(self.session, self.bob.user, LeaveReason.GONE))

    def renewal(self) -> None:
        """Bob's resume finds everything, then more than is kept; the renewal is held back."""
        self.world.holding = (ResumeUser,)
        self.bob.resume()
        for n in range(33):
            self.ann.say(Change(self.session, label=str(n)))
        held, self.world.held = self.world.held, []
        self.world.holding = (RenewUser,)
        self.world.act(held)
        self.assertEqual([decide.operation for decide in self.world.held], [RenewUser(self.bob.user, Traits())])

    def test_another_connection_is_faster_than_the_renewal(self) -> None:
        """The one that waits for it is closed."""
        first = self.bob.secret
        self.bob.lose()
        self.renewal()
        slow = self.bob.peer
        self.world.holding = ()
        self.bob.resume(secret=first, instance="two")
        self.world.release()
        self.assertEqual(self.world.closed, {slow: ErrorCode.REPLACED})
        self.assertIs(self.bob.survived, Survival.MEMBERSHIP)
        self.assertEqual(self.bob.say(Ping())[-1], Pong())

    def test_the_identity_ends_before_the_renewal(self) -> None:
        """It left on its old connection; the new one gets another identity."""
        old, user = self.bob.peer, self.bob.user
        self.renewal()
        self.world.disconnect(old, Ending.LEFT)
        self.world.release()
        self.bob.hears()
        self.assertIs(self.bob.survived, Survival.NOTHING)
        self.assertNotEqual(self.bob.user, user)

    def test_a_reloaded_page_is_gone_before_the_outcome(self) -> None:
        """The others begin anew with it already, and so it does when it comes again."""
        first = self.bob.secret
        self.bob.lose()
        self.world.holding = (ResumeUser,)
        self.bob.resume(instance="two")
        self.bob.lose()
        self.ann.hears()
        self.world.release()
        self.assertEqual([type(event) for event in self.ann.hears()], [MemberRenewed, MemberAway])
        self.assertEqual([type(event) for event in self.bob.resume(secret=first)], [Joined])
        self.assertIs(self.bob.survived, Survival.MEMBERSHIP)

    def test_the_one_who_came_back_is_gone_before_the_outcome(self) -> None:
        """It is away again, and can come back with its old secret."""
        first = self.bob.secret
        self.bob.lose()
        self.world.holding = (ResumeUser,)
        self.bob.resume()
        self.bob.lose()
        self.ann.hears()
        self.world.release()
        self.assertEqual(
            self.ann.hears(), [MemberBack(self.session, self.bob.user), MemberAway(self.session, self.bob.user)]
        )
        self.bob.resume(secret=first)
        self.assertIs(self.bob.survived, Survival.EVERYTHING)

    def test_of_two_that_come_back_at_once_the_newer_secret_counts(self) -> None:
        """The outcome that comes late is of no use."""
        self.bob.lose()
        self.world.holding = (ResumeUser,)
        self.bob.resume()
        earlier = self.bob.peer
        self.bob.resume()
        later = self.bob.peer
        one, two = self.world.held
        self.world.held, self.world.holding = [], ()
        outcomes = [self.world.registry.decide(decide.operation) for decide in (one, two)]
        self.world.act(self.world.hub.decided(two.id, outcomes[1], self.world.now))
        self.world.act(self.world.hub.decided(one.id, outcomes[0], self.world.now))
        self.assertEqual(self.world.closed, {earlier: ErrorCode.REPLACED})
        self.assertIsInstance(self.world.hears(later)[0], Welcome)
        self.assertEqual(self.world.hears(earlier), [])

    def test_one_who_comes_back_to_an_identity_that_ended_meanwhile(self) -> None:
        """Its user left on the old connection while the resume was decided."""
        self.world.holding = (ResumeUser,)
        old = self.bob.peer
        self.bob.resume()
        self.world.disconnect(old, Ending.LEFT)
        self.world.release()
        self.bob.hears()
        self.assertIs(self.bob.survived, Survival.NOTHING)

    def test_a_guess_at_one_who_is_gone_before_the_outcome(self) -> None:
        """Nobody is welcomed."""
        users = set(self.world.hub.users)
        self.world.holding = (ResumeUser,)
        self.bob.resume(secret=WRONG)
        self.bob.lose()
        self.world.release()
        self.assertEqual(set(self.world.hub.users), users)
        self.assertEqual(self.world.hub.decisions.pending, {})

    def test_the_first_message_is_what_confirms(self) -> None:
        """Once for each secret."""
        self.bob.resume()
        self.world.holding = (ConfirmSecret,)
        self.bob.say(Ping(), Ping())
        self.assertEqual([decide.operation for decide in self.world.held], [ConfirmSecret(self.bob.user, 2)])
        self.world.release()

    def test_where_it_waits_is_told_again_when_the_reason_is_another(self) -> None:
        """From the lobby to the host, who is gone."""
        session = self.ann.open(Open(lobby=True, keep=True))
        self.assertEqual(self.bob.say(Join(session, id=ID)), [Waiting(session, WaitReason.LOBBY, ID)])
        self.ann.lose(Ending.LEFT)
        self.assertIn(Waiting(session, WaitReason.HOST), self.bob.hears())


class TransitionTests(SynchronousTestCase):
    """The tables of states."""

    def test_nothing_else_happens_to_a_connection(self) -> None:
        """One that is closed stays so, and one that is closing is not welcomed."""
        happens = {
            (PeerState.GREETING, PeerEvent.WELCOME),
            (PeerState.GREETING, PeerEvent.CLOSE),
            (PeerState.GREETING, PeerEvent.SOCKET_CLOSED),
            (PeerState.WELCOMED, PeerEvent.CLOSE),
            (PeerState.WELCOMED, PeerEvent.SOCKET_CLOSED),
            (PeerState.CLOSING, PeerEvent.SOCKET_CLOSED),
        }
        world = World()
        for state, event in product(PeerState, PeerEvent):
            peer = world.hub.peers[world.connect()]
            peer.state = state
            if (state, event) in happens:
                peer.step(event)
                self.assertIs(peer.state, PEER_TRANSITIONS[state, event])
            else:
                self.assertRaises(KeyError, peer.step, event)
                self.assertIs(peer.state, state)

    def test_nothing_else_happens_to_an_identity(self) -> None:
        """One that is over stays so; only one who is away expires, and only one who is there leaves or is lost."""
        happens = {
            (UserState.PRESENT, UserEvent.RESUMED),
            (UserState.PRESENT, UserEvent.LOST),
            (UserState.PRESENT, UserEvent.LEFT),
            (UserState.PRESENT, UserEvent.SECRET_REUSED),
            (UserState.AWAY, UserEvent.RESUMED),
            (UserState.AWAY, UserEvent.EXPIRED),
            (UserState.AWAY, UserEvent.SECRET_REUSED),
        }
        world = World()
        user = world.hub.users[Client(world).user]
        for state, event in product(UserState, UserEvent):
            user.state = state
            if (state, event) in happens:
                user.step(event)
                self.assertIs(user.state, USER_TRANSITIONS[state, event])
            else:
                self.assertRaises(KeyError, user.step, event)
                self.assertIs(user.state, state)
