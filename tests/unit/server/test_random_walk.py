"""Many clients of both dialects doing anything in any order: nothing raises, nobody hears what is not theirs."""

from __future__ import annotations

import json
import random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import Limits
from signald.core.turn import Turn
from signald.dialects.native import EVENTS, Native
from signald.dialects.serde import Serde
from signald.server.switchboard import Switchboard
from tests.support.connections import MemoryConnection, make_switchboard

STEPS = 4000
LIMITS = Limits(
    message_burst=10000,
    failed_guesses=10000,
    session_members=3,
    user_sessions=3,
    session_idle_seconds=60.0,
    session_life_seconds=300.0,
)


NOT_HEARD = {"pong", "ack", "going-away", "member-away", "member-back", "member-renewed"}
"""Events that do not occur in these walks: no client sends a valid ping, can resume or sees a stop."""


class Client(MemoryConnection):
    """A connection that knows what it has been told, as any client would.

    Attributes:
        native: whether it speaks the native dialect.
        user: its id, since the welcome.
        sessions: those it was told that it is in, with the other members as far as it was told of them.
        waits: those at which it was told that it waits.

    """

    def __init__(self, switchboard: Switchboard, native: bool) -> None:
        super().__init__(switchboard, Native() if native else Serde())
        self.native = native
        self.user = ""
        self.sessions: dict[str, set[str]] = {}
        self.waits: set[str] = set()


class FuzzTests(SynchronousTestCase):
    """Random walks, each repeatable by its seed."""

    def test_random_walks(self) -> None:
        """In each walk messages come from members alone, and no state is left after the last client."""
        heard = set[str]()
        for seed in range(6):
            walk = Walk(self, seed)
            walk.run()
            heard |= walk.heard
        # Otherwise the walks do not come where they should. Nobody comes back here: `test_model` walks there.
        self.assertEqual(heard, {*EVENTS.values(), "error"} - NOT_HEARD)


class Walk:
    """One random walk."""

    def __init__(self, test: FuzzTests, seed: int) -> None:
        self.test = test
        self.random = random.Random(seed)
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock, LIMITS)
        self.switchboard.reload_ice_servers((), Turn(("turn:t",), bytes(32), 30.0), relay_only=False)
        self.clients: list[Client] = []
        self.known: list[str] = ["ZZZZZZZZZZ"]
        self.heard: set[str] = set()

    def run(self) -> None:
        """Walk, and then let all clients go."""
        for _ in range(STEPS):
            self.step()
            for client in self.clients:
                for body in client.take_messages():
                    self.hear(client, body)
        for client in self.clients:
            client.disconnect()
        hub, registry = self.switchboard.hub, self.switchboard.registry
        lifetimes = hub.lifetimes
        left = [hub.peers, hub.users, hub.decisions.by_id, hub.sessions, lifetimes.active, lifetimes.expires]
        left += [lifetimes.idle_checks, hub.decisions.deferred_outcomes]
        left += [hub.forwarder.early_candidates.batches, registry.users, registry.sessions]
        self.test.assertEqual(left, [{}] * 11)

    def step(self) -> None:
        """Do one thing."""
        choice = self.random.random()
        if choice < 0.05 or not self.clients:
            if len(self.clients) < 8:
                self.clients.append(Client(self.switchboard, self.random.random() < 0.6))
            return
        client = self.random.choice(self.clients)
        if choice < 0.09:
            self.clients.remove(client)
            client.disconnect()
        elif choice < 0.12:
            self.clock.advance(self.random.choice([1, 30]))
            self.switchboard.tick()
        else:
            frame = self.native_frame(client) if client.native else self.serde_frame()
            client.receive(frame)

    def native_frame(self, client: Client) -> bytes:
        """Something that a native client may say, sensible or not."""
        draw = self.random.choice
        session = draw([*client.sessions, *self.known[-6:]])
        users = [other.user for other in self.clients if other.user]
        to = draw([*sorted(client.sessions.get(session, ())), *users, "Z" * 26])
        negotiation = {"offerer": draw([client.user or to, to]), "n": draw([1, 2])}
        addressed = {"session": session, "to": to, "negotiation": negotiation}
        body: dict[str, Any] = draw(
            [
                {"type": "hello", "version": draw([1, 1, 2])},
                {"type": "open", "capacity": draw([1, 2, 3, 4]), "lobby": draw([True, False])},
                {"type": "open", "capacity": 3, "succession": True},
                {"type": "join", "session": session},
                {"type": "join", "session": session},
                {"type": "leave", "session": session},
                {"type": "offer", **addressed, "sdp": client.user},
                {"type": "answer", **addressed, "sdp": client.user},
                {"type": "candidates", **addressed, "candidates": [{"candidate": client.user}]},
                {"type": "ice-error", "session": session, "to": to, "text": client.user},
                {"type": "message", "session": session, "content": client.user},
                {"type": "message", "session": session, "content": client.user, "to": to},
                {"type": "change", "session": session, draw(["locked", "lobby"]): draw([True, False, False])},
                {"type": draw(["admit", "refuse", "remove", "hand-over"]), "session": session, "user": to},
                {"type": draw(["admit", "refuse", "remove", "hand-over"]), "session": session, "user": to},
                {"type": draw(["end", "ack"]), **draw([{"session": session}, {"received": 1}])},
                {"type": "ping", "surplus": 1},
                {"type": draw(["opened", "", None, 5])},
            ]
        )
        return json.dumps(body).encode()

    def serde_frame(self) -> bytes:
        """Something that a client of the original may say."""
        session = self.random.choice(self.known[-6:])
        body = self.random.choice(
            [
                "SessionNew",
                "Debug",
                {"SessionJoin": session},
                {"SessionJoin": session},
                {"VideoOffer": ["sdp", session]},
                {"VideoAnswer": ["sdp", session]},
                {"IceCandidate": ['{"candidate":"c"}', session]},
                {"ICEError": ["text", session]},
            ]
        )
        return json.dumps(body).encode()

    def hear(self, client: Client, body: Any) -> None:
        """Take note of what a client hears, and check that it may."""
        if not client.native:
            self.known += [body[name] for name in ("SessionReady",) if name in body]
            return
        kind = body["type"]
        self.heard.add(kind)
        session = body.get("session", "")
        if kind == "welcome":
            client.user = body["user"]
        elif kind == "opened":
            client.sessions[session] = set()
            self.known.append(session)
        elif kind == "joined":
            client.sessions[session] = {member["user"] for member in body["members"]}
            client.waits.discard(session)
        elif kind == "waiting":
            client.waits.add(session)
        elif kind == "not-admitted" or (kind == "left" and session in client.waits):
            client.waits.remove(session)
        elif kind == "member-joined":
            self.test.assertNotIn(body["member"]["user"], client.sessions[session])
            client.sessions[session].add(body["member"]["user"])
        elif kind == "member-left":
            client.sessions[session].remove(body["user"])
        elif kind in ("left", "ended"):
            del client.sessions[session]
        elif kind == "host-changed":
            self.test.assertIn(body["user"], {*client.sessions[session], client.user})
        elif kind in ("changed", "knock", "knock-over"):
            self.test.assertIn(session, client.sessions)
        elif kind in ("offer", "answer", "candidates", "ice-error", "message"):
            self.test.assertIn(body["from"], client.sessions[session])
        if session in client.sessions:
            self.test.assertLessEqual(len(client.sessions[session]), 2)
