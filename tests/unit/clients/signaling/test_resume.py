"""The signaling client with the server's core, over connections that are lost at any moment."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import Limits
from signald.core.reconnect_window import ReconnectWindow
from signald.core.snapshot import aged
from signald.server.switchboard import Switchboard
from signald_client.signaling import messages
from signald_client.signaling.client import READY, SignalingClient
from signald_client.signaling.events import (
    CloseSocket,
    ConnectAfter,
    Disconnected,
    Dropped,
    InvalidMessage,
    Negotiate,
    Refused,
    Resumed,
    SendFrame,
    StoreIdentity,
)
from signald_client.signaling.negotiation_commands import CreateAndSetLocal, SendRequest
from signald_client.signaling.wire import Value
from tests.support.connections import MemoryConnection, make_switchboard


class Wire(MemoryConnection):
    """The server's transport of one connection; it holds frames until the test delivers them.

    Attributes:
        down: frames to the client; at the end the code and the reason of the close.
        up: frames to the server.

    """

    def __init__(self, switchboard: Switchboard) -> None:
        self.down: deque[bytes | tuple[int, str]] = deque()
        self.up: deque[str] = deque()
        super().__init__(switchboard)

    def send(self, frame: bytes) -> None:
        """Queue a frame of the server."""
        self.down.append(frame)

    def close(self, code: int, reason: str) -> None:
        """Queue the close of the server."""
        self.down.append((code, reason))


class Edge:
    """The edge of a signaling client, with one connection after the other.

    Attributes:
        client: the signaling client.
        wire: the current connection; None while there is none.
        ghosts: lost connections whose loss the server has not noticed.
        events: the events of the client.
        stored_identity: the text that a reload would find.

    """

    def __init__(
        self, switchboard: Switchboard, clock: Clock, instance: str, stored_identity: str | None = None
    ) -> None:
        self.switchboard = switchboard
        self.clock = clock
        self.client = SignalingClient(json, lambda: 0.0, instance, stored_identity=stored_identity)
        self.wire: Wire | None = None
        self.ghosts: list[Wire] = []
        self.events: list[Any] = []
        self.stored_identity = stored_identity
        self.attempt_planned = False
        self.carry_out(self.client.connect())

    def carry_out(self, effects: list[Value]) -> None:
        """Carry out the client's effects, and collect its events."""
        for effect in effects:
            if isinstance(effect, SendFrame):
                if self.wire is not None:
                    self.wire.up.append(effect.text)
            elif isinstance(effect, ConnectAfter):
                self.attempt_planned = True
            elif isinstance(effect, CloseSocket):
                self.wire, self.attempt_planned = None, False
            elif isinstance(effect, StoreIdentity):
                self.stored_identity = effect.text
            else:
                self.events.append(effect)

    def connect(self) -> None:
        """Open the socket that is planned, if any."""
        if self.attempt_planned:
            self.attempt_planned = False
            self.wire = Wire(self.switchboard)
            self.carry_out(self.client.socket_opened(self.clock.seconds()))

    def deliver_up(self) -> bool:
        """Deliver the oldest frame to the server; return False when there is none."""
        if self.wire is None or not self.wire.up:
            return False
        self.wire.receive(self.wire.up.popleft().encode())
        return True

    def deliver_down(self) -> bool:
        """Deliver the oldest frame to the client; return False when there is none."""
        if self.wire is None or not self.wire.down:
            return False
        frame = self.wire.down.popleft()
        if isinstance(frame, bytes):
            self.carry_out(self.client.frame_received(frame.decode(), self.clock.seconds()))
        else:
            self.wire = None
            self.carry_out(self.client.socket_closed(*frame, self.clock.seconds()))
        return True

    def lose_connection(self) -> None:
        """Lose the connection with all undelivered frames; the client notices, the server does not."""
        if self.wire is not None:
            self.ghosts.append(self.wire)
            self.wire = None
            self.carry_out(self.client.socket_closed(1006, "", self.clock.seconds()))

    def report_losses(self) -> None:
        """Let the server notice the losses."""
        for ghost in self.ghosts:
            ghost.disconnect()
        self.ghosts = []

    def received_texts(self) -> list[str]:
        """Return the messages of other members."""
        return [event.content for event in self.events if isinstance(event, messages.ForwardedMessage)]

    def events_of(self, *types: type) -> list[Any]:
        """Return the events of these types."""
        return [event for event in self.events if isinstance(event, types)]


class LinkCase(SynchronousTestCase):
    """A test case with a server and two clients, Ann and Bob."""

    def start(self, limits: Limits | None = None) -> None:
        """Start the server; Ann opens a session, and Bob joins it."""
        self.clock = Clock()
        self.clock.advance(100.0)
        self.switchboard = make_switchboard(self.clock, limits)
        self.ann = Edge(self.switchboard, self.clock, "ann")
        self.deliver_all(self.ann)
        self.ann.carry_out(self.ann.client.open_session())
        self.deliver_all(self.ann)
        (opened,) = self.ann.events_of(messages.Opened)
        self.session = opened.session
        self.bob = Edge(self.switchboard, self.clock, "bob")
        self.deliver_all(self.ann, self.bob)
        self.bob.carry_out(self.bob.client.join_session(self.session))
        self.deliver_all(self.ann, self.bob)

    def deliver_all(self, *edges: Edge) -> None:
        """Open planned sockets and deliver frames until none is left."""
        for edge in edges:
            edge.connect()
        while sum([edge.deliver_up() or edge.deliver_down() for edge in edges]):
            for edge in edges:
                edge.connect()

    def send_message(self, edge: Edge, text: str) -> None:
        """Let a client send a message to all members."""
        edge.carry_out(edge.client.send_message(self.session, text))

    def pass_time(self, seconds: float, *edges: Edge) -> None:
        """Advance the clock of the server and of these clients, a second at a time."""
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            self.switchboard.tick()
            for edge in edges:
                edge.carry_out(edge.client.tick(self.clock.seconds()))
            self.deliver_all(*edges)


class LossAnywhereTests(LinkCase):
    """Each message arrives once and in order, wherever the connection is lost."""

    def exchange_messages(self, lost_after: int, which: bool, noticed: bool) -> bool:
        """Exchange messages and lose a connection after so many deliveries; return whether there were as many."""
        self.start()
        deliveries = 0
        edges = (self.ann, self.bob)
        for index in range(4):
            self.send_message(self.ann, f"a{index}")
            self.send_message(self.bob, f"b{index}")
            for move in (
                self.ann.deliver_up,
                self.bob.deliver_down,
                self.bob.deliver_up,
                self.ann.deliver_down,
            ):
                if deliveries == lost_after:
                    victim = edges[which]
                    victim.lose_connection()
                    if noticed:
                        victim.report_losses()
                    self.send_message(victim, f"{'ab'[which]}-meanwhile")
                    victim.connect()
                move()
                deliveries += 1
        self.deliver_all(*edges)
        return deliveries > lost_after

    def test_every_prefix(self) -> None:
        """Either connection is lost after each number of deliveries, and the server notices it or not."""
        for which in (False, True):
            for noticed in (False, True):
                lost_after = 0
                while self.exchange_messages(lost_after, which, noticed):
                    self.assert_delivered(lost_after, "ab"[which])
                    lost_after += 1
                self.assertEqual(lost_after, 16)

    def assert_delivered(self, lost_after: int, victim: str) -> None:
        """Assert that everything arrived once and in order."""
        for edge, other in ((self.ann, "b"), (self.bob, "a")):
            expected = [f"{other}{index}" for index in range(4)]
            if other == victim:
                expected.insert(lost_after // 4 + 1, f"{other}-meanwhile")
            self.assertEqual(edge.received_texts(), expected, lost_after)
            self.assertEqual(edge.events_of(Refused, InvalidMessage, Disconnected), [])
        (resumed,) = self.ann.events_of(Resumed) + self.bob.events_of(Resumed)
        self.assertEqual(resumed.survival, "everything")

    def test_lost_welcome(self) -> None:
        """A client whose new secret was lost with the welcome can still resume, however often that happens."""
        self.start()
        for _ in range(3):
            self.send_message(self.bob, "x")
            self.ann.lose_connection()
            self.ann.connect()
            self.ann.deliver_up()
        self.deliver_all(self.ann, self.bob)
        self.assertEqual(self.ann.events_of(Resumed), [Resumed("everything")])
        self.assertEqual(self.ann.received_texts(), ["x"] * 3)
        self.ann.lose_connection()
        self.deliver_all(self.ann, self.bob)
        self.assertEqual(self.ann.events_of(Resumed), [Resumed("everything")] * 2)

    @settings(max_examples=150)
    @given(
        st.lists(
            st.tuples(
                st.booleans(),
                st.sampled_from(
                    ["send", "deliver_up", "deliver_down", "lose_connection", "report_losses", "connect", "tick"]
                ),
            )
        )
    )
    def test_any_interleaving(self, steps: list[tuple[bool, str]]) -> None:
        """Whatever is lost in whatever order, each message arrives once and in order."""
        self.start()
        sent: dict[bool, list[str]] = {True: [], False: []}
        for first, step in steps:
            edge = self.ann if first else self.bob
            if step == "send":
                sent[first].append(f"{len(sent[first])}")
                self.send_message(edge, sent[first][-1])
            elif step == "tick":
                self.clock.advance(0.25)
                self.switchboard.tick()
                edge.carry_out(edge.client.tick(self.clock.seconds()))
            else:
                getattr(edge, step)()
        self.deliver_all(self.ann, self.bob)
        self.pass_time(6.0, self.ann, self.bob)
        self.assertEqual((self.bob.received_texts(), self.ann.received_texts()), (sent[True], sent[False]))
        for edge in (self.ann, self.bob):
            self.assertEqual((edge.client.state, edge.client._mailbox.unacknowledged_messages()), (READY, []))
            self.assertEqual({resumed.survival for resumed in edge.events_of(Resumed)} - {"everything"}, set())
            self.assertEqual(edge.events_of(Refused, InvalidMessage, Disconnected), [])


class SurvivalTests(LinkCase):
    """What survives a reload and longer losses."""

    def test_reload(self) -> None:
        """A reloaded page is in its session again, and both sides get new negotiators."""
        self.start()
        pair = self.bob.client.negotiator(self.session, self.ann.client.user or "")
        assert pair is not None
        pair.negotiation_needed()
        (command,) = pair.local_description_set("v=0")
        assert isinstance(command, SendRequest)
        self.bob.carry_out(self.bob.client.send_request(command.message))
        self.deliver_all(self.ann, self.bob)
        self.ann.lose_connection()
        again = Edge(self.switchboard, self.clock, "ann, again", self.ann.stored_identity)
        self.deliver_all(again, self.bob)
        self.assertEqual(again.events_of(Resumed), [Resumed("membership")])
        (joined,) = again.events_of(messages.Joined)
        self.assertEqual((joined.session, joined.role, again.client.user), (self.session, "host", self.ann.client.user))
        (renewed,) = self.bob.events_of(messages.MemberRenewed)
        self.assertGreaterEqual(renewed.member.base, 1)
        self.assertEqual(renewed.member.base, joined.members[0].base)
        pair = self.bob.client.negotiator(self.session, self.ann.client.user or "")
        assert pair is not None
        self.assertEqual(pair.negotiation_needed(), [CreateAndSetLocal("offer")])
        (command,) = pair.local_description_set("v=0")
        assert isinstance(command, SendRequest)
        self.bob.carry_out(self.bob.client.send_request(command.message))
        self.deliver_all(again, self.bob)
        self.assertEqual(len(again.events_of(Negotiate)), 1)

    def test_outbox_is_full(self) -> None:
        """When the server's outbox is full, the sender gets a refusal, and no accepted message is lost."""
        self.start(Limits(outbox_messages=16))
        self.ann.lose_connection()
        self.ann.report_losses()
        for index in range(30):
            self.send_message(self.bob, str(index))
        self.deliver_all(self.bob)
        refused = [refusal.request.content for refusal in self.bob.events_of(Refused)]
        self.deliver_all(self.ann, self.bob)
        self.assertEqual(self.ann.received_texts() + refused, [str(index) for index in range(30)])
        self.assertEqual(self.ann.events_of(Resumed), [Resumed("everything")])

    def test_outbox_overflows(self) -> None:
        """When the server's outbox overflows, the membership survives, also when the welcome is lost at first."""
        self.start(Limits(outbox_messages=16))
        self.ann.lose_connection()
        self.ann.report_losses()
        for _ in range(20):
            self.bob.lose_connection()
            self.bob.report_losses()
            self.deliver_all(self.bob)
        for _ in range(3):
            self.ann.connect()
            self.ann.deliver_up()
            self.ann.lose_connection()
        self.send_message(self.ann, "lost")
        self.deliver_all(self.ann, self.bob)
        self.assertEqual(self.ann.events_of(Resumed), [Resumed("membership")])
        self.assertEqual(len(self.ann.events_of(messages.Joined)), 1)
        (dropped,) = self.ann.events_of(Dropped)
        self.assertEqual([message.content for message in dropped.messages], ["lost"])
        self.send_message(self.ann, "arrives")
        self.send_message(self.bob, "arrives too")
        self.deliver_all(self.ann, self.bob)
        self.assertEqual((self.ann.received_texts(), self.bob.received_texts()), (["arrives too"], ["arrives"]))

    def test_after_the_grace(self) -> None:
        """A client that returns after the grace is a new user, and can join again."""
        self.start()
        self.bob.lose_connection()
        self.bob.report_losses()
        self.pass_time(35.0, self.ann)
        self.assertEqual([event.reason for event in self.ann.events_of(messages.MemberLeft)], ["gone"])
        self.deliver_all(self.bob)
        self.assertEqual(self.bob.events_of(Resumed), [Resumed("nothing")])
        self.bob.carry_out(self.bob.client.join_session(self.session))
        self.deliver_all(self.ann, self.bob)
        self.assertEqual(len(self.bob.events_of(messages.Joined)), 2)

    def test_two_clients_with_one_secret(self) -> None:
        """When two clients resume with one identity, the later one has it, and the other does not reconnect."""
        self.start()
        twin = Edge(self.switchboard, self.clock, "twin", self.ann.stored_identity)
        self.deliver_all(twin, self.ann, self.bob)
        self.assertEqual(self.ann.events_of(Disconnected), [Disconnected(4001, "replaced")])
        self.assertFalse(self.ann.attempt_planned)
        self.assertEqual(twin.events_of(Resumed), [Resumed("membership")])

    def test_going_away(self) -> None:
        """A server that stops sends `going-away`."""
        self.start()
        self.switchboard.announce_stop(ReconnectWindow(3.0, 3.0), lambda: 0.5)
        self.deliver_all(self.ann, self.bob)
        self.assertEqual(len(self.ann.events_of(messages.GoingAway)), 1)

    def outage(self, seconds: int, hold: float) -> None:
        """Stop the server in order, and start the next one later, while both clients talk every second."""
        self.start()
        self.switchboard.hub.hold = hold
        self.switchboard.announce_stop(ReconnectWindow(3.0, 3.0), lambda: 0.5)
        snapshot = self.switchboard.suspend()
        for edge in (self.ann, self.bob):
            while edge.deliver_down():
                pass
            edge.lose_connection()
        for number in range(seconds):
            self.clock.advance(1.0)
            for edge in (self.ann, self.bob):
                edge.carry_out(edge.client.tick(self.clock.seconds()))
                self.send_message(edge, str(number))
        self.switchboard = make_switchboard(self.clock)
        self.switchboard.restore(aged(snapshot, float(seconds)))
        for edge in (self.ann, self.bob):
            edge.switchboard = self.switchboard
        self.deliver_all(self.ann, self.bob)

    def test_long_outage(self) -> None:
        """Both sides hold on to messages for the time that `going-away` states, which is longer than the grace."""
        self.outage(58, 300.0)
        for edge in (self.ann, self.bob):
            self.assertEqual(edge.events_of(Refused, Dropped), [])
            self.assertEqual(edge.events_of(Resumed), [Resumed("everything")])
            self.assertEqual(edge.received_texts(), [str(number) for number in range(58)])

    def test_outage_beyond_the_bound(self) -> None:
        """After the time that `going-away` states, the client refuses messages, which the server would not take."""
        self.outage(58, 40.0)
        for edge in (self.ann, self.bob):
            self.assertEqual([refused.code for refused in edge.events_of(Refused)], ["not-connected"] * 19)
            self.assertEqual(len(edge.received_texts()), 39)

    def test_lost_refusal(self) -> None:
        """A request whose refusal was lost is refused with `no-reply` 10 s after the resume."""
        self.start()
        self.bob.carry_out(self.bob.client.end_session(self.session))
        self.bob.deliver_up()
        self.bob.lose_connection()
        self.deliver_all(self.ann, self.bob)
        self.assertEqual(self.bob.events_of(Refused), [])
        self.pass_time(11.0, self.ann, self.bob)
        (refused,) = self.bob.events_of(Refused)
        self.assertEqual((refused.code, refused.about), ("no-reply", "end"))
