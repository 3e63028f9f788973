"""The dialect of the original server's clients (docs/serde.md): an enum as serde encodes it in JSON. It never changes.

The enum is externally tagged: a variant without fields is a bare string, one with a field is `{"Name": value}`, one
with two fields is `{"Name": [first, second]}`.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple, TypeVar, assert_never

import orjson
from attrs import fields

from signald.core.errors import ErrorCode
from signald.core.ids import parse_session_id
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
    Source,
    Traits,
    UserId,
    Waiting,
    Welcome,
)
from signald.dialects.dialect import CloseFrame, DecodeError, Dialect

INVALID_PAYLOAD = 1007
"""The close code for data that is not consistent with the type of the message (RFC 6455 §7.4.1)."""

POLICY_VIOLATION = 1008
"""The close code for a message that violates the server's policy (RFC 6455 §7.4.1)."""

_SOURCE_KIND = "serde"
"""The kind of the `Source` of this dialect's messages."""

# The bounds are those that the message classes declare.
_MOST_CANDIDATE_CHARACTERS: int = fields(Candidate).candidate.metadata["most"]
_MOST_MID_CHARACTERS: int = fields(Candidate).sdp_mid.metadata["most"]
_MOST_LINE_INDEX: int = fields(Candidate).sdp_m_line_index.metadata["most"]
_MOST_FRAGMENT_CHARACTERS: int = fields(Candidate).username_fragment.metadata["most"]
_MOST_REASON_CHARACTERS: int = fields(IceError).text.metadata["most"]


class _Variant(NamedTuple):
    """One value of the enum: its name and its fields, which are at most two strings."""

    name: str
    fields: tuple[str, ...]


class Serde(Dialect):
    """Translates the frames of one client of the original server. It needs no hello, and its sessions have two members.

    Attributes:
        user: the client's user id, after the welcome.
        negotiations: the latest negotiation of each of its sessions, to which answers and candidates belong; None
            before the first offer. The protocol itself does not number negotiations.
        bases: the number that precedes the first negotiation of each of its sessions (`MemberView.base`).

    """

    subprotocol: ClassVar[str | None] = None
    traits: ClassVar[Traits] = Traits(
        rollback=False, renegotiates=False, waits=False, messages=False, most_members=2, source_kind=_SOURCE_KIND
    )

    def __init__(self) -> None:
        self.user = UserId("")
        self.negotiations: dict[SessionId, Negotiation | None] = {}
        self.bases: dict[SessionId, int] = {}

    def initial_requests(self) -> list[Request]:
        """Send a hello on the client's behalf."""
        return [Hello(version=1)]

    def decode(self, frame: bytes) -> list[Request]:
        """Decode one variant.

        The string of a candidate may hold anything. It is kept as it is, and translated where it is a candidate's JSON.

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
                negotiation = self._next_negotiation(session)
                if session in self.negotiations:
                    self.negotiations[session] = negotiation
                return [Offer(session, None, negotiation, sdp)]
            case _Variant("VideoAnswer", (sdp, text)):
                session = _session(text)
                return [Answer(session, None, self.negotiations.get(session) or self._next_negotiation(session), sdp)]
            case _Variant("IceCandidate", (candidate, text)):
                return [self._candidates(_session(text), candidate)]
            case _Variant("ICEError", (reason, text)):
                return [IceError(_session(text), None, reason[:_MOST_REASON_CHARACTERS], source=_cut_source(reason))]
            case _:
                raise DecodeError(ErrorCode.BAD_MESSAGE)

    def _candidates(self, session: SessionId, text: str) -> Candidates:
        translated = _translate_candidate(text)
        return Candidates(
            session,
            None,
            self.negotiations.get(session),
            () if translated is None else (translated,),
            source=Source(_SOURCE_KIND, text, translated=translated is not None),
        )

    def _next_negotiation(self, session: SessionId) -> Negotiation:
        """The negotiation that the client's next offer starts."""
        last = self.negotiations.get(session)
        is_own = last is not None and last.offerer == self.user
        return Negotiation(self.user, (last.n if is_own and last is not None else self.bases.get(session, 0)) + 1)

    def _reset_negotiation(self, session: SessionId, members: tuple[MemberView, ...]) -> None:
        """Forget a session's negotiation, since its other member has changed; `members` are the others, at most one."""
        self.negotiations[session] = None
        self.bases[session] = members[0].base if members else 0

    def encode(self, event: Event) -> list[bytes | CloseFrame]:
        """Encode the events that the original protocol has; all others are dropped."""
        match event:
            case Welcome():
                self.user = event.user
                return [_write("NewUser", event.user)]
            case Opened():
                self._reset_negotiation(event.session, event.members)
                return [_write("SessionReady", event.session)]
            case Joined():
                self._reset_negotiation(event.session, event.members)
                return [_write("SessionJoinSuccess", event.session)]
            case ForwardedOffer() | ForwardedAnswer() | ForwardedCandidates() | ForwardedIceError():
                return self._encode_forwarded(event)
            case Error():
                return _encode_error(event)
            case Left() | Ended() | MemberJoined() | MemberRenewed() | MemberLeft():
                self._follow_members(event)
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

    def _encode_forwarded(
        self, event: ForwardedOffer | ForwardedAnswer | ForwardedCandidates | ForwardedIceError
    ) -> list[bytes | CloseFrame]:
        """Encode what the other member sent; the text of a client with this dialect arrives as it was."""
        match event:
            case ForwardedOffer():
                self.negotiations[event.session] = event.negotiation
                return [_write("VideoOffer", event.sdp, event.session)]
            case ForwardedAnswer():
                return [_write("VideoAnswer", event.sdp, event.session)]
            case ForwardedCandidates(source=Source(text=text)):
                return [_write("IceCandidate", text, event.session)]
            case ForwardedCandidates():
                return [_write("IceCandidate", _write_candidate(c), event.session) for c in event.candidates]
            case ForwardedIceError(source=Source(text=text)):
                return [_write("ICEError", text, event.session)]
            case ForwardedIceError():
                return [_write("ICEError", event.text, event.session)]
            case _ as never:
                assert_never(never)

    def _follow_members(self, event: Left | Ended | MemberJoined | MemberRenewed | MemberLeft) -> None:
        """Forget the negotiation with a member who is gone or new, and that of a session that this client has left."""
        match event:
            case Left() | Ended():
                self.negotiations.pop(event.session, None)
                self.bases.pop(event.session, None)
            case MemberJoined() | MemberRenewed():
                self._reset_negotiation(event.session, (event.member,))
            case MemberLeft():
                # Candidates for the next member belong to no negotiation yet.
                self._reset_negotiation(event.session, ())
            case _ as never:
                assert_never(never)


def _encode_error(error: Error) -> list[bytes | CloseFrame]:
    """Encode an error. One that the protocol cannot express closes the connection, with the code as the reason.

    A message about a session in which the client is not a member gets no answer, since that would reveal whether the
    session exists.
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
    """Read a session id in any spelling; any other text is kept, as an id that no session has."""
    return parse_session_id(text) or SessionId(text)


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


def _cut_source(reason: str) -> Source | None:
    """The whole of a reason that is longer than other dialects allow; None where it is not."""
    return Source(_SOURCE_KIND, reason) if len(reason) > _MOST_REASON_CHARACTERS else None


def _translate_candidate(text: str) -> Candidate | None:
    """Translate a candidate, which is a string with JSON of its own; None where it is anything else."""
    try:
        body = orjson.loads(text)
        if type(body) is not dict:
            return None
        candidate = _optional(body, "candidate", str, _MOST_CANDIDATE_CHARACTERS)
        if candidate is None:
            return None
        return Candidate(
            candidate,
            sdp_mid=_optional(body, "sdpMid", str, _MOST_MID_CHARACTERS),
            sdp_m_line_index=_optional(body, "sdpMLineIndex", int, _MOST_LINE_INDEX),
            username_fragment=_optional(body, "usernameFragment", str, _MOST_FRAGMENT_CHARACTERS),
        )
    except ValueError:  # not JSON, or a value of another type or size
        return None


def _write_candidate(candidate: Candidate) -> str:
    """Encode a candidate with the three keys of the original protocol, and the fragment where there is one."""
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
    """The value of a key; None where it is absent or null.

    Raises:
        ValueError: the value has another type, or its size or number exceeds `most`.

    """
    value = body.get(key)
    if value is None:
        return None
    size = len(value) if isinstance(value, str) else value
    if type(value) is not type_ or not isinstance(size, int) or not 0 <= size <= most:
        raise ValueError
    return value
