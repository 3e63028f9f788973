"""Connections that speak HTTP take turns with the other connections of their address, from the accept on."""

from __future__ import annotations

from typing import Any

from signald.core.limits import AddressKey, address_key
from signald.page.assets import Asset, Representation
from signald.server.costs import ACCEPT_POINTS, REQUEST_POINTS, TLS_HANDSHAKE_POINTS
from signald.server.fairness import QUANTUM, SETTLED_POINTS, AddressShare
from signald.server.request_turns import RequestTurns
from signald.tls.authority import Authority
from signald.tls.context import ServerTLS, TLSFactory, server_context
from tests.support.endpoints import CLIENT, TEXT, Endpoint, frame, parse_response, request, upgrade_request
from tests.support.machines import NOW, machine
from tests.support.memory_server import ServerCase

OTHER = "192.0.2.2"

BIG = Asset("/big", "application/wasm", "no-cache", {"identity": Representation(bytes(200_000), '"big"')})


class Neighbour:
    """A connection of another address, which has been active, so that nobody else is alone."""

    def hold(self) -> bool:
        """Take no turns."""
        return False

    def take_turn(self, share: AddressShare, others_wait: bool) -> bool:
        """Want no turn."""
        return False


class RequestTurnsCase(ServerCase):
    """A test with rounds that it begins by hand."""

    rounds_by_hand = True

    def setUp(self) -> None:
        """Start a site that another address uses too."""
        self.serve(assets={BIG.path: BIG})
        self.server.rounds.join(AddressKey("192.0.2.99"), Neighbour()).charge(1)

    def share(self, address: str = CLIENT) -> AddressShare:
        """The share of an address that has a connection."""
        return self.server.rounds.shares[address_key(address)]

    def pass_rounds(self, *endpoints: Endpoint) -> None:
        """Begin rounds until none is announced, and deliver what was not read before."""
        while self.server.due:
            self.next_round()
            for endpoint in endpoints:
                endpoint.transport.deliver_unread()

    def fill(self, address: str = CLIENT) -> None:
        """Give an address all points of a round."""
        self.share(address).turns.left = QUANTUM

    def ask(self, endpoint: Endpoint) -> None:
        """Send a request for nothing."""
        endpoint.send(request("/nothing", {"Host": "signald.example"}))

    def answered(self, *endpoints: Endpoint) -> list[bool]:
        """Whether there is a response on each connection."""
        return [bool(endpoint.answer()) for endpoint in endpoints]


class AcceptTests(RequestTurnsCase):
    """Accepts and TLS handshakes count against the share of the address."""

    def test_accepts(self) -> None:
        """Connections of one address beyond its share of a round are not read from; those of other addresses are."""
        count = QUANTUM // ACCEPT_POINTS + 2
        endpoints = [self.dial() for _ in range(count)]
        other = self.dial(OTHER)
        reads = [endpoint.transport.reads for endpoint in endpoints]
        self.assertEqual(reads, [True] * (count - 2) + [False] * 2)
        for endpoint in (*endpoints, other):
            self.ask(endpoint)
        self.assertEqual(self.answered(other), [True])
        self.pass_rounds(*endpoints)
        self.assertEqual(self.answered(*endpoints), [True] * count)

    def test_handshakes_of_tls(self) -> None:
        """The second handshake of an address does not begin in the round of the first one."""
        names = machine("attic", ["192.168.1.20"])
        tls = ServerTLS(server_context(Authority.create(names, NOW).issue(names, NOW)))
        factory = TLSFactory(tls, False, self.server.site, self.clock)
        endpoints = [Endpoint(factory), Endpoint(factory)]
        self.assertEqual([endpoint.transport.reads for endpoint in endpoints], [True, False])
        self.assertEqual(self.share().left, QUANTUM - ACCEPT_POINTS - TLS_HANDSHAKE_POINTS)
        self.pass_rounds()
        self.assertEqual([endpoint.transport.reads for endpoint in endpoints], [True, True])

    def test_parts_of_a_handshake(self) -> None:
        """Each read of a handshake is charged, and beyond the share of a round the connection waits for its turn."""
        names = machine("attic", ["192.168.1.20"])
        tls = ServerTLS(server_context(Authority.create(names, NOW).issue(names, NOW)))
        endpoint = Endpoint(TLSFactory(tls, False, self.server.site, self.clock))
        self.fill()
        header = b"\x16\x03\x01\x01\x00" + bytes(20)
        for number in range(QUANTUM):
            self.assertTrue(endpoint.transport.reads)
            endpoint.send(header[number : number + 1])
        self.assertTrue(endpoint.transport.reads)
        endpoint.send(b"\0")
        self.assertFalse(endpoint.transport.reads)
        self.next_round()
        self.assertTrue(endpoint.transport.reads)

    def test_a_trusted_proxy(self) -> None:
        """Connections of a trusted proxy take no turns, since it speaks for many clients."""
        self.serve(proxies=["192.0.2.0/24"])
        endpoints = [self.dial() for _ in range(20)]
        for endpoint in endpoints:
            self.ask(endpoint)
        self.assertEqual(self.answered(*endpoints), [True] * 20)
        self.assertEqual(self.server.rounds.shares, {})

    def test_a_connection_that_ends_before_its_turn(self) -> None:
        """Nothing is left of connections that end while they wait."""
        endpoints = [self.dial() for _ in range(6)]
        for endpoint in endpoints:
            endpoint.disconnect()
        self.pass_rounds()
        self.assertNotIn(address_key(CLIENT), self.server.rounds.shares)
        self.nothing_left()


class RequestTests(RequestTurnsCase):
    """Requests count against the share of the address."""

    def open(self, count: int, address: str = CLIENT) -> list[Endpoint]:
        """Open connections and have the rounds pass that they cost."""
        endpoints = [self.dial(address) for _ in range(count)]
        self.pass_rounds()
        self.fill(address)
        return endpoints

    def test_requests(self) -> None:
        """Of many requests that arrive at once, those beyond the share are answered in the next rounds."""
        endpoints = self.open(10)
        [other] = self.open(1, OTHER)
        for endpoint in (*endpoints, other):
            self.ask(endpoint)
        at_once = QUANTUM // REQUEST_POINTS
        self.assertEqual(self.answered(*endpoints, other), [True] * at_once + [False] * (10 - at_once) + [True])
        self.assertFalse(any(endpoint.transport.reads for endpoint in endpoints[at_once:]))
        rounds = 0
        while self.server.due:
            self.next_round()
            for endpoint in endpoints:
                endpoint.transport.deliver_unread()
            rounds += 1
        self.assertEqual(self.answered(*endpoints[at_once:]), [True] * (10 - at_once))
        self.assertGreaterEqual(rounds, (10 - at_once) // at_once)

    def test_what_arrives_in_pieces_while_it_waits(self) -> None:
        """What TLS had decrypted before the transport was paused is parsed in order."""
        [endpoint] = self.open(1)
        self.share().charge(QUANTUM)
        protocol: Any = endpoint.transport.protocol
        data = request("/nothing", {"Host": "signald.example"})
        for start in range(0, len(data), 10):
            protocol.dataReceived(data[start : start + 10])
        self.assertFalse(endpoint.transport.reads)
        self.pass_rounds()
        self.assertEqual(parse_response(endpoint.answer())[0], 404)
        self.assertTrue(endpoint.transport.reads)

    def test_held(self) -> None:
        """When two had to wait, the others are not read from, except one whose client does not read its response."""
        stalled, *endpoints = self.open(4)
        stalled.send(request("/big", {"Host": "signald.example"}))
        self.share().charge(QUANTUM)
        for endpoint in endpoints[:2]:
            self.ask(endpoint)
        self.assertEqual([endpoint.transport.reads for endpoint in endpoints], [False] * 3)
        self.assertTrue(stalled.transport.reads)
        self.pass_rounds(*endpoints)
        self.assertEqual([endpoint.transport.reads for endpoint in endpoints], [True] * 3)

    def test_a_response_that_is_not_read(self) -> None:
        """A turn does not resume reading from a client that does not read its response."""
        [endpoint] = self.open(1)
        protocol: Any = endpoint.transport.protocol
        self.share().charge(QUANTUM)
        protocol.dataReceived(request("/big", {"Host": "signald.example"}))
        self.pass_rounds()
        self.assertFalse(endpoint.transport.reads)
        endpoint.transport.take_all()
        self.assertTrue(endpoint.transport.reads)

    def test_a_websocket_opens_in_a_turn(self) -> None:
        """A handshake that waited opens a WebSocket, which is read from."""
        [endpoint] = self.open(1)
        self.share().charge(QUANTUM)
        endpoint.send(upgrade_request())
        self.assertEqual(endpoint.answer(), b"")
        self.pass_rounds(endpoint)
        self.assertEqual(endpoint.response()[0], 101)
        self.assertTrue(endpoint.transport.reads)
        endpoint.send(frame(TEXT, b"fine"))
        self.pass_rounds(endpoint)
        self.assertEqual([payload for _, payload in self.record.heard], [b"fine"])

    def test_an_address_over_its_rate(self) -> None:
        """An address that has spent its rate limit with requests is not read from, and nothing is refused."""
        [endpoint] = self.open(1)
        self.share().charge(int(4 * self.server.rounds.budget.rate_limit.burst) + 10 * QUANTUM)
        self.assertFalse(endpoint.transport.reads)
        self.ask(endpoint)
        self.pass_rounds(endpoint)
        self.assertEqual(endpoint.answer(), b"")
        self.clock.advance(1.0)
        self.pass_rounds(endpoint)
        self.assertEqual(endpoint.response()[0], 404)

    def test_a_turn_that_spends_the_rate(self) -> None:
        """A connection whose turn spends the rate limit is not read from after it."""
        [endpoint] = self.open(1)
        self.share().charge(QUANTUM)
        protocol: Any = endpoint.transport.protocol
        protocol.dataReceived(request("/nothing", {"Host": "signald.example"}))
        budget, share = self.server.rounds.budget, self.share()
        share.settle()
        budget.charge(share.key, budget.rate_limit.burst, self.clock.seconds())
        share.charge(SETTLED_POINTS - 1)
        while self.server.due:
            self.next_round()
        self.assertEqual(endpoint.response()[0], 404)
        self.assertFalse(endpoint.transport.reads)
        self.clock.advance(60.0)
        self.pass_rounds(endpoint)
        self.assertTrue(endpoint.transport.reads)

    def test_the_base_class_parses_nothing(self) -> None:
        """What is done with the input is a subclass's job."""
        with self.assertRaises(NotImplementedError):
            RequestTurns().receive_input(b"")
        self.assertTrue(RequestTurns().can_read())
