"""One pair's negotiations."""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import messages, negotiation
from signald_client.signaling.messages import (
    Answer,
    Candidate,
    Candidates,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedOffer,
    Negotiation,
    Offer,
)
from signald_client.signaling.negotiation import (
    AddCandidate,
    CreateAndSetLocal,
    Failed,
    FlushLater,
    Negotiator,
    RestartIce,
    Send,
    SetRemote,
)
from signald_client.signaling.wire import Value

S = "7Q2M9RT6ZC"
CREATE_OFFER = CreateAndSetLocal("offer")
CREATE_ANSWER = CreateAndSetLocal("answer")


def my_offer(n: int, sdp: str = "mine") -> Send:
    """Return the command that sends this side's n-th offer."""
    return Send(Offer(S, "other", Negotiation("me", n), sdp))


def their_offer(n: int, sdp: str = "theirs") -> ForwardedOffer:
    """Return the other side's n-th offer."""
    return ForwardedOffer(S, "other", Negotiation("other", n), sdp)


def my_answer(n: int, sdp: str = "mine") -> Send:
    """Return the command that answers the other side's n-th offer."""
    return Send(Answer(S, "other", Negotiation("other", n), sdp))


def their_answer(n: int, sdp: str = "theirs") -> ForwardedAnswer:
    """Return the other side's answer to the n-th offer of this one."""
    return ForwardedAnswer(S, "other", Negotiation("me", n), sdp)


def theirs(negotiation: Negotiation | None, *names: str, end: bool = False, fragment: str | None = None) -> Any:
    """Return candidates of the other side."""
    batch = [Candidate(name, username_fragment=fragment) for name in names]
    return ForwardedCandidates(S, "other", batch, negotiation, end)


def fresh(
    offers_first: bool = True, polite: bool = True, renegotiates: bool = True, rolls_back: bool = True
) -> Negotiator:
    """Return a pair that has not negotiated yet."""
    return Negotiator(S, "me", "other", offers_first, polite, renegotiates, rolls_back)


def renewed(base: int, offers_first: bool = True) -> Negotiator:
    """Return a pair that has not negotiated yet, but whose numbers have been used up to this one."""
    return Negotiator(S, "me", "other", offers_first, True, base=base)


def established(polite: bool = True, renegotiates: bool = True, rolls_back: bool = True) -> Negotiator:
    """Return a pair in which this side's first offer was answered."""
    pair = fresh(True, polite, renegotiates, rolls_back)
    pair.negotiation_needed()
    pair.local_description_set("mine")
    pair.received(their_answer(1, "v=0\r\na=ice-ufrag:Yq8r\r\n"))
    pair.remote_description_set()
    return pair


class TableTests(SynchronousTestCase):
    """The table of states."""

    def test_an_operation_ends(self) -> None:
        """A state in which an operation is under way is left by its success and its failure, and by nothing else."""
        for state in negotiation.OPERATIONS:
            events = {event for before, event in negotiation.TRANSITIONS if before == state}
            self.assertIn(negotiation.FAILED, events)
            self.assertEqual(len(events & {negotiation.LOCAL_SET, negotiation.REMOTE_SET}), 1)
            self.assertEqual(len(events), 2)

    def test_reports_out_of_turn(self) -> None:
        """A report of an operation that is not under way changes nothing."""
        pair = fresh()
        self.assertEqual(pair.local_description_set("mine"), [])
        self.assertEqual(pair.remote_description_set(), [])
        self.assertEqual(pair.operation_failed("InvalidStateError", "no"), [])
        self.assertEqual((pair.state, pair.current), (negotiation.STABLE, None))


class OffererTests(SynchronousTestCase):
    """The side that joined later."""

    def test_offers_first(self) -> None:
        """It offers as soon as it has something to negotiate, and the answer completes the exchange."""
        pair = fresh()
        self.assertEqual(pair.negotiation_needed(), [CREATE_OFFER])
        self.assertEqual(pair.local_description_set("mine"), [my_offer(1)])
        self.assertEqual(pair.received(their_answer(1)), [SetRemote("answer", "theirs")])
        self.assertEqual(pair.remote_description_set(), [])
        self.assertEqual((pair.state, pair.current), (negotiation.STABLE, Negotiation("me", 1)))

    def test_counts_its_offers(self) -> None:
        """A further need makes a further offer with the next number."""
        pair = established()
        self.assertEqual(pair.negotiation_needed(), [CREATE_OFFER])
        self.assertEqual(pair.local_description_set("mine"), [my_offer(2)])

    def test_need_during_an_exchange(self) -> None:
        """A need that arises while an exchange is under way waits for its end."""
        pair = fresh()
        pair.negotiation_needed()
        self.assertEqual(pair.negotiation_needed(), [])
        pair.local_description_set("mine")
        pair.received(their_answer(1))
        self.assertEqual(pair.remote_description_set(), [CREATE_OFFER])

    def test_stale_answers(self) -> None:
        """An answer to another offer than the last, or to one that was answered, is dropped."""
        pair = established()
        self.assertEqual(pair.received(their_answer(1)), [])
        pair.negotiation_needed()
        pair.local_description_set("mine")
        self.assertEqual(pair.received(their_answer(1)), [])
        self.assertEqual(pair.state, negotiation.OFFERED)

    def test_refuses_what_cannot_be_negotiated(self) -> None:
        """A failed operation is told to the application, and the next need is met."""
        pair = fresh()
        pair.negotiation_needed()
        self.assertEqual(
            pair.operation_failed("OperationError", "no codec"), [Failed("local-offer", "OperationError", "no codec")]
        )
        self.assertEqual(pair.negotiation_needed(), [CREATE_OFFER])
        pair.local_description_set("mine")
        pair.received(their_answer(1))
        pair.negotiation_needed()
        self.assertEqual(
            pair.operation_failed("InvalidAccessError", "bad"),
            [Failed("remote-answer", "InvalidAccessError", "bad"), CREATE_OFFER],
        )


class AnswererTests(SynchronousTestCase):
    """The side that came first."""

    def test_waits_for_the_first_offer(self) -> None:
        """It does not offer before the later joiner has, whose offer it answers."""
        pair = fresh(offers_first=False)
        self.assertEqual(pair.negotiation_needed(), [])
        self.assertEqual(pair.received(their_offer(1)), [SetRemote("offer", "theirs")])
        self.assertEqual(pair.remote_description_set(), [CREATE_ANSWER])
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1)])
        self.assertEqual((pair.state, pair.current), (negotiation.STABLE, Negotiation("other", 1)))

    def test_offers_after_the_first_exchange(self) -> None:
        """A need that it reports after the first exchange is met."""
        pair = fresh(offers_first=False)
        pair.received(their_offer(1))
        pair.remote_description_set()
        pair.local_description_set("mine")
        self.assertEqual(pair.negotiation_needed(), [CREATE_OFFER])

    def test_stale_offers(self) -> None:
        """An offer that is not newer than the last, or that another user is said to have made, is dropped."""
        pair = fresh(offers_first=False)
        pair.received(their_offer(2))
        pair.remote_description_set()
        pair.local_description_set("mine")
        self.assertEqual(pair.received(their_offer(2)), [])
        self.assertEqual(pair.received(their_offer(1)), [])
        self.assertEqual(pair.received(ForwardedOffer(S, "other", Negotiation("me", 9), "x")), [])
        self.assertEqual(pair.current, Negotiation("other", 2))

    def test_offer_during_an_operation(self) -> None:
        """An offer that comes while an operation is under way waits for its end; only the newest is kept."""
        pair = fresh(offers_first=False)
        pair.received(their_offer(1))
        self.assertEqual(pair.received(their_offer(2, "second")), [])
        self.assertEqual(pair.received(their_offer(4, "fourth")), [])
        self.assertEqual(pair.received(their_offer(3, "third")), [])
        self.assertEqual(pair.remote_description_set(), [CREATE_ANSWER])
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1), SetRemote("offer", "fourth")])

    def test_failures(self) -> None:
        """An offer that cannot be applied, or answered, is told to the application."""
        pair = fresh(offers_first=False)
        pair.received(their_offer(1))
        self.assertEqual(pair.operation_failed("A", "b"), [Failed("remote-offer", "A", "b")])
        pair.received(their_offer(2))
        pair.remote_description_set()
        self.assertEqual(pair.operation_failed("A", "b"), [Failed("local-answer", "A", "b")])
        self.assertEqual(pair.state, negotiation.STABLE)


class CollisionTests(SynchronousTestCase):
    """Both sides offer at once (W3C perfect negotiation)."""

    def test_polite_side_rolls_back(self) -> None:
        """The polite side takes its offer back and answers the other's."""
        pair = established(polite=True)
        pair.negotiation_needed()
        pair.local_description_set("mine")
        self.assertEqual(pair.received(their_offer(1)), [SetRemote("offer", "theirs", rollback=True)])
        self.assertEqual(pair.remote_description_set(), [CREATE_ANSWER])
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1)])
        self.assertEqual(pair.received(their_answer(2)), [])

    def test_polite_side_before_it_sent(self) -> None:
        """An offer that is going to be taken back is not sent, and its number is used by the next."""
        pair = established(polite=True)
        pair.negotiation_needed()
        self.assertEqual(pair.received(their_offer(1)), [])
        self.assertEqual(pair.local_description_set("mine"), [SetRemote("offer", "theirs", rollback=True)])
        pair.remote_description_set()
        pair.local_description_set("mine")
        pair.negotiation_needed()
        self.assertEqual(pair.local_description_set("mine"), [my_offer(2)])

    def test_impolite_side_ignores(self) -> None:
        """The impolite side ignores the offer and its candidates, and goes on with its own."""
        pair = established(polite=False)
        pair.negotiation_needed()
        self.assertEqual(pair.received(their_offer(1)), [])
        self.assertEqual(pair.local_description_set("mine"), [my_offer(2)])
        self.assertEqual(pair.received(their_offer(2)), [])
        self.assertEqual(pair.received(theirs(Negotiation("other", 2), "ignored")), [])
        self.assertEqual(pair.received(their_answer(2)), [SetRemote("answer", "theirs")])
        self.assertEqual(pair.remote_description_set(), [])

    def test_polite_without_rollback(self) -> None:
        """A polite side that cannot roll back says so to the application and stays with its own offer."""
        pair = established(polite=True, rolls_back=False)
        pair.negotiation_needed()
        pair.local_description_set("mine")
        (failed,) = pair.received(their_offer(1))
        assert isinstance(failed, Failed)
        self.assertEqual(failed.operation, "rollback")
        self.assertEqual(pair.received(their_answer(2)), [SetRemote("answer", "theirs")])

    def test_offer_while_an_answer_is_applied(self) -> None:
        """An offer that comes while an answer is applied collides with nothing, for the impolite side too."""
        pair = fresh(polite=False)
        pair.negotiation_needed()
        pair.local_description_set("mine")
        pair.received(their_answer(1))
        self.assertEqual(pair.received(their_offer(1)), [])
        self.assertEqual(pair.remote_description_set(), [SetRemote("offer", "theirs")])

    def test_their_offer_settles_the_own_need(self) -> None:
        """An offer applied makes the own need void: the edge reports it again when it still has one."""
        pair = fresh(polite=True)
        pair.negotiation_needed()
        pair.received(their_offer(1))
        pair.negotiation_needed()
        pair.local_description_set("mine")
        pair.remote_description_set()
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1)])


class OneExchangeTests(SynchronousTestCase):
    """The other side takes a single exchange."""

    def test_no_further_offer(self) -> None:
        """After the first exchange neither a need nor a wish for new paths makes an offer."""
        pair = established(renegotiates=False)
        self.assertEqual(pair.negotiation_needed(), [])
        self.assertEqual(pair.restart_ice(), [])

    def test_first_offer(self) -> None:
        """The first one is made as always."""
        self.assertEqual(fresh(renegotiates=False).negotiation_needed(), [CREATE_OFFER])


class RestartTests(SynchronousTestCase):
    """ICE restarts."""

    def test_restart(self) -> None:
        """The edge is told, and what it needs then is negotiated."""
        pair = established()
        self.assertEqual(pair.restart_ice(), [RestartIce()])
        self.assertEqual(pair.negotiation_needed(), [CREATE_OFFER])

    def test_not_before_the_first_offer(self) -> None:
        """The side that waits for the first offer has nothing to restart."""
        self.assertEqual(fresh(offers_first=False).restart_ice(), [])


class LocalCandidateTests(SynchronousTestCase):
    """The candidates that this side gathers."""

    def test_batched(self) -> None:
        """Candidates that come close together travel in one message, 20 ms after the first."""
        pair = established()
        self.assertEqual(pair.local_candidate({"candidate": "a", "sdpMid": "0"}), [FlushLater(0.02)])
        self.assertEqual(pair.local_candidate({"candidate": "b", "usernameFragment": None, "foundation": "1"}), [])
        batch = [Candidate("a", "0"), Candidate("b")]
        self.assertEqual(pair.flush(), [Send(Candidates(S, "other", Negotiation("me", 1), batch))])
        self.assertEqual(pair.flush(), [])
        self.assertEqual(pair.local_candidate({"candidate": "c"}), [FlushLater(0.02)])

    def test_end(self) -> None:
        """The end of gathering is said at once, with what waits; an empty candidate is the end too."""
        for end in (None, {"candidate": ""}):
            pair = established()
            pair.local_candidate({"candidate": "a"})
            self.assertEqual(
                pair.local_candidate(end),
                [Send(Candidates(S, "other", Negotiation("me", 1), [Candidate("a")], True))],
            )
            self.assertEqual(pair.flush(), [])

    def test_after_the_description(self) -> None:
        """Candidates gathered before the description was sent follow it, the end with them."""
        pair = fresh()
        pair.negotiation_needed()
        pair.local_candidate({"candidate": "a"})
        self.assertEqual(pair.flush(), [])
        self.assertEqual(pair.local_candidate(None), [])
        self.assertEqual(
            pair.local_description_set("mine"),
            [my_offer(1), Send(Candidates(S, "other", Negotiation("me", 1), [Candidate("a")], True))],
        )

    def test_of_the_answer(self) -> None:
        """The answerer's candidates carry the offerer's negotiation."""
        pair = fresh(offers_first=False)
        pair.received(their_offer(1))
        pair.remote_description_set()
        pair.local_candidate({"candidate": "a"})
        self.assertEqual(
            pair.local_description_set("mine"),
            [my_answer(1), Send(Candidates(S, "other", Negotiation("other", 1), [Candidate("a")]))],
        )

    def test_before_the_next_negotiation(self) -> None:
        """What waits is sent under its own negotiation before another begins, on either side's wish."""
        batch = Send(Candidates(S, "other", Negotiation("me", 1), [Candidate("a")]))
        pair = established()
        pair.local_candidate({"candidate": "a"})
        self.assertEqual(pair.negotiation_needed(), [batch, CREATE_OFFER])
        pair = established()
        pair.local_candidate({"candidate": "a"})
        self.assertEqual(pair.received(their_offer(1)), [batch, SetRemote("offer", "theirs")])

    def test_no_more_than_64_in_a_message(self) -> None:
        """More candidates than a message may hold travel in several, the end in the last."""
        pair = established()
        for index in range(130):
            pair.local_candidate({"candidate": str(index)})
        sent: list[Any] = pair.local_candidate(None)
        self.assertEqual([len(send.message.candidates) for send in sent], [64, 64, 2])
        self.assertEqual([send.message.end for send in sent], [False, False, True])


class RemoteCandidateTests(SynchronousTestCase):
    """The candidates of the other side."""

    def test_of_the_current_negotiation(self) -> None:
        """They are added in their order, as W3C names their parts; the end is None."""
        pair = established()
        batch = ForwardedCandidates(S, "other", [Candidate("a", "0", 0, "Yq8r")], Negotiation("me", 1), True)
        self.assertEqual(
            pair.received(batch),
            [
                AddCandidate({"candidate": "a", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "Yq8r"}),
                AddCandidate(None),
            ],
        )

    def test_before_the_answer(self) -> None:
        """Those that come before the answer wait until it is applied."""
        pair = fresh()
        pair.negotiation_needed()
        pair.local_description_set("mine")
        self.assertEqual(pair.received(theirs(Negotiation("me", 1), "a")), [])
        self.assertEqual(pair.received(their_answer(1)), [SetRemote("answer", "theirs")])
        self.assertEqual(pair.received(theirs(Negotiation("me", 1), "b")), [])
        self.assertEqual(
            pair.remote_description_set(), [AddCandidate({"candidate": "a"}), AddCandidate({"candidate": "b"})]
        )

    def test_before_the_offer(self) -> None:
        """Those of a newer negotiation wait for its offer to be answered."""
        pair = fresh(offers_first=False)
        self.assertEqual(pair.received(theirs(Negotiation("other", 1), "a")), [])
        pair.received(their_offer(1))
        pair.remote_description_set()
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1), AddCandidate({"candidate": "a"})])

    def test_stale(self) -> None:
        """Those of an earlier negotiation are dropped."""
        pair = established()
        pair.negotiation_needed()
        pair.local_description_set("mine")
        self.assertEqual(pair.received(theirs(Negotiation("me", 1), "a", end=True, fragment="old")), [])
        self.assertEqual(pair.received(theirs(Negotiation("me", 1), "b")), [])
        pair.received(their_answer(2))
        self.assertEqual(pair.remote_description_set(), [])

    def test_of_the_same_generation(self) -> None:
        """One of an earlier negotiation whose ICE generation is still the current one is added."""
        pair = established()
        pair.negotiation_needed()
        pair.local_description_set("mine")
        self.assertEqual(
            pair.received(theirs(Negotiation("me", 1), "a", fragment="Yq8r")),
            [AddCandidate({"candidate": "a", "usernameFragment": "Yq8r"})],
        )

    def test_without_a_number(self) -> None:
        """Those of a side that does not number its negotiations belong to the current one, or to the first."""
        pair = fresh(offers_first=False)
        self.assertEqual(pair.received(theirs(None, "a")), [])
        pair.received(their_offer(1))
        pair.remote_description_set()
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1), AddCandidate({"candidate": "a"})])
        self.assertEqual(pair.received(theirs(None, "b")), [AddCandidate({"candidate": "b"})])

    def test_bounded(self) -> None:
        """No more than 256 wait."""
        pair = fresh(offers_first=False)
        for index in range(300):
            pair.received(theirs(Negotiation("other", 1), str(index)))
        pair.received(their_offer(1))
        pair.remote_description_set()
        commands = pair.local_description_set("mine")
        self.assertEqual(len([command for command in commands if isinstance(command, AddCandidate)]), 256)

    def test_other_messages(self) -> None:
        """A message that is no part of a negotiation changes nothing."""
        self.assertEqual(established().received(messages.Pong()), [])


class BaseTests(SynchronousTestCase):
    """A pair that begins anew."""

    def test_counts_from_the_base(self) -> None:
        """The first offer has the number after the base."""
        pair = renewed(7)
        pair.negotiation_needed()
        self.assertEqual(pair.local_description_set("mine"), [my_offer(8)])

    def test_what_is_older(self) -> None:
        """What belongs to a number up to the base is dropped, a candidate of the right generation too."""
        pair = renewed(7, offers_first=False)
        self.assertEqual(pair.received(their_offer(7)), [])
        self.assertEqual(pair.received(their_answer(7)), [])
        self.assertEqual(pair.received(their_offer(8, "a=ice-ufrag:Yq8r\r\n"))[0].__class__, SetRemote)
        pair.remote_description_set()
        pair.local_description_set("mine")
        self.assertEqual(pair.received(theirs(Negotiation("other", 7), "a", fragment="Yq8r")), [])
        self.assertEqual(len(pair.received(theirs(Negotiation("other", 8), "b", fragment="Yq8r"))), 1)


class CloseTests(SynchronousTestCase):
    """The end of a pair."""

    def test_nothing_matters_any_more(self) -> None:
        """After `close()` no fact makes a command."""
        pair = established()
        pair.local_candidate({"candidate": "a"})
        pair.close()
        self.assertEqual(pair.negotiation_needed(), [])
        self.assertEqual(pair.restart_ice(), [])
        self.assertEqual(pair.local_candidate({"candidate": "a"}), [])
        self.assertEqual(pair.flush(), [])
        self.assertEqual(pair.received(their_offer(1)), [])
        self.assertEqual(pair.received(their_answer(1)), [])
        self.assertEqual(pair.received(theirs(None, "a")), [])
        self.assertEqual(pair.operation_failed("a", "b"), [])
        self.assertEqual(pair.state, negotiation.CLOSED)


class Edge:
    """A peer connection in words: the signalling states of RFC 9429 §3.2, and needs that come back as a browser's do.

    Attributes:
        inbox: what the other side sent and this one has not received yet.
        doing: the operation that is under way.
        effective: whether that has taken effect already, and is still to be reported.
        events: whether a `negotiationneeded` event is still to be reported.

    """

    def __init__(self, name: str, other: str, offers_first: bool, polite: bool) -> None:
        self.pair = Negotiator(S, name, other, offers_first, polite)
        self.name = name
        self.inbox: deque[Any] = deque()
        self.doing: Value | None = None
        self.effective = False
        self.state = "stable"
        self.local = self.remote = ""
        self.agreed = ("", "")
        self.need = 0
        self.met = 0
        self.offered = 0
        self.event = False
        self.serial = 0
        self.added: list[str] = []
        self.other: Edge

    def carry_out(self, commands: list[Value]) -> None:
        """Do what the pair says, as an edge does."""
        for command in commands:
            if isinstance(command, (CreateAndSetLocal, SetRemote)):
                assert self.doing is None, "one operation at a time"
                self.doing = command
            elif isinstance(command, Send):
                self.other.inbox.append(command.message)
            elif isinstance(command, AddCandidate):
                assert command.candidate == {"candidate": f"of {self.remote}"}, "a candidate of another description"
                self.added.append(f"of {self.remote}")
            else:
                assert isinstance(command, FlushLater), command

    def want(self) -> None:
        """The application changes something."""
        self.need += 1
        # With an operation in its chain a browser waits for that to take effect, and then looks again.
        if self.state == "stable" and (self.doing is None or self.effective):
            self.event = True

    def report_event(self) -> None:
        """Report `negotiationneeded`."""
        if self.event:
            self.event = False
            self.carry_out(self.pair.negotiation_needed())

    def complete(self) -> None:
        """Go on with the operation that is under way: it takes effect, and later that is reported."""
        command = self.doing
        if self.effective:
            self.doing, self.effective = None, False
            if isinstance(command, CreateAndSetLocal):
                self.carry_out(self.pair.local_description_set(self.local))
            else:
                self.carry_out(self.pair.remote_description_set())
        elif isinstance(command, CreateAndSetLocal):
            self.effective = True
            self.serial += 1
            self.local = f"{self.name}{self.serial}"
            if command.kind == "offer":
                assert self.state == "stable"
                self.state, self.offered = "have-local-offer", self.need
            else:
                assert self.state == "have-remote-offer"
                self.become_stable()
            self.gather()
        elif isinstance(command, SetRemote):
            self.effective = True
            self.remote = command.sdp
            if command.type == "offer":
                assert self.state == ("have-local-offer" if command.rollback else "stable")
                self.state = "have-remote-offer"
            else:
                assert self.state == "have-local-offer"
                self.met = self.offered
                self.become_stable()

    def gather(self) -> None:
        """Find a candidate of the local description."""
        self.carry_out(self.pair.local_candidate({"candidate": f"of {self.local}"}))

    def gather_late(self) -> None:
        """Find another one, when nothing else is under way."""
        if self.local and self.doing is None:
            self.gather()

    def become_stable(self) -> None:
        """An exchange is complete; the browser looks whether it needs another."""
        self.state = "stable"
        self.agreed = (self.local, self.remote)
        self.event = self.need > self.met

    def receive(self) -> None:
        """Take the oldest message that is under way to this side."""
        if self.inbox:
            message = self.inbox.popleft()
            if isinstance(message, Offer):
                forwarded: Any = ForwardedOffer(S, self.other.name, message.negotiation, message.sdp)
            elif isinstance(message, Answer):
                forwarded = ForwardedAnswer(S, self.other.name, message.negotiation, message.sdp)
            else:
                forwarded = ForwardedCandidates(
                    S, self.other.name, message.candidates, message.negotiation, message.end
                )
            self.carry_out(self.pair.received(forwarded))

    def flush(self) -> None:
        """The time for gathering is over."""
        self.carry_out(self.pair.flush())


STEPS = st.sampled_from([Edge.want, Edge.report_event, Edge.complete, Edge.receive, Edge.gather_late, Edge.flush])


class InterleavingTests(SynchronousTestCase):
    """Two sides over a channel that keeps the order and takes its time."""

    def rest(self, ann: Edge, bob: Edge) -> None:
        """Let everything that is under way come to its end."""
        for _ in range(100):
            for edge in (ann, bob):
                edge.report_event()
                edge.complete()
                edge.flush()
                edge.receive()

    @settings(deadline=None, max_examples=400)
    @given(st.booleans(), st.booleans(), st.lists(st.tuples(st.booleans(), STEPS), min_size=20, max_size=100))
    def test_any_interleaving_becomes_stable(self, polite: bool, settled: bool, steps: list[tuple[bool, Any]]) -> None:
        """Whatever happens in whatever order, both sides come to rest with the same negotiation and no open need."""
        ann, bob = Edge("ann", "bob", False, polite), Edge("bob", "ann", True, not polite)
        ann.other, bob.other = bob, ann
        bob.want()
        if settled:
            self.rest(ann, bob)
            ann.want()
            bob.want()
        for first, step in steps:
            step(ann if first else bob)
        self.rest(ann, bob)
        for edge in (ann, bob):
            self.assertEqual((edge.state, edge.pair.state), ("stable", "stable"))
            self.assertEqual((edge.doing, list(edge.inbox), edge.event), (None, [], False))
            self.assertEqual(edge.met, edge.need)
            self.assertIn(f"of {edge.remote}", edge.added)
        self.assertEqual(ann.pair.current, bob.pair.current)
        self.assertEqual(ann.agreed, bob.agreed[::-1])
