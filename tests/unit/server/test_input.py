"""WebSockets take turns with the other connections of their address, and nothing of their input is lost by it."""

from __future__ import annotations

from typing import Any

from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits, address_key
from signald.core.messages import Request
from signald.core.users import PeerId
from signald.dialects.dialect import DecodeError
from signald.server.costs import FRAME_POINTS, READ_POINTS
from signald.server.fairness import QUANTUM, SETTLED_POINTS, AddressShare
from tests.support.endpoints import (
    CLIENT,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Endpoint,
    NamedDialect,
    PlainDialect,
    close_payload,
    closing,
    frame,
    upgrade_request,
)
from tests.support.memory_server import ServerCase


class NoDialect(PlainDialect):
    """A dialect in which no frame holds a request."""

    def decode(self, frame: bytes) -> list[Request]:
        """Refuse the frame."""
        raise DecodeError(ErrorCode.BAD_MESSAGE)


class Neighbour:
    """A connection of another address, which has been active, so that nobody else is alone."""

    def hold(self) -> bool:
        """Take no turns."""
        return False

    def take_turn(self, share: AddressShare, others_wait: bool) -> bool:
        """Want no turn."""
        return False


class TurnsCase(ServerCase):
    """A test with rounds that it begins by hand."""

    bare = True
    rounds_by_hand = True
    at_once = (QUANTUM - READ_POINTS) // FRAME_POINTS + 1
    """Messages of one read that are handled at once; the last one may cost more than is left."""

    def serve(self, limits: Limits | None = None, **changes: Any) -> None:
        """Start a server that another address uses too."""
        super().serve(limits, **changes)
        self.server.rounds.join(AddressKey("192.0.2.99"), Neighbour()).charge(1)

    def open(self, address: str = CLIENT) -> Endpoint:
        """Open a WebSocket."""
        endpoint = self.dial(address)
        endpoint.send(upgrade_request("/ws"))
        while self.server.due:
            self.next_round()
            endpoint.transport.deliver_unread()
        self.assertEqual(endpoint.response()[0], 101)
        # What the connection and its handshake have cost is of no interest here.
        self.server.rounds.shares[address_key(address)].turns.left = QUANTUM
        return endpoint

    def texts(self, count: int) -> bytes:
        """Return so many numbered messages."""
        return b"".join(frame(TEXT, b"%d" % number) for number in range(count))

    def heard(self, peer: int) -> list[bytes]:
        """The messages of a peer that were received so far."""
        return [payload for id, payload in self.record.heard if id == PeerId(peer)]

    def rounds(self, count: int) -> None:
        """Begin so many rounds of the reactor."""
        for _ in range(count):
            self.next_round()


class TurnTests(TurnsCase):
    """The connections of an address share what is handled of their input in a round of the reactor."""

    def test_a_flood_waits_for_others(self) -> None:
        """Of many messages in one read the rest waits for the next round, and other addresses are served before it."""
        flood, other = self.open(), self.open("192.0.2.2")
        many = self.at_once + 3
        flood.send(self.texts(many))
        other.send(frame(TEXT, b"other"))
        self.assertEqual((len(self.heard(1)), self.heard(2)), (self.at_once, [b"other"]))
        self.assertFalse(flood.transport.reads)
        self.next_round()
        self.assertEqual(self.heard(1), [b"%d" % number for number in range(many)])
        self.assertTrue(flood.transport.reads)
        flood.disconnect()
        other.disconnect()
        self.next_round()
        self.nothing_left()

    def test_reads_that_bring_nothing(self) -> None:
        """Parts of TLS records are charged as reads, and beyond the share the connection waits; closing ones do not."""
        endpoint = self.open()
        share = self.server.rounds.shares[address_key(CLIENT)]
        protocol = endpoint.transport.protocol
        for number in range(QUANTUM // READ_POINTS):
            self.assertEqual((share.left, endpoint.transport.reads), (QUANTUM - number * READ_POINTS, True))
            protocol.receive_nothing()
        protocol.receive_nothing()
        self.assertFalse(endpoint.transport.reads)
        protocol.receive_nothing()
        self.next_round()
        self.assertTrue(endpoint.transport.reads)
        endpoint.send(frame(TEXT, b"heard"))
        self.assertEqual(self.heard(1), [b"heard"])
        endpoint.transport.protocol.close(1000, "")
        left = share.left
        protocol.receive_nothing()
        self.assertEqual((share.left, endpoint.transport.reads), (left - READ_POINTS, True))

    def test_many_connections_share_a_round(self) -> None:
        """Twenty connections of an address have no more handled in a round than one; each gets its turn, in order."""
        endpoints = [self.open() for _ in range(20)]
        other = self.open("192.0.2.2")
        for endpoint in endpoints:
            endpoint.send(self.texts(3))
        other.send(frame(TEXT, b"other"))
        self.assertLessEqual(len(self.record.heard) - 1, self.at_once)
        self.assertEqual(self.heard(21), [b"other"])
        served = list[int]()
        for _ in range(30):
            before = len(self.record.heard)
            self.next_round()
            for endpoint in endpoints:
                endpoint.transport.deliver_unread()
            self.assertLessEqual(len(self.record.heard) - before, self.at_once)
            served += [peer for peer, _ in self.record.heard[before:]]
        self.assertEqual([len(self.heard(peer)) for peer in range(1, 21)], [3] * 20)
        self.assertEqual(self.heard(20), [b"0", b"1", b"2"])
        # Whoever waited has its first message handled before anybody has a second one.
        waited = [peer for peer in served if peer > PeerId(3)]
        self.assertEqual(len(set(waited[:17])), 17)
        self.assertTrue(all(endpoint.transport.reads for endpoint in endpoints))
        self.assertEqual(self.server.due, [])

    def test_held_before_they_are_read(self) -> None:
        """When two connections of an address had to wait, the others are not read from until their turn."""
        endpoints = [self.open() for _ in range(6)]
        endpoints[0].send(self.texts(self.at_once))
        endpoints[1].send(self.texts(1))
        self.assertTrue(endpoints[5].transport.reads)
        endpoints[2].send(self.texts(1))
        self.assertEqual([endpoint.transport.reads for endpoint in endpoints], [False] * 6)
        self.rounds(4)
        self.assertEqual([endpoint.transport.reads for endpoint in endpoints], [True] * 6)
        self.assertEqual([len(self.heard(peer)) for peer in (1, 2, 3)], [self.at_once, 1, 1])

    def test_one_busy_connection_alone(self) -> None:
        """A connection without neighbours has as many messages handled in each round as in the first."""
        flood = self.open()
        flood.send(self.texts(self.at_once * 5))
        for rounds in range(1, 6):
            self.assertGreaterEqual(len(self.record.heard), (self.at_once - 1) * rounds)
            self.next_round()
        self.assertEqual(len(self.record.heard), self.at_once * 5)
        self.assertTrue(flood.transport.reads)

    def test_few_messages_cost_no_call(self) -> None:
        """Messages worth less than half of a round's share announce no round; more of them announce one."""
        endpoint = self.open()
        endpoint.send(self.texts(3))
        self.assertEqual(self.server.due, [])
        endpoint.send(self.texts(3))
        self.assertEqual(len(self.server.due), 1)

    def test_costly_messages_wait_sooner(self) -> None:
        """Large messages, and messages of many elements, end a turn sooner and are followed by rounds without one."""
        for text, rounds in ((b"x" * 60000, 1), (b",".join([b"0"] * 30000), 6)):
            self.serve()
            flood = self.open()
            flood.send(frame(TEXT, text) * 2)
            self.assertEqual(len(self.record.heard), 1)
            for _ in range(rounds - 1):
                self.next_round()
                self.assertEqual(len(self.record.heard), 1)
            self.next_round()
            self.assertEqual(len(self.record.heard), 2)

    def test_malformed_messages_wait_sooner(self) -> None:
        """A message that holds no request costs twice as much as one that does."""
        self.serve(dialects=(NoDialect, NamedDialect))
        flood = self.open()
        flood.send(self.texts(self.at_once))
        self.assertEqual(len(self.record.malformed), (self.at_once + 1) // 2)
        self.rounds(1)
        self.assertEqual(len(self.record.malformed), self.at_once)

    def test_fragments_and_pings_wait_too(self) -> None:
        """Fragments of no bytes, pings and pongs count as messages do."""
        for one in (frame(CONTINUATION, fin=False), frame(PING)):
            self.serve()
            endpoint = self.open()
            endpoint.send(frame(TEXT, fin=False) + one * 19)
            self.assertFalse(endpoint.transport.reads)
            self.rounds(3)
            self.assertTrue(endpoint.transport.reads)

    def test_what_waits_is_seen(self) -> None:
        """A ping and a close frame behind a flood of the address are answered within a few rounds."""
        flood, polite = self.open(), self.open()
        flood.send(self.texts(400))
        polite.send(frame(PING, b"p") + frame(CLOSE, close_payload(1000)))
        self.assertEqual(polite.frames(), [])
        self.rounds(3)
        self.assertEqual(polite.frames(), [(PONG, b"p"), (CLOSE, close_payload(1000))])
        self.assertTrue(polite.transport.reads)
        self.assertLess(len(self.heard(1)), 50)

    def test_a_message_that_is_not_whole(self) -> None:
        """An incomplete message behind a flood has its timeout too."""
        endpoint = self.open()
        endpoint.send(self.texts(self.at_once) + frame(TEXT, b"b") + frame(TEXT, b"c", fin=False))
        self.rounds(2)
        self.assertEqual(self.record.heard[-1], (PeerId(1), b"b"))
        self.advance(Limits().fragments_seconds + 1)
        self.assertIn(closing(ErrorCode.SLOW_MESSAGE), endpoint.frames())

    def test_frames_with_the_handshake(self) -> None:
        """Frames that arrive with the opening handshake on the bare port are handled in turn as well."""
        if not self.bare:
            return
        endpoint = self.dial()
        endpoint.send(upgrade_request() + self.texts(self.at_once + 1))
        self.assertEqual((len(self.record.heard), endpoint.transport.reads), (self.at_once, False))
        self.next_round()
        self.assertEqual((len(self.record.heard), endpoint.transport.reads), (self.at_once + 1, True))

    def test_input_after_the_transport_was_paused(self) -> None:
        """What TLS had decrypted before the transport was paused is handled in order, in later turns."""
        endpoint = self.open()
        texts = self.texts(self.at_once * 2)
        endpoint.send(texts[: len(texts) // 2])
        protocol: Any = endpoint.transport.protocol
        endpoint.send(self.texts(self.at_once))
        protocol.dataReceived(texts[len(texts) // 2 :])
        self.rounds(4)
        self.assertEqual(self.heard(1)[: self.at_once * 2], [b"%d" % number for number in range(self.at_once * 2)])

    def test_connections_that_end(self) -> None:
        """When the ends of connections have spent the round, the others of the address are looked at in their turns."""
        endpoints = [self.open() for _ in range(6)]
        other = self.open("192.0.2.2")
        endpoints[0].disconnect()
        self.assertTrue(endpoints[5].transport.reads)
        endpoints[1].disconnect()
        reads = [endpoint.transport.reads for endpoint in (*endpoints[2:], other)]
        self.assertEqual(reads, [False] * 4 + [True])
        self.next_round()
        # In their turns the first of them ends, and what it costs makes those wait again that were to be read next.
        self.assertEqual([endpoint.transport.reads for endpoint in endpoints[2:]], [True] * 4)
        endpoints[2].disconnect()
        endpoints[3].disconnect()
        self.rounds(4)
        for endpoint in (*endpoints[4:], other):
            self.assertTrue(endpoint.transport.reads)
            endpoint.disconnect()
        self.rounds(1)
        self.nothing_left()

    def test_a_flood_that_ends(self) -> None:
        """Waiting messages are dropped when the connection closes or disconnects."""
        gone, closed = self.open(), self.open("192.0.2.2")
        for endpoint in (gone, closed):
            endpoint.send(self.texts(self.at_once + 9))
        gone.disconnect()
        self.record.connections[PeerId(2)].close(1008, "enough")
        self.rounds(20)
        self.assertEqual(len(self.record.heard), 2 * self.at_once)
        self.assertTrue(closed.transport.reads)
        closed.disconnect()
        self.nothing_left()

    def test_an_error_in_a_turn(self) -> None:
        """An exception in the turn of one connection aborts it, is logged once, and the others have their turns."""
        flood, broken, other = self.open(), self.open(), self.open()
        flood.send(self.texts(self.at_once))
        broken.send(frame(TEXT, b"broken"))
        other.send(frame(TEXT, b"fine"))
        protocol: Any = broken.transport.protocol
        protocol.current_frame = object()
        self.rounds(3)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.assertTrue(broken.transport.aborted)
        self.assertEqual(self.heard(3), [b"fine"])


class SiteTurnTests(TurnTests):
    """The same tests on the site."""

    bare = False


class RateTests(TurnsCase):
    """An address that has spent its rate limit is not read from until it has tokens again; nothing is refused."""

    limits = Limits(address_message_rate=100.0, address_message_burst=100)

    def setUp(self) -> None:
        """Start a server with a low rate of messages for an address."""
        self.serve(self.limits)

    def pass_time(self, seconds: float, *endpoints: Endpoint) -> None:
        """Have time pass, and rounds in it."""
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)
            while self.server.due:
                self.next_round()
                for endpoint in endpoints:
                    endpoint.transport.deliver_unread()

    def spend(self, address: str = CLIENT) -> None:
        """Spend the rate limit of an address but for a few messages."""
        key = address_key(address)
        self.server.rounds.budget.charge(key, self.limits.address_message_burst - 2, self.clock.seconds())
        self.server.rounds.shares[key].turns.left = QUANTUM

    def test_over_the_rate(self) -> None:
        """Beyond the burst messages are handled at the rate, in order; another address is served at once."""
        flood, other = self.open(), self.open("192.0.2.2")
        many = 300
        flood.send(self.texts(many))
        for _ in range(100):
            self.next_round()
        self.assertLess(len(self.heard(1)), 110)
        self.assertFalse(flood.transport.reads)
        other.send(frame(TEXT, b"other"))
        self.assertEqual(self.heard(2), [b"other"])
        before = len(self.heard(1))
        self.pass_time(1.0, flood)
        self.assertLess(abs(len(self.heard(1)) - before - 100), 25)
        self.pass_time(3.0, flood)
        self.assertEqual(self.heard(1), [b"%d" % number for number in range(many)])
        self.assertTrue(flood.transport.reads)

    def test_the_others_of_the_address(self) -> None:
        """All connections of the address are paused before they are read from, and each is served afterwards."""
        endpoints = [self.open() for _ in range(3)]
        self.spend()
        endpoints[0].send(self.texts(self.at_once + 1))
        self.assertEqual([endpoint.transport.reads for endpoint in endpoints], [False] * 3)
        share = self.server.rounds.shares[address_key(CLIENT)]
        self.assertEqual((len(share._parked), len(share.turns.waiting)), (3, 0))
        handled = len(self.record.heard)
        for endpoint in endpoints:
            endpoint.send(frame(TEXT, b"late"))
        self.rounds(20)
        self.assertEqual(len(self.record.heard), handled)
        self.pass_time(1.0, *endpoints)
        self.assertEqual([self.heard(peer)[-1] for peer in (1, 2, 3)], [b"late"] * 3)
        self.assertEqual([endpoint.transport.reads for endpoint in endpoints], [True] * 3)

    def test_in_a_turn(self) -> None:
        """A turn that spends the rest of the rate limit is the connection's last one until there are tokens."""
        flood, other = self.open(), self.open()
        many = self.at_once + 30
        flood.send(self.texts(many))
        other.send(frame(TEXT, b"other"))
        self.spend()
        self.server.rounds.shares[address_key(CLIENT)].turns.left = 0
        self.rounds(20)
        handled = len(self.record.heard)
        self.assertLess(handled, self.at_once + 20)
        self.assertEqual([endpoint.transport.reads for endpoint in (flood, other)], [False] * 2)
        self.pass_time(1.0, flood, other)
        self.assertEqual((len(self.heard(1)), self.heard(2)), (many, [b"other"]))
        self.assertEqual([endpoint.transport.reads for endpoint in (flood, other)], [True] * 2)

    def test_in_the_last_turn(self) -> None:
        """A connection whose last buffered message spends the rate limit is not read from after it."""
        endpoint = self.open()
        endpoint.send(self.texts(self.at_once + 1))
        share = self.server.rounds.shares[address_key(CLIENT)]
        self.server.rounds.budget.charge(share.key, self.limits.address_message_burst, self.clock.seconds())
        share.charge(SETTLED_POINTS - 1)
        self.rounds(10)
        self.assertEqual(len(self.record.heard), self.at_once + 1)
        self.assertFalse(endpoint.transport.reads)
        self.assertEqual((len(share._parked), len(share.turns.waiting)), (1, 0))
        self.pass_time(1.0, endpoint)
        self.assertTrue(endpoint.transport.reads)
