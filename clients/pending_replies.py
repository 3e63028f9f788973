"""Requests of a peer that wait for the server's reply, and what they end with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from signald_client.server import UnreachableError
from signald_client.signaling import messages
from signald_client.signaling.events import Disconnected, Dropped, Refused
from signald_client.signaling.wire import Message

__all__ = ["Asking", "RefusedError"]


class RefusedError(Exception):
    """The server refused a request, or the host whom it let decide.

    Attributes:
        code: the error's code (docs/protocol.md, "Errors"), or `not-admitted`.
        sentence: the same for people.

    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Asking:
    """The requests of one peer."""

    def __init__(self) -> None:
        """Begin with none."""
        self._asked: list[tuple[Message, asyncio.Future[Message]]] = []

    async def ask(self, request: Message, send: Callable[[Message], None]) -> Message:
        """Send a request and return its reply.

        Raises:
            RefusedError: it is refused.
            UnreachableError: it was lost with the connection.

        """
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        asked = (request, reply)
        self._asked.append(asked)
        try:
            send(request)
            return await reply
        finally:
            self._asked.remove(asked)

    def follow(self, event: Any) -> None:
        """Something happened: answer what it answers."""
        if isinstance(event, (messages.Opened, messages.Done)):
            self._answer(lambda request: request.id == event.id, event)
        elif isinstance(event, messages.Joined):
            # The reply to one who waited, and after a resume with the membership alone, has no request's id.
            self._answer(lambda request: _joins(request, event.session), event)
        elif isinstance(event, messages.NotAdmitted):
            refusal = RefusedError("not-admitted", f"The host did not admit this peer: {event.reason}.")
            self._answer(lambda request: _joins(request, event.session), refusal)
        elif isinstance(event, Refused):
            self._answer(lambda request: request is event.request, RefusedError(event.code, event.sentence))
        elif isinstance(event, Dropped):
            lost = UnreachableError("The request was lost with the connection.")
            self._answer(lambda request: any(request is message for message in event.messages), lost)
        elif isinstance(event, Disconnected):
            self._answer(lambda request: True, UnreachableError("The connection to the server is over."))

    def _answer(self, meant: Callable[[Message], bool], outcome: Any) -> None:
        """Give the requests that are meant their reply, or the error that they end with."""
        for request, reply in self._asked:
            if reply.done() or not meant(request):
                continue
            if isinstance(outcome, Exception):
                reply.set_exception(outcome)
            else:
                reply.set_result(outcome)


def _joins(request: Message, session: str) -> bool:
    return isinstance(request, messages.Join) and request.session == session
