"""The directory's switchboard: failures, hand-over, and the state that the next process gets."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.directory import Directory
from signald.core.directory_messages import (
    ClientId,
    Delivered,
    DirectoryEvent,
    Envelope,
    EnvelopeKind,
    IdTaken,
    Registered,
    Registration,
    Unreachable,
)
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.core.messages import ForwardedOffer
from signald.core.snapshot import Snapshot, dump, load, without_users
from signald.core.users import PeerId
from signald.monitoring.metrics import Metrics
from signald.server.directory_switchboard import DirectorySwitchboard
from signald.server.forward_batch import ForwardBatch
from signald.server.intake import HELD_BYTES
from tests.support.connections import make_switchboard
from tests.support.endpoints import parse_frames
from tests.support.failing import FailingPart
from tests.support.world import HOME

ANN, BEN, CAT = ClientId("ann"), ClientId("ben"), ClientId("cat")


class Connection:
    """A connection in memory.

    Attributes:
        events: what it was sent.
        closed: the codes with which it was closed; None is a normal closure.
        aborted: whether it was aborted.
        is_half_full: whether it does not read.
        is_held: whether it is not read from.
        dropped: how many messages it was not sent.
        fails: the methods that raise.

    """

    def __init__(self) -> None:
        self.events: list[DirectoryEvent] = []
        self.closed: list[ErrorCode | None] = []
        self.aborted = False
        self.is_half_full = False
        self.is_held = False
        self.dropped = 0
        self.fails: set[str] = set()

    def send_frames(self, frames: bytes) -> None:
        """Record frames."""
        self._maybe_fail("send_frames")
        self.events += [Delivered(EnvelopeKind.OFFER, payload) for _, payload in parse_frames(frames)]

    def send_directory_event(self, event: DirectoryEvent) -> None:
        """Record an event."""
        self._maybe_fail("send_directory_event")
        self.events.append(event)

    def count_dropped(self) -> None:
        """Count a message."""
        self.dropped += 1

    def close_for_error(self, code: ErrorCode) -> None:
        """Record a close because of an error."""
        self._maybe_fail("close_for_error")
        self.closed.append(code)

    def close_normally(self) -> None:
        """Record a normal closure."""
        self.closed.append(None)

    def abort(self) -> None:
        """Record an abort."""
        self._maybe_fail("abort")
        self.aborted = True

    def _maybe_fail(self, what: str) -> None:
        if what in self.fails:
            raise ArithmeticError(what)


class SwitchboardCase(SynchronousTestCase):
    """A switchboard with two clients."""

    def setUp(self) -> None:
        """Register the clients."""
        self.clock = Clock()
        self.switchboard, self.directory = self.start()
        self.ann, self.one = self.register(ANN)
        self.ben, self.two = self.register(BEN)

    def start(self) -> tuple[Any, DirectorySwitchboard]:
        """Create another process's switchboards."""
        switchboard = make_switchboard(self.clock)
        directory = DirectorySwitchboard(Directory(Limits()), self.clock, switchboard.intake)
        switchboard.directory = directory
        self.batch = ForwardBatch(Metrics(), directory.fail_connection)
        return switchboard, directory

    def register(self, id: ClientId, holder: str = "") -> tuple[Connection, PeerId]:
        """Connect a client."""
        connection = Connection()
        peer = self.directory.add_connection(connection)
        self.directory.register(peer, HOME, Registration(id, holder or id), slow_start=False)
        return connection, peer

    def send(self, peer: PeerId, receiver: ClientId, frame: bytes = b"{}") -> bool:
        """Send a message as a WebSocket does; returns whether it was forwarded at once."""
        envelope = Envelope(EnvelopeKind.OFFER, receiver, frame)
        at_once = self.directory.forward_at_once(peer, envelope, ForwardedOffer, self.batch, self.clock.seconds())
        if not at_once:
            self.directory.forward(peer, envelope)
        self.batch.flush()
        return at_once


class ForwardTests(SwitchboardCase):
    """Messages between clients."""

    def test_forwarded(self) -> None:
        """A message to a connected client goes at once, and is counted."""
        self.assertEqual(self.ben.events, [Registered(BEN)])
        self.assertTrue(self.send(self.one, BEN))
        self.assertEqual(self.ben.events[1:], [Delivered(EnvelopeKind.OFFER, b"{}")])
        self.assertEqual(self.directory.sent, 3)

    def test_waiting(self) -> None:
        """A message to another one waits, and is delivered or expires."""
        self.assertFalse(self.send(self.one, CAT))
        cat, _ = self.register(CAT)
        self.assertEqual(cat.events, [Registered(CAT), Delivered(EnvelopeKind.OFFER, b"{}")])
        self.assertFalse(self.send(self.one, ClientId("dan")))
        self.clock.advance(5)
        self.switchboard.tick()
        self.assertEqual(self.ann.events[1:], [Unreachable(ClientId("dan"))])

    def test_ended(self) -> None:
        """A connection that has ended is told nothing more, and its messages count no more."""
        self.directory.remove_connection(self.one)
        self.directory.remove_connection(self.one)
        self.assertFalse(self.send(self.one, BEN))
        self.assertFalse(self.send(self.two, ANN))
        self.assertEqual((len(self.ann.events), len(self.ben.events)), (1, 1))

    def test_leave(self) -> None:
        """A client that gives its id back is closed normally."""
        self.directory.leave(self.one)
        self.assertEqual(self.ann.closed, [None])

    def test_slow_reader(self) -> None:
        """A receiver that does not read is sent no messages of others, which are counted, but what concerns itself."""
        self.ben.is_half_full = True
        self.assertTrue(self.send(self.one, BEN))
        self.send(self.one, CAT)
        self.send(self.two, ClientId("dan"))
        cat = Connection()
        cat.is_half_full = True
        self.directory.register(self.directory.add_connection(cat), HOME, Registration(CAT, "x"), slow_start=False)
        self.clock.advance(5)
        self.switchboard.tick()
        self.assertEqual((self.ben.events[1:], self.ben.dropped), ([Unreachable(ClientId("dan"))], 1))
        self.assertEqual((cat.events, cat.dropped), ([Registered(CAT)], 1))
        self.assertEqual(self.directory.sent, 4)

    def test_held_reader(self) -> None:
        """A client that is not read from is not silent; it has its whole time again after that."""
        self.ann.is_held = True
        self.clock.advance(90)
        self.switchboard.tick()
        self.assertEqual((self.ann.closed, self.ben.closed), ([], [ErrorCode.HEARTBEAT_TIMEOUT]))
        self.ann.is_held = False
        self.clock.advance(89)
        self.switchboard.tick()
        self.assertEqual(self.ann.closed, [])
        self.clock.advance(1)
        self.switchboard.tick()
        self.assertEqual(self.ann.closed, [ErrorCode.HEARTBEAT_TIMEOUT])

    def test_ended_while_it_is_silent(self) -> None:
        """A client whose connection has ended during a hold is forgotten, and nothing is asked of its connection."""
        self.switchboard.hold()
        self.directory.remove_connection(self.one)
        self.switchboard.release()
        self.clock.advance(90)
        self.switchboard.tick()
        self.assertEqual(self.ben.closed, [ErrorCode.HEARTBEAT_TIMEOUT])

    def test_reload(self) -> None:
        """Other limits reach the directory."""
        self.switchboard.reload_limits(Limits(directory_waiting_messages=1))
        self.assertEqual(self.directory.directory.limits.directory_waiting_messages, 1)


class FailureTests(SwitchboardCase):
    """Exceptions end the connection that they concern, and no other."""

    def failures(self) -> int:
        """Return how many exceptions were logged."""
        return len(self.flushLoggedErrors(ArithmeticError))

    def test_directory(self) -> None:
        """An exception in the directory closes the sender's connection, and frees its id."""
        self.directory.directory = cast(Directory, FailingPart(self.directory.directory, "hear"))
        self.directory.hear(self.one)
        self.assertEqual((self.failures(), self.ann.closed), (1, [ErrorCode.INTERNAL_ERROR]))
        self.assertEqual([*self.directory.directory.clients], [BEN])

    def test_receiver(self) -> None:
        """An exception while a receiver is written to closes the receiver; the sender is not disturbed."""
        self.ben.fails = {"send_frames"}
        self.assertTrue(self.send(self.one, BEN))
        self.assertEqual((self.failures(), self.ben.closed), (1, [ErrorCode.INTERNAL_ERROR]))
        self.assertEqual((self.ann.closed, [*self.directory.directory.clients]), ([], [ANN]))

    def test_actions(self) -> None:
        """Each action is carried out on its own: the others of the same fact are, when one raises."""
        self.send(self.one, CAT)
        self.send(self.one, ClientId("dan"))
        self.send(self.two, CAT)
        self.ann.fails = {"send_directory_event", "close_for_error"}
        self.clock.advance(5)
        self.switchboard.tick()
        self.assertEqual((self.failures(), self.ann.aborted), (1, True))
        self.assertEqual(self.ben.events[1:], [Unreachable(CAT)])

    def test_close(self) -> None:
        """A connection that cannot be closed is aborted, and if that raises too, it is forgotten."""
        for fails in ({"close_for_error"}, {"close_for_error", "abort"}):
            ghost, _ = self.register(CAT)
            ghost.fails = fails
            self.register(CAT)
            self.assertEqual((self.failures(), ghost.aborted), (1, "abort" not in fails))

    def test_unknown(self) -> None:
        """An exception that concerns no open connection is logged alone."""
        self.directory.remove_connection(self.one)
        try:
            raise ArithmeticError
        except ArithmeticError:
            self.directory.fail_connection(self.one)
        self.assertEqual((self.failures(), self.ann.closed), (1, []))

    def test_nested(self) -> None:
        """A fact that an action brings about is processed behind the actions before it."""

        def leave(event: DirectoryEvent) -> None:
            self.directory.leave(self.two)
            self.assertFalse(self.send(self.two, ANN))
            Connection.send_directory_event(self.ann, event)

        self.ann.send_directory_event = leave  # type: ignore[method-assign] # brings about the next fact
        self.send(self.one, CAT)
        self.clock.advance(5)
        self.switchboard.tick()
        self.assertEqual((self.ann.events[1:], self.ben.closed), ([Unreachable(CAT)], [None]))


class HandOverTests(SwitchboardCase):
    """Another process takes over."""

    def test_snapshot(self) -> None:
        """A snapshot has the clients and what waits; the next process reserves the ids and delivers."""
        self.send(self.one, CAT, b"1")
        snapshot = load(dump(self.switchboard.suspend()))
        self.assertEqual(([record.id for record in snapshot.clients], len(snapshot.waiting)), ([ANN, BEN], 1))
        self.switchboard, self.directory = self.start()
        self.switchboard.restore(snapshot)
        thief, _ = self.register(ANN, "other")
        self.assertEqual((thief.events, thief.closed), ([IdTaken()], [ErrorCode.ID_TAKEN]))
        self.assertEqual(self.register(ANN)[0].events, [Registered(ANN)])
        self.assertEqual(self.register(CAT)[0].events, [Registered(CAT), Delivered(EnvelopeKind.OFFER, b"1")])

    def test_older_snapshot(self) -> None:
        """A snapshot of a version without a directory is read, and one that names an id twice is refused."""
        self.assertEqual(load(b'{"format":1,"users":[],"gone":[],"sessions":[]}'), Snapshot(1, [], [], []))
        record = b'{"id":"ann","holder":"x"}'
        twice = b'{"format":1,"users":[],"gone":[],"sessions":[],"clients":[%b,%b],"waiting":[]}' % (record, record)
        self.assertRaises(ValueError, load, twice)

    def test_too_old(self) -> None:
        """A snapshot that is too old for users has no clients either."""
        self.send(self.one, CAT)
        snapshot = without_users(self.switchboard.suspend())
        self.assertEqual((snapshot.clients, snapshot.waiting), ([], []))

    def test_held(self) -> None:
        """While another process may take over, connected clients reach each other; all else follows a release."""
        self.switchboard.hold()
        self.assertTrue(self.send(self.one, BEN))
        self.assertFalse(self.send(self.one, CAT))
        cat, _ = self.register(CAT)
        self.directory.hear(self.one)
        self.directory.leave(self.two)
        self.directory.reject(self.directory.add_connection(dan := Connection()), ErrorCode.BAD_REQUEST)
        self.switchboard.tick()
        self.assertEqual((cat.events, self.ben.closed, dan.closed), ([], [], []))
        self.switchboard.release()
        self.assertEqual(cat.events, [Registered(CAT), Delivered(EnvelopeKind.OFFER, b"{}")])
        self.assertEqual((self.ben.closed, dan.closed), ([None], [ErrorCode.BAD_REQUEST]))

    def test_heartbeats(self) -> None:
        """A heartbeat during a hold counts, without a charge, and none is heard when the state belongs to another."""
        self.clock.advance(80)
        self.switchboard.hold()
        self.directory.hear(self.one)
        self.clock.advance(10)
        self.switchboard.release()
        self.switchboard.tick()
        self.assertEqual((self.ann.closed, self.ben.closed), ([], [ErrorCode.HEARTBEAT_TIMEOUT]))
        self.switchboard.drop_held_facts()
        heard_at = self.directory.directory.clients[ANN].heard_at
        self.clock.advance(10)
        self.directory.hear(self.one)
        self.assertEqual(self.directory.directory.clients[ANN].heard_at, heard_at)

    def test_one_charge(self) -> None:
        """A message to a client whose end is held back is charged once, when the facts are processed."""
        self.switchboard.hold()
        self.directory.remove_connection(self.two)
        budget = self.directory.directory.clients[ANN].budget
        before = budget.tokens
        self.assertFalse(self.send(self.one, BEN))
        self.switchboard.release()
        self.assertEqual(before - budget.tokens, 1)

    def test_closed(self) -> None:
        """Nothing is processed once the state belongs to another process."""
        self.switchboard.hold()
        self.switchboard.drop_held_facts()
        self.assertFalse(self.send(self.one, BEN))
        self.directory.leave(self.one)
        self.directory.remove_connection(self.two)
        self.assertEqual((len(self.ben.events), self.ann.closed), (1, []))
        self.assertEqual([*self.directory.directory.clients], [ANN, BEN])

    def test_too_much(self) -> None:
        """What is held is bounded in bytes: a connection beyond that is aborted."""
        self.switchboard.hold()
        frame = b"x" * 60000
        for _ in range(HELD_BYTES // len(frame) + 1):
            self.send(self.one, CAT, frame)
        self.assertTrue(self.ann.aborted)
        self.assertFalse(self.ben.aborted)
        self.send(self.one, CAT, frame)
        self.assertLessEqual(self.switchboard.intake.held_bytes, HELD_BYTES)
        self.switchboard.intake.held_bytes = HELD_BYTES
        cat, peer = self.register(CAT)
        self.directory.leave(peer)
        self.assertTrue(cat.aborted)
        self.switchboard.release()
        self.assertEqual([*self.directory.directory.clients], [BEN])
