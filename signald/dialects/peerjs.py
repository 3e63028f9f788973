"""The dialect of PeerJS's clients (docs/peerjs.md): JSON objects with a type, a sender, a receiver and a payload.

A client chooses its id, and any client reaches any other by its id alone, without a session.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, assert_never

import orjson

from signald.core.directory_messages import (
    ClientJoined,
    ClientLeft,
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

__all__ = ["DEFAULT_KEY", "PATH", "PeerJs"]

PATH = "peerjs"
"""The name of the WebSocket below the base path."""

DEFAULT_KEY = "peerjs"
"""The key that clients send unless their option `key` is another."""

_KINDS = {kind.name: kind for kind in EnvelopeKind if kind is not EnvelopeKind.MESSAGE}
"""The types of messages that are forwarded."""

_REASONS = {
    ErrorCode.BAD_REQUEST: "The server needs an id, a token and a key, and an id of 1 to 64 letters and digits.",
    ErrorCode.NOT_PERMITTED: "The key or the token does not allow this.",
}
"""Sentences that are more precise here than those of the errors themselves."""

_HEARTBEAT, _DEPARTURE = Heartbeat(), Departure()


class PeerJs(DirectoryDialect):
    """Translates the frames of one client of PeerJS.

    Attributes:
        id_form: an id as PeerJS's client accepts it: letters and digits, with single separators inside.

    """

    id_form: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z0-9]+(?:[ _-][A-Za-z0-9]+)*")

    def read_claim(self, name: str, parameters: Mapping[str, str]) -> Claim:
        """Read the parameters `id`, `token` and `key`; an empty one counts as missing.

        Raises:
            DecodeError: `bad-request`.

        """
        id, token, key = (parameters.get(parameter, "") for parameter in ("id", "token", "key"))
        if not (id and token and key):
            raise DecodeError(ErrorCode.BAD_REQUEST)
        return Claim(id, token, key)

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
        id = self.read_receiver(receiver)
        forwarded = {"type": type_, "src": self.id, "dst": id}
        if "payload" in body:
            forwarded["payload"] = body["payload"]
        return Envelope(kind, id, self.write_forwarded(forwarded, frame))

    def encode(self, event: DirectoryEvent) -> bytes | None:
        """Encode an event; what another client sent is encoded already, and there are no rooms."""
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
            case ClientJoined() | ClientLeft():
                return None
            case _ as never:
                assert_never(never)
