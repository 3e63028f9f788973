"""What the clients of each server send: the same work in the words of its protocol."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from attrs import define, field
from picows import WSFrame, WSMsgType, WSTransport

from benchmarks.load.sockets import Client, LoadError

__all__ = ["WIRES", "Wire", "make_wire"]

CANDIDATE = "candidate:842163049 1 udp 1677729535 192.0.2.1 46154 typ srflx raddr 10.0.0.1 rport 46154 generation 0"

SDP = "v=0\r\n" + "a=rtpmap:96 VP8/90000\r\n" * 120
"""A session description of 2.8 kB, about as long as that of a browser with audio and video."""

TEXT = WSMsgType.TEXT


def _filled(size: int, make: Callable[[str], object]) -> bytes:
    """Return the JSON of a message whose free text is as long as makes `size` bytes in all."""
    room = size - len(orjson.dumps(make("")))
    if room < 0:
        raise ValueError(f"{size} bytes are too few by {-room}")
    return orjson.dumps(make((CANDIDATE * (room // len(CANDIDATE) + 1))[:room]))


class Wire:
    """A protocol of two clients that a server introduces to each other; this one is that of the bare forwarders.

    Attributes:
        protocols: the WebSocket subprotocols that a client offers.
        forwarded: how a forwarded message begins.

    """

    protocols: Sequence[str] = ()

    def client(self, number: int) -> Client:
        """Make a client that is not connected."""
        return Client(number)

    def url(self, base: str, number: int) -> str:
        """Return the URL of a client's WebSocket, below the server's."""
        return base + "/"

    async def greet(self, client: Client) -> None:
        """Wait for what the server says first, after which the client is usable."""
        client.id = orjson.loads(await client.receive())["id"]

    async def meet(self, host: Client, guest: Client) -> None:
        """Let two clients reach each other."""

    async def part(self, host: Client, guest: Client) -> None:
        """End what `meet` began."""

    def address(self, sender: Client, receiver: Client, kind: str) -> dict[str, Any]:
        """Return the keys of a message from one client to another."""
        return {"to": receiver.id, "type": kind}

    def candidate(self, sender: Client, receiver: Client, size: int) -> bytes:
        """Return a message of so many bytes in all with one candidate."""
        keys = self.address(sender, receiver, "candidate")
        return _filled(size, lambda text: {**keys, "candidate": text})

    def candidates(self, sender: Client, receiver: Client, count: int) -> list[bytes]:
        """Return the messages for some candidates that were gathered together; the peers' clients send each alone."""
        keys = self.address(sender, receiver, "candidate")
        candidate = {"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0}
        return [orjson.dumps({**keys, "candidate": candidate})] * count

    def description(self, sender: Client, receiver: Client, kind: str, size: int = 0) -> bytes:
        """Return an `offer` or `answer`, of so many bytes in all, or with a usual session description."""
        keys = self.address(sender, receiver, kind)
        return _filled(size, lambda text: {**keys, "sdp": text}) if size else orjson.dumps({**keys, "sdp": SDP})

    def broadcast(self, sender: Client, receivers: Sequence[Client], size: int) -> list[bytes]:
        """Return the messages that bring one text to all receivers; where the server has no groups, one to each."""
        return [self.candidate(sender, receiver, size) for receiver in receivers]

    async def gather(self, clients: Sequence[Client]) -> None:
        """Let more than two clients reach each other."""


class Ticker:
    """Calls something for all open clients of a wire every now and then.

    Attributes:
        seconds: the time between two calls.
        action: what is called with each open client.

    """

    def __init__(self, seconds: float, action: Callable[[Any], None]) -> None:
        """Create a ticker, which begins with its first client."""
        self.seconds = seconds
        self.action = action
        self._clients: list[Client] = []
        self._ticking: asyncio.TimerHandle | None = None

    def add(self, client: Client) -> None:
        """Call the action for another client too, until it is closed."""
        self._clients.append(client)
        if self._ticking is None:
            self._tick()

    def _tick(self) -> None:
        self._clients = [client for client in self._clients if not client.is_closed]
        for client in self._clients:
            self.action(client)
        self._ticking = asyncio.get_running_loop().call_later(self.seconds, self._tick)


HEARTBEAT_SECONDS = 5.0
"""How often a client of PeerJS sends a heartbeat; the server drops clients that are silent for a minute."""


class PeerJs(Wire):
    """The PeerJS server's protocol."""

    def __init__(self) -> None:
        """Create the protocol."""
        self._ticker = Ticker(HEARTBEAT_SECONDS, lambda client: client.send(b'{"type":"HEARTBEAT"}'))

    def url(self, base: str, number: int) -> str:
        """Return the URL with the id and the token, which the client chooses."""
        return f"{base}/peerjs?key=peerjs&id={secrets.token_hex(16)}&token={secrets.token_hex(8)}"

    async def greet(self, client: Client) -> None:
        """Wait for `OPEN`."""
        text = await client.receive()
        if b'"OPEN"' not in text:
            raise LoadError(text.decode())
        self._ticker.add(client)
        client.id = client.transport.request.path.decode().partition("&id=")[2].partition("&")[0]

    def address(self, sender: Client, receiver: Client, kind: str) -> dict[str, Any]:
        """Return the keys of a message; its type is in capital letters."""
        return {"type": kind.upper(), "dst": receiver.id}

    def candidate(self, sender: Client, receiver: Client, size: int) -> bytes:
        """Return a message with one candidate in its payload."""
        keys = self.address(sender, receiver, "candidate")
        return _filled(size, lambda text: {**keys, "payload": {"candidate": text}})

    def candidates(self, sender: Client, receiver: Client, count: int) -> list[bytes]:
        """Return the messages, with what the PeerJS client puts into each."""
        keys = self.address(sender, receiver, "candidate")
        candidate = {"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0}
        payload = {"candidate": candidate, "type": "media", "connectionId": "mc_0123456789a"}
        return [orjson.dumps({**keys, "payload": payload})] * count

    def description(self, sender: Client, receiver: Client, kind: str, size: int = 0) -> bytes:
        """Return a message with the description in its payload."""
        keys = self.address(sender, receiver, kind)
        if size:
            return _filled(size, lambda text: {**keys, "payload": {"sdp": text}})
        payload = {"sdp": {"type": kind, "sdp": SDP}, "type": "media", "connectionId": "mc_0123456789a"}
        return orjson.dumps({**keys, "payload": payload})


class Matchbox(Wire):
    """The protocol of matchbox_server, whose rooms are paths: each pair of neighbours has one."""

    def url(self, base: str, number: int) -> str:
        """Return the URL of the pair's room."""
        return f"{base}/pair-{number // 2}"

    async def greet(self, client: Client) -> None:
        """Wait for `IdAssigned`."""
        client.id = orjson.loads(await client.receive_beginning(b'{"IdAssigned"'))["IdAssigned"]

    async def meet(self, host: Client, guest: Client) -> None:
        """Wait for `NewPeer`, which only the earlier client gets."""
        await host.receive_beginning(b'{"NewPeer"')

    def candidate(self, sender: Client, receiver: Client, size: int) -> bytes:
        """Return a `Signal` with one candidate."""
        return _filled(size, lambda text: {"Signal": {"receiver": receiver.id, "data": {"IceCandidate": text}}})

    def description(self, sender: Client, receiver: Client, kind: str, size: int = 0) -> bytes:
        """Return a `Signal` with a description, of so many bytes in all, or with a usual session description."""
        name = kind.capitalize()
        return _filled(size or len(SDP), lambda text: {"Signal": {"receiver": receiver.id, "data": {name: text}}})


ACK = b'{"type":"ack"'
ERROR = b'{"type":"error"'
UNCOUNTED = (b'{"type":"welcome"', b'{"type":"pong"', b'{"type":"ice-servers"', b'{"type":"going-away"')

ACK_MESSAGES, ACK_BYTES, ACK_SECONDS = 16, 32 * 1024, 4.0
"""When a client acknowledges: the constants of `clients/signaling/mailboxes.py`."""


class NativeClient(Client):
    """A client of signald, which acknowledges what it receives if it can resume."""

    def __init__(self, number: int, *, resumable: bool) -> None:
        """Create a client that is not connected."""
        super().__init__(number)
        self.resumable = resumable
        self.received = 0
        self._acknowledged = 0
        self._bytes = 0
        self._since = 0.0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count and acknowledge messages; the server's own acknowledgements need no answer."""
        if frame.msg_type is not TEXT:
            super().on_ws_frame(transport, frame)
            return
        text = frame.get_payload_as_bytes()
        if text.startswith(ACK):
            return
        if text.startswith(ERROR):
            self.fail(text.decode())
            return
        if self.resumable and not text.startswith(UNCOUNTED):
            self.received += 1
            self._bytes += len(text)
            if self.received == self._acknowledged + 1:
                self._since = time.monotonic()
            if self.received - self._acknowledged >= ACK_MESSAGES or self._bytes >= ACK_BYTES:
                self.acknowledge()
        self.on_text(text)

    def acknowledge(self) -> None:
        """Acknowledge what was received."""
        self._acknowledged, self._bytes = self.received, 0
        if not self.is_closed:
            self.send(b'{"type":"ack","received":%d}' % self.received)

    def acknowledge_old(self, now: float) -> None:
        """Acknowledge messages that are `ACK_SECONDS` old."""
        if self.received > self._acknowledged and now - self._since >= ACK_SECONDS:
            self.acknowledge()


@define
class Native(Wire):
    """signald's native protocol; `resumable`: whether the clients can resume."""

    resumable: bool
    batched: bool = True
    protocols: Sequence[str] = ("signald.1",)
    _ticker: Ticker = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._ticker = Ticker(1.0, lambda client: client.acknowledge_old(time.monotonic()))

    def client(self, number: int) -> NativeClient:
        """Make a client that is not connected."""
        return NativeClient(number, resumable=self.resumable)

    def url(self, base: str, number: int) -> str:
        """Return the URL of the signaling WebSocket."""
        return base + "/ws"

    async def greet(self, client: Client) -> None:
        """Send `hello`, and wait for the welcome."""
        hello: dict[str, Any] = {"type": "hello", "version": 1, "agent": "benchmark"}
        if self.resumable:
            hello["instance"] = secrets.token_hex(8)
        client.send(orjson.dumps(hello))
        client.id = orjson.loads(await client.receive())["user"]
        if self.resumable:
            self._ticker.add(client)

    async def gather(self, clients: Sequence[Client]) -> None:
        """Open a session, and let the others join it."""
        host, *guests = clients
        host.send(orjson.dumps({"type": "open", "id": "1", "capacity": len(clients), "name": "Host"}))
        host.session = orjson.loads(await host.receive_beginning(b'{"type":"opened"'))["session"]
        for guest in guests:
            guest.send(orjson.dumps({"type": "join", "id": "1", "session": host.session, "name": "Guest"}))
            await guest.receive_beginning(b'{"type":"joined"')
            guest.session = host.session
            guest.offerer = host.offerer = guest.id
            await host.receive_beginning(b'{"type":"member-joined"')
        for number, guest in enumerate(guests):
            for _ in guests[number + 1 :]:
                await guest.receive_beginning(b'{"type":"member-joined"')

    async def meet(self, host: Client, guest: Client) -> None:
        """Open a session of two."""
        await self.gather((host, guest))

    async def part(self, host: Client, guest: Client) -> None:
        """Let the guest leave the session."""
        guest.send(orjson.dumps({"type": "leave", "id": "2", "session": guest.session}))
        await guest.receive_beginning(b'{"type":"left"')

    def address(self, sender: Client, receiver: Client, kind: str) -> dict[str, Any]:
        """Return the keys of a message in the first negotiation of the sender's session."""
        negotiation = {"offerer": sender.offerer, "n": 1}
        return {"type": kind, "session": sender.session, "to": receiver.id, "negotiation": negotiation}

    def candidate(self, sender: Client, receiver: Client, size: int) -> bytes:
        """Return a batch of one candidate."""
        keys = self.address(sender, receiver, "candidates")
        return _filled(size, lambda text: {**keys, "candidates": [{"candidate": text}]})

    def candidates(self, sender: Client, receiver: Client, count: int) -> list[bytes]:
        """Return one message with all candidates, or one for each."""
        keys = self.address(sender, receiver, "candidates")
        candidate = {"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0}
        if self.batched:
            return [orjson.dumps({**keys, "candidates": [candidate] * count})]
        return [orjson.dumps({**keys, "candidates": [candidate]})] * count

    def broadcast(self, sender: Client, receivers: Sequence[Client], size: int) -> list[bytes]:
        """Return one `message` without `to`."""
        keys = {"type": "message", "session": sender.session}
        return [_filled(size, lambda text: {**keys, "content": text})]


WIRES: dict[str, Callable[[], Wire]] = {"bare": Wire, "peerjs": PeerJs, "matchbox": Matchbox}


def make_wire(name: str, *, resumable: bool, batched: bool) -> Wire:
    """Return the protocol of that name: `native` or one of `WIRES`."""
    return Native(resumable=resumable, batched=batched) if name == "native" else WIRES[name]()
