"""Clients of the original's kind, with plain sockets of their own, against the daemon's bare port."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import websocket

from tests.suites.e2e.call_page import PATIENCE as PAGE_PATIENCE
from tests.suites.e2e.call_page import CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.program import Program
from tests.suites.e2e.waiting import until

#: The root of the checkout, from which the client is run.
ROOT = Path(__file__).parents[3]

#: Seconds that an answer may take.
PATIENCE = 10.0

# With spaces and a key of its own, which serde would not write: it goes through as it is.
CANDIDATE = '{ "candidate": "candidate:1 1 udp 1 192.0.2.7 5 typ host", "sdpMLineIndex": 0, "own": "é" }'


class Client:
    """One client.

    Attributes:
        socket: its WebSocket.

    """

    def __init__(self, url: str) -> None:
        self.socket = websocket.create_connection(url, timeout=PATIENCE)

    def send(self, message: object) -> None:
        """Send a value of the enum as serde writes it: without spaces."""
        self.socket.send(json.dumps(message, separators=(",", ":")))

    def receive(self) -> Any:
        """Return the next value of the enum."""
        return json.loads(self.socket.recv())

    def closed(self) -> tuple[int, str]:
        """Return code and reason of the close frame that comes next."""
        opcode, data = self.socket.recv_data()
        assert opcode == websocket.ABNF.OPCODE_CLOSE
        return int.from_bytes(data[:2], "big"), data[2:].decode()


class OriginalCallTests(CallTestCase):
    """A client of the original in a call with the page, picture and sound both ways."""

    options = ("--ws-port", "0")

    def original(self, *session: str) -> Program:
        """Start one, on the daemon's bare port."""
        command = [sys.executable, "-m", "tests.suites.e2e.original_peer", self.daemon.original_url, *session]
        client = Program(command, directory=ROOT)
        self.addCleanup(client.stop, signal.SIGKILL)
        return client

    def check(self, page: CallPage, client: Program) -> None:
        """Both decode the other's picture."""
        client.wait_for(r"frames [2-9]0", PAGE_PATIENCE)
        since = time.monotonic()
        until(lambda: page.look_for_picture(since), PAGE_PATIENCE, "a picture in the page")
        page.watch()

    def test_it_calls_the_page(self) -> None:
        """The page hosts, and the original's offer is answered."""
        page = self.page()
        client = self.original(page.host())
        self.check(page, client)

    def test_the_page_calls_it(self) -> None:
        """The original hosts, and the page offers. A second page finds no room."""
        client = self.original()
        session = client.wait_for(r"session (\w+)", PAGE_PATIENCE)[1]
        page = self.page()
        page.join(session)
        self.check(page, client)
        third = self.page()
        third.join(session)
        third.wait_for_text("error", "full")


class OriginalTests(CallTestCase):
    """The message sequence of the original, from the start of a call to its end."""

    options = ("--ws-port", "0")

    def client(self) -> Client:
        """Connect, and hear the new user's id."""
        client = Client(self.daemon.original_url)
        self.addCleanup(client.socket.close)
        (variant,) = client.receive()
        self.assertEqual(variant, "NewUser")
        return client

    def test_call(self) -> None:
        """Offer, answer and candidates reach the other side unchanged."""
        host, guest = self.client(), self.client()
        host.send("SessionNew")
        session = host.receive()["SessionReady"]
        guest.send({"SessionJoin": session})
        self.assertEqual(guest.receive(), {"SessionJoinSuccess": session})
        for sender, receiver, message in (
            (guest, host, {"VideoOffer": ["v=0\r\no=- 1", session]}),
            (guest, host, {"IceCandidate": [CANDIDATE, session]}),
            (host, guest, {"VideoAnswer": ["v=0\r\no=- 2", session]}),
            (host, guest, {"IceCandidate": [CANDIDATE, session]}),
            (guest, host, {"ICEError": ["no route", session]}),
        ):
            sender.send(message)
            self.assertEqual(receiver.receive(), message)
        host.send("Debug")

    def test_third(self) -> None:
        """A third client does not replace the guest, and an unknown id is an error."""
        host, guest, third = self.client(), self.client(), self.client()
        host.send("SessionNew")
        session = host.receive()["SessionReady"]
        guest.send({"SessionJoin": session})
        guest.receive()
        third.send({"SessionJoin": session})
        self.assertEqual(list(third.receive()), ["SessionJoinError"])
        third.send({"SessionJoin": "0000000000"})
        self.assertEqual(list(third.receive()), ["SessionJoinError"])
        guest.send({"VideoOffer": ["v=0", session]})
        self.assertEqual(host.receive(), {"VideoOffer": ["v=0", session]})

    def test_nonsense(self) -> None:
        """Input that crashed the original server closes one connection with its code, and the daemon goes on."""
        malformed, binary = self.client(), self.client()
        malformed.socket.send("not JSON")
        self.assertEqual(malformed.closed()[0], 1007)
        binary.socket.send_binary(b"\xff")
        self.assertEqual(binary.closed()[0], 1003)
        self.client().send("SessionNew")

    def test_same_port(self) -> None:
        """On the page's own port a client that offers no subprotocol speaks the same, over TLS."""
        context = {"ca_certs": str(self.daemon.authority)}
        socket = websocket.create_connection(self.daemon.signaling_url, timeout=PATIENCE, sslopt=context)
        self.addCleanup(socket.close)
        self.assertEqual(list(json.loads(socket.recv())), ["NewUser"])
