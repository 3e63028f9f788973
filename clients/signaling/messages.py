"""The messages of docs/protocol.md as small classes.

Made from signald/core/messages.py by `make generate`, not by hand.

Requests are what the client sends, all else is what the server sends; `Ack` is both. `wire` says how they travel.
"""

from __future__ import annotations

from .wire import FROM_SERVER, REQUIRED, Field, Message, Value


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
    """An ICE candidate (W3C `RTCIceCandidateInit`); nothing in it is interpreted."""

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
    """A member as another one is told of it."""

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
    """The first request: who the client is and what it can do."""

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
    """The first request of one who comes back."""

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
        self.id = id


class Open(Message):
    """Open a session with the sender as its host, or a kept one again."""

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
        Field("id", "id", "string", None),
    )
    hidden = (
        "password",
        "host_key",
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
        self.id = id


class Join(Message):
    """Become a guest of a session; `name` is what the guest calls itself."""

    type = "join"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("name", "name", "string", None),
        Field("password", "password", "string", None),
        Field("id", "id", "string", None),
    )
    hidden = ("password",)

    def __init__(
        self, session: str, name: str | None = None, password: str | None = None, id: str | None = None
    ) -> None:
        self.session = session
        self.name = name
        self.password = password
        self.id = id


class Leave(Message):
    """Stop being a member of a session, or waiting at it."""

    type = "leave"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("id", "id", "string", None),
    )

    def __init__(self, session: str, id: str | None = None) -> None:
        self.session = session
        self.id = id


class Change(Message):
    """Make a session's settings different; None leaves one as it is. The host's, as those below to `End`."""

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
    """Let one who waits in the lobby in."""

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
    """Turn one who waits in the lobby away."""

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
    """End a guest's membership."""

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
    """Make a guest the host."""

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
    """End the session for all."""

    type = "end"
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
    """A session description that completes a negotiation; `to` as in `Offer`."""

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
    """A batch of candidates; `end` says that there are no more (RFC 8838 §13)."""

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
    """What went wrong with ICE, told to the other member; `to` as in `Offer`."""

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
    """What an application wants told to a member, or with None to every other one that hears such messages."""

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
    """So many countable messages have arrived; both sides say it."""

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
    """A question whether the server is still there."""

    type = "ping"
    counted = False
    fields = (Field("id", "id", "string", None),)

    def __init__(self, id: str | None = None) -> None:
        self.id = id


class Welcome(Message):
    """The reply to `Hello` and `Resume`."""

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
        Field("resumed", "resumed", "string", None),
        Field("received", "received", "integer", None),
        Field("role", "role", "string", None),
        Field("session", "session", "string", None),
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
        resumed: str | None = None,
        received: int | None = None,
        role: str | None = None,
        session: str | None = None,
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
        self.resumed = resumed
        self.received = received
        self.role = role
        self.session = session
        self.id = id


class Opened(Message):
    """The reply to `Open`; `members` are the others, and `host_key` is what opens a kept session again."""

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
        Field("id", "id", "string", None),
    )
    hidden = ("host_key",)

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
        self.id = id


class Joined(Message):
    """The reply to `Join`, and after a renewal; `members` are the others, in the order in which they came."""

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
        Field("id", "id", "string", None),
    )

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
        self.id = id


class Waiting(Message):
    """The reply to `Join` where the one who joins is not a member yet."""

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
    """One who waited waits no longer, and is not a member."""

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
    """The reply to a request that has no other: `done` on the wire."""

    type = "done"
    fields = (Field("id", "id", "string", None),)

    def __init__(self, id: str | None = None) -> None:
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
    """Another member went."""

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
    """Another member's connection is lost; what is sent to it waits."""

    type = "member-away"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
    )

    def __init__(self, session: str, user: str) -> None:
        self.session = session
        self.user = user


class MemberBack(Message):
    """Another member is back, and nothing was lost."""

    type = "member-back"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
    )

    def __init__(self, session: str, user: str) -> None:
        self.session = session
        self.user = user


class MemberRenewed(Message):
    """Another member is back without what it knew of the negotiations: they begin anew."""

    type = "member-renewed"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("member", "member", Member, REQUIRED),
    )

    def __init__(self, session: str, member: Member) -> None:
        self.session = session
        self.member = member


class HostChanged(Message):
    """A member is the host now."""

    type = "host-changed"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
    )

    def __init__(self, session: str, user: str) -> None:
        self.session = session
        self.user = user


class Changed(Message):
    """The session's settings are like this now."""

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
    """Somebody waits in the lobby; the host is told."""

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
    """Somebody waits in the lobby no longer; the host is told."""

    type = "knock-over"
    fields = (
        Field("session", "session", "string", REQUIRED),
        Field("user", "user", "string", REQUIRED),
    )

    def __init__(self, session: str, user: str) -> None:
        self.session = session
        self.user = user


class Ended(Message):
    """The session is no more, or no more for the one who is told."""

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
    """`Candidates` of another member."""

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


class ForwardedMessage(Message):
    """An `AppMessage` of another member."""

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
    """The STUN and TURN servers from now on, in the place of those that were told before."""

    type = "ice-servers"
    counted = False
    fields = (Field("ice_servers", "ice-servers", (IceServer,), REQUIRED),)

    def __init__(self, ice_servers: list[IceServer]) -> None:
        self.ice_servers = ice_servers


class GoingAway(Message):
    """The server is about to stop; `after` is the seconds after which the client is to come back."""

    type = "going-away"
    counted = False
    fields = (Field("after", "after", "number", REQUIRED),)

    def __init__(self, after: float) -> None:
        self.after = after


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
