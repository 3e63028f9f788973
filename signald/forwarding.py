"""What members say to each other: who may say what to whom, and what the receiver gets."""

from __future__ import annotations

from typing import assert_never

from signald.errors import ErrorCode
from signald.messages import (
    Answer,
    Candidates,
    Event,
    Forwardable,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedOffer,
    IceError,
    Offer,
    UserId,
)
from signald.sessions import Member


def refusal(message: Forwardable, sender: Member, receiver: Member) -> ErrorCode | None:
    """Why `sender` may not say this to `receiver`; None when it may.

    Where either side takes one offer/answer exchange alone, the later joiner offers, once, and the earlier one answers.
    """
    if sender.traits.renegotiates and receiver.traits.renegotiates:
        return None
    later = sender.seat > receiver.seat
    match message:
        case Offer() if not later or message.negotiation.n > 1:
            return ErrorCode.WRONG_ROLE if receiver.traits.renegotiates else ErrorCode.UNSUPPORTED_BY_PEER
        case Answer() if later:
            return ErrorCode.WRONG_ROLE
        case _:
            return None


def forwarded(message: Forwardable, sender: UserId) -> Event:
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
        case _ as never:
            assert_never(never)
