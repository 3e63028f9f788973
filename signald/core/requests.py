"""Requests of welcomed users: each is answered, rejected, forwarded or submitted for a decision."""

from __future__ import annotations

from typing import assert_never

from attrs import define, field

from signald.core.actions import Action, LogCounts
from signald.core.budgets import AddressBudget, session_rate
from signald.core.decisions import HostCommand, JoinSession, LeaveSession, OpenSession
from signald.core.errors import ErrorCode
from signald.core.forwarding import Forwarder
from signald.core.ice import IceSupply
from signald.core.limits import Limits
from signald.core.mailboxes import Mailboxes
from signald.core.messages import (
    Ack,
    Admit,
    Answer,
    AppMessage,
    Candidates,
    Change,
    Debug,
    End,
    HandOver,
    Hello,
    IceError,
    Join,
    Leave,
    Offer,
    Open,
    Ping,
    Pong,
    Refuse,
    Remove,
    Request,
    Resume,
    Role,
)
from signald.core.pending_decisions import PendingDecision, PendingDecisions
from signald.core.rejoin_tickets import RejoinTicket, TicketSource
from signald.core.replicas import SessionReplicas
from signald.core.session_settings import Settings
from signald.core.users import User

DEBUG_SECONDS = 60.0
"""The least time between two log lines that `Debug` requests write."""


@define
class UserRequests:
    """Handles the requests of users. Those of one user are handled one after the other.

    Attributes:
        limits: all limits.
        mailboxes: the users, to which replies and errors are sent.
        replicas: this node's replicas of the sessions.
        forwarder: forwards messages between members.
        decisions: the pending decisions, to which operations are submitted.
        ice: knows whether every new session has to be relayed.
        tickets: verifies rejoin tickets.
        session_guesses: the budget of each address for joining sessions that do not exist.
        session_openings: the budget of each address for opening sessions, whatever users it has.
        debug_due: when the next `Debug` may write its line, monotonic seconds.

    """

    limits: Limits
    mailboxes: Mailboxes
    replicas: SessionReplicas
    forwarder: Forwarder
    decisions: PendingDecisions
    ice: IceSupply
    tickets: TicketSource
    session_guesses: AddressBudget
    session_openings: AddressBudget = field(init=False)
    debug_due: float = float("-inf")

    def __attrs_post_init__(self) -> None:
        """Create the budget from the limits."""
        self.session_openings = AddressBudget(session_rate(self.limits))

    def reload_limits(self, limits: Limits) -> None:
        """Replace the limits; what addresses have used of their budgets stays charged."""
        self.limits = limits
        self.session_openings.rate_limit = session_rate(limits)

    def reject(self, pending: PendingDecision, code: ErrorCode, now: float) -> list[Action]:
        """Send the error with which the decision rejected a user's request, and charge unknown session ids.

        A guess is charged to its address also when its sender is gone by now. The charge depends on the error alone,
        also where the session exists and its guest was removed or the webhook hides it: otherwise the number of answers
        would tell whether it exists.
        """
        request = pending.request
        if pending.user is None or pending.address is None or request is None:
            return []
        # A session that the sender was a member of, as its rejoin ticket proves, is not a guess.
        if isinstance(request, Join) and request.ticket is None and code is ErrorCode.UNKNOWN_SESSION:
            self.session_guesses.take_token(pending.address, now)
        user = self.mailboxes.users.get(pending.user)
        session = getattr(request, "session", None)
        if user is None:
            return []
        return self.mailboxes.reject_request(user, code, request, session if session in user.sessions else None)

    def reject_passwords(self) -> list[Action]:
        """Reject all pending and queued requests that contain a password; their senders can send them again."""
        actions: list[Action] = []
        for user in self.mailboxes.users.values():
            pending, queue = self.decisions.for_user(user), user.queue
            refused = [request for request in queue.waiting if _has_password(request)]
            queue.waiting = [request for request in queue.waiting if not _has_password(request)]
            if pending is not None and pending.request is not None and _has_password(pending.request):
                refused.insert(0, pending.request)
                pending.request = None
            for request in refused:
                actions += self.mailboxes.reject_request(user, ErrorCode.TOO_MANY_PASSWORDS, request)
        return actions

    def handle(self, user: User, request: Request, now: float) -> list[Action]:
        """Handle one request of a user."""
        match request:
            case Ping():
                return self.mailboxes.send_event(user, Pong(request.id))
            case Debug():
                return self._debug(now)
            case Hello() | Resume():
                return self.mailboxes.reject_request(user, ErrorCode.ALREADY_WELCOMED, request)
            case Ack():
                is_possible = user.outbox.acknowledge(request.received)
                return (
                    [] if is_possible else self.mailboxes.reject_request(user, ErrorCode.BAD_ACKNOWLEDGEMENT, request)
                )
            case Open():
                return self._open(user, request, now)
            case Join():
                return self._join(user, request, now)
            case Leave():
                if request.session not in user.sessions | user.waiting_at:
                    return self.mailboxes.reject_request(user, ErrorCode.NOT_A_MEMBER, request)
                return [self.decisions.submit_for_user(LeaveSession(user.id, request.session), user, request)]
            case Change() | Admit() | Refuse() | Remove() | HandOver() | End():
                if request.session not in user.sessions:
                    return self.mailboxes.reject_request(user, ErrorCode.NOT_A_MEMBER, request)
                return [self.decisions.submit_for_user(HostCommand(user.id, request), user, request)]
            case Offer() | Answer() | Candidates() | IceError() | AppMessage():
                session = self.replicas.sessions.get(request.session)
                return self.forwarder.forward(user, session, request, now)
            case _ as never:
                assert_never(never)

    def _open(self, user: User, request: Open, now: float) -> list[Action]:
        if not 2 <= request.capacity <= self.limits.session_members:
            return self.mailboxes.reject_request(user, ErrorCode.BAD_CAPACITY, request)
        if request.session is None and not (request.host_key is None and request.ticket is None):
            return self.mailboxes.reject_request(user, ErrorCode.WRONG_HOST_KEY, request)
        if request.lobby and not user.traits.waits:
            return self.mailboxes.reject_request(user, ErrorCode.UNSUPPORTED_BY_PEER, request)
        if not self.session_openings.take_token(user.address, now):
            return self.mailboxes.reject_request(user, ErrorCode.TOO_MANY_NEW_SESSIONS, request)
        settings = Settings(
            capacity=request.capacity,
            label=request.label or None,
            lobby=request.lobby,
            succession=request.succession,
            keep=request.keep,
            relay_only=request.relay_only or self.ice.relay_only,
        )
        ticket = self._verify_ticket(request)
        operation = OpenSession(
            user.id,
            user.traits,
            request.name,
            settings,
            request.password,
            request.session,
            request.host_key,
            address=user.address,
            reopens=ticket is not None and ticket.role is Role.HOST,
            former=None if ticket is None else ticket.user,
            connected=request.connected,
        )
        return [self.decisions.submit_for_user(operation, user, request)]

    def _join(self, user: User, request: Join, now: float) -> list[Action]:
        if request.session in user.sessions | user.waiting_at:
            return self.mailboxes.reject_request(user, ErrorCode.ALREADY_MEMBER, request)
        ticket = self._verify_ticket(request)
        if request.ticket is not None and ticket is None:
            # The session may exist, but the answer must not depend on it.
            has_token = self.session_guesses.take_token(user.address, now)
            code = ErrorCode.UNKNOWN_SESSION if has_token else ErrorCode.TOO_MANY_GUESSES
            return self.mailboxes.reject_request(user, code, request)
        # A valid ticket is no guess, so that guests come back into their session whatever others have guessed.
        if ticket is None and not self.session_guesses.has_token(user.address, now):
            return self.mailboxes.reject_request(user, ErrorCode.TOO_MANY_GUESSES, request)
        operation = JoinSession(
            user.id,
            user.traits,
            request.session,
            request.name,
            request.id,
            password=request.password,
            address=user.address,
            former=None if ticket is None else ticket.user,
            connected=request.connected,
        )
        return [self.decisions.submit_for_user(operation, user, request)]

    def _verify_ticket(self, request: Open | Join) -> RejoinTicket | None:
        if request.session is None or request.ticket is None:
            return None
        return self.tickets.verify(request.ticket, request.session)

    def _debug(self, now: float) -> list[Action]:
        """Log the number of users and sessions, at most once in `DEBUG_SECONDS`."""
        if now < self.debug_due:
            return []
        self.debug_due = now + DEBUG_SECONDS
        return [LogCounts(users=len(self.mailboxes.users), sessions=len(self.replicas.sessions))]


def _has_password(request: Request) -> bool:
    return isinstance(request, Open | Join) and request.password is not None
