"""The interface of a dialect: one object for each connection translates between its frames and the hub's messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from attrs import frozen

from signald.core.direct_forwarding import DirectMessage
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


class Dialect(ABC):
    """Translates the frames of one connection; it may hold the state that its protocol needs.

    Attributes:
        subprotocol: its name in `Sec-WebSocket-Protocol` (RFC 6455 §11.5); None for clients that offer none.
        traits: the capabilities of its clients.
        unknown_keys: how many keys of its client's requests were unknown and ignored, since it was last set to 0.

    """

    subprotocol: ClassVar[str | None]
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
