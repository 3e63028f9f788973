"""Random walks of many clients: no request raises, and no client receives another session's messages."""

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


ABSENT_EVENTS = {"ack", "going-away", "member-away", "member-back", "member-renewed"}
"""Events that do not occur in the walks: no client resumes or sees the server stop."""


CANDIDATES = ['{"candidate":"c"}', '{"candidate":"c"}', "", "[]", '{"candidate":5}', " c "]
"""The strings of candidates of the original's clients; a native member can get the first ones alone."""


class Client(MemoryConnection):
    """A connection that records the state it learned from events, as a real client does.

    Attributes:
        native: whether it speaks the native dialect.
        user: its user id, known since the welcome.
        sessions: the sessions that it is a member of, with the other members that were announced to it.
        waits: the sessions in whose lobby it waits.

    """

    def __init__(self, switchboard: Switchboard, native: bool) -> None:
        super().__init__(switchboard, Native() if native else Serde())
        self.native = native
        self.user = ""
        self.sessions: dict[str, set[str]] = {}
        self.waits: set[str] = set()


class FuzzTests(SynchronousTestCase):
    """Each random walk is repeatable by its seed."""

    def test_random_walks(self) -> None:
        """Messages arrive from members only, and no state is left after the last client has disconnected."""
        received = set[str]()
        for seed in range(6):
            walk = Walk(self, seed)
            walk.run()
            received |= walk.received
        # The walks must reach all these events. No client reconnects here: `test_model` covers reconnects.
        self.assertEqual(received, {*EVENTS.values(), "error"} - ABSENT_EVENTS)


class Walk:
    """One random walk of several clients over one switchboard."""

    def __init__(self, test: FuzzTests, seed: int) -> None:
        self.test = test
        self.random = random.Random(seed)
        self.texts = random.Random(seed)  # of its own, so that other texts change nothing of the walk
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock, LIMITS)
        self.switchboard.reload_ice_servers((), Turn(("turn:t",), bytes(32), 30.0), relay_only=False)
        self.clients: list[Client] = []
        self.known: list[str] = ["ZZZZZZZZZZ"]
        self.received: set[str] = set()

    def run(self) -> None:
        """Take the steps of the walk, and then disconnect all clients."""
        for _ in range(STEPS):
            self.step()
            for client in self.clients:
                for body in client.take_messages():
                    self.check_event(client, body)
        for client in self.clients:
            client.disconnect()
        hub, registry = self.switchboard.hub, self.switchboard.registry
        lifetimes = hub.lifetimes
        left = [hub.peers, hub.users, hub.decisions.by_id, hub.sessions, lifetimes.active, lifetimes.expires]
        left += [lifetimes.idle_checks, hub.decisions.deferred_outcomes]
        left += [hub.forwarder.early_candidates.batches, registry.users, registry.sessions]
        self.test.assertEqual(left, [{}] * 11)

    def step(self) -> None:
        """Take one random step: connect, disconnect, send a frame, or advance the clock."""
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
        """Return a random frame of the native dialect, valid or not."""
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
        """Return a random frame of the original protocol's dialect."""
        session = self.random.choice(self.known[-6:])
        body = self.random.choice(
            [
                "SessionNew",
                "Debug",
                {"SessionJoin": session},
                {"SessionJoin": session},
                {"VideoOffer": ["sdp", session]},
                {"VideoAnswer": ["sdp", session]},
                {"IceCandidate": [self.texts.choice(CANDIDATES), session]},
                {"ICEError": ["text", session]},
            ]
        )
        return json.dumps(body).encode()

    def check_event(self, client: Client, body: Any) -> None:
        """Record an event that a client received, and check that it may receive it."""
        if not client.native:
            self.known += [body[name] for name in ("SessionReady",) if name in body]
            return
        kind = body["type"]
        self.received.add(kind)
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
