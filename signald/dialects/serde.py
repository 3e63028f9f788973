"""The original's protocol: an enum as serde writes it in JSON, externally tagged (docs/serde.md). It never changes.

A unit variant is a bare string, a one-field variant `{"Name": value}`, a two-field one `{"Name": [first, second]}`.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple, TypeVar, assert_never

import orjson

from signald.core.errors import ErrorCode
from signald.core.ids import read_session_id
from signald.core.messages import (
    Ack,
    Answer,
    Candidate,
    Candidates,
    Changed,
    Debug,
    Done,
    Ended,
    Error,
    Event,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    GoingAway,
    Hello,
    HostChanged,
    IceError,
    IceServers,
    Join,
    Joined,
    Knock,
    KnockOver,
    Left,
    MemberAway,
    MemberBack,
    MemberJoined,
    MemberLeft,
    MemberRenewed,
    MemberView,
    Negotiation,
    NotAdmitted,
    Offer,
    Open,
    Opened,
    Pong,
    Request,
    SessionId,
    Traits,
    UserId,
    Waiting,
    Welcome,
)
from signald.dialects.dialect import CloseFrame, DecodeError, Dialect

INVALID_PAYLOAD = 1007
"""RFC 6455 §7.4.1: data within a message that was not consistent with the type of the message."""

POLICY_VIOLATION = 1008
"""RFC 6455 §7.4.1: a message that violates the server's policy."""

_MOST_CANDIDATE_CHARACTERS = 4096
_MOST_MID_CHARACTERS = 256
_MOST_REASON_CHARACTERS = 1024


class _Variant(NamedTuple):
    """One value of the enum: its name, and its fields, none to two strings."""

    name: str
    fields: tuple[str, ...]


class Serde(Dialect):
    """One connection of the original's kind: it is welcomed without a hello, and its sessions are for two.

    Attributes:
        user: its own id, since the welcome.
        negotiations: for each of its sessions the last offer, sent or received: what an answer or a candidate
            belongs to. None before the first.
        bases: for each of its sessions, what the numbers of its negotiations are greater than.

    """

    subprotocol: ClassVar[str | None] = None
    traits: ClassVar[Traits] = Traits(rollback=False, renegotiates=False, waits=False, messages=False, most_members=2)

    def __init__(self) -> None:
        self.user = UserId("")
        self.negotiations: dict[SessionId, Negotiation | None] = {}
        self.bases: dict[SessionId, int] = {}

    def opened(self) -> list[Request]:
        """Say hello on the peer's behalf."""
        return [Hello(version=1)]

    def received(self, frame: bytes) -> list[Request]:
        """Decode one variant.

        Raises:
            DecodeError: `bad-message`.

        """
        match _read(frame):
            case _Variant("SessionNew", ()):
                return [Open()]
            case _Variant("Debug", ()):
                return [Debug()]
            case _Variant("SessionJoin", (text,)):
                return [Join(_session(text))]
            case _Variant("VideoOffer", (sdp, text)):
                session = _session(text)
                negotiation = self._next(session)
                if session in self.negotiations:
                    self.negotiations[session] = negotiation
                return [Offer(session, None, negotiation, sdp)]
            case _Variant("VideoAnswer", (sdp, text)):
                session = _session(text)
                return [Answer(session, None, self.negotiations.get(session) or self._next(session), sdp)]
            case _Variant("IceCandidate", (candidate, text)):
                session = _session(text)
                return [Candidates(session, None, self.negotiations.get(session), (_read_candidate(candidate),))]
            case _Variant("ICEError", (reason, text)):
                return [IceError(_session(text), None, reason[:_MOST_REASON_CHARACTERS])]
            case _:
                raise DecodeError(ErrorCode.BAD_MESSAGE)

    def _next(self, session: SessionId) -> Negotiation:
        """The negotiation that the next offer of this peer opens."""
        last = self.negotiations.get(session)
        own = last is not None and last.offerer == self.user
        return Negotiation(self.user, (last.n if own and last is not None else self.bases.get(session, 0)) + 1)

    def _begin(self, session: SessionId, members: tuple[MemberView, ...]) -> None:
        """Nothing is negotiated yet with those who are there: nobody, or one."""
        self.negotiations[session] = None
        self.bases[session] = members[0].base if members else 0

    def encode(self, event: Event) -> list[bytes | CloseFrame]:
        """Encode what the original's clients know; they hear nothing else."""
        match event:
            case Welcome():
                self.user = event.user
                return [_write("NewUser", event.user)]
            case Opened():
                self._begin(event.session, event.members)
                return [_write("SessionReady", event.session)]
            case Joined():
                self._begin(event.session, event.members)
                return [_write("SessionJoinSuccess", event.session)]
            case ForwardedOffer():
                self.negotiations[event.session] = event.negotiation
                return [_write("VideoOffer", event.sdp, event.session)]
            case ForwardedAnswer():
                return [_write("VideoAnswer", event.sdp, event.session)]
            case ForwardedCandidates():
                return [_write("IceCandidate", _write_candidate(c), event.session) for c in event.candidates]
            case ForwardedIceError():
                return [_write("ICEError", event.text, event.session)]
            case Error():
                return _refusal(event)
            case Left() | Ended():
                self.negotiations.pop(event.session, None)
                self.bases.pop(event.session, None)
                return []
            case MemberJoined() | MemberRenewed():
                self._begin(event.session, (event.member,))
                return []
            case MemberLeft():
                # Candidates for whoever comes next belong to no negotiation yet.
                self._begin(event.session, ())
                return []
            case (
                Done()
                | Ack()
                | Changed()
                | ForwardedMessage()
                | GoingAway()
                | HostChanged()
                | IceServers()
                | Knock()
                | KnockOver()
                | MemberAway()
                | MemberBack()
                | NotAdmitted()
                | Pong()
                | Waiting()
            ):
                return []
            case _ as never:
                assert_never(never)


def _refusal(error: Error) -> list[bytes | CloseFrame]:
    """An error as this protocol can say it; what it cannot say ends the connection, with the code as the reason.

    An outsider's message about a session gets no answer, which would tell whether the session exists.
    """
    if error.code is ErrorCode.NOT_A_MEMBER:
        return []
    if error.about is Join:
        return [_write("SessionJoinError", error.code.sentence)]
    if error.session is not None:
        return [_write("ICEError", error.code.sentence, error.session)]
    code = INVALID_PAYLOAD if error.code is ErrorCode.BAD_MESSAGE else POLICY_VIOLATION
    return [CloseFrame(code, error.code.value)]


def _session(text: str) -> SessionId:
    """Read a session id in any spelling. A text that is none stays as it is: an id that no session has."""
    return read_session_id(text) or SessionId(text)


def _read(frame: bytes) -> _Variant:
    try:
        body = orjson.loads(frame)
    except orjson.JSONDecodeError:
        raise DecodeError(ErrorCode.BAD_MESSAGE) from None
    match body:
        case str():
            return _Variant(body, ())
        case dict() if len(body) == 1:
            [(name, value)] = body.items()
            fields = value if type(value) is list else [] if value is None else [value]
            if all(type(field) is str for field in fields):
                return _Variant(name, tuple(fields))
    raise DecodeError(ErrorCode.BAD_MESSAGE)


def _write(name: str, *fields: str) -> bytes:
    return orjson.dumps({name: fields[0] if len(fields) == 1 else fields})


def _read_candidate(text: str) -> Candidate:
    """Read the candidate's own JSON, a string within the message."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise DecodeError(ErrorCode.BAD_MESSAGE) from None
    if type(body) is not dict:
        raise DecodeError(ErrorCode.BAD_MESSAGE)
    candidate = _optional(body, "candidate", str, _MOST_CANDIDATE_CHARACTERS)
    if candidate is None:
        raise DecodeError(ErrorCode.BAD_MESSAGE)
    return Candidate(
        candidate,
        sdp_mid=_optional(body, "sdpMid", str, _MOST_MID_CHARACTERS),
        sdp_m_line_index=_optional(body, "sdpMLineIndex", int, 65535),
        username_fragment=_optional(body, "usernameFragment", str, _MOST_MID_CHARACTERS),
    )


def _write_candidate(candidate: Candidate) -> str:
    """Write the three keys that the original has, and the fragment only where there is one."""
    body = {
        "candidate": candidate.candidate,
        "sdpMid": candidate.sdp_mid,
        "sdpMLineIndex": candidate.sdp_m_line_index,
    }
    if candidate.username_fragment is not None:
        body["usernameFragment"] = candidate.username_fragment
    return orjson.dumps(body).decode()


_Value = TypeVar("_Value", str, int)


def _optional(body: dict[str, object], key: str, type_: type[_Value], most: int) -> _Value | None:
    """A key's value of this type, at most so long or so great; None where it is absent or null."""
    value = body.get(key)
    if value is None:
        return None
    size = len(value) if isinstance(value, str) else value
    if type(value) is not type_ or not isinstance(size, int) or not 0 <= size <= most:
        raise DecodeError(ErrorCode.BAD_MESSAGE)
    return value
