"""The dialect of matchbox's clients."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
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
    Room,
    Unreachable,
)
from signald.core.errors import ErrorCode
from signald.dialects.dialect import Claim, DecodeError, Heartbeat
from signald.dialects.matchbox import Matchbox
from tests.support.json_values import JSON

ANN, BEN = "0b5d3a0e-8d6f-4b5c-9d53-7a4cfb7a2f6e", "1b5d3a0e-8d6f-4b5c-9d53-7a4cfb7a2f6e"

BAD_IDS: list[Any] = [
    "",
    "ben",
    BEN.upper(),
    BEN.replace("-", ""),
    f"{{{BEN}}}",
    f"urn:uuid:{BEN}",
    f"{BEN}\n",
    f" {BEN}",
    f"{BEN}0",
    "x" * 9999,
    "\u0661" + BEN[1:],
    None,
    1,
    [BEN],
    {},
]

BAD_ROOMS = ["", ".", "..", "a/b", "a b", "a%20b", "a;b", "\u00e9", "a\n", "a\0b", "*", "x" * 65]

BAD_SIZES = ["-1", "+1", "1.0", "1e1", " 2", "2\n", "two", "\u0662", "9" * 10, "9" * 9999]


class MatchboxTests(SynchronousTestCase):
    """A client called ann."""

    def setUp(self) -> None:
        """Create the dialect of a client with an id."""
        self.dialect = Matchbox()
        self.dialect.read_id(ANN)

    def decode(self, message: object) -> Any:
        """Decode a message."""
        return self.dialect.decode(json.dumps(message).encode())

    def signal(self, data: object) -> Any:
        """Decode a signal to ben."""
        return self.decode({"Signal": {"receiver": BEN, "data": data}})

    def assert_meaningless(self, frame: bytes) -> None:
        """Assert that a frame means nothing."""
        error = self.assertRaises(DecodeError, self.dialect.decode, frame)
        self.assertIs(error.code, ErrorCode.BAD_MESSAGE, frame)

    # The opening handshake

    def test_claim(self) -> None:
        """The path names the room; the server chooses the id, and other parameters are ignored."""
        for parameters, size, token in (
            ({}, None, ""),
            ({"next": "2"}, 2, ""),
            ({"next": "002", "x": "y"}, 2, ""),
            ({"next": "0"}, 0, ""),
            ({"token": "t"}, None, "t"),
        ):
            claim = self.dialect.read_claim("game_v1.1-pvp~", parameters)
            self.assertEqual(claim, Claim(None, token, "", Room("game_v1.1-pvp~", size)))
        for name in ("a", "...", ".a", "x" * 64):
            self.assertEqual(self.dialect.read_claim(name, {}).room, Room(name))

    def test_bad_claims(self) -> None:
        """The names of rooms are bounded, and so is the size of a group."""
        for name in BAD_ROOMS:
            error = self.assertRaises(DecodeError, self.dialect.read_claim, name, {})
            self.assertIs(error.code, ErrorCode.BAD_REQUEST, name)
        for size in ("", *BAD_SIZES):
            error = self.assertRaises(DecodeError, self.dialect.read_claim, "a", {"next": size})
            self.assertIs(error.code, ErrorCode.BAD_REQUEST, size)

    def test_ids(self) -> None:
        """An id is a UUID as serde writes it."""
        self.assertEqual(Matchbox().read_id(BEN), BEN)
        for bad in BAD_IDS:
            if isinstance(bad, str):
                error = self.assertRaises(DecodeError, self.dialect.read_id, bad)
                self.assertIs(error.code, ErrorCode.BAD_REQUEST, bad)

    # Messages in

    def test_signals(self) -> None:
        """A signal is forwarded with its sender; its data has a kind for the metrics, and other keys go."""
        for data, kind in (
            ({"Offer": "v=0\r\n"}, EnvelopeKind.OFFER),
            ({"Answer": "v=0\r\n"}, EnvelopeKind.ANSWER),
            ({"IceCandidate": "{}"}, EnvelopeKind.CANDIDATE),
            ({"Offer": 1, "Answer": 2}, EnvelopeKind.MESSAGE),
            ({"offer": "v=0\r\n"}, EnvelopeKind.MESSAGE),
            ("Offer", EnvelopeKind.MESSAGE),
            ([], EnvelopeKind.MESSAGE),
            (None, EnvelopeKind.MESSAGE),
        ):
            sent = self.decode({"Signal": {"receiver": BEN, "data": data, "sender": BEN}})
            self.assertEqual(sent, Envelope(kind, ClientId(BEN), sent.frame))
            self.assertEqual(json.loads(sent.frame), {"Signal": {"sender": ANN, "data": data}})

    def test_keep_alive(self) -> None:
        """A keep-alive is a sign of life."""
        self.assertIsInstance(self.decode("KeepAlive"), Heartbeat)

    def test_meaningless(self) -> None:
        """Whatever is not JSON, another variant, or has no valid receiver or no data means nothing."""
        for frame in (
            b"",
            b"{",
            b"null",
            b"1",
            b"[]",
            b"{}",
            b"\xff",
            b"NaN",
            b'"Signal"',
            b'"keepalive"',
            b"[" * 2000,
        ):
            self.assert_meaningless(frame)
        messages: list[object] = [
            {"KeepAlive": {}},
            ["KeepAlive"],
            {"Signal": None},
            {"Signal": [BEN, 1]},
            {"Signal": {"receiver": BEN}},
            {"Signal": {"data": 1}},
            {"signal": {"receiver": BEN, "data": 1}},
            {"Signal": {"receiver": BEN, "data": 1}, "KeepAlive": None},
            {"IdAssigned": BEN},
            {"NewPeer": BEN},
            {"PeerLeft": ANN},
        ]
        for message in messages:
            self.assert_meaningless(json.dumps(message).encode())
        for bad in BAD_IDS:
            self.assert_meaningless(json.dumps({"Signal": {"receiver": bad, "data": 1}}).encode())
        for data in (b"[" * 500 + b"]" * 500, b'"\\ud800"'):
            self.assert_meaningless(b'{"Signal":{"receiver":"%s","data":%s}}' % (BEN.encode(), data))

    def test_growth(self) -> None:
        """A signal whose numbers take much more room when they are forwarded means nothing; a few of them may."""
        start = b'{"Signal":{"receiver":"%s","data":[' % BEN.encode()
        self.assertEqual(self.dialect.decode(start + b"1e15,1e15]}}"), self.signal([1e15, 1e15]))
        self.assert_meaningless(start + b",".join([b"1e15"] * 100) + b"]}}")

    def test_depth(self) -> None:
        """A signal whose data is nested too deep to be written means nothing."""
        start, end = b'{"Signal":{"receiver":"%s","data":' % BEN.encode(), b"}}"
        self.assertIsInstance(self.dialect.decode(start + b"[" * 250 + b"]" * 250 + end), Envelope)
        for depth in (260, 1000, 20000):
            self.assert_meaningless(start + b"[" * depth + b"]" * depth + end)

    @given(JSON)
    def test_data(self, data: object) -> None:
        """Data arrives as it was sent."""
        self.assertEqual(json.loads(self.signal(data).frame)["Signal"]["data"], data)

    # Events out

    def test_events(self) -> None:
        """Events are encoded as matchbox's own server encodes them."""
        for event, expected in (
            (Registered(ClientId(ANN)), {"IdAssigned": ANN}),
            (ClientJoined(ClientId(BEN)), {"NewPeer": BEN}),
            (ClientLeft(ClientId(BEN)), {"PeerLeft": BEN}),
        ):
            self.assertEqual(json.loads(self.dialect.encode(event) or b""), expected)
        self.assertEqual(self.dialect.encode(Delivered(EnvelopeKind.OFFER, b"as it is")), b"as it is")

    def test_no_errors(self) -> None:
        """There is no message about errors."""
        for event in (IdTaken(), Rejected(ErrorCode.ROOM_FULL), Unreachable(ClientId(BEN))):
            self.assertIsNone(self.dialect.encode(event))
