"""What the signaling client returns: effects for the edge to carry out, and events for the application.

The effects are `SendFrame`, `CloseSocket`, `ConnectAfter`, `Keep` and `Negotiate`; the events are the others here and
the server's own messages (`messages.Welcome`, `Opened`, `Joined` and so on).
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
    "Keep",
    "Misunderstood",
    "Negotiate",
    "Refused",
    "Resumed",
    "SendFrame",
]

EVERYTHING = "everything"
MEMBERSHIP = "membership"
NOTHING = "nothing"
"""What survives a lost connection (docs/protocol.md, "Resume")."""


# Effects


class SendFrame(Value):
    """Send this text as one WebSocket message."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        # A frame may hold a secret, a password or an address.
        return f"SendFrame({len(self.text)} characters)"


class CloseSocket(Value):
    """Close the socket with this code and reason (RFC 6455 §7.4), and give up one that is being opened or planned.

    For the client that socket is over: the edge does not report its end, nor anything else of it, any more.
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class ConnectAfter(Value):
    """Open a socket after so many seconds, 0: at once; it takes the place of whatever is planned or being opened.

    The edge reports `socket_opened`, or `socket_closed` when it could not be opened.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Keep(Value):
    """Store this text where a reload finds it, in the place of the one before; None: forget it.

    It holds a secret: a page keeps it in `sessionStorage`. A program that never succeeds itself ignores this.
    """

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "Keep(None)" if self.text is None else "Keep(...)"


class Negotiate(Value):
    """Carry out these commands on the peer connection with this member (`signaling.negotiation`)."""

    def __init__(self, session: str, user: str, commands: list[Value]) -> None:
        self.session = session
        self.user = user
        self.commands = commands


# Events


class Refused(Value):
    """A request was refused and changed nothing.

    Attributes:
        code: the error's code (docs/protocol.md, "Errors"); or `not-connected`, it could not be sent; or `no-reply`, it
            was sent, and what became of it was lost with the connection.
        sentence: the same for people.
        about: type of the refused request; None when the server could not tell.
        session: the session that it was about, if any.
        user: the member that it was addressed to, if any.
        request: the request itself, where it is known: the object that was given to `send`.

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


class Misunderstood(Value):
    """The server said something that is not valid; it changed nothing, and the sentence is for a log."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


class Interrupted(Value):
    """There is no connection, or no longer; the next attempt comes after so many seconds. Calls go on meanwhile."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Resumed(Value):
    """The connection is back, the `messages.Welcome` was told just before.

    Attributes:
        survival: `everything`: nothing was lost. `membership`: a `messages.Joined` follows for each session (a
            `messages.Waiting` where it waits), and every member is negotiated with anew. `nothing`: this is a new user,
            in no session.

    """

    def __init__(self, survival: str) -> None:
        self.survival = survival


class Dropped(Value):
    """These messages were lost with the connection, or nobody knows what became of them; in their order."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages


class Disconnected(Value):
    """The connection is over for good, and all sessions with it, until `connect` is called again.

    Attributes:
        code: a WebSocket close code: 1000 where this side ended it, 4001 (`replaced`) where another connection took
            this identity over.
        reason: the close reason: empty where the application ended it, else an error's code.

    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
