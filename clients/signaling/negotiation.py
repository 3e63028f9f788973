"""One pair's offers, answers and candidates: W3C perfect negotiation with numbered exchanges, as a pure state machine.

The edge, which owns the peer connection, reports facts to a `Negotiator` and carries out the commands that each report
returns, in their order. At most one of `CreateAndSetLocal` and `SetRemote` is under way at a time, and only these are
reported back, with `local_description_set`, `remote_description_set` or `operation_failed`. An edge is about this:

    for command in commands:
        if isinstance(command, CreateAndSetLocal):   # setLocalDescription(), then local_description_set(sdp)
        elif isinstance(command, SetRemote):         # setRemoteDescription(type, sdp), then remote_description_set()
        elif isinstance(command, AddCandidate):      # addIceCandidate(candidate); a failure means nothing
        elif isinstance(command, RestartIce):        # restartIce(); the browser then wants a negotiation by itself
        elif isinstance(command, Send):              # SignalingClient.send(message)
        elif isinstance(command, FlushLater):        # flush() after so many seconds
        elif isinstance(command, Failed):            # tell the application

Sources: docs/protocol.md, "Negotiation"; WebRTC 1.0, "perfect negotiation example"; RFC 9429; RFC 8838.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .wire import Message, Value, read, to_plain

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "AddCandidate",
    "CreateAndSetLocal",
    "Failed",
    "FlushLater",
    "Negotiator",
    "RestartIce",
    "Send",
    "SetRemote",
]

FLUSH_AFTER = 0.02
"""Seconds for which local candidates are gathered into one message."""

BATCH = 64
"""Candidates in one message at most (docs/protocol.md, "Requests")."""

WAITING = 256
"""Candidates of the other side that wait at most; the ones after them are dropped."""


class CreateAndSetLocal(Value):
    """Create a description of this kind, `offer` or `answer`, and set it; report `local_description_set(sdp)`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class SetRemote(Value):
    """Set the other side's description; report `remote_description_set()`.

    Attributes:
        type: `offer` or `answer`.
        sdp: the description.
        rollback: whether an own offer has to go first; browsers do that themselves (RFC 9429 §4.1.10.2).

    """

    def __init__(self, type: str, sdp: str, rollback: bool = False) -> None:
        self.type = type
        self.sdp = sdp
        self.rollback = rollback


class AddCandidate(Value):
    """Add the other side's candidate, a dict as of W3C `RTCIceCandidateInit`; None: there are no more of them."""

    def __init__(self, candidate: dict[str, Any] | None) -> None:
        self.candidate = candidate


class RestartIce(Value):
    """Have the next offer restart ICE, and report `negotiation_needed()`, as a browser does by itself."""


class Send(Value):
    """Send a message to the other side, through `SignalingClient.send`."""

    def __init__(self, message: Message) -> None:
        self.message = message


class FlushLater(Value):
    """Call `flush()` after this many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Failed(Value):
    """Tell the application that a negotiation came to nothing; the pair can negotiate again.

    Attributes:
        operation: `local-offer`, `local-answer`, `remote-offer`, `remote-answer` or `rollback`.
        name: what kind of error, as the edge named it.
        message: the edge's words, for a log.

    """

    def __init__(self, operation: str, name: str, message: str) -> None:
        self.operation = operation
        self.name = name
        self.message = message


# States of a pair. In those that end in -ing an operation of the edge is under way.
STABLE = "stable"
OFFERING = "offering"
OFFERED = "offered"
ACCEPTING = "accepting"
APPLYING = "applying"
ANSWERING = "answering"
CLOSED = "closed"

# What makes a pair change its state.
WANTED = "wanted"
OFFER = "offer"
ANSWER = "answer"
LOCAL_SET = "local-set"
REMOTE_SET = "remote-set"
FAILED = "failed"

TRANSITIONS = {
    (STABLE, WANTED): OFFERING,
    (STABLE, OFFER): APPLYING,
    (OFFERING, LOCAL_SET): OFFERED,
    (OFFERING, FAILED): STABLE,
    (OFFERED, ANSWER): ACCEPTING,
    (OFFERED, OFFER): APPLYING,
    (ACCEPTING, REMOTE_SET): STABLE,
    (ACCEPTING, FAILED): STABLE,
    (APPLYING, REMOTE_SET): ANSWERING,
    (APPLYING, FAILED): STABLE,
    (ANSWERING, LOCAL_SET): STABLE,
    (ANSWERING, FAILED): STABLE,
}
"""The state after something in a state; what is not listed changes nothing. `close()` leads to `closed` from each."""

OPERATIONS = {
    OFFERING: "local-offer",
    ACCEPTING: "remote-answer",
    APPLYING: "remote-offer",
    ANSWERING: "local-answer",
}
"""The operation that is under way in a state."""


class Negotiator:
    """The negotiations of this client with one other member of a session.

    Attributes:
        session: the session.
        me: this client's user.
        other: the other member's user.
        state: one of the states above.
        current: the last offer that was sent or applied (`messages.Negotiation`); None before the first.

    """

    def __init__(
        self,
        session: str,
        me: str,
        other: str,
        offers_first: bool,
        polite: bool,
        renegotiates: bool = True,
        rolls_back: bool = True,
        base: int = 0,
    ) -> None:
        """Begin with nothing negotiated.

        Args:
            session: the session.
            me: this client's user.
            other: the other member's user.
            offers_first: whether this client makes the first offer.
            polite: whether this client yields in a collision of offers.
            renegotiates: whether the other side takes more than one exchange.
            rolls_back: whether this side's edge can roll back an offer.
            base: the numbers of the negotiations are greater; what belongs to a smaller one was sent before one of the
                two came, or began anew.

        """
        self.session = session
        self.me = me
        self.other = other
        self.state = STABLE
        self.current: messages.Negotiation | None = None
        self._offers_first = offers_first
        self._polite = polite
        self._renegotiates = renegotiates
        self._rolls_back = rolls_back
        self._wanted = False
        self._exchanged = False  # whether one exchange has come to its end
        self._base = base
        self._made = base  # the last own offer that was sent
        self._seen = base  # the last offer of the other side that was applied or ignored
        self._offer: messages.ForwardedOffer | None = None  # waits for the end of an operation
        self._remote_current = False  # whether the remote description is the current negotiation's
        self._remote_sdp = ""
        self._remote_candidates: list[tuple[messages.Negotiation | None, messages.Candidate | None]] = []
        self._local_candidates: list[messages.Candidate] = []
        self._local_end = False
        self._flush_planned = False

    # Facts about the own side

    def negotiation_needed(self) -> list[Value]:
        """The edge has something to negotiate: the browser's `negotiationneeded`, or the first media of another edge.

        It waits while another exchange is under way, or for the first offer of a side that has to offer first. An offer
        of the other side settles it: an edge to which it then still matters says so again, as browsers do.
        """
        if self.state != CLOSED:
            self._wanted = True
        return self._advance()

    def restart_ice(self) -> list[Value]:
        """The application wants new paths, for example after a change of network; nothing where nobody may offer."""
        if self.state == CLOSED or not self._may_offer():
            return []
        return [RestartIce()]

    def local_description_set(self, sdp: str) -> list[Value]:
        """`CreateAndSetLocal` is done; `sdp` is the local description, with whatever candidates it has by now."""
        before = self.state
        if not self._step(LOCAL_SET):
            return []
        commands: list[Value] = []
        if before == ANSWERING and self.current is not None:
            self._exchanged = True
            commands.append(Send(messages.Answer(self.session, self.other, self.current, sdp)))
        elif not self._will_roll_back():
            # An offer that the next command takes back is not worth sending.
            self._made += 1
            self._make_current(messages.Negotiation(self.me, self._made))
            commands.append(
                Send(messages.Offer(self.session, self.other, messages.Negotiation(self.me, self._made), sdp))
            )
        return commands + self._send_candidates() + self._advance()

    def remote_description_set(self) -> list[Value]:
        """`SetRemote` is done."""
        before = self.state
        if not self._step(REMOTE_SET):
            return []
        self._remote_current = True
        if before == APPLYING:
            return [CreateAndSetLocal(ANSWER)]
        self._exchanged = True
        return self._advance()

    def operation_failed(self, name: str, message: str) -> list[Value]:
        """The operation that was under way came to nothing: what kind of error, and the edge's words."""
        operation = OPERATIONS.get(self.state, "")
        if not self._step(FAILED):
            return []
        commands: list[Value] = [Failed(operation, name, message)]
        return commands + self._advance()

    def local_candidate(self, candidate: dict[str, Any] | None) -> list[Value]:
        """A candidate was gathered, a dict as of W3C `RTCIceCandidateInit`; None: it was the last.

        Keys that the protocol does not know are left out.
        """
        if self.state == CLOSED:
            return []
        # Older browsers mark the end with an empty candidate.
        if candidate is None or candidate.get("candidate") == "":
            self._local_end = True
            return self._send_candidates()
        self._local_candidates.append(read(messages.Candidate, candidate))
        if self._flush_planned:
            return []
        self._flush_planned = True
        return [FlushLater(FLUSH_AFTER)]

    def flush(self) -> list[Value]:
        """Send the local candidates that wait for company."""
        self._flush_planned = False
        return self._send_candidates()

    def close(self) -> None:
        """The pair is no more: no fact matters from now on."""
        self.state = CLOSED

    # Facts about the other side

    def received(self, message: Message) -> list[Value]:
        """The other side sent an offer, an answer or candidates (`ForwardedOffer` and so on); others change nothing."""
        if isinstance(message, messages.ForwardedOffer):
            return self._offer_received(message)
        if isinstance(message, messages.ForwardedAnswer):
            return self._answer_received(message)
        if isinstance(message, messages.ForwardedCandidates):
            return self._candidates_received(message)
        return []

    def _offer_received(self, message: messages.ForwardedOffer) -> list[Value]:
        newest = self._seen if self._offer is None else self._offer.negotiation.n
        if message.negotiation.offerer != self.other or message.negotiation.n <= newest:
            return []
        self._offer = message
        return self._advance()

    def _answer_received(self, message: messages.ForwardedAnswer) -> list[Value]:
        if message.negotiation != self.current or not self._step(ANSWER):
            return []
        self._remote_sdp = message.sdp
        return [SetRemote(ANSWER, message.sdp)]

    def _candidates_received(self, message: messages.ForwardedCandidates) -> list[Value]:
        if message.negotiation is not None and message.negotiation.n <= self._base:
            return []
        candidates: list[messages.Candidate | None] = list(message.candidates)
        if message.end:
            candidates.append(None)
        for candidate in candidates:
            if len(self._remote_candidates) < WAITING:
                self._remote_candidates.append((message.negotiation, candidate))
        return self._advance()

    # What follows

    def _step(self, event: str) -> bool:
        """Change the state as the table says; False when the event means nothing in this state."""
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            return False
        self.state = after
        return True

    def _may_offer(self) -> bool:
        """Whether this side may offer: the later joiner at first, then each whom the other side can follow."""
        return self._renegotiates if self._exchanged else self._offers_first

    def _will_roll_back(self) -> bool:
        return self._offer is not None and self._polite and self._rolls_back

    def _make_current(self, negotiation: messages.Negotiation) -> None:
        self.current = negotiation
        self._remote_current = False

    def _advance(self) -> list[Value]:
        """Return what can be done now: the waiting candidates, the other side's offer, the own offer."""
        if self.state not in (STABLE, OFFERED):
            return []
        commands = self._take_candidates()
        commands += self._take_offer()
        if self.state == STABLE and self._wanted and self._may_offer():
            commands += self._send_candidates()
            self._wanted = False
            self._step(WANTED)
            commands.append(CreateAndSetLocal(OFFER))
        return commands

    def _take_offer(self) -> list[Value]:
        """Apply or ignore the other side's offer that waits."""
        offer = self._offer
        if offer is None:
            return []
        rollback = self.state == OFFERED
        yields = self._will_roll_back()
        self._offer = None
        self._seen = offer.negotiation.n
        if rollback and not yields:
            if self._polite:
                return [
                    Failed("rollback", "NotSupportedError", "Both sides offered, and neither can take its offer back.")
                ]
            return []
        commands = self._send_candidates()
        self._wanted = False
        self._step(OFFER)
        self._make_current(offer.negotiation)
        self._remote_sdp = offer.sdp
        commands.append(SetRemote(OFFER, offer.sdp, rollback))
        return commands

    def _take_candidates(self) -> list[Value]:
        """Add those of the other side's candidates whose time has come, and drop those whose time is over."""
        commands: list[Value] = []
        waiting = self._remote_candidates
        self._remote_candidates = []
        for negotiation, candidate in waiting:
            if negotiation is None and self.current is not None:
                # Of a side that does not number its negotiations (docs/protocol.md, "Negotiation", 5).
                negotiation = self.current
            if self._is_early(negotiation):
                self._remote_candidates.append((negotiation, candidate))
            elif negotiation == self.current or self._fits(candidate):
                commands.append(AddCandidate(None if candidate is None else to_plain(candidate)))
        return commands

    def _is_early(self, negotiation: messages.Negotiation | None) -> bool:
        """Whether candidates of a negotiation wait for a description of the other side."""
        if negotiation is None or negotiation == self.current:
            return not self._remote_current
        return negotiation.offerer == self.other and negotiation.n > self._seen

    def _fits(self, candidate: messages.Candidate | None) -> bool:
        """Whether a candidate of an earlier negotiation is one of the remote description's ICE generation.

        An exchange that does not restart ICE keeps the generation, whose candidates may still be under way.
        """
        if candidate is None or not candidate.username_fragment:
            return False
        return f"a=ice-ufrag:{candidate.username_fragment}\r\n" in self._remote_sdp

    def _send_candidates(self) -> list[Value]:
        """Send the local candidates, unless the description that they belong to is still to be sent."""
        if self.current is None or self.state in (OFFERING, APPLYING, ANSWERING, CLOSED):
            return []
        commands: list[Value] = []
        while self._local_candidates or self._local_end:
            batch = self._local_candidates[:BATCH]
            self._local_candidates = self._local_candidates[BATCH:]
            end = self._local_end and not self._local_candidates
            if end:
                self._local_end = False
            commands.append(Send(messages.Candidates(self.session, self.other, self.current, batch, end)))
        return commands
