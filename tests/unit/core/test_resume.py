"""Identities that outlive their connections, through the hub (docs/protocol.md, "Resume")."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import ConfirmSecret, JoinSession, OpenSession, RenewUser, ResumeUser
from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason
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
    """A host and a guest that can resume."""

    limits = Limits(outbox_messages=16)

    def setUp(self) -> None:
        """Let both join and acknowledge everything."""
        self.world = World(self.limits)
        self.ann = Client(self.world)
        self.session = self.ann.open()
        self.bob = Client(self.world)
        self.bob.send(Join(self.session))
        self.world.tick(5)
        self.ann.receive()
        self.bob.receive()

    def message(self, sender: Client, text: str = "") -> ForwardedMessage:
        """Return the event that a message from the other member becomes."""
        return ForwardedMessage(self.session, sender.user, text)


class WelcomeTests(Case):
    """Only some clients can resume."""

    def test_one_with_an_instance_gets_a_secret_and_a_grace(self) -> None:
        """A client with an instance gets a secret and a grace period; a client without an instance gets neither."""
        for instance, expected in (("one", True), (None, False)):
            client = Client(self.world, None if instance is None else instance)
            self.assertEqual(client.secret is not None, expected)
            self.assertIsNone(client.survival)

    def test_each_welcome_has_another_secret(self) -> None:
        """Every welcome has a new secret and states the grace period."""
        first = self.bob.secret
        self.bob.lose()
        self.bob.resume()
        self.assertNotEqual(self.bob.secret, first)


class EverythingTests(Case):
    """A resume can restore the state without any loss."""

    def test_messages_during_the_absence_arrive_in_order(self) -> None:
        """The other members see the member go away and come back; messages to it are kept."""
        self.bob.lose()
        self.assertEqual(self.ann.receive(), [MemberAway(self.session, self.bob.user)])
        self.ann.send(AppMessage(self.session, "a"), Change(self.session, label="b"), AppMessage(self.session, "c"))
        heard = self.bob.resume()
        self.assertIs(self.bob.survival, Survival.EVERYTHING)
        self.assertEqual(
            heard, [self.message(self.ann, "a"), Changed(self.session, False, False, "b"), self.message(self.ann, "c")]
        )
        self.assertEqual(self.ann.receive()[-1], MemberBack(self.session, self.bob.user))

    def test_events_that_were_not_received_are_replayed(self) -> None:
        """Events that the client has received are not replayed."""
        self.ann.send(AppMessage(self.session, "a"), AppMessage(self.session, "b"))
        self.bob.received += 1
        self.bob.lose()
        self.assertEqual(self.bob.resume(), [self.message(self.ann, "b")])

    def test_the_welcome_counts_the_messages_that_arrived(self) -> None:
        """The welcome counts rejected, malformed and unknown messages too: the client resends what has not arrived."""
        self.bob.send(AppMessage(self.session, "a"), Join(self.session), Ping(), Ack(Count(0)))
        malformed = Error(ErrorCode.BAD_MESSAGE, Join)
        self.world.carry_out(self.world.hub.malformed(self.bob.peer, malformed, self.world.now))
        self.world.carry_out(self.world.hub.malformed(self.bob.peer, Error(ErrorCode.BAD_MESSAGE, Ack), self.world.now))
        unknown_type = Error(ErrorCode.BAD_MESSAGE)
        self.world.carry_out(self.world.hub.malformed(self.bob.peer, unknown_type, self.world.now))
        self.assertEqual(self.bob.receive(), [malformed, Error(ErrorCode.BAD_MESSAGE, Ack), unknown_type])
        self.bob.lose()
        peer = self.bob.peer
        self.bob.resume()
        self.assertNotEqual(self.bob.peer, peer)
        self.assertEqual(self.world.hub.users[self.bob.user].inbox.received, 5)

    def test_a_connection_that_the_server_still_holds_is_taken_over(self) -> None:
        """The old connection is closed with `replaced`, and its later frames are ignored.

        The other members get no event.
        """
        old = self.bob.peer
        self.bob.resume()
        self.assertIs(self.bob.survival, Survival.EVERYTHING)
        self.assertEqual(self.world.closed, {old: ErrorCode.REPLACED})
        self.assertEqual(self.world.send(old, AppMessage(self.session, "late")), [])
        self.world.carry_out(self.world.hub.malformed(old, Error(ErrorCode.BAD_MESSAGE), self.world.now))
        self.world.disconnect(old)
        self.assertEqual(self.ann.receive(), [])
        self.assertEqual(self.bob.send(Ping()), [Pong()])

    def test_of_two_connections_the_last_one_stays(self) -> None:
        """The last resume wins; the other connection is closed with 4001, after which clients do not reconnect."""
        old, copied = self.bob.peer, self.bob.secret
        self.bob.resume()
        first, self.bob.secret = self.bob.peer, copied
        self.bob.resume()
        self.assertEqual(self.world.closed, {old: ErrorCode.REPLACED, first: ErrorCode.REPLACED})
        self.assertEqual(ErrorCode.REPLACED.close_code, 4001)
        self.assertIs(self.bob.survival, Survival.EVERYTHING)


class MembershipTests(Case):
    """Resumes after messages were lost: the memberships survive."""

    def test_a_reloaded_page_starts_over(self) -> None:
        """The user gets each session with higher negotiation numbers; the others get a renewal."""
        self.bob.send(Change(self.session))
        self.bob.lose()
        self.ann.send(AppMessage(self.session, "lost"))
        [joined] = self.bob.resume(instance="two")
        assert isinstance(joined, Joined)
        self.assertIs(self.bob.survival, Survival.MEMBERSHIP)
        [renewed] = self.ann.receive()
        assert isinstance(renewed, MemberRenewed)
        self.assertEqual((joined.members[0].base, renewed.member.base), (4096, 4096))
        self.assertEqual((joined.members[0].offers_first, renewed.member.offers_first), (True, False))
        user = self.world.hub.users[self.bob.user]
        self.assertEqual((user.inbox.received, user.outbox.sent), (0, 1))

    def test_another_program_may_have_other_features(self) -> None:
        """The reloaded program cannot roll back, so it is the impolite peer of the pair from now on."""
        assert self.ann.secret is not None
        features = ("no-rollback",)
        for instance, expected in (("two", features), ("three", ())):
            peer = self.world.connect()
            resume = Resume(1, self.ann.user, self.ann.secret, Instance(instance), Count(0), features=expected)
            welcome, joined = self.world.send(peer, resume)
            [renewed] = self.bob.receive()
            assert isinstance(welcome, Welcome)
            assert isinstance(joined, Joined)
            assert isinstance(renewed, MemberRenewed)
            self.assertEqual((joined.members[0].polite, renewed.member.polite), (not expected, bool(expected)))
            self.assertEqual(self.world.hub.users[self.ann.user].traits.rollback, not expected)
            assert welcome.secret is not None
            self.ann.secret = welcome.secret

    def test_a_lost_welcome_after_a_reload_resets_the_counters_again(self) -> None:
        """The client cannot know from where its messages are counted, so the counters are reset again."""
        before = self.bob.secret
        self.bob.resume(instance="two")
        self.bob.received = 0
        self.assertEqual([type(event) for event in self.bob.resume(secret=before)], [Joined])
        self.assertIs(self.bob.survival, Survival.MEMBERSHIP)

    def test_all_memberships_are_sent_again(self) -> None:
        """The user gets its sessions, the knocks and its waiting again."""
        host = Client(self.world)
        lobby = host.open(Open(lobby=True))
        self.bob.send(Join(lobby, name="Bob"))
        host.receive()
        self.assertEqual([type(event) for event in self.bob.resume(instance="two")], [Joined, Waiting])
        self.bob.lose()
        events = host.resume(instance="two")
        self.assertEqual([type(event) for event in events], [Joined, Knock])
        self.assertEqual(events[1], Knock(lobby, self.bob.user, "Bob"))

    def test_the_outbox_overflows(self) -> None:
        """At twice the limit the outbox overflows, and only the membership survives."""
        self.bob.lose()
        for n in range(33):
            self.ann.send(Change(self.session, label=str(n)))
        self.ann.receive()
        [joined] = self.bob.resume()
        assert isinstance(joined, Joined)
        self.assertEqual((self.bob.survival, joined.label), (Survival.MEMBERSHIP, "32"))
        self.assertIsInstance(self.ann.receive()[0], MemberRenewed)

    def test_an_impossible_count(self) -> None:
        """A client whose count is impossible starts over."""
        self.bob.received = 1000
        self.bob.resume()
        self.assertIs(self.bob.survival, Survival.MEMBERSHIP)

    def test_the_other_member_supports_a_single_exchange(self) -> None:
        """A session with a member of a single exchange cannot be renewed, so the resuming client leaves the session."""
        session = self.bob.open(Open())
        serde, _ = self.world.join_session(session, SERDE)
        self.bob.receive()
        events = self.bob.resume(instance="two")
        self.assertEqual([event.session for event in events if isinstance(event, Joined)], [self.session])
        self.assertEqual(self.world.receive(serde), [Ended(session, EndReason.HOST_GONE)])

    def test_requests_that_wait_are_dropped(self) -> None:
        """The queued requests are dropped, since the client starts over and does not know of them."""
        self.world.deferred_operations = (JoinSession,)
        self.bob.send(Join(self.session), AppMessage(self.session, "late"))
        other = self.ann.open(Open(8))
        self.bob.send(Join(other), AppMessage(self.session, "late"))
        self.assertEqual(len(self.world.deferred), 1)
        self.bob.resume(instance="two")
        self.ann.receive()
        self.world.decide_deferred()
        self.assertEqual([type(event) for event in self.bob.receive()], [Joined])
        self.assertEqual([type(event) for event in self.ann.receive()], [MemberJoined])


class NothingTests(Case):
    """A resume fails if its identity does not exist."""

    def test_a_new_identity(self) -> None:
        """An unknown user, a wrong secret and an ended identity get a new identity, and no other client notices."""
        gone = Client(self.world)
        gone.lose(DisconnectReason.LEFT)
        gone.resume()
        self.assertIs(gone.survival, Survival.NOTHING)
        unknown = Client(self.world)
        unknown.user = UserId("Z" * 26)
        unknown.resume()
        self.assertIs(unknown.survival, Survival.NOTHING)
        before = self.bob.user
        self.bob.resume(secret=WRONG)
        self.assertEqual((self.bob.survival, self.bob.user == before), (Survival.NOTHING, False))
        self.assertEqual((self.ann.receive(), self.world.closed), ([], {}))

    def test_the_new_identity_can_come_back(self) -> None:
        """The new identity can be resumed like any other."""
        self.bob.resume(secret=WRONG)
        self.bob.lose()
        self.bob.resume()
        self.assertIs(self.bob.survival, Survival.EVERYTHING)

    def test_one_without_an_instance_cannot_be_resumed(self) -> None:
        """The identity has no secret, so any secret is wrong."""
        client = Client(self.world, None)
        client.instance = self.bob.instance
        client.resume(secret=WRONG)
        self.assertIs(client.survival, Survival.NOTHING)


class SecretTests(Case):
    """Resume secrets rotate."""

    def test_a_lost_welcome_locks_nobody_out(self) -> None:
        """The previous secret stays valid until the first message on the new connection."""
        first = self.bob.secret
        for _ in range(3):
            self.bob.resume(secret=first)
            self.assertIs(self.bob.survival, Survival.EVERYTHING)

    def test_a_spent_secret_ends_the_identity(self) -> None:
        """A spent secret ends the identity for both clients.

        The connected client is closed, and the resuming client gets a new identity.
        """
        first = self.bob.secret
        self.bob.resume()
        self.bob.send(Ack(Count(self.bob.received)))
        victim, user = self.bob.peer, self.bob.user
        self.bob.resume(secret=first)
        self.assertIs(self.bob.survival, Survival.NOTHING)
        self.assertEqual(self.world.closed[victim], ErrorCode.SECRET_REUSED)
        self.assertEqual(self.ann.receive(), [MemberLeft(self.session, user, LeaveReason.GONE)])
        self.assertNotIn(user, self.world.hub.users)
        self.assertNotIn(user, self.world.registry.users)
        self.world.disconnect(victim)

    def test_a_spent_secret_of_a_user_that_is_away(self) -> None:
        """A spent secret also ends the identity of a user that is away; the newest secret is invalid too."""
        first = self.bob.secret
        self.bob.resume()
        self.bob.send(Ping())
        second, user = self.bob.secret, self.bob.user
        self.bob.lose()
        self.ann.receive()
        self.bob.resume(secret=first)
        self.assertEqual(self.ann.receive(), [MemberLeft(self.session, user, LeaveReason.GONE)])
        self.bob.user = user
        self.bob.resume(secret=second)
        self.assertIs(self.bob.survival, Survival.NOTHING)

    def test_a_malformed_message_confirms_the_secret_too(self) -> None:
        """Any message shows that the client is on the new connection."""
        first = self.bob.secret
        self.bob.resume()
        self.world.carry_out(self.world.hub.malformed(self.bob.peer, Error(ErrorCode.BAD_MESSAGE), self.world.now))
        victim = self.bob.peer
        self.bob.resume(secret=first)
        self.assertEqual(self.world.closed[victim], ErrorCode.SECRET_REUSED)

    def test_a_connection_that_never_had_the_secret_does_not_confirm_it(self) -> None:
        """If the new connection is lost before the outcome, the old secret stays valid.

        The old connection continues.
        """
        first, old = self.bob.secret, self.bob.peer
        self.world.deferred_operations = (ResumeUser,)
        self.bob.resume()
        self.bob.lose()
        self.world.decide_deferred()
        self.assertEqual(self.world.send(old, Ping()), [Pong()])
        self.bob.resume(secret=first)
        self.assertIs(self.bob.survival, Survival.EVERYTHING)


class GraceTests(Case):
    """Lost connections have a reconnect grace period."""

    def gone_after(self, client: Client, ending: DisconnectReason, seconds: float) -> None:
        """Assert that the member stays for the grace period, and then leaves."""
        client.lose(ending)
        self.assertEqual(self.ann.receive(), [MemberAway(self.session, client.user)])
        self.world.tick(seconds - 0.1)
        self.assertEqual(self.ann.receive(), [])
        self.world.tick(0.2)
        self.assertEqual(self.ann.receive(), [MemberLeft(self.session, client.user, LeaveReason.GONE)])
        self.assertNotIn(client.user, self.world.hub.users)
        self.assertNotIn(client.user, self.world.registry.users)

    def test_a_lost_connection(self) -> None:
        """A lost connection has the full grace period."""
        self.gone_after(self.bob, DisconnectReason.LOST, 30.0)

    def test_a_page_that_is_left(self) -> None:
        """A page that reloads has a shorter grace period."""
        self.gone_after(self.bob, DisconnectReason.RELOADING, 5.0)

    def test_a_deliberate_close_has_no_grace(self) -> None:
        """The memberships end at once, as with a leave."""
        self.bob.lose(DisconnectReason.LEFT)
        self.assertEqual(self.ann.receive(), [MemberLeft(self.session, self.bob.user, LeaveReason.LEFT)])
        self.assertNotIn(self.bob.user, self.world.registry.users)

    def test_a_host_who_leaves(self) -> None:
        """The other members get another reason than for a lost member."""
        self.ann.lose(DisconnectReason.LEFT)
        self.assertEqual(self.bob.receive(), [Ended(self.session, EndReason.HOST_LEFT)])

    def test_a_resume_ends_the_grace(self) -> None:
        """The end of an earlier grace period neither ends nor shortens a later one."""
        self.bob.lose()
        self.world.tick(20)
        self.bob.resume()
        self.world.tick(8)
        self.bob.lose()
        self.ann.receive()
        self.world.tick(20)
        self.assertEqual(self.ann.receive(), [])
        self.bob.resume()
        self.assertIs(self.bob.survival, Survival.EVERYTHING)

    def test_a_pending_resume_extends_the_grace(self) -> None:
        """The grace period does not end while a resume is decided."""
        self.bob.lose()
        self.ann.receive()
        self.world.tick(29)
        self.world.deferred_operations = (ResumeUser,)
        self.bob.resume()
        self.world.tick(1.5)
        self.assertEqual(self.ann.receive(), [])
        self.world.decide_deferred()
        self.bob.receive()
        self.assertIs(self.bob.survival, Survival.EVERYTHING)
        self.world.tick(5)
        self.assertEqual(self.ann.receive(), [MemberBack(self.session, self.bob.user)])

    def test_the_deadlines_are_forgotten(self) -> None:
        """A user's deadlines are removed with the user."""
        for _ in range(100):
            client = Client(self.world)
            client.send(Debug())
            client.lose()
            client.resume()
            client.lose(DisconnectReason.LEFT)
        self.world.tick(11)
        self.assertLess(len(self.world.hub.deadlines.heap), 100)


class AcknowledgementTests(Case):
    """Acknowledgements, in both directions."""

    def test_the_server_acknowledges_every_16_messages(self) -> None:
        """An acknowledgement is sent with the sixteenth message."""
        refused = Error(ErrorCode.ALREADY_MEMBER, Join)
        for total in (17, 33):
            self.assertEqual(self.bob.send(*[Join(self.session)] * 15), [refused] * 15)
            self.assertEqual(self.bob.send(Join(self.session)), [Ack(Count(total)), refused])

    def test_the_server_acknowledges_every_32_kib(self) -> None:
        """Texts count by their bytes, plus an envelope for each message."""
        self.assertEqual(self.bob.send(AppMessage(self.session, "x" * 16384)), [])
        [ack] = self.bob.send(AppMessage(self.session, "x" * 16384))
        self.assertEqual(ack, Ack(Count(3)))

    def test_the_server_acknowledges_after_5_seconds(self) -> None:
        """One acknowledgement covers everything that has arrived."""
        self.bob.send(AppMessage(self.session, ""))
        self.world.tick(3)
        self.bob.send(AppMessage(self.session, ""))
        self.assertEqual(self.bob.receive(), [])
        self.world.tick(2)
        self.assertEqual(self.bob.receive(), [Ack(Count(3))])
        self.world.tick(5)
        self.assertEqual(self.bob.receive(), [])

    def test_a_user_that_is_away_gets_the_ack_with_its_welcome(self) -> None:
        """The welcome states how many of the client's messages have arrived."""
        self.bob.send(AppMessage(self.session, ""))
        self.bob.lose()
        self.world.tick(6)
        peer = self.bob.peer
        self.bob.resume()
        self.assertEqual(self.world.receive(peer), [])
        self.world.tick(6)
        self.assertEqual(self.bob.receive(), [])

    def test_an_ack_of_more_than_was_sent_is_rejected(self) -> None:
        """An impossible count is rejected, whether or not the client can resume; the right count is accepted."""
        for client in (self.bob, Client(self.world, None)):
            before = self.world.state()
            self.assertEqual(
                client.send(Ack(Count(client.received + 1), ID)), [Error(ErrorCode.BAD_ACKNOWLEDGEMENT, Ack, id=ID)]
            )
            self.assertEqual(self.world.state(), before)
        forgetful = Client(self.world, None)
        forgetful.open()
        self.assertEqual((forgetful.received, forgetful.send(Ack(Count(1)))), (1, []))

    def test_a_client_that_cannot_resume_gets_no_acks(self) -> None:
        """Such a client keeps nothing to resend, and the server keeps nothing for it."""
        client = Client(self.world, None)
        self.assertEqual(client.send(*[Debug()] * 40), [])


class OutboxTests(Case):
    """The messages that are kept for a member are bounded."""

    def test_messages_beyond_the_limit_are_rejected(self) -> None:
        """Messages beyond the limits are rejected until the member acknowledges.

        The receiver gets no event about a rejected message.
        """
        cat = Client(self.world)
        cat.send(Join(self.session))
        cat.send(Ack(Count(cat.received)))
        self.bob.receive()
        self.ann.receive()
        user = self.world.hub.users[self.bob.user]
        while len(user.outbox.unacknowledged) < 16:
            self.ann.send(AppMessage(self.session, "", self.bob.user))
        before = self.world.state()
        for to in (None, self.bob.user):
            refused = Error(ErrorCode.OUTBOX_FULL, AppMessage, self.session, ID)
            self.assertEqual(self.ann.send(AppMessage(self.session, "", to, ID))[-1], refused)
        self.assertEqual((self.world.state(), cat.receive()), (before, []))
        self.bob.receive()
        self.bob.send(Ack(Count(self.bob.received)))
        self.assertEqual(self.ann.send(AppMessage(self.session, "now")), [])
        self.assertEqual(self.bob.receive(), [self.message(self.ann, "now")])

    def test_the_quota_of_a_user_that_is_gone_is_freed(self) -> None:
        """When the identity ends, the quota that its outbox used is freed."""
        self.bob.lose()
        self.ann.send(AppMessage(self.session, "x" * 1000))
        self.ann.lose()
        self.world.tick(31)
        self.assertEqual((self.world.hub.users, self.world.hub.mailboxes.quota.used), ({}, 0))


class DecisionTests(Case):
    """Decisions are pending while connections are lost and resumed."""

    def test_a_reply_is_kept_for_a_user_that_is_away(self) -> None:
        """The request of a user that is away is carried out, and then the requests queued behind it, in order."""
        other = self.ann.open(Open(8))
        self.world.deferred_operations = (JoinSession,)
        self.bob.send(Join(other, id=ID), AppMessage(self.session, "after"))
        self.bob.lose()
        self.ann.receive()
        self.world.decide_deferred()
        [joined, said] = self.ann.receive()
        assert isinstance(joined, MemberJoined)
        self.assertEqual((joined.session, joined.member.away), (other, True))
        self.assertEqual(said, self.message(self.bob, "after"))
        [reply] = self.bob.resume()
        assert isinstance(reply, Joined)
        self.assertEqual((reply.session, reply.id), (other, ID))

    def test_a_session_opened_for_a_user_that_is_gone(self) -> None:
        """The session ends with the identity."""
        self.world.deferred_operations = (OpenSession,)
        self.bob.send(Open())
        self.bob.lose(DisconnectReason.LEFT)
        self.world.decide_deferred()
        self.assertEqual((len(self.world.registry.sessions), len(self.world.hub.sessions)), (1, 1))

    def test_more_came_while_a_resume_was_decided(self) -> None:
        """If an event is dropped while a resume is decided, all negotiations start over after all."""
        self.bob.lose()
        self.ann.receive()
        self.world.deferred_operations = (ResumeUser,)
        self.bob.resume()
        for n in range(33):
            self.ann.send(Change(self.session, label=str(n)))
        self.ann.receive()
        self.world.decide_deferred()
        [_, joined] = self.bob.receive()
        self.assertIsInstance(joined, Joined)
        self.assertIs(self.bob.survival, Survival.MEMBERSHIP)
        self.assertEqual([type(event) for event in self.ann.receive()], [MemberBack, MemberRenewed])

    def test_the_resuming_connection_is_lost_before_the_renewal(self) -> None:
        """The user is away again until its grace period is over."""
        self.bob.lose()
        self.renewal()
        self.bob.lose()
        self.world.decide_deferred()
        self.ann.receive()
        self.assertTrue(self.world.registry.users[self.bob.user].away)
        self.world.tick(31)
        self.assertEqual(self.ann.receive()[-1], MemberLeft(self.session, self.bob.user, LeaveReason.GONE))

    def renewal(self) -> None:
        """Bob's resume is complete at first, then its outbox overflows; the renewal is deferred."""
        self.world.deferred_operations = (ResumeUser,)
        self.bob.resume()
        for n in range(33):
            self.ann.send(Change(self.session, label=str(n)))
        held, self.world.deferred = self.world.deferred, []
        self.world.deferred_operations = (RenewUser,)
        self.world.carry_out(held)
        self.assertEqual([decide.operation for decide in self.world.deferred], [RenewUser(self.bob.user, Traits())])

    def test_another_connection_is_faster_than_the_renewal(self) -> None:
        """The connection that waits for the renewal is closed."""
        first = self.bob.secret
        self.bob.lose()
        self.renewal()
        slow = self.bob.peer
        self.world.deferred_operations = ()
        self.bob.resume(secret=first, instance="two")
        self.world.decide_deferred()
        self.assertEqual(self.world.closed, {slow: ErrorCode.REPLACED})
        self.assertIs(self.bob.survival, Survival.MEMBERSHIP)
        self.assertEqual(self.bob.send(Ping())[-1], Pong())

    def test_the_identity_ends_before_the_renewal(self) -> None:
        """The user left on its old connection, so the new connection gets another identity."""
        old, user = self.bob.peer, self.bob.user
        self.renewal()
        self.world.disconnect(old, DisconnectReason.LEFT)
        self.world.decide_deferred()
        self.bob.receive()
        self.assertIs(self.bob.survival, Survival.NOTHING)
        self.assertNotEqual(self.bob.user, user)

    def test_a_reloaded_page_is_gone_before_the_outcome(self) -> None:
        """The others have already started over with the member, so it starts over too when it resumes again."""
        first = self.bob.secret
        self.bob.lose()
        self.world.deferred_operations = (ResumeUser,)
        self.bob.resume(instance="two")
        self.bob.lose()
        self.ann.receive()
        self.world.decide_deferred()
        self.assertEqual([type(event) for event in self.ann.receive()], [MemberRenewed, MemberAway])
        self.assertEqual([type(event) for event in self.bob.resume(secret=first)], [Joined])
        self.assertIs(self.bob.survival, Survival.MEMBERSHIP)

    def test_the_resuming_connection_is_lost_before_the_outcome(self) -> None:
        """The user is away again, and can resume with its old secret."""
        first = self.bob.secret
        self.bob.lose()
        self.world.deferred_operations = (ResumeUser,)
        self.bob.resume()
        self.bob.lose()
        self.ann.receive()
        self.world.decide_deferred()
        self.assertEqual(
            self.ann.receive(), [MemberBack(self.session, self.bob.user), MemberAway(self.session, self.bob.user)]
        )
        self.bob.resume(secret=first)
        self.assertIs(self.bob.survival, Survival.EVERYTHING)

    def test_of_two_that_come_back_at_once_the_newer_secret_counts(self) -> None:
        """The outcome of the earlier resume is ignored."""
        self.bob.lose()
        self.world.deferred_operations = (ResumeUser,)
        self.bob.resume()
        earlier = self.bob.peer
        self.bob.resume()
        later = self.bob.peer
        one, two = self.world.deferred
        self.world.deferred, self.world.deferred_operations = [], ()
        outcomes = [self.world.registry.decide(decide.operation) for decide in (one, two)]
        self.world.carry_out(self.world.hub.decided(two.id, outcomes[1], self.world.now))
        self.world.carry_out(self.world.hub.decided(one.id, outcomes[0], self.world.now))
        self.assertEqual(self.world.closed, {earlier: ErrorCode.REPLACED})
        self.assertIsInstance(self.world.receive(later)[0], Welcome)
        self.assertEqual(self.world.receive(earlier), [])

    def test_a_resume_of_an_identity_that_ended_meanwhile(self) -> None:
        """The user left on the old connection while the resume was decided, so the resume finds no identity."""
        self.world.deferred_operations = (ResumeUser,)
        old = self.bob.peer
        self.bob.resume()
        self.world.disconnect(old, DisconnectReason.LEFT)
        self.world.decide_deferred()
        self.bob.receive()
        self.assertIs(self.bob.survival, Survival.NOTHING)

    def test_a_wrong_secret_for_a_user_that_ended_before_the_outcome(self) -> None:
        """The outcome welcomes no connection."""
        users = set(self.world.hub.users)
        self.world.deferred_operations = (ResumeUser,)
        self.bob.resume(secret=WRONG)
        self.bob.lose()
        self.world.decide_deferred()
        self.assertEqual(set(self.world.hub.users), users)
        self.assertEqual(self.world.hub.decisions.by_id, {})

    def test_the_first_message_confirms_the_secret(self) -> None:
        """The first message confirms the secret, and later messages do not repeat this."""
        self.bob.resume()
        self.world.deferred_operations = (ConfirmSecret,)
        self.bob.send(Ping(), Ping())
        self.assertEqual([decide.operation for decide in self.world.deferred], [ConfirmSecret(self.bob.user, 2)])
        self.world.decide_deferred()

    def test_a_visitor_gets_the_new_reason_to_wait(self) -> None:
        """When the host is gone, a visitor in the lobby waits for the host instead of admission."""
        session = self.ann.open(Open(lobby=True, keep=True))
        self.assertEqual(self.bob.send(Join(session, id=ID)), [Waiting(session, WaitReason.LOBBY, ID)])
        self.ann.lose(DisconnectReason.LEFT)
        self.assertIn(Waiting(session, WaitReason.HOST), self.bob.receive())


class TransitionTests(SynchronousTestCase):
    """The transition tables."""

    def test_nothing_else_happens_to_a_connection(self) -> None:
        """A closed connection stays closed, and a closing connection cannot be welcomed."""
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
                peer.transition(event)
                self.assertIs(peer.state, PEER_TRANSITIONS[state, event])
            else:
                self.assertRaises(KeyError, peer.transition, event)
                self.assertIs(peer.state, state)

    def test_nothing_else_happens_to_an_identity(self) -> None:
        """An ended user stays ended. Only a user that is away expires, and only a present user leaves or is lost."""
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
                user.transition(event)
                self.assertIs(user.state, USER_TRANSITIONS[state, event])
            else:
                self.assertRaises(KeyError, user.transition, event)
                self.assertIs(user.state, state)
