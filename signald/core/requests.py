"""What a welcomed user asks for: each request is refused, forwarded, or asked of the registry."""

from __future__ import annotations

from collections import deque
from typing import assert_never

from attrs import define, field

from signald.core.actions import Action, LogCounts
from signald.core.budgets import AddressBudget, guesses, new_sessions
from signald.core.decisions import HostCommand, JoinSession, LeaveSession, OpenSession
from signald.core.errors import ErrorCode
from signald.core.forward_rules import forwarded, receivers, refusal
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
    Forwardable,
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
)
from signald.core.pending_decisions import Pending, PendingDecisions
from signald.core.replicas import SessionReplicas
from signald.core.sessions import Settings
from signald.core.users import User

DEBUG_SECONDS = 60.0
"""How often `Debug` is answered with a line in the log, at most."""


@define
class Requests:
    """Handles the requests of users, one after the other for each.

    Attributes:
        limits: all bounds.
        mailboxes: the users.
        replicas: the sessions.
        decisions: the decisions under way.
        ice: says whether every session is relayed.
        guesses: unknown sessions that each address asked for.
        passwords: wrong passwords of each address.
        opened: sessions that each address opened, as whoever.
        debug_due: when the next `Debug` may be answered.

    """

    limits: Limits
    mailboxes: Mailboxes
    replicas: SessionReplicas
    decisions: PendingDecisions
    ice: IceSupply
    guesses: AddressBudget = field(init=False)
    passwords: AddressBudget = field(init=False)
    opened: AddressBudget = field(init=False)
    debug_due: float = float("-inf")

    def __attrs_post_init__(self) -> None:
        """Begin with nothing counted."""
        self.guesses = AddressBudget(guesses(self.limits))
        self.passwords = AddressBudget(guesses(self.limits))
        self.opened = AddressBudget(new_sessions(self.limits))

    def configure(self, limits: Limits) -> None:
        """Go on with other limits."""
        self.limits = limits
        self.guesses.terms = self.passwords.terms = guesses(limits)
        self.opened.terms = new_sessions(limits)

    def tick(self, now: float) -> None:
        """Forget what was long ago."""
        for budget in (self.guesses, self.passwords, self.opened):
            budget.forget(now)

    def refused(self, pending: Pending, code: ErrorCode, now: float) -> list[Action]:
        """Tell a user that its request is refused by who decides; count wrong guesses also of one who is gone."""
        request = pending.request
        if pending.user is None or pending.address is None or request is None:
            return []
        # Who was removed hears the same, but has not guessed.
        is_unknown = isinstance(request, Join) and request.session not in self.replicas.sessions
        if is_unknown and code is ErrorCode.UNKNOWN_SESSION:
            self.guesses.take(pending.address, now)
        if code is ErrorCode.WRONG_PASSWORD:
            self.passwords.take(pending.address, now)
        user = self.mailboxes.users.get(pending.user)
        session = getattr(request, "session", None)
        if user is None:
            return []
        return self.mailboxes.refuse(user, code, request, session if session in user.sessions else None)

    def refuse_passwords(self) -> list[Action]:
        """Refuse all requests with a password that are not carried out; their senders can ask again."""
        actions: list[Action] = []
        for user in self.mailboxes.users.values():
            pending, queue = self.decisions.of_user(user), user.queue
            refused = [request for request in queue.waiting if _has_password(request)]
            queue.waiting = deque(request for request in queue.waiting if not _has_password(request))
            if pending is not None and pending.request is not None and _has_password(pending.request):
                refused.insert(0, pending.request)
                pending.request = None
            for request in refused:
                actions += self.mailboxes.refuse(user, ErrorCode.TOO_MANY_PASSWORDS, request)
        return actions

    def handle(self, user: User, request: Request, now: float) -> list[Action]:
        """Do what a user asks for, or refuse it."""
        match request:
            case Ping():
                return self.mailboxes.tell(user, Pong(request.id))
            case Debug():
                return self._debug(now)
            case Hello() | Resume():
                return self.mailboxes.refuse(user, ErrorCode.ALREADY_WELCOMED, request)
            case Ack():
                is_possible = user.outbox.acknowledge(request.received)
                return [] if is_possible else self.mailboxes.refuse(user, ErrorCode.BAD_ACKNOWLEDGEMENT, request)
            case Open():
                return self._open(user, request, now)
            case Join():
                return self._join(user, request, now)
            case Leave():
                if request.session not in user.sessions | user.visits:
                    return self.mailboxes.refuse(user, ErrorCode.NOT_A_MEMBER, request)
                return [self.decisions.ask_for_user(LeaveSession(user.id, request.session), user, request)]
            case Change() | Admit() | Refuse() | Remove() | HandOver() | End():
                if request.session not in user.sessions:
                    return self.mailboxes.refuse(user, ErrorCode.NOT_A_MEMBER, request)
                return [self.decisions.ask_for_user(HostCommand(user.id, request), user, request)]
            case Offer() | Answer() | Candidates() | IceError() | AppMessage():
                return self._forward(user, request, now)
            case _ as never:
                assert_never(never)

    def _open(self, user: User, request: Open, now: float) -> list[Action]:
        if not 2 <= request.capacity <= self.limits.session_members:
            return self.mailboxes.refuse(user, ErrorCode.BAD_CAPACITY, request)
        if request.session is None and request.host_key is not None:
            return self.mailboxes.refuse(user, ErrorCode.WRONG_HOST_KEY, request)
        if request.lobby and not user.traits.waits:
            return self.mailboxes.refuse(user, ErrorCode.UNSUPPORTED_BY_PEER, request)
        if not self.opened.take(user.address, now):
            return self.mailboxes.refuse(user, ErrorCode.TOO_MANY_NEW_SESSIONS, request)
        settings = Settings(
            capacity=request.capacity,
            label=request.label or None,
            lobby=request.lobby,
            succession=request.succession,
            keep=request.keep,
            relay_only=request.relay_only or self.ice.relay_only,
        )
        operation = OpenSession(
            user.id, user.traits, request.name, settings, request.password, request.session, request.host_key
        )
        return [self.decisions.ask_for_user(operation, user, request)]

    def _join(self, user: User, request: Join, now: float) -> list[Action]:
        if request.session in user.sessions | user.visits:
            return self.mailboxes.refuse(user, ErrorCode.ALREADY_MEMBER, request)
        may_guess = request.password is None or self.passwords.has(user.address, now)
        if not may_guess or not self.guesses.has(user.address, now):
            return self.mailboxes.refuse(user, ErrorCode.TOO_MANY_GUESSES, request)
        operation = JoinSession(
            user.id, user.traits, request.session, request.name, request.id, password=request.password
        )
        return [self.decisions.ask_for_user(operation, user, request)]

    def _debug(self, now: float) -> list[Action]:
        """Have a line written into the log, at most one in `DEBUG_SECONDS`."""
        if now < self.debug_due:
            return []
        self.debug_due = now + DEBUG_SECONDS
        return [LogCounts(users=len(self.mailboxes.users), sessions=len(self.replicas.sessions))]

    def _forward(self, user: User, request: Forwardable, now: float) -> list[Action]:
        session = self.replicas.sessions.get(request.session)
        sender = None if session is None else session.member(user.id)
        if session is None or sender is None:
            return self.mailboxes.refuse(user, ErrorCode.NOT_A_MEMBER, request)
        others = receivers(request, session, sender)
        if not others and request.to is None:
            if isinstance(request, AppMessage):
                return []
            if isinstance(request, Candidates) and len(session.members) == 1:
                kept = self.replicas.candidates.keep(user.id, request)
                return [] if kept else self.mailboxes.refuse(user, ErrorCode.TOO_MANY_CANDIDATES, request, session.id)
        if not others:
            return self.mailboxes.refuse(user, ErrorCode.UNKNOWN_MEMBER, request, session.id)
        event = forwarded(request, user.id)
        for receiver in others:
            code = refusal(request, sender, receiver)
            if code is None and not self.mailboxes.has_room(self.mailboxes.users.get(receiver.user), event):
                code = ErrorCode.OUTBOX_FULL
            if code is not None:
                return self.mailboxes.refuse(user, code, request, session.id)
        self.replicas.touch(session.id, now)
        return [
            action
            for receiver in others
            for action in self.mailboxes.tell(self.mailboxes.users.get(receiver.user), event)
        ]


def _has_password(request: Request) -> bool:
    return isinstance(request, Open | Join) and request.password is not None
