"""Forwarding: who may send what to whom in a session, and what the receiver gets.

`Forwarder.forward` is the way of an offer, an answer or a candidate through the core; the rules that it applies are
the functions below it.
"""

from __future__ import annotations

from typing import assert_never

from attrs import frozen

from signald.core.actions import Action
from signald.core.early_candidates import EarlyCandidates
from signald.core.errors import ErrorCode
from signald.core.mailboxes import Mailboxes
from signald.core.members import Member
from signald.core.messages import (
    Answer,
    AppMessage,
    Candidates,
    CountedEvent,
    Error,
    Forwardable,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    IceError,
    Offer,
    Source,
    Traits,
    UserId,
)
from signald.core.session_lifetimes import SessionLifetimes
from signald.core.sessions import Session
from signald.core.users import User
from signald.core.views import negotiation_base


@frozen
class Forwarder:
    """Forwards messages between the members of a session.

    Attributes:
        mailboxes: the users' mailboxes, into which forwarded messages go.
        early_candidates: the candidates that no other member can receive yet.
        lifetimes: the session's activity is recorded there, since a forwarded message postpones the idle timeout.

    """

    mailboxes: Mailboxes
    early_candidates: EarlyCandidates
    lifetimes: SessionLifetimes

    def forward(self, user: User, session: Session | None, request: Forwardable, now: float) -> list[Action]:
        """Forward a user's message to all its receivers, or to none and reject it.

        Arguments:
            user: the sender.
            session: the session that the message names; None where no user of this node is in such a session.
            request: the message.
            now: monotonic seconds.

        """
        sender = None if session is None else session.member(user.id)
        if session is None or sender is None:
            return self.mailboxes.reject_request(user, ErrorCode.NOT_A_MEMBER, request)
        receivers = find_receivers(request, session, sender)
        if not receivers:
            return self._handle_no_receiver(user, session, request)
        # Only an application message has several receivers, and it is the same for each of them.
        event = forwarded_event(request, user.id, receivers[0].traits)
        for receiver in receivers:
            code = forbidden(request, sender, receiver)
            if code is None and not self.mailboxes.has_room_for(self.mailboxes.users.get(receiver.user), event):
                code = ErrorCode.OUTBOX_FULL
            if code is not None:
                return self.mailboxes.reject_request(user, code, request, session.id)
        self.lifetimes.record_activity(session.id, now)
        return [
            action
            for receiver in receivers
            for action in self.mailboxes.send_event(self.mailboxes.users.get(receiver.user), event)
        ]

    def forward_early_candidates(self, user: User, session: Session) -> list[Action]:
        """Send the candidates that a lone member has sent before this user, the second member, joined.

        Those that this user's program cannot read are rejected: their sender gets the error now.
        """
        actions: list[Action] = []
        for sender, batch in self.early_candidates.pop(session.id):
            if session.member(sender) is None:
                continue
            if is_readable(batch, user.traits):
                actions += self.mailboxes.send_event(user, forwarded_event(batch, sender, user.traits))
            else:
                error = Error(ErrorCode.UNSUPPORTED_BY_PEER, Candidates, session.id, batch.id)
                actions += self.mailboxes.send_event(self.mailboxes.users.get(sender), error)
        return actions

    def _handle_no_receiver(self, user: User, session: Session, request: Forwardable) -> list[Action]:
        """Keep candidates of a lone member, ignore an application message to all, and reject anything else."""
        if request.to is None and isinstance(request, AppMessage):
            return []
        if request.to is None and isinstance(request, Candidates) and len(session.members) == 1:
            if self.early_candidates.add(user.id, request):
                return []
            return self.mailboxes.reject_request(user, ErrorCode.TOO_MANY_CANDIDATES, request, session.id)
        return self.mailboxes.reject_request(user, ErrorCode.UNKNOWN_MEMBER, request, session.id)


def find_receivers(message: Forwardable, session: Session, sender: Member) -> tuple[Member, ...]:
    """The members that a message is for; empty where the addressee is not a member.

    An application message without an addressee goes to all other members that accept such messages. Any other message
    without one goes to the only other member.
    """
    others = session.others(sender.user)
    if message.to is not None:
        return tuple(member for member in others if member.user == message.to)
    if isinstance(message, AppMessage):
        return tuple(member for member in others if member.traits.messages)
    return others if len(others) == 1 else ()


def may_forward(kind: type[Forwardable], sender: Member, receiver: Member) -> bool:
    """Whether every message of a kind may go from `sender` to `receiver`, whatever is in it (see `forbidden`).

    False does not mean that none may: where either program supports a single exchange, it depends on the message.
    """
    if kind is AppMessage:
        return receiver.traits.messages
    return sender.traits.renegotiates and receiver.traits.renegotiates


def forbidden(message: Forwardable, sender: Member, receiver: Member) -> ErrorCode | None:
    """The error with which a message from `sender` to `receiver` is rejected; None when it is allowed.

    A member never gets a message that its program does not accept or cannot read. Where either program supports a
    single offer/answer exchange only, the later joiner sends one offer, and the earlier one answers it.
    """
    if isinstance(message, AppMessage):
        return None if receiver.traits.messages else ErrorCode.UNSUPPORTED_BY_PEER
    if not is_readable(message, receiver.traits):
        return ErrorCode.UNSUPPORTED_BY_PEER
    if sender.traits.renegotiates and receiver.traits.renegotiates:
        return None
    is_later = sender.seat > receiver.seat
    match message:
        case Offer() if not is_later or message.negotiation.n > negotiation_base(sender, receiver) + 1:
            return ErrorCode.WRONG_ROLE if receiver.traits.renegotiates else ErrorCode.UNSUPPORTED_BY_PEER
        case Answer() if is_later:
            return ErrorCode.WRONG_ROLE
        case _:
            return None


def is_readable(message: Forwardable, receiver: Traits) -> bool:
    """Whether a receiver can read a message: it is translated, or the receiver reads its source."""
    source = message.source if isinstance(message, Candidates | IceError) else None
    return source is None or source.translated or source.kind == receiver.source_kind


def forwarded_event(message: Forwardable, sender: UserId, receiver: Traits) -> CountedEvent:
    """The event that the receiver gets, stamped with the sender's id; a source only where the receiver reads it."""
    match message:
        case Offer():
            return ForwardedOffer(message.session, sender, message.negotiation, message.sdp)
        case Answer():
            return ForwardedAnswer(message.session, sender, message.negotiation, message.sdp)
        case Candidates():
            source = _source_for(message.source, receiver)
            return ForwardedCandidates(
                message.session, sender, message.candidates, message.negotiation, message.end, source
            )
        case IceError():
            return ForwardedIceError(message.session, sender, message.text, _source_for(message.source, receiver))
        case AppMessage():
            return ForwardedMessage(message.session, sender, message.content)
        case _ as never:
            assert_never(never)


def _source_for(source: Source | None, receiver: Traits) -> Source | None:
    """The source for a receiver; None for one that does not read it, whose outbox would keep it for nothing."""
    return None if source is None or source.kind != receiver.source_kind else source
