"""The size that a message counts as in outboxes, inboxes and limits."""

from __future__ import annotations

from signald.core.messages import (
    Answer,
    AppMessage,
    Candidates,
    Event,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    IceError,
    Offer,
    Request,
    Source,
)

ENVELOPE_BYTES = 256
"""The size that is assumed for the parts of a message other than free text."""


def message_size(message: Request | Event) -> int:
    """The approximate size of a message in bytes: its free text, a source (`messages.Source`) and its envelope."""
    match message:
        case Offer() | Answer() | ForwardedOffer() | ForwardedAnswer():
            text = utf8_length(message.sdp)
        case Candidates() | ForwardedCandidates():
            text = sum(utf8_length(candidate.candidate) + ENVELOPE_BYTES for candidate in message.candidates)
            text += source_length(message.source)
        case IceError() | ForwardedIceError():
            text = utf8_length(message.text) + source_length(message.source)
        case AppMessage() | ForwardedMessage():
            text = utf8_length(message.content)
        case _:
            text = 0
    return ENVELOPE_BYTES + text


def source_length(source: Source | None) -> int:
    """The length of a source's text in UTF-8; 0 without a source."""
    return 0 if source is None else utf8_length(source.text)


def utf8_length(text: str) -> int:
    """The length of a text in UTF-8. Most texts are ASCII, for which it needs no encoding."""
    return len(text) if text.isascii() else len(text.encode())
