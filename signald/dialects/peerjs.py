"""The dialect of PeerJS's clients (docs/peerjs.md): JSON objects with a type, a sender, a receiver and a payload.

A client chooses its id, and any client reaches any other by its id alone, without a session.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import assert_never

import orjson

from signald.core.directory_messages import (
    ClientId,
    Delivered,
    DirectoryEvent,
    Envelope,
    EnvelopeKind,
    IdTaken,
    Registered,
    Rejected,
    Unreachable,
)
from signald.core.errors import ErrorCode
from signald.dialects.dialect import Claim, DecodeError, Departure, DirectoryDialect, DirectoryMessage, Heartbeat

__all__ = ["DEFAULT_KEY", "MOST_ID_CHARACTERS", "PATH", "PeerJs"]

PATH = "peerjs"
"""The name of the WebSocket below the base path."""

DEFAULT_KEY = "peerjs"
"""The key that clients send unless their option `key` is another."""

MOST_ID_CHARACTERS = 64
"""The maximum length of an id; a UUID, which the server makes for clients that choose none, has 36 characters."""

_ID = re.compile(r"[A-Za-z0-9]+(?:[ _-][A-Za-z0-9]+)*")
"""An id as PeerJS's client accepts it: letters and digits, with single separators inside."""

_KINDS = {kind.name: kind for kind in EnvelopeKind}
"""The types of messages that are forwarded."""

_MOST_GROWTH = 256
"""Bytes by which a message may be longer when it is forwarded: the sender's id, and some numbers that are written out.

A number is not written as it was read: 1e15 becomes 1000000000000000.0. Without this bound a message within the limit
of its sender could be almost four times as long for its receiver. No JavaScript client writes numbers that grow.
"""

_REASONS = {
    ErrorCode.BAD_REQUEST: "The server needs an id, a token and a key, and an id of 1 to 64 letters and digits.",
    ErrorCode.NOT_PERMITTED: "The key or the token does not allow this.",
}
"""Sentences that are more precise here than those of the errors themselves."""

_HEARTBEAT, _DEPARTURE = Heartbeat(), Departure()


class PeerJs(DirectoryDialect):
    """Translates the frames of one client of PeerJS.

    Attributes:
        id: the id of the client.

    """

    def __init__(self) -> None:
        self.id = ClientId("")

    def read_claim(self, parameters: Mapping[str, str]) -> Claim:
        """Read the parameters `id`, `token` and `key`; an empty one counts as missing.

        Raises:
            DecodeError: `bad-request`.

        """
        claim = Claim(*(parameters.get(name, "") for name in ("id", "token", "key")))
        if not (claim.id and claim.token and claim.key):
            raise DecodeError(ErrorCode.BAD_REQUEST)
        return claim

    def read_id(self, text: str) -> ClientId:
        """Read the id of the client.

        Raises:
            DecodeError: `bad-request`.

        """
        self.id = _read_id(text, ErrorCode.BAD_REQUEST)
        return self.id

    def decode(self, frame: bytes) -> DirectoryMessage:
        """Read a message; of an envelope, `type`, `dst` and `payload` are forwarded, and the sender is the client.

        Raises:
            DecodeError: `bad-message`.

        """
        try:
            body = orjson.loads(frame)
            type_, receiver = body["type"], body.get("dst")
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise DecodeError(ErrorCode.BAD_MESSAGE) from None
        if type_ == "HEARTBEAT":
            return _HEARTBEAT
        kind = _KINDS.get(type_) if type(type_) is str else None
        if kind is None:
            raise DecodeError(ErrorCode.BAD_MESSAGE)
        if kind is EnvelopeKind.LEAVE and not receiver:
            return _DEPARTURE
        id = _read_id(receiver, ErrorCode.BAD_MESSAGE)
        forwarded = {"type": type_, "src": self.id, "dst": id}
        if "payload" in body:
            forwarded["payload"] = body["payload"]
        try:
            encoded = orjson.dumps(forwarded)
        except orjson.JSONEncodeError:  # nested deeper than it can be written
            raise DecodeError(ErrorCode.BAD_MESSAGE) from None
        if len(encoded) > len(frame) + _MOST_GROWTH:
            raise DecodeError(ErrorCode.BAD_MESSAGE)
        return Envelope(kind, id, encoded)

    def encode(self, event: DirectoryEvent) -> bytes:
        """Encode an event; what another client sent is encoded already."""
        match event:
            case Delivered(frame=frame):
                return frame
            case Registered():
                return orjson.dumps({"type": "OPEN"})
            case Unreachable(id):
                return orjson.dumps({"type": "EXPIRE", "src": id, "dst": self.id})
            case IdTaken():
                return orjson.dumps({"type": "ID-TAKEN", "payload": {"msg": ErrorCode.ID_TAKEN.sentence}})
            case Rejected(code):
                return orjson.dumps({"type": "ERROR", "payload": {"msg": _REASONS.get(code, code.sentence)}})
            case _ as never:
                assert_never(never)


def _read_id(text: object, error: ErrorCode) -> ClientId:
    if isinstance(text, str) and len(text) <= MOST_ID_CHARACTERS and _ID.fullmatch(text):
        return ClientId(text)
    raise DecodeError(error)
