"""Results of the signaling client: effects for the edge to carry out, and events for the application.

The effects are `SendFrame`, `CloseSocket`, `ConnectAfter`, `StoreIdentity` and `Negotiate`. The events are the other
classes of this module and the server's own messages (`messages.Welcome`, `Opened`, `Joined` and so on).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import Value

if TYPE_CHECKING:
    from .wire import Message

__all__ = [
    "EVERYTHING",
    "MEMBERSHIP",
    "NOTHING",
    "CloseSocket",
    "ConnectAfter",
    "Disconnected",
    "Dropped",
    "Interrupted",
    "InvalidMessage",
    "Negotiate",
    "Refused",
    "Resumed",
    "SendFrame",
    "StoreIdentity",
]

EVERYTHING = "everything"
MEMBERSHIP = "membership"
NOTHING = "nothing"
"""Values of `Resumed.survival`: what survived a lost connection (docs/protocol.md, "Resume")."""


# Effects


class SendFrame(Value):
    """Effect: send this text as one WebSocket message."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        # A frame may hold a secret, a password or an address, so that the text must not reach a log.
        return f"SendFrame({len(self.text)} characters)"


class CloseSocket(Value):
    """Effect: close the socket with this code and reason (RFC 6455 §7.4); cancel one that is planned or being opened.

    The client is done with that socket: the edge does not report its end, or anything else of it, any more.
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class ConnectAfter(Value):
    """Effect: open a socket after so many seconds; it replaces one that is planned or being opened.

    The edge reports `socket_opened`, or `socket_closed` when the socket could not be opened.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class StoreIdentity(Value):
    """Effect: store this text, which replaces the one before, where a reload finds it; None: delete it.

    The text holds a secret: a page stores it in `sessionStorage`. A program whose next run is another user ignores
    this effect.
    """

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "StoreIdentity(None)" if self.text is None else "StoreIdentity(...)"


class Negotiate(Value):
    """Effect: carry out these commands on the peer connection with this member (`negotiation_commands`)."""

    def __init__(self, session: str, user: str, commands: list[Value]) -> None:
        self.session = session
        self.user = user
        self.commands = commands


# Events


class Refused(Value):
    """Event: a request was refused and changed nothing.

    Attributes:
        code: the error's code (docs/protocol.md, "Errors"); `not-connected` when the request could not be sent; or
            `no-reply` when it was sent and its outcome was lost with the connection.
        sentence: the reason, as a sentence for people.
        about: type of the refused request; None when the server could not tell.
        session: the session that the request named, if any.
        user: the member that the request named, if any.
        request: the request itself, where it is known: the object that was given to `send_request`.

    """

    def __init__(
        self,
        code: str,
        sentence: str,
        about: str | None = None,
        session: str | None = None,
        user: str | None = None,
        request: Message | None = None,
    ) -> None:
        self.code = code
        self.sentence = sentence
        self.about = about
        self.session = session
        self.user = user
        self.request = request


class InvalidMessage(Value):
    """Event: the server sent an invalid message, which changed nothing; the sentence is for a log."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


class Interrupted(Value):
    """Event: the connection is lost or could not be opened; the next attempt is made after so many seconds.

    Calls go on meanwhile.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Resumed(Value):
    """Event: the connection is back; the `messages.Welcome` precedes this event.

    Attributes:
        survival: `everything`: nothing was lost. `membership`: a `messages.Joined` follows for each session (a
            `messages.Waiting` where the client waits), and the negotiations with every member restart. `nothing`: the
            client is a new user, in no session.

    """

    def __init__(self, survival: str) -> None:
        self.survival = survival


class Dropped(Value):
    """Event: these messages were lost with the connection, or their outcome is unknown; they are in their order."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages


class Disconnected(Value):
    """Event: the connection is over for good, with all sessions and waiting requests, until `connect` is called again.

    Attributes:
        code: a WebSocket close code: 1000 where this side ended the connection, 4001 (`replaced`) where another
            connection took the identity over.
        reason: the close reason: empty where the application ended the connection, else an error's code.

    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
