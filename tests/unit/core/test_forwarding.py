"""Rules for forwarding messages between members, and the events that receivers get.

test_hub.py tests the same rules through the hub.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.forwarding import find_receivers, forbidden, forwarded_event, is_readable
from signald.core.members import Member, Person
from signald.core.messages import (
    Answer,
    AppMessage,
    Candidate,
    Candidates,
    Forwardable,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    IceError,
    Negotiation,
    Offer,
    Role,
    SessionId,
    Source,
    Traits,
    UserId,
)
from signald.core.session_settings import Settings
from signald.core.sessions import Session
from tests.support.world import SERDE

SESSION = SessionId("7Q2M9RT6ZC")
ANN, BOB, CAT = (UserId(letter * 26) for letter in "ABC")
FIRST = Negotiation(BOB, 1)


def member(user: UserId, seat: int, traits: Traits | None = None) -> Member:
    """A member; the first one is the host."""
    return Member(Person(user, traits or Traits()), Role.GUEST if seat else Role.HOST, seat, seat)


def session(*members: Member) -> Session:
    """A session with these members."""
    return Session(SESSION, Settings(capacity=8), members)


def offer(to: UserId | None = None, n: int = 1) -> Offer:
    """Bob's n-th offer."""
    return Offer(SESSION, to, Negotiation(BOB, n), "v=0")


class ReceiverTests(SynchronousTestCase):
    """The receivers of a message are found from its addressee."""

    def setUp(self) -> None:
        """Ann hosts; Bob and Cat are guests, and Cat's program accepts no application messages."""
        self.ann, self.bob = member(ANN, 0), member(BOB, 1)
        self.cat = member(CAT, 2, Traits(messages=False))

    def test_an_addressee_has_to_be_another_member(self) -> None:
        """A stranger and the sender itself are not accepted as receivers."""
        three = session(self.ann, self.bob, self.cat)
        self.assertEqual(find_receivers(offer(ANN), three, self.bob), (self.ann,))
        self.assertEqual(find_receivers(offer(BOB), three, self.bob), ())
        self.assertEqual(find_receivers(offer(UserId("D" * 26)), three, self.bob), ())

    def test_without_an_addressee_the_only_other_member_gets_it(self) -> None:
        """The message is rejected if there is more than one other member, or none."""
        self.assertEqual(find_receivers(offer(), session(self.ann, self.bob), self.bob), (self.ann,))
        self.assertEqual(find_receivers(offer(), session(self.ann, self.bob, self.cat), self.bob), ())
        self.assertEqual(find_receivers(offer(), session(self.bob), self.bob), ())

    def test_an_application_message_goes_to_all_that_accept_it(self) -> None:
        """The sender does not get its own application message."""
        three = session(self.ann, self.bob, self.cat)
        self.assertEqual(find_receivers(AppMessage(SESSION, "hi"), three, self.bob), (self.ann,))
        self.assertEqual(find_receivers(AppMessage(SESSION, "hi"), three, self.cat), (self.ann, self.bob))


class RuleTests(SynchronousTestCase):
    """Which messages are rejected, and with which error."""

    def test_members_that_renegotiate_may_send_anything(self) -> None:
        """Either member may send an offer at any time."""
        ann, bob = member(ANN, 0), member(BOB, 1)
        for sender, receiver in ((ann, bob), (bob, ann)):
            for message in (offer(n=7), Answer(SESSION, None, FIRST, "v=0"), IceError(SESSION, None, "failed")):
                self.assertIsNone(forbidden(message, sender, receiver))

    def test_an_application_message_needs_a_receiver_that_accepts_it(self) -> None:
        """The receiver's program decides whether the message is accepted; the sender's does not matter."""
        ann, old = member(ANN, 0), member(BOB, 1, SERDE)
        self.assertIsNone(forbidden(AppMessage(SESSION, "hi"), old, ann))
        self.assertIs(forbidden(AppMessage(SESSION, "hi"), ann, old), ErrorCode.UNSUPPORTED_BY_PEER)

    def test_with_a_single_exchange_the_later_joiner_offers_once(self) -> None:
        """The earlier member answers the offer, and a second offer is rejected since its number is too high."""
        ann, old = member(ANN, 0), member(BOB, 1, SERDE)
        answer = Answer(SESSION, None, FIRST, "v=0")
        self.assertIsNone(forbidden(offer(n=1), old, ann))
        self.assertIs(forbidden(offer(n=2), old, ann), ErrorCode.WRONG_ROLE)
        self.assertIs(forbidden(offer(n=1), ann, old), ErrorCode.UNSUPPORTED_BY_PEER)
        self.assertIsNone(forbidden(answer, ann, old))
        self.assertIs(forbidden(answer, old, ann), ErrorCode.WRONG_ROLE)
        self.assertIsNone(forbidden(Candidates(SESSION, None, None, ()), ann, old))

    def test_the_single_offer_is_allowed_again_when_a_member_starts_over(self) -> None:
        """The member's new epoch raises the number that the next offer has to have."""
        ann, old = member(ANN, 0), evolve(member(BOB, 1, SERDE), epoch=2)
        self.assertIsNone(forbidden(offer(n=4097), old, ann))
        self.assertIs(forbidden(offer(n=4098), old, ann), ErrorCode.WRONG_ROLE)

    def test_an_untranslated_message_needs_a_receiver_that_reads_its_source(self) -> None:
        """A translated message is for every receiver; one without a translation only for those that read its source."""
        sender = member(BOB, 1)
        for message in (Candidates(SESSION, None, None, ()), IceError(SESSION, None, "failed")):
            for traits, code in (
                (Traits(source_kind="kind"), None),
                (Traits(source_kind="other"), ErrorCode.UNSUPPORTED_BY_PEER),
                (Traits(), ErrorCode.UNSUPPORTED_BY_PEER),
            ):
                receiver = member(ANN, 0, traits)
                untranslated = evolve(message, source=Source("kind", "text", translated=False))
                self.assertIs(forbidden(untranslated, sender, receiver), code)
                self.assertIs(is_readable(untranslated, traits), code is None)
                translated = evolve(message, source=Source("kind", "text"))
                self.assertIsNone(forbidden(translated, sender, receiver))
                self.assertIsNone(forbidden(message, sender, receiver))


class EventTests(SynchronousTestCase):
    """A forwarded message becomes an event for the receiver."""

    def test_each_message_is_stamped_with_its_sender(self) -> None:
        """The event names its sender, and has neither an addressee nor a request id."""
        candidates = (Candidate("c"),)
        pairs: list[tuple[Forwardable, object]] = [
            (offer(ANN), ForwardedOffer(SESSION, BOB, FIRST, "v=0")),
            (Answer(SESSION, ANN, FIRST, "v=0"), ForwardedAnswer(SESSION, BOB, FIRST, "v=0")),
            (
                Candidates(SESSION, ANN, FIRST, candidates, end=True),
                ForwardedCandidates(SESSION, BOB, candidates, FIRST, end=True),
            ),
            (IceError(SESSION, ANN, "failed"), ForwardedIceError(SESSION, BOB, "failed")),
            (AppMessage(SESSION, "hi", ANN), ForwardedMessage(SESSION, BOB, "hi")),
        ]
        for message, event in pairs:
            self.assertEqual(forwarded_event(message, BOB, Traits()), event)

    def test_a_source_is_for_receivers_that_read_it(self) -> None:
        """A receiver with the kind of the source gets it; another one gets the decoded values alone."""
        source = Source("kind", " text ")
        for message, event in (
            (Candidates(SESSION, ANN, FIRST, (), source=source), ForwardedCandidates(SESSION, BOB, (), FIRST)),
            (IceError(SESSION, ANN, "failed", source=source), ForwardedIceError(SESSION, BOB, "failed")),
        ):
            reader = Traits(source_kind="kind")
            self.assertEqual(forwarded_event(message, BOB, reader), evolve(event, source=source))
            for other in (Traits(), Traits(source_kind="other")):
                self.assertEqual(forwarded_event(message, BOB, other), event)
