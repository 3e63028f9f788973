"""The requests that an application can make of the server, one method each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages

if TYPE_CHECKING:
    from .wire import Message, Value

__all__ = ["RequestApi"]


class RequestApi:
    """Base class with the requests that are not part of a negotiation.

    Each method returns effects and events, as `send_request` does.
    """

    def send_request(self, message: Message) -> list[Value]:
        """Send a request: the content of a negotiator's `SendRequest`, or one of the requests below.

        Its `id` is set when it is sent. A `Refused` is in the list when there is neither a connection nor one to wait
        for (`not-connected`), or when the message is larger than the server accepts (`message-too-large`).
        """
        raise NotImplementedError

    def open_session(
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
        ticket: str | None = None,
        connected: list[str] | None = None,
    ) -> list[Value]:
        """Open a session (docs/protocol.md, "Requests"); `messages.Opened` or `Refused` follows.

        Arguments:
            capacity: most members at a time.
            name: this user's display name, up to 64 characters.
            label: the session's display name, up to 64 characters.
            password: the password that everyone who joins has to give.
            lobby: whether the host admits each user who joins.
            succession: whether the session outlives its host.
            keep: whether to get a host key, with which the same id can be opened again.
            relay_only: whether all members connect through TURN servers alone.
            session: the id of a kept session that is to be opened again.
            host_key: the host key of that session.
            ticket: this client's ticket for that session, after its identity was lost (`SignalingClient.ticket`).
            connected: the members whose peer connections are kept (`SignalingClient.connected_users`).

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
            ticket=ticket,
            connected=connected,
        )
        return self.send_request(request)

    def join_session(
        self,
        session: str,
        name: str | None = None,
        password: str | None = None,
        ticket: str | None = None,
        connected: list[str] | None = None,
    ) -> list[Value]:
        """Join a session by its canonical id; `ticket` and `connected` are as in `open_session`.

        `messages.Joined` or `Refused` follows; or `messages.Waiting`, and later `Joined` or `messages.NotAdmitted`.
        """
        return self.send_request(
            messages.Join(session, name=name, password=password, ticket=ticket, connected=connected)
        )

    def leave_session(self, session: str) -> list[Value]:
        """Leave a session, or stop waiting to be admitted; `messages.Left` follows."""
        return self.send_request(messages.Leave(session))

    def change_session(
        self, session: str, label: str | None = None, locked: bool | None = None, lobby: bool | None = None
    ) -> list[Value]:
        """As the host, change the settings that are not None; `messages.Changed` and `Done` follow."""
        return self.send_request(messages.Change(session, label=label, locked=locked, lobby=lobby))

    def admit_user(self, session: str, user: str) -> list[Value]:
        """As the host, admit a user who waits in the lobby; `messages.Done` follows."""
        return self.send_request(messages.Admit(session, user))

    def refuse_user(self, session: str, user: str) -> list[Value]:
        """As the host, turn away a user who waits in the lobby; `messages.Done` follows."""
        return self.send_request(messages.Refuse(session, user))

    def remove_member(self, session: str, user: str) -> list[Value]:
        """As the host, end a guest's membership; `messages.Done` follows."""
        return self.send_request(messages.Remove(session, user))

    def make_host(self, session: str, user: str) -> list[Value]:
        """As the host, make a guest the host; `messages.Done` follows."""
        return self.send_request(messages.HandOver(session, user))

    def end_session(self, session: str) -> list[Value]:
        """As the host, end the session for all; `messages.Done` and `Ended` follow."""
        return self.send_request(messages.End(session))

    def send_message(self, session: str, content: str, to: str | None = None) -> list[Value]:
        """Send an application message of up to 16,384 characters to a member, or to all members whose protocol has it.

        There is no reply.
        """
        return self.send_request(messages.AppMessage(session, content, to=to))
