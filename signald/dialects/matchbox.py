"""The dialect of matchbox's clients (docs/dialects.md): enums as serde encodes them in JSON, externally tagged.

A client names a room in the path of its WebSocket, and is told of those who enter after it, to whom it sends offers.
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
    Room,
    Unreachable,
)
from signald.core.errors import ErrorCode
from signald.dialects.dialect import Claim, DecodeError, DirectoryDialect, DirectoryMessage, Heartbeat

__all__ = ["PATH", "Matchbox"]

PATH = "matchbox"
"""The name of the folder whose names are rooms."""

_ROOM = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~-]{1,64}")
"""A room's name: unreserved characters (RFC 3986 §2.3), which no client encodes; browsers take dots for a folder."""

_SIZE = re.compile("[0-9]{1,9}")

_KINDS = {"Offer": EnvelopeKind.OFFER, "Answer": EnvelopeKind.ANSWER, "IceCandidate": EnvelopeKind.CANDIDATE}
"""What the data of the published clients contains, by its tag; to others it may mean anything."""

_HEARTBEAT = Heartbeat()


class Matchbox(DirectoryDialect):
    """Translates the frames of one client of matchbox.

    Attributes:
        id_form: a UUID as serde writes it (RFC 9562 §4).

    """

    id_form: ClassVar[re.Pattern[str]] = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

    def read_claim(self, name: str, parameters: Mapping[str, str]) -> Claim:
        """Read the room, and the parameters `next`, which is the size of its groups, and `token`.

        Raises:
            DecodeError: `bad-request`.

        """
        size = parameters.get("next")
        if _ROOM.fullmatch(name) is None or not (size is None or _SIZE.fullmatch(size)):
            raise DecodeError(ErrorCode.BAD_REQUEST)
        room = Room(name, None if size is None else int(size))
        return Claim(None, parameters.get("token", ""), room=room)

    def decode(self, frame: bytes) -> DirectoryMessage:
        """Read a signal, of which the data is forwarded as it is, or a sign of life.

        Raises:
            DecodeError: `bad-message`.

        """
        try:
            match orjson.loads(frame):
                case "KeepAlive":
                    return _HEARTBEAT
                case {"Signal": {"receiver": receiver, "data": data}, **others} if not others:
                    id = self.read_receiver(receiver)
                    signal = {"Signal": {"sender": self.id, "data": data}}
                    return Envelope(_kind(data), id, self.write_forwarded(signal, frame))
        except orjson.JSONDecodeError:
            pass
        raise DecodeError(ErrorCode.BAD_MESSAGE)

    def encode(self, event: DirectoryEvent) -> bytes | None:
        """Encode an event; the protocol has no errors, so that the reason of the close frame is all that tells them."""
        match event:
            case Delivered(frame=frame):
                return frame
            case Registered(id):
                return orjson.dumps({"IdAssigned": id})
            case ClientJoined(id):
                return orjson.dumps({"NewPeer": id})
            case ClientLeft(id):
                return orjson.dumps({"PeerLeft": id})
            case Unreachable() | IdTaken() | Rejected():
                return None
            case _ as never:
                assert_never(never)


def _kind(data: object) -> EnvelopeKind:
    """Say what a signal contains, for the metrics."""
    tag = next(iter(data)) if isinstance(data, dict) and len(data) == 1 else ""
    return _KINDS.get(tag, EnvelopeKind.MESSAGE)
