"""The hub: each fact about a connection and the actions that it causes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.actions import Action, Close, Decide, ReportError, Send
from signald.core.budgets import SLOW_START_MESSAGES
from signald.core.decisions import (
    ConfirmSecret,
    Decided,
    EndIdentity,
    Identified,
    Identify,
    MarkAway,
    OpenSession,
    Refused,
    SessionChanged,
    SessionEnded,
)
from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason, Hub
from signald.core.ice_server import IceServer
from signald.core.limits import AddressKey, Limits
from signald.core.members import Person
from signald.core.messages import (
    Answer,
    Candidate,
    Candidates,
    Debug,
    Done,
    End,
    Ended,
    EndReason,
    Error,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedOffer,
    Hello,
    IceError,
    Instance,
    Join,
    Joined,
    Leave,
    LeaveReason,
    Left,
    MemberJoined,
    MemberLeft,
    MemberView,
    Negotiation,
    Offer,
    Open,
    Opened,
    Ping,
    Pong,
    Refuse,
    Remove,
    Request,
    RequestId,
    Role,
    ServerLimits,
    SessionId,
    Source,
    Survival,
    Traits,
    UserId,
    Welcome,
)
from signald.core.messages import Change as ConfigureChange
from signald.core.requests import DEBUG_SECONDS
from signald.core.session_settings import Settings
from signald.core.sessions import Session
from signald.core.users import DecisionId, PeerId
from tests.support.failing import FailingPart
from tests.support.world import HOME, SERDE, TICKETS, Client, World, with_guest

NOWHERE = SessionId("ZZZZZZZZZZ")
NOBODY = UserId("Z" * 26)
ONE = RequestId("1")
CANDIDATE = Candidate("candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host", sdp_mid="0", sdp_m_line_index=0)


class WelcomeTests(SynchronousTestCase):
    """Hello, and requests before it."""

    def test_hello_is_answered_with_an_identity(self) -> None:
        """The welcome has the user's id, the limits and the ICE servers, and echoes the request's id."""
        limits = Limits()
        world = World(limits)
        world.hub.ice.servers = (IceServer(("stun:stun.example.org",)),)
        peer = world.connect()
        self.assertEqual(
            world.send(peer, Hello(version=1, id=ONE)),
            [
                Welcome(
                    version=1,
                    server="signald/test",
                    user=UserId("0" * 25 + "1"),
                    features=(),
                    limits=ServerLimits(limits.message_bytes, limits.message_rate, limits.message_burst, 8),
                    ice_servers=(IceServer(("stun:stun.example.org",)),),
                    reference=world.hub.references.of_user(UserId("0" * 25 + "1")),
                    id=ONE,
                )
            ],
        )

    def test_everything_else_waits_for_hello(self) -> None:
        """Before hello only ping is answered; every other request is refused and changes nothing."""
        world = World()
        peer = world.connect()
        before = world.state()
        negotiation = Negotiation(NOBODY, 1)
        requests: list[Request] = [
            Open(),
            Join(NOWHERE),
            Leave(NOWHERE),
            Offer(NOWHERE, NOBODY, negotiation, ""),
            Answer(NOWHERE, NOBODY, negotiation, ""),
            Candidates(NOWHERE, NOBODY, negotiation, ()),
            IceError(NOWHERE, NOBODY, ""),
        ]
        for request in requests:
            self.assertEqual(world.send(peer, request), [Error(ErrorCode.HELLO_FIRST, type(request))])
        self.assertEqual(world.send(peer, Ping(ONE)), [Pong(ONE)])
        self.assertEqual(world.state(), before)

    def test_a_second_hello_is_refused(self) -> None:
        """The peer keeps its identity."""
        world = World()
        peer, _ = world.welcome_peer()
        before = world.state()
        self.assertEqual(world.send(peer, Hello(version=1)), [Error(ErrorCode.ALREADY_WELCOMED, Hello)])
        self.assertEqual(world.state(), before)

    def test_another_version_is_refused(self) -> None:
        """Version 2 is not supported; the peer can try again."""
        world = World()
        peer = world.connect()
        self.assertEqual(world.send(peer, Hello(version=2)), [Error(ErrorCode.UNSUPPORTED_VERSION, Hello)])
        self.assertIsInstance(world.send(peer, Hello(version=1))[0], Welcome)

    def test_silence_after_connecting_is_ended(self) -> None:
        """A peer without a hello in time is closed; one with a hello is not."""
        world = World()
        silent = world.connect()
        world.welcome_peer()
        world.tick(9.9)
        self.assertEqual(world.closed, {})
        world.tick(0.2)
        self.assertEqual(world.closed, {silent: ErrorCode.HELLO_TIMEOUT})


class SessionTests(SynchronousTestCase):
    """Opening, joining and leaving sessions."""

    def test_open_makes_a_session(self) -> None:
        """The user that opens a session is its host and the only member."""
        world = World()
        peer, user = world.welcome_peer()
        [opened] = world.send(peer, Open(capacity=3, id=ONE))
        self.assertEqual(opened, Opened(SessionId("0" * 9 + "2"), 3, locked=False, lobby=False, id=ONE))
        self.assertEqual([m.user for m in world.hub.sessions[SessionId("0" * 9 + "2")].members], [user])

    def test_a_capacity_out_of_range_is_refused(self) -> None:
        """A session has 2 to `session_members` members."""
        world = World()
        peer, _ = world.welcome_peer()
        before = world.state()
        for capacity in (0, 1, 9):
            self.assertEqual(world.send(peer, Open(capacity)), [Error(ErrorCode.BAD_CAPACITY, Open)])
        self.assertEqual(world.state(), before)

    def test_join_tells_both_sides(self) -> None:
        """Guest and host get each other's description; the earlier one is the polite peer."""
        world = World()
        host, host_user, session = world.open_session()
        guest, guest_user = world.welcome_peer()
        host_view = MemberView(host_user, Role.HOST, polite=False, offers_first=True, base=0)
        self.assertEqual(
            world.send(guest, Join(session, id=ONE)),
            [Joined(session, 2, False, False, Role.GUEST, (host_view,), id=ONE)],
        )
        self.assertEqual(
            world.receive(host),
            [MemberJoined(session, MemberView(guest_user, Role.GUEST, polite=True, offers_first=False, base=0))],
        )

    def test_a_host_that_cannot_roll_back_is_impolite(self) -> None:
        """A host with the feature `no-rollback` is never the polite peer."""
        world = World()
        host = world.connect()
        world.send(host, Hello(version=1, features=("no-rollback", "unheard-of")))
        [opened] = world.send(host, Open())
        assert isinstance(opened, Opened)
        guest, _ = world.welcome_peer()
        [joined] = world.send(guest, Join(opened.session))
        [told] = world.receive(host)
        assert isinstance(joined, Joined)
        assert isinstance(told, MemberJoined)
        self.assertTrue(joined.members[0].polite)
        self.assertFalse(told.member.polite)

    def test_a_third_joiner_is_refused_and_the_guest_stays(self) -> None:
        """A session for two rejects a third joiner.

        In the original server a third joiner silently replaced the guest.
        """
        world = World()
        host, _, guest, guest_user, session = world.pair()
        third, third_user = world.welcome_peer()
        before = world.state()
        self.assertEqual(world.send(third, Join(session, id=ONE)), [Error(ErrorCode.SESSION_FULL, Join, id=ONE)])
        self.assertEqual(world.state(), before)
        self.assertEqual((world.receive(host), world.receive(guest)), ([], []))
        self.assertIsNotNone(world.hub.sessions[session].member(guest_user))
        self.assertIsNone(world.hub.sessions[session].member(third_user))

    def test_joining_twice_is_refused(self) -> None:
        """Host and guest alike get `already-member`."""
        world = World()
        host, _, guest, _, session = world.pair()
        before = world.state()
        for peer in (host, guest):
            self.assertEqual(world.send(peer, Join(session)), [Error(ErrorCode.ALREADY_MEMBER, Join)])
        self.assertEqual(world.state(), before)

    def test_a_guest_who_leaves_frees_the_seat(self) -> None:
        """The host is informed, and another guest can join.

        In the original server the host was not informed that the guest left, and the guest's place stayed taken.
        """
        world = World()
        host, _, guest, guest_user, session = world.pair()
        self.assertEqual(world.send(guest, Leave(session, ONE)), [Left(session, ONE)])
        self.assertEqual(world.receive(host), [MemberLeft(session, guest_user, LeaveReason.LEFT)])
        world.join_session(session)

    def test_a_guest_whose_connection_ends_is_gone(self) -> None:
        """The host gets an event, and no state of the guest stays."""
        world = World()
        host, host_user, guest, guest_user, session = world.pair()
        world.disconnect(guest)
        self.assertEqual(world.receive(host), [MemberLeft(session, guest_user, LeaveReason.GONE)])
        self.assertEqual((set(world.hub.users), set(world.registry.users)), ({host_user}, {host_user}))

    def test_the_host_leaving_ends_the_session(self) -> None:
        """The guest gets an event and can join another session; the id is unknown from then on."""
        world = World()
        host, _, guest, _, session = world.pair()
        self.assertEqual(world.send(host, Leave(session, ONE)), [Left(session, ONE)])
        self.assertEqual(world.receive(guest), [Ended(session, EndReason.HOST_LEFT)])
        self.assertEqual(world.send(guest, Join(session)), [Error(ErrorCode.UNKNOWN_SESSION, Join)])
        _, _, other = world.open_session()
        self.assertIsInstance(world.send(guest, Join(other))[0], Joined)

    def test_the_host_gone_ends_the_session(self) -> None:
        """The reason of the end differs from the reason when the host leaves."""
        world = World()
        host, _, guest, _, session = world.pair()
        world.disconnect(host)
        self.assertEqual(world.receive(guest), [Ended(session, EndReason.HOST_GONE)])
        self.assertEqual((world.hub.sessions, world.registry.sessions), ({}, {}))

    def test_more_than_two_meet_when_the_session_is_open_for_them(self) -> None:
        """Each newcomer gets all others in order, and all others get each newcomer."""
        world = World()
        host, host_user, session = world.open_session(capacity=3)
        second, second_user = world.join_session(session)
        third, third_user = world.welcome_peer()
        [joined] = world.send(third, Join(session))
        assert isinstance(joined, Joined)
        self.assertEqual([m.user for m in joined.members], [host_user, second_user])
        told = MemberJoined(session, MemberView(third_user, Role.GUEST, polite=True, offers_first=False, base=4096))
        self.assertEqual(world.receive(second), [told])
        self.assertEqual(world.receive(host)[-1], told)

    def test_an_outsider_cannot_leave(self) -> None:
        """An outsider gets the same error whether or not the session exists."""
        world = World()
        _, _, _, _, session = world.pair()
        outsider, _ = world.welcome_peer()
        before = world.state()
        for id in (session, NOWHERE):
            self.assertEqual(world.send(outsider, Leave(id)), [Error(ErrorCode.NOT_A_MEMBER, Leave)])
        self.assertEqual(world.state(), before)

    def test_a_user_is_in_so_many_sessions_at_most(self) -> None:
        """The limit counts hosted and joined sessions together."""
        world = World(Limits(user_sessions=2))
        host, host_user, _ = world.open_session()
        world.send(host, Open())
        before = set(world.registry.users[host_user].sessions)
        self.assertEqual(world.send(host, Open()), [Error(ErrorCode.TOO_MANY_SESSIONS, Open)])
        other, _, other_session = world.open_session()
        self.assertEqual(world.send(host, Join(other_session)), [Error(ErrorCode.TOO_MANY_SESSIONS, Join)])
        self.assertEqual(world.receive(other), [])
        self.assertEqual(world.registry.users[host_user].sessions, before)

    def test_an_id_that_exists_is_not_given_again(self) -> None:
        """A colliding id is replaced by another one.

        In the original server a collision of ids overwrote a session.
        """
        world = World()
        source = iter([1, 1, 7, 7, 7, 8])
        world.registry.ids = type(world.registry.ids)(lambda count: next(source).to_bytes(count, "big"))
        _, first = world.welcome_peer()
        second_peer, second = world.welcome_peer()
        self.assertNotEqual(first, second)
        [opened] = world.send(second_peer, Open())
        [another] = world.send(second_peer, Open())
        assert isinstance(opened, Opened)
        assert isinstance(another, Opened)
        self.assertNotEqual(opened.session, another.session)
        self.assertEqual(len(world.registry.sessions), 2)


class GuessTests(SynchronousTestCase):
    """Unknown session ids."""

    def test_wrong_guesses_are_throttled(self) -> None:
        """After ten unknown ids an address is refused every join, also a right one, until time has passed."""
        world = World()
        _, _, session = world.open_session()
        guesser, _ = world.welcome_peer()
        for _ in range(10):
            self.assertEqual(world.send(guesser, Join(NOWHERE)), [Error(ErrorCode.UNKNOWN_SESSION, Join)])
        again, _ = world.welcome_peer()
        for peer in (guesser, again):
            self.assertEqual(world.send(peer, Join(session)), [Error(ErrorCode.TOO_MANY_GUESSES, Join)])
        world.tick(180.0)
        self.assertIsInstance(world.send(guesser, Join(session))[0], Joined)

    def test_a_removed_guest_is_charged_for_a_guess(self) -> None:
        """The removed guest gets the error for an unknown id and its charge, so that neither tells the two apart."""
        world = World()
        host, _, guest, user, session = world.pair()
        world.send(host, Remove(session, user))
        world.receive(guest)
        self.assertEqual(world.send(guest, Join(session)), [Error(ErrorCode.UNKNOWN_SESSION, Join)])
        self.assertIn(HOME, world.hub.guesses.sessions.full_at)

    def test_other_addresses_are_not_affected(self) -> None:
        """Each address has its own budget, which is removed once it is full again."""
        world = World()
        _, _, session = world.open_session()
        guesser, _ = world.welcome_peer(address=AddressKey("198.51.100.9"))
        for _ in range(11):
            world.send(guesser, Join(NOWHERE))
        world.join_session(session)
        world.tick(1801.0)
        self.assertEqual(world.hub.guesses.sessions.full_at, {})

    def test_only_unknown_ids_count(self) -> None:
        """Joining a full session is not a wrong guess."""
        world = World()
        *_, session = world.pair()
        third, _ = world.welcome_peer()
        for _ in range(12):
            self.assertEqual(world.send(third, Join(session)), [Error(ErrorCode.SESSION_FULL, Join)])


class ForwardTests(SynchronousTestCase):
    """Offers, answers, candidates and ICE errors between members."""

    def test_each_kind_is_forwarded_with_its_sender(self) -> None:
        """The receiver gets the message, stamped with the sender's id."""
        world = World()
        host, host_user, guest, guest_user, session = world.pair()
        negotiation = Negotiation(guest_user, 1)
        world.send(
            guest,
            Offer(session, host_user, negotiation, "offer"),
            Candidates(session, host_user, negotiation, (CANDIDATE,), end=True),
            IceError(session, host_user, "failed"),
        )
        self.assertEqual(
            world.receive(host),
            [
                ForwardedOffer(session, guest_user, negotiation, "offer"),
                ForwardedCandidates(session, guest_user, (CANDIDATE,), negotiation, end=True),
                ForwardedIceError(session, guest_user, "failed"),
            ],
        )
        world.send(host, Answer(session, guest_user, negotiation, "answer"))
        self.assertEqual(world.receive(guest), [ForwardedAnswer(session, host_user, negotiation, "answer")])

    def test_an_outsider_reaches_nobody(self) -> None:
        """An outsider's messages are rejected.

        The original server forwarded offers and answers from any client that knew the session id.
        """
        world = World()
        host, host_user, guest, _, session = world.pair()
        outsider, outsider_user = world.welcome_peer()
        before = world.state()
        negotiation = Negotiation(outsider_user, 1)
        for id in (session, NOWHERE):
            requests: list[Request] = [
                Offer(id, host_user, negotiation, ""),
                Answer(id, host_user, negotiation, ""),
                Candidates(id, None, None, (CANDIDATE,)),
                IceError(id, host_user, ""),
            ]
            for request in requests:
                self.assertEqual(world.send(outsider, request), [Error(ErrorCode.NOT_A_MEMBER, type(request))])
        self.assertEqual((world.receive(host), world.receive(guest)), ([], []))
        self.assertEqual(world.state(), before)

    def test_only_another_member_can_be_addressed(self) -> None:
        """A stranger, a member of another session and the sender itself are unknown members."""
        world = World()
        host, host_user, _, _, session = world.pair()
        stranger, stranger_user, _ = world.open_session()
        before = world.state()
        for to in (NOBODY, stranger_user, host_user):
            offer = Offer(session, to, Negotiation(host_user, 1), "")
            self.assertEqual(world.send(host, offer), [Error(ErrorCode.UNKNOWN_MEMBER, Offer, session)])
        self.assertEqual(world.receive(stranger), [])
        self.assertEqual(world.state(), before)

    def test_without_an_address_the_only_other_member_is_meant(self) -> None:
        """With one other member the message goes to that member; in a session of three there is no receiver."""
        world = World()
        host, host_user, session = world.open_session(capacity=3)
        guest, _ = world.join_session(session)
        world.receive(host)
        offer = Offer(session, None, Negotiation(host_user, 1), "offer")
        world.send(host, offer)
        self.assertEqual(world.receive(guest), [ForwardedOffer(session, host_user, offer.negotiation, "offer")])
        world.join_session(session)
        world.receive(host)
        self.assertEqual(world.send(host, offer), [Error(ErrorCode.UNKNOWN_MEMBER, Offer, session)])


class EarlyCandidateTests(SynchronousTestCase):
    """Candidates that are sent before the other member joins are kept."""

    def test_early_candidates_are_delivered_on_join(self) -> None:
        """Early candidates are delivered on join.

        In the original server, candidates before the guest joined were errors.
        """
        world = World()
        host, host_user, session = world.open_session(traits=SERDE)
        batch = Candidates(session, None, None, (CANDIDATE,))
        self.assertEqual(world.send(host, batch, batch), [])
        guest, _ = world.welcome_peer()
        joined, *rest = world.send(guest, Join(session))
        self.assertIsInstance(joined, Joined)
        self.assertEqual(rest, [ForwardedCandidates(session, host_user, (CANDIDATE,))] * 2)
        self.assertEqual(world.hub.forwarder.early_candidates.batches, {})

    def test_early_candidates_are_bounded_in_number(self) -> None:
        """Beyond the bound the sender gets an error, and the earlier batches stay."""
        world = World(Limits(waiting_candidates=2))
        host, _, session = world.open_session()
        batch = Candidates(session, None, None, (CANDIDATE,))
        self.assertEqual(world.send(host, batch, batch), [])
        before = world.state()
        self.assertEqual(world.send(host, batch), [Error(ErrorCode.TOO_MANY_CANDIDATES, Candidates, session)])
        self.assertEqual(world.state(), before)

    def test_early_candidates_are_bounded_in_bytes(self) -> None:
        """The bytes of the candidates' texts count."""
        world = World(Limits(waiting_candidate_bytes=10))
        host, _, session = world.open_session()
        self.assertEqual(world.send(host, Candidates(session, None, None, (Candidate("ä" * 5),))), [])
        more = Candidates(session, None, None, (Candidate("a"),))
        self.assertEqual(world.send(host, more), [Error(ErrorCode.TOO_MANY_CANDIDATES, Candidates, session)])

    def test_batches_without_a_candidate_are_bounded_too(self) -> None:
        """An empty batch counts like any other."""
        world = World(Limits(waiting_candidates=2))
        host, _, session = world.open_session()
        empty = Candidates(session, None, None, ())
        self.assertEqual(world.send(host, empty, empty), [])
        self.assertEqual(world.send(host, empty), [Error(ErrorCode.TOO_MANY_CANDIDATES, Candidates, session)])

    def test_the_source_of_early_candidates_is_for_a_guest_that_reads_it(self) -> None:
        """A guest that reads the source gets it, translated or not; another one gets the translation, if there is one.

        The sender gets an error for each batch that is not translated, and keeps its connection.
        """
        source, odd = Source("kind", " text "), Source("kind", "odd", translated=False)
        reader = Traits(source_kind="kind")
        for traits, expected, errors in (
            (reader, [((CANDIDATE,), source), ((), odd)], 0),
            (Traits(), [((CANDIDATE,), None)], 1),
        ):
            world = World()
            host, host_user, session = world.open_session(traits=reader)
            early = [Candidates(session, None, None, (CANDIDATE,), source=source)]
            early.append(Candidates(session, None, None, (), id=ONE, source=odd))
            self.assertEqual(world.send(host, *early), [])
            guest, _ = world.welcome_peer(traits)
            joined, *rest = world.send(guest, Join(session))
            self.assertIsInstance(joined, Joined)
            self.assertEqual(
                rest,
                [ForwardedCandidates(session, host_user, batch, source=source) for batch, source in expected],
            )
            [member_joined, *rest] = world.receive(host)
            self.assertIsInstance(member_joined, MemberJoined)
            error = Error(ErrorCode.UNSUPPORTED_BY_PEER, Candidates, session, ONE)
            self.assertEqual(rest, [error] * errors)
            self.assertEqual(world.closed, {})

    def test_early_candidates_of_a_replaced_member_are_dropped(self) -> None:
        """Candidates of a user that is no longer a member are not delivered."""
        world = World()
        ann = Client(world)
        opened = ann.send(Open(keep=True))[-1]
        assert isinstance(opened, Opened)
        ann.send(Candidates(opened.session, None, None, (CANDIDATE,)))
        Client(world).send(Open(session=opened.session, host_key=opened.host_key))
        guest = Client(world)
        self.assertEqual([type(event) for event in guest.send(Join(opened.session))], [Joined])
        self.assertEqual(world.hub.forwarder.early_candidates.batches, {})

    def test_early_offer_is_rejected(self) -> None:
        """An offer without a receiver is rejected, and early candidates end with the session."""
        world = World()
        host, user, session = world.open_session()
        offer = Offer(session, None, Negotiation(user, 1), "")
        self.assertEqual(world.send(host, offer), [Error(ErrorCode.UNKNOWN_MEMBER, Offer, session)])
        world.send(host, Candidates(session, None, None, (CANDIDATE,)))
        world.disconnect(host)
        self.assertEqual(world.hub.forwarder.early_candidates.batches, {})


class SingleExchangeTests(SynchronousTestCase):
    """Members whose program supports a single offer/answer exchange: only the later joiner offers, and only once."""

    def test_the_guest_offers_and_the_host_answers(self) -> None:
        """A client of the original may not do it the other way round."""
        world = World()
        host, host_user, guest, guest_user, session = world.pair(SERDE, SERDE)
        one = Negotiation(guest_user, 1)
        world.send(guest, Offer(session, None, one, "offer"))
        self.assertEqual(world.receive(host), [ForwardedOffer(session, guest_user, one, "offer")])
        world.send(host, Answer(session, None, one, "answer"))
        self.assertEqual(world.receive(guest), [ForwardedAnswer(session, host_user, one, "answer")])
        before = world.state()
        reverse = Offer(session, None, Negotiation(host_user, 1), "")
        self.assertEqual(world.send(host, reverse), [Error(ErrorCode.UNSUPPORTED_BY_PEER, Offer, session)])
        answer = Answer(session, None, one, "")
        self.assertEqual(world.send(guest, answer), [Error(ErrorCode.WRONG_ROLE, Answer, session)])
        self.assertEqual(world.state(), before)

    def test_native_host_cannot_offer_to_a_single_exchange_guest(self) -> None:
        """The host's program could renegotiate, but the guest's program could not."""
        world = World()
        host, host_user, _, guest_user, session = world.pair(Traits(), SERDE)
        offer = Offer(session, guest_user, Negotiation(host_user, 1), "")
        self.assertEqual(world.send(host, offer), [Error(ErrorCode.UNSUPPORTED_BY_PEER, Offer, session)])

    def test_a_native_guest_offers_once(self) -> None:
        """Its second offer is rejected."""
        world = World()
        host, host_user, guest, guest_user, session = world.pair(SERDE, Traits())
        first = Offer(session, host_user, Negotiation(guest_user, 1), "offer")
        self.assertEqual(world.send(guest, first), [])
        self.assertEqual(len(world.receive(host)), 1)
        second = Offer(session, host_user, Negotiation(guest_user, 2), "offer")
        self.assertEqual(world.send(guest, second), [Error(ErrorCode.UNSUPPORTED_BY_PEER, Offer, session)])

    def test_single_exchange_host_cannot_offer_to_a_native_guest(self) -> None:
        """The guest could accept the offer, but the host's protocol does not provide for it."""
        world = World()
        host, host_user, _, _, session = world.pair(SERDE, Traits())
        offer = Offer(session, None, Negotiation(host_user, 1), "")
        self.assertEqual(world.send(host, offer), [Error(ErrorCode.WRONG_ROLE, Offer, session)])

    def test_session_with_a_single_exchange_member_is_for_two(self) -> None:
        """A session is limited to two while it has such a member.

        Once that member is gone, the configured capacity applies again.
        """
        world = World()
        _, _, session = world.open_session(capacity=4)
        guest, _ = world.join_session(session, SERDE)
        third, _ = world.welcome_peer()
        self.assertEqual(world.send(third, Join(session)), [Error(ErrorCode.SESSION_FULL, Join)])
        world.disconnect(guest)
        self.assertIsInstance(world.send(third, Join(session))[0], Joined)
        late, _ = world.welcome_peer(SERDE)
        self.assertEqual(world.send(late, Join(session)), [Error(ErrorCode.SESSION_FULL, Join)])


class BudgetTests(SynchronousTestCase):
    """The rate limits of a peer's messages apply."""

    def test_a_flood_ends_the_connection(self) -> None:
        """Messages within the burst are handled, the next message closes the connection, and later ones are ignored."""
        world = World(Limits(message_burst=3, message_rate=1.0))
        peer = world.connect()
        self.assertEqual(len(world.send(peer, Ping(), Ping(), Ping())), 3)
        self.assertEqual(world.send(peer, Ping(), Ping()), [])
        self.assertEqual(world.closed, {peer: ErrorCode.TOO_MANY_MESSAGES})
        world.now += 60.0
        self.assertEqual(world.send(peer, Hello(version=1)), [])

    def test_the_budget_refills(self) -> None:
        """Messages at the allowed rate never close the connection."""
        world = World(Limits(message_burst=1, message_rate=1.0))
        peer = world.connect()
        for _ in range(20):
            self.assertEqual(world.send(peer, Ping()), [Pong()])
            world.now += 1.0
        self.assertEqual(world.closed, {})

    def test_malformed_frames_cost_like_messages(self) -> None:
        """Each is answered until too many close the connection."""
        world = World(Limits(message_burst=2, message_rate=1.0))
        peer = world.connect()
        error = Error(ErrorCode.BAD_MESSAGE)
        for _ in range(4):
            world.carry_out(world.hub.malformed(peer, error, world.now))
        self.assertEqual(world.receive(peer), [error, error])
        self.assertEqual(world.closed, {peer: ErrorCode.TOO_MANY_MESSAGES})

    def test_debug_is_a_line_a_minute(self) -> None:
        """`Debug` writes at most one log line a minute and has no reply.

        In the original server `Debug` from any client printed all state.
        """
        world = World()
        peer, *_ = world.pair()
        self.assertEqual(world.send(peer, Debug(), Debug()), [])
        self.assertEqual(world.counts, [(2, 1)])
        world.now += DEBUG_SECONDS
        world.send(peer, Debug())
        self.assertEqual(world.counts, [(2, 1), (2, 1)])


class SlowStartTests(SynchronousTestCase):
    """Connections of an address from which somebody has offended."""

    def setUp(self) -> None:
        """Create a world with the default limits."""
        self.world = World()

    def messages_at_once(self, client: Client) -> int:
        """Let a client send messages until its connection is closed, and return how many were answered."""
        peer, answered = client.peer, 0
        while peer not in self.world.closed:
            answered += len(self.world.send(peer, Ping()))
        self.assertIs(self.world.closed[peer], ErrorCode.TOO_MANY_MESSAGES)
        return answered

    def test_a_stranger_starts_slowly(self) -> None:
        """A new user has a part of its messages at once, and the rate adds the others."""
        first, second = (Client(self.world, slow_start=True) for _ in range(2))
        self.assertEqual(self.messages_at_once(first), SLOW_START_MESSAGES - 1)
        self.world.now += 10
        self.assertEqual(self.messages_at_once(second), 500)

    def test_a_user_who_comes_back_is_not_slowed(self) -> None:
        """A resumed user may send everything again, whatever somebody else behind its address has done."""
        client = Client(self.world)
        client.lose()
        client.resume(slow_start=True)
        self.assertEqual(self.messages_at_once(client), 500)

    def test_an_offender_who_comes_back_is_slowed(self) -> None:
        """A user whose connection was closed for an offence starts slowly when it resumes, and its next time not."""
        client = Client(self.world)
        client.lose(DisconnectReason.OFFENCE)
        client.resume(slow_start=True)
        client.lose()
        client.resume(slow_start=True)
        client.lose(DisconnectReason.OFFENCE)
        client.resume(slow_start=True)
        self.assertEqual(self.messages_at_once(client), SLOW_START_MESSAGES - 1)

    def test_an_offender_who_resumes_at_once_is_slowed(self) -> None:
        """A user does not escape by resuming before its closing connection has ended."""
        client = Client(self.world)
        self.messages_at_once(client)
        client.resume(slow_start=True)
        self.assertEqual(self.messages_at_once(client), SLOW_START_MESSAGES - 1)


class LifetimeTests(SynchronousTestCase):
    """Sessions end after a timeout if no member ends them."""

    def test_a_lonely_session_ends_when_idle(self) -> None:
        """A session with one member and no messages ends after the idle timeout."""
        world = World(Limits(session_idle_seconds=100.0))
        host, _, session = world.open_session()
        world.tick(99.0)
        self.assertEqual(world.receive(host), [])
        world.tick(2.0)
        self.assertEqual(world.receive(host), [Ended(session, EndReason.IDLE)])
        self.assertEqual((world.hub.sessions, world.registry.sessions), ({}, {}))

    def test_a_call_is_never_idle(self) -> None:
        """Two members may talk for hours without signaling; the idle timeout starts when one leaves."""
        world = World(Limits(session_idle_seconds=100.0))
        host, _, guest, _, session = world.pair()
        for _ in range(5):
            world.tick(90.0)
        world.send(guest, Leave(session))
        world.receive(host)
        world.tick(95.0)
        self.assertEqual(world.receive(host), [])
        world.tick(100.0)
        self.assertEqual(world.receive(host), [Ended(session, EndReason.IDLE)])

    def test_every_session_expires(self) -> None:
        """All members get the end when the session's life is over."""
        world = World(Limits(session_life_seconds=1000.0))
        host, _, guest, _, session = world.pair()
        world.tick(1001.0)
        for peer in (host, guest):
            self.assertEqual(world.receive(peer), [Ended(session, EndReason.EXPIRED)])

    def test_the_deadlines_of_an_ended_session_pass_unnoticed(self) -> None:
        """Neither its idle check nor the end of its life affects anything else."""
        world = World(Limits(session_idle_seconds=100.0, session_life_seconds=200.0))
        host, _, session = world.open_session()
        world.send(host, Leave(session))
        world.tick(100.0)
        world.tick(100.0)
        self.assertEqual(world.receive(host), [])

    def test_a_session_that_is_opened_again_and_again_has_few_deadlines(self) -> None:
        """Obsolete deadlines are removed; a session that becomes idle still ends on time."""
        world = World(Limits(session_idle_seconds=100.0))
        host = Client(world)
        opened = host.send(Open(keep=True))[-1]
        assert isinstance(opened, Opened)
        for _ in range(300):
            host.send(End(opened.session), Open(session=opened.session, host_key=opened.host_key, keep=True))
            world.tick(0.1)
        self.assertLess(len(world.hub.deadlines.heap), 80)
        world.tick(99.0)
        host.receive()
        world.tick(1.0)
        self.assertEqual(host.receive(), [Ended(opened.session, EndReason.IDLE)])

    def test_a_tick_does_not_rebuild_the_heap_of_live_deadlines(self) -> None:
        """The heap is only rebuilt when obsolete deadlines outnumber live peers, users and sessions."""
        world = World()
        for _ in range(100):
            world.pair()
        heap = world.hub.deadlines.heap
        world.tick(0.1)
        self.assertIs(world.hub.deadlines.heap, heap)

    def test_rebuilding_the_heap_keeps_live_deadlines(self) -> None:
        """A hello still times out, and a grace period still ends, after obsolete deadlines have been removed."""
        world = World(Limits(hello_seconds=10.0, grace_seconds=30.0))
        client, greeting = Client(world), world.connect()
        client.lose()
        for _ in range(300):
            host, _, guest, _, _ = world.pair()
            world.disconnect(guest)
            world.disconnect(host)
            world.tick(0.01)
        self.assertLess(len(world.hub.deadlines.heap), 80)
        world.tick(10.0)
        self.assertEqual(world.closed, {greeting: ErrorCode.HELLO_TIMEOUT})
        self.assertIn(client.user, world.hub.users)
        world.tick(20.0)
        self.assertNotIn(client.user, world.hub.users)

    def test_no_state_stays_when_all_have_gone(self) -> None:
        """After three hundred short sessions only a bounded heap of deadlines is left."""
        world = World()
        for _ in range(300):
            host, _, guest, _, _ = world.pair()
            world.disconnect(guest)
            world.disconnect(host)
            world.tick(0.1)
        hub = world.hub
        left = (hub.peers, hub.users, hub.sessions, hub.decisions.by_id, hub.lifetimes.active, hub.lifetimes.expires)
        self.assertEqual((*left, hub.lifetimes.idle_checks), ({}, {}, {}, {}, {}, {}, {}))
        self.assertEqual((world.registry.users, world.registry.sessions), ({}, {}))
        self.assertLessEqual(len(hub.deadlines.heap), 64)


class FailureTests(SynchronousTestCase):
    """An exception in the core ends what it concerns, and nothing else is lost or waits for ever."""

    def setUp(self) -> None:
        """Create a session of three members that can resume."""
        self.world = World()
        self.hub = self.world.hub
        self.ann, self.bob, self.cat = (Client(self.world, name) for name in ("ann", "bob", "cat"))
        [opened] = self.ann.send(Open(capacity=4, keep=True))
        assert isinstance(opened, Opened)
        self.session = opened.session
        for client in (self.bob, self.cat):
            client.send(Join(self.session))
        self.read_all()

    def read_all(self) -> None:
        """Read the events of all clients."""
        for client in (self.ann, self.bob, self.cat):
            client.receive()

    def replace(self, part: str, method: str, when: Callable[..., bool] = lambda *_, **__: True) -> FailingPart:
        """Make a method of a part of the hub raise."""
        failing = FailingPart(getattr(self.hub, part), method, when)
        setattr(self.hub, part, failing)
        return failing

    def errors(self, actions: list[Action]) -> list[PeerId | None]:
        """Return the peers of the reported exceptions, after everything else was carried out."""
        reported = [action for action in actions if isinstance(action, ReportError)]
        for action in reported:
            self.assertIsInstance(action.error, ArithmeticError)
        self.world.carry_out(action for action in actions if not isinstance(action, ReportError))
        return [action.peer for action in reported]

    def decide(self, client: Client, request: Request) -> list[Action]:
        """Return the actions of the outcome of a request."""
        decide = next(
            action
            for action in self.hub.received(client.peer, request, self.world.now)
            if isinstance(action, Decide) and not isinstance(action.operation, ConfirmSecret)
        )
        return self.hub.decided(decide.id, self.world.registry.decide(decide.operation), self.world.now)

    def test_one_member_that_cannot_be_told(self) -> None:
        """Its connection is closed alone; it resumes with its memberships, and is told about the session anew."""
        failing = FailingPart(self.hub.mailboxes, "send_event", lambda user, _: user.id == self.bob.user)
        self.hub.replicas.mailboxes = cast(Any, failing)
        self.assertEqual(self.errors(self.decide(self.cat, Leave(self.session))), [self.bob.peer])
        self.hub.replicas.mailboxes = self.hub.mailboxes
        self.assertEqual(self.ann.receive(), [MemberLeft(self.session, self.cat.user, LeaveReason.LEFT)])
        self.assertEqual(self.hub.decisions.by_id, {})
        self.bob.lose()
        [joined] = self.bob.resume()
        assert isinstance(joined, Joined)
        self.assertEqual([member.user for member in joined.members], [self.ann.user])
        self.assertIs(self.bob.survival, Survival.MEMBERSHIP)

    def test_every_kind_of_receiver(self) -> None:
        """Joining, leaving, waiting and ending: each fails for its receiver alone, and the decisions are completed."""
        dan = Client(self.world, "dan")
        self.ann.send(ConfigureChange(self.session, lobby=True))
        for client, request, receiver in (
            (dan, Join(self.session), dan),
            (self.ann, Refuse(self.session, dan.user), dan),
            (self.ann, Remove(self.session, self.cat.user), self.cat),
            (self.ann, End(self.session), self.bob),
        ):
            failing = FailingPart(self.hub.mailboxes, "send_event", lambda user, _, id=receiver.user: user.id == id)
            self.hub.replicas.mailboxes = cast(Any, failing)
            self.assertEqual(self.errors(self.decide(client, request)), [receiver.peer])
            self.hub.replicas.mailboxes = self.hub.mailboxes
            self.assertEqual(self.hub.decisions.by_id, {})
            version = self.world.registry.sessions[self.session].version
            self.assertEqual(
                self.hub.sessions.get(self.session, self.world.registry.sessions[self.session]).version, version
            )

    def test_a_change_that_cannot_be_applied(self) -> None:
        """The connection that asked is closed, and later outcomes about the session are not deferred for ever."""
        replicas = self.hub.replicas
        self.replace("replicas", "apply_change")
        self.assertEqual(self.errors(self.decide(self.bob, Leave(self.session))), [self.bob.peer])
        self.hub.replicas = replicas
        self.assertEqual((self.hub.decisions.by_id, self.hub.decisions.deferred_outcomes), ({}, {}))
        self.read_all()
        self.assertEqual(self.ann.send(ConfigureChange(self.session, locked=True, id=ONE))[-1], Done(ONE))
        self.assertTrue(self.hub.sessions[self.session].settings.locked)

    def test_a_version_that_cannot_be_taken_over(self) -> None:
        """Even then the decision is not pending any more."""
        replicas = self.hub.replicas
        self.replace("replicas", "apply_change")
        self.replace("replicas", "skip_change")
        self.assertEqual(self.errors(self.decide(self.bob, Leave(self.session))), [self.bob.peer, None])
        self.hub.replicas = replicas
        self.assertEqual(self.hub.decisions.by_id, {})

    def test_a_version_that_is_known(self) -> None:
        """A version that is taken over is neither older than the replica, nor that of a session of other nodes."""
        session = self.hub.sessions[self.session]
        self.hub.replicas.skip_change(SessionChanged(evolve(session, version=session.version - 1)), 0.0)
        self.hub.replicas.skip_change(SessionChanged(evolve(session, id=NOWHERE)), 0.0)
        self.assertEqual(self.hub.sessions, {self.session: session})

    def test_an_end_that_cannot_be_applied(self) -> None:
        """A session that has ended is forgotten, although its end could not be told."""
        ended = evolve(self.hub.sessions[self.session], members=(), version=1000)
        self.hub.replicas.skip_change(SessionEnded(ended, EndReason.HOST_LEFT), 0.0)
        self.assertEqual(self.hub.sessions, {})

    def test_an_event_for_a_user_of_another_node(self) -> None:
        """A receiver that this node does not know is sent nothing."""
        self.assertEqual(self.hub.mailboxes.send_event(self.hub.users.get(NOBODY), Pong(ONE)), [])

    def test_outcomes_that_waited_for_one_that_fails(self) -> None:
        """The outcomes behind it are applied, and the actions of all are kept."""
        first, second, third = (self.hub.decisions.submit(MarkAway(NOBODY)) for _ in range(3))
        versions = [self.hub.sessions[self.session]]
        for name in "DE":
            versions.append(versions[-1].with_presence(self.cat.user, away=name == "D"))
        newer, newest = (Decided((SessionChanged(session),)) for session in versions[1:])
        self.assertEqual(self.hub.decided(second.id, newest, 0.0), [])
        self.assertEqual(self.hub.decided(third.id, newest, 0.0), [])
        self.replace("replicas", "apply_change", lambda change, _: change.session is versions[1])
        actions = self.hub.decided(first.id, newer, 0.0)
        self.assertIsInstance(actions[0], ReportError)
        self.assertEqual((self.hub.decisions.by_id, self.hub.decisions.deferred_outcomes), ({}, {}))
        self.assertIs(self.hub.sessions[self.session], versions[2])

    def test_an_identity_that_cannot_be_welcomed(self) -> None:
        """The identity ends, since its client does not know it, and the connection is closed."""
        peer = self.world.connect()
        self.replace("handshake", "welcome_new_user")
        actions = self.decide(cast(Any, SimpleNamespace(peer=peer)), Hello(version=1, instance=Instance("new")))
        ended = next(action.operation for action in actions if isinstance(action, Decide))
        assert isinstance(ended, EndIdentity)
        self.assertNotIn(ended.user, self.hub.users)
        self.assertEqual(self.errors(actions), [peer])
        self.assertEqual((self.hub.decisions.by_id, len(self.world.registry.users)), ({}, 3))

    def test_a_refusal_that_cannot_be_told(self) -> None:
        """A decision is completed although telling its refusal raises; its asker may be gone as well."""
        for gone in (False, True):
            client = Client(self.world, None)
            [decide] = self.hub.received(client.peer, Join(NOWHERE), self.world.now)
            assert isinstance(decide, Decide)
            if gone:
                client.lose()
            requests = self.hub.requests
            self.replace("requests", "reject")
            actions = self.hub.decided(decide.id, Refused(ErrorCode.UNKNOWN_SESSION), self.world.now)
            self.hub.requests = requests
            self.assertEqual(self.errors(actions), [None if gone else client.peer])
            self.assertEqual(self.hub.decisions.by_id, {})

    def test_a_queued_request_that_fails(self) -> None:
        """The requests behind it are handled, before and after the welcome."""
        [decide] = self.hub.received(self.bob.peer, Open(), self.world.now)
        assert isinstance(decide, Decide)
        for id in (ONE, RequestId("2")):
            self.hub.received(self.bob.peer, Ping(id), self.world.now)
        requests = self.hub.requests
        self.replace("requests", "handle", lambda _, request, __: request.id == ONE)
        actions = self.hub.decided(decide.id, Refused(ErrorCode.INTERNAL_ERROR), self.world.now)
        self.hub.requests = requests
        self.assertEqual(self.errors(actions), [self.bob.peer])
        self.assertEqual(self.bob.receive()[-1], Pong(RequestId("2")))

    def test_a_queued_request_of_a_newcomer_that_fails(self) -> None:
        """The connection is closed, and the requests behind it are dropped with it."""
        peer = self.world.connect()
        [decide] = self.hub.received(peer, Hello(version=1), self.world.now)
        assert isinstance(decide, Decide)
        for _ in range(2):
            self.hub.received(peer, Ping(ONE), self.world.now)
        handshake = self.hub.handshake
        failing = self.replace("handshake", "handle_request")
        actions = self.hub.decided(decide.id, Refused(ErrorCode.TOKEN_INVALID), self.world.now)
        self.hub.handshake = handshake
        self.assertEqual((self.errors(actions), failing.failures), ([peer], 1))
        self.assertEqual(len(self.hub.peers[peer].queue.waiting), 0)

    def test_a_deadline_that_fails(self) -> None:
        """The other deadlines of the same tick are handled, and their decisions asked for."""
        self.bob.lose()
        self.cat.lose()
        now = self.world.now + self.hub.limits.grace_seconds
        self.replace("grace_periods", "expire_grace", lambda user, _: user == self.bob.user)
        actions = self.hub.tick(now)
        self.assertEqual([action.operation for action in actions if isinstance(action, Decide)],
                         [EndIdentity(self.cat.user, LeaveReason.GONE)])  # fmt: skip
        self.assertEqual(self.errors(actions), [None])

    def test_an_unknown_decision(self) -> None:
        """An outcome for which no decision is pending is an error of the caller, and is not kept."""
        self.assertRaises(KeyError, self.hub.decided, DecisionId(999), Decided(), 0.0)
        self.assertEqual(self.hub.decisions.deferred_outcomes, {})


class DecisionTests(SynchronousTestCase):
    """Requests wait while a decision is pending."""

    def setUp(self) -> None:
        """Create a hub whose decisions the test makes."""
        self.hub = Hub(Limits(waiting_messages=2), "test", TICKETS)
        self.peer = PeerId(1)
        self.hub.connected(self.peer, HOME, Traits(), 0.0)

    def welcome(self) -> UserId:
        """Welcome the peer."""
        [decide] = self.hub.received(self.peer, Hello(version=1), 0.0)
        assert isinstance(decide, Decide)
        self.hub.decided(decide.id, Identified(NOBODY, None), 0.0)
        return NOBODY

    def test_later_messages_wait_in_order(self) -> None:
        """No request overtakes one that waits for a decision."""
        [decide] = self.hub.received(self.peer, Hello(version=1), 0.0)
        assert isinstance(decide, Decide)
        self.assertEqual(decide.operation, Identify(None))
        self.assertEqual(self.hub.received(self.peer, Ping(ONE), 0.0), [])
        self.assertEqual(self.hub.received(self.peer, Join(NOWHERE), 0.0), [])
        welcome, pong, joining = self.hub.decided(decide.id, Identified(NOBODY, None), 0.0)
        assert isinstance(welcome, Send)
        self.assertIsInstance(welcome.event, Welcome)
        self.assertEqual(pong, Send(self.peer, Pong(ONE)))
        self.assertIsInstance(joining, Decide)

    def test_too_many_waiting_messages_end_the_connection(self) -> None:
        """The queue is bounded, and dropped with the connection."""
        self.hub.received(self.peer, Hello(version=1), 0.0)
        for _ in range(2):
            self.assertEqual(self.hub.received(self.peer, Ping(), 0.0), [])
        self.assertEqual(self.hub.received(self.peer, Ping(), 0.0), [Close(self.peer, ErrorCode.TOO_MANY_WAITING)])
        self.assertEqual(len(self.hub.peers[self.peer].queue.waiting), 0)

    def test_an_identity_for_a_disconnected_peer_ends(self) -> None:
        """The identity could never be used, so it ends."""
        [decide] = self.hub.received(self.peer, Hello(version=1), 0.0)
        assert isinstance(decide, Decide)
        self.assertEqual(self.hub.disconnected(self.peer, DisconnectReason.LOST, 0.0), [])
        [forget] = self.hub.decided(decide.id, Identified(NOBODY, None), 0.0)
        assert isinstance(forget, Decide)
        self.assertEqual(forget.operation, EndIdentity(NOBODY, LeaveReason.GONE))

    def test_a_session_for_a_disconnected_user_is_not_stored(self) -> None:
        """The registry ends the identity and its membership."""
        user = self.welcome()
        [decide] = self.hub.received(self.peer, Open(), 0.0)
        assert isinstance(decide, Decide)
        self.assertIsInstance(decide.operation, OpenSession)
        [forget] = self.hub.disconnected(self.peer, DisconnectReason.LOST, 0.0)
        assert isinstance(forget, Decide)
        self.assertEqual(forget.operation, EndIdentity(user, LeaveReason.GONE))
        session = Session.new(NOWHERE, Settings(), Person(user, Traits()))
        self.assertEqual(self.hub.decided(decide.id, Decided((SessionChanged(session),), NOWHERE), 0.0), [])
        self.assertEqual(self.hub.sessions, {})

    def test_a_wrong_guess_counts_though_the_guesser_is_gone(self) -> None:
        """Disconnecting before the outcome does not avoid the charge."""
        self.welcome()
        [decide] = self.hub.received(self.peer, Join(NOWHERE), 0.0)
        assert isinstance(decide, Decide)
        self.hub.disconnected(self.peer, DisconnectReason.LOST, 0.0)
        self.hub.decided(decide.id, Refused(ErrorCode.UNKNOWN_SESSION), 0.0)
        self.assertIn(HOME, self.hub.guesses.sessions.full_at)

    def test_a_session_that_is_not_ended_may_have_changed(self) -> None:
        """The outcome may be a newer version of the session instead of its end; the members get what changed."""
        user = self.welcome()
        [decide] = self.hub.received(self.peer, Open(4), 0.0)
        assert isinstance(decide, Decide)
        session = Session.new(NOWHERE, Settings(capacity=4), Person(user, Traits()))
        self.hub.decided(decide.id, Decided((SessionChanged(session),), session.id), 0.0)
        [end] = self.hub.tick(self.hub.limits.session_life_seconds + 1)[:1]
        assert isinstance(end, Decide)
        newer = with_guest(session, UserId("A" * 26))
        [told] = self.hub.decided(end.id, Decided((SessionChanged(newer),), newer.id), 0.0)
        assert isinstance(told, Send)
        self.assertIsInstance(told.event, MemberJoined)

    def test_an_outcome_waits_for_the_one_before(self) -> None:
        """An outcome with a version gap is applied after the outcomes that it builds on."""
        user = self.welcome()
        [decide] = self.hub.received(self.peer, Open(4), 0.0)
        assert isinstance(decide, Decide)
        session = Session.new(NOWHERE, Settings(capacity=4), Person(user, Traits()))
        self.hub.decided(decide.id, Decided((SessionChanged(session),), session.id), 0.0)
        newer = with_guest(session, UserId("A" * 26))
        newest = with_guest(newer, UserId("B" * 26))
        asked = [self.hub.decisions.submit(MarkAway(NOBODY)) for _ in range(3)]
        self.assertEqual(self.hub.decided(asked[0].id, Decided((SessionChanged(newest),)), 0.0), [])
        told = self.hub.decided(asked[1].id, Decided((SessionChanged(newer),)), 0.0)
        joined = [a.event.member.user for a in told if isinstance(a, Send) and isinstance(a.event, MemberJoined)]
        self.assertEqual(joined, ["A" * 26, "B" * 26])
        self.assertEqual(self.hub.decided(asked[2].id, Decided((SessionChanged(newer),)), 0.0), [])
        self.assertEqual((self.hub.sessions[NOWHERE], self.hub.decisions.deferred_outcomes), (newest, {}))

    def test_facts_about_unknown_peers_are_passed_over(self) -> None:
        """Facts about connections that have ended meanwhile are ignored."""
        gone = PeerId(9)
        self.assertEqual(self.hub.received(gone, Ping(), 0.0), [])
        self.assertEqual(self.hub.malformed(gone, Error(ErrorCode.BAD_MESSAGE), 0.0), [])
        self.assertEqual(self.hub.disconnected(gone, DisconnectReason.LOST, 0.0), [])
