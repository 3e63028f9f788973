"""The direct way and the general way give the same results, whatever arrives and however it is cut into reads."""

from __future__ import annotations

import json
import random
from typing import Any

import orjson
from attrs import asdict
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.direct_forwarding import DirectMessage
from signald.core.limits import Limits, TokenBucket
from signald.core.snapshot import take_snapshot
from signald.dialects.native import Native
from signald.dialects.serde import Serde
from signald.server.factory import SignalingFactory
from signald.server.input import FairProtocol
from signald.server.port import SignalingConnection, SignalingPort
from signald.server.switchboard import Switchboard
from signald.server.web import make_site
from signald.server.websocket import SignalingProtocol
from tests.support.connections import make_switchboard
from tests.support.endpoints import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Endpoint, frame, parse_frames
from tests.support.memory_server import make_port

LIMITS = Limits(message_bytes=4096, outbox_messages=24, message_burst=400, ack_messages=5)

STEPS = 300

CANDIDATE = {"candidate": "candidate:1 1 udp 1 192.0.2.1 1 typ host", "sdpMid": "0", "sdpMLineIndex": 0}


class GeneralNative(Native):
    """The dialect without its direct way."""

    def read_direct(self, _frame: bytes) -> DirectMessage | None:
        """Leave everything to the general way."""
        return None


GeneralNative.__name__ = "Native"  # the label of its metrics


class GeneralProtocol(SignalingProtocol):
    """A WebSocket all of whose frames are parsed by Autobahn."""

    def take_whole_messages(self) -> bool:
        """Leave everything to Autobahn."""
        return FairProtocol.take_whole_messages(self)


class Server:
    """A server in memory, with the direct way or without it.

    Attributes:
        clock: measures every deadline.
        switchboard: the switchboard with its hub.
        port: the page's port.
        site: creates the connections.

    """

    def __init__(self, *, direct: bool) -> None:
        self.clock = Clock()
        self.switchboard: Switchboard = make_switchboard(self.clock, LIMITS)
        native = Native if direct else GeneralNative
        self.port: SignalingPort = make_port(self.clock, self.switchboard, dialects=(Serde, native), limits=LIMITS)
        factory = SignalingFactory(self.port)
        if not direct:
            factory.protocol = GeneralProtocol
        self.site = make_site({}, factory, LIMITS, self.clock, None, False)

    def counters(self) -> dict[str, Any]:
        """Return the metrics that do not measure time."""
        metrics = asdict(self.port.metrics, filter=lambda attribute, _: attribute.name not in ("forward", "lag"))
        metrics.pop("websocket_handshake")
        return {**metrics, "forwarded": sum(self.port.metrics.forward.counts)}

    def state(self) -> tuple[object, ...]:
        """Return all users and sessions, with what waits in the outboxes, and what is left of budgets and shares."""
        hub = self.switchboard.hub
        snapshot = take_snapshot(hub, self.switchboard.registry, self.clock.seconds())
        messages = {id: (peer.budget.tokens, peer.budget.updated, peer.state) for id, peer in hub.peers.items()}
        bytes = sorted((bucket.tokens, bucket.updated) for bucket in map(_byte_bucket, self.port.connections))
        latest = self.port.rounds.latest
        return snapshot, messages, bytes, dict(hub.lifetimes.active), None if latest is None else latest.left


def _byte_bucket(connection: SignalingConnection) -> TokenBucket:
    """The bytes that a connection may still send."""
    bucket: TokenBucket = connection._message_bytes  # type: ignore[attr-defined] # every connection here has one
    return bucket


def read(data: bytes) -> list[tuple[int, Any]]:
    """Return the frames that a server has sent, text messages decoded from JSON."""
    return [(op, orjson.loads(payload) if op == TEXT else payload) for op, payload in parse_frames(data)]


class Client:
    """The same client of two servers.

    Attributes:
        ends: its connection to each server.
        user: its user id, which both servers give alike.
        secret: its resume secret.
        instance: its instance, where it can resume.
        received: the counted events that it has received.

    """

    def __init__(self, servers: tuple[Server, Server], *, native: bool) -> None:
        protocol = "signald.1" if native else None
        self.servers = servers
        self.ends = [Endpoint(server.site, clock=server.clock) for server in servers]
        for end in self.ends:
            assert end.upgrade(sec_websocket_protocol=protocol) == 101 if native else end.upgrade() == 101
        self.user = self.secret = self.instance = ""
        self.received = 0


class DifferentialTests(SynchronousTestCase):
    """A random walk of clients that are connected to both servers and send both the same bytes."""

    def test_random_streams(self) -> None:
        """Both send the same frames to everybody, count the same, and end in the same state."""
        forwarded = 0
        for seed in range(8):
            walk = Walk(self, seed)
            walk.run()
            forwarded += walk.forwarded
        self.assertGreater(forwarded, 1000, "the walks forward too little to compare")


class Walk:
    """One walk.

    Attributes:
        forwarded: the messages that were forwarded.

    """

    def __init__(self, test: SynchronousTestCase, seed: int) -> None:
        self.test = test
        self.random = random.Random(seed)
        self.servers = Server(direct=True), Server(direct=False)
        self.clients: list[Client] = []
        self.session = ""
        self.forwarded = 0

    def run(self) -> None:
        """Connect clients that can resume and that cannot, let them send, and compare after each read."""
        for number in range(4):
            client = self.connect()
            client.instance = str(number) if number else ""
            resumable = {"instance": client.instance} if number else {}
            [welcome] = self.say(client, type="hello", version=1, **resumable)
            client.user, client.secret = welcome["user"], welcome.get("secret", "")
            if self.session:
                self.say(client, type="join", session=self.session)
            else:
                self.session = self.say(client, type="open", capacity=4)[-1]["session"]
        for _ in range(STEPS):
            self.step()
            if self.random.randrange(20) == 0:
                self.compare_servers()
        self.compare_servers()
        self.forwarded = sum(self.servers[0].port.metrics.forward.counts)

    def connect(self, *, native: bool = True) -> Client:
        """Connect one more client."""
        client = Client(self.servers, native=native)
        self.clients.append(client)
        return client

    def step(self) -> None:
        """Let somebody send something, or time pass, or a connection end."""
        client = self.random.choice(self.clients)
        match self.random.randrange(40):
            case 0:
                for server in self.servers:
                    server.clock.advance(1.0)
                    server.switchboard.tick()
                self.compare()
            case 1 if client.secret:
                self.resume(client)
            case 2 | 3:
                self.say(client, type="ack", received=client.received)
            case _:
                stream = b"".join(self.frame(client) for _ in range(self.random.choice((1, 1, 2, 5))))
                if self.random.randrange(60) == 0:
                    stream += self.violation()
                self.deliver(client, stream)

    def resume(self, client: Client) -> None:
        """Come back on a new connection, after the loss of the old one or while it is still open."""
        if self.random.randrange(2):
            for end in client.ends:
                end.disconnect()
            self.clients.remove(client)
        again = self.connect()
        resume = {
            "user": client.user,
            "secret": client.secret,
            "instance": client.instance,
            "received": client.received,
        }
        events = self.say(again, type="resume", version=1, **resume)
        no_welcome = {"user": "", "resumed": None}
        welcome: dict[str, Any] = next((event for event in events if event["type"] == "welcome"), no_welcome)
        again.instance = client.instance
        again.user, again.secret = welcome["user"], welcome.get("secret", "")
        if welcome["resumed"] == "everything":
            again.received += client.received
        elif welcome["resumed"] != "membership":
            self.say(again, type="join", session=self.session)

    def frame(self, client: Client) -> bytes:
        """Return a frame, or several, with a message that is mostly valid."""
        others = [other.user for other in self.clients if other is not client]
        common: dict[str, Any] = {"session": self.session, "to": self.random.choice([*others, client.user, "Z" * 26])}
        negotiation = {"offerer": self.random.choice((client.user or "A" * 26, common["to"])), "n": 1}
        message: dict[str, Any]
        match self.random.randrange(14):
            case 0:
                message = {"type": "offer", **common, "negotiation": negotiation, "sdp": "v=0 ü" * 40}
            case 1:
                message = {"type": "answer", **common, "negotiation": negotiation, "sdp": "v=0 😀", "id": "7"}
            case 2:
                message = {"type": "message", **common, "content": "hello"}
            case 3:
                message = {"type": "message", "session": self.session, "content": "to all"}
            case 4:
                message = {"type": "ping", "id": "1"}
            case 5:
                message = {"type": "ice-error", **common, "text": "701"}
            case 6:
                return frame(self.random.choice((PING, PONG)), b"12", mask=self.mask())
            case 7:
                message = {"type": "candidates", **common, "negotiation": negotiation, "candidates": [], "end": True}
            case 8:
                message = {"type": "candidates", **common, "negotiation": negotiation, "candidates": [{"candidate": 1}]}
            case 9:
                message = {
                    "type": "candidates",
                    **common,
                    "negotiation": negotiation,
                    "candidates": [CANDIDATE],
                    "x": 1,
                }
            case _:
                message = {"type": "candidates", **common, "negotiation": negotiation, "candidates": [CANDIDATE]}
        payload = json.dumps(message, ensure_ascii=self.random.random() < 0.5).encode()
        if self.random.randrange(10):
            return frame(TEXT, payload, mask=self.mask())
        cut = self.random.randrange(len(payload) + 1)
        first, rest = frame(TEXT, payload[:cut], fin=False, mask=self.mask()), frame(CONTINUATION, payload[cut:])
        return first + frame(PING) + rest

    def violation(self) -> bytes:
        """Return bytes that end the connection."""
        return self.random.choice(
            (
                frame(BINARY, b"x"),
                frame(TEXT, b"\xff"),
                frame(TEXT, b"x", mask=None),
                frame(TEXT, b"x", rsv=1),
                frame(CONTINUATION, b"x"),
                frame(TEXT, b"x" * (LIMITS.message_bytes + 1)),
                frame(CLOSE, b"\x03\xe8"),
                frame(CLOSE, b"\x03\xe9"),
            )
        )

    def mask(self) -> bytes:
        """Return a masking key."""
        return self.random.randbytes(4)

    def say(self, client: Client, **message: object) -> list[dict[str, Any]]:
        """Let a client send a message, and return what it is sent."""
        return self.deliver(client, frame(TEXT, json.dumps(message).encode()))

    def deliver(self, client: Client, stream: bytes) -> list[dict[str, Any]]:
        """Deliver a stream in random pieces to both servers, and return what the client is sent."""
        sent: list[dict[str, Any]] = []
        while stream:
            size = self.random.choice((1, 7, 100, len(stream), len(stream)))
            piece, stream = stream[:size], stream[size:]
            for end in client.ends:
                end.send(piece)
            sent += self.compare().get(id(client), [])
        return sent

    def compare_servers(self) -> None:
        """Assert that both servers have counted the same, and have the same state."""
        one, other = (server.counters() for server in self.servers)
        self.test.assertEqual([], [(name, one[name], other[name]) for name in one if one[name] != other[name]])
        one_state, other_state = (server.state() for server in self.servers)
        self.test.assertEqual(one_state, other_state)

    def compare(self) -> dict[int, list[dict[str, Any]]]:
        """Assert that both servers have sent everybody the same; return what was sent."""
        sent = {}
        for client in list(self.clients):
            one, other = (read(end.answer()) for end in client.ends)
            self.test.assertEqual(one, other)
            sent[id(client)] = events = [event for op, event in one if op == TEXT]
            client.received += sum(event["type"] not in UNCOUNTED_TYPES for event in events)
            closed = [end.closed for end in client.ends]
            self.test.assertEqual(closed[0], closed[1])
            if closed[0]:
                for end in client.ends:
                    end.disconnect()
                self.clients.remove(client)
                if len(self.clients) < 2:
                    self.connect()
        return sent


UNCOUNTED_TYPES = {"welcome", "ack", "pong", "error", "ice-servers", "going-away"}
"""Events that the counters of a resume leave out."""
