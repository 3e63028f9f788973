"""What every dialect has in common: an object per connection between its frames and the hub's messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from attrs import frozen

from signald.core.errors import ErrorCode
from signald.core.messages import Event, Request, RequestId, Traits


@frozen
class CloseFrame:
    """In the place of a frame: the connection is to be closed (RFC 6455 §7.4) after the frames before it."""

    code: int
    reason: str


class DecodeError(Exception):
    """A frame is no valid request.

    Attributes:
        code: what is wrong.
        about: the class of the request, if it could be told.
        id: the request's id, if it could be read.

    """

    def __init__(self, code: ErrorCode, about: type[Request] | None = None, id: RequestId | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.about = about
        self.id = id


class Dialect(ABC):
    """One connection's translator; it may hold what its protocol needs.

    Attributes:
        subprotocol: its name in `Sec-WebSocket-Protocol` (RFC 6455 §11.5); None: for those that offer none.
        traits: what its peers can take part in.

    """

    subprotocol: ClassVar[str | None]
    traits: ClassVar[Traits] = Traits()

    def opened(self) -> list[Request]:
        """The connection is open: what it says to the hub without a frame."""
        return []

    @abstractmethod
    def received(self, frame: bytes) -> list[Request]:
        """Translate one text message, valid UTF-8 within the size limit.

        Raises:
            DecodeError: it is no valid request.

        """

    @abstractmethod
    def encode(self, event: Event) -> list[bytes | CloseFrame]:
        """Translate one event; an empty list for what the peer cannot hear."""
