"""A signaling server that sits between two pages: `python -m tests.suites.e2e.hostile_server PORT CONDUCT`.

It serves the page and the protocol of an honest `signald --no-tls` at that port, but each page gets a connection that
ends here, with a key of this program's, in the place of the other page. Pictures are left out. It prints
`listening PORT`. What it does in the data channel is its conduct:

- `forward`: it passes on what each says, unchanged;
- `own-numbers`: it takes part in both exchanges with a number of its own;
- `reflect`: it sends each what they said themselves;
- `early-reveal`: it reveals a number before it has committed to any;
- `mismatch`: it reveals another number than the one it committed to;
- `dumb`: it never says hello;
- `late-key`: it lets the two connect as they are, and puts another key into what they agree on later;
- `unknown-keys`: it lets the two connect as they are, and adds keys that nobody knows to each message of either side.
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
from signald_client.signaling.verification import commitment

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
"""By conduct and the type of a page's message: what it is told."""

FINGERPRINT = "EE:" * 31 + "EE"


def with_unknown_keys(plain: Any) -> Any:
    """Return a JSON value with keys that no program knows in each of its objects."""
    if isinstance(plain, list):
        return [with_unknown_keys(element) for element in plain]
    if not isinstance(plain, dict):
        return plain
    return {**{key: with_unknown_keys(value) for key, value in plain.items()}, "x-unknown": [{"x": None}], "x": 1.5}


class End:
    """The end of the connection with one page that is here.

    Attributes:
        sdp: the own description, once it is made.
        other: the end of the connection with the other page.

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
        """Answer a page's offer."""
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        self.sdp = self._connection.localDescription.sdp

    async def offer(self) -> None:
        """Make an offer for a page."""
        for kind in ("audio", "video"):
            self._connection.addTransceiver(kind)
        await self._connection.setLocalDescription(await self._connection.createOffer())
        self.sdp = self._connection.localDescription.sdp

    async def answered(self, sdp: str) -> None:
        """Take the page's answer to it."""
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def reach(self, candidates: list[dict[str, Any]]) -> None:
        """Take addresses of the page; aiortc knows no host names of mDNS."""
        for plain in candidates:
            line = plain["candidate"].removeprefix("candidate:")
            if line and ".local " not in line:
                candidate = candidate_from_sdp(line)
                candidate.sdpMid, candidate.sdpMLineIndex = plain["sdpMid"], plain["sdpMLineIndex"]
                await self._connection.addIceCandidate(candidate)

    def send(self, text: str) -> None:
        """Send a text to the page, at once or as soon as it can be sent."""
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
    """Both ends of the only call."""

    def __init__(self, conduct: str) -> None:
        self._conduct = conduct
        self._ends: dict[object, End] = {}
        self._caller: End | None = None
        self._offers = 0

    async def changed(self, page: object, text: str) -> str:
        """Return what the server is told in the place of a page's message."""
        message = json.loads(text)
        if self._conduct == "unknown-keys":
            message = with_unknown_keys(message)
        elif self._conduct == "late-key":
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

    def changed_event(self, frame: bytes) -> bytes:
        """Return what a page is told in the place of the server's message."""
        return json.dumps(with_unknown_keys(json.loads(frame))).encode() if self._conduct == "unknown-keys" else frame


class ToServer(WebSocketClientProtocol):
    """The connection to the honest server in a page's place."""

    page: Front

    def onOpen(self) -> None:
        """Send what the page said meanwhile."""
        self.page.reached(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Pass it on."""
        self.page.sendMessage(self.page.factory.middle.changed_event(payload), isBinary)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        """End the page's connection, too."""
        self.page.sendClose()


class Fronts(WebSocketServerFactory):
    """Makes the connections of pages.

    Attributes:
        target: the port of the honest server.
        middle: what changes what they say.

    """

    def __init__(self, target: int, middle: Middle) -> None:
        super().__init__(protocols=[SUBPROTOCOL])
        self.target = target
        self.middle = middle


class ToServers(WebSocketClientFactory):
    """Makes the connection to the honest server for one page."""

    def __init__(self, page: Front) -> None:
        super().__init__(f"ws://{LOCAL}:{page.factory.target}/ws", protocols=[SUBPROTOCOL])
        self._page = page

    def buildProtocol(self, addr: Any) -> ToServer:
        """Let it belong to the page."""
        server = ToServer()
        server.factory = self
        server.page = self._page
        return server


class Front(WebSocketServerProtocol):
    """The connection of a page. What it says is changed in its order, and sent to the honest server."""

    factory: Fronts
    _server: ToServer | None = None

    def onConnect(self, request: Any) -> str:
        """Speak the native protocol."""
        return SUBPROTOCOL

    def onOpen(self) -> None:
        """Connect to the honest server."""
        self._said: asyncio.Queue[str] = asyncio.Queue()
        self.factory.reactor.connectTCP(LOCAL, self.factory.target, ToServers(self))

    def reached(self, server: ToServer) -> None:
        """The honest server is there."""
        self._server = server
        self._work = asyncio.ensure_future(self._pass())

    async def _pass(self) -> None:
        while self._server is not None:
            text = await self.factory.middle.changed(self, await self._said.get())
            self._server.sendMessage(text.encode())

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Take what the page says."""
        self._said.put_nowait(payload.decode())

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        """End the connection to the server, too."""
        if self._server is not None:
            self._server.sendClose()
            self._work.cancel()


async def main(reactor: Any, target: int, conduct: str) -> None:
    """Serve until the end of the process."""
    # They take the reactor that is installed when they are imported.
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
