"""The native dialect, `signald.1` (docs/protocol.md): JSON objects tagged by `type`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, ClassVar, cast, get_args, get_origin

import orjson
from attrs import NOTHING, Attribute, fields, resolve_types
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from signald.core.direct_forwarding import DirectMessage
from signald.core.errors import ErrorCode
from signald.core.ice_server import IceServer
from signald.core.ids import is_user_id, parse_session_id
from signald.core.messages import (
    INTERNAL,
    Ack,
    Admit,
    Answer,
    AppMessage,
    Candidate,
    Candidates,
    Change,
    Changed,
    Count,
    CountedEvent,
    Done,
    End,
    Ended,
    Error,
    Event,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    GoingAway,
    HandOver,
    Hello,
    HostChanged,
    IceError,
    IceServers,
    Instance,
    Join,
    Joined,
    Knock,
    KnockOver,
    Leave,
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
    Ping,
    Pong,
    Refuse,
    Remove,
    Request,
    RequestId,
    Resume,
    Secret,
    ServerLimits,
    SessionId,
    UserId,
    Waiting,
    Welcome,
)
from signald.dialects.dialect import CloseFrame, DecodeError, Dialect
from signald.dialects.native_forwarding import read_message

REQUESTS: dict[str, type[Request]] = {
    "hello": Hello,
    "resume": Resume,
    "open": Open,
    "join": Join,
    "leave": Leave,
    "change": Change,
    "admit": Admit,
    "refuse": Refuse,
    "remove": Remove,
    "hand-over": HandOver,
    "end": End,
    "offer": Offer,
    "answer": Answer,
    "candidates": Candidates,
    "ice-error": IceError,
    "message": AppMessage,
    "ack": Ack,
    "ping": Ping,
}
"""The request classes by their `type` on the wire."""

EVENTS: dict[type[Event], str] = {
    Welcome: "welcome",
    Opened: "opened",
    Joined: "joined",
    Waiting: "waiting",
    NotAdmitted: "not-admitted",
    Left: "left",
    Done: "done",
    MemberJoined: "member-joined",
    MemberLeft: "member-left",
    MemberAway: "member-away",
    MemberBack: "member-back",
    MemberRenewed: "member-renewed",
    HostChanged: "host-changed",
    Changed: "changed",
    Knock: "knock",
    KnockOver: "knock-over",
    Ended: "ended",
    ForwardedOffer: "offer",
    ForwardedAnswer: "answer",
    ForwardedCandidates: "candidates",
    ForwardedIceError: "ice-error",
    ForwardedMessage: "message",
    Ack: "ack",
    IceServers: "ice-servers",
    GoingAway: "going-away",
    Pong: "pong",
}
"""The events' `type` on the wire. `error` is not here: it is encoded separately, to add the sentence to the code."""

_COUNTED_EVENTS: dict[str, Any] = {EVENTS[class_]: class_ for class_ in get_args(CountedEvent)}
"""The classes of the counted events by their `type`."""

NESTED = (Negotiation, Candidate, MemberView, ServerLimits, IceServer)
"""The classes of objects inside messages."""

_TYPES: dict[type[Request], str] = {request: name for name, request in REQUESTS.items()}

_KEYS = {
    "sdp_mid": "sdpMid",
    "sdp_m_line_index": "sdpMLineIndex",
    "username_fragment": "usernameFragment",
    "sender": "from",
}

_Bounds = Mapping[str, int]
_UNBOUNDED: _Bounds = {}
_ID_BOUNDS: _Bounds = {"most": 64}
_MOST_WHOLE = 2**31 - 1
_MOST_COUNT = 2**53 - 1


def key(name: str) -> str:
    """The JSON key of a message class's field."""
    return _KEYS.get(name, name.replace("_", "-"))


def wire_fields(class_: Any) -> list[Attribute[Any]]:
    """The fields of a message class that have a key in JSON, in their order."""
    return [attribute for attribute in fields(class_) if not _is_internal(attribute)]


def _is_internal(attribute: Attribute[Any]) -> bool:
    return INTERNAL.keys() <= attribute.metadata.keys()


class Native(Dialect):
    """Translates the frames of one `signald.1` connection."""

    subprotocol: ClassVar[str | None] = "signald.1"

    def decode(self, frame: bytes) -> list[Request]:
        """Decode one request: values are read strictly, nothing is coerced, and unknown keys are ignored and counted.

        Raises:
            DecodeError: `bad-message`.

        """
        try:
            body = orjson.loads(frame)
        except orjson.JSONDecodeError:
            raise DecodeError(ErrorCode.BAD_MESSAGE) from None
        if type(body) is not dict:
            raise DecodeError(ErrorCode.BAD_MESSAGE)
        name = body.pop("type", None)
        if name == "ack" and len(body) == 1 and _is_count(body.get("received")):
            # Every client sends one for each sixteen messages, and this takes a tenth of the time.
            return [Ack(body["received"])]
        about = REQUESTS.get(name) if type(name) is str else None
        if about is not None:
            try:
                request = _converter.structure(body, about)
            except (ValueError, KeyError):  # wrong value, missing key
                pass
            else:
                self.unknown_keys += _count_unknown_keys(body, about)
                return [request]
        raise DecodeError(ErrorCode.BAD_MESSAGE, about, _readable_id(body))

    def read_direct(self, frame: bytes) -> DirectMessage | None:
        """Read an offer, an answer, candidates or a message without unknown keys."""
        try:
            body = orjson.loads(frame)
        except orjson.JSONDecodeError:
            return None
        return read_message(body, decode_event) if type(body) is dict else None

    def encode(self, event: Event) -> list[bytes | CloseFrame]:
        """Encode one event."""
        if isinstance(event, Error):
            return [orjson.dumps(_error(event))]
        return [orjson.dumps({"type": EVENTS[type(event)], **_converter.unstructure(event)})]


def decode_event(frame: bytes) -> CountedEvent:
    """Decode a frame with a counted event, which this dialect has encoded."""
    body = orjson.loads(frame)
    event: CountedEvent = _converter.structure(body, _COUNTED_EVENTS[body.pop("type")])
    return event


def _error(error: Error) -> dict[str, str]:
    body = {"type": "error", "code": error.code.value, "message": error.code.sentence}
    if error.about in _TYPES:
        body["about"] = _TYPES[error.about]
    if error.session is not None:
        body["session"] = error.session
    if error.id is not None:
        body["id"] = error.id
    return body


def _count_unknown_keys(body: dict[str, Any], class_: type) -> int:
    """Count the keys that a class does not have in a valid object of it, and in the objects inside."""
    count = len(body) - len(body.keys() & _KNOWN_KEYS[class_])
    for name, inner in _INNER_CLASSES[class_]:
        value = body.get(name, [])
        for element in value if type(value) is list else [value]:
            count += _count_unknown_keys(element, inner)
    return count


def _readable_id(body: dict[str, Any]) -> RequestId | None:
    """The id of an invalid request, so that its sender can relate the error to it; None without a valid id."""
    try:
        return _request_id(body.get("id"))
    except ValueError:
        return None


# Strict readers for cattrs, which alone would coerce 5 to "5" and null to "None".


def _string(value: object, bounds: _Bounds = _UNBOUNDED) -> str:
    if type(value) is not str or not bounds.get("least", 0) <= len(value) <= bounds.get("most", len(value)):
        raise ValueError
    return value


def _whole(value: object, bounds: _Bounds) -> int:
    if type(value) is not int or not bounds.get("least", 0) <= value <= bounds.get("most", _MOST_WHOLE):
        raise ValueError
    return value


def _boolean(value: object, _bounds: _Bounds = _UNBOUNDED) -> bool:
    if type(value) is not bool:
        raise ValueError
    return value


def _request_id(value: object, _bounds: _Bounds = _UNBOUNDED) -> RequestId:
    text = _string(value, _ID_BOUNDS)
    if not text:
        raise ValueError
    return RequestId(text)


def _user(value: object, _bounds: _Bounds = _UNBOUNDED) -> UserId:
    text = _string(value)
    if not is_user_id(text):
        raise ValueError
    return UserId(text)


def _session(value: object, _bounds: _Bounds = _UNBOUNDED) -> SessionId:
    """Read a session id in any spelling; any other text is kept, as an id that no session has."""
    text = _string(value, _ID_BOUNDS)
    return parse_session_id(text) or SessionId(text)


def _secret(value: object, _bounds: _Bounds = _UNBOUNDED) -> Secret:
    """Read a secret. Its form is not checked, since a malformed secret matches no identity anyway."""
    return Secret(_string(value, _ID_BOUNDS))


def _instance(value: object, _bounds: _Bounds = _UNBOUNDED) -> Instance:
    return Instance(_request_id(value))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST_COUNT


def _count(value: object, _bounds: _Bounds = _UNBOUNDED) -> Count:
    if not _is_count(value):
        raise ValueError
    return cast(Count, value)


_READERS: dict[Any, Callable[[object, _Bounds], object]] = {
    str: _string,
    int: _whole,
    bool: _boolean,
    RequestId: _request_id,
    UserId: _user,
    SessionId: _session,
    Secret: _secret,
    Instance: _instance,
    Count: _count,
}


def _hook(type_: Any, bounds: _Bounds) -> Callable[[object, Any], object]:
    """Make the cattrs hook that reads a field; null is not a valid value of any (docs/protocol.md, "Connection")."""
    inner = [argument for argument in get_args(type_) if argument not in (NoneType, Ellipsis)]
    if get_origin(type_) is tuple:
        item = _hook(inner[0], _UNBOUNDED)

        def read_list(value: object, _: Any) -> object:
            if type(value) is not list or len(value) > bounds.get("most", len(value)):
                raise ValueError
            return tuple(item(element, inner[0]) for element in value)

        return read_list
    if inner:
        return _hook(inner[0], bounds)
    reader = _READERS.get(type_)
    if reader is None:
        return lambda value, _: _nested(value, type_)
    return lambda value, _: reader(value, bounds)


def _nested(value: object, type_: Any) -> object:
    if type(value) is not dict:
        raise ValueError
    return _converter.structure(value, type_)


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=False)
    # Nested classes come first: cattrs binds their hooks when it makes the hooks of the classes that contain them.
    for class_ in (*NESTED, *REQUESTS.values(), *EVENTS):
        resolve_types(class_)
        reads: dict[str, Any] = {}
        writes: dict[str, Any] = {}
        for attribute in fields(class_):
            if _is_internal(attribute):
                reads[attribute.name] = writes[attribute.name] = override(omit=True)
                continue
            name = key(attribute.name)
            reads[attribute.name] = override(rename=name, struct_hook=_hook(attribute.type, attribute.metadata))
            writes[attribute.name] = override(rename=name, omit_if_default=attribute.default is not NOTHING)
        converter.register_structure_hook(class_, make_dict_structure_fn(class_, converter, **reads))
        converter.register_unstructure_hook(class_, make_dict_unstructure_fn(class_, converter, **writes))
    return converter


_converter = _make_converter()


def _inner_class(type_: Any) -> type | None:
    """The class of the objects that a field of this type holds, alone or in a list; None where it holds none."""
    return next((class_ for class_ in (type_, *get_args(type_)) if class_ in NESTED), None)


_KNOWN_KEYS: dict[type, frozenset[str]] = {
    class_: frozenset(key(attribute.name) for attribute in wire_fields(class_))
    for class_ in (*NESTED, *REQUESTS.values())
}
"""The keys of each class that occurs in requests."""

_INNER_CLASSES: dict[type, list[tuple[str, type]]] = {
    class_: [
        (key(attribute.name), inner)
        for attribute in wire_fields(class_)
        if (inner := _inner_class(attribute.type)) is not None
    ]
    for class_ in _KNOWN_KEYS
}
"""The keys of each of these classes whose values hold objects, with the class of the objects."""
