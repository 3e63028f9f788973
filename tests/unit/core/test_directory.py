"""The directory: who has an id, who is reached, who is told what, and what a rejection leaves unchanged."""

from __future__ import annotations

from typing import Any

from attrs import asdict, evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from signald.core.budgets import SLOW_START_MESSAGES
from signald.core.directory import EXPELLED_AT_ONCE, ClientRecord, Directory, WaitingRecord
from signald.core.directory_messages import (
    ClientId,
    Delivered,
    DirectoryAction,
    Disconnect,
    Envelope,
    EnvelopeKind,
    IdTaken,
    Notify,
    Registered,
    Registration,
    Rejected,
    Unreachable,
)
from signald.core.directory_queues import EXPIRED_AT_ONCE
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits
from signald.core.users import PeerId

HOME = AddressKey("192.0.2.1")
ANN, BEN, CAT = ClientId("ann"), ClientId("ben"), ClientId("cat")
ONE, TWO, THREE, FOUR = PeerId(1), PeerId(2), PeerId(3), PeerId(4)
WAITING_KINDS = (EnvelopeKind.OFFER, EnvelopeKind.ANSWER, EnvelopeKind.CANDIDATE)


def envelope(receiver: ClientId, kind: EnvelopeKind = EnvelopeKind.OFFER, frame: bytes = b"{}") -> Envelope:
    """Return a message."""
    return Envelope(kind, receiver, frame)


def delivered(peer: PeerId, kind: EnvelopeKind = EnvelopeKind.OFFER, frame: bytes = b"{}") -> Notify:
    """Return the action that delivers a message."""
    return Notify(peer, Delivered(kind, frame))


class DirectoryCase(SynchronousTestCase):
    """A directory with two clients."""

    def setUp(self) -> None:
        """Register the clients."""
        self.start()

    def start(self, **limits: Any) -> None:
        """Start with other limits."""
        self.directory = Directory(Limits(**limits))
        self.assertEqual(self.register(ONE, ANN), [Notify(ONE, Registered(ANN))])
        self.assertEqual(self.register(TWO, BEN), [Notify(TWO, Registered(BEN))])

    def register(self, peer: PeerId, id: ClientId, holder: str = "", now: float = 0.0) -> list[DirectoryAction]:
        """Register a client, whose holder is its id by default."""
        return self.directory.register(peer, HOME, Registration(id, holder or id), now)

    def forward(self, peer: PeerId, receiver: ClientId, now: float = 0.0, **details: Any) -> list[DirectoryAction]:
        """Send a message."""
        return self.directory.forward(peer, envelope(receiver, **details), now)

    def state(self) -> object:
        """Return all state but the message budgets, which every message costs."""
        state: dict[str, Any] = asdict(self.directory)
        for clients in (state["clients"], state["_by_peer"]):
            for client in clients.values():
                del client["budget"], client["heard_at"]
        del state["waiting"]["refused"]
        return state


class RegistrationTests(DirectoryCase):
    """Who gets an id."""

    def test_taken(self) -> None:
        """Another holder does not get the id of a connected client, and nothing changes."""
        before = self.state()
        taken = [Notify(THREE, IdTaken()), Disconnect(THREE, ErrorCode.ID_TAKEN)]
        self.assertEqual(self.register(THREE, ANN, "other"), taken)
        self.assertEqual(self.state(), before)

    def test_ghost(self) -> None:
        """The same holder replaces its ghost, is told that it is registered, and is the one who is reached."""
        self.assertEqual(
            self.register(THREE, ANN),
            [Notify(ONE, IdTaken()), Disconnect(ONE, ErrorCode.REPLACED), Notify(THREE, Registered(ANN))],
        )
        self.assertEqual(self.forward(TWO, ANN), [delivered(THREE)])
        self.assertEqual(self.forward(ONE, BEN), [])
        self.directory.disconnected(ONE)
        self.assertEqual(self.forward(TWO, ANN), [delivered(THREE)])

    def test_other_rules(self) -> None:
        """An id that is held by another rule belongs to whoever is its holder by that rule, from now on by this one."""
        registration = Registration(ANN, "user ann", ("other", "ann"))
        actions = self.directory.register(THREE, HOME, registration, 0.0)
        self.assertEqual(actions[-1], Notify(THREE, Registered(ANN)))
        self.assertIn(ClientRecord(ANN, "user ann"), self.directory.client_records())
        taken = [Notify(FOUR, IdTaken()), Disconnect(FOUR, ErrorCode.ID_TAKEN)]
        self.assertEqual(self.register(FOUR, ANN), taken)

    def test_free_again(self) -> None:
        """An id is free once its connection has ended."""
        self.directory.disconnected(ONE)
        self.assertEqual(self.register(THREE, ANN, "other"), [Notify(THREE, Registered(ANN))])

    def test_full(self) -> None:
        """There are at most as many clients as users are allowed, and a ghost can be replaced even then."""
        self.start(users=2)
        before = self.state()
        full = [Notify(THREE, Rejected(ErrorCode.SERVER_FULL)), Disconnect(THREE, ErrorCode.SERVER_FULL)]
        self.assertEqual(self.register(THREE, CAT), full)
        self.assertEqual(self.state(), before)
        self.assertEqual(self.register(THREE, ANN)[-1], Notify(THREE, Registered(ANN)))

    def test_rejected(self) -> None:
        """A client that may not have an id is told why, and disconnected."""
        before = self.state()
        self.assertEqual(
            self.directory.reject(THREE, ErrorCode.BAD_REQUEST),
            [Notify(THREE, Rejected(ErrorCode.BAD_REQUEST)), Disconnect(THREE, ErrorCode.BAD_REQUEST)],
        )
        self.assertEqual(self.state(), before)

    def test_left(self) -> None:
        """A client that gives its id back is disconnected, and the id is free."""
        self.assertEqual(self.directory.leave(ONE, 0.0), [Disconnect(ONE, None)])
        self.assertEqual(self.directory.leave(ONE, 0.0), [])
        self.assertEqual(self.register(THREE, ANN, "other"), [Notify(THREE, Registered(ANN))])

    def test_unknown_peer(self) -> None:
        """A connection without an id is not heard."""
        before = self.state()
        self.assertEqual(self.forward(THREE, ANN), [])
        self.assertEqual(self.directory.hear(THREE, 0.0), [])
        self.assertFalse(self.directory.charge(THREE, 0.0))
        self.directory.note_alive(THREE, 0.0)
        self.directory.disconnected(THREE)
        self.assertEqual(self.state(), before)


class ForwardTests(DirectoryCase):
    """Who is reached."""

    def test_connected(self) -> None:
        """Every kind of message reaches a connected client at once, also its sender."""
        for kind in EnvelopeKind:
            self.assertEqual(self.forward(ONE, BEN, kind=kind), [delivered(TWO, kind)])
        self.assertEqual(self.forward(ONE, ANN), [delivered(ONE)])

    def test_at_once(self) -> None:
        """The short way finds the same receiver and takes the same budget."""
        self.start(message_burst=2, message_rate=1.0)
        found = [self.directory.peer_of(id, peer) for id, peer in ((BEN, ONE), (CAT, ONE), (BEN, THREE))]
        self.assertEqual(found, [TWO, None, None])
        self.assertTrue(self.directory.charge(ONE, 0.0))
        self.assertTrue(self.directory.charge(ONE, 0.0))
        self.assertFalse(self.directory.charge(ONE, 0.0))
        self.assertEqual(self.forward(ONE, BEN), [Disconnect(ONE, ErrorCode.TOO_MANY_MESSAGES)])

    def test_waits(self) -> None:
        """Offers, answers and candidates wait for their receiver, and arrive in their order after it is registered."""
        for kind in WAITING_KINDS:
            self.assertEqual(self.forward(ONE, CAT, kind=kind, frame=kind.value.encode()), [])
        self.assertEqual(
            self.register(THREE, CAT),
            [Notify(THREE, Registered(CAT)), *(delivered(THREE, kind, kind.value.encode()) for kind in WAITING_KINDS)],
        )
        self.assertEqual((len(self.directory.waiting), self.directory.waiting.size), (0, 0))

    def test_others_do_not_wait(self) -> None:
        """Messages about an end do not wait."""
        before = self.state()
        for kind in set(EnvelopeKind) - set(WAITING_KINDS):
            self.assertEqual(self.forward(ONE, CAT, kind=kind), [])
        self.assertEqual(self.state(), before)

    def test_expiry(self) -> None:
        """After five seconds each sender is told once for each receiver, unless it is gone; nothing is left then."""
        self.register(THREE, ClientId("dan"))
        for peer, receiver in ((ONE, CAT), (ONE, CAT), (TWO, CAT), (ONE, ClientId("eve")), (THREE, CAT)):
            self.forward(peer, receiver)
        self.directory.disconnected(THREE)
        self.assertEqual(self.directory.tick(4.9), [])
        told = [(ONE, CAT), (TWO, CAT), (ONE, ClientId("eve"))]
        self.assertCountEqual(self.directory.tick(5.0), [Notify(peer, Unreachable(id)) for peer, id in told])
        self.assertEqual(self.directory.tick(10.0), [])
        self.assertEqual((len(self.directory.waiting), self.directory.waiting.size), (0, 0))
        self.assertEqual(self.register(FOUR, CAT), [Notify(FOUR, Registered(CAT))])

    def test_expiry_of_each_queue(self) -> None:
        """The time is that of the first message to a receiver."""
        self.forward(ONE, CAT)
        self.forward(TWO, ClientId("eve"), now=3.0)
        self.assertEqual(self.directory.tick(6.0), [Notify(ONE, Unreachable(CAT))])
        self.assertEqual(self.directory.tick(8.0), [Notify(TWO, Unreachable(ClientId("eve")))])

    def test_many_expire(self) -> None:
        """The messages to many receivers expire in parts, the oldest first, so that none takes long."""
        self.start(message_burst=2 * EXPIRED_AT_ONCE, address_directory_bytes=1 << 30)
        ids = [ClientId(f"x{number}") for number in range(EXPIRED_AT_ONCE + 1)]
        for id in ids:
            self.forward(ONE, id)
        self.assertEqual(self.directory.tick(5.0), [Notify(ONE, Unreachable(id)) for id in ids[:-1]])
        self.assertEqual(self.directory.tick(5.0), [Notify(ONE, Unreachable(ids[-1]))])

    def test_many_to_one_expire(self) -> None:
        """Messages are counted, not receivers; those to one receiver expire together, however many they are."""
        most = 2 * EXPIRED_AT_ONCE
        more = {"directory_waiting_messages": most, "directory_waiting_bytes": 1 << 30, "message_burst": 2 * most}
        self.start(address_directory_bytes=1 << 30, **more)
        first, second, third = ClientId("x1"), ClientId("x2"), ClientId("x3")
        for receiver, count in ((first, EXPIRED_AT_ONCE + 1), (second, EXPIRED_AT_ONCE), (third, 1)):
            for _ in range(count):
                self.forward(ONE, receiver)
        for receiver in (first, second, third):
            self.assertEqual(self.directory.tick(5.0), [Notify(ONE, Unreachable(receiver))])

    def test_networks(self) -> None:
        """An IPv6 /48 network has the bytes of so many addresses, whichever of its /64 networks uses them."""
        self.directory = Directory(Limits(address_directory_bytes=4096, network_factor=2))
        before = self.state()
        for number in range(4):
            address = AddressKey(f"2001:db8:0:{number}::/64")
            self.directory.register(PeerId(number), address, Registration(ClientId(f"x{number}"), "x"), 0.0)
        frame = b"x" * 3000
        results = [self.forward(PeerId(number), ClientId(f"y{number}"), frame=frame) for number in (0, 1, 2)]
        self.assertEqual(results, [[], [], [Notify(PeerId(2), Unreachable(ClientId("y2")))]])
        self.assertEqual(self.directory.waiting.refused, {"address_directory_bytes": 1})
        self.directory.tick(5.0)
        self.assertEqual(self.forward(PeerId(3), ClientId("y3"), now=5.0, frame=frame), [])
        self.directory.tick(10.0)
        for number in range(4):
            self.directory.disconnected(PeerId(number))
        self.assertEqual(self.state(), before)

    def test_bounds(self) -> None:
        """A message beyond a limit is not kept: its sender is told at once that the receiver is not reached."""
        for name, value, first in (
            ("directory_waiting_messages", 1, b""),
            ("directory_waiting_bytes", 5000, b"x" * 3000),
            ("address_directory_bytes", 5000, b"x" * 3000),
            ("directory_bytes", 5000, b"x" * 3000),
        ):
            self.start(**{name: value})
            self.assertEqual(self.forward(ONE, CAT, frame=first), [], name)
            before = self.state()
            self.assertEqual(self.forward(TWO, CAT, frame=b"x" * 1000), [Notify(TWO, Unreachable(CAT))], name)
            self.assertEqual(self.state(), before, name)
            self.assertEqual(self.directory.waiting.refused, {name: 1})
            self.directory.tick(5.0)
            self.assertEqual(self.forward(TWO, CAT, frame=b"x" * 1000), [], name)

    def test_reload(self) -> None:
        """Other limits are in force at once."""
        self.directory.reload_limits(Limits(directory_waiting_messages=1))
        self.assertEqual(self.forward(ONE, CAT), [])
        self.assertEqual(self.forward(ONE, CAT), [Notify(ONE, Unreachable(CAT))])


class RateTests(DirectoryCase):
    """Clients that say too much or nothing."""

    def test_too_many(self) -> None:
        """A client that exceeds its message rate loses its id and its connection, whatever it sends."""
        for send in (
            lambda: self.directory.hear(ONE, 0.0),
            lambda: self.directory.leave(ONE, 0.0),
            lambda: self.forward(ONE, CAT),
        ):
            self.start(message_burst=2)
            self.directory.hear(ONE, 0.0)
            self.directory.hear(ONE, 0.0)
            self.assertEqual(send(), [Disconnect(ONE, ErrorCode.TOO_MANY_MESSAGES)])
            self.assertNotIn(ANN, self.directory.clients)
            self.assertEqual(len(self.directory.waiting), 0)

    def test_slow_start(self) -> None:
        """A client of an address that has offended has a part of the burst."""
        self.directory.register(THREE, HOME, Registration(CAT, "cat"), 0.0, slow_start=True)
        for _ in range(SLOW_START_MESSAGES):
            self.assertEqual(self.directory.hear(THREE, 0.0), [])
        self.assertEqual(self.directory.hear(THREE, 0.0), [Disconnect(THREE, ErrorCode.TOO_MANY_MESSAGES)])

    def test_silence(self) -> None:
        """A client without a heartbeat for ninety seconds is disconnected, and its id is free."""
        self.directory.hear(TWO, 1.0)
        self.directory.charge(TWO, 2.0)
        self.assertEqual(self.directory.tick(89.9), [])
        self.assertEqual(self.directory.tick(90.0), [Disconnect(ONE, ErrorCode.HEARTBEAT_TIMEOUT)])
        self.assertEqual([*self.directory.clients], [BEN])
        self.assertEqual(self.directory.tick(92.0), [Disconnect(TWO, ErrorCode.HEARTBEAT_TIMEOUT)])
        self.assertEqual(self.directory.tick(200.0), [])

    def test_many_are_silent(self) -> None:
        """Of many silent clients a tick disconnects some, the next ones the rest, and those that are held stay."""
        self.directory = Directory(Limits())
        count = EXPELLED_AT_ONCE + 2
        for number in range(count):
            self.register(PeerId(number), ClientId(f"x{number}"))
        held = {PeerId(0), PeerId(count - 1)}
        first, rest = (self.directory.tick(90.0, held.__contains__) for _ in range(2))
        self.assertEqual([action.peer for action in first], list(range(1, EXPELLED_AT_ONCE)))
        self.assertEqual([action.peer for action in rest], [EXPELLED_AT_ONCE])
        self.assertEqual({client.peer for client in self.directory.clients.values()}, held)
        self.assertEqual(self.directory.tick(179.9), [])
        self.assertEqual(len(self.directory.tick(180.0)), 2)


class RestartTests(DirectoryCase):
    """What the next process restores."""

    def restart(self, now: float = 100.0) -> None:
        """Restore the state in another directory."""
        before, self.directory = self.directory, Directory(self.directory.limits)
        self.directory.restore(before.client_records(), before.waiting_records(), now)

    def test_records(self) -> None:
        """The ids with their holders are recorded, and the messages that wait."""
        self.forward(ONE, CAT, frame=b'{"a":1}')
        self.assertEqual(self.directory.client_records(), [ClientRecord(ANN, "ann"), ClientRecord(BEN, "ben")])
        record = WaitingRecord(ANN, HOME, CAT, EnvelopeKind.OFFER, '{"a":1}')
        self.assertEqual(self.directory.waiting_records(), [record])
        records = self.directory.client_records()
        self.restart()
        self.assertEqual((self.directory.client_records(), self.directory.waiting_records()), (records, [record]))

    def test_reserved(self) -> None:
        """Ids belong to their holders alone until the grace is over; others are told that they are taken."""
        self.restart()
        before = self.state()
        taken = [Notify(THREE, IdTaken()), Disconnect(THREE, ErrorCode.ID_TAKEN)]
        self.assertEqual(self.register(THREE, ANN, "other", now=129.9), taken)
        self.assertEqual(self.state(), before)
        self.assertEqual(self.register(FOUR, ANN, now=129.9), [Notify(FOUR, Registered(ANN))])
        self.assertEqual([*self.directory.reserved], [BEN])
        self.assertEqual(self.register(THREE, BEN, "other", now=130.0), [Notify(THREE, Registered(BEN))])

    def test_reservations_end(self) -> None:
        """Reservations are forgotten after the grace."""
        self.restart()
        self.directory.tick(129.9)
        self.assertEqual(len(self.directory.reserved), 2)
        self.directory.tick(130.0)
        self.assertEqual(self.directory.reserved, {})

    def test_messages(self) -> None:
        """Messages to a client that is not back yet wait for it, those from before the restart too."""
        self.forward(ONE, CAT, frame=b"1")
        self.restart()
        self.register(ONE, ANN, now=100.0)
        self.forward(ONE, CAT, now=101.0, frame=b"2")
        self.assertEqual(
            self.register(THREE, CAT, now=104.0),
            [Notify(THREE, Registered(CAT)), delivered(THREE, frame=b"1"), delivered(THREE, frame=b"2")],
        )
        self.forward(ONE, BEN, now=104.0)
        self.assertEqual(self.directory.tick(109.0), [Notify(ONE, Unreachable(BEN))])

    def test_secrets(self) -> None:
        """Neither who holds an id nor what a message says is in the representation of any record."""
        self.forward(ONE, CAT, frame=b"said")
        self.register(THREE, CAT, "held")
        self.forward(ONE, ClientId("eve"), frame=b"said")
        state = self.directory, self.directory.client_records(), self.directory.waiting_records()
        shown = repr((state, Registration(CAT, "held"), Delivered(EnvelopeKind.OFFER, b"said")))
        self.assertNotIn("held", shown)
        self.assertNotIn("said", shown)


class _Walk(RuleBasedStateMachine):
    """Clients that come, go, claim each other's ids and send, at random."""

    peers, ids = st.integers(1, 6).map(PeerId), st.sampled_from([ANN, BEN, CAT])

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(message_burst=8, message_rate=1.0, directory_waiting_messages=2, users=4)
        self.directory = Directory(self.limits)
        self.now = 0.0
        self.open: set[PeerId] = set()
        self.count = 0

    def carry_out(self, actions: list[DirectoryAction]) -> None:
        """Nobody is told anything but over an open connection."""
        for action in actions:
            assert action.peer in self.open, action
            if isinstance(action, Disconnect):
                self.open.discard(action.peer)

    @rule(id=ids, holder=st.sampled_from("ab"))
    def register(self, id: ClientId, holder: str) -> None:
        """Open a connection and claim an id."""
        self.count += 1
        peer = PeerId(self.count)
        self.open.add(peer)
        self.carry_out(self.directory.register(peer, HOME, Registration(id, holder), self.now))

    @rule(peer=peers, id=ids, kind=st.sampled_from(EnvelopeKind))
    def forward(self, peer: PeerId, id: ClientId, kind: EnvelopeKind) -> None:
        """Send a message."""
        self.carry_out(self.directory.forward(peer, envelope(id, kind), self.now))

    @rule(peer=peers)
    def end(self, peer: PeerId) -> None:
        """End a connection."""
        self.open.discard(peer)
        self.directory.disconnected(peer)

    @rule(peer=peers)
    def leave(self, peer: PeerId) -> None:
        """Give an id back."""
        self.carry_out(self.directory.leave(peer, self.now))

    @rule(seconds=st.floats(0, 50))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.carry_out(self.directory.tick(self.now))

    @rule()
    def restart(self) -> None:
        """Start another process with the state."""
        before, self.directory = self.directory, Directory(evolve(self.limits))
        self.open.clear()
        self.directory.restore(before.client_records(), before.waiting_records(), self.now)

    @invariant()
    def consistent(self) -> None:
        """Each id has one open connection, and what is counted is there."""
        directory = self.directory
        assert {client.peer for client in directory.clients.values()} == set(directory._by_peer) <= self.open
        assert directory.clients.keys().isdisjoint(directory.reserved)
        waiting = directory.waiting
        assert waiting.size == sum(message.size for message in waiting.messages)
        assert sum(waiting._address_sizes.values()) == waiting.size
        assert len(waiting) <= 2 * 3


class WalkTests(SynchronousTestCase):
    """Random walks."""

    def test_walk(self) -> None:
        """The directory stays consistent, and nobody without a connection is told anything."""
        run_state_machine_as_test(_Walk)
