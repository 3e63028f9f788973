"""The interfaces of dialects: one object for each connection translates between its frames and the core's messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from attrs import field, frozen

from signald.core.direct_forwarding import DirectMessage
from signald.core.directory_messages import ClientId, DirectoryEvent, Envelope
from signald.core.errors import ErrorCode
from signald.core.messages import Event, Request, RequestId, Traits


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
        id: the id that it wants.
        token: its secret, or its token where the server needs one.
        key: the key of its application.

    """

    id: str
    token: str = field(repr=False)
    key: str


class Heartbeat:
    """A message that says nothing but that its client is alive."""


class Departure:
    """A message with which a client gives its id back."""


DirectoryMessage = Envelope | Heartbeat | Departure
"""What a client of the directory can send."""


class DirectoryDialect(WireProtocol):
    """Translates the frames of one connection to the directory (`signald.core.directory`)."""

    @abstractmethod
    def read_claim(self, parameters: Mapping[str, str]) -> Claim:
        """Read the parameters in the query of the opening handshake.

        Raises:
            DecodeError: `bad-request`: it lacks a parameter.

        """

    @abstractmethod
    def read_id(self, text: str) -> ClientId:
        """Read the id of a client, which the messages that are decoded from now on come from.

        Raises:
            DecodeError: `bad-request`: it is not a valid id.

        """

    @abstractmethod
    def decode(self, frame: bytes) -> DirectoryMessage:
        """Translate one text message, which is valid UTF-8 within the size limit.

        Raises:
            DecodeError: `bad-message`: it means nothing in this protocol.

        """

    @abstractmethod
    def encode(self, event: DirectoryEvent) -> bytes:
        """Translate one event to a frame's text."""
