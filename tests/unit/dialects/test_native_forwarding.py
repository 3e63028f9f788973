"""What is read by hand of forwarded messages is what the general way reads, and what it encodes is the same event."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.core.forwarding import forwarded_event
from signald.core.ids import is_user_id, parse_session_id
from signald.core.message_sizes import message_size
from signald.core.messages import Answer, AppMessage, Candidates, Offer, Traits, UserId
from signald.dialects import native_forwarding
from signald.dialects.dialect import DecodeError
from signald.dialects.native import Native, decode_event

ANN, BOB = UserId("A" * 26), UserId("B" * 26)
SESSION = "7Q2M9RT6ZC"
NEGOTIATION = {"offerer": ANN, "n": 1}
CANDIDATE = {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u"}

KINDS = (Offer, Answer, Candidates, AppMessage)

ADDRESSED = {"session": SESSION, "to": BOB}
VALID: dict[str, dict[str, Any]] = {
    "offer": {"type": "offer", **ADDRESSED, "negotiation": NEGOTIATION, "sdp": "v=0"},
    "answer": {"type": "answer", **ADDRESSED, "negotiation": NEGOTIATION, "sdp": "v=0 ü 😀"},
    "answer with id": {"type": "answer", **ADDRESSED, "negotiation": NEGOTIATION, "sdp": "", "id": "7"},
    "candidates": {"type": "candidates", **ADDRESSED, "negotiation": NEGOTIATION, "candidates": [CANDIDATE]},
    "no candidates": {"type": "candidates", **ADDRESSED, "negotiation": NEGOTIATION, "candidates": []},
    "end": {"type": "candidates", **ADDRESSED, "negotiation": NEGOTIATION, "candidates": [], "end": True},
    "no end": {"type": "candidates", **ADDRESSED, "negotiation": NEGOTIATION, "candidates": [], "end": False},
    "bare candidate": {
        "type": "candidates", **ADDRESSED, "negotiation": NEGOTIATION, "candidates": [{"candidate": "ü"}], "id": "x",
    },
    "candidates with one detail": {
        "type": "candidates", **ADDRESSED, "negotiation": NEGOTIATION,
        "candidates": [{"candidate": "c", name: CANDIDATE[name]} for name in CANDIDATE if name != "candidate"],
    },
    "message": {"type": "message", **ADDRESSED, "content": "hello ü"},
    "message to all": {"type": "message", "session": SESSION, "content": "hello"},
    "message with id": {"type": "message", "session": SESSION, "content": "hello", "id": "1" * 64},
}  # fmt: skip

LEFT_TO_THE_GENERAL_WAY: tuple[Any, ...] = (
    [], 1, "offer", {}, {"type": 1}, {"type": ["offer"]}, {"type": "ping"}, {"type": "hello", "version": 1},
)  # fmt: skip

ODD_CANDIDATES: tuple[Any, ...] = (
    1,
    {},
    {"candidate": 1},
    {"sdpMid": "0"},
    {**CANDIDATE, "more": 1},
    {**CANDIDATE, "candidate": "c" * 4097},
    {**CANDIDATE, "sdpMid": None},
    {**CANDIDATE, "sdpMid": "m" * 257},
    {**CANDIDATE, "sdpMLineIndex": 65536},
    {**CANDIDATE, "sdpMLineIndex": True},
    {**CANDIDATE, "usernameFragment": "u" * 257},
    {**CANDIDATE, "usernameFragment": 1},
)

ODD_NEGOTIATIONS: tuple[Any, ...] = (
    {},
    {"offerer": ANN},
    {"offerer": "ann", "n": 1},
    {"offerer": 1, "n": 1},
    {"offerer": ANN, "n": 0},
    {"offerer": ANN, "n": 2**31},
    {"offerer": ANN, "n": True},
    {"offerer": ANN, "n": 1, "more": 1},
)

ODD = st.one_of(
    st.none() | st.booleans() | st.integers(-2, 2**31) | st.floats(-1, 70000) | st.text(max_size=70),
    st.sampled_from(["", BOB, "x" * 5000, "x" * 16385]),
    st.sampled_from([[CANDIDATE] * 64, [CANDIDATE] * 65]),
    st.sampled_from(ODD_CANDIDATES).map(lambda candidate: [candidate]),
    st.sampled_from(ODD_NEGOTIATIONS),
)
"""Values that a key may have in place of a valid one."""


def encode(body: Any) -> bytes:
    """Encode a frame."""
    return json.dumps(body, ensure_ascii=False).encode()


def is_plain(frame: bytes) -> bool:
    """Whether the general way reads a frame as a forwarded message without unknown keys."""
    dialect = Native()
    try:
        [request] = dialect.decode(frame)
    except DecodeError:
        return False
    return isinstance(request, KINDS) and dialect.unknown_keys == 0


class ReadTests(SynchronousTestCase):
    """`Native.read_direct`."""

    def setUp(self) -> None:
        """Make a dialect."""
        self.dialect = Native()

    def compare(self, frame: bytes) -> bool:
        """Assert that a frame is read like the general way reads it, if it is; return whether it is."""
        message = self.dialect.read_direct(frame)
        if message is None:
            return False
        is_possible = parse_session_id(message.session) == message.session
        if not is_possible or not (message.to is None or is_user_id(message.to)):
            return is_plain(frame)  # nobody has such an id, and the general way says so
        [request] = self.dialect.decode(frame)
        assert isinstance(request, KINDS)
        self.assertEqual(self.dialect.unknown_keys, 0)
        self.assertIs(message.kind, type(request))
        self.assertEqual((message.session, message.to), (request.session, request.to))
        event = forwarded_event(request, ANN, Traits())
        self.assertIs(message.event_kind, type(event))
        self.assertEqual((message.size, message.size), (message_size(request), message_size(event)))
        sent = message.frame_from(ANN)
        [expected] = self.dialect.encode(event)
        assert isinstance(expected, bytes)
        self.assertEqual(orjson.loads(sent), orjson.loads(expected))
        self.assertEqual(len(sent), len(expected))
        self.assertEqual(decode_event(sent), event)
        return True

    def test_valid_messages(self) -> None:
        """Every valid message is read, and becomes the event that the general way makes of it."""
        for name, body in VALID.items():
            self.assertTrue(self.compare(encode(body)), name)

    def test_other_frames(self) -> None:
        """Other messages, and what is no message, are left to the general way."""
        for body in LEFT_TO_THE_GENERAL_WAY:
            self.assertFalse(self.compare(encode(body)), body)
        self.assertFalse(self.compare(b"{"))
        self.assertFalse(self.compare(b"\xff"))

    def test_odd_parts(self) -> None:
        """Each invalid candidate and negotiation is left to the general way, which refuses it."""
        candidates = [{**VALID["candidates"], "candidates": [candidate]} for candidate in ODD_CANDIDATES]
        negotiations = [{**VALID["offer"], "negotiation": negotiation} for negotiation in ODD_NEGOTIATIONS]
        messages = [{**VALID["message"], **odd} for odd in ({"content": 1}, {"to": 1}, {"id": ""}, {"more": 1})]
        batches = [{**VALID["end"], **odd} for odd in ({"candidates": 1}, {"end": 1}, {"more": 1}, {"id": ""})]
        offers = [{**VALID["offer"], **odd} for odd in ({"to": 1}, {"sdp": 1}, {"more": 1}, {"id": ""}, {"session": 1})]
        for body in (*candidates, *negotiations, *messages, *batches, *offers):
            self.assertFalse(self.compare(encode(body)), body)
            self.assertFalse(is_plain(encode(body)), body)

    @given(st.sampled_from(sorted(VALID)), st.data())
    def test_changed_messages(self, name: str, data: st.DataObject) -> None:
        """A message with any value changed, any key left out or added is read alike, or left to the general way."""
        body = dict(VALID[name])
        for key in data.draw(st.lists(st.sampled_from([*body, "id", "end", "to", "more"]), min_size=1, max_size=2)):
            if data.draw(st.booleans()):
                body.pop(key, None)
            else:
                body[key] = data.draw(ODD)
        frame = encode(body)
        self.assertEqual(self.compare(frame), is_plain(frame))

    def test_long_offerers(self) -> None:
        """A text that is too long for an id is not remembered: 4,096 of 60 kB would take 245 MB."""
        remembered = native_forwarding._is_user_id.cache_info().currsize
        for letter in "ABC":
            negotiation = {"offerer": letter * 60_000, "n": 1}
            self.assertFalse(self.compare(encode({**VALID["candidates"], "negotiation": negotiation})))
        self.assertEqual(native_forwarding._is_user_id.cache_info().currsize, remembered)

    def test_an_odd_id_of_a_session(self) -> None:
        """A session id in another spelling is left to the hub, which knows no session by it."""
        message = self.dialect.read_direct(encode({**VALID["offer"], "session": "7q2m-9rt6-zc"}))
        assert message is not None
        self.assertEqual(message.session, "7q2m-9rt6-zc")
