"""Reads the native dialect's forwarded messages by hand, for the direct way (`core.direct_forwarding`).

The general way makes an object of each message, which takes more time than all the rest. What is not read here, such as
a message with an unknown key or an invalid value, is left to it, so that the two cannot differ in what they refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from attrs import fields

from signald.core.direct_forwarding import DirectMessage
from signald.core.ids import USER_SYMBOLS, is_user_id
from signald.core.message_sizes import ENVELOPE_BYTES, utf8_length
from signald.core.messages import (
    Answer,
    AppMessage,
    Candidate,
    Candidates,
    CountedEvent,
    Forwardable,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedMessage,
    ForwardedOffer,
    Negotiation,
    Offer,
    UserId,
)

__all__ = ["NativeMessage", "read_message"]


def _most(field: Any) -> int:
    """The greatest value, length or number that a field of a message class declares."""
    most: int = field.metadata["most"]
    return most


_MOST_CANDIDATES = _most(fields(Candidates).candidates)
_MOST_CANDIDATE_CHARACTERS = _most(fields(Candidate).candidate)
_MOST_MID_CHARACTERS = _most(fields(Candidate).sdp_mid)
_MOST_LINE_INDEX = _most(fields(Candidate).sdp_m_line_index)
_MOST_FRAGMENT_CHARACTERS = _most(fields(Candidate).username_fragment)
_MOST_CONTENT_CHARACTERS = _most(fields(AppMessage).content)
_MOST_ID_CHARACTERS = 64
_MOST_NUMBER = _most(fields(Negotiation).n)

_is_user_id = lru_cache(maxsize=4096)(is_user_id)
"""Remembers the ids of late, which each of a call's messages repeats: the check of the symbols takes 2 µs. It is asked
about texts of an id's length alone: a client could have megabytes of longer ones remembered."""


class NativeMessage(DirectMessage):
    """A forwarded message of a native client."""

    __slots__ = ("_body",)

    def __init__(
        self,
        kind: type[Forwardable],
        event_kind: type[CountedEvent],
        body: dict[str, Any],
        size: int,
        decode_event: Callable[[bytes], CountedEvent],
    ) -> None:
        """Make a message.

        Arguments:
            kind: the class of the request.
            event_kind: the class of the event.
            body: the JSON object that was received, which was checked.
            size: its size as `mailbox.message_size` gives it.
            decode_event: decodes a frame with an event.

        """
        self.kind = kind
        self.event_kind = event_kind
        self.session = body["session"]
        self.to = body.get("to")
        self.size = size
        self.decode_event = decode_event
        self._body = body

    def frame_from(self, sender: UserId) -> bytes:
        """Encode the receivers' event, which has the values of the request."""
        body = self._body
        body.pop("to", None)
        body.pop("id", None)
        if "end" in body and not body["end"]:
            del body["end"]
        body["from"] = sender
        return orjson.dumps(body)


def read_message(body: dict[str, Any], decode_event: Callable[[bytes], CountedEvent]) -> NativeMessage | None:
    """Check the JSON object of a message that is forwarded; None where the general way has to read it.

    An object that passes has known keys alone, and valid values, except that nobody may have the session's or the
    addressee's id.

    Arguments:
        body: the JSON object.
        decode_event: decodes a frame with an event.

    """
    type_ = body.get("type")
    kind = _KINDS.get(type_) if type(type_) is str else None
    if kind is None or type(body.get("session")) is not str:
        return None
    request, event, read_size = kind
    size = read_size(body)
    return None if size is None else NativeMessage(request, event, body, size, decode_event)


def _read_description(body: dict[str, Any]) -> int | None:
    """The size of an offer or an answer with a session; None where it is not valid."""
    sdp = body.get("sdp")
    if type(sdp) is not str or type(body.get("to")) is not str or not _is_negotiation(body.get("negotiation")):
        return None
    # The type, the session, and what was checked here.
    if len(body) != 5 and not (len(body) == 6 and _has_id(body)):
        return None
    return ENVELOPE_BYTES + utf8_length(sdp)


def _read_candidates(body: dict[str, Any]) -> int | None:
    """The size of candidates with a session; None where they are not valid."""
    candidates = body.get("candidates")
    if type(candidates) is not list or len(candidates) > _MOST_CANDIDATES:
        return None
    if type(body.get("to")) is not str or not _is_negotiation(body.get("negotiation")):
        return None
    if len(body) != 5:
        keys = 5
        if "end" in body:
            if type(body["end"]) is not bool:
                return None
            keys += 1
        if len(body) != keys and not (len(body) == keys + 1 and _has_id(body)):
            return None
    size = ENVELOPE_BYTES
    for candidate in candidates:
        bytes = _candidate_size(candidate)
        if bytes is None:
            return None
        size += bytes
    return size


def _candidate_size(candidate: object) -> int | None:
    """The size of a valid candidate; None for anything else."""
    if type(candidate) is not dict:
        return None
    text = candidate.get("candidate")
    if type(text) is not str or len(text) > _MOST_CANDIDATE_CHARACTERS:
        return None
    if len(candidate) > 1 and not _has_known_details(candidate):
        return None
    return ENVELOPE_BYTES + (len(text) if text.isascii() else utf8_length(text))


def _has_known_details(candidate: dict[str, Any]) -> bool:
    """Whether a candidate has valid values besides its text, and nothing else."""
    keys = 1
    if "sdpMid" in candidate:
        mid = candidate["sdpMid"]
        if type(mid) is not str or len(mid) > _MOST_MID_CHARACTERS:
            return False
        keys += 1
    if "sdpMLineIndex" in candidate:
        index = candidate["sdpMLineIndex"]
        if type(index) is not int or not 0 <= index <= _MOST_LINE_INDEX:
            return False
        keys += 1
    if "usernameFragment" in candidate:
        fragment = candidate["usernameFragment"]
        if type(fragment) is not str or len(fragment) > _MOST_FRAGMENT_CHARACTERS:
            return False
        keys += 1
    return len(candidate) == keys


def _read_content(body: dict[str, Any]) -> int | None:
    """The size of an application message with a session; None where it is not valid."""
    content = body.get("content")
    if type(content) is not str or len(content) > _MOST_CONTENT_CHARACTERS:
        return None
    keys = 3
    if "to" in body:
        if type(body["to"]) is not str:
            return None
        keys += 1
    if len(body) != keys and not (len(body) == keys + 1 and _has_id(body)):
        return None
    return ENVELOPE_BYTES + utf8_length(content)


def _has_id(body: dict[str, Any]) -> bool:
    """Whether a request has a valid id."""
    id = body.get("id")
    return type(id) is str and 0 < len(id) <= _MOST_ID_CHARACTERS


def _is_negotiation(negotiation: object) -> bool:
    """Whether a value has the form of a negotiation's id."""
    if type(negotiation) is not dict or len(negotiation) != 2:
        return False
    offerer, n = negotiation.get("offerer"), negotiation.get("n")
    if type(n) is not int or not 0 < n <= _MOST_NUMBER or type(offerer) is not str:
        return False
    return len(offerer) == USER_SYMBOLS and _is_user_id(offerer)


_KINDS: Mapping[str, tuple[type[Forwardable], type[CountedEvent], Callable[[dict[str, Any]], int | None]]] = {
    "offer": (Offer, ForwardedOffer, _read_description),
    "answer": (Answer, ForwardedAnswer, _read_description),
    "candidates": (Candidates, ForwardedCandidates, _read_candidates),
    "message": (AppMessage, ForwardedMessage, _read_content),
}
"""By the `type` of a message: the class of the request, that of the event, and the check that returns its size."""
