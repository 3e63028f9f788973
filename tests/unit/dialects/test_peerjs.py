"""The dialect of PeerJS's clients."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.core.directory_messages import (
    ClientId,
    ClientJoined,
    ClientLeft,
    Delivered,
    Envelope,
    EnvelopeKind,
    IdTaken,
    Registered,
    Rejected,
    Unreachable,
)
from signald.core.errors import ErrorCode
from signald.dialects.dialect import Claim, DecodeError, Departure, Heartbeat
from signald.dialects.peerjs import PeerJs
from tests.support.json_values import JSON

PARAMETERS = {"key": "peerjs", "id": "ann", "token": "ty0vd3a1", "version": "1.5.5"}

SDP = {"sdp": {"type": "offer", "sdp": "v=0\r\n"}, "type": "data", "connectionId": "dc_1", "reliable": True}

BAD_IDS: list[Any] = [
    "",
    "-ann",
    "ann-",
    "a--b",
    "a  b",
    " a",
    "a.b",
    "\u00e9",
    "x" * 65,
    "a\n",
    "a\0b",
    None,
    1,
    ["ann"],
    {},
]

KINDS = [kind for kind in EnvelopeKind if kind is not EnvelopeKind.MESSAGE]


class PeerJsTests(SynchronousTestCase):
    """A client called ann."""

    def setUp(self) -> None:
        """Create the dialect of a client with an id."""
        self.dialect = PeerJs()
        self.dialect.read_id("ann")

    def decode(self, **message: Any) -> Any:
        """Decode a message."""
        return self.dialect.decode(json.dumps(message).encode())

    def assert_meaningless(self, frame: bytes) -> None:
        """Assert that a frame means nothing."""
        error = self.assertRaises(DecodeError, self.dialect.decode, frame)
        self.assertIs(error.code, ErrorCode.BAD_MESSAGE, frame)

    # The opening handshake

    def test_claim(self) -> None:
        """The query has id, token and key, and other parameters are ignored."""
        claim = self.dialect.read_claim("peerjs", PARAMETERS)
        self.assertEqual(claim, Claim("ann", "ty0vd3a1", "peerjs"))
        self.assertNotIn("ty0vd3a1", repr(claim))

    def test_incomplete_claims(self) -> None:
        """A missing or empty parameter is an error."""
        for name in ("id", "token", "key"):
            for changed in ({**PARAMETERS, name: ""}, {k: v for k, v in PARAMETERS.items() if k != name}):
                error = self.assertRaises(DecodeError, self.dialect.read_claim, "peerjs", changed)
                self.assertIs(error.code, ErrorCode.BAD_REQUEST)

    def test_ids(self) -> None:
        """Ids are letters and digits with single separators inside, as PeerJS's client accepts them, and bounded."""
        for text in ("a", "A1", "a-b_c d", "0" * 64, "0b5d3a0e-8d6f-4b5c-9d53-7a4cfb7a2f6e"):
            self.assertEqual(PeerJs().read_id(text), text)
        for bad in BAD_IDS:
            if isinstance(bad, str):
                error = self.assertRaises(DecodeError, self.dialect.read_id, bad)
                self.assertIs(error.code, ErrorCode.BAD_REQUEST, bad)

    # Messages in

    def test_forwarded(self) -> None:
        """Each type that is forwarded has its kind; the sender is the client, whatever it says, and other keys go."""
        for kind in KINDS:
            sent = self.decode(type=kind.name, dst="ben", src="eve", payload=SDP, extra=1)
            expected = {"type": kind.name, "src": "ann", "dst": "ben", "payload": SDP}
            self.assertEqual(sent, Envelope(kind, ClientId("ben"), sent.frame))
            self.assertEqual(json.loads(sent.frame), expected)

    def test_no_payload(self) -> None:
        """A message without a payload is forwarded without one, and an empty one stays."""
        self.assertEqual(
            json.loads(self.decode(type="LEAVE", dst="ben").frame), {"type": "LEAVE", "src": "ann", "dst": "ben"}
        )
        self.assertIsNone(json.loads(self.decode(type="OFFER", dst="ben", payload=None).frame)["payload"])

    def test_heartbeat(self) -> None:
        """A heartbeat has no receiver."""
        self.assertIsInstance(self.decode(type="HEARTBEAT"), Heartbeat)

    def test_departure(self) -> None:
        """A leave without a receiver gives the id back."""
        for more in ({}, {"dst": None}, {"dst": ""}):
            self.assertIsInstance(self.decode(type="LEAVE", **more), Departure)

    def test_meaningless(self) -> None:
        """Whatever is not JSON, no object, of another type or without a valid receiver means nothing."""
        for frame in (
            b"",
            b"{",
            b"null",
            b"1",
            b'"HEARTBEAT"',
            b"[]",
            b'["type"]',
            b"{}",
            b"\xff",
            b"NaN",
            b"[" * 2000,
        ):
            self.assert_meaningless(frame)
        for type_ in (
            None,
            1,
            "",
            "offer",
            "OPEN",
            "ERROR",
            "ID-TAKEN",
            "GOAWAY",
            "MESSAGE",
            ["OFFER"],
            {"a": 1},
            "x" * 9999,
        ):
            self.assert_meaningless(json.dumps({"type": type_, "dst": "ben"}).encode())
        for bad in BAD_IDS:
            self.assert_meaningless(json.dumps({"type": "OFFER", "dst": bad}).encode())
        self.assert_meaningless(b'{"type":"OFFER","payload":{}}')
        self.assert_meaningless(b'{"type":"OFFER","dst":"ben","payload":' + b"[" * 500 + b"]" * 500 + b"}")
        self.assert_meaningless(b'{"type":"OFFER","dst":"ben","payload":"\\ud800"}')

    def test_depth(self) -> None:
        """A message whose payload is nested too deep to be written means nothing."""
        start = b'{"type":"OFFER","dst":"ben","payload":'
        self.assertIsInstance(self.dialect.decode(start + b"[" * 250 + b"]" * 250 + b"}"), Envelope)
        for depth in (260, 1000, 20000):
            self.assert_meaningless(start + b"[" * depth + b"]" * depth + b"}")

    def test_growth(self) -> None:
        """A message whose numbers take much more room when they are forwarded means nothing; a few of them may."""
        start = b'{"type":"OFFER","dst":"ben","payload":['
        frame = self.decode(type="OFFER", dst="ben", payload=[1e15, 1e15]).frame
        sent = self.dialect.decode(start + b"1e15,1e15]}")
        self.assertEqual(sent, Envelope(EnvelopeKind.OFFER, ClientId("ben"), frame))
        self.assertIn(b"1000000000000000.0", frame)
        self.assert_meaningless(start + b",".join([b"1e15"] * 100) + b"]}")
        long_id = PeerJs()
        long_id.read_id("x" * 64)
        self.assertIsInstance(long_id.decode(b'{"type":"OFFER","dst":"b"}'), Envelope)

    @given(JSON)
    def test_payloads(self, payload: object) -> None:
        """A payload arrives as it was sent."""
        frame = self.decode(type="CANDIDATE", dst="ben", payload=payload).frame
        self.assertEqual(json.loads(frame)["payload"], payload)

    # Events out

    def test_events(self) -> None:
        """Events are encoded as PeerJS's own server encodes them."""
        for event, expected in (
            (Registered(ClientId("ann")), {"type": "OPEN"}),
            (Unreachable(ClientId("ben")), {"type": "EXPIRE", "src": "ben", "dst": "ann"}),
            (IdTaken(), {"type": "ID-TAKEN", "payload": {"msg": "Another client has this id."}}),
            (Rejected(ErrorCode.SERVER_FULL), {"type": "ERROR", "payload": {"msg": ErrorCode.SERVER_FULL.sentence}}),
        ):
            self.assertEqual(json.loads(self.dialect.encode(event) or b""), expected)
        self.assertEqual(self.dialect.encode(Delivered(EnvelopeKind.OFFER, b"as it is")), b"as it is")

    def test_no_rooms(self) -> None:
        """There is no message about rooms."""
        for event in (ClientJoined(ClientId("ben")), ClientLeft(ClientId("ben"))):
            self.assertIsNone(self.dialect.encode(event))

    def test_reasons(self) -> None:
        """A client whose parameters are wrong is told which are expected."""
        for code, part in ((ErrorCode.BAD_REQUEST, "an id of 1 to 64"), (ErrorCode.NOT_PERMITTED, "key")):
            self.assertIn(part, json.loads(self.dialect.encode(Rejected(code)) or b"")["payload"]["msg"])

    @given(st.text(max_size=100))
    def test_any_id(self, text: str) -> None:
        """No text raises another error."""
        try:
            self.assertEqual(self.dialect.read_id(text), text)
        except DecodeError as error:
            self.assertIs(error.code, ErrorCode.BAD_REQUEST)
