"""The hub: it takes facts about connections and returns actions. It holds plain data and no sockets or clocks.

All times are monotonic seconds. A rejected request becomes an `Error` to its sender and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from attrs import define, field

from signald.core.actions import Action, ReportError, Send
from signald.core.budgets import SLOW_START_MESSAGES, GuessBudgets
from signald.core.deadlines import Deadline, DeadlineKind, Deadlines
from signald.core.decisions import (
    ConfirmSecret,
    Decided,
    EndIdentity,
    EndSession,
    HostCommand,
    Identified,
    JoinSession,
    LeaveSession,
    NotResumed,
    OpenSession,
    Outcome,
    Refused,
    RenewUser,
    Resumed,
)
from signald.core.direct_forwarding import DirectForwarder
from signald.core.early_candidates import EarlyCandidates
from signald.core.errors import ErrorCode
from signald.core.forwarding import Forwarder
from signald.core.grace_periods import DisconnectReason, GracePeriods
from signald.core.handshake import Handshake
from signald.core.ice import IceSupply
from signald.core.limits import AddressKey, Limits, TokenBucket
from signald.core.mailboxes import Mailboxes, close_peer
from signald.core.message_sizes import message_size
from signald.core.messages import (
    UNCOUNTED,
    Ack,
    Done,
    EndReason,
    Error,
    GoingAway,
    LeaveReason,
    Left,
    Request,
    SessionId,
    Traits,
    UserId,
)
from signald.core.pending_decisions import RETRY_SECONDS, PendingDecision, PendingDecisions
from signald.core.reconnect_window import ReconnectWindow
from signald.core.references import References
from signald.core.rejoin_tickets import TicketSource
from signald.core.replicas import SessionReplicas
from signald.core.requests import UserRequests
from signald.core.session_lifetimes import SessionLifetimes
from signald.core.sessions import Session
from signald.core.users import DecisionId, Peer, PeerEvent, PeerId, PeerState, User

__all__ = ["DisconnectReason", "Hub"]

_MALFORMED_BYTES = 256
"""The size that a malformed message counts as in its sender's inbox."""


@define
class Hub:
    """Owns the peers, the users and this node's replicas of the sessions, and wires the parts that act on them.

    Attributes:
        limits: all limits.
        server: the server's name and version, for `Welcome`.
        tickets: issues and verifies rejoin tickets.
        hold: the seconds for which the state is held after the server has stopped; None where it is not held.
        peers: the open connections.
        deadlines: the timeouts of peers, users and sessions.
        references: the pseudonyms under which logs name users and sessions.
        decisions: the pending decisions.
        guesses: the budgets of each address for wrong guesses, which the authorization chain uses too.
        mailboxes: the users, with the events to them and the messages from them.
        ice: the STUN and TURN servers for clients.
        lifetimes: the timeouts of the sessions.
        forwarder: forwards messages between members.
        replicas: this node's replicas of the sessions.
        direct: forwards messages the short way.
        grace_periods: handles lost connections.
        handshake: welcomes and resumes clients.
        requests: handles the requests of users.

    """

    limits: Limits
    server: str
    tickets: TicketSource
    hold: float | None = None
    peers: dict[PeerId, Peer] = field(factory=dict)
    deadlines: Deadlines = field(factory=Deadlines)
    decisions: PendingDecisions = field(factory=PendingDecisions)
    references: References = field(init=False)
    guesses: GuessBudgets = field(init=False)
    mailboxes: Mailboxes = field(init=False)
    ice: IceSupply = field(init=False)
    lifetimes: SessionLifetimes = field(init=False)
    forwarder: Forwarder = field(init=False)
    replicas: SessionReplicas = field(init=False)
    direct: DirectForwarder = field(init=False)
    grace_periods: GracePeriods = field(init=False)
    handshake: Handshake = field(init=False)
    requests: UserRequests = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Create the parts and wire them."""
        self.references = References(self.tickets.secret)
        self.guesses = GuessBudgets.of(self.limits)
        self.mailboxes = Mailboxes(self.limits, self.deadlines)
        self.ice = IceSupply(self.mailboxes, self.deadlines)
        self.lifetimes = SessionLifetimes(self.limits, self.deadlines)
        self.forwarder = Forwarder(self.mailboxes, EarlyCandidates(self.limits), self.lifetimes)
        self.replicas = SessionReplicas(
            self.mailboxes, self.decisions, self.lifetimes, self.forwarder, self.ice, self.tickets
        )
        self.direct = DirectForwarder(self.peers, self.mailboxes, self.replicas.sessions, self.lifetimes)
        self.grace_periods = GracePeriods(self.limits, self.deadlines, self.mailboxes, self.decisions)
        self.handshake = Handshake(
            limits=self.limits,
            server=self.server,
            ice=self.ice,
            peers=self.peers,
            mailboxes=self.mailboxes,
            replicas=self.replicas,
            decisions=self.decisions,
            grace_periods=self.grace_periods,
            bad_tokens=self.guesses.tokens,
            references=self.references,
            hold=self.hold,
        )
        self.requests = UserRequests(
            limits=self.limits,
            mailboxes=self.mailboxes,
            replicas=self.replicas,
            forwarder=self.forwarder,
            decisions=self.decisions,
            ice=self.ice,
            tickets=self.tickets,
            session_guesses=self.guesses.sessions,
        )

    @property
    def users(self) -> dict[UserId, User]:
        """The users of this node, present or away."""
        return self.mailboxes.users

    @property
    def sessions(self) -> dict[SessionId, Session]:
        """The sessions of which users of this node are members or visitors."""
        return self.replicas.sessions

    @property
    def evictions(self) -> dict[str, int]:
        """How often something was given up to make room for others, by the name of the limit."""
        return {"outboxes_bytes": self.mailboxes.quota.discarded, "users": self.grace_periods.ended_early}

    def reload_limits(self, limits: Limits) -> None:
        """Replace the limits; open connections keep the message rate that their `Welcome` announced."""
        self.limits = limits
        self.guesses.reload_limits(limits)
        self.lifetimes.limits = limits
        self.grace_periods.limits = limits
        self.forwarder.early_candidates.limits = limits
        self.handshake.limits = limits
        self.mailboxes.reload_limits(limits)
        self.requests.reload_limits(limits)

    # Facts

    def connected(
        self, peer: PeerId, address: AddressKey, traits: Traits, now: float, *, slow_start: bool = False
    ) -> list[Action]:
        """Record a new connection, which has to say hello before its deadline.

        A connection with a slow start has a part of its message budget, until the rate has filled it or until it
        resumes a user that is not to blame for the offences of its address.
        """
        budget = TokenBucket.full(self.limits.message_rate, self.limits.message_burst, now)
        if slow_start:
            budget.start_slowly(SLOW_START_MESSAGES)
        self.peers[peer] = Peer(id=peer, address=address, traits=traits, budget=budget)
        self.deadlines.add(now + self.limits.hello_seconds, DeadlineKind.HELLO, peer)
        return []

    def received(self, id: PeerId, request: Request, now: float) -> list[Action]:
        """Handle a request from a connection, or queue it behind one that waits for a decision."""
        peer = self.peers.get(id)
        if peer is None or peer.state is PeerState.CLOSING:
            return []
        if not peer.budget.take(now):
            return close_peer(peer, ErrorCode.TOO_MANY_MESSAGES)
        if peer.user is not None:
            return self._receive_from_user(peer, self.users[peer.user], request, now)
        if peer.queue.decision is None:
            return self.handshake.handle_request(peer, request, now)
        if len(peer.queue.waiting) >= self.limits.waiting_messages:
            return close_peer(peer, ErrorCode.TOO_MANY_WAITING)
        peer.queue.waiting.append(request)
        return []

    def malformed(self, id: PeerId, error: Error, now: float) -> list[Action]:
        """Answer a message that is not a valid request; it is charged and counted like a valid one."""
        peer = self.peers.get(id)
        if peer is None or peer.state is PeerState.CLOSING:
            return []
        if not peer.budget.take(now):
            return close_peer(peer, ErrorCode.TOO_MANY_MESSAGES)
        if peer.user is None:
            return [Send(id, error)]
        user = self.users[peer.user]
        actions = self._confirm_secret(user)
        if error.about not in UNCOUNTED:
            actions += self.mailboxes.count_message(user, _MALFORMED_BYTES, now)
        return [*actions, Send(id, error)]

    def disconnected(self, id: PeerId, reason: DisconnectReason, now: float) -> list[Action]:
        """Remove a connection that has ended; its user is away from now on, or its identity ends."""
        peer = self.peers.pop(id, None)
        if peer is None:
            return []
        peer.transition(PeerEvent.SOCKET_CLOSED)
        return [] if peer.user is None else self.grace_periods.disconnect(self.users[peer.user], reason, now)

    def decided(self, id: DecisionId, outcome: Outcome, now: float) -> list[Action]:
        """Apply the outcome of a decision, then handle the requests that were queued behind it.

        Outcomes may arrive out of order. One that builds on a session version that has not arrived is deferred until
        it has. If the client that asked is gone by now, what the outcome granted is undone. An exception while one
        outcome is applied ends the connection that asked, and nothing else: the decision is no longer pending, and the
        other outcomes are applied.

        Raises:
            KeyError: no such decision is pending.

        """
        if id not in self.decisions.by_id:
            raise KeyError(id)
        deferred = self.decisions.deferred_outcomes
        deferred[id] = outcome
        actions: list[Action] = []
        while ready := next((id for id, late in deferred.items() if not self.replicas.has_version_gap(late)), None):
            actions += self._complete_decision(ready, deferred.pop(ready), now)
        return actions

    def tick(self, now: float) -> list[Action]:
        """Handle the deadlines that are due and prune the budgets; call this about once a second."""
        actions: list[Action] = []
        for deadline in self.deadlines.pop_due(now):
            try:
                actions += self._handle_deadline(deadline, now)
            except Exception as error:  # noqa: BLE001 # the other deadlines and their actions must not be lost
                actions.append(ReportError(None, error))
        alive = len(self.peers) + 2 * len(self.users) + 2 * len(self.sessions)
        self.deadlines.compact(alive, self._is_alive)
        self.guesses.prune(now)
        self.requests.session_openings.prune(now)
        return actions

    def stopping(self, window: ReconnectWindow, jitter: Callable[[], float]) -> list[Action]:
        """Tell every client when to reconnect.

        `jitter` returns a number from 0 to 1 for each client, its place in the window.
        """
        return [
            Send(peer.id, GoingAway(window.first + window.spread * jitter(), self.hold))
            for peer in self.peers.values()
            if peer.state is PeerState.WELCOMED
        ]

    # Requests

    def _receive_from_user(self, peer: Peer, user: User, request: Request, now: float) -> list[Action]:
        """Count a user's request, then handle it, or queue it behind one that waits for a decision."""
        actions = self._confirm_secret(user)
        if isinstance(request, Ack):
            return actions + self.requests.handle(user, request, now)
        is_waiting = user.queue.decision is not None or user.queue.waiting
        if is_waiting and len(user.queue.waiting) >= self.limits.waiting_messages:
            return actions + close_peer(peer, ErrorCode.TOO_MANY_WAITING)
        if not isinstance(request, UNCOUNTED):
            actions += self.mailboxes.count_message(user, message_size(request), now)
        if is_waiting:
            user.queue.waiting.append(request)
            return actions
        return actions + self.requests.handle(user, request, now)

    def handle_queued_requests(self, user: User, now: float) -> list[Action]:
        """Handle a user's queued requests in order, up to the first that needs a decision.

        An exception closes the user's connection, and the requests behind the failing one are handled.
        """
        actions: list[Action] = []
        while user.queue.waiting and user.queue.decision is None:
            try:
                actions += self.requests.handle(user, user.queue.waiting.pop(0), now)
            except Exception as error:  # noqa: BLE001 # the requests behind it would wait for ever
                actions.append(ReportError(user.peer, error))
        return actions

    def _confirm_secret(self, user: User) -> list[Action]:
        """Invalidate the previous resume secret: a message on the new socket shows that the client has the new one."""
        if user.confirmed:
            return []
        user.confirmed = True
        user.restarted = False
        return [self.decisions.submit(ConfirmSecret(user.id, user.rotation))]

    # Outcomes

    def _complete_decision(self, id: DecisionId, outcome: Outcome, now: float) -> list[Action]:
        pending = self.decisions.by_id[id]
        actions: list[Action] = []
        try:
            self._apply_outcome(pending, outcome, now, actions)
        except Exception as error:  # noqa: BLE001 # the decision must not stay pending, nor the outcome be lost
            actions += self._abandon_outcome(pending, outcome, error, now)
        del self.decisions.by_id[id]
        user = None if pending.user is None else self.users.get(pending.user)
        peer = None if pending.peer is None else self.peers.get(pending.peer)
        if user is not None and user.queue.decision == id:
            user.queue.decision = None
            actions += self.handle_queued_requests(user, now)
        if peer is not None and peer.queue.decision == id:
            peer.queue.decision = None
            actions += self._handle_queued_requests_of_peer(peer, now)
        return actions

    def _handle_queued_requests_of_peer(self, peer: Peer, now: float) -> list[Action]:
        """Handle the requests that a connection sent before it was welcomed, up to the first that needs a decision."""
        actions: list[Action] = []
        while peer.queue.waiting and peer.queue.decision is None:
            request = peer.queue.waiting.pop(0)
            try:
                if peer.user is None:
                    actions += self.handshake.handle_request(peer, request, now)
                else:
                    actions += self._receive_from_user(peer, self.users[peer.user], request, now)
            except Exception as error:  # noqa: BLE001 # it closes the connection, and this fact is not the only one
                peer.queue.waiting.clear()
                actions.append(ReportError(peer.id, error))
        return actions

    def _apply_outcome(self, pending: PendingDecision, outcome: Outcome, now: float, actions: list[Action]) -> None:
        """Apply an outcome, and append its actions, so that those before an exception are not lost."""
        match outcome:
            case Refused():
                actions += self.handshake.reject(pending, outcome, now)
                actions += self.requests.reject(pending, outcome.code, now)
            case Identified():
                actions += self.handshake.welcome_new_user(pending, outcome, now)
            case Resumed():
                self._apply_changes(pending, outcome, now, actions)
                actions += self.handshake.complete_resume(pending, outcome, now)
            case NotResumed():
                actions += self.handshake.start_new_identity(pending, outcome, now)
            case Decided():
                self._apply_decided(pending, outcome, now, actions)
            case _ as never:
                assert_never(never)

    def _apply_decided(self, pending: PendingDecision, outcome: Decided, now: float, actions: list[Action]) -> None:
        pending.session = outcome.session
        pending.host_key = outcome.host_key
        user = None if pending.user is None else self.users.get(pending.user)
        if isinstance(pending.operation, LeaveSession) and user is not None and pending.request is not None:
            # The member that leaves gets its reply first, so that no event of the session follows it.
            user.sessions.discard(pending.operation.session)
            user.waiting_at.discard(pending.operation.session)
            actions += self.mailboxes.send_event(user, Left(pending.operation.session, pending.request.id))
        self._apply_changes(pending, outcome, now, actions)
        if isinstance(pending.operation, RenewUser):
            actions += self.handshake.complete_renewal(pending, now)
        elif user is None or pending.request is None:
            return
        elif isinstance(pending.operation, HostCommand):
            actions += self.mailboxes.send_event(user, Done(pending.request.id))
        elif isinstance(pending.operation, OpenSession | JoinSession) and not pending.answered:
            # The session has ended already: the outcome that ended it arrived before this one.
            actions += self.mailboxes.reject_request(user, ErrorCode.UNKNOWN_SESSION, pending.request)

    def _apply_changes(
        self, pending: PendingDecision, outcome: Decided | Resumed, now: float, actions: list[Action]
    ) -> None:
        for change in outcome.changes:
            if not pending.is_outdated(change):
                actions += self.replicas.apply_change(change, now)

    def _abandon_outcome(
        self, pending: PendingDecision, outcome: Outcome, error: Exception, now: float
    ) -> list[Action]:
        """Close the connection that asked, after an exception, and take over the versions of the outcome's sessions.

        Otherwise, every later outcome about these sessions would be deferred for ever. An identity that its client was
        not told ends.
        """
        user = None if pending.user is None else self.users.get(pending.user)
        actions: list[Action] = []
        actions += [ReportError(pending.peer, error)] if user is None else self.mailboxes.abandon(user, error)
        if isinstance(outcome, Identified) and outcome.user not in self.users:
            actions.append(self.decisions.submit(EndIdentity(outcome.user, LeaveReason.GONE)))
        for change in outcome.changes if isinstance(outcome, Decided | Resumed | NotResumed) else ():
            try:
                self.replicas.skip_change(change, now)
            except Exception as another:  # noqa: BLE001 # the changes of other sessions are taken over
                actions.append(ReportError(None, another))
        return actions

    # Deadlines

    def _handle_deadline(self, deadline: Deadline, now: float) -> list[Action]:
        match deadline.kind:
            case DeadlineKind.HELLO:
                return self._expire_hello(PeerId(int(deadline.key)), now)
            case DeadlineKind.LIFE:
                id = SessionId(str(deadline.key))
                is_over = self.lifetimes.is_expired(id, now)
                return [self.decisions.submit(EndSession(id, EndReason.EXPIRED))] if is_over else []
            case DeadlineKind.IDLE:
                id = SessionId(str(deadline.key))
                session = self.sessions.get(id)
                if session is None or not self.lifetimes.check_idle(id, deadline.at, len(session.members), now):
                    return []
                return [self.decisions.submit(EndSession(id, EndReason.IDLE))]
            case DeadlineKind.GRACE:
                return self.grace_periods.expire_grace(UserId(str(deadline.key)), now)
            case DeadlineKind.ACK:
                return self.mailboxes.send_due_ack(UserId(str(deadline.key)), now)
            case DeadlineKind.CREDENTIALS:
                return self.ice.refresh_credentials(UserId(str(deadline.key)), deadline.at, now)
            case _ as never:
                assert_never(never)

    def _expire_hello(self, id: PeerId, now: float) -> list[Action]:
        """Close a connection that has not said hello in time; one whose hello is being decided gets more time."""
        peer = self.peers.get(id)
        if peer is None or peer.state is not PeerState.GREETING:
            return []
        if peer.queue.decision is not None:
            self.deadlines.add(now + RETRY_SECONDS, DeadlineKind.HELLO, id)
            return []
        return close_peer(peer, ErrorCode.HELLO_TIMEOUT)

    def _is_alive(self, deadline: Deadline) -> bool:
        """Whether a deadline's subject still exists and the deadline is its current one."""
        match deadline.kind:
            case DeadlineKind.HELLO:
                return deadline.key in self.peers
            case DeadlineKind.GRACE | DeadlineKind.ACK:
                return deadline.key in self.users
            case DeadlineKind.CREDENTIALS:
                user = self.users.get(UserId(str(deadline.key)))
                return user is not None and user.credentials_due == deadline.at
            case DeadlineKind.LIFE:
                return self.lifetimes.expires.get(SessionId(str(deadline.key))) == deadline.at
            case DeadlineKind.IDLE:
                return self.lifetimes.idle_checks.get(SessionId(str(deadline.key))) == deadline.at
            case _ as never:
                assert_never(never)
