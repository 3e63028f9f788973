"""The messages of docs/protocol.md as small classes, and the one place that maps JSON keys to attributes and back.

Every class lists its `fields`; decoding and encoding know nothing else. `Message` is what travels by itself,
`Value` what stands inside one. Unknown keys and unknown types of the server are ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Protocol

    class Codec(Protocol):
        """What turns JSON into Python values and back: Python's `json` module has this form.

        The leading underscores make the arguments positional, which MicroPython's syntax has no sign for.
        """

        def dumps(self, __value: Any) -> str:
            """Return the JSON text of dicts, lists, strings, numbers and booleans."""

        def loads(self, __text: str) -> Any:
            """Return the value of a JSON text; ValueError when it is none."""


__all__ = [
    "Answer",
    "BadMessageError",
    "Candidate",
    "Candidates",
    "Ended",
    "Error",
    "ForwardedAnswer",
    "ForwardedCandidates",
    "ForwardedIceError",
    "ForwardedOffer",
    "Hello",
    "IceError",
    "IceServer",
    "Join",
    "Joined",
    "Leave",
    "Left",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "Message",
    "Negotiation",
    "Offer",
    "Open",
    "Opened",
    "Ping",
    "Pong",
    "ServerLimits",
    "Value",
    "Welcome",
    "decode",
    "encode",
    "read",
    "to_plain",
]


class BadMessageError(ValueError):
    """What came from the server is not a valid message; the argument is a sentence for a log."""


class Field:
    """How one attribute travels.

    Attributes:
        attribute: its name in Python.
        key: its name in JSON.
        shape: `string`, `integer`, `number`, `boolean` or a `Value` class; a tuple of one of these is a list of them.
        default: what an absent key means; `REQUIRED` when it has to be there.

    """

    def __init__(self, attribute: str, key: str, shape: Any, default: Any) -> None:
        self.attribute = attribute
        self.key = key
        self.shape = shape
        self.default = default


REQUIRED = ("required",)


class Value:
    """Plain data that equals another of its class with equal attributes.

    Attributes:
        fields: how its attributes travel, in the order of the constructor's arguments; none when it never does.

    """

    fields: tuple[Field, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={value!r}" for name, value in self.__dict__.items()])
        return f"{type(self).__name__}({shown})"


class Message(Value):
    """What travels in a frame of its own.

    Attributes:
        type: its name on the wire.

    """

    type = ""


class Negotiation(Value):
    """One offer/answer exchange of a pair: the n-th offer, counted from 1, of `offerer` to the other."""

    fields = (
        Field("offerer", "offerer", "string", REQUIRED),
        Field("n", "n", "integer", REQUIRED),
    )

    def __init__(self, offerer: str, n: int) -> None:
        self.offerer = offerer
        self.n = n


class Candidate(Value):
    """An ICE candidate (W3C `RTCIceCandidateInit`)."""

    fields = (
        Field("candidate", "candidate", "string", REQUIRED),
        Field("sdp_mid", "sdpMid", "string", None),
        Field("sdp_m_line_index", "sdpMLineIndex", "integer", None),
        Field("username_fragment", "usernameFragment", "string", None),
    )

    def __init__(
        self,
        candidate: str,
        sdp_mid: str | None = None,
        sdp_m_line_index: int | None = None,
        username_fragment: str | None = None,
    ) -> None:
        self.candidate = candidate
        self.sdp_mid = sdp_mid
        self.sdp_m_line_index = sdp_m_line_index
        self.username_fragment = username_fragment


class IceServer(Value):
    """A STUN or TURN server (W3C `RTCIceServer`); `expires` in seconds."""

    fields = (
        Field("urls", "urls", ("string",), REQUIRED),
        Field("username", "username", "string", None),
        Field("credential", "credential", "string", None),
        Field("expires", "expires", "number", None),
    )

    def __init__(
        self,
        urls: list[str],
        username: str | None = None,
        credential: str | None = None,
        expires: float | None = None,
    ) -> None:
        self.urls = urls
        self.username = username
        self.credential = credential
        self.expires = expires

    def __repr__(self) -> str:
        # The credential is a secret.
        return f"IceServer(urls={self.urls!r})"


class Member(Value):
    """Another member of a session, as this client is told of it.

    Attributes:
        user: who.
        role: `host` or `guest`.
        polite: whether this client yields to the member in a collision of offers.
        renegotiates: whether the member takes more than one offer/answer exchange.

    """

    fields = (
        Field("user", "user", "string", REQUIRED),
        Field("role", "role", "string", REQUIRED),
        Field("polite", "polite", "boolean", REQUIRED),
        Field("renegotiates", "renegotiates", "boolean", REQUIRED),
    )

    def __init__(self, user: str, role: str, polite: bool, renegotiates: bool) -> None:
        self.user = user
        self.role = role
        self.polite = polite
        self.renegotiates = renegotiates


class ServerLimits(Value):
    """The limits that a client has to know: bytes a message, messages a second, messages at once, members a session."""

    fields = (
        Field("message_bytes", "message-bytes", "integer", REQUIRED),
        Field("messages_per_second", "messages-per-second", "number", REQUIRED),
        Field("messages_burst", "messages-burst", "integer", REQUIRED),
        Field("session_members", "session-members", "integer", REQUIRED),
    )

    def __init__(
        self, message_bytes: int, messages_per_second: float, messages_burst: int, session_members: int
    ) -> None:
        self.message_bytes = message_bytes
        self.messages_per_second = messages_per_second
        self.messages_burst = messages_burst
        self.session_members = session_members


# Requests: from the client to the server


class Hello(Message):
    """The first request: who the client is and what it can do."""

    type = "hello"
    fields = (
        Field("version", "version", "integer", REQUIRED),
        Field("agent", "agent", "string", None),
        Field("features", "features", ("string",), None),
        Field("id", "id", "string", None),
    )

    def __init__(
        self, version: int, agent: str | None = None, features: list[str] | None = None, id: str | None = None
    ) -> None:
        self.version = version
        self.agent = agent
        self.features = features
        self.id = id


class Open(Message):
    """Open a session of at most `capacity` members, with this client as its host."""

    type = "open"
    fields = (
        Field("capacity", "capacity", "integer", None),
        Field("id", "id", "string", None),
    )

    def __init__(self, capacity: int | None = None, id: str | None = None) -> None:
        self.capacity = capacity
        self.id = id


class Join(Message):
    """Become a guest of a session."""

    type = "join"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, id: str | None = None) -> None:
        self.session = session
        self.id = id


class Leave(Message):
    """Stop being a member of a session."""

    type = "leave"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, id: str | None = None) -> None:
        self.session = session
        self.id = id


class Offer(Message):
    """A session description that opens a negotiation (RFC 9429 §4.1.1)."""

    type = "offer"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("to", "to", "string", REQUIRED),
        Field("negotiation", "negotiation", Negotiation, REQUIRED),
        Field("sdp", "sdp", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, to: str, negotiation: Negotiation, sdp: str, id: str | None = None) -> None:
        self.session = session
        self.to = to
        self.negotiation = negotiation
        self.sdp = sdp
        self.id = id


class Answer(Message):
    """A session description that completes a negotiation."""

    type = "answer"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("to", "to", "string", REQUIRED),
        Field("negotiation", "negotiation", Negotiation, REQUIRED),
        Field("sdp", "sdp", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, to: str, negotiation: Negotiation, sdp: str, id: str | None = None) -> None:
        self.session = session
        self.to = to
        self.negotiation = negotiation
        self.sdp = sdp
        self.id = id


class Candidates(Message):
    """A batch of candidates; `end` says that there are no more of this generation (RFC 8838 §13)."""

    type = "candidates"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("to", "to", "string", REQUIRED),
        Field("negotiation", "negotiation", Negotiation, None),
        Field("candidates", "candidates", (Candidate,), REQUIRED),
        Field("end", "end", "boolean", None),
        Field("id", "id", "string", None),
    )

    def __init__(
        self,
        session: str,
        to: str,
        negotiation: Negotiation | None,
        candidates: list[Candidate],
        end: bool | None = None,
        id: str | None = None,
    ) -> None:
        self.session = session
        self.to = to
        self.negotiation = negotiation
        self.candidates = candidates
        self.end = end
        self.id = id


class IceError(Message):
    """What went wrong with ICE, told to another member."""

    type = "ice-error"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("to", "to", "string", REQUIRED),
        Field("text", "text", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, to: str, text: str, id: str | None = None) -> None:
        self.session = session
        self.to = to
        self.text = text
        self.id = id


class Ping(Message):
    """A question whether the server is still there."""

    type = "ping"
    fields = (Field("id", "id", "string", None),)

    def __init__(self, id: str | None = None) -> None:
        self.id = id


# Replies and events: from the server to the client


class Welcome(Message):
    """The reply to `Hello`."""

    type = "welcome"
    fields = (
        Field("version", "version", "integer", REQUIRED),
        Field("server", "server", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
        Field("features", "features", ("string",), REQUIRED),
        Field("limits", "limits", ServerLimits, REQUIRED),
        Field("ice_servers", "ice-servers", (IceServer,), REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(
        self,
        version: int,
        server: str,
        user: str,
        features: list[str],
        limits: ServerLimits,
        ice_servers: list[IceServer],
        id: str | None = None,
    ) -> None:
        self.version = version
        self.server = server
        self.user = user
        self.features = features
        self.limits = limits
        self.ice_servers = ice_servers
        self.id = id


class Opened(Message):
    """The reply to `Open`: this client is the host of a new session."""

    type = "opened"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("capacity", "capacity", "integer", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, capacity: int, id: str | None = None) -> None:
        self.session = session
        self.capacity = capacity
        self.id = id


class Joined(Message):
    """The reply to `Join`: this client is a guest; `members` are the others, in the order in which they came."""

    type = "joined"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("capacity", "capacity", "integer", REQUIRED),
        Field("members", "members", (Member,), REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, capacity: int, members: list[Member], id: str | None = None) -> None:
        self.session = session
        self.capacity = capacity
        self.members = members
        self.id = id


class Left(Message):
    """The reply to `Leave`."""

    type = "left"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, id: str | None = None) -> None:
        self.session = session
        self.id = id


class MemberJoined(Message):
    """Another member came."""

    type = "member-joined"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("member", "member", Member, REQUIRED),
    )

    def __init__(self, session: str, member: Member) -> None:
        self.session = session
        self.member = member


class MemberLeft(Message):
    """Another member went: `left` (said so) or `gone` (connection lost)."""

    type = "member-left"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
        Field("reason", "reason", "string", REQUIRED),
    )

    def __init__(self, session: str, user: str, reason: str) -> None:
        self.session = session
        self.user = user
        self.reason = reason


class Ended(Message):
    """The session is no more: `host-left`, `host-gone`, `idle` or `expired`."""

    type = "ended"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("reason", "reason", "string", REQUIRED),
    )

    def __init__(self, session: str, reason: str) -> None:
        self.session = session
        self.reason = reason


class ForwardedOffer(Message):
    """An `Offer` of another member."""

    type = "offer"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("sender", "from", "string", REQUIRED),
        Field("negotiation", "negotiation", Negotiation, REQUIRED),
        Field("sdp", "sdp", "string", REQUIRED),
    )

    def __init__(self, session: str, sender: str, negotiation: Negotiation, sdp: str) -> None:
        self.session = session
        self.sender = sender
        self.negotiation = negotiation
        self.sdp = sdp


class ForwardedAnswer(Message):
    """An `Answer` of another member."""

    type = "answer"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("sender", "from", "string", REQUIRED),
        Field("negotiation", "negotiation", Negotiation, REQUIRED),
        Field("sdp", "sdp", "string", REQUIRED),
    )

    def __init__(self, session: str, sender: str, negotiation: Negotiation, sdp: str) -> None:
        self.session = session
        self.sender = sender
        self.negotiation = negotiation
        self.sdp = sdp


class ForwardedCandidates(Message):
    """`Candidates` of another member; without `negotiation` they belong to the current one."""

    type = "candidates"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("sender", "from", "string", REQUIRED),
        Field("negotiation", "negotiation", Negotiation, None),
        Field("candidates", "candidates", (Candidate,), REQUIRED),
        Field("end", "end", "boolean", False),
    )

    def __init__(
        self,
        session: str,
        sender: str,
        negotiation: Negotiation | None,
        candidates: list[Candidate],
        end: bool = False,
    ) -> None:
        self.session = session
        self.sender = sender
        self.negotiation = negotiation
        self.candidates = candidates
        self.end = end


class ForwardedIceError(Message):
    """An `IceError` of another member."""

    type = "ice-error"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("sender", "from", "string", REQUIRED),
        Field("text", "text", "string", REQUIRED),
    )

    def __init__(self, session: str, sender: str, text: str) -> None:
        self.session = session
        self.sender = sender
        self.text = text


class Error(Message):
    """A request was refused and changed nothing: a code, a sentence for people, the refused request's type."""

    type = "error"
    fields = (
        Field("code", "code", "string", REQUIRED),
        Field("message", "message", "string", REQUIRED),
        Field("about", "about", "string", None),
        Field("session", "session", "string", None),
        Field("id", "id", "string", None),
    )

    def __init__(
        self, code: str, message: str, about: str | None = None, session: str | None = None, id: str | None = None
    ) -> None:
        self.code = code
        self.message = message
        self.about = about
        self.session = session
        self.id = id


class Pong(Message):
    """The reply to `Ping`."""

    type = "pong"
    fields = (Field("id", "id", "string", None),)

    def __init__(self, id: str | None = None) -> None:
        self.id = id


FROM_SERVER = {
    message.type: message
    for message in (
        Welcome,
        Opened,
        Joined,
        Left,
        MemberJoined,
        MemberLeft,
        Ended,
        ForwardedOffer,
        ForwardedAnswer,
        ForwardedCandidates,
        ForwardedIceError,
        Error,
        Pong,
    )
}


def _read_shape(shape: Any, plain: Any, key: str) -> Any:
    """Return the attribute's value for a JSON value of this shape."""
    if isinstance(shape, tuple):
        if not isinstance(plain, list):
            raise BadMessageError(f"{key} is no list.")
        return [_read_shape(shape[0], element, key) for element in plain]
    if not isinstance(shape, str):
        return read(shape, plain)
    # bool is a kind of int on CPython and is none on MicroPython.
    boolean = plain is True or plain is False
    if shape == "string" and isinstance(plain, str):
        return plain
    if shape == "boolean" and boolean:
        return plain
    if shape == "number" and isinstance(plain, (int, float)) and not boolean:
        return plain
    if shape == "integer" and isinstance(plain, int) and not boolean:
        return plain
    raise BadMessageError(f"{key} is no {shape}.")


def read(cls: Any, plain: Any) -> Any:
    """Return the `Value` of class `cls` that a JSON object describes; unknown keys are ignored, null is absent.

    Raises:
        BadMessageError: it is no object, or a key is missing or has another shape.

    """
    if not isinstance(plain, dict):
        raise BadMessageError(f"{cls.__name__} is no object.")
    arguments = []
    for field in cls.fields:
        found = plain.get(field.key)
        if found is not None:
            arguments.append(_read_shape(field.shape, found, field.key))
        elif field.default is REQUIRED:
            raise BadMessageError(f"{cls.__name__} lacks {field.key}.")
        else:
            arguments.append(field.default)
    return cls(*arguments)


def to_plain(value: Any) -> Any:
    """Return the JSON value of an attribute's value: dicts for `Value` objects, without the keys that are None."""
    if isinstance(value, list):
        return [to_plain(element) for element in value]
    if not isinstance(value, Value):
        return value
    plain = {"type": value.type} if isinstance(value, Message) else {}
    for field in value.fields:
        attribute = getattr(value, field.attribute)
        if attribute is not None:
            plain[field.key] = to_plain(attribute)
    return plain


def encode(message: Message, codec: Codec) -> str:
    """Return the frame for a request."""
    return codec.dumps(to_plain(message))


def decode(frame: str, codec: Codec) -> Message | None:
    """Return the server's message in a frame; None when it is of a type that this client does not know.

    Raises:
        BadMessageError: it is not JSON, no object, or not of the form of its type.

    """
    try:
        plain = codec.loads(frame)
    except (ValueError, RuntimeError):
        # RuntimeError is what nesting too deep raises, on both runtimes.
        raise BadMessageError("The frame is not JSON.") from None
    if not isinstance(plain, dict) or not isinstance(plain.get("type"), str):
        raise BadMessageError("The frame is not an object with a type.")
    cls = FROM_SERVER.get(plain["type"])
    if cls is None:
        return None
    message: Message = read(cls, plain)
    return message
