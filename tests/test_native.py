"""The native dialect: JSON in, requests out; events in, JSON out."""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.dialects.dialect import DecodeError
from signald.dialects.native import REQUESTS, Native
from signald.errors import ErrorCode
from signald.messages import (
    Answer,
    Candidate,
    Candidates,
    Ended,
    EndReason,
    Error,
    Event,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedOffer,
    Hello,
    IceError,
    IceServer,
    Join,
    Joined,
    Leave,
    LeaveReason,
    Left,
    MemberJoined,
    MemberLeft,
    MemberView,
    Negotiation,
    Offer,
    Open,
    Opened,
    Ping,
    Pong,
    Request,
    RequestId,
    Role,
    ServerLimits,
    SessionId,
    UserId,
    Welcome,
)

USER = UserId("0K3PB4X7WQ2M9RT6ZC8HNJVDYA")
SESSION = SessionId("7Q2M9RT6ZC")
NEGOTIATION: dict[str, Any] = {"offerer": USER, "n": 1}

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
users = st.text(SYMBOLS, min_size=26, max_size=26).map(UserId)
sessions = st.text(SYMBOLS, min_size=10, max_size=10).map(SessionId)
ids = st.none() | st.text(string.printable, min_size=1, max_size=64).map(RequestId)
# No surrogates: they are no text that JSON in UTF-8 could carry.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
negotiations = st.builds(Negotiation, users, st.integers(1, 2**31 - 1))
one_candidate = st.builds(Candidate, texts, st.none() | texts, st.none() | st.integers(0, 65535), st.none() | texts)
batches = st.lists(one_candidate, max_size=5).map(tuple)
requests = st.one_of(
    st.builds(Hello, st.integers(0, 2**31 - 1), st.none() | texts, st.lists(texts, max_size=5).map(tuple), ids),
    st.builds(Open, st.integers(0, 2**31 - 1), ids),
    st.builds(Join, sessions, ids),
    st.builds(Leave, sessions, ids),
    st.builds(Offer, sessions, users, negotiations, texts, ids),
    st.builds(Answer, sessions, users, negotiations, texts, ids),
    st.builds(Candidates, sessions, users, negotiations, batches, st.booleans(), ids),
    st.builds(IceError, sessions, users, texts, ids),
    st.builds(Ping, ids),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)

_TYPES = {class_: name for name, class_ in REQUESTS.items()}


def as_a_client(request: Request) -> dict[str, Any]:
    """A request as a client would write it, by hand and not by the code that is tested."""
    names = {"sdp_mid": "sdpMid", "sdp_m_line_index": "sdpMLineIndex", "username_fragment": "usernameFragment"}

    def write(value: object) -> object:
        if hasattr(value, "__attrs_attrs__"):
            written = {names.get(a.name, a.name): getattr(value, a.name) for a in value.__attrs_attrs__}
            return {key: write(item) for key, item in written.items() if item is not None}
        return [write(item) for item in value] if isinstance(value, tuple) else value

    written = write(request)
    assert isinstance(written, dict)
    return {"type": _TYPES[type(request)], **written}


class DecodeTests(SynchronousTestCase):
    """What a client may say."""

    def refused(self, body: object) -> DecodeError:
        """Decode something that is no valid request."""
        frame = body if isinstance(body, bytes) else json.dumps(body).encode()
        error = self.assertRaises(DecodeError, Native().received, frame)
        assert isinstance(error, DecodeError)
        self.assertEqual(error.code, ErrorCode.BAD_MESSAGE)
        return error

    @given(requests)
    def test_every_request_survives_the_way(self, request: Request) -> None:
        """What a client writes is what the hub gets."""
        frame = json.dumps(as_a_client(request), ensure_ascii=False).encode()
        self.assertEqual(Native().received(frame), [request])

    @given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
    def test_nothing_else_raises(self, frame: bytes) -> None:
        """Whatever arrives is a request or a `DecodeError`."""
        try:
            Native().received(frame)
        except DecodeError as error:
            self.assertEqual(error.code, ErrorCode.BAD_MESSAGE)

    @given(requests, st.data())
    def test_a_wrong_value_is_found(self, request: Request, data: st.DataObject) -> None:
        """Whichever key has null or an object of no meaning, the request is refused and its class told."""
        body = as_a_client(request)
        keys = sorted(set(body) - {"type"})
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        body[key] = data.draw(st.sampled_from([None, {"no": "meaning"}, [[]], 1.5]))
        self.assertIs(self.refused(body).about, type(request))

    def test_an_escaped_emoji_arrives_whole(self) -> None:
        """Two escaped surrogates are one character."""
        [hello] = Native().received(b'{"type":"hello","version":1,"agent":"\\ud83d\\ude00"}')
        self.assertEqual(hello, Hello(1, agent="😀"))

    def test_session_ids_are_read_as_people_type_them(self) -> None:
        """Any case, I and L for 1, O for 0, hyphens and spaces."""
        for text in ("7q2-m9rt-6zc", "7Q2 M9RT 6ZC", "7Q2M9RT6ZC"):
            self.assertEqual(Native().received(json.dumps({"type": "join", "session": text}).encode()), [Join(SESSION)])
        [join] = Native().received(b'{"type":"join","session":"oOiIlL0011"}')
        self.assertEqual(join, Join(SessionId("0011110011")))

    def test_what_is_no_session_id_is_an_unknown_one(self) -> None:
        """It is not refused as malformed: to the one who asks, the session does not exist."""
        self.assertEqual(Native().received(b'{"type":"join","session":"U"}'), [Join(SessionId("U"))])

    def test_malformed_json_is_refused(self) -> None:
        """Broken text, values that JSON does not have, and nesting without end."""
        for frame in (b"", b"{", b"NaN", b'{"type":NaN}', b'"\\ud83d"', b"\xff", b"[" * 10000, b"[]", b'"hello"', b"1"):
            self.refused(frame)

    def test_an_unknown_type_is_refused(self) -> None:
        """Events are not for clients to send either, nor is a type that is no string."""
        names: list[object] = ["", "Hello", "welcome", "error", None, 5, [], {}]
        for name in names:
            self.assertIsNone(self.refused({"type": name}).about)
        self.refused({})

    def test_an_unknown_key_is_refused(self) -> None:
        """A misspelt key would otherwise be lost in silence; `from` is the server's to say."""
        self.assertIs(self.refused({"type": "ping", "ID": "1"}).about, Ping)
        self.refused(
            {"type": "offer", "session": SESSION, "to": USER, "from": USER, "negotiation": NEGOTIATION, "sdp": ""}
        )
        self.refused({"type": "hello", "version": 1, "most_members": 1})

    def test_the_id_of_a_refused_request_is_told(self) -> None:
        """Unless it is not valid itself."""
        self.assertEqual(self.refused({"type": "join", "id": "7"}).id, "7")
        self.assertEqual(self.refused({"type": "unheard-of", "id": "7"}).id, "7")
        invalid: list[object] = ["", "x" * 65, 7, None, []]
        for id in invalid:
            self.assertIsNone(self.refused({"type": "join", "session": SESSION, "id": id}).id)

    def test_nothing_is_coerced(self) -> None:
        """Numbers are no strings, strings no numbers, true is not 1, a string no list."""
        for hello in ({"version": "1"}, {"version": True}, {"version": 1.0}, {"version": 1, "agent": 5}):
            self.refused({"type": "hello", **hello})
        self.refused({"type": "hello", "version": 1, "features": "no-rollback"})
        self.refused({"type": "open", "capacity": "2"})

    def test_bounds_are_kept(self) -> None:
        """Each has its limit in the protocol's document; the value at the limit is taken."""
        base = {"type": "candidates", "session": SESSION, "to": USER, "negotiation": NEGOTIATION}
        Native().received(json.dumps({**base, "candidates": [{"candidate": "c" * 4096}] * 64}).encode())
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
    """What a client hears."""

    def says(self, event: Event) -> object:
        """The JSON of an event."""
        [frame] = Native().encode(event)
        assert isinstance(frame, bytes)
        return json.loads(frame)

    def test_every_event_has_its_form(self) -> None:
        """Names and keys are those of the protocol's document; what is absent is left out."""
        negotiation = Negotiation(USER, 1)
        one = RequestId("1")
        view = MemberView(USER, Role.GUEST, polite=True, renegotiates=False)
        view_json = {"user": USER, "role": "guest", "polite": True, "renegotiates": False}
        forwarded = {"session": SESSION, "from": USER, "negotiation": NEGOTIATION}
        welcome = Welcome(
            1, "signald/test", USER, (), ServerLimits(1, 2.5, 3, 4),
            (IceServer(("stun:a",)), IceServer(("turn:b", "turns:c"), "u", "s", 600.0)), one,
        )  # fmt: skip
        cases: list[tuple[Event, dict[str, Any]]] = [
            (
                welcome,
                {
                    "type": "welcome", "id": "1", "version": 1, "server": "signald/test", "user": USER, "features": [],
                    "limits": {
                        "message-bytes": 1, "messages-per-second": 2.5, "messages-burst": 3, "session-members": 4,
                    },
                    "ice-servers": [
                        {"urls": ["stun:a"]},
                        {"urls": ["turn:b", "turns:c"], "username": "u", "credential": "s", "expires": 600.0},
                    ],
                },
            ),
            (Opened(SESSION, 2, one), {"type": "opened", "id": "1", "session": SESSION, "capacity": 2}),
            (Opened(SESSION, 2), {"type": "opened", "session": SESSION, "capacity": 2}),
            (
                Joined(SESSION, 2, (view,), one),
                {"type": "joined", "id": "1", "session": SESSION, "capacity": 2, "members": [view_json]},
            ),
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

    def test_text_goes_out_as_utf8(self) -> None:
        """No character is escaped that need not be."""
        self.assertIn("😀".encode(), Native().encode(ForwardedIceError(SESSION, USER, "😀"))[0])
