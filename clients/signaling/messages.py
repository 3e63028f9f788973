"""The messages of docs/protocol.md as small classes.

`make generate` writes this file from signald/core/messages/; do not edit it.

The client sends requests and receives events; it does both with `Ack`. `wire` encodes and decodes them.
"""

from __future__ import annotations

from .wire import FROM_SERVER, REQUIRED, Field, Message, Value


class Negotiation(Value):
    """An offer/answer exchange of two members, identified by the offerer and the number of its offer, from 1."""

    fields = (
        Field("offerer", "offerer", "string", REQUIRED),
        Field("n", "n", "integer", REQUIRED),
    )

    def __init__(self, offerer: str, n: int) -> None:
        self.offerer = offerer
        self.n = n


class Candidate(Value):
    """An ICE candidate (W3C `RTCIceCandidateInit`), which the server forwards without interpreting it."""

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


class Member(Value):
    """A session member as the server describes it to another member, the receiver."""

    fields = (
        Field("user", "user", "string", REQUIRED),
        Field("role", "role", "string", REQUIRED),
        Field("polite", "polite", "boolean", REQUIRED),
        Field("offers_first", "offers-first", "boolean", REQUIRED),
        Field("base", "base", "integer", REQUIRED),
        Field("renegotiates", "renegotiates", "boolean", True),
        Field("messages", "messages", "boolean", True),
        Field("away", "away", "boolean", False),
        Field("name", "name", "string", None),
        Field("former", "former", "string", None),
        Field("connected", "connected", "boolean", False),
    )

    def __init__(
        self,
        user: str,
        role: str,
        polite: bool,
        offers_first: bool,
        base: int,
        renegotiates: bool = True,
        messages: bool = True,
        away: bool = False,
        name: str | None = None,
        former: str | None = None,
        connected: bool = False,
    ) -> None:
        self.user = user
        self.role = role
        self.polite = polite
        self.offers_first = offers_first
        self.base = base
        self.renegotiates = renegotiates
        self.messages = messages
        self.away = away
        self.name = name
        self.former = former
        self.connected = connected


class ServerLimits(Value):
    """The limits that a client needs: bytes per message, messages per second and at once, members per session."""

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


class IceServer(Value):
    """A STUN or TURN server for clients (W3C `RTCIceServer`)."""

    fields = (
        Field("urls", "urls", ("string",), REQUIRED),
        Field("username", "username", "string", None),
        Field("credential", "credential", "string", None),
        Field("expires", "expires", "number", None),
    )
    hidden = ("credential",)

    def __init__(
        self, urls: list[str], username: str | None = None, credential: str | None = None, expires: float | None = None
    ) -> None:
        self.urls = urls
        self.username = username
        self.credential = credential
        self.expires = expires


class Hello(Message):
    """The first request of a new client: its protocol version and its capabilities."""

    type = "hello"
    counted = False
    fields = (
        Field("version", "version", "integer", REQUIRED),
        Field("agent", "agent", "string", None),
        Field("features", "features", ("string",), None),
        Field("instance", "instance", "string", None),
        Field("token", "token", "string", None),
        Field("id", "id", "string", None),
    )
    hidden = ("token",)

    def __init__(
        self,
        version: int,
        agent: str | None = None,
        features: list[str] | None = None,
        instance: str | None = None,
        token: str | None = None,
        id: str | None = None,
    ) -> None:
        self.version = version
        self.agent = agent
        self.features = features or []
        self.instance = instance
        self.token = token
        self.id = id


class Resume(Message):
    """The first request of a reconnecting client, which resumes its identity."""

    type = "resume"
    counted = False
    fields = (
        Field("version", "version", "integer", REQUIRED),
        Field("user", "user", "string", REQUIRED),
        Field("secret", "secret", "string", REQUIRED),
        Field("instance", "instance", "string", REQUIRED),
        Field("received", "received", "integer", REQUIRED),
        Field("agent", "agent", "string", None),
        Field("features", "features", ("string",), None),
        Field("token", "token", "string", None),
        Field("connected", "connected", ("string",), None),
        Field("id", "id", "string", None),
    )
    hidden = (
        "secret",
        "token",
    )

    def __init__(
        self,
        version: int,
        user: str,
        secret: str,
        instance: str,
        received: int,
        agent: str | None = None,
        features: list[str] | None = None,
        token: str | None = None,
        connected: list[str] | None = None,
        id: str | None = None,
    ) -> None:
        self.version = version
        self.user = user
        self.secret = secret
        self.instance = instance
        self.received = received
        self.agent = agent
        self.features = features or []
        self.token = token
        self.connected = connected or []
        self.id = id


class Open(Message):
    """Open a new session with the sender as its host, or reopen a kept one."""

    type = "open"
    fields = (
        Field("capacity", "capacity", "integer", 2),
        Field("name", "name", "string", None),
        Field("label", "label", "string", None),
        Field("password", "password", "string", None),
        Field("lobby", "lobby", "boolean", False),
        Field("succession", "succession", "boolean", False),
        Field("keep", "keep", "boolean", False),
        Field("relay_only", "relay-only", "boolean", False),
        Field("session", "session", "string", None),
        Field("host_key", "host-key", "string", None),
        Field("ticket", "ticket", "string", None),
        Field("connected", "connected", ("string",), None),
        Field("id", "id", "string", None),
    )
    hidden = (
        "password",
        "host_key",
        "ticket",
    )

    def __init__(
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
        id: str | None = None,
    ) -> None:
        self.capacity = capacity
        self.name = name
        self.label = label
        self.password = password
        self.lobby = lobby
        self.succession = succession
        self.keep = keep
        self.relay_only = relay_only
        self.session = session
        self.host_key = host_key
        self.ticket = ticket
        self.connected = connected or []
        self.id = id


class Join(Message):
    """Join a session as a guest."""

    type = "join"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("name", "name", "string", None),
        Field("password", "password", "string", None),
        Field("ticket", "ticket", "string", None),
        Field("connected", "connected", ("string",), None),
        Field("id", "id", "string", None),
    )
    hidden = (
        "password",
        "ticket",
    )

    def __init__(
        self,
        session: str,
        name: str | None = None,
        password: str | None = None,
        ticket: str | None = None,
        connected: list[str] | None = None,
        id: str | None = None,
    ) -> None:
        self.session = session
        self.name = name
        self.password = password
        self.ticket = ticket
        self.connected = connected or []
        self.id = id


class Leave(Message):
    """Leave a session, or stop waiting to be admitted to it."""

    type = "leave"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, id: str | None = None) -> None:
        self.session = session
        self.id = id


class Change(Message):
    """Change a session's settings; None leaves one unchanged. This and the requests up to `End` are the host's."""

    type = "change"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("label", "label", "string", None),
        Field("locked", "locked", "boolean", None),
        Field("lobby", "lobby", "boolean", None),
        Field("id", "id", "string", None),
    )

    def __init__(
        self,
        session: str,
        label: str | None = None,
        locked: bool | None = None,
        lobby: bool | None = None,
        id: str | None = None,
    ) -> None:
        self.session = session
        self.label = label
        self.locked = locked
        self.lobby = lobby
        self.id = id


class Admit(Message):
    """Admit a visitor from the lobby."""

    type = "admit"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, user: str, id: str | None = None) -> None:
        self.session = session
        self.user = user
        self.id = id


class Refuse(Message):
    """Turn a visitor in the lobby away."""

    type = "refuse"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, user: str, id: str | None = None) -> None:
        self.session = session
        self.user = user
        self.id = id


class Remove(Message):
    """Remove a guest from the session; the guest cannot join it again."""

    type = "remove"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, user: str, id: str | None = None) -> None:
        self.session = session
        self.user = user
        self.id = id


class HandOver(Message):
    """Make a guest the host in the sender's place."""

    type = "hand-over"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, user: str, id: str | None = None) -> None:
        self.session = session
        self.user = user
        self.id = id


class End(Message):
    """End the session for all members."""

    type = "end"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, id: str | None = None) -> None:
        self.session = session
        self.id = id


class Offer(Message):
    """A session description that starts a negotiation (RFC 9429 §4.1.1)."""

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
    """A session description that completes a negotiation; `to` is as in `Offer`."""

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
    """A batch of ICE candidates; `end` marks the end of candidates (RFC 8838 §13)."""

    type = "candidates"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("to", "to", "string", REQUIRED),
        Field("negotiation", "negotiation", Negotiation, REQUIRED),
        Field("candidates", "candidates", (Candidate,), REQUIRED),
        Field("end", "end", "boolean", False),
        Field("id", "id", "string", None),
    )

    def __init__(
        self,
        session: str,
        to: str,
        negotiation: Negotiation,
        candidates: list[Candidate],
        end: bool = False,
        id: str | None = None,
    ) -> None:
        self.session = session
        self.to = to
        self.negotiation = negotiation
        self.candidates = candidates
        self.end = end
        self.id = id


class IceError(Message):
    """A description of an ICE failure for the other member; `to` is as in `Offer`."""

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


class AppMessage(Message):
    """An application message to one member, or with `to` None to every other member that accepts such messages."""

    type = "message"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("content", "content", "string", REQUIRED),
        Field("to", "to", "string", None),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, content: str, to: str | None = None, id: str | None = None) -> None:
        self.session = session
        self.content = content
        self.to = to
        self.id = id


class Ack(Message):
    """An acknowledgement of all counted messages up to `received`; both sides send it."""

    type = "ack"
    counted = False
    fields = (
        Field("received", "received", "integer", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, received: int, id: str | None = None) -> None:
        self.received = received
        self.id = id


class Ping(Message):
    """A check whether the server still answers."""

    type = "ping"
    counted = False
    fields = (Field("id", "id", "string", None),)

    def __init__(self, id: str | None = None) -> None:
        self.id = id


class Welcome(Message):
    """The reply to `Hello` and `Resume`: the client's identity and the server's limits."""

    type = "welcome"
    counted = False
    fields = (
        Field("version", "version", "integer", REQUIRED),
        Field("server", "server", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
        Field("features", "features", ("string",), REQUIRED),
        Field("limits", "limits", ServerLimits, REQUIRED),
        Field("ice_servers", "ice-servers", (IceServer,), REQUIRED),
        Field("secret", "secret", "string", None),
        Field("grace", "grace", "number", None),
        Field("hold", "hold", "number", None),
        Field("resumed", "resumed", "string", None),
        Field("received", "received", "integer", None),
        Field("role", "role", "string", None),
        Field("session", "session", "string", None),
        Field("reference", "reference", "string", None),
        Field("id", "id", "string", None),
    )
    hidden = ("secret",)

    def __init__(
        self,
        version: int,
        server: str,
        user: str,
        features: list[str],
        limits: ServerLimits,
        ice_servers: list[IceServer],
        secret: str | None = None,
        grace: float | None = None,
        hold: float | None = None,
        resumed: str | None = None,
        received: int | None = None,
        role: str | None = None,
        session: str | None = None,
        reference: str | None = None,
        id: str | None = None,
    ) -> None:
        self.version = version
        self.server = server
        self.user = user
        self.features = features
        self.limits = limits
        self.ice_servers = ice_servers
        self.secret = secret
        self.grace = grace
        self.hold = hold
        self.resumed = resumed
        self.received = received
        self.role = role
        self.session = session
        self.reference = reference
        self.id = id


class Opened(Message):
    """The reply to `Open`; `members` are the others, and `host_key` reopens a kept session."""

    type = "opened"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("capacity", "capacity", "integer", REQUIRED),
        Field("locked", "locked", "boolean", REQUIRED),
        Field("lobby", "lobby", "boolean", REQUIRED),
        Field("members", "members", (Member,), None),
        Field("label", "label", "string", None),
        Field("host_key", "host-key", "string", None),
        Field("relay_only", "relay-only", "boolean", False),
        Field("ticket", "ticket", "string", None),
        Field("id", "id", "string", None),
    )
    hidden = (
        "host_key",
        "ticket",
    )

    def __init__(
        self,
        session: str,
        capacity: int,
        locked: bool,
        lobby: bool,
        members: list[Member] | None = None,
        label: str | None = None,
        host_key: str | None = None,
        relay_only: bool = False,
        ticket: str | None = None,
        id: str | None = None,
    ) -> None:
        self.session = session
        self.capacity = capacity
        self.locked = locked
        self.lobby = lobby
        self.members = members or []
        self.label = label
        self.host_key = host_key
        self.relay_only = relay_only
        self.ticket = ticket
        self.id = id


class Joined(Message):
    """The receiver is a member now, or again after its state was lost; `members` are the others in join order."""

    type = "joined"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("capacity", "capacity", "integer", REQUIRED),
        Field("locked", "locked", "boolean", REQUIRED),
        Field("lobby", "lobby", "boolean", REQUIRED),
        Field("role", "role", "string", REQUIRED),
        Field("members", "members", (Member,), REQUIRED),
        Field("label", "label", "string", None),
        Field("relay_only", "relay-only", "boolean", False),
        Field("ticket", "ticket", "string", None),
        Field("id", "id", "string", None),
    )
    hidden = ("ticket",)

    def __init__(
        self,
        session: str,
        capacity: int,
        locked: bool,
        lobby: bool,
        role: str,
        members: list[Member],
        label: str | None = None,
        relay_only: bool = False,
        ticket: str | None = None,
        id: str | None = None,
    ) -> None:
        self.session = session
        self.capacity = capacity
        self.locked = locked
        self.lobby = lobby
        self.role = role
        self.members = members
        self.label = label
        self.relay_only = relay_only
        self.ticket = ticket
        self.id = id


class Waiting(Message):
    """The reply to `Join` where the sender has to wait for the host or for admission."""

    type = "waiting"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("reason", "reason", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, reason: str, id: str | None = None) -> None:
        self.session = session
        self.reason = reason
        self.id = id


class NotAdmitted(Message):
    """The receiver no longer waits for admission and has not become a member."""

    type = "not-admitted"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("reason", "reason", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, reason: str, id: str | None = None) -> None:
        self.session = session
        self.reason = reason
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


class Done(Message):
    """The reply to a request that succeeded and has no reply of its own: `done` on the wire."""

    type = "done"
    fields = (Field("id", "id", "string", None),)

    def __init__(self, id: str | None = None) -> None:
        self.id = id


class MemberJoined(Message):
    """Another member joined."""

    type = "member-joined"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("member", "member", Member, REQUIRED),
    )

    def __init__(self, session: str, member: Member) -> None:
        self.session = session
        self.member = member


class MemberLeft(Message):
    """Another member left."""

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


class MemberAway(Message):
    """Another member's connection is lost; the server keeps messages to it until it is back."""

    type = "member-away"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
    )

    def __init__(self, session: str, user: str) -> None:
        self.session = session
        self.user = user


class MemberBack(Message):
    """Another member has reconnected, and no message was lost."""

    type = "member-back"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
    )

    def __init__(self, session: str, user: str) -> None:
        self.session = session
        self.user = user


class MemberRenewed(Message):
    """Another member has reconnected without its earlier state: all negotiations with it start over."""

    type = "member-renewed"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("member", "member", Member, REQUIRED),
    )

    def __init__(self, session: str, member: Member) -> None:
        self.session = session
        self.member = member


class HostChanged(Message):
    """Another member has become the host, or the receiver has, with the `ticket` of a host."""

    type = "host-changed"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
        Field("ticket", "ticket", "string", None),
    )
    hidden = ("ticket",)

    def __init__(self, session: str, user: str, ticket: str | None = None) -> None:
        self.session = session
        self.user = user
        self.ticket = ticket


class Changed(Message):
    """The session's settings have changed to these."""

    type = "changed"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("locked", "locked", "boolean", REQUIRED),
        Field("lobby", "lobby", "boolean", REQUIRED),
        Field("label", "label", "string", None),
    )

    def __init__(self, session: str, locked: bool, lobby: bool, label: str | None = None) -> None:
        self.session = session
        self.locked = locked
        self.lobby = lobby
        self.label = label


class Knock(Message):
    """A visitor waits in the lobby; only the host gets this."""

    type = "knock"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
        Field("name", "name", "string", None),
    )

    def __init__(self, session: str, user: str, name: str | None = None) -> None:
        self.session = session
        self.user = user
        self.name = name


class KnockOver(Message):
    """A visitor no longer waits in the lobby; only the host gets this."""

    type = "knock-over"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
    )

    def __init__(self, session: str, user: str) -> None:
        self.session = session
        self.user = user


class Ended(Message):
    """The session has ended, or ended for the receiver alone."""

    type = "ended"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("reason", "reason", "string", REQUIRED),
    )

    def __init__(self, session: str, reason: str) -> None:
        self.session = session
        self.reason = reason


class ForwardedOffer(Message):
    """An `Offer` from another member."""

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
    """An `Answer` from another member."""

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
    """`Candidates` from another member."""

    type = "candidates"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("sender", "from", "string", REQUIRED),
        Field("candidates", "candidates", (Candidate,), REQUIRED),
        Field("negotiation", "negotiation", Negotiation, None),
        Field("end", "end", "boolean", False),
    )

    def __init__(
        self,
        session: str,
        sender: str,
        candidates: list[Candidate],
        negotiation: Negotiation | None = None,
        end: bool = False,
    ) -> None:
        self.session = session
        self.sender = sender
        self.candidates = candidates
        self.negotiation = negotiation
        self.end = end


class ForwardedIceError(Message):
    """An `IceError` from another member."""

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


class ForwardedMessage(Message):
    """An `AppMessage` from another member."""

    type = "message"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("sender", "from", "string", REQUIRED),
        Field("content", "content", "string", REQUIRED),
    )

    def __init__(self, session: str, sender: str, content: str) -> None:
        self.session = session
        self.sender = sender
        self.content = content


class IceServers(Message):
    """The STUN and TURN servers to use from now on; they replace the earlier ones."""

    type = "ice-servers"
    counted = False
    fields = (Field("ice_servers", "ice-servers", (IceServer,), REQUIRED),)

    def __init__(self, ice_servers: list[IceServer]) -> None:
        self.ice_servers = ice_servers


class GoingAway(Message):
    """The server is stopping; the client reconnects after `after` seconds, and holds messages for `hold` seconds."""

    type = "going-away"
    counted = False
    fields = (
        Field("after", "after", "number", REQUIRED),
        Field("hold", "hold", "number", None),
    )

    def __init__(self, after: float, hold: float | None = None) -> None:
        self.after = after
        self.hold = hold


class Pong(Message):
    """The reply to `Ping`."""

    type = "pong"
    counted = False
    fields = (Field("id", "id", "string", None),)

    def __init__(self, id: str | None = None) -> None:
        self.id = id


class Error(Message):
    """A request was refused and changed nothing."""

    type = "error"
    counted = False
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


for _message in (
    Welcome,
    Opened,
    Joined,
    Waiting,
    NotAdmitted,
    Left,
    Done,
    MemberJoined,
    MemberLeft,
    MemberAway,
    MemberBack,
    MemberRenewed,
    HostChanged,
    Changed,
    Knock,
    KnockOver,
    Ended,
    ForwardedOffer,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    Ack,
    IceServers,
    GoingAway,
    Pong,
    Error,
):
    FROM_SERVER[_message.type] = _message
