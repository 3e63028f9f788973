"""Negotiation of one pair: W3C perfect negotiation with numbered exchanges, as a pure state machine.

The edge, which owns the peer connection, reports facts to a `Negotiator` and carries out the commands that each report
returns, in their order. At most one of `CreateAndSetLocal` and `SetRemote` is under way at a time, and only these are
reported back, with `local_description_set`, `remote_description_set` or `operation_failed`. An edge is about this:

    for command in commands:
        if isinstance(command, CreateAndSetLocal):    # setLocalDescription(), then local_description_set(sdp)
        elif isinstance(command, SetRemote):          # setRemoteDescription(type, sdp), then remote_description_set()
        elif isinstance(command, AddCandidate):       # addIceCandidate(candidate); a failure is ignored
        elif isinstance(command, RestartIce):         # restartIce(); the browser then reports negotiation_needed()
        elif isinstance(command, SendRequest):        # SignalingClient.send_request(message)
        elif isinstance(command, FlushLater):         # flush_candidates() after so many seconds
        elif isinstance(command, NegotiationFailed):  # tell the application

Sources: docs/protocol.md, "Negotiation"; WebRTC 1.0, "perfect negotiation example"; RFC 9429; RFC 8838.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .negotiation_commands import (
    AddCandidate,
    CreateAndSetLocal,
    FlushLater,
    NegotiationFailed,
    RestartIce,
    SendRequest,
    SetRemote,
)
from .wire import read_value, to_plain

if TYPE_CHECKING:
    from typing import Any

    from .wire import Message, Value

__all__ = ["Negotiator"]

FLUSH_AFTER = 0.02
"""Seconds for which local candidates are gathered into one message."""

BATCH = 64
"""Most candidates in one message (docs/protocol.md, "Requests")."""

MAX_WAITING_CANDIDATES = 256
"""Most remote candidates that wait for their description; later ones are dropped."""

# States of the negotiation between two members. A name in -ing means that a WebRTC operation is under way.
STABLE = "stable"
OFFERING = "offering"
OFFERED = "offered"
ACCEPTING = "accepting"
APPLYING = "applying"
ANSWERING = "answering"
CLOSED = "closed"

# Events that change the state.
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
"""Maps (state, event) to the next state; other events change nothing. `close()` leads to `closed` from each state."""

OPERATIONS = {
    OFFERING: "local-offer",
    ACCEPTING: "remote-answer",
    APPLYING: "remote-offer",
    ANSWERING: "local-answer",
}
"""Maps a state to the operation that is under way in it."""


class Negotiator:
    """Negotiates with one other member of a session.

    Attributes:
        session: the session.
        local_user: this client's user.
        remote_user: the other member's user at the server.
        known_as: the id under which the application knows the other member: the same, unless the member came back to
            a server that had forgotten it.
        state: one of the states above.
        current: the last offer that was sent or applied (`messages.Negotiation`); None before the first.

    """

    def __init__(
        self,
        session: str,
        local_user: str,
        remote_user: str,
        offers_first: bool,
        polite: bool,
        renegotiates: bool = True,
        rolls_back: bool = True,
        base: int = 0,
        known_as: str | None = None,
    ) -> None:
        """Create a pair that has not negotiated yet.

        Arguments:
            session: the session.
            local_user: this client's user.
            remote_user: the other member's user.
            offers_first: whether this client makes the first offer.
            polite: whether this client yields when both sides offer at once (glare).
            renegotiates: whether the other side accepts more than one exchange.
            rolls_back: whether this side's edge can roll back an offer.
            base: the numbers of the negotiations are greater than this; messages with other numbers were sent before
                one of the two members joined or restarted.
            known_as: the attribute; `remote_user` when None.

        """
        self.session = session
        self.local_user = local_user
        self.remote_user = remote_user
        self.known_as = known_as or remote_user
        self.state = STABLE
        self.current: messages.Negotiation | None = None
        self._offers_first = offers_first
        self._polite = polite
        self._renegotiates = renegotiates
        self._rolls_back = rolls_back
        self._needed = False
        self._exchanged = False  # whether one exchange is complete
        self._base = base
        self._last_sent = base  # number of the last local offer that was sent
        self._last_seen = base  # number of the last remote offer that was applied or ignored
        self._waiting_offer: messages.ForwardedOffer | None = None  # waits for the end of an operation
        self._remote_current = False  # whether the remote description belongs to the current negotiation
        self._remote_sdp = ""
        self._remote_candidates: list[tuple[messages.Negotiation | None, messages.Candidate | None]] = []
        self._local_candidates: list[messages.Candidate] = []
        self._local_end = False
        self._flush_planned = False
        self._closed_in = STABLE  # the state before `close`
        self._handlers: dict[Any, Any] = {
            messages.ForwardedOffer: self._offer_received,
            messages.ForwardedAnswer: self._answer_received,
            messages.ForwardedCandidates: self._candidates_received,
        }

    # Reports about the local side

    def negotiation_needed(self) -> list[Value]:
        """Report that the edge has something to negotiate: `negotiationneeded` in a browser, or the first media.

        The need waits while another exchange is under way, or for the first offer of the side that has to offer first.
        An offer of the other side satisfies it: an edge that still needs a negotiation reports that again, as browsers
        do.
        """
        # Noted also when it is closed, for the negotiator that continues.
        self._needed = True
        return self._advance()

    def restart_ice(self) -> list[Value]:
        """Restart ICE to find new paths, as after a change of network; do nothing where this side may not offer."""
        if self.state == CLOSED or not self._may_offer():
            return []
        return [RestartIce()]

    def local_description_set(self, sdp: str) -> list[Value]:
        """Report that `CreateAndSetLocal` is done; `sdp` is the local description with its candidates so far."""
        before = self.state
        if not self._step(LOCAL_SET):
            return []
        commands: list[Value] = []
        if before == ANSWERING and self.current is not None:
            self._exchanged = True
            commands.append(SendRequest(messages.Answer(self.session, self.remote_user, self.current, sdp)))
        elif not self._will_roll_back():
            # An offer that the next command rolls back is not sent.
            self._last_sent += 1
            number = messages.Negotiation(self.local_user, self._last_sent)
            self._make_current(number)
            commands.append(SendRequest(messages.Offer(self.session, self.remote_user, number, sdp)))
        return commands + self._send_candidates() + self._advance()

    def remote_description_set(self) -> list[Value]:
        """Report that `SetRemote` is done."""
        before = self.state
        if not self._step(REMOTE_SET):
            return []
        self._remote_current = True
        if before == APPLYING:
            return [CreateAndSetLocal(ANSWER)]
        self._exchanged = True
        return self._advance()

    def operation_failed(self, name: str, message: str) -> list[Value]:
        """Report that the operation under way failed, with the error's name and description."""
        operation = OPERATIONS.get(self.state, "")
        if not self._step(FAILED):
            return []
        commands: list[Value] = [NegotiationFailed(operation, name, message)]
        return commands + self._advance()

    def local_candidate(self, candidate: dict[str, Any] | None) -> list[Value]:
        """Report a local candidate, a dict as of W3C `RTCIceCandidateInit`; None: gathering is complete.

        Keys that the protocol does not know are left out.
        """
        if self.state == CLOSED:
            return []
        # Older browsers mark the end with an empty candidate.
        if candidate is None or candidate.get("candidate") == "":
            self._local_end = True
            return self._send_candidates()
        self._local_candidates.append(read_value(messages.Candidate, candidate))
        if self._flush_planned:
            return []
        self._flush_planned = True
        return [FlushLater(FLUSH_AFTER)]

    def flush_candidates(self) -> list[Value]:
        """Send the local candidates that were gathered since the last batch."""
        self._flush_planned = False
        return self._send_candidates()

    def close(self) -> None:
        """Close the pair: reports are ignored from now on."""
        if self.state != CLOSED:
            self._closed_in = self.state
        self.state = CLOSED

    # A peer connection that outlives its negotiator

    @property
    def is_established(self) -> bool:
        """Whether an exchange is complete and no operation is under way, so that another negotiator could continue."""
        state = self._closed_in if self.state == CLOSED else self.state
        return self._exchanged and state in (STABLE, OFFERED)

    def continue_from(self, former: Negotiator) -> None:
        """Continue an established negotiator of the same peer connection, which is closed.

        Both sides kept the connection while the server forgot the pair (docs/protocol.md, "Kept peer connections"). An
        offer that was not answered is made again.
        """
        self._exchanged = True
        self._remote_sdp = former._remote_sdp
        self._needed = former._needed or former._closed_in == OFFERED

    def continue_negotiation(self) -> list[Value]:
        """Report that the edge has attached this negotiator to the kept peer connection."""
        return self._advance()

    # Messages of the other side

    def message_received(self, message: Message) -> list[Value]:
        """Apply an offer, an answer or candidates of the other side (`ForwardedOffer` and so on); ignore the rest."""
        handler = self._handlers.get(type(message))
        commands: list[Value] = [] if handler is None else handler(message)
        return commands

    def _offer_received(self, message: messages.ForwardedOffer) -> list[Value]:
        newest = self._last_seen if self._waiting_offer is None else self._waiting_offer.negotiation.n
        if message.negotiation.offerer != self.remote_user or message.negotiation.n <= newest:
            return []
        self._waiting_offer = message
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
            if len(self._remote_candidates) < MAX_WAITING_CANDIDATES:
                self._remote_candidates.append((message.negotiation, candidate))
        return self._advance()

    # Consequences

    def _step(self, event: str) -> bool:
        """Take the transition of the table; return False when the event means nothing in this state."""
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            return False
        self.state = after
        return True

    def _may_offer(self) -> bool:
        """Whether this side may offer: at first the later joiner alone, then both if the other side renegotiates."""
        return self._renegotiates if self._exchanged else self._offers_first

    def _will_roll_back(self) -> bool:
        return self._waiting_offer is not None and self._polite and self._rolls_back

    def _make_current(self, negotiation: messages.Negotiation) -> None:
        self.current = negotiation
        self._remote_current = False

    def _advance(self) -> list[Value]:
        """Return what can be done now: add waiting candidates, apply the remote offer, create a local offer."""
        if self.state not in (STABLE, OFFERED):
            return []
        commands = self._add_candidates()
        commands += self._apply_offer()
        if self.state == STABLE and self._needed and self._may_offer():
            commands += self._send_candidates()
            self._needed = False
            self._step(WANTED)
            commands.append(CreateAndSetLocal(OFFER))
        return commands

    def _apply_offer(self) -> list[Value]:
        """Apply or ignore the remote offer that waits."""
        offer = self._waiting_offer
        if offer is None:
            return []
        rollback = self.state == OFFERED
        yields = self._will_roll_back()
        self._waiting_offer = None
        self._last_seen = offer.negotiation.n
        if rollback and not yields:
            if self._polite:
                return [
                    NegotiationFailed(
                        "rollback", "NotSupportedError", "Both sides sent an offer, and neither can roll it back."
                    )
                ]
            return []
        commands = self._send_candidates()
        self._needed = False
        self._step(OFFER)
        self._make_current(offer.negotiation)
        self._remote_sdp = offer.sdp
        commands.append(SetRemote(OFFER, offer.sdp, rollback))
        return commands

    def _add_candidates(self) -> list[Value]:
        """Add the remote candidates whose description is set, and drop those of an earlier negotiation."""
        commands: list[Value] = []
        waiting = self._remote_candidates
        self._remote_candidates = []
        for negotiation, candidate in waiting:
            if negotiation is None and self.current is not None:
                # The other side does not number its negotiations (docs/protocol.md, "Negotiation", 5).
                negotiation = self.current
            if self._is_early(negotiation):
                self._remote_candidates.append((negotiation, candidate))
            elif negotiation == self.current or self._is_same_generation(candidate):
                commands.append(AddCandidate(None if candidate is None else to_plain(candidate)))
        return commands

    def _is_early(self, negotiation: messages.Negotiation | None) -> bool:
        """Whether candidates of a negotiation have to wait for its remote description."""
        if negotiation is None or negotiation == self.current:
            return not self._remote_current
        return negotiation.offerer == self.remote_user and negotiation.n > self._last_seen

    def _is_same_generation(self, candidate: messages.Candidate | None) -> bool:
        """Whether a candidate of an earlier negotiation belongs to the ICE generation of the remote description.

        An exchange without an ICE restart keeps the generation, whose candidates may still be on their way.
        """
        if candidate is None or not candidate.username_fragment:
            return False
        return f"a=ice-ufrag:{candidate.username_fragment}\r\n" in self._remote_sdp

    def _send_candidates(self) -> list[Value]:
        """Send the local candidates, unless their description has not been sent yet."""
        if self.current is None or self.state in (OFFERING, APPLYING, ANSWERING, CLOSED):
            return []
        commands: list[Value] = []
        while self._local_candidates or self._local_end:
            batch = self._local_candidates[:BATCH]
            self._local_candidates = self._local_candidates[BATCH:]
            end = self._local_end and not self._local_candidates
            if end:
                self._local_end = False
            commands.append(SendRequest(messages.Candidates(self.session, self.remote_user, self.current, batch, end)))
        return commands
