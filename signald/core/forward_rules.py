"""What members say to each other: who may say what to whom, and what the receiver gets."""

from __future__ import annotations

from typing import assert_never

from signald.core.errors import ErrorCode
from signald.core.members import Member
from signald.core.messages import (
    Answer,
    AppMessage,
    Candidates,
    CountedEvent,
    Forwardable,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    IceError,
    Offer,
    UserId,
)
from signald.core.sessions import Session
from signald.core.views import base


def receivers(message: Forwardable, session: Session, sender: Member) -> tuple[Member, ...]:
    """Who is to get a message; nobody where it is addressed to nobody that is there.

    An application message without an addressee is for all that hear such messages; another one is for the only
    other member.
    """
    others = session.others(sender.user)
    if message.to is not None:
        return tuple(member for member in others if member.user == message.to)
    if isinstance(message, AppMessage):
        return tuple(member for member in others if member.traits.messages)
    return others if len(others) == 1 else ()


def refusal(message: Forwardable, sender: Member, receiver: Member) -> ErrorCode | None:
    """Why `sender` may not say this to `receiver`; None when it may.

    A member that cannot hear a message is never sent it. Where either side takes one offer/answer exchange alone, the
    later joiner offers, once, and the earlier one answers.
    """
    if isinstance(message, AppMessage):
        return None if receiver.traits.messages else ErrorCode.UNSUPPORTED_BY_PEER
    if sender.traits.renegotiates and receiver.traits.renegotiates:
        return None
    later = sender.seat > receiver.seat
    match message:
        case Offer() if not later or message.negotiation.n > base(sender, receiver) + 1:
            return ErrorCode.WRONG_ROLE if receiver.traits.renegotiates else ErrorCode.UNSUPPORTED_BY_PEER
        case Answer() if later:
            return ErrorCode.WRONG_ROLE
        case _:
            return None


def forwarded(message: Forwardable, sender: UserId) -> CountedEvent:
    """The message as its receiver gets it, stamped with who sent it."""
    match message:
        case Offer():
            return ForwardedOffer(message.session, sender, message.negotiation, message.sdp)
        case Answer():
            return ForwardedAnswer(message.session, sender, message.negotiation, message.sdp)
        case Candidates():
            return ForwardedCandidates(message.session, sender, message.candidates, message.negotiation, message.end)
        case IceError():
            return ForwardedIceError(message.session, sender, message.text)
        case AppMessage():
            return ForwardedMessage(message.session, sender, message.content)
        case _ as never:
            assert_never(never)
