"""Rooms: who meets whom, who is told what, and what a rejection leaves unchanged."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from signald.core.directory import EXPELLED_AT_ONCE, Directory
from signald.core.directory_messages import (
    ClientId,
    ClientJoined,
    ClientLeft,
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
    Room,
    Unreachable,
)
from signald.core.directory_rooms import Rooms
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits
from signald.core.users import PeerId

HOME = AddressKey("192.0.2.1")
PLAIN, PAIR, OTHER = Room("a"), Room("a", 2), Room("b")


def client(number: int) -> ClientId:
    """Return the id of the client of a connection."""
    return ClientId(f"client-{number}")


def registered(number: int) -> Notify:
    """Return the action that tells a client its id."""
    return Notify(PeerId(number), Registered(client(number)))


def joined(receiver: int, number: int) -> Notify:
    """Return the action that tells a client of another one that has entered."""
    return Notify(PeerId(receiver), ClientJoined(client(number)))


def left(receiver: int, number: int) -> Notify:
    """Return the action that tells a client of another one that has left."""
    return Notify(PeerId(receiver), ClientLeft(client(number)))


class RoomCase(SynchronousTestCase):
    """A directory whose clients have the numbers of their connections."""

    def setUp(self) -> None:
        """Start with the default limits."""
        self.start()

    def start(self, **limits: Any) -> None:
        """Start with other limits."""
        self.directory = Directory(Limits(**limits))

    def enter(self, number: int, room: Room | None, id: ClientId | None = None) -> list[DirectoryAction]:
        """Register a client in a room, or without one."""
        registration = Registration(id or client(number), "same", room=room)
        return self.directory.register(PeerId(number), HOME, registration, 0.0)

    def leave(self, number: int) -> list[DirectoryAction]:
        """End the connection of a client."""
        return self.directory.disconnected(PeerId(number))

    def send(self, number: int, receiver: int, kind: EnvelopeKind = EnvelopeKind.OFFER) -> list[DirectoryAction]:
        """Send a message."""
        return self.directory.forward(PeerId(number), Envelope(kind, client(receiver), b"{}"), 0.0)

    def state(self) -> str:
        """Return all state."""
        return repr(self.directory)


class MeetingTests(RoomCase):
    """Who is told of whom."""

    def test_mesh(self) -> None:
        """Who enters gets its id; those who were there, in their order, are told of it, and nobody else is."""
        self.assertEqual(self.enter(1, PLAIN), [registered(1)])
        self.assertEqual(self.enter(2, PLAIN), [registered(2), joined(1, 2)])
        self.assertEqual(self.enter(3, PLAIN), [registered(3), joined(1, 3), joined(2, 3)])
        self.assertEqual(self.enter(4, OTHER), [registered(4)])
        self.assertEqual(self.enter(5, None), [registered(5)])
        self.assertEqual(self.directory.rooms.groups, 2)

    def test_leave(self) -> None:
        """Those who stay are told who left, once; a room that is left by all is forgotten."""
        for number in (1, 2, 3):
            self.enter(number, PLAIN)
        self.assertEqual(self.leave(2), [left(1, 2), left(3, 2)])
        self.assertEqual(self.leave(2), [])
        self.assertEqual(self.enter(2, PLAIN), [registered(2), joined(1, 2), joined(3, 2)])
        for number in (1, 2, 3):
            self.leave(number)
        self.assertEqual(self.directory.rooms, Rooms())

    def test_expelled(self) -> None:
        """A client that is closed for its rate leaves the room."""
        self.start(message_burst=1)
        self.enter(1, PLAIN)
        self.enter(2, PLAIN)
        self.assertEqual(len(self.send(1, 2)), 1)
        self.assertEqual(self.send(1, 2), [Disconnect(PeerId(1), ErrorCode.TOO_MANY_MESSAGES), left(2, 1)])

    def test_silent(self) -> None:
        """Whoever stays is told of those that a tick disconnects, also where that takes several ticks."""
        number = EXPELLED_AT_ONCE
        self.start(room_members=number + 2)
        for each in range(number + 2):
            self.enter(each, PLAIN)
        seconds = self.directory.limits.directory_silence_seconds
        self.directory.note_alive(PeerId(number + 1), seconds)
        first, second = self.directory.tick(seconds), self.directory.tick(seconds)
        self.assertEqual(first[0], Disconnect(PeerId(0), ErrorCode.HEARTBEAT_TIMEOUT))
        told = [each for each in (*first, *second) if each.peer == PeerId(number + 1)]
        self.assertEqual(told, [left(number + 1, each) for each in range(number + 1)])
        self.assertEqual(second, [Disconnect(PeerId(number), ErrorCode.HEARTBEAT_TIMEOUT), left(number + 1, number)])

    def test_not_read(self) -> None:
        """Nobody is told that a client has left which the server does not read from, however long it is silent."""
        self.enter(1, PLAIN)
        self.enter(2, PLAIN)
        self.assertEqual(self.directory.tick(90.0, lambda _: True), [])
        self.assertEqual(self.directory.tick(90.0), [])

    def test_groups(self) -> None:
        """Where a room has groups of a size, the ones who come next make the next group."""
        self.assertEqual(self.enter(1, PAIR), [registered(1)])
        self.assertEqual(self.enter(2, PAIR), [registered(2), joined(1, 2)])
        self.assertEqual(self.enter(3, PAIR), [registered(3)])
        self.assertEqual(self.enter(4, PAIR), [registered(4), joined(3, 4)])
        self.assertEqual(self.directory.rooms.groups, 2)

    def test_incomplete_group(self) -> None:
        """Whoever leaves a group that is not complete is replaced by the next one who comes."""
        three = Room("a", 3)
        self.enter(1, three)
        self.enter(2, three)
        self.assertEqual(self.leave(1), [left(2, 1)])
        self.assertEqual(self.enter(3, three), [registered(3), joined(2, 3)])
        self.assertEqual(self.enter(4, three), [registered(4), joined(2, 4), joined(3, 4)])
        self.assertEqual(self.enter(5, three), [registered(5)])

    def test_complete_group(self) -> None:
        """Whoever leaves a complete group is not replaced, and the one who stays may be alone."""
        self.enter(1, PAIR)
        self.enter(2, PAIR)
        self.enter(3, PAIR)
        self.assertEqual(self.leave(1), [left(2, 1)])
        self.assertEqual(self.enter(4, PAIR), [registered(4), joined(3, 4)])
        self.assertEqual(self.leave(2), [])
        self.assertEqual(self.directory.rooms.groups, 1)

    def test_end_of_a_complete_group(self) -> None:
        """The end of a complete group leaves the next one of the room open."""
        for number in (1, 2, 3):
            self.enter(number, PAIR)
        self.leave(1)
        self.leave(2)
        self.assertEqual(self.enter(4, PAIR), [registered(4), joined(3, 4)])

    def test_sizes_apart(self) -> None:
        """A name with another size, or with none, is another room."""
        self.enter(1, PLAIN)
        self.assertEqual(self.enter(2, PAIR), [registered(2)])
        self.assertEqual(self.enter(3, Room("a", 3)), [registered(3)])
        alone = Room("a", 1)
        self.assertEqual(self.enter(4, alone), [registered(4)])
        self.assertEqual(self.enter(5, alone), [registered(5)])


class RejectionTests(RoomCase):
    """Who does not get in."""

    def assert_rejected(self, number: int, room: Room, code: ErrorCode) -> None:
        """Assert that a client is refused with an error, and that nothing changes."""
        before = self.state()
        peer = PeerId(number)
        self.assertEqual(self.enter(number, room), [Notify(peer, Rejected(code)), Disconnect(peer, code)])
        self.assertEqual(self.state(), before)

    def test_full(self) -> None:
        """A room has so many clients at most; a place that is free is taken again, and other rooms are not full."""
        self.start(room_members=2)
        self.enter(1, PLAIN)
        self.enter(2, PLAIN)
        self.assert_rejected(3, PLAIN, ErrorCode.ROOM_FULL)
        self.assertEqual(self.enter(4, OTHER), [registered(4)])
        self.leave(1)
        self.assertEqual(self.enter(3, PLAIN), [registered(3), joined(2, 3)])

    def test_reload(self) -> None:
        """Another limit holds at once; nobody who is in a room has to leave."""
        for number in (1, 2, 3):
            self.enter(number, PLAIN)
        self.directory.reload_limits(Limits(room_members=2))
        self.assert_rejected(4, PLAIN, ErrorCode.ROOM_FULL)
        self.leave(1)
        self.assert_rejected(4, PLAIN, ErrorCode.ROOM_FULL)

    def test_impossible_sizes(self) -> None:
        """A group that could never be complete is refused at once."""
        self.start(room_members=3)
        for size in (0, -1, 4, 10**9):
            self.assert_rejected(1, Room("a", size), ErrorCode.BAD_CAPACITY)
        self.assertEqual(self.enter(1, Room("a", 3)), [registered(1)])

    def test_server_full(self) -> None:
        """The limit of users holds before that of the room."""
        self.start(users=1)
        self.enter(1, PLAIN)
        self.assert_rejected(2, PLAIN, ErrorCode.SERVER_FULL)

    def test_no_takeover(self) -> None:
        """An id in use is not taken over in a room, since clients do not choose it."""
        self.enter(1, PLAIN)
        before = self.state()
        actions = self.enter(2, PLAIN, client(1))
        self.assertEqual(actions, [Notify(PeerId(2), IdTaken()), Disconnect(PeerId(2), ErrorCode.ID_TAKEN)])
        self.assertEqual(self.state(), before)
        registration = Registration(client(1), "other", ("same",), PLAIN)
        self.assertEqual(self.directory.register(PeerId(2), HOME, registration, 0.0), actions)

    def test_takeover_without_room(self) -> None:
        """A client without a room that takes an id over takes it out of the room."""
        self.enter(1, PLAIN)
        self.enter(2, PLAIN)
        actions = self.enter(3, None, client(1))
        self.assertEqual(actions[2:], [left(2, 1), Notify(PeerId(3), Registered(client(1)))])
        self.assertEqual(self.leave(2), [])
        self.assertEqual(self.directory.rooms, Rooms())


class ReachTests(RoomCase):
    """Who reaches whom."""

    def test_group(self) -> None:
        """A message reaches a client of the same group, either way, also oneself."""
        self.enter(1, PLAIN)
        self.enter(2, PLAIN)
        for receiver in (2, 1):
            for kind in EnvelopeKind:
                delivered = Notify(PeerId(receiver), Delivered(kind, b"{}"))
                self.assertEqual(self.send(1, receiver, kind), [delivered])
            self.assertEqual(self.directory.peer_of(client(receiver), PeerId(1)), PeerId(receiver))

    def test_others(self) -> None:
        """A message reaches nobody in another room, group or without a room, and does not wait for anybody."""
        for number, room in ((1, PLAIN), (2, PLAIN), (3, OTHER), (4, None), (5, PAIR), (6, PAIR), (7, PAIR)):
            self.enter(number, room)
        for sender, receiver in ((1, 3), (1, 4), (1, 5), (5, 7), (7, 5), (4, 1), (1, 99)):
            for kind in EnvelopeKind:
                self.assertEqual(self.send(sender, receiver, kind), [], (sender, receiver))
            self.assertIsNone(self.directory.peer_of(client(receiver), PeerId(sender)))
        self.assertEqual(len(self.directory.waiting), 0)

    def test_waiting(self) -> None:
        """What a client without a room sent to an id before that entered a room does not get into the room."""
        self.enter(1, None)
        self.assertEqual(self.send(1, 2), [])
        self.assertEqual(self.enter(2, PLAIN), [registered(2)])
        expired = self.directory.tick(self.directory.limits.directory_waiting_seconds)
        self.assertEqual(expired, [Notify(PeerId(1), Unreachable(client(2)))])


class _RoomWalk(RuleBasedStateMachine):
    """Clients that come and go at random; what each is told suffices to know who is in its group."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Directory(Limits(room_members=3))
        self.known: dict[PeerId, set[ClientId]] = {}
        """Whom each client knows, by what it was told and by whose offers it got."""

        self.numbers = 0

    def apply(self, actions: list[DirectoryAction]) -> None:
        """Note what the clients are told; who is told of another one sends it an offer."""
        for action in actions:
            match action:
                case Notify(peer, ClientJoined(id)):
                    assert id not in self.known[peer], "a client is told twice of another one"
                    self.known[peer].add(id)
                    sender = next(each.id for each in self.directory.clients.values() if each.peer == peer)
                    for sent in self.directory.forward(peer, Envelope(EnvelopeKind.OFFER, id, b""), 0.0):
                        self.known[sent.peer].add(sender)
                case Notify(peer, ClientLeft(id)):
                    self.known[peer].remove(id)
                case Notify(peer, Rejected()):
                    del self.known[peer]
                case _:
                    pass

    @rule(name=st.sampled_from("ab"), size=st.sampled_from([None, 1, 2, 3, 4]))
    def enter(self, name: str, size: int | None) -> None:
        """Have a new client enter a room."""
        self.numbers += 1
        peer = PeerId(self.numbers)
        self.known[peer] = set()
        self.apply(self.directory.register(peer, HOME, Registration(client(peer), "", room=Room(name, size)), 0.0))

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Have a client leave."""
        if self.known:
            peer = data.draw(st.sampled_from(sorted(self.known)))
            del self.known[peer]
            self.apply(self.directory.disconnected(peer))

    @invariant()
    def each_knows_the_others(self) -> None:
        """Each client knows those of its group, and no others; no group is empty or exceeds its size."""
        groups = {id(each.group): each.group for each in self.directory.clients.values()}
        assert len(groups) == self.directory.rooms.groups
        assert len(self.directory.clients) == len(self.known)
        for each in self.directory.clients.values():
            assert each.group is not None
            assert self.known[each.peer] == each.group.members.keys() - {each.id}
            assert 1 <= len(each.group.members) <= (each.group.room.size or 3)


class WalkTests(SynchronousTestCase):
    """Random walks."""

    def test_walk(self) -> None:
        """Whatever happens, clients of one group know each other."""
        run_state_machine_as_test(_RoomWalk)
