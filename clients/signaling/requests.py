"""Requests that wait: for the first welcome, or for the server's reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .mailboxes import OUTBOX_BYTES, OUTBOX_MESSAGES

if TYPE_CHECKING:
    from typing import Any

    from .wire import Message

__all__ = ["NO_REPLY_AFTER", "EarlyRequests", "PendingRequests"]

NO_REPLY_AFTER = 10.0
"""Seconds after a resume within which the server has to answer a request that it had received before.

A reply is counted and so replayed; an error is not, and may have been lost with the socket.
"""

WITHOUT_REPLY = (messages.Offer, messages.AppMessage)
"""Requests that get no reply but an error; they are forgotten some time after the server acknowledged them."""

WITHOUT_ID = (messages.Answer, messages.Candidates, messages.IceError)
"""Messages whose refusal nobody needs to know: mostly the member has just left."""


class EarlyRequests:
    """Queue of requests made before the first welcome; bounded as the outbox is."""

    def __init__(self) -> None:
        """Create an empty queue."""
        self._requests: list[Message] = []
        self._bytes = 0

    def add(self, request: Message, size: int) -> bool:
        """Queue a request whose frame has this many bytes; return False when the queue is full."""
        if len(self._requests) >= OUTBOX_MESSAGES or self._bytes + size > OUTBOX_BYTES:
            return False
        self._requests.append(request)
        self._bytes += size
        return True

    def take_all(self) -> list[Message]:
        """Return the queued requests in their order, and empty the queue."""
        requests, self._requests, self._bytes = self._requests, [], 0
        return requests


class PendingRequests:
    """The requests that wait for a reply, by their ids, so that a refusal can name its request."""

    def __init__(self) -> None:
        """Create an empty table."""
        self._pending: dict[str, Any] = {}
        self._count = 0
        self._deadlines: dict[str, float] = {}
        self._acknowledged_ids: list[str] = []  # acknowledged by the last `ack`, and without a reply

    def register(self, request: Any) -> None:
        """Give a request an id and remember it, unless nobody needs to know of its refusal."""
        if isinstance(request, WITHOUT_ID):
            return
        self._count += 1
        request.id = str(self._count)
        self._pending[request.id] = request

    def take(self, request_id: str | None) -> Message | None:
        """Return and forget the request that is answered or refused; None when it is unknown."""
        if request_id is None:
            return None
        self._deadlines.pop(request_id, None)
        request: Message | None = self._pending.pop(request_id, None)
        return request

    def mark_acknowledged(self, acknowledged: list[Message]) -> None:
        """Forget the requests without a reply that the previous `ack` covered, and note those that this one covers.

        One `ack` more is waited for because a server acknowledges what it has received, and may refuse it after that.
        """
        for request_id in self._acknowledged_ids:
            self.take(request_id)
        self._acknowledged_ids = [
            message.id for message in acknowledged if isinstance(message, WITHOUT_REPLY) and message.id
        ]

    def expect_replies(self, unsent: list[Message], now: float) -> None:
        """Set a deadline for every request but the unsent ones: after a resume with everything the server has them."""
        for request_id, request in self._pending.items():
            if not isinstance(request, WITHOUT_REPLY) and not _contains(unsent, request):
                self._deadlines[request_id] = now + NO_REPLY_AFTER

    def take_overdue(self, now: float) -> list[Message]:
        """Return and forget the requests whose deadline has passed."""
        late = sorted([request_id for request_id, deadline in self._deadlines.items() if now >= deadline], key=int)
        return [request for request in map(self.take, late) if request is not None]

    def take_lost(self, unacknowledged: list[Message]) -> list[Message]:
        """Forget all requests, and return those that were lost, in their order, with the unacknowledged messages."""
        # Sorted by id, since MicroPython's dicts have no order.
        pending = [self._pending[request_id] for request_id in sorted(self._pending, key=int)]
        self._pending = {}
        self._deadlines = {}
        self._acknowledged_ids = []
        received = [request for request in pending if not _contains(unacknowledged, request)]
        unanswered = [request for request in received if not isinstance(request, WITHOUT_REPLY)]
        return unanswered + [message for message in unacknowledged if message.id is None or _contains(pending, message)]


def _contains(messages: list[Message], message: Message) -> bool:
    """Whether this very message, and not an equal one, is in the list."""
    return any(other is message for other in messages)
