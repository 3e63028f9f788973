"""The message sequence of the original, byte for byte, and tests that its faults are corrected.

The frames are those of the table of the serde dialect (docs/serde.md): all frames that a client of the original sends
and receives in a call.
"""

from __future__ import annotations

import json
from typing import cast

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import Limits
from signald.dialects.serde import Serde
from tests.support.connections import MemoryConnection, make_switchboard

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
