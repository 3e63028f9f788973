"""The WebSockets of matchbox's clients, from the bytes of the opening handshake to those of the other client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from signald.config.settings import Tokens
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits
from signald.core.messages import (
    AppMessage,
    Candidates,
    ForwardedMessage,
    ForwardedOffer,
    Hello,
    MemberJoined,
    MemberLeft,
    Offer,
    Ping,
    Welcome,
)
from signald.core.token_need import TokenNeed
from signald.net.origins import EVERY_ORIGIN, OriginRule
from signald.server.costs import EVENT_POINTS
from tests.support.access import FORGED, SECRET, minted
from tests.support.directory_server import DirectoryCase, MatchboxClient, PeerJsClient
from tests.support.endpoints import CLIENT, Endpoint, close_payload, frame, parse_frames, upgrade_request

FIRST, SECOND = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"

PONG, CLOSE_FRAME = frame(10), frame(8, close_payload(1000))


class RoomCase(DirectoryCase):
    """A test case with clients of matchbox."""

    def enter(self, target: str = "room", **more: Any) -> MatchboxClient:
        """Have a client enter a room."""
        client = MatchboxClient(self.server, target, **more)
        self.assertTrue(client.id, client.closed)
        return client

    def assert_refused(self, target: str, code: ErrorCode, **more: Any) -> None:
        """Assert that a client is let in by HTTP, and closed with an error and without any message."""
        client = MatchboxClient(self.server, target, **more)
        self.assertEqual((client.status, client.id), (101, ""))
        self.assertEqual(client.closed, (code.close_code or 1008, code.value))
        self.assertEqual(client.take(), [])


class OpeningTests(RoomCase):
    """Who gets into a room."""

    def test_open(self) -> None:
        """A client is told its id at once; its connection is counted under the dialect's name."""
        client = MatchboxClient(self.server, "room")
        self.assertEqual((client.status, client.id), (101, FIRST))
        metrics = self.server.rooms_port.metrics
        self.assertEqual(metrics.opened, {("matchbox", "ws"): 1})
        self.assertEqual((metrics.received[Hello], metrics.sent[Welcome]), (1, 1))
        client.close()
        self.assertEqual(metrics.closed, {("matchbox", "ws"): 1})
        self.assertEqual(self.server.rooms.directory.clients, {})
        self.assertEqual(self.server.rooms.directory.rooms.groups, 0)

    def test_general_way(self) -> None:
        """A request in pieces, which Autobahn parses, enters the same room."""
        other = self.enter("a.b?next=3")
        endpoint = Endpoint(self.server.site, CLIENT, self.clock)
        text = upgrade_request("/matchbox/a.b?next=3")
        endpoint.send(text[:40], text[40:])
        status, _, data = endpoint.response()
        self.assertEqual(status, 101)
        self.assertEqual([json.loads(payload) for _, payload in parse_frames(data)], [{"IdAssigned": SECOND}])
        self.assertEqual(other.take(), [{"NewPeer": SECOND}])

    def test_both_ways_refuse_alike(self) -> None:
        """Paths and names that are no rooms are answered alike, whoever parses the request."""
        for path, status in (
            ("/matchbox", 404),
            ("/matchbox/", 404),
            ("/matchbox//", 404),
            ("/matchbox//a", 404),
            ("/matchbox/a/", 404),
            ("/matchbox/a/b", 404),
            ("/matchboxes/a", 404),
            ("/*", 404),
            ("/matchbox/*", 101),
            ("/matchbox/%61", 101),
            ("/matchbox/a%2Fb", 101),
            ("/matchbox/a;b", 101),
            ("/matchbox/.", 101),
            ("/matchbox/..", 101),
            ("/matchbox/" + "x" * 65, 101),
        ):
            answers = []
            text = upgrade_request(path)
            for reads in ([text], [text[:40], text[40:]]):
                endpoint = Endpoint(self.server.site, CLIENT, self.clock)
                endpoint.send(*reads)
                got, _, data = endpoint.response()
                self.assertEqual(got, status, path)
                answers.append(data)
            if status == 101:
                self.assertEqual(answers, [b"\x88\x0d\x03\xf0bad-request"] * 2, path)
        self.assertEqual(self.server.rooms.directory.clients, {})

    def test_below_a_path(self) -> None:
        """Where the page has a path, the rooms are below it on both ways, and nowhere else."""
        for base in ("/calls/", "/a/b/", "/matchbox/"):
            self.serve(base=base)
            for path, status in ((f"{base}matchbox/room", 101), (f"{base}matchbox", 404), ("/matchbox/room", 404)):
                text = upgrade_request(path)
                for reads in ([text], [text[:40], text[40:]]):
                    endpoint = Endpoint(self.server.site, CLIENT, self.clock)
                    endpoint.send(*reads)
                    self.assertEqual(endpoint.response()[0], status, path)
            self.assertEqual(len(self.server.rooms.directory.clients), 2)

    def test_hosts(self) -> None:
        """A name that a stranger could point to the server opens no room where host names are listed."""
        self.server.rooms_port.answer_hosts(frozenset({"other.example"}))
        self.assertEqual(MatchboxClient(self.server, "room").status, 400)
        self.server.rooms_port.answer_hosts(frozenset({"signald.example"}))
        self.enter()

    def test_parameters(self) -> None:
        """A size that is no number, or that no group can have, is refused with the reason in the close frame."""
        for size in ("=two", "=", "", "=2%00", "=%D9%A2", "=+2", "=2&next="):
            self.assert_refused(f"room?next{size}", ErrorCode.BAD_REQUEST)
        # Not as if there were no size: its client would meet others than those it looks for.
        self.assert_refused("room?next=2" + "&other=1" * 16, ErrorCode.BAD_REQUEST)
        self.assert_refused("room?next=0", ErrorCode.BAD_CAPACITY)
        self.assert_refused("room?next=33", ErrorCode.BAD_CAPACITY)
        self.enter("room?next=32&other=1")

    def test_full(self) -> None:
        """A full room refuses with a code of its own; that is no offence, and the limit is counted."""
        self.serve(Limits(room_members=2))
        clients = [self.enter(), self.enter()]
        self.assertEqual(clients[0].take(), [{"NewPeer": SECOND}])
        self.assert_refused("room", ErrorCode.ROOM_FULL)
        self.assertFalse(self.server.budget.offences.full_at)
        self.assertEqual(self.server.rooms_port.metrics.limits["room_members"], 1)
        self.assertEqual([client.take() for client in clients], [[], []])
        clients[0].close()
        self.enter()

    def test_reload(self) -> None:
        """Another limit holds for those who come from then on."""
        self.enter()
        self.enter()
        self.server.switchboard.reload_limits(Limits(room_members=2))
        self.assert_refused("room", ErrorCode.ROOM_FULL)

    def test_origins(self) -> None:
        """A page of another origin is refused unless it is allowed, or all are."""
        other = {"origin": "https://other.example"}
        self.assertEqual(MatchboxClient(self.server, "room", **other).status, 403)
        self.assertEqual(MatchboxClient(self.server, "room", origin="http://signald.example").status, 101)
        self.serve(origins=OriginRule.of(tls=False, others=[EVERY_ORIGIN], every=True))
        self.assertEqual(MatchboxClient(self.server, "room", **other).status, 101)

    def test_no_upgrade(self) -> None:
        """A request that is no upgrade is told so in a room, and the folder of the rooms has no content."""
        for path, status in (("/matchbox/room", 426), ("/matchbox/", 404), ("/matchbox", 404), ("/matchbox/a/b", 404)):
            endpoint = Endpoint(self.server.site, CLIENT, self.clock)
            endpoint.send(f"GET {path} HTTP/1.1\r\nHost: signald.example\r\n\r\n".encode())
            self.assertEqual(endpoint.response()[0], status, path)

    def test_tokens(self) -> None:
        """Where tokens are needed, the query carries one; a missing one is no guess, and a forged one is."""
        path = Path(self.mktemp())
        path.write_bytes(SECRET)
        path.chmod(0o600)
        self.serve(Limits(failed_guesses=1), tokens=Tokens(need=TokenNeed.EVERYONE, secret_file=path))
        self.enter(f"room?token={minted()}")
        self.assert_refused("room", ErrorCode.TOKEN_REQUIRED)
        self.enter(f"room?token={minted()}")
        self.assert_refused(f"room?token={FORGED}", ErrorCode.TOKEN_INVALID)
        self.assert_refused(f"room?token={minted()}", ErrorCode.TOO_MANY_GUESSES)

    def test_connections_of_an_address(self) -> None:
        """The limits of connections hold."""
        self.serve(Limits(address_connections=2))
        self.enter()
        self.enter()
        self.assertEqual(MatchboxClient(self.server, "room").status, 429)


class RoomTests(RoomCase):
    """What happens in a room."""

    def setUp(self) -> None:
        """Have two clients enter."""
        super().setUp()
        self.ann, self.ben = self.enter(), self.enter(address="192.0.2.9")
        self.assertEqual((self.ann.take(), self.ben.take()), ([{"NewPeer": self.ben.id}], []))

    def test_signals(self) -> None:
        """A signal arrives with its sender and its data; it is counted and timed as messages of other dialects are."""
        self.ann.signal(self.ben.id, {"Offer": "v=0"})
        self.ben.signal(self.ann.id, [{"mine": 1}, None])
        self.assertEqual(self.ben.take(), [{"Signal": {"sender": self.ann.id, "data": {"Offer": "v=0"}}}])
        self.assertEqual(self.ann.take(), [{"Signal": {"sender": self.ben.id, "data": [{"mine": 1}, None]}}])
        metrics = self.server.rooms_port.metrics
        self.assertEqual((metrics.received[Offer], metrics.sent[ForwardedOffer]), (1, 1))
        self.assertEqual((metrics.received[AppMessage], metrics.sent[ForwardedMessage]), (1, 1))
        self.assertEqual((metrics.sent[MemberJoined], sum(metrics.forward.counts)), (1, 2))

    def test_leave(self) -> None:
        """Those who stay are told who left, however it left."""
        cat = self.enter()
        self.ann.take(), self.ben.take()
        cat.endpoint.send(CLOSE_FRAME)
        self.assertEqual(self.ann.take(), [{"PeerLeft": cat.id}])
        self.ben.close()
        self.assertEqual(self.ann.take(), [{"PeerLeft": self.ben.id}])
        self.ann.signal(self.ben.id, 1)
        self.assertEqual((self.ann.take(), self.ann.closed), ([], None))
        self.assertEqual(self.server.rooms_port.metrics.sent[MemberLeft], 3)

    def test_groups(self) -> None:
        """With `next`, those who come make groups of that size, apart from the room without it."""
        one, two, three = (self.enter("room?next=2") for _ in range(3))
        self.assertEqual((one.take(), two.take(), three.take()), ([{"NewPeer": two.id}], [], []))
        self.assertEqual((self.ann.take(), self.ben.take()), ([], []))
        for receiver in (three.id, self.ann.id):
            one.signal(receiver, 1)
        self.assertEqual((three.take(), self.ann.take(), one.take()), ([], [], []))
        one.close()
        four = self.enter("room?next=2")
        self.assertEqual((two.take(), three.take()), ([{"PeerLeft": one.id}], [{"NewPeer": four.id}]))

    def test_ignored(self) -> None:
        """What means nothing is ignored and counted."""
        for text in (b"{", b'{"NewPeer":"x"}', b'{"Signal":{"receiver":"ben","data":1}}', b"1"):
            self.ann.send_text(text)
        self.assertEqual((self.ann.take(), self.ann.closed, self.ben.take()), ([], None, []))
        self.assertEqual(self.server.rooms_port.metrics.malformed[type(None)], 4)

    def test_signs_of_life(self) -> None:
        """A keep-alive or a pong keeps a client, however long it says nothing else; a silent one leaves the room."""
        for _ in range(20):
            self.server.tick(10)
            self.ann.send_text(b'"KeepAlive"')
        self.assertIn({"PeerLeft": self.ben.id}, self.ann.take())
        self.assertEqual([*self.server.rooms.directory.clients], [self.ann.id])
        self.assertEqual(self.server.rooms_port.metrics.received[Ping], 20)
        for _ in range(40):
            self.server.tick(5)
            self.ann.endpoint.send(PONG)
        self.assertEqual([*self.server.rooms.directory.clients], [self.ann.id])

    def test_too_many(self) -> None:
        """A client that floods is closed, and the others are told that it left."""
        self.serve(Limits(message_burst=40))
        ann, ben = self.enter(), self.enter(address="192.0.2.9")
        for _ in range(41):
            ben.send_text(b'"KeepAlive"')
        self.clock.pump([0.01] * 50)
        ben.endpoint.transport.deliver_unread()
        ben.take()
        self.assertEqual(ben.closed, (1008, "too-many-messages"))
        self.assertEqual(ann.take(), [{"NewPeer": ben.id}, {"PeerLeft": ben.id}])

    def test_last_signals(self) -> None:
        """What a client has sent arrives before the news that it was closed for its rate, whatever exceeded that."""
        for excess in (b'"KeepAlive"', b"nothing"):
            self.serve(Limits(message_burst=2))
            ann, ben = self.enter(), self.enter(address="192.0.2.9")
            signals = [json.dumps({"Signal": {"receiver": ann.id, "data": number}}).encode() for number in range(2)]
            ben.send_text(*signals, excess)
            self.assertEqual(
                [[*message] for message in ann.take()], [["NewPeer"], ["Signal"], ["Signal"], ["PeerLeft"]]
            )

    def test_one_read(self) -> None:
        """Signals of one read keep their order, whichever way each goes."""
        texts = [
            {"Signal": {"receiver": receiver, "data": number}}
            for number, receiver in enumerate((self.ben.id, FIRST.replace("1", "f"), self.ben.id, self.ann.id))
        ]
        self.ann.send_text(*(json.dumps(text).encode() for text in texts))
        self.assertEqual([message["Signal"]["data"] for message in self.ben.take()], [0, 2])
        self.assertEqual([message["Signal"]["data"] for message in self.ann.take()], [3])
        self.assertEqual(self.server.rooms_port.metrics.received[Candidates], 0)

    def test_slow_reader(self) -> None:
        """A client that does not read is aborted after a while, and the others are told that it left."""
        for _ in range(20):
            self.ann.signal(self.ben.id, "x" * 30000)
            self.clock.advance(1)
            self.ann.endpoint.transport.deliver_unread()
        self.assertTrue(self.ben.endpoint.transport.aborted)
        self.ben.close()
        self.assertEqual(self.ann.take(), [{"PeerLeft": self.ben.id}])

    def test_dropped(self) -> None:
        """Beyond half of a slow reader's output, signals are dropped and counted; who comes and who leaves is told."""
        self.serve(Limits(output_seconds=1e6, message_burst=100_000, message_byte_burst=1 << 30))
        ann, ben = self.enter(), self.enter()
        for _ in range(10):
            for _ in range(20):
                ann.signal(ben.id, {"Offer": "x" * 30000})
            self.clock.pump([0.01] * 50)
            ann.endpoint.transport.deliver_unread()
        self.enter().close()
        self.assertFalse(ben.endpoint.transport.aborted)
        messages = [[*message] for message in ben.take()]
        self.assertEqual(messages[-2:], [["NewPeer"], ["PeerLeft"]])
        metrics = self.server.rooms_port.metrics
        self.assertEqual(metrics.sent[ForwardedOffer], len(messages) - 2)
        self.assertEqual(metrics.limits["output_bytes"], 200 - (len(messages) - 2))
        ann.signal(ben.id, 1)
        self.assertEqual([[*message] for message in ben.take()], [["Signal"]])

    def test_events_are_charged(self) -> None:
        """The address of a client that comes or goes pays for telling each of the others, as a sender does."""
        address = "192.0.2.77"
        spent = []
        for room in ("empty", "room"):
            keeper = self.enter("keeper", address=address)
            share = self.server.rounds.shares[AddressKey(address)]
            left = share.left
            visitor = self.enter(room, address=address)
            spent.append(left - share.left)
            left = share.left
            visitor.close()
            spent.append(left - share.left)
            keeper.close()
            self.clock.advance(1)
        self.assertEqual((spent[2] - spent[0], spent[3] - spent[1]), (2 * EVENT_POINTS, 2 * EVENT_POINTS))


class ApartTests(RoomCase):
    """The ids of one dialect are never another's."""

    def test_apart(self) -> None:
        """A client of PeerJS may have the id of a client of matchbox; neither reaches or learns of the other."""
        ann = self.enter()
        namesake, other = self.connect(ann.id), self.connect("ben")
        other.send("OFFER", ann.id)
        self.assertEqual((namesake.types(), ann.take()), (["OFFER"], []))
        self.enter().signal(ann.id, 1)
        self.assertEqual([*ann.take()[1]], ["Signal"])
        self.assertEqual(namesake.types(), [])
        self.serve(lists_ids=True)
        self.enter()
        endpoint = Endpoint(self.server.site, CLIENT, self.clock)
        endpoint.send(b"GET /peerjs/peers HTTP/1.1\r\nHost: signald.example\r\n\r\n")
        self.assertEqual(endpoint.response()[2], b"[]")

    def test_users(self) -> None:
        """Clients of matchbox are no users, and no part of any snapshot."""
        self.enter()
        self.assertEqual(self.server.switchboard.hub.users, {})
        snapshot = self.server.switchboard.suspend()
        self.assertEqual((snapshot.clients, snapshot.users), ([], []))


class StopTests(RoomCase):
    """The server stops, or another process takes over."""

    def setUp(self) -> None:
        """Have two clients enter."""
        super().setUp()
        self.ann, self.ben = self.enter(), self.enter()
        self.ann.take()

    def test_drain(self) -> None:
        """A stop closes each client with 1012; nobody is told that another one left, whose calls go on."""
        self.server.switchboard.suspend()
        self.server.rooms_port.connections.drain(5.0)
        for client in (self.ann, self.ben):
            self.assertEqual(client.take(), [])
            self.assertEqual(client.closed, (1012, "going-away"))
            client.endpoint.send(CLOSE_FRAME)
        self.assertEqual((self.ann.take(), self.ben.take()), ([], []))
        self.assertEqual(MatchboxClient(self.server, "room").status, 503)

    def test_hand_over(self) -> None:
        """While another process may take over, signals go on; who comes and who left is told after a release."""
        self.server.switchboard.hold()
        self.ann.signal(self.ben.id, 1)
        self.assertEqual([*self.ben.take()[0]], ["Signal"])
        cat = MatchboxClient(self.server, "room")
        self.assertEqual((cat.status, cat.id, cat.closed), (101, "", None))
        self.ben.close()
        self.assertEqual(self.ann.take(), [])
        self.server.switchboard.release()
        assigned, left = cat.take()
        self.assertEqual(left, {"PeerLeft": self.ben.id})
        self.assertEqual(self.ann.take(), [{"NewPeer": assigned["IdAssigned"]}, left])


class OffTests(RoomCase):
    """A client of PeerJS on the path of a room."""

    def test_other_path(self) -> None:
        """Each dialect is spoken on its own paths."""
        client = PeerJsClient(self.server, "ann")
        self.assertEqual(client.types(), ["OPEN"])
        endpoint = Endpoint(self.server.site, CLIENT, self.clock)
        endpoint.send(upgrade_request("/matchbox/room?key=peerjs&id=ann&token=t"))
        self.assertIn(b'{"IdAssigned":', endpoint.response()[2])
