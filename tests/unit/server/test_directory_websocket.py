"""The WebSockets of PeerJS's clients, from the bytes of the opening handshake to those of the other client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from signald.config.settings import LogLevel, Tokens
from signald.core.budgets import SLOW_START_MESSAGES
from signald.core.directory import Directory
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits
from signald.core.messages import (
    Answer,
    Candidates,
    Error,
    ForwardedOffer,
    Hello,
    Leave,
    Offer,
    Ping,
    Welcome,
)
from signald.core.token_need import TokenNeed
from signald.server.frames import close_code
from tests.support.access import FORGED, SECRET, minted
from tests.support.connections import MemoryConnection
from tests.support.directory_server import DirectoryCase, PeerJsClient
from tests.support.endpoints import BINARY, CLIENT, CLOSE, TEXT, Endpoint, close_payload, frame, upgrade_request
from tests.support.failing import FailingPart


class OpeningTests(DirectoryCase):
    """Who gets an id."""

    def test_open(self) -> None:
        """A client with id, token and key is registered; its connection is counted under the dialect's name."""
        client = PeerJsClient(self.server, "ann")
        self.assertEqual(client.status, 101)
        self.assertEqual(client.take(), [{"type": "OPEN"}])
        metrics = self.server.port.metrics
        self.assertEqual(metrics.opened, {("peerjs", "ws"): 1})
        self.assertEqual((metrics.received[Hello], metrics.sent[Welcome]), (1, 1))
        client.close()
        self.assertEqual(metrics.closed, {("peerjs", "ws"): 1})
        self.assertEqual(self.server.directory.directory.clients, {})

    def test_general_way(self) -> None:
        """A request in pieces, which Autobahn parses, opens the same."""
        request = upgrade_request("/peerjs?key=peerjs&id=a%20b&token=t")
        endpoint = Endpoint(self.server.site, CLIENT, self.clock)
        endpoint.send(request[:40], request[40:])
        status, _, data = endpoint.response()
        self.assertEqual((status, data), (101, b'\x81\x0f{"type":"OPEN"}'))
        self.assertEqual([*self.server.directory.directory.clients], ["a b"])

    def test_invalid(self) -> None:
        """Parameters that are missing or wrong are answered over the WebSocket, which closes; nobody is registered."""
        for id, key, token, code in (
            ("ann", None, "t", ErrorCode.BAD_REQUEST),
            ("", "peerjs", "t", ErrorCode.BAD_REQUEST),
            ("ann", "peerjs", None, ErrorCode.BAD_REQUEST),
            ("-", "peerjs", "t", ErrorCode.BAD_REQUEST),
            ("x" * 65, "peerjs", "t", ErrorCode.BAD_REQUEST),
            ("ann", "other", "t", ErrorCode.NOT_PERMITTED),
        ):
            client = PeerJsClient(self.server, id, token, key=key)
            self.assertEqual(client.status, 101)
            self.assert_closed(client, code, "ERROR")
        self.assertEqual(self.server.directory.directory.clients, {})
        self.assertEqual(self.server.port.metrics.sent[Error], 6)

    def test_no_query(self) -> None:
        """A request without a query is answered like one that lacks parameters."""
        for path in ("/peerjs", "/peerjs?"):
            endpoint = Endpoint(self.server.site, CLIENT, self.clock)
            endpoint.send(upgrade_request(path))
            self.assertIn(b'"type":"ERROR"', endpoint.response()[2])

    def test_taken(self) -> None:
        """An id in use with another token is taken; that is no offence, and the client with the id is not disturbed."""
        ann = self.connect("ann", "one")
        self.assert_closed(PeerJsClient(self.server, "ann", "two"), ErrorCode.ID_TAKEN, "ID-TAKEN")
        self.assertEqual(self.server.port.metrics.errors[ErrorCode.ID_TAKEN], 1)
        self.assertFalse(self.server.budget.offences.full_at)
        self.assertEqual((ann.types(), ann.closed), ([], None))

    def test_ghost(self) -> None:
        """The same id and token replace a connection that has not ended, and the client is told that it is open."""
        ghost, ben = self.connect("ann"), self.connect("ben")
        ann = self.connect("ann")
        self.assert_closed(ghost, ErrorCode.REPLACED, "ID-TAKEN")
        ghost.send("OFFER", "ben")
        ghost.close()
        ben.send("OFFER", "ann")
        self.assertEqual((ann.types(), ben.types()), (["OFFER"], []))

    def test_races(self) -> None:
        """Of many connections with one id and token the last one has it, in whatever order the others end."""
        clients = [PeerJsClient(self.server, "ann") for _ in range(5)]
        for index in (3, 0, 2, 1):
            clients[index].close()
        ben = self.connect("ben")
        ben.send("OFFER", "ann")
        self.assertEqual(clients[4].types(), ["OPEN", "OFFER"])
        self.assertEqual(self.server.budget.total, 2)

    def test_origins(self) -> None:
        """A page of another origin is refused unless it is allowed."""
        client = PeerJsClient(self.server, "ann", headers={"origin": "https://other.example"})
        self.assertEqual(client.status, 403)
        self.assertEqual(PeerJsClient(self.server, "ann", headers={"origin": "http://signald.example"}).status, 101)

    def test_paths(self) -> None:
        """No other path below has a WebSocket."""
        for path in ("/peerjs/", "/peerjs/x", "/peerjs/id/x", "/peerjss", "/peer"):
            self.assertEqual(Endpoint(self.server.site, CLIENT, self.clock).upgrade(f"{path}?id=a"), 404, path)

    def test_no_upgrade(self) -> None:
        """A request that is no upgrade is told so."""
        endpoint = Endpoint(self.server.site, CLIENT, self.clock)
        endpoint.send(b"GET /peerjs HTTP/1.1\r\nHost: signald.example\r\n\r\n")
        self.assertEqual(endpoint.response()[0], 426)

    def test_apart(self) -> None:
        """A user's id is free here, and a message to it reaches the client alone, and never the user."""
        user = MemoryConnection(self.server.switchboard)
        user.say(type="hello", version=1)
        id = user.take_messages()[0]["user"]
        sender, namesake = self.connect("ann"), self.connect(id)
        sender.send("OFFER", id, payload=1)
        self.assertEqual(namesake.types(), ["OFFER"])
        self.assertEqual(user.frames, [])
        self.assertNotIn("ann", self.server.switchboard.hub.users)

    def test_tokens(self) -> None:
        """Where tokens are needed, the client's option `token` carries one of ours; guesses are counted."""
        path = Path(self.mktemp())
        path.write_bytes(SECRET)
        path.chmod(0o600)
        limits = Limits(failed_guesses=1)
        self.serve(limits, tokens=Tokens(need=TokenNeed.EVERYONE, secret_file=path))
        self.connect("ann", minted())
        self.assert_closed(PeerJsClient(self.server, "ben", FORGED), ErrorCode.TOKEN_INVALID, "ERROR")
        self.assert_closed(PeerJsClient(self.server, "ben", minted()), ErrorCode.TOO_MANY_GUESSES, "ERROR")

    def test_refused_tokens_are_explained(self) -> None:
        """The log says what is wrong with a token, under the number of the connection."""
        path = Path(self.mktemp())
        path.write_bytes(SECRET)
        path.chmod(0o600)
        self.serve(tokens=Tokens(need=TokenNeed.EVERYONE, secret_file=path))
        self.server.switchboard.calls.set_level(LogLevel.INFO)
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.assert_closed(PeerJsClient(self.server, "ben", minted(aud="app")), ErrorCode.TOKEN_INVALID, "ERROR")
        [event] = [event for event in events if event.get("event") == "token-refused"]
        self.assertEqual((event["connection"], event["claim"], event["found"]), (1, "aud", '"app"'))

    def test_a_large_token(self) -> None:
        """A token beyond the limit is refused before anything is verified."""
        self.serve(Limits(token_bytes=64))
        self.connect("ann", "x" * 64)
        self.assert_closed(PeerJsClient(self.server, "ben", "x" * 65), ErrorCode.TOKEN_TOO_LARGE, "ERROR")

    def test_connections_of_an_address(self) -> None:
        """The limits of connections hold."""
        self.serve(Limits(address_connections=2))
        self.connect("ann")
        self.connect("ben")
        self.assertEqual(PeerJsClient(self.server, "cat").status, 429)


class MessageTests(DirectoryCase):
    """What clients send each other."""

    def setUp(self) -> None:
        """Connect two clients."""
        super().setUp()
        self.ann, self.ben = self.connect("ann"), self.connect("ben")

    def test_forwarded(self) -> None:
        """A message arrives with its sender; it is counted and timed as messages of other dialects are."""
        self.ann.send("OFFER", "ben", src="eve", payload={"sdp": 1})
        self.assertEqual(self.ben.take(), [{"type": "OFFER", "src": "ann", "dst": "ben", "payload": {"sdp": 1}}])
        self.assertEqual(self.ann.take(), [])
        metrics = self.server.port.metrics
        self.assertEqual((metrics.received[Offer], metrics.sent[ForwardedOffer]), (1, 1))
        self.assertEqual(sum(metrics.forward.counts), 1)

    def test_one_read(self) -> None:
        """Messages of one read keep their order, whichever way each goes."""
        texts = [
            {"type": "OFFER", "dst": "ben"},
            {"type": "HEARTBEAT"},
            {"type": "CANDIDATE", "dst": "cat"},
            {"type": "CANDIDATE", "dst": "ben", "payload": 1},
            {"type": "CANDIDATE", "dst": "ann", "payload": 2},
            {"type": "CANDIDATE", "dst": "ben", "payload": 3},
            {"type": "LEAVE"},
            {"type": "CANDIDATE", "dst": "ben", "payload": 4},
        ]
        self.ann.send_text(*(json.dumps(text).encode() for text in texts))
        self.assertEqual([message.get("payload") for message in self.ben.take()], [None, 1, 3])
        self.assertEqual(self.ann.types(), ["CANDIDATE"])
        self.assertEqual(self.ann.closed, (1000, ""))
        metrics = self.server.port.metrics
        self.assertEqual((metrics.received[Candidates], metrics.received[Ping], metrics.received[Leave]), (4, 1, 1))

    def test_absent(self) -> None:
        """A message to a client that is not there arrives when it connects, or expires after five seconds."""
        self.ann.send("OFFER", "cat", payload=1)
        self.ann.send("OFFER", "dan")
        self.server.tick(4)
        cat = PeerJsClient(self.server, "cat")
        self.assertEqual([message.get("payload") for message in cat.take()], [None, 1])
        self.assertEqual(self.ann.take(), [])
        self.server.tick(1)
        self.assertEqual(self.ann.take(), [{"type": "EXPIRE", "src": "dan", "dst": "ann"}])
        self.server.tick(9)
        self.assertEqual(self.ann.take(), [])

    def test_heartbeats(self) -> None:
        """A client without heartbeats is closed after ninety seconds, also if it answers pings."""
        for _ in range(18):
            self.server.tick(5)
            self.ann.send("HEARTBEAT")
            self.ben.endpoint.send(frame(10))
            self.ben.endpoint.answer()
        self.assertEqual([*self.server.directory.directory.clients], ["ann"])
        self.assertEqual(self.server.port.metrics.limits["directory_silence_seconds"], 1)

    def test_ignored(self) -> None:
        """What means nothing is ignored, counted, and shows that the client is alive."""
        for text in (b"{", b'{"type":"OPEN"}', b'{"type":"OFFER","dst":"../ben"}', b"1"):
            self.ann.send_text(text)
        self.assertEqual((self.ann.take(), self.ann.closed, self.ben.take()), ([], None, []))
        self.assertEqual(self.server.port.metrics.malformed[type(None)], 4)
        self.ann.send("ANSWER", "ben")
        self.assertEqual(self.ben.types(), ["ANSWER"])
        self.assertEqual(self.server.port.metrics.received[Answer], 1)

    def test_binary(self) -> None:
        """A binary message is refused."""
        self.ann.endpoint.send(frame(BINARY, b"{}"))
        self.assert_closed(self.ann, ErrorCode.UNSUPPORTED_DATA)

    def test_closing(self) -> None:
        """A client whose connection closes is sent nothing more, and its sender is not disturbed."""
        self.ben.endpoint.send(frame(BINARY, b"{}"))
        self.ann.send("OFFER", "ben")
        self.assert_closed(self.ben, ErrorCode.UNSUPPORTED_DATA)
        self.assertIsNone(self.ann.closed)

    def test_too_many(self) -> None:
        """A client that floods is closed, whatever it sends; its address starts slowly then."""
        self.serve(Limits(message_burst=40))
        for texts in ([b"{"] * 41, [b'{"type":"HEARTBEAT"}'] * 41, [b'{"type":"OFFER","dst":"ben"}'] * 41):
            client = PeerJsClient(self.server, "ann", address="192.0.2.9")
            for text in texts:
                client.send_text(text)
            self.clock.pump([0.01] * 50)
            client.endpoint.transport.deliver_unread()
            self.assert_closed(client, ErrorCode.TOO_MANY_MESSAGES, "OPEN")
            client.endpoint.send(frame(CLOSE, close_payload(1008)))
            client.close()
            self.server.budget.offences.full_at.clear()
        for _ in range(2):
            self.server.budget.charge_offence(AddressKey("192.0.2.9"), self.clock.seconds())
        PeerJsClient(self.server, "ann", address="192.0.2.9")
        [client_state] = self.server.directory.directory.clients.values()
        self.assertLessEqual(client_state.budget.tokens, SLOW_START_MESSAGES)

    def test_large(self) -> None:
        """A message that is too large is refused at its header."""
        self.ann.endpoint.send(frame(TEXT, b"x" * 70000)[:20])
        self.assert_closed(self.ann, ErrorCode.MESSAGE_TOO_LARGE)

    def test_slow_reader(self) -> None:
        """A receiver that does not read is aborted at the bound of its output; the sender goes on."""
        payload = "x" * 30000
        for _ in range(20):
            self.ann.send("OFFER", "ben", payload=payload)
            self.clock.advance(1)
            self.ann.endpoint.transport.deliver_unread()
        self.assertTrue(self.ben.endpoint.transport.aborted)
        self.ben.close()
        self.assertIsNone(self.ann.closed)
        self.assertEqual([*self.server.directory.directory.clients], ["ann"])

    def test_dropped(self) -> None:
        """A stranger cannot have a slow reader cut off: beyond half of the bound, messages are dropped and counted."""
        self.serve(Limits(output_seconds=1e6, message_burst=100_000, message_byte_burst=1 << 30))
        ann, ben = self.connect("a" * 64), self.connect("b")
        for _ in range(10):
            ann.send_text(*[b'{"type":"OFFER","dst":"b"}'] * 2000)
            ann.send("OFFER", "b", payload="x" * 60000)
            self.clock.pump([0.01] * 50)
            ann.endpoint.transport.deliver_unread()
        ben.send("OFFER", "nobody")
        self.server.tick(5)
        self.assertFalse(ben.endpoint.transport.aborted)
        messages = ben.types()
        self.assertEqual(messages[-1], "EXPIRE")
        metrics = self.server.port.metrics
        self.assertGreater(metrics.limits["output_bytes"], 1000)
        self.assertEqual(metrics.sent[ForwardedOffer], len(messages) - 1)
        ann.send("OFFER", "b")
        self.clock.pump([0.01] * 50)
        self.assertEqual((ann.closed, ben.types()), (None, ["OFFER"]))

    def test_held(self) -> None:
        """Clients of an address that is not read from, since it has spent its rate limit, keep their ids meanwhile."""
        self.serve(Limits(address_message_rate=1.0, address_message_burst=100, message_burst=10_000))
        ann, ben = self.connect("ann"), self.connect("ben")
        ann.send_text(*[b'{"type":"OFFER","dst":"ben"}'] * 500)
        for _ in range(20):
            self.server.tick(5)
            ben.send("HEARTBEAT")
        self.assertEqual([*self.server.directory.directory.clients], ["ann", "ben"])
        self.assertFalse(ben.endpoint.transport.reads)

    def test_drain(self) -> None:
        """A stop closes each client with 1012, by which it is told to reconnect."""
        self.server.port.connections.drain(5.0)
        self.assert_closed(self.ann, ErrorCode.GOING_AWAY)
        self.assertEqual(close_code(ErrorCode.GOING_AWAY), 1012)
        self.assertEqual(PeerJsClient(self.server, "cat").status, 503)

    def test_exceptions(self) -> None:
        """An exception in the server ends the connection that it concerns, and no other."""
        directory = self.server.directory
        directory.directory = cast(Directory, FailingPart(directory.directory, "charge"))
        self.ann.send("OFFER", "ben")
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.assert_closed(self.ann, ErrorCode.INTERNAL_ERROR)
        self.assertIsNone(self.ben.closed)
