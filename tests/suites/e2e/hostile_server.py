"""A hostile signaling server between two pages: `python -m tests.suites.e2e.hostile_server PORT CONDUCT`.

It forwards the page and the protocol of an honest `signald --no-tls` at that port, but it terminates the peer
connection of each page with a key of its own instead of connecting the pages. It sends no video. It prints `listening
PORT`. CONDUCT determines what it does in the data channel:

- `forward`: it forwards the messages of each page unchanged;
- `own-numbers`: it takes part in both exchanges with a number of its own;
- `reflect`: it returns to each page the page's own messages;
- `early-reveal`: it reveals a number before it has committed to any;
- `mismatch`: it reveals a number other than the number that it committed to;
- `dumb`: it never sends hello;
- `late-key`: it lets the pages connect directly, and replaces the key in a later negotiation.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp
from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from twisted.web.server import Site

from signald_client.asyncio_reactor import run_in_reactor
from signald_page.client.model.verification import commitment

SUBPROTOCOL = "signald.1"
LOCAL = "127.0.0.1"

HELLO = json.dumps({"type": "hello", "version": 1})
OWN, ANOTHER = "e" * 64, "f" * 64
COMMIT = json.dumps({"type": "commit", "hash": commitment(OWN)})
REVEAL = json.dumps({"type": "reveal", "nonce": OWN})
REVEAL_ANOTHER = json.dumps({"type": "reveal", "nonce": ANOTHER})

ANSWERS = {
    "own-numbers": {"hello": [HELLO, COMMIT], "commit": [REVEAL]},
    "early-reveal": {"hello": [HELLO, REVEAL]},
    "mismatch": {"hello": [HELLO, COMMIT], "commit": [REVEAL_ANOTHER]},
}
"""The replies to a page's message, by conduct and by the type of the message."""

FINGERPRINT = "EE:" * 31 + "EE"


class End:
    """The server's end of the peer connection with one page.

    Attributes:
        sdp: the local description, once it is created.
        other: the server's end of the peer connection with the other page.

    """

    def __init__(self, conduct: str) -> None:
        self.sdp = ""
        self.other: End | None = None
        self._conduct = conduct
        self._waiting: list[str] = []
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channel = self._connection.createDataChannel("signald", negotiated=True, id=0)
        self._channel.on("open", self._opened)
        self._channel.on("message", self._came)

    async def answer(self, sdp: str) -> None:
        """Create the answer to a page's offer."""
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        self.sdp = self._connection.localDescription.sdp

    async def offer(self) -> None:
        """Create an offer for a page."""
        for kind in ("audio", "video"):
            self._connection.addTransceiver(kind)
        await self._connection.setLocalDescription(await self._connection.createOffer())
        self.sdp = self._connection.localDescription.sdp

    async def answered(self, sdp: str) -> None:
        """Apply the page's answer to the server's offer."""
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def reach(self, candidates: list[dict[str, Any]]) -> None:
        """Apply a candidate of the page, unless it has an mDNS host name, which aiortc does not support."""
        for plain in candidates:
            line = plain["candidate"].removeprefix("candidate:")
            if line and ".local " not in line:
                candidate = candidate_from_sdp(line)
                candidate.sdpMid, candidate.sdpMLineIndex = plain["sdpMid"], plain["sdpMLineIndex"]
                await self._connection.addIceCandidate(candidate)

    def send(self, text: str) -> None:
        """Send a text to the page as soon as the data channel is open."""
        if self._channel.readyState == "open":
            self._channel.send(text)
        else:
            self._waiting.append(text)

    def _opened(self) -> None:
        for text in self._waiting:
            self._channel.send(text)

    def _came(self, text: str) -> None:
        if self._conduct == "forward" and self.other is not None:
            self.other.send(text)
        elif self._conduct == "reflect":
            self.send(text)
        else:
            for answer in ANSWERS.get(self._conduct, {}).get(json.loads(text)["type"], []):
                self.send(answer)


class Middle:
    """Both ends of the only call, and the conduct of the server."""

    def __init__(self, conduct: str) -> None:
        self._conduct = conduct
        self._ends: dict[object, End] = {}
        self._caller: End | None = None
        self._offers = 0

    async def changed(self, page: object, text: str) -> str:
        """Return the message that the honest server receives in place of a page's message."""
        message = json.loads(text)
        if self._conduct == "late-key":
            self._offers += message["type"] == "offer"
            if self._offers > 1 and "sdp" in message:
                message["sdp"] = re.sub(
                    r"(?m)(^a=fingerprint:sha-256 )[0-9A-F:]+", rf"\g<1>{FINGERPRINT}", message["sdp"]
                )
        elif message["type"] == "offer":
            self._caller = self._ends[page] = End(self._conduct)
            await self._caller.answer(message["sdp"])
            self._caller.other = End(self._conduct)
            self._caller.other.other = self._caller
            await self._caller.other.offer()
            message["sdp"] = self._caller.other.sdp
        elif message["type"] == "answer" and self._caller is not None and self._caller.other is not None:
            self._ends[page] = self._caller.other
            await self._caller.other.answered(message["sdp"])
            message["sdp"] = self._caller.sdp
        elif message["type"] == "candidates" and page in self._ends:
            await self._ends[page].reach(message["candidates"])
        return json.dumps(message)


class ToServer(WebSocketClientProtocol):
    """The WebSocket to the honest server on behalf of a page."""

    page: Front

    def onOpen(self) -> None:
        """Send the page's messages that arrived before the WebSocket was open."""
        self.page.reached(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Forward the message to the page."""
        self.page.sendMessage(payload, isBinary)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        """Close the page's WebSocket, too."""
        self.page.sendClose()


class Fronts(WebSocketServerFactory):
    """Creates the WebSockets to the pages.

    Attributes:
        target: the port of the honest server.
        middle: the man in the middle, which changes the pages' messages.

    """

    def __init__(self, target: int, middle: Middle) -> None:
        super().__init__(protocols=[SUBPROTOCOL])
        self.target = target
        self.middle = middle


class ToServers(WebSocketClientFactory):
    """Creates the WebSocket to the honest server for one page."""

    def __init__(self, page: Front) -> None:
        super().__init__(f"ws://{LOCAL}:{page.factory.target}/ws", protocols=[SUBPROTOCOL])
        self._page = page

    def buildProtocol(self, addr: Any) -> ToServer:
        """Create a protocol that belongs to the page's WebSocket."""
        server = ToServer()
        server.factory = self
        server.page = self._page
        return server


class Front(WebSocketServerProtocol):
    """The WebSocket of a page. The messages of the page are changed in their order, and sent to the honest server."""

    factory: Fronts
    _server: ToServer | None = None

    def onConnect(self, request: Any) -> str:
        """Choose the native protocol."""
        return SUBPROTOCOL

    def onOpen(self) -> None:
        """Connect to the honest server."""
        self._said: asyncio.Queue[str] = asyncio.Queue()
        self.factory.reactor.connectTCP(LOCAL, self.factory.target, ToServers(self))

    def reached(self, server: ToServer) -> None:
        """Store the WebSocket to the honest server, and send the queued messages."""
        self._server = server
        self._work = asyncio.ensure_future(self._pass())

    async def _pass(self) -> None:
        while self._server is not None:
            text = await self.factory.middle.changed(self, await self._said.get())
            self._server.sendMessage(text.encode())

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Queue a message of the page, change it, and forward it."""
        self._said.put_nowait(payload.decode())

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        """Close the WebSocket to the honest server, too."""
        if self._server is not None:
            self._server.sendClose()
            self._work.cancel()


async def main(reactor: Any, target: int, conduct: str) -> None:
    """Serve until the process is terminated."""
    # These modules use the reactor that is installed when they are imported.
    from autobahn.twisted.resource import WebSocketResource
    from twisted.web.proxy import ReverseProxyResource

    factory = Fronts(target, Middle(conduct))
    factory.protocol = Front
    factory.reactor = reactor
    factory.startFactory()
    root = ReverseProxyResource(LOCAL, target, b"")
    root.putChild(b"ws", WebSocketResource(factory))
    port = reactor.listenTCP(0, Site(root), interface=LOCAL)
    sys.stdout.write(f"listening {port.getHost().port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    run_in_reactor(lambda reactor: main(reactor, int(sys.argv[1]), sys.argv[2]))
