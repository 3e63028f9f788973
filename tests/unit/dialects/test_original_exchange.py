"""The message sequence of the original, byte for byte, and tests that its faults are corrected.

The frames are those of the table of the serde dialect (docs/serde.md): all frames that a client of the original sends
and receives in a call.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import Limits
from signald.dialects.serde import Serde
from tests.support.connections import MemoryConnection, make_switchboard

DOCUMENT = Path(__file__).parents[3] / "docs" / "serde.md"
OWN_IDS = {
    "0K3PB4X7WQ2M9RT6ZC8HNJVDYA": "00000000000000000000000001",
    "7Q2M9RT6ZC": "0000000002",
    "5V8HNJ0K3PB4X7WQ2M9RT6ZCDY": "00000000000000000000000003",
}
"""The ids of the test's server in the place of the document's host, session and guest, in the order of the example."""

HOST = b"00000000000000000000000001"
GUEST = b"00000000000000000000000002"
SESSION = b"0000000003"
CANDIDATE = (
    b'{\\"candidate\\":\\"candidate:1 1 udp 1 192.0.2.7 5 typ host\\",\\"sdpMid\\":\\"0\\",\\"sdpMLineIndex\\":0}'
)

CALL: list[tuple[str, bytes]] = [
    ("host hears", b'{"NewUser":"' + HOST + b'"}'),
    ("guest hears", b'{"NewUser":"' + GUEST + b'"}'),
    ("host says", b'"SessionNew"'),
    ("host hears", b'{"SessionReady":"' + SESSION + b'"}'),
    ("guest says", b'{"SessionJoin":"' + SESSION + b'"}'),
    ("guest hears", b'{"SessionJoinSuccess":"' + SESSION + b'"}'),
    ("guest says", b'{"VideoOffer":["v=0\\r\\no=- 1","' + SESSION + b'"]}'),
    ("host hears", b'{"VideoOffer":["v=0\\r\\no=- 1","' + SESSION + b'"]}'),
    ("guest says", b'{"IceCandidate":["' + CANDIDATE + b'","' + SESSION + b'"]}'),
    ("host hears", b'{"IceCandidate":["' + CANDIDATE + b'","' + SESSION + b'"]}'),
    ("host says", b'{"VideoAnswer":["v=0\\r\\no=- 2","' + SESSION + b'"]}'),
    ("guest hears", b'{"VideoAnswer":["v=0\\r\\no=- 2","' + SESSION + b'"]}'),
    ("host says", b'{"IceCandidate":["' + CANDIDATE + b'","' + SESSION + b'"]}'),
    ("guest hears", b'{"IceCandidate":["' + CANDIDATE + b'","' + SESSION + b'"]}'),
    ("guest says", b'{"ICEError":["no route","' + SESSION + b'"]}'),
    ("host hears", b'{"ICEError":["no route","' + SESSION + b'"]}'),
    ("host says", b'"Debug"'),
]
"""The expected exchange, as pairs of a client and a frame, in order."""


STRINGS = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
    | st.sampled_from(
        ['{ "candidate": "c" }', '{"candidate":"c","x":1}', "null", "[]", '"', "\\", "\0", "\u2028", "é" * 2000]
    )
    | st.dictionaries(st.sampled_from(["candidate", "sdpMid", "x"]), st.none() | st.integers() | st.text("c ")).map(
        lambda body: json.dumps(body, indent=1)
    )
)
"""Strings of clients: any characters, candidates with spaces and other keys, and JSON that is no candidate."""


def forwarded_by_the_original(frame: bytes) -> tuple[str, list[str]]:
    """Return the variant and the strings that the original server forwards of a frame: all of them as they are."""
    [(variant, strings)] = json.loads(frame).items()
    return variant, strings


class OriginalTests(SynchronousTestCase):
    """Clients of the original server."""

    def setUp(self) -> None:
        """Create an empty switchboard."""
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock, Limits(hello_seconds=1.0))

    def connect(self) -> MemoryConnection:
        """Open a connection without a subprotocol."""
        return MemoryConnection(self.switchboard, Serde())

    def call(self) -> tuple[MemoryConnection, MemoryConnection]:
        """Let two clients join one session, with all frames read."""
        host = self.connect()
        guest = self.connect()
        host.receive(b'"SessionNew"')
        guest.receive(b'{"SessionJoin":"' + SESSION + b'"}')
        host.frames.clear()
        guest.frames.clear()
        return host, guest

    def test_a_call(self) -> None:
        """Each client receives exactly the expected frames, byte for byte and in order."""
        host = self.connect()
        guest = self.connect()
        connections = {"host": host, "guest": guest}
        for step, frame in CALL:
            who, does = step.split()
            if does == "says":
                connections[who].receive(frame)
            else:
                self.assertEqual(connections[who].frames.pop(0), frame, step)
        self.assertEqual((host.frames, guest.frames), ([], []))
        self.assertEqual((host.closed, guest.closed), ([], []))

    @given(
        STRINGS,
        STRINGS,
        st.lists(st.tuples(st.booleans(), st.sampled_from(["IceCandidate", "ICEError"]), STRINGS), max_size=8),
    )
    def test_strings_go_through_as_in_the_original(
        self, offer: str, answer: str, later: list[tuple[bool, str, str]]
    ) -> None:
        """Whatever strings two clients exchange, each gets what the original server would have forwarded to it."""
        self.setUp()
        early = [text for _, variant, text in later if variant == "IceCandidate"]
        host = self.connect()
        host.receive(b'"SessionNew"')
        session = json.loads(host.frames.pop())["SessionReady"]
        sent = [json.dumps({"IceCandidate": [text, session]}).encode() for text in early]
        for frame in sent:
            host.receive(frame)
        guest = self.connect()
        guest.say(SessionJoin=session)
        self.assertEqual([*map(forwarded_by_the_original, guest.frames[2:])], [*map(forwarded_by_the_original, sent)])
        host.frames.clear()
        for from_host, variant, text in [(False, "VideoOffer", offer), (True, "VideoAnswer", answer), *later]:
            sender, receiver = (host, guest) if from_host else (guest, host)
            receiver.frames.clear()
            frame = json.dumps({variant: [text, session]}).encode()
            sender.receive(frame)
            [got] = receiver.frames
            self.assertEqual(forwarded_by_the_original(got), forwarded_by_the_original(frame))
        self.assertEqual((host.closed, guest.closed), ([], []))

    def test_a_string_may_fill_a_message(self) -> None:
        """Longer strings than the native protocol allows go through; only the size of a message bounds them."""
        host, guest = self.call()
        for variant in ("IceCandidate", "ICEError"):
            frame = b'{"' + variant.encode() + b'":["' + b"x" * 65000 + b'","' + SESSION + b'"]}'
            guest.receive(frame)
            self.assertEqual(host.frames.pop(), frame)
        self.assertEqual(guest.frames, [])

    def test_the_examples_of_the_document(self) -> None:
        """The server sends what docs/serde.md says, with its own ids in the place of those of the document."""
        lines = re.findall(r"^(host|guest) +([→←]) (.*)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
        self.assertGreater(len(lines), 9)
        connections: dict[str, MemoryConnection] = {}
        for name, direction, text in lines:
            connection = connections.get(name) or connections.setdefault(name, self.connect())
            frame = re.sub("|".join(OWN_IDS), lambda found: OWN_IDS[found[0]], text).encode()
            if direction == "→":
                connection.receive(frame)
            else:
                self.assertEqual(connection.frames.pop(0), frame)
        self.assertEqual([connection.frames for connection in connections.values()], [[], []])

    def test_nothing_of_a_call_is_logged(self) -> None:
        """Nothing of a call is logged. The original logged session descriptions and addresses."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.test_a_call()
        self.assertEqual(len(events), 1)
        written = eventAsText(events[0]) + repr(events[0])
        for secret in (HOST, GUEST, SESSION, b"v=0", b"192.0.2", b"no route"):
            self.assertNotIn(secret.decode(), written)

    def test_a_third_joiner_gets_an_error_and_replaces_no_member(self) -> None:
        """The third client gets an error. In the original it took the guest's place."""
        host, guest = self.call()
        third = self.connect()
        third.receive(b'{"SessionJoin":"' + SESSION + b'"}')
        self.assertEqual(third.frames[1:], [b'{"SessionJoinError":"The session is full."}'])
        host.receive(b'{"VideoAnswer":["v=0","' + SESSION + b'"]}')
        self.assertEqual(len(guest.frames), 1)
        self.assertEqual(len(third.frames), 2)

    def test_an_unknown_session_is_an_error(self) -> None:
        """The variant that has the session id otherwise has the error's sentence."""
        guest = self.connect()
        guest.receive(b'{"SessionJoin":"ZZZZZZZZZZ"}')
        self.assertEqual(guest.frames[1:], [b'{"SessionJoinError":"This session does not exist."}'])

    def test_an_outsider_reaches_no_member_and_learns_nothing(self) -> None:
        """An outsider's messages are rejected.

        The original forwarded offers and answers from any client that knew the id.
        """
        host, guest = self.call()
        outsider = self.connect()
        for name in (b"VideoOffer", b"VideoAnswer", b"ICEError"):
            for session in (SESSION, b"ZZZZZZZZZZ"):
                outsider.receive(b'{"' + name + b'":["text","' + session + b'"]}')
        outsider.receive(b'{"IceCandidate":["' + CANDIDATE + b'","' + SESSION + b'"]}')
        self.assertEqual((host.frames, guest.frames, outsider.frames[1:], outsider.closed), ([], [], [], []))

    def test_an_ice_error_is_forwarded(self) -> None:
        """An ICE error reaches the other member. The original server crashed on such a message."""
        host, guest = self.call()
        guest.receive(b'{"ICEError":["failed","' + SESSION + b'"]}')
        self.assertEqual(host.frames, [b'{"ICEError":["failed","' + SESSION + b'"]}'])
        self.assertEqual(guest.frames, [])

    def test_an_invalid_text_closes_its_sender_alone(self) -> None:
        """Invalid text closes its sender.

        The original server crashed on it; tests of the WebSocket cover binary frames and broken handshakes.
        """
        host, guest = self.call()
        guest.receive(b"\xff\xfe")
        self.assertEqual(guest.closed, [(1007, "bad-message")])
        self.assertEqual((host.frames, host.closed), ([], []))

    def test_a_guest_who_leaves_frees_the_seat(self) -> None:
        """The guest's place is free again, and the host gets no message that its protocol lacks.

        In the original the place stayed taken.
        """
        host, guest = self.call()
        guest.disconnect()
        next_guest = self.connect()
        next_guest.receive(b'{"SessionJoin":"' + SESSION + b'"}')
        self.assertEqual(next_guest.frames[1:], [b'{"SessionJoinSuccess":"' + SESSION + b'"}'])
        self.assertEqual(host.frames, [])

    def test_the_host_leaving_frees_the_guest(self) -> None:
        """The session ends, and the guest can join another one."""
        host, guest = self.call()
        host.disconnect()
        guest.receive(b'{"SessionJoin":"' + SESSION + b'"}')
        other = self.connect()
        other.receive(b'"SessionNew"')
        [session] = self.switchboard.registry.sessions
        guest.say(SessionJoin=session)
        self.assertEqual([next(iter(json.loads(frame))) for frame in guest.frames], [
            "SessionJoinError", "SessionJoinSuccess",
        ])  # fmt: skip

    def test_candidates_may_come_before_the_guest(self) -> None:
        """Candidates before the guest's join are delivered afterwards. The original answered with an error."""
        host, guest = self.connect(), self.connect()
        host.receive(b'"SessionNew"')
        frame = b'{"IceCandidate":["' + CANDIDATE + b'","' + SESSION + b'"]}'
        host.receive(frame)
        guest.receive(b'{"SessionJoin":"' + SESSION + b'"}')
        self.assertEqual(guest.frames[1:], [b'{"SessionJoinSuccess":"' + SESSION + b'"}', frame])

    def test_an_untranslated_candidate_does_not_reach_a_native_client(self) -> None:
        """Its sender gets an ICE error, at once or when a native client joins, and keeps its connection."""
        host = self.connect()
        host.receive(b'"SessionNew"')
        session = json.loads(host.frames[-1])["SessionReady"]
        error = {"ICEError": ["The other person's program does not support this.", session]}
        early = len(host.frames)
        host.say(IceCandidate=["early", session])
        self.assertEqual(len(host.frames), early)
        guest = MemoryConnection(self.switchboard)
        guest.say(type="hello", version=1)
        guest.say(type="join", session=session)
        self.assertEqual(guest.last()["type"], "joined")
        self.assertEqual(host.last(), error)
        host.frames.clear()
        for text in ("", "null", '{"candidate":5}', "candidate:1 1 udp 1 192.0.2.7 5 typ host"):
            host.say(IceCandidate=[text, session])
            self.assertEqual(host.take_messages(), [error])
        host.say(IceCandidate=['{"candidate" : "c", "x" : 1}', session])
        self.assertEqual(guest.last()["candidates"], [{"candidate": "c"}])
        host.say(ICEError=["x" * 2000, session])
        self.assertEqual(guest.last()["text"], "x" * 1024)
        self.assertEqual((host.frames, host.closed), ([], []))

    def test_a_client_is_welcomed_without_a_hello(self) -> None:
        """The client is welcomed at once, and the hello timeout does not apply to it."""
        connection = self.connect()
        self.clock.advance(5.0)
        self.switchboard.tick()
        self.assertEqual(connection.closed, [])

    def test_native_and_original_clients_exchange_messages(self) -> None:
        """Offers, answers and candidates pass between the two dialects."""
        host = self.connect()
        host.receive(b'"SessionNew"')
        session = json.loads(host.frames[-1])["SessionReady"]
        guest = MemoryConnection(self.switchboard)
        guest.receive(b'{"type":"hello","version":1}')
        me = guest.last()["user"]
        guest.receive(json.dumps({"type": "join", "session": session}).encode())
        [member] = guest.last()["members"]
        self.assertFalse(member["renegotiates"])
        self.assertTrue(member["polite"])
        negotiation = {"offerer": me, "n": 1}
        to = {"session": session, "to": member["user"], "negotiation": negotiation}
        guest.receive(json.dumps({"type": "offer", **to, "sdp": "offer"}).encode())
        self.assertEqual(host.last(), {"VideoOffer": ["offer", session]})
        host.receive(json.dumps({"VideoAnswer": ["answer", session]}).encode())
        self.assertEqual(
            guest.last(),
            {"type": "answer", "session": session, "from": member["user"], "negotiation": negotiation, "sdp": "answer"},
        )
        host.receive(json.dumps({"IceCandidate": ['{"candidate":"c"}', session]}).encode())
        self.assertEqual(guest.last()["negotiation"], negotiation)
        self.assertEqual(guest.last()["candidates"], [{"candidate": "c"}])
        candidates = {"type": "candidates", **to, "candidates": [{"candidate": "d"}], "end": True}
        guest.receive(json.dumps(candidates).encode())
        self.assertEqual(json.loads(host.last()["IceCandidate"][0])["candidate"], "d")
