"""What an application can ask the server for, each wish as a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages

if TYPE_CHECKING:
    from .wire import Message, Value

__all__ = ["Wishes"]


class Wishes:
    """The requests that are not part of a negotiation. Each method returns effects and events, as `send` does."""

    def send(self, message: Message) -> list[Value]:
        """Send a request: what a negotiator's `Send` holds, or one of the others here; its `id` is set.

        `Refused` is in the list when there is no connection, nor one to wait for (`not-connected`), or when the message
        is larger than the server takes (`message-too-large`).
        """
        raise NotImplementedError

    def open(
        self,
        capacity: int = 2,
        name: str | None = None,
        label: str | None = None,
        password: str | None = None,
        lobby: bool = False,
        succession: bool = False,
        keep: bool = False,
        relay_only: bool = False,
        session: str | None = None,
        host_key: str | None = None,
    ) -> list[Value]:
        """Open a session (docs/protocol.md, "Requests"); `messages.Opened` or `Refused` follows.

        Args:
            capacity: members at most.
            name: one's own, up to 64 characters.
            label: the session's, up to 64 characters.
            password: what those who join have to know.
            lobby: whether the host admits each who joins.
            succession: whether the session outlives its host.
            keep: whether to get a host key, with which the same id can be opened again.
            relay_only: whether everybody connects through TURN servers alone.
            session: the id of a kept session that is to be opened again.
            host_key: its key.

        """
        request = messages.Open(
            capacity=capacity,
            name=name,
            label=label,
            password=password,
            lobby=lobby,
            succession=succession,
            keep=keep,
            relay_only=relay_only,
            session=session,
            host_key=host_key,
        )
        return self.send(request)

    def join(self, session: str, name: str | None = None, password: str | None = None) -> list[Value]:
        """Join a session by its canonical id.

        `messages.Joined` or `Refused` follows; or `messages.Waiting`, and later `Joined` or `messages.NotAdmitted`.
        """
        return self.send(messages.Join(session, name=name, password=password))

    def leave(self, session: str) -> list[Value]:
        """Leave a session, or wait at it no longer; `messages.Left` follows."""
        return self.send(messages.Leave(session))

    def change(
        self, session: str, label: str | None = None, locked: bool | None = None, lobby: bool | None = None
    ) -> list[Value]:
        """As the host, change what is not None; `messages.Changed` follows, and `Done`."""
        return self.send(messages.Change(session, label=label, locked=locked, lobby=lobby))

    def admit(self, session: str, user: str) -> list[Value]:
        """As the host, let in one who knocked; `messages.Done` follows."""
        return self.send(messages.Admit(session, user))

    def refuse(self, session: str, user: str) -> list[Value]:
        """As the host, turn away one who knocked; `messages.Done` follows."""
        return self.send(messages.Refuse(session, user))

    def remove(self, session: str, user: str) -> list[Value]:
        """As the host, end a guest's membership; `messages.Done` follows."""
        return self.send(messages.Remove(session, user))

    def hand_over(self, session: str, user: str) -> list[Value]:
        """As the host, make a guest the host; `messages.Done` follows."""
        return self.send(messages.HandOver(session, user))

    def end(self, session: str) -> list[Value]:
        """As the host, end the session for all; `messages.Done` and `Ended` follow."""
        return self.send(messages.End(session))

    def say(self, session: str, content: str, to: str | None = None) -> list[Value]:
        """Send up to 16,384 characters of one's own to a member, or to all who hear such messages; no reply follows."""
        return self.send(messages.AppMessage(session, content, to=to))
