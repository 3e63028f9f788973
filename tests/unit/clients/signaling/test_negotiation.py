"""Negotiation of one pair."""

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
from signald_client.signaling.negotiation import Negotiator
from signald_client.signaling.negotiation_commands import (
    AddCandidate,
    CreateAndSetLocal,
    FlushLater,
    NegotiationFailed,
    RestartIce,
    SendRequest,
    SetRemote,
)
from signald_client.signaling.wire import Value

S = "7Q2M9RT6ZC"
CREATE_OFFER = CreateAndSetLocal("offer")
CREATE_ANSWER = CreateAndSetLocal("answer")


def my_offer(n: int, sdp: str = "mine") -> SendRequest:
    """Return the command that sends the n-th local offer."""
    return SendRequest(Offer(S, "other", Negotiation("me", n), sdp))


def their_offer(n: int, sdp: str = "theirs") -> ForwardedOffer:
    """Return the n-th remote offer."""
    return ForwardedOffer(S, "other", Negotiation("other", n), sdp)


def my_answer(n: int, sdp: str = "mine") -> SendRequest:
    """Return the command that answers the n-th remote offer."""
    return SendRequest(Answer(S, "other", Negotiation("other", n), sdp))


def their_answer(n: int, sdp: str = "theirs") -> ForwardedAnswer:
    """Return the remote answer to the n-th local offer."""
    return ForwardedAnswer(S, "other", Negotiation("me", n), sdp)


def their_candidates(
    negotiation: Negotiation | None, *names: str, end: bool = False, fragment: str | None = None
) -> Any:
    """Return a message with remote candidates."""
    batch = [Candidate(name, username_fragment=fragment) for name in names]
    return ForwardedCandidates(S, "other", batch, negotiation, end)


def fresh(
    offers_first: bool = True, polite: bool = True, renegotiates: bool = True, rolls_back: bool = True
) -> Negotiator:
    """Return a pair that has not negotiated yet."""
    return Negotiator(S, "me", "other", offers_first, polite, renegotiates, rolls_back)


def renewed(base: int, offers_first: bool = True) -> Negotiator:
    """Return a pair that has not negotiated yet, whose numbers are used up to this one."""
    return Negotiator(S, "me", "other", offers_first, True, base=base)


def established(polite: bool = True, renegotiates: bool = True, rolls_back: bool = True) -> Negotiator:
    """Return a pair whose first local offer was answered."""
    pair = fresh(True, polite, renegotiates, rolls_back)
    pair.negotiation_needed()
    pair.local_description_set("mine")
    pair.message_received(their_answer(1, "v=0\r\na=ice-ufrag:Yq8r\r\n"))
    pair.remote_description_set()
    return pair


class TableTests(SynchronousTestCase):
    """The table of transitions."""

    def test_operations_end(self) -> None:
        """A state with an operation under way ends with the operation's success or failure, and with nothing else."""
        for state in negotiation.OPERATIONS:
            events = {event for before, event in negotiation.TRANSITIONS if before == state}
            self.assertIn(negotiation.FAILED, events)
            self.assertEqual(len(events & {negotiation.LOCAL_SET, negotiation.REMOTE_SET}), 1)
            self.assertEqual(len(events), 2)

    def test_unexpected_reports(self) -> None:
        """A report of an operation that is not under way changes nothing."""
        pair = fresh()
        self.assertEqual(pair.local_description_set("mine"), [])
        self.assertEqual(pair.remote_description_set(), [])
        self.assertEqual(pair.operation_failed("InvalidStateError", "no"), [])
        self.assertEqual((pair.state, pair.current), (negotiation.STABLE, None))


class OffererTests(SynchronousTestCase):
    """The side that joined later."""

    def test_offers_first(self) -> None:
        """The later joiner offers as soon as it has something to negotiate; the answer completes the exchange."""
        pair = fresh()
        self.assertEqual(pair.negotiation_needed(), [CREATE_OFFER])
        self.assertEqual(pair.local_description_set("mine"), [my_offer(1)])
        self.assertEqual(pair.message_received(their_answer(1)), [SetRemote("answer", "theirs")])
        self.assertEqual(pair.remote_description_set(), [])
        self.assertEqual((pair.state, pair.current), (negotiation.STABLE, Negotiation("me", 1)))

    def test_offers_are_numbered(self) -> None:
        """The next offer has the next number."""
        pair = established()
        self.assertEqual(pair.negotiation_needed(), [CREATE_OFFER])
        self.assertEqual(pair.local_description_set("mine"), [my_offer(2)])

    def test_need_during_an_exchange(self) -> None:
        """A need during an exchange results in an offer after its end."""
        pair = fresh()
        pair.negotiation_needed()
        self.assertEqual(pair.negotiation_needed(), [])
        pair.local_description_set("mine")
        pair.message_received(their_answer(1))
        self.assertEqual(pair.remote_description_set(), [CREATE_OFFER])

    def test_stale_answers(self) -> None:
        """A second answer, and an answer to an earlier offer, are dropped."""
        pair = established()
        self.assertEqual(pair.message_received(their_answer(1)), [])
        pair.negotiation_needed()
        pair.local_description_set("mine")
        self.assertEqual(pair.message_received(their_answer(1)), [])
        self.assertEqual(pair.state, negotiation.OFFERED)

    def test_failed_operations(self) -> None:
        """A failed operation is reported to the application, and the next need results in an offer."""
        pair = fresh()
        pair.negotiation_needed()
        self.assertEqual(
            pair.operation_failed("OperationError", "no codec"),
            [NegotiationFailed("local-offer", "OperationError", "no codec")],
        )
        self.assertEqual(pair.negotiation_needed(), [CREATE_OFFER])
        pair.local_description_set("mine")
        pair.message_received(their_answer(1))
        pair.negotiation_needed()
        self.assertEqual(
            pair.operation_failed("InvalidAccessError", "bad"),
            [NegotiationFailed("remote-answer", "InvalidAccessError", "bad"), CREATE_OFFER],
        )


class AnswererTests(SynchronousTestCase):
    """The side that joined first."""

    def test_waits_for_the_first_offer(self) -> None:
        """The first joiner does not offer before the later one has offered, and answers that offer."""
        pair = fresh(offers_first=False)
        self.assertEqual(pair.negotiation_needed(), [])
        self.assertEqual(pair.message_received(their_offer(1)), [SetRemote("offer", "theirs")])
        self.assertEqual(pair.remote_description_set(), [CREATE_ANSWER])
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1)])
        self.assertEqual((pair.state, pair.current), (negotiation.STABLE, Negotiation("other", 1)))

    def test_offers_after_the_first_exchange(self) -> None:
        """After the first exchange, the first joiner may offer too."""
        pair = fresh(offers_first=False)
        pair.message_received(their_offer(1))
        pair.remote_description_set()
        pair.local_description_set("mine")
        self.assertEqual(pair.negotiation_needed(), [CREATE_OFFER])

    def test_stale_offers(self) -> None:
        """An offer that is not newer than the last, or names another offerer, is dropped."""
        pair = fresh(offers_first=False)
        pair.message_received(their_offer(2))
        pair.remote_description_set()
        pair.local_description_set("mine")
        self.assertEqual(pair.message_received(their_offer(2)), [])
        self.assertEqual(pair.message_received(their_offer(1)), [])
        self.assertEqual(pair.message_received(ForwardedOffer(S, "other", Negotiation("me", 9), "x")), [])
        self.assertEqual(pair.current, Negotiation("other", 2))

    def test_offer_during_an_operation(self) -> None:
        """An offer during an operation waits for its end; only the newest offer is kept."""
        pair = fresh(offers_first=False)
        pair.message_received(their_offer(1))
        self.assertEqual(pair.message_received(their_offer(2, "second")), [])
        self.assertEqual(pair.message_received(their_offer(4, "fourth")), [])
        self.assertEqual(pair.message_received(their_offer(3, "third")), [])
        self.assertEqual(pair.remote_description_set(), [CREATE_ANSWER])
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1), SetRemote("offer", "fourth")])

    def test_failures(self) -> None:
        """An offer that cannot be applied, or not be answered, is reported to the application."""
        pair = fresh(offers_first=False)
        pair.message_received(their_offer(1))
        self.assertEqual(pair.operation_failed("A", "b"), [NegotiationFailed("remote-offer", "A", "b")])
        pair.message_received(their_offer(2))
        pair.remote_description_set()
        self.assertEqual(pair.operation_failed("A", "b"), [NegotiationFailed("local-answer", "A", "b")])
        self.assertEqual(pair.state, negotiation.STABLE)


class GlareTests(SynchronousTestCase):
    """Both sides offer at once (glare; W3C perfect negotiation)."""

    def test_polite_side_rolls_back(self) -> None:
        """The polite side rolls its offer back and answers the remote one."""
        pair = established(polite=True)
        pair.negotiation_needed()
        pair.local_description_set("mine")
        self.assertEqual(pair.message_received(their_offer(1)), [SetRemote("offer", "theirs", rollback=True)])
        self.assertEqual(pair.remote_description_set(), [CREATE_ANSWER])
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1)])
        self.assertEqual(pair.message_received(their_answer(2)), [])

    def test_polite_side_before_it_sent(self) -> None:
        """An offer that is going to be rolled back is not sent, and the next one uses its number."""
        pair = established(polite=True)
        pair.negotiation_needed()
        self.assertEqual(pair.message_received(their_offer(1)), [])
        self.assertEqual(pair.local_description_set("mine"), [SetRemote("offer", "theirs", rollback=True)])
        pair.remote_description_set()
        pair.local_description_set("mine")
        pair.negotiation_needed()
        self.assertEqual(pair.local_description_set("mine"), [my_offer(2)])

    def test_impolite_side_ignores(self) -> None:
        """The impolite side ignores the remote offer and its candidates, and continues with its own."""
        pair = established(polite=False)
        pair.negotiation_needed()
        self.assertEqual(pair.message_received(their_offer(1)), [])
        self.assertEqual(pair.local_description_set("mine"), [my_offer(2)])
        self.assertEqual(pair.message_received(their_offer(2)), [])
        self.assertEqual(pair.message_received(their_candidates(Negotiation("other", 2), "ignored")), [])
        self.assertEqual(pair.message_received(their_answer(2)), [SetRemote("answer", "theirs")])
        self.assertEqual(pair.remote_description_set(), [])

    def test_polite_without_rollback(self) -> None:
        """A polite side that cannot roll back reports that to the application, and continues with its own offer."""
        pair = established(polite=True, rolls_back=False)
        pair.negotiation_needed()
        pair.local_description_set("mine")
        (failed,) = pair.message_received(their_offer(1))
        assert isinstance(failed, NegotiationFailed)
        self.assertEqual(failed.operation, "rollback")
        self.assertEqual(pair.message_received(their_answer(2)), [SetRemote("answer", "theirs")])

    def test_offer_while_an_answer_is_applied(self) -> None:
        """An offer during the application of an answer is no glare, and the impolite side applies it too."""
        pair = fresh(polite=False)
        pair.negotiation_needed()
        pair.local_description_set("mine")
        pair.message_received(their_answer(1))
        self.assertEqual(pair.message_received(their_offer(1)), [])
        self.assertEqual(pair.remote_description_set(), [SetRemote("offer", "theirs")])

    def test_remote_offer_satisfies_the_local_need(self) -> None:
        """A remote offer satisfies the local need; an edge that still has one reports it again."""
        pair = fresh(polite=True)
        pair.negotiation_needed()
        pair.message_received(their_offer(1))
        pair.negotiation_needed()
        pair.local_description_set("mine")
        pair.remote_description_set()
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1)])


class OneExchangeTests(SynchronousTestCase):
    """The other side accepts a single exchange."""

    def test_no_further_offer(self) -> None:
        """After the first exchange neither a need nor an ICE restart results in an offer."""
        pair = established(renegotiates=False)
        self.assertEqual(pair.negotiation_needed(), [])
        self.assertEqual(pair.restart_ice(), [])

    def test_first_offer(self) -> None:
        """The first offer is made as usual."""
        self.assertEqual(fresh(renegotiates=False).negotiation_needed(), [CREATE_OFFER])


class RestartTests(SynchronousTestCase):
    """ICE restarts."""

    def test_restart(self) -> None:
        """The edge restarts ICE, and its need results in an offer."""
        pair = established()
        self.assertEqual(pair.restart_ice(), [RestartIce()])
        self.assertEqual(pair.negotiation_needed(), [CREATE_OFFER])

    def test_not_before_the_first_offer(self) -> None:
        """A side that waits for the first offer does not restart ICE."""
        self.assertEqual(fresh(offers_first=False).restart_ice(), [])


class LocalCandidateTests(SynchronousTestCase):
    """Local candidates."""

    def test_batched(self) -> None:
        """Candidates that are gathered within 20 ms are sent in one message."""
        pair = established()
        self.assertEqual(pair.local_candidate({"candidate": "a", "sdpMid": "0"}), [FlushLater(0.02)])
        self.assertEqual(pair.local_candidate({"candidate": "b", "usernameFragment": None, "foundation": "1"}), [])
        batch = [Candidate("a", "0"), Candidate("b")]
        self.assertEqual(pair.flush_candidates(), [SendRequest(Candidates(S, "other", Negotiation("me", 1), batch))])
        self.assertEqual(pair.flush_candidates(), [])
        self.assertEqual(pair.local_candidate({"candidate": "c"}), [FlushLater(0.02)])

    def test_end(self) -> None:
        """The end of gathering is sent at once, with the waiting candidates; an empty candidate is the end too."""
        for end in (None, {"candidate": ""}):
            pair = established()
            pair.local_candidate({"candidate": "a"})
            self.assertEqual(
                pair.local_candidate(end),
                [SendRequest(Candidates(S, "other", Negotiation("me", 1), [Candidate("a")], True))],
            )
            self.assertEqual(pair.flush_candidates(), [])

    def test_after_the_description(self) -> None:
        """Candidates that are gathered before the description is sent follow it, with the end."""
        pair = fresh()
        pair.negotiation_needed()
        pair.local_candidate({"candidate": "a"})
        self.assertEqual(pair.flush_candidates(), [])
        self.assertEqual(pair.local_candidate(None), [])
        self.assertEqual(
            pair.local_description_set("mine"),
            [my_offer(1), SendRequest(Candidates(S, "other", Negotiation("me", 1), [Candidate("a")], True))],
        )

    def test_candidates_of_an_answer(self) -> None:
        """The answerer's candidates name the offerer's negotiation."""
        pair = fresh(offers_first=False)
        pair.message_received(their_offer(1))
        pair.remote_description_set()
        pair.local_candidate({"candidate": "a"})
        self.assertEqual(
            pair.local_description_set("mine"),
            [my_answer(1), SendRequest(Candidates(S, "other", Negotiation("other", 1), [Candidate("a")]))],
        )

    def test_before_the_next_negotiation(self) -> None:
        """Waiting candidates are sent with their own negotiation before another one starts, on either side."""
        batch = SendRequest(Candidates(S, "other", Negotiation("me", 1), [Candidate("a")]))
        pair = established()
        pair.local_candidate({"candidate": "a"})
        self.assertEqual(pair.negotiation_needed(), [batch, CREATE_OFFER])
        pair = established()
        pair.local_candidate({"candidate": "a"})
        self.assertEqual(pair.message_received(their_offer(1)), [batch, SetRemote("offer", "theirs")])

    def test_no_more_than_64_in_a_message(self) -> None:
        """More than 64 candidates are sent in several messages, with the end in the last."""
        pair = established()
        for index in range(130):
            pair.local_candidate({"candidate": str(index)})
        sent: list[Any] = pair.local_candidate(None)
        self.assertEqual([len(send.message.candidates) for send in sent], [64, 64, 2])
        self.assertEqual([send.message.end for send in sent], [False, False, True])


class RemoteCandidateTests(SynchronousTestCase):
    """Remote candidates."""

    def test_current_negotiation(self) -> None:
        """Candidates of the current negotiation are added in order, with W3C's names; the end is None."""
        pair = established()
        batch = ForwardedCandidates(S, "other", [Candidate("a", "0", 0, "Yq8r")], Negotiation("me", 1), True)
        self.assertEqual(
            pair.message_received(batch),
            [
                AddCandidate({"candidate": "a", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "Yq8r"}),
                AddCandidate(None),
            ],
        )

    def test_before_the_answer(self) -> None:
        """Candidates that arrive before the answer wait until it is applied."""
        pair = fresh()
        pair.negotiation_needed()
        pair.local_description_set("mine")
        self.assertEqual(pair.message_received(their_candidates(Negotiation("me", 1), "a")), [])
        self.assertEqual(pair.message_received(their_answer(1)), [SetRemote("answer", "theirs")])
        self.assertEqual(pair.message_received(their_candidates(Negotiation("me", 1), "b")), [])
        self.assertEqual(
            pair.remote_description_set(), [AddCandidate({"candidate": "a"}), AddCandidate({"candidate": "b"})]
        )

    def test_before_the_offer(self) -> None:
        """Candidates of a newer negotiation wait until its offer is answered."""
        pair = fresh(offers_first=False)
        self.assertEqual(pair.message_received(their_candidates(Negotiation("other", 1), "a")), [])
        pair.message_received(their_offer(1))
        pair.remote_description_set()
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1), AddCandidate({"candidate": "a"})])

    def test_stale(self) -> None:
        """Candidates of an earlier negotiation are dropped."""
        pair = established()
        pair.negotiation_needed()
        pair.local_description_set("mine")
        self.assertEqual(
            pair.message_received(their_candidates(Negotiation("me", 1), "a", end=True, fragment="old")), []
        )
        self.assertEqual(pair.message_received(their_candidates(Negotiation("me", 1), "b")), [])
        pair.message_received(their_answer(2))
        self.assertEqual(pair.remote_description_set(), [])

    def test_same_generation(self) -> None:
        """A candidate of an earlier negotiation is added when its ICE generation is still current."""
        pair = established()
        pair.negotiation_needed()
        pair.local_description_set("mine")
        self.assertEqual(
            pair.message_received(their_candidates(Negotiation("me", 1), "a", fragment="Yq8r")),
            [AddCandidate({"candidate": "a", "usernameFragment": "Yq8r"})],
        )

    def test_without_a_number(self) -> None:
        """Candidates without a negotiation belong to the current one, or to the first."""
        pair = fresh(offers_first=False)
        self.assertEqual(pair.message_received(their_candidates(None, "a")), [])
        pair.message_received(their_offer(1))
        pair.remote_description_set()
        self.assertEqual(pair.local_description_set("mine"), [my_answer(1), AddCandidate({"candidate": "a"})])
        self.assertEqual(pair.message_received(their_candidates(None, "b")), [AddCandidate({"candidate": "b"})])

    def test_bounded(self) -> None:
        """At most 256 candidates wait; later ones are dropped."""
        pair = fresh(offers_first=False)
        for index in range(300):
            pair.message_received(their_candidates(Negotiation("other", 1), str(index)))
        pair.message_received(their_offer(1))
        pair.remote_description_set()
        commands = pair.local_description_set("mine")
        self.assertEqual(len([command for command in commands if isinstance(command, AddCandidate)]), 256)

    def test_other_messages(self) -> None:
        """A message that belongs to no negotiation is ignored."""
        self.assertEqual(established().message_received(messages.Pong()), [])


class BaseTests(SynchronousTestCase):
    """A pair with a base."""

    def test_counts_from_the_base(self) -> None:
        """The first offer has the number after the base."""
        pair = renewed(7)
        pair.negotiation_needed()
        self.assertEqual(pair.local_description_set("mine"), [my_offer(8)])

    def test_older_negotiations(self) -> None:
        """Messages with a number up to the base are dropped, also a candidate of the current generation."""
        pair = renewed(7, offers_first=False)
        self.assertEqual(pair.message_received(their_offer(7)), [])
        self.assertEqual(pair.message_received(their_answer(7)), [])
        self.assertEqual(pair.message_received(their_offer(8, "a=ice-ufrag:Yq8r\r\n"))[0].__class__, SetRemote)
        pair.remote_description_set()
        pair.local_description_set("mine")
        self.assertEqual(pair.message_received(their_candidates(Negotiation("other", 7), "a", fragment="Yq8r")), [])
        self.assertEqual(len(pair.message_received(their_candidates(Negotiation("other", 8), "b", fragment="Yq8r"))), 1)


class CloseTests(SynchronousTestCase):
    """The end of a pair."""

    def test_reports_after_close(self) -> None:
        """After `close` no report results in a command."""
        pair = established()
        pair.local_candidate({"candidate": "a"})
        pair.close()
        self.assertEqual(pair.negotiation_needed(), [])
        self.assertEqual(pair.restart_ice(), [])
        self.assertEqual(pair.local_candidate({"candidate": "a"}), [])
        self.assertEqual(pair.flush_candidates(), [])
        self.assertEqual(pair.message_received(their_offer(1)), [])
        self.assertEqual(pair.message_received(their_answer(1)), [])
        self.assertEqual(pair.message_received(their_candidates(None, "a")), [])
        self.assertEqual(pair.operation_failed("a", "b"), [])
        self.assertEqual(pair.state, negotiation.CLOSED)


class Edge:
    """A model of a browser's peer connection: the signaling states of RFC 9429 §3.2 and `negotiationneeded`.

    Attributes:
        inbox: messages of the other side that are not delivered yet.
        operation: the operation that is under way; None for none.
        effective: whether the operation has taken effect and is still to be reported.
        event: whether a `negotiationneeded` event is still to be reported.

    """

    def __init__(self, name: str, other: str, offers_first: bool, polite: bool) -> None:
        self.pair = Negotiator(S, name, other, offers_first, polite)
        self.name = name
        self.inbox: deque[Any] = deque()
        self.operation: Value | None = None
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
        """Carry out the negotiator's commands."""
        for command in commands:
            if isinstance(command, (CreateAndSetLocal, SetRemote)):
                assert self.operation is None, "one operation at a time"
                self.operation = command
            elif isinstance(command, SendRequest):
                self.other.inbox.append(command.message)
            elif isinstance(command, AddCandidate):
                assert command.candidate == {"candidate": f"of {self.remote}"}, "a candidate of another description"
                self.added.append(f"of {self.remote}")
            else:
                assert isinstance(command, FlushLater), command

    def change_media(self) -> None:
        """Let the application change something that needs a negotiation."""
        self.need += 1
        # While an operation is under way, a browser waits until it takes effect, and then checks again.
        if self.state == "stable" and (self.operation is None or self.effective):
            self.event = True

    def report_event(self) -> None:
        """Report a pending `negotiationneeded` event."""
        if self.event:
            self.event = False
            self.carry_out(self.pair.negotiation_needed())

    def complete(self) -> None:
        """Advance the operation under way: it takes effect first, and is reported with the next call."""
        command = self.operation
        if self.effective:
            self.operation, self.effective = None, False
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
        """Gather a candidate of the local description."""
        self.carry_out(self.pair.local_candidate({"candidate": f"of {self.local}"}))

    def gather_late(self) -> None:
        """Gather another candidate, when no operation is under way."""
        if self.local and self.operation is None:
            self.gather()

    def become_stable(self) -> None:
        """Complete an exchange, and check whether another one is needed."""
        self.state = "stable"
        self.agreed = (self.local, self.remote)
        self.event = self.need > self.met

    def receive(self) -> None:
        """Deliver the oldest message to this side."""
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
            self.carry_out(self.pair.message_received(forwarded))

    def flush(self) -> None:
        """Let the timer of `FlushLater` fire."""
        self.carry_out(self.pair.flush_candidates())


STEPS = st.sampled_from(
    [Edge.change_media, Edge.report_event, Edge.complete, Edge.receive, Edge.gather_late, Edge.flush]
)


class InterleavingTests(SynchronousTestCase):
    """Two sides over an ordered channel with arbitrary delays."""

    def run_to_end(self, ann: Edge, bob: Edge) -> None:
        """Deliver and complete everything."""
        for _ in range(100):
            for edge in (ann, bob):
                edge.report_event()
                edge.complete()
                edge.flush()
                edge.receive()

    @settings(max_examples=400)
    @given(st.booleans(), st.booleans(), st.lists(st.tuples(st.booleans(), STEPS), min_size=20, max_size=100))
    def test_any_interleaving_becomes_stable(self, polite: bool, settled: bool, steps: list[tuple[bool, Any]]) -> None:
        """After any interleaving both sides end stable, with the same negotiation and no open need."""
        ann, bob = Edge("ann", "bob", False, polite), Edge("bob", "ann", True, not polite)
        ann.other, bob.other = bob, ann
        bob.change_media()
        if settled:
            self.run_to_end(ann, bob)
            ann.change_media()
            bob.change_media()
        for first, step in steps:
            step(ann if first else bob)
        self.run_to_end(ann, bob)
        for edge in (ann, bob):
            self.assertEqual((edge.state, edge.pair.state), ("stable", "stable"))
            self.assertEqual((edge.operation, list(edge.inbox), edge.event), (None, [], False))
            self.assertEqual(edge.met, edge.need)
            self.assertIn(f"of {edge.remote}", edge.added)
        self.assertEqual(ann.pair.current, bob.pair.current)
        self.assertEqual(ann.agreed, bob.agreed[::-1])
