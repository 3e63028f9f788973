"""The native dialect: it decodes JSON to requests and encodes events as JSON."""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.ice_server import IceServer
from signald.core.messages import (
    Ack,
    Admit,
    Answer,
    AppMessage,
    Candidate,
    Candidates,
    Change,
    Changed,
    Count,
    Done,
    End,
    Ended,
    EndReason,
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
    LeaveReason,
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
    RefusalReason,
    Refuse,
    Remove,
    Request,
    RequestId,
    Resume,
    Role,
    Secret,
    ServerLimits,
    SessionId,
    Source,
    UserId,
    Waiting,
    WaitReason,
    Welcome,
)
from signald.dialects.dialect import DecodeError
from signald.dialects.native import EVENTS, REQUESTS, Native

USER = UserId("0K3PB4X7WQ2M9RT6ZC8HNJVDYA")
SESSION = SessionId("7Q2M9RT6ZC")
NEGOTIATION: dict[str, Any] = {"offerer": USER, "n": 1}

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
users = st.text(SYMBOLS, min_size=26, max_size=26).map(UserId)
sessions = st.text(SYMBOLS, min_size=10, max_size=10).map(SessionId)
ids = st.none() | st.text(string.printable, min_size=1, max_size=64).map(RequestId)
# Surrogates are excluded, since a text in UTF-8 cannot contain them.
passwords = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
secrets = st.text(string.ascii_letters, min_size=43, max_size=43).map(Secret)
instances = st.text(string.printable, min_size=1, max_size=64).map(Instance)
counts = st.integers(0, 2**53 - 1).map(Count)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
features = st.lists(texts, max_size=5).map(tuple)
negotiations = st.builds(Negotiation, users, st.integers(1, 2**31 - 1))
one_candidate = st.builds(Candidate, texts, st.none() | texts, st.none() | st.integers(0, 65535), st.none() | texts)
batches = st.lists(one_candidate, max_size=5).map(tuple)
requests = st.one_of(
    st.builds(
        Hello, st.integers(0, 2**31 - 1), st.none() | texts, features, st.none() | instances, ids
    ),
    st.builds(
        Resume, st.integers(0, 2**31 - 1), users, secrets, instances, counts, st.none() | texts, features, ids
    ),
    st.builds(
        Open, st.integers(0, 2**31 - 1), st.none() | texts, st.none() | texts, st.none() | passwords,
        st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.none() | sessions, st.none() | secrets, ids,
    ),
    st.builds(Join, sessions, st.none() | texts, st.none() | passwords, ids),
    st.builds(Leave, sessions, ids),
    st.builds(Change, sessions, st.none() | texts, st.none() | st.booleans(), st.none() | st.booleans(), ids),
    st.builds(Admit, sessions, users, ids),
    st.builds(Refuse, sessions, users, ids),
    st.builds(Remove, sessions, users, ids),
    st.builds(HandOver, sessions, users, ids),
    st.builds(End, sessions, ids),
    st.builds(Offer, sessions, users, negotiations, texts, ids),
    st.builds(Answer, sessions, users, negotiations, texts, ids),
    st.builds(Candidates, sessions, users, negotiations, batches, st.booleans(), ids),
    st.builds(IceError, sessions, users, texts, ids),
    st.builds(AppMessage, sessions, texts, st.none() | users, ids),
    st.builds(Ack, counts, ids),
    st.builds(Ping, ids),
)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
valid_values = json_values.filter(lambda value: "Infinity" not in json.dumps(value))
"""Values of RFC 8259, which has no infinite numbers."""

UNKNOWN_KEYS = ["x", "", "Type", "from", "sdp_mid", "source"]

_TYPES = {class_: name for name, class_ in REQUESTS.items()}


def as_a_client(request: Request) -> dict[str, Any]:
    """Encode a request as a client would, by hand and independently of the tested code."""
    names = {
        "sdp_mid": "sdpMid",
        "sdp_m_line_index": "sdpMLineIndex",
        "username_fragment": "usernameFragment",
        "host_key": "host-key",
        "relay_only": "relay-only",
    }

    def write(value: object) -> object:
        if hasattr(value, "__attrs_attrs__"):
            written = {names.get(a.name, a.name): getattr(value, a.name) for a in value.__attrs_attrs__}
            return {key: write(item) for key, item in written.items() if item is not None}
        return [write(item) for item in value] if isinstance(value, tuple) else value

    written = write(request)
    assert isinstance(written, dict)
    return {"type": _TYPES[type(request)], **written}


class DecodeTests(SynchronousTestCase):
    """Requests of clients are decoded."""

    def refused(self, body: object) -> DecodeError:
        """Decode something that is not a valid request, and return the error."""
        frame = body if isinstance(body, bytes) else json.dumps(body).encode()
        error = self.assertRaises(DecodeError, Native().decode, frame)
        assert isinstance(error, DecodeError)
        self.assertEqual(error.code, ErrorCode.BAD_MESSAGE)
        return error

    @given(requests)
    def test_every_request_survives_the_way(self, request: Request) -> None:
        """Every request of a client arrives at the hub unchanged."""
        frame = json.dumps(as_a_client(request), ensure_ascii=False).encode()
        self.assertEqual(Native().decode(frame), [request])

    @given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
    def test_nothing_else_raises(self, frame: bytes) -> None:
        """Any input is either a request or a `DecodeError`."""
        try:
            Native().decode(frame)
        except DecodeError as error:
            self.assertEqual(error.code, ErrorCode.BAD_MESSAGE)

    @given(requests, st.data())
    def test_a_wrong_value_is_found(self, request: Request, data: st.DataObject) -> None:
        """A key with null or an unexpected object makes the request invalid, and the error names its class."""
        body = as_a_client(request)
        keys = sorted(set(body) - {"type"})
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        body[key] = data.draw(st.sampled_from([None, {"no": "meaning"}, [[]], 1.5]))
        self.assertIs(self.refused(body).about, type(request))

    def test_an_escaped_emoji_arrives_whole(self) -> None:
        """Two escaped surrogates are one character."""
        [hello] = Native().decode(b'{"type":"hello","version":1,"agent":"\\ud83d\\ude00"}')
        self.assertEqual(hello, Hello(1, agent="😀"))

    def test_session_ids_are_read_as_people_type_them(self) -> None:
        """Session ids may have any case, I and L for 1, O for 0, hyphens and spaces."""
        for text in ("7q2-m9rt-6zc", "7Q2 M9RT 6ZC", "7Q2M9RT6ZC"):
            self.assertEqual(Native().decode(json.dumps({"type": "join", "session": text}).encode()), [Join(SESSION)])
        [join] = Native().decode(b'{"type":"join","session":"oOiIlL0011"}')
        self.assertEqual(join, Join(SessionId("0011110011")))

    def test_a_text_that_is_no_session_id_is_an_unknown_one(self) -> None:
        """A malformed session id is not an error of the format: to the client the session does not exist."""
        self.assertEqual(Native().decode(b'{"type":"join","session":"U"}'), [Join(SessionId("U"))])

    def test_malformed_json_is_refused(self) -> None:
        """Broken text, values outside JSON and deep nesting are errors."""
        for frame in (b"", b"{", b"NaN", b'{"type":NaN}', b'"\\ud83d"', b"\xff", b"[" * 10000, b"[]", b'"hello"', b"1"):
            self.refused(frame)

    def test_an_unknown_type_is_refused(self) -> None:
        """Clients may not send events, and `type` has to be a text."""
        names: list[object] = ["", "Hello", "welcome", "error", None, 5, [], {}]
        for name in names:
            self.assertIsNone(self.refused({"type": name}).about)
        self.refused({})

    @given(requests, st.data())
    def test_unknown_keys_are_ignored_and_counted(self, request: Request, data: st.DataObject) -> None:
        """A request means the same with keys that the protocol does not have, at each level and with any value."""
        body = as_a_client(request)
        objects = [body]
        if isinstance(request, Offer | Answer | Candidates):
            objects.append(body["negotiation"])
        if isinstance(request, Candidates):
            objects += body["candidates"]
        count = 0
        for plain in objects:
            unknown = data.draw(st.dictionaries(st.sampled_from(UNKNOWN_KEYS), valid_values, max_size=3))
            plain |= unknown
            count += len(unknown)
        native = Native()
        self.assertEqual(native.decode(json.dumps(body).encode()), [request])
        self.assertEqual(native.unknown_keys, count)

    def test_unknown_keys_do_not_excuse_a_wrong_value(self) -> None:
        """A known key with a wrong value, or a missing one, makes the request invalid, and nothing is counted."""
        native = Native()
        for body in (
            {"type": "ping", "id": 5, "x": 1},
            {"type": "join", "x": 1},
            {
                "type": "candidates",
                "session": SESSION,
                "to": USER,
                "negotiation": NEGOTIATION,
                "candidates": [{"x": 1}],
            },
            {"type": "candidates", "session": SESSION, "to": USER, "negotiation": {"x": 1}, "candidates": []},
            {"type": "offer", "session": SESSION, "to": USER, "negotiation": [{"x": 1}], "sdp": "", "x": 1},
        ):
            error = self.assertRaises(DecodeError, native.decode, json.dumps(body).encode())
            assert isinstance(error, DecodeError)
            self.assertIs(error.about, REQUESTS[str(body["type"])])
        self.assertEqual(native.unknown_keys, 0)

    def test_the_sender_and_the_source_are_not_the_client_s_to_say(self) -> None:
        """`from` and `source` are unknown keys of a request: the server stamps the one, and serde sets the other."""
        addressed = {"session": SESSION, "to": USER, "negotiation": NEGOTIATION}
        source = {"kind": "serde", "text": "c", "translated": True}
        body = {"type": "candidates", **addressed, "candidates": [], "from": USER, "source": source}
        [request] = Native().decode(json.dumps(body).encode())
        self.assertEqual(request, Candidates(SESSION, USER, Negotiation(USER, 1), ()))

    def test_an_error_has_the_id_of_the_request(self) -> None:
        """An invalid request id is not repeated in the error."""
        self.assertEqual(self.refused({"type": "join", "id": "7"}).id, "7")
        self.assertEqual(self.refused({"type": "unheard-of", "id": "7"}).id, "7")
        invalid: list[object] = ["", "x" * 65, 7, None, []]
        for id in invalid:
            self.assertIsNone(self.refused({"type": "join", "session": SESSION, "id": id}).id)

    def test_nothing_is_coerced(self) -> None:
        """A number is not accepted as a text, a text not as a number, true not as 1, and a text not as a list."""
        for hello in ({"version": "1"}, {"version": True}, {"version": 1.0}, {"version": 1, "agent": 5}):
            self.refused({"type": "hello", **hello})
        self.refused({"type": "hello", "version": 1, "features": "no-rollback"})
        self.refused({"type": "open", "capacity": "2"})
        counts: list[object] = ["3", True, 3.0, -1, 2**63, None]
        for count in counts:
            self.refused({"type": "ack", "received": count})

    def test_bounds_are_kept(self) -> None:
        """Each bound is the one in docs/protocol.md; a value at the bound is accepted."""
        base = {"type": "candidates", "session": SESSION, "to": USER, "negotiation": NEGOTIATION}
        Native().decode(json.dumps({**base, "candidates": [{"candidate": "c" * 4096}] * 64}).encode())
        invalid: list[object] = [
            [{"candidate": "c"}] * 65,
            [{"candidate": "c" * 4097}],
            [{"candidate": "c", "sdpMLineIndex": -1}],
            [{"candidate": "c", "sdpMLineIndex": 65536}],
            [{"sdpMid": "0"}],
            ["candidate:1"],
            {},
        ]
        for candidates in invalid:
            self.refused({**base, "candidates": candidates})
        for n in (0, 2**31, -1, True):
            self.refused({**base, "candidates": [], "negotiation": {"offerer": USER, "n": n}})
        for to in ("", USER[:-1], USER.lower(), "U" * 26):
            self.refused({**base, "candidates": [], "to": to})
        self.refused({"type": "hello", "version": 1, "agent": "a" * 65})
        self.refused({"type": "hello", "version": 1, "features": ["f"] * 33})
        self.refused({"type": "ice-error", "session": SESSION, "to": USER, "text": "t" * 1025})


class EncodeTests(SynchronousTestCase):
    """Events for clients are encoded."""

    def says(self, event: Event) -> object:
        """Return the decoded JSON of an event."""
        [frame] = Native().encode(event)
        assert isinstance(frame, bytes)
        return json.loads(frame)

    def test_encoded_events(self) -> None:
        """Types and keys are those of docs/protocol.md; an absent value has no key."""
        negotiation = Negotiation(USER, 1)
        one = RequestId("1")
        view = MemberView(USER, Role.GUEST, polite=True, offers_first=False, base=0, renegotiates=False)
        view_json = {
            "user": USER, "role": "guest", "polite": True, "offers-first": False, "base": 0, "renegotiates": False,
        }  # fmt: skip
        forwarded = {"session": SESSION, "from": USER, "negotiation": NEGOTIATION}
        welcome = Welcome(
            1, "signald/test", USER, (), ServerLimits(1, 2.5, 3, 4),
            (IceServer(("stun:a",)), IceServer(("turn:b", "turns:c"), "u", "s", 600.0)),
            reference="7F3K9QXM",
            id=one,
        )  # fmt: skip
        opened: dict[str, Any] = {"session": SESSION, "capacity": 2, "locked": False, "lobby": True}
        cases: list[tuple[Event, dict[str, Any]]] = [
            (
                welcome,
                {
                    "type": "welcome", "id": "1", "version": 1, "server": "signald/test", "user": USER, "features": [],
                    "reference": "7F3K9QXM",
                    "limits": {
                        "message-bytes": 1, "messages-per-second": 2.5, "messages-burst": 3, "session-members": 4,
                    },
                    "ice-servers": [
                        {"urls": ["stun:a"]},
                        {"urls": ["turn:b", "turns:c"], "username": "u", "credential": "s", "expires": 600.0},
                    ],
                },
            ),
            (Opened(SESSION, 2, locked=False, lobby=True, id=one), {"type": "opened", "id": "1", **opened}),
            (Opened(SESSION, 2, locked=False, lobby=True), {"type": "opened", **opened}),
            (
                Opened(SESSION, 2, False, True, (view,), "label", Secret("key")),
                {"type": "opened", **opened, "members": [view_json], "label": "label", "host-key": "key"},
            ),
            (
                Opened(SESSION, 2, locked=False, lobby=True, relay_only=True),
                {"type": "opened", **opened, "relay-only": True},
            ),
            (
                IceServers((IceServer(("turn:b",), "u", "s", 600.0),)),
                {
                    "type": "ice-servers",
                    "ice-servers": [{"urls": ["turn:b"], "username": "u", "credential": "s", "expires": 600.0}],
                },
            ),
            (
                Joined(SESSION, 2, False, True, Role.GUEST, (view,), id=one),
                {"type": "joined", "id": "1", **opened, "role": "guest", "members": [view_json]},
            ),
            (
                Waiting(SESSION, WaitReason.LOBBY, one),
                {"type": "waiting", "id": "1", "session": SESSION, "reason": "lobby"},
            ),
            (
                NotAdmitted(SESSION, RefusalReason.FULL),
                {"type": "not-admitted", "session": SESSION, "reason": "full"},
            ),
            (Done(one), {"type": "done", "id": "1"}),
            (MemberAway(SESSION, USER), {"type": "member-away", "session": SESSION, "user": USER}),
            (MemberBack(SESSION, USER), {"type": "member-back", "session": SESSION, "user": USER}),
            (MemberRenewed(SESSION, view), {"type": "member-renewed", "session": SESSION, "member": view_json}),
            (HostChanged(SESSION, USER), {"type": "host-changed", "session": SESSION, "user": USER}),
            (
                Changed(SESSION, locked=True, lobby=False),
                {"type": "changed", "session": SESSION, "locked": True, "lobby": False},
            ),
            (Knock(SESSION, USER, "Bob"), {"type": "knock", "session": SESSION, "user": USER, "name": "Bob"}),
            (KnockOver(SESSION, USER), {"type": "knock-over", "session": SESSION, "user": USER}),
            (
                ForwardedMessage(SESSION, USER, "hi"),
                {"type": "message", "session": SESSION, "from": USER, "content": "hi"},
            ),
            (Ack(Count(3)), {"type": "ack", "received": 3}),
            (GoingAway(2.5), {"type": "going-away", "after": 2.5}),
            (GoingAway(2.5, 300.0), {"type": "going-away", "after": 2.5, "hold": 300.0}),
            (Left(SESSION, one), {"type": "left", "id": "1", "session": SESSION}),
            (MemberJoined(SESSION, view), {"type": "member-joined", "session": SESSION, "member": view_json}),
            (
                MemberLeft(SESSION, USER, LeaveReason.GONE),
                {"type": "member-left", "session": SESSION, "user": USER, "reason": "gone"},
            ),
            (Ended(SESSION, EndReason.HOST_LEFT), {"type": "ended", "session": SESSION, "reason": "host-left"}),
            (ForwardedOffer(SESSION, USER, negotiation, "sdp"), {"type": "offer", **forwarded, "sdp": "sdp"}),
            (ForwardedAnswer(SESSION, USER, negotiation, "sdp"), {"type": "answer", **forwarded, "sdp": "sdp"}),
            (
                ForwardedCandidates(
                    SESSION, USER, (Candidate("c", "0", 1, "f"), Candidate("d")), negotiation, end=True
                ),
                {
                    "type": "candidates", **forwarded, "end": True,
                    "candidates": [
                        {"candidate": "c", "sdpMid": "0", "sdpMLineIndex": 1, "usernameFragment": "f"},
                        {"candidate": "d"},
                    ],
                },
            ),
            (
                ForwardedCandidates(SESSION, USER, ()),
                {"type": "candidates", "session": SESSION, "from": USER, "candidates": []},
            ),
            (
                ForwardedIceError(SESSION, USER, "text"),
                {"type": "ice-error", "session": SESSION, "from": USER, "text": "text"},
            ),
            (
                ForwardedIceError(SESSION, USER, "text", Source("kind", "never sent")),
                {"type": "ice-error", "session": SESSION, "from": USER, "text": "text"},
            ),
            (
                Error(ErrorCode.SESSION_FULL, Join, SESSION, one),
                {
                    "type": "error", "id": "1", "code": "session-full", "message": "The session is full.",
                    "about": "join", "session": SESSION,
                },
            ),
            (
                Error(ErrorCode.BAD_MESSAGE),
                {"type": "error", "code": "bad-message", "message": "The message is not valid."},
            ),
            (Pong(one), {"type": "pong", "id": "1"}),
            (Pong(), {"type": "pong"}),
        ]  # fmt: skip
        for event, expected in cases:
            self.assertEqual(self.says(event), expected)
        self.assertEqual({type(event) for event, _ in cases}, {*EVENTS, Error})

    def test_text_goes_out_as_utf8(self) -> None:
        """Characters outside ASCII are not escaped."""
        self.assertIn("😀".encode(), Native().encode(ForwardedIceError(SESSION, USER, "😀"))[0])
