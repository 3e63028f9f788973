"""The signaling client without I/O: an edge reports what happened, and carries out what each method returns.

Effects for the edge are `SendFrame`, `CloseSocket` and `Negotiate`; the others are events for the application: the
server's own messages (`messages.Welcome`, `Opened`, `Joined`, `Left`, `MemberJoined`, `MemberLeft`, `Ended`,
`ForwardedIceError`), and `Refused`, `Misunderstood` and `Disconnected`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .messages import Value
from .negotiation import Negotiator

if TYPE_CHECKING:
    from typing import Any

    from .messages import Codec

__all__ = ["CloseSocket", "Disconnected", "Misunderstood", "Negotiate", "Refused", "SendFrame", "SignalingClient"]

SUBPROTOCOL = "signald.1"
"""What the edge offers in `Sec-WebSocket-Protocol`."""

VERSION = 1
"""The version of the protocol."""

NO_ROLLBACK = "no-rollback"
"""The feature of a client whose edge cannot roll back an offer."""

PING_AFTER = 15.0
"""Seconds without a word of the server after which it is asked whether it is still there."""

SILENT_AFTER = 10.0
"""Seconds without an answer after which it is taken to be gone."""

SILENT_CODE = 3008
"""The close code for that: "timeout" in IANA's registry, and one that a page may use."""


class SendFrame(Value):
    """Send this text as one WebSocket message."""

    def __init__(self, text: str) -> None:
        self.text = text


class CloseSocket(Value):
    """Close the socket with this code and reason (RFC 6455 §7.4)."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class Negotiate(Value):
    """Carry out these commands on the peer connection with this member (`signaling.negotiation`)."""

    def __init__(self, session: str, user: str, commands: list[Value]) -> None:
        self.session = session
        self.user = user
        self.commands = commands


class Refused(Value):
    """A request was refused and changed nothing.

    Attributes:
        code: the error's code (docs/protocol.md, "Errors"), or `not-connected`.
        sentence: the same for people.
        about: type of the refused request; None when the server could not tell.
        session: the session that it was about, if any.
        user: the member that it was addressed to, if any.

    """

    def __init__(
        self, code: str, sentence: str, about: str | None = None, session: str | None = None, user: str | None = None
    ) -> None:
        self.code = code
        self.sentence = sentence
        self.about = about
        self.session = session
        self.user = user


class Misunderstood(Value):
    """The server said something that is not valid; it changed nothing, and the sentence is for a log."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


class Disconnected(Value):
    """The connection is over, and all sessions with it: a WebSocket close code and its reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


# States of the connection.
CLOSED = "closed"
GREETING = "greeting"
READY = "ready"

# What makes it change.
SOCKET_OPENED = "socket-opened"
WELCOMED = "welcomed"
SOCKET_CLOSED = "socket-closed"

TRANSITIONS = {
    (CLOSED, SOCKET_OPENED): GREETING,
    (GREETING, WELCOMED): READY,
    (GREETING, SOCKET_CLOSED): CLOSED,
    (READY, SOCKET_CLOSED): CLOSED,
}
"""The state after something in a state; what is not listed changes nothing."""


class SignalingClient:
    """One client's view of its connection, its sessions and their members.

    Every method that returns a list returns effects, to be carried out in their order.

    Attributes:
        state: `closed`, `greeting` or `ready`.
        user: this client's user; None until it is welcomed.
        welcome: the server's `messages.Welcome` with limits and ICE servers; None until then.

    """

    def __init__(self, codec: Codec, agent: str | None = None, features: list[str] | None = None) -> None:
        """Begin without a connection.

        Args:
            codec: what has `dumps` and `loads` as Python's `json` module has.
            agent: name of the program, up to 64 characters.
            features: what the client can or cannot do, as `hello` lists it.

        """
        self.state = CLOSED
        self.user: str | None = None
        self.welcome: messages.Welcome | None = None
        self._codec = codec
        self._agent = agent
        self._features = features
        self._sessions: dict[str, dict[str, Negotiator]] = {}
        self._requests: dict[str, messages.Message] = {}
        self._count = 0
        self._ticked = 0.0
        self._since: float | None = None  # the time of the last word, or of the question; None: set it at the next tick
        self._asked = False

    # Facts from the edge

    def socket_opened(self) -> list[Value]:
        """The WebSocket is open, with the subprotocol `signald.1`."""
        if not self._step(SOCKET_OPENED):
            return []
        self._since = None
        self._asked = True
        return [self._request(messages.Hello(VERSION, self._agent, self._features))]

    def frame_received(self, text: str) -> list[Value]:
        """A text message came."""
        if self.state == CLOSED:
            return []
        self._since = None
        self._asked = False
        try:
            message = messages.decode(text, self._codec)
        except messages.BadMessageError as error:
            return [Misunderstood(str(error))]
        if isinstance(message, messages.Welcome):
            return self._welcomed(message)
        if isinstance(message, messages.Error):
            return self._refused(message)
        if message is None or self.state != READY:
            return []
        return self._happened(message)

    def socket_closed(self, code: int, reason: str) -> list[Value]:
        """The WebSocket is closed, or could not be opened."""
        if not self._step(SOCKET_CLOSED):
            return []
        for negotiators in self._sessions.values():
            for negotiator in negotiators.values():
                negotiator.close()
        self._sessions = {}
        self._requests = {}
        self.user = None
        self.welcome = None
        return [Disconnected(code, reason)]

    def tick(self, now: float) -> list[Value]:
        """Time goes on: call it about once a second with a clock in seconds that never goes back."""
        slept = now - self._ticked >= SILENT_AFTER
        self._ticked = now
        if self.state == CLOSED:
            return []
        if self._since is None:
            self._since = now
        elif slept and self.state == READY:
            # A phone that slept, or a hidden tab: the silence says nothing about the server, so it is asked.
            return self._ask(now)
        elif self._asked and now - self._since >= SILENT_AFTER:
            effects: list[Value] = [CloseSocket(SILENT_CODE, "server-silent")]
            return effects + self.socket_closed(SILENT_CODE, "server-silent")
        elif not self._asked and now - self._since >= PING_AFTER:
            return self._ask(now)
        return []

    # Wishes of the application

    def open(self, capacity: int = 2) -> list[Value]:
        """Open a session of at most so many members; `messages.Opened` or `Refused` follows."""
        return self.send(messages.Open(capacity))

    def join(self, session: str) -> list[Value]:
        """Join a session by its canonical id; `messages.Joined` or `Refused` follows."""
        return self.send(messages.Join(session))

    def leave(self, session: str) -> list[Value]:
        """Leave a session; `messages.Left` follows."""
        return self.send(messages.Leave(session))

    def send(self, message: messages.Message) -> list[Value]:
        """Send a request: what a negotiator's `Send` holds, or one of the above."""
        if self.state != READY:
            return [self._refusal("not-connected", "There is no connection to the server.", message)]
        if isinstance(message, (messages.Answer, messages.Candidates, messages.IceError)):
            return [SendFrame(messages.encode(message, self._codec))]
        return [self._request(message)]

    def disconnect(self) -> list[Value]:
        """End the connection; `Disconnected` follows with the socket's end."""
        return [] if self.state == CLOSED else [CloseSocket(1000, "")]

    # Questions

    def negotiator(self, session: str, user: str) -> Negotiator | None:
        """Return the negotiations with a member; None when there is no such member."""
        return self._sessions.get(session, {}).get(user)

    # What follows

    def _step(self, event: str) -> bool:
        """Change the state as the table says; False when the event means nothing in this state."""
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            return False
        self.state = after
        return True

    def _request(self, message: Any) -> SendFrame:
        """Give a request an id, so that its refusal can be told from others, and encode it."""
        self._count += 1
        message.id = str(self._count)
        if isinstance(message, messages.Offer):
            # Offers have no reply: only the last of each pair is remembered.
            self._forget(message.session, message.to)
        self._requests[message.id] = message
        return SendFrame(messages.encode(message, self._codec))

    def _forget(self, session: str, user: str) -> None:
        for request_id, request in list(self._requests.items()):
            if isinstance(request, messages.Offer) and request.session == session and request.to == user:
                del self._requests[request_id]

    def _ask(self, now: float) -> list[Value]:
        self._asked = True
        self._since = now
        return [SendFrame(messages.encode(messages.Ping(), self._codec))]

    def _refusal(self, code: str, sentence: str, request: messages.Message) -> Refused:
        return Refused(code, sentence, request.type, getattr(request, "session", None), getattr(request, "to", None))

    def _refused(self, error: messages.Error) -> list[Value]:
        request = self._requests.pop(error.id, None) if error.id is not None else None
        if request is None:
            effects: list[Value] = [Refused(error.code, error.message, error.about, error.session)]
        else:
            effects = [self._refusal(error.code, error.message, request)]
        if self.state == GREETING:
            # Without a welcome nothing else will be understood.
            effects.append(CloseSocket(1000, ""))
        return effects

    def _welcomed(self, message: messages.Welcome) -> list[Value]:
        if not self._step(WELCOMED):
            return []
        self._requests = {}
        self.user = message.user
        self.welcome = message
        return [message]

    def _happened(self, message: Any) -> list[Value]:
        """Follow what the server tells of sessions and members."""
        request_id = getattr(message, "id", None)
        if request_id is not None:
            self._requests.pop(request_id, None)
        if isinstance(message, messages.Opened):
            self._sessions[message.session] = {}
            return [message]
        if isinstance(message, messages.Joined):
            self._sessions[message.session] = {}
            for member in message.members:
                self._add(message.session, member, True)
            return [message]
        if isinstance(message, messages.Pong) or message.session not in self._sessions:
            return []
        if isinstance(message, messages.MemberJoined):
            self._add(message.session, message.member, False)
            return [message]
        if isinstance(message, messages.MemberLeft):
            self._remove(message.session, message.user)
            return [message]
        if isinstance(message, (messages.Left, messages.Ended)):
            for user in list(self._sessions[message.session]):
                self._remove(message.session, user)
            del self._sessions[message.session]
            return [message]
        return self._forwarded(message)

    def _forwarded(self, message: Any) -> list[Value]:
        negotiator = self.negotiator(message.session, message.sender)
        if negotiator is None:
            return []
        if isinstance(message, messages.ForwardedIceError):
            return [message]
        commands = negotiator.received(message)
        return [Negotiate(message.session, message.sender, commands)] if commands else []

    def _add(self, session: str, member: messages.Member, offers_first: bool) -> None:
        self._sessions[session][member.user] = Negotiator(
            session,
            self.user or "",
            member.user,
            offers_first,
            member.polite,
            member.renegotiates,
            NO_ROLLBACK not in (self._features or []),
        )

    def _remove(self, session: str, user: str) -> None:
        self._forget(session, user)
        negotiator = self._sessions[session].pop(user, None)
        if negotiator is not None:
            negotiator.close()
