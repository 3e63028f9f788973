"""The direct way forwards what the general way would, with the same effects, and leaves everything else to it."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.actions import Send
from signald.core.direct_forwarding import MOST_ROUTES, DirectMessage, Forwarded
from signald.core.errors import ErrorCode
from signald.core.forwarding import forwarded_event
from signald.core.limits import Limits
from signald.core.message_sizes import message_size
from signald.core.messages import (
    Ack,
    AppMessage,
    Candidate,
    Candidates,
    Count,
    CountedEvent,
    Forwardable,
    Instance,
    Join,
    Leave,
    Negotiation,
    Offer,
    Open,
    Ping,
    SessionId,
    Traits,
    UserId,
)
from signald.core.users import PeerId, RequestQueue
from tests.support.world import Client, World

TEXT = Candidate("candidate:1")


class Message(DirectMessage):
    """A message whose frame is the text of its event."""

    def __init__(self, request: Forwardable) -> None:
        self.said = request
        self.kind, self.session, self.to = type(request), request.session, request.to
        self.event_kind = type(forwarded_event(request, UserId(""), Traits()))
        self.size = message_size(request)
        self.decode_event = self.decode

    def frame_from(self, sender: UserId) -> bytes:
        """Encode the event."""
        return repr(forwarded_event(self.said, sender, Traits())).encode()

    def decode(self, frame: bytes) -> CountedEvent:
        """Decode the event."""
        event = forwarded_event(self.said, UserId("?"), Traits())
        assert type(event).__name__ in frame.decode()
        return event


class DirectCase(SynchronousTestCase):
    """A session of three whose members can resume."""

    limits = Limits()

    def setUp(self) -> None:
        """Let a host open a session that two guests join."""
        self.world = World(self.limits)
        self.hub = self.world.hub
        self.hub.direct.has_same_dialect = lambda sender, receiver: sender != receiver
        self.host, self.guest, self.third = (Client(self.world, name) for name in ("one", "two", "three"))
        self.session = self.host.open()
        for guest in (self.guest, self.third):
            guest.send(Join(self.session))
        for client in (self.host, self.guest, self.third):
            client.receive()

    def candidates(self, to: Client | None = None) -> Candidates:
        """Candidates from the guest, by default to the host."""
        receiver = (to or self.host).user
        return Candidates(self.session, receiver, Negotiation(self.guest.user, 1), (TEXT,))

    def forward(self, request: Forwardable, sender: Client | None = None) -> Forwarded | None:
        """Forward a request of the guest, or of another client, the direct way."""
        return self.hub.direct.forward((sender or self.guest).peer, Message(request), self.world.now)

    def assert_left(self, request: Forwardable, sender: Client | None = None) -> None:
        """Assert that the general way has to decide, and that nothing has changed."""
        before = self.world.state(), self.budget(sender), dict(self.hub.lifetimes.active)
        self.assertIsNone(self.forward(request, sender))
        self.assertEqual((self.world.state(), self.budget(sender), dict(self.hub.lifetimes.active)), before)

    def budget(self, sender: Client | None = None) -> float | None:
        """The tokens of the sender's message budget; None where its connection has ended."""
        peer = self.hub.peers.get((sender or self.guest).peer)
        return None if peer is None else peer.budget.tokens


class ForwardTests(DirectCase):
    """Messages that are forwarded."""

    def test_one_receiver(self) -> None:
        """The effects are those of the general way: budget, counters, outbox, activity."""
        self.world.now += 1
        inbox = self.hub.users[self.guest.user].inbox
        received = inbox.received
        outbox = self.hub.users[self.host.user].outbox
        sent = outbox.sent
        forwarded = self.forward(self.candidates())
        assert forwarded is not None
        self.assertEqual((forwarded.receivers, forwarded.actions), ((self.host.peer,), []))
        self.assertIn(self.guest.user.encode(), forwarded.frame)
        self.assertEqual((inbox.received, outbox.sent), (received + 1, sent + 1))
        self.assertEqual(outbox.unacknowledged[-1], (forwarded.frame, message_size(self.candidates())))
        self.assertEqual(self.hub.lifetimes.active[self.session], self.world.now)
        self.assertEqual(self.budget(), self.limits.message_burst - 1)

    def test_to_all(self) -> None:
        """A message without an addressee goes to all others that accept messages."""
        forwarded = self.forward(AppMessage(self.session, "hello"))
        assert forwarded is not None
        self.assertEqual(forwarded.receivers, (self.host.peer, self.third.peer))

    def test_acknowledgement(self) -> None:
        """An acknowledgement that is due follows."""
        for _ in range(self.limits.ack_messages - 2):
            self.assertEqual(getattr(self.forward(self.candidates()), "actions", None), [])
        forwarded = self.forward(self.candidates())
        assert forwarded is not None
        self.assertEqual(forwarded.actions, [Send(self.guest.peer, Ack(Count(self.limits.ack_messages)))])

    def test_a_receiver_that_cannot_resume(self) -> None:
        """Its events are counted and not kept."""
        plain = Client(self.world, None)
        plain.send(Join(self.session))
        outbox = self.hub.users[plain.user].outbox
        before = outbox.acknowledged
        self.assertIsNotNone(self.forward(self.candidates(plain)))
        self.assertEqual((outbox.acknowledged, len(outbox.unacknowledged)), (before + 1, 0))

    def test_a_changed_session(self) -> None:
        """A cached route is not used any more once the session has another version."""
        self.assertIsNotNone(self.forward(self.candidates()))
        self.host.send(Leave(self.session))
        self.assert_left(self.candidates())

    def test_a_receiver_that_comes_back(self) -> None:
        """A cached route leads to a receiver's new connection."""
        self.assertIsNotNone(self.forward(self.candidates()))
        self.host.resume()
        self.host.send(Ping())
        forwarded = self.forward(self.candidates())
        assert forwarded is not None
        self.assertEqual(forwarded.receivers, (self.host.peer,))

    def test_a_replay(self) -> None:
        """What was forwarded while the connection was lost is decoded and sent again after a resume."""
        self.assertIsNotNone(self.forward(self.candidates()))
        self.host.lose()
        self.assertEqual(self.host.resume()[-1], forwarded_event(self.candidates(), UserId("?"), Traits()))

    def test_many_routes(self) -> None:
        """The routes of a connection are bounded."""
        peer = self.hub.peers[self.guest.peer]
        self.assertIsNotNone(self.forward(self.candidates()))
        [route] = peer.routes.values()
        peer.routes = {(SessionId(str(number)), None, False): route for number in range(MOST_ROUTES)}
        self.assertIsNotNone(self.forward(self.candidates()))
        self.assertEqual(len(peer.routes), 1)


class LeftTests(DirectCase):
    """Messages that the general way has to decide."""

    def test_addressees(self) -> None:
        """Nobody, oneself, a user that is no member, one of another session."""
        for to in (None, self.guest.user, UserId("Z" * 26)):
            self.assert_left(evolve(self.candidates(), to=to))
        self.assert_left(evolve(self.candidates(), session=SessionId("0000000000")))
        other = Client(self.world, "four")
        session = other.open()
        self.assert_left(evolve(self.candidates(), session=session))
        self.assert_left(AppMessage(session, "alone"), other)

    def test_connections(self) -> None:
        """A connection that is unknown, not welcomed, closing, or replaced by another."""
        self.assertIsNone(self.hub.direct.forward(PeerId(99), Message(self.candidates()), self.world.now))
        new = self.world.connect()
        self.assertIsNone(self.hub.direct.forward(new, Message(self.candidates()), self.world.now))
        old = self.guest.peer
        self.guest.resume()
        self.assertIsNone(self.hub.direct.forward(old, Message(self.candidates()), self.world.now))

    def test_an_unconfirmed_secret(self) -> None:
        """The first message after a resume confirms the new secret."""
        self.guest.resume()
        self.assert_left(self.candidates())
        self.guest.send(Ping())
        self.assertIsNotNone(self.forward(self.candidates()))

    def test_earlier_requests(self) -> None:
        """A message that has to wait for a decision, or behind other requests."""
        user = self.hub.users[self.guest.user]
        self.world.deferred_operations = (object,)  # type: ignore[assignment] # every operation
        self.guest.send(Open())
        self.assert_left(self.candidates())
        user.queue = RequestQueue()
        user.queue.waiting.append(Ping())
        self.assert_left(self.candidates())

    def test_an_absent_receiver(self) -> None:
        """A message for a user who is away is kept for it."""
        self.assertIsNotNone(self.forward(self.candidates()))
        self.host.lose()
        self.assert_left(self.candidates())
        self.assert_left(AppMessage(self.session, "hello"))

    def test_a_receiver_that_was_removed(self) -> None:
        """The identity of a connected user may end, as when its secret was used twice, before the session is told."""
        self.assertIsNotNone(self.forward(self.candidates()))
        self.hub.mailboxes.remove_user(self.hub.users[self.host.user])
        self.assert_left(self.candidates())

    def test_another_dialect(self) -> None:
        """A message between connections of different dialects has to be translated."""
        self.hub.direct.has_same_dialect = lambda sender, receiver: receiver != self.host.peer
        self.assert_left(self.candidates())
        self.assertIsNotNone(self.forward(self.candidates(self.third)))

    def test_no_dialect(self) -> None:
        """Without a switchboard nothing is forwarded directly."""
        self.hub.direct.has_same_dialect = World().hub.direct.has_same_dialect
        self.assert_left(self.candidates())

    def test_restricted_programs(self) -> None:
        """Where a program supports a single exchange only, the rules depend on the message."""
        world = World()
        world.hub.direct.has_same_dialect = lambda _sender, _receiver: True
        _, host, guest_peer, guest, session = world.pair(guest=Traits(renegotiates=False, messages=False))
        offer = Offer(session, host, Negotiation(guest, 1), "v=0")
        self.assertIsNone(world.hub.direct.forward(guest_peer, Message(offer), world.now))
        message = AppMessage(session, "hello", guest)
        host_peer = PeerId(1)
        self.assertIsNone(world.hub.direct.forward(host_peer, Message(message), world.now))
        self.assertIsNone(world.hub.direct.forward(host_peer, Message(evolve(message, to=None)), world.now))

    def test_a_spent_budget(self) -> None:
        """A sender beyond its rate is closed."""
        self.hub.peers[self.guest.peer].budget.tokens = 0.5
        self.assert_left(self.candidates())
        self.guest.send(self.candidates())
        self.assertEqual(self.world.closed[self.guest.peer], ErrorCode.TOO_MANY_MESSAGES)

    def test_a_full_outbox(self) -> None:
        """A message to several is forwarded to none when one of them has no room."""
        user = self.hub.users[self.third.user]
        user.outbox.size = self.limits.outbox_bytes
        self.assert_left(AppMessage(self.session, "hello"))
        self.assertIsNotNone(self.forward(AppMessage(self.session, "hello", self.host.user)))
        self.assertEqual(user.instance, Instance("three"))
