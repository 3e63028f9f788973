"""The interfaces of dialects: one object for each connection translates between its frames and the core's messages."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import orjson
from attrs import field, frozen

from signald.core.direct_forwarding import DirectMessage
from signald.core.directory_messages import ClientId, DirectoryEvent, Envelope, Room
from signald.core.errors import ErrorCode
from signald.core.messages import Event, Request, RequestId, Traits

MOST_ID_CHARACTERS = 64
"""The maximum length of an id in the directory, whatever its form; a UUID has 36 characters."""

_MOST_GROWTH = 256
"""Bytes by which a message may be longer when it is forwarded: the sender's id, and some numbers that are written out.

A number is not written as it was read: 1e15 becomes 1000000000000000.0. Without this bound a message within the limit
of its sender could be almost four times as long for its receiver. No JavaScript client writes numbers that grow.
"""


@frozen
class CloseFrame:
    """A close frame that follows the frames before it and ends the connection (RFC 6455 §7.4)."""

    code: int
    reason: str


class DecodeError(Exception):
    """A frame is not a valid request.

    Attributes:
        code: the error for the client.
        about: the class of the request; None where it could not be determined.
        id: the request's id; None where it could not be read.

    """

    def __init__(self, code: ErrorCode, about: type[Request] | None = None, id: RequestId | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.about = about
        self.id = id


class WireProtocol(ABC):  # noqa: B024 # what all dialects share; each of the two kinds below has methods of its own
    """A protocol that a port can speak.

    Attributes:
        subprotocol: its name in `Sec-WebSocket-Protocol` (RFC 6455 §11.5); None for clients that offer none.

    """

    subprotocol: ClassVar[str | None] = None


class Dialect(WireProtocol):
    """Translates the frames of one connection to the hub; it may hold the state that its protocol needs.

    Attributes:
        traits: the capabilities of its clients.
        unknown_keys: how many keys of its client's requests were unknown and ignored, since it was last set to 0.

    """

    traits: ClassVar[Traits] = Traits()
    unknown_keys: int = 0

    def initial_requests(self) -> list[Request]:
        """The requests that an open connection makes before its client has sent a frame."""
        return []

    def read_direct(self, _frame: bytes) -> DirectMessage | None:
        """Read a message that can be forwarded the direct way; None for any other, which `decode` then reads."""
        return None

    @abstractmethod
    def decode(self, frame: bytes) -> list[Request]:
        """Translate one text message, which is valid UTF-8 within the size limit, to requests.

        Raises:
            DecodeError: the message is not a valid request.

        """

    @abstractmethod
    def encode(self, event: Event) -> list[bytes | CloseFrame]:
        """Translate one event to frames; none where the protocol has no message for it."""


@frozen
class Claim:
    """What the request of a client of the directory says about it; the values are not checked.

    Attributes:
        id: the id that it wants; None in a protocol in which the server chooses it.
        token: its secret, or its token where the server needs one.
        key: the key of its application; empty in a protocol without keys.
        room: the room that it enters; None in a protocol without rooms.

    """

    id: str | None
    token: str = field(repr=False)
    key: str = ""
    room: Room | None = None


class Heartbeat:
    """A message that says nothing but that its client is alive."""


class Departure:
    """A message with which a client gives its id back."""


DirectoryMessage = Envelope | Heartbeat | Departure
"""What a client of the directory can send."""


class DirectoryDialect(WireProtocol):
    """Translates the frames of one connection to the directory (`signald.core.directory`).

    Attributes:
        id_form: the form of an id in this protocol.
        id: the id of the client, which the messages that are decoded come from; empty before `read_id`.

    """

    id_form: ClassVar[re.Pattern[str]]

    def __init__(self) -> None:
        self.id = ClientId("")

    @abstractmethod
    def read_claim(self, name: str, parameters: Mapping[str, str]) -> Claim:
        """Read the target of the opening handshake.

        Arguments:
            name: the last segment of its path.
            parameters: the parameters in its query.

        Raises:
            DecodeError: `bad-request`: it lacks a part, or a part is not valid.

        """

    def read_id(self, text: str) -> ClientId:
        """Read the id of the client, and keep it.

        Raises:
            DecodeError: `bad-request`: it is not a valid id.

        """
        self.id = self._read_id(text, ErrorCode.BAD_REQUEST)
        return self.id

    def read_receiver(self, value: object) -> ClientId:
        """Read the id of another client in a message.

        Raises:
            DecodeError: `bad-message`: it is not a valid id.

        """
        return self._read_id(value, ErrorCode.BAD_MESSAGE)

    def _read_id(self, value: object, error: ErrorCode) -> ClientId:
        if isinstance(value, str) and len(value) <= MOST_ID_CHARACTERS and self.id_form.fullmatch(value):
            return ClientId(value)
        raise DecodeError(error)

    def write_forwarded(self, message: object, frame: bytes) -> bytes:
        """Encode what the receiver of a message is sent, as JSON.

        Arguments:
            message: what it is sent, with the data that the sender gave.
            frame: the text from which that was read.

        Raises:
            DecodeError: `bad-message`: it is nested deeper than it can be written, or much longer than the text.

        """
        try:
            forwarded = orjson.dumps(message)
        except orjson.JSONEncodeError:
            raise DecodeError(ErrorCode.BAD_MESSAGE) from None
        if len(forwarded) > len(frame) + _MOST_GROWTH:
            raise DecodeError(ErrorCode.BAD_MESSAGE)
        return forwarded

    @abstractmethod
    def decode(self, frame: bytes) -> DirectoryMessage:
        """Translate one text message, which is valid UTF-8 within the size limit.

        Raises:
            DecodeError: `bad-message`: it means nothing in this protocol.

        """

    @abstractmethod
    def encode(self, event: DirectoryEvent) -> bytes | None:
        """Translate one event to a frame's text; None where the protocol has no message for it."""
