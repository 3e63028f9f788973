"""Requests of a peer that wait for the server's reply, as futures of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from signald_client.errors import RefusedError, UnreachableError
from signald_client.signaling import messages
from signald_client.signaling.events import Disconnected, Dropped, Refused
from signald_client.signaling.wire import Message, Value

__all__ = ["PendingReplies"]


class PendingReplies:
    """Table of the requests of one peer that have no reply yet."""

    def __init__(self) -> None:
        """Create an empty table."""
        self._pending: list[tuple[Message, asyncio.Future[Message]]] = []

    async def send_and_wait(self, request: Message, send: Callable[[Message], None]) -> Message:
        """Send a request and return its reply.

        Raises:
            RefusedError: the request is refused.
            UnreachableError: the request was lost with the connection.

        """
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        entry = (request, reply)
        self._pending.append(entry)
        try:
            send(request)
            return await reply
        finally:
            self._pending.remove(entry)

    def settle(self, event: Value) -> None:
        """Give the requests that an event answers their reply or their error; ignore other events."""
        match event:
            case messages.Opened() | messages.Done():
                self._set_outcome(lambda request: request.id == event.id, event)
            case messages.Joined():
                # Without a request's id after a wait in the lobby, and after a resume with the membership alone.
                self._set_outcome(lambda request: _joins(request, event.session), event)
            case messages.NotAdmitted():
                refusal = RefusedError("not-admitted", f"The host did not admit this peer: {event.reason}.")
                self._set_outcome(lambda request: _joins(request, event.session), refusal)
            case Refused():
                self._set_outcome(lambda request: request is event.request, RefusedError(event.code, event.sentence))
            case Dropped():
                lost = UnreachableError("The request was lost with the connection.")
                self._set_outcome(lambda request: any(request is message for message in event.messages), lost)
            case Disconnected():
                self._set_outcome(lambda request: True, UnreachableError("The connection to the server is over."))

    def _set_outcome(self, is_meant: Callable[[Message], bool], outcome: Message | Exception) -> None:
        """Give the requests that are meant their reply, or the error that they end with."""
        for request, reply in self._pending:
            if reply.done() or not is_meant(request):
                continue
            if isinstance(outcome, Exception):
                reply.set_exception(outcome)
            else:
                reply.set_result(outcome)


def _joins(request: Message, session: str) -> bool:
    return isinstance(request, messages.Join) and request.session == session
