"""The signaling client and the server's core, over connections that are lost in every moment."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import Limits
from signald.core.reconnect_window import ReturnWindow
from signald.server.switchboard import Switchboard
from signald_client.signaling import messages
from signald_client.signaling.client import READY, SignalingClient
from signald_client.signaling.events import (
    CloseSocket,
    ConnectAfter,
    Disconnected,
    Dropped,
    Keep,
    Misunderstood,
    Negotiate,
    Refused,
    Resumed,
    SendFrame,
)
from signald_client.signaling.negotiation import CreateAndSetLocal, Send
from signald_client.signaling.wire import Value
from tests.support.connections import MemoryConnection, make_switchboard


class Wire(MemoryConnection):
    """One connection as the server sees it: what it sends is under way until somebody takes it.

    Attributes:
        down: frames to the client, and at the end the code and reason of the close.
        up: frames to the server.

    """

    def __init__(self, switchboard: Switchboard) -> None:
        self.down: deque[bytes | tuple[int, str]] = deque()
        self.up: deque[str] = deque()
        super().__init__(switchboard)

    def send(self, frame: bytes) -> None:
        """The server sends a frame."""
        self.down.append(frame)

    def close(self, code: int, reason: str) -> None:
        """The server closes."""
        self.down.append((code, reason))


class Edge:
    """A client with its connections, one after the other.

    Attributes:
        client: the client.
        wire: the connection that the client knows of.
        ghosts: those whose loss the server has not noticed.
        events: what the application was told.
        kept: what a reload would find.

    """

    def __init__(self, switchboard: Switchboard, clock: Clock, instance: str, kept: str | None = None) -> None:
        self.switchboard = switchboard
        self.clock = clock
        self.client = SignalingClient(json, lambda: 0.0, instance, kept=kept)
        self.wire: Wire | None = None
        self.ghosts: list[Wire] = []
        self.events: list[Any] = []
        self.kept = kept
        self.wanted = False
        self.carry_out(self.client.connect())

    def carry_out(self, effects: list[Value]) -> None:
        """Do what the client says."""
        for effect in effects:
            if isinstance(effect, SendFrame):
                if self.wire is not None:
                    self.wire.up.append(effect.text)
            elif isinstance(effect, ConnectAfter):
                self.wanted = True
            elif isinstance(effect, CloseSocket):
                self.wire, self.wanted = None, False
            elif isinstance(effect, Keep):
                self.kept = effect.text
            else:
                self.events.append(effect)

    def connect(self) -> None:
        """Open the socket that is wanted."""
        if self.wanted:
            self.wanted = False
            self.wire = Wire(self.switchboard)
            self.carry_out(self.client.socket_opened(self.clock.seconds()))

    def up(self) -> bool:
        """Let the oldest frame reach the server; False when none is under way."""
        if self.wire is None or not self.wire.up:
            return False
        self.wire.receive(self.wire.up.popleft().encode())
        return True

    def down(self) -> bool:
        """Let the oldest frame reach the client; False when none is under way."""
        if self.wire is None or not self.wire.down:
            return False
        frame = self.wire.down.popleft()
        if isinstance(frame, bytes):
            self.carry_out(self.client.frame_received(frame.decode(), self.clock.seconds()))
        else:
            self.wire = None
            self.carry_out(self.client.socket_closed(*frame, self.clock.seconds()))
        return True

    def cut(self) -> None:
        """Lose the connection with all that is under way; the client notices, the server does not."""
        if self.wire is not None:
            self.ghosts.append(self.wire)
            self.wire = None
            self.carry_out(self.client.socket_closed(1006, "", self.clock.seconds()))

    def notice(self) -> None:
        """The server notices the losses."""
        for ghost in self.ghosts:
            ghost.disconnect()
        self.ghosts = []

    def said(self) -> list[str]:
        """What other members said."""
        return [event.content for event in self.events if isinstance(event, messages.ForwardedMessage)]

    def told(self, *types: type) -> list[Any]:
        """The events of these types."""
        return [event for event in self.events if isinstance(event, types)]


class LinkCase(SynchronousTestCase):
    """A test case with a server and two clients."""

    def begin(self, limits: Limits | None = None) -> None:
        """Start the server, and let Ann open a session and Bob join it."""
        self.clock = Clock()
        self.clock.advance(100.0)
        self.switchboard = make_switchboard(self.clock, limits)
        self.ann = Edge(self.switchboard, self.clock, "ann")
        self.rest(self.ann)
        self.ann.carry_out(self.ann.client.open())
        self.rest(self.ann)
        (opened,) = self.ann.told(messages.Opened)
        self.session = opened.session
        self.bob = Edge(self.switchboard, self.clock, "bob")
        self.rest(self.ann, self.bob)
        self.bob.carry_out(self.bob.client.join(self.session))
        self.rest(self.ann, self.bob)

    def rest(self, *edges: Edge) -> None:
        """Let everything that is under way arrive."""
        for edge in edges:
            edge.connect()
        while sum([edge.up() or edge.down() for edge in edges]):
            for edge in edges:
                edge.connect()

    def say(self, edge: Edge, text: str) -> None:
        """Let one say something to all."""
        edge.carry_out(edge.client.say(self.session, text))

    def pass_time(self, seconds: float, *edges: Edge) -> None:
        """Let time pass for the server and these clients."""
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            self.switchboard.tick()
            for edge in edges:
                edge.carry_out(edge.client.tick(self.clock.seconds()))
            self.rest(*edges)


class CutAnywhereTests(LinkCase):
    """Each message arrives once and in its order, wherever the connection is cut."""

    def converse(self, cut_after: int, which: bool, noticed: bool) -> bool:
        """Talk, with a cut after so many frames; whether there were as many."""
        self.begin()
        cut = 0
        edges = (self.ann, self.bob)
        for index in range(4):
            self.say(self.ann, f"a{index}")
            self.say(self.bob, f"b{index}")
            for move in (self.ann.up, self.bob.down, self.bob.up, self.ann.down):
                if cut == cut_after:
                    victim = edges[which]
                    victim.cut()
                    if noticed:
                        victim.notice()
                    self.say(victim, f"{'ab'[which]}-meanwhile")
                    victim.connect()
                move()
                cut += 1
        self.rest(*edges)
        return cut > cut_after

    def test_every_prefix(self) -> None:
        """One cut, after each number of frames, of either side, noticed by the server or not."""
        for which in (False, True):
            for noticed in (False, True):
                cut_after = 0
                while self.converse(cut_after, which, noticed):
                    self.check(cut_after, "ab"[which])
                    cut_after += 1
                self.assertEqual(cut_after, 16)

    def check(self, cut_after: int, victim: str) -> None:
        """Everything arrived once, in its order."""
        for edge, other in ((self.ann, "b"), (self.bob, "a")):
            expected = [f"{other}{index}" for index in range(4)]
            if other == victim:
                expected.insert(cut_after // 4 + 1, f"{other}-meanwhile")
            self.assertEqual(edge.said(), expected, cut_after)
            self.assertEqual(edge.told(Refused, Misunderstood, Disconnected), [])
        (resumed,) = self.ann.told(Resumed) + self.bob.told(Resumed)
        self.assertEqual(resumed.survival, "everything")

    def test_the_welcome_is_lost(self) -> None:
        """A client whose new secret was lost with its welcome is not locked out, however often that happens."""
        self.begin()
        for _ in range(3):
            self.say(self.bob, "x")
            self.ann.cut()
            self.ann.connect()
            self.ann.up()
        self.rest(self.ann, self.bob)
        self.assertEqual(self.ann.told(Resumed), [Resumed("everything")])
        self.assertEqual(self.ann.said(), ["x"] * 3)
        self.ann.cut()
        self.rest(self.ann, self.bob)
        self.assertEqual(self.ann.told(Resumed), [Resumed("everything")] * 2)

    @settings(deadline=None, max_examples=150)
    @given(
        st.lists(st.tuples(st.booleans(), st.sampled_from(["say", "up", "down", "cut", "notice", "connect", "tick"])))
    )
    def test_any_interleaving(self, steps: list[tuple[bool, str]]) -> None:
        """Whatever is cut in whatever order, what each said arrives at the other, once and in its order."""
        self.begin()
        said: dict[bool, list[str]] = {True: [], False: []}
        for first, step in steps:
            edge = self.ann if first else self.bob
            if step == "say":
                said[first].append(f"{len(said[first])}")
                self.say(edge, said[first][-1])
            elif step == "tick":
                self.clock.advance(0.25)
                self.switchboard.tick()
                edge.carry_out(edge.client.tick(self.clock.seconds()))
            else:
                getattr(edge, step)()
        self.rest(self.ann, self.bob)
        self.pass_time(6.0, self.ann, self.bob)
        self.assertEqual((self.bob.said(), self.ann.said()), (said[True], said[False]))
        for edge in (self.ann, self.bob):
            self.assertEqual((edge.client.state, edge.client._delivery.messages()), (READY, []))
            self.assertEqual({resumed.survival for resumed in edge.told(Resumed)} - {"everything"}, set())
            self.assertEqual(edge.told(Refused, Misunderstood, Disconnected), [])


class OutcomeTests(LinkCase):
    """What survives other losses."""

    def test_reload(self) -> None:
        """A page that is loaded anew is in its session again, and both sides begin anew."""
        self.begin()
        pair = self.bob.client.negotiator(self.session, self.ann.client.user or "")
        assert pair is not None
        pair.negotiation_needed()
        (sent,) = pair.local_description_set("v=0")
        assert isinstance(sent, Send)
        self.bob.carry_out(self.bob.client.send(sent.message))
        self.rest(self.ann, self.bob)
        self.ann.cut()
        again = Edge(self.switchboard, self.clock, "ann, again", self.ann.kept)
        self.rest(again, self.bob)
        self.assertEqual(again.told(Resumed), [Resumed("membership")])
        (joined,) = again.told(messages.Joined)
        self.assertEqual((joined.session, joined.role, again.client.user), (self.session, "host", self.ann.client.user))
        (renewed,) = self.bob.told(messages.MemberRenewed)
        self.assertGreaterEqual(renewed.member.base, 1)
        self.assertEqual(renewed.member.base, joined.members[0].base)
        pair = self.bob.client.negotiator(self.session, self.ann.client.user or "")
        assert pair is not None
        self.assertEqual(pair.negotiation_needed(), [CreateAndSetLocal("offer")])
        (sent,) = pair.local_description_set("v=0")
        assert isinstance(sent, Send)
        self.bob.carry_out(self.bob.client.send(sent.message))
        self.rest(again, self.bob)
        self.assertEqual(len(again.told(Negotiate)), 1)

    def test_too_much_waited(self) -> None:
        """When more waited than the server keeps, the sender is told, and nobody loses anything."""
        self.begin(Limits(outbox_messages=16))
        self.ann.cut()
        self.ann.notice()
        for index in range(30):
            self.say(self.bob, str(index))
        self.rest(self.bob)
        refused = [refusal.request.content for refusal in self.bob.told(Refused)]
        self.rest(self.ann, self.bob)
        self.assertEqual(self.ann.said() + refused, [str(index) for index in range(30)])
        self.assertEqual(self.ann.told(Resumed), [Resumed("everything")])

    def test_too_much_happened(self) -> None:
        """When more happened than the server keeps, the membership survives, also when the welcome is lost at first."""
        self.begin(Limits(outbox_messages=16))
        self.ann.cut()
        self.ann.notice()
        for _ in range(20):
            self.bob.cut()
            self.bob.notice()
            self.rest(self.bob)
        for _ in range(3):
            self.ann.connect()
            self.ann.up()
            self.ann.cut()
        self.say(self.ann, "lost")
        self.rest(self.ann, self.bob)
        self.assertEqual(self.ann.told(Resumed), [Resumed("membership")])
        self.assertEqual(len(self.ann.told(messages.Joined)), 1)
        (dropped,) = self.ann.told(Dropped)
        self.assertEqual([message.content for message in dropped.messages], ["lost"])
        self.say(self.ann, "arrives")
        self.say(self.bob, "arrives too")
        self.rest(self.ann, self.bob)
        self.assertEqual((self.ann.said(), self.bob.said()), (["arrives too"], ["arrives"]))

    def test_after_the_grace(self) -> None:
        """One who comes back too late is somebody else, and can join again."""
        self.begin()
        self.bob.cut()
        self.bob.notice()
        self.pass_time(35.0, self.ann)
        self.assertEqual([event.reason for event in self.ann.told(messages.MemberLeft)], ["gone"])
        self.rest(self.bob)
        self.assertEqual(self.bob.told(Resumed), [Resumed("nothing")])
        self.bob.carry_out(self.bob.client.join(self.session))
        self.rest(self.ann, self.bob)
        self.assertEqual(len(self.bob.told(messages.Joined)), 2)

    def test_two_with_one_secret(self) -> None:
        """Of two that have the same text, the later one is the client, and the other does not come back."""
        self.begin()
        twin = Edge(self.switchboard, self.clock, "twin", self.ann.kept)
        self.rest(twin, self.ann, self.bob)
        self.assertEqual(self.ann.told(Disconnected), [Disconnected(4001, "replaced")])
        self.assertFalse(self.ann.wanted)
        self.assertEqual(twin.told(Resumed), [Resumed("membership")])

    def test_going_away(self) -> None:
        """A server that stops says when to come back."""
        self.begin()
        self.switchboard.announce_stop(ReturnWindow(3.0, 3.0), lambda: 0.5)
        self.rest(self.ann, self.bob)
        self.assertEqual(len(self.ann.told(messages.GoingAway)), 1)

    def test_lost_refusal(self) -> None:
        """A request whose refusal was lost is refused 10 s after the resume."""
        self.begin()
        self.bob.carry_out(self.bob.client.end(self.session))
        self.bob.up()
        self.bob.cut()
        self.rest(self.ann, self.bob)
        self.assertEqual(self.bob.told(Refused), [])
        self.pass_time(11.0, self.ann, self.bob)
        (refused,) = self.bob.told(Refused)
        self.assertEqual((refused.code, refused.about), ("no-reply", "end"))
