"""The requests that wait for a reply, so that a refusal can be told from others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .delivery import KEPT_BYTES, KEPT_MESSAGES

if TYPE_CHECKING:
    from typing import Any

    from .wire import Message

__all__ = ["NO_REPLY_AFTER", "EarlyRequests", "Requests"]

NO_REPLY_AFTER = 10.0
"""Seconds after a resume in which a request that the server had received has to be answered.

An error is not counted and so not sent again; a reply is.
"""

WITHOUT_REPLY = (messages.Offer, messages.AppMessage)
"""Requests that are answered by nothing but an error, and are forgotten some time after they were acknowledged."""

WITHOUT_ID = (messages.Answer, messages.Candidates, messages.IceError)
"""Messages whose refusal matters to nobody: mostly the member has just left."""


class EarlyRequests:
    """Queue of requests made before the first welcome; bounded as the outbox is."""

    def __init__(self) -> None:
        """Create an empty queue."""
        self._requests: list[Message] = []
        self._bytes = 0

    def add(self, request: Message, size: int) -> bool:
        """Queue a request whose frame has this many bytes; return False when the queue is full."""
        if len(self._requests) >= KEPT_MESSAGES or self._bytes + size > KEPT_BYTES:
            return False
        self._requests.append(request)
        self._bytes += size
        return True

    def take_all(self) -> list[Message]:
        """Return the queued requests in their order, and empty the queue."""
        requests, self._requests, self._bytes = self._requests, [], 0
        return requests


class Requests:
    """The requests by their ids."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: dict[str, Any] = {}
        self._count = 0
        self._deadlines: dict[str, float] = {}
        self._acknowledged: list[str] = []  # by the last `ack`, and without a reply

    def add(self, request: Any) -> None:
        """Give a request an id and remember it, where somebody wants to know of its refusal."""
        if isinstance(request, WITHOUT_ID):
            return
        self._count += 1
        request.id = str(self._count)
        self._waiting[request.id] = request

    def take(self, request_id: str | None) -> Message | None:
        """Return the request that is answered or refused, and forget it; None when it is none of these."""
        if request_id is None:
            return None
        self._deadlines.pop(request_id, None)
        request: Message | None = self._waiting.pop(request_id, None)
        return request

    def received(self, messages: list[Message]) -> None:
        """The server has acknowledged these: those without a reply are forgotten with the next acknowledgement.

        A server acknowledges what it has taken, and may refuse it after that.
        """
        for request_id in self._acknowledged:
            self.take(request_id)
        self._acknowledged = [message.id for message in messages if isinstance(message, WITHOUT_REPLY) and message.id]

    def expect(self, unsent: list[Message], now: float) -> None:
        """The connection is back with everything: all but the unsent ones arrived, and are answered now or never."""
        for request_id, request in self._waiting.items():
            if not isinstance(request, WITHOUT_REPLY) and not _is_in(request, unsent):
                self._deadlines[request_id] = now + NO_REPLY_AFTER

    def overdue(self, now: float) -> list[Message]:
        """Return the requests that will not be answered any more, and forget them."""
        late = sorted([request_id for request_id, deadline in self._deadlines.items() if now >= deadline], key=int)
        return [request for request in map(self.take, late) if request is not None]

    def clear(self, kept: list[Message]) -> list[Message]:
        """Forget all, and return what was not answered in its order; `kept`: all messages that are not acknowledged."""
        # By their ids, since MicroPython's dicts have no order.
        waiting = [self._waiting[request_id] for request_id in sorted(self._waiting, key=int)]
        self._waiting = {}
        self._deadlines = {}
        self._acknowledged = []
        received = [request for request in waiting if not _is_in(request, kept)]
        unanswered = [request for request in received if not isinstance(request, WITHOUT_REPLY)]
        return unanswered + [message for message in kept if message.id is None or _is_in(message, waiting)]


def _is_in(message: Message, messages: list[Message]) -> bool:
    """Whether it is this very message, and not an equal one, that is in the list."""
    return any(other is message for other in messages)
