"""What the clients do: each workload does so many operations when it is asked to, and returns what it measured."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from attrs import define, field

from benchmarks.load.latency import percentiles
from benchmarks.load.sockets import PATIENCE, Client, LoadError, open_client
from benchmarks.load.wires import Wire

__all__ = ["WORKLOADS", "Calls", "Connects", "FanOut", "Forward", "Holding", "Measured", "OpenLoop", "Target"]

Measured = dict[str, float]
"""What a round measured: `operations`, `seconds`, and for an open loop the latencies in milliseconds."""

AT_ONCE = 16
"""Clients that connect at once."""

CALLS_AT_ONCE = 8

TURN = 64
"""Messages of one pair of clients until the next pair has its turn."""

BATCHES = (9, 4, 2)
"""Candidates of one member of a call as they are gathered: of the host, server-reflexive, and relayed."""


@define
class Target:
    """The server under load, and how its clients speak.

    Attributes:
        url: the server's URL without a path.
        context: the TLS context; None without TLS.
        wire: the protocol.

    """

    url: str
    context: ssl.SSLContext | None
    wire: Wire

    async def connect(self, number: int) -> Client:
        """Connect and greet the client of that number."""
        client = self.wire.client(number)
        await open_client(client, self.wire.url(self.url, number), self.context, self.wire.protocols)
        await self.wire.greet(client)
        return client

    async def pair(self, number: int) -> tuple[Client, Client]:
        """Connect the two clients of a pair, and let them reach each other."""
        host = await self.connect(2 * number)
        guest = await self.connect(2 * number + 1)
        await self.wire.meet(host, guest)
        return host, guest


async def _some_at_once(most: int, tasks: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Run coroutines, so many at once; the first error cancels the others."""
    waiting = iter(tasks)

    async def work() -> None:
        for make in waiting:
            await make()

    async with asyncio.TaskGroup() as group:
        for _ in range(most):
            group.create_task(work())


@define
class _Flow:
    """The messages from one client to another, of which so many are under way at once."""

    sender: Client
    receiver: Client
    text: bytes
    _unsent: int = 0
    _unreceived: int = field(init=False, default=0)
    _done: asyncio.Future[None] | None = None

    def __attrs_post_init__(self) -> None:
        self.receiver.on_text = self._received

    def _received(self, _text: bytes) -> None:
        self._unreceived -= 1
        if self._unsent:
            self._unsent -= 1
            self.sender.send(self.text)
        elif not self._unreceived and self._done is not None:
            self._done.set_result(None)

    async def forward(self, count: int, depth: int) -> None:
        """Send so many messages, with `depth` under way at once.

        Raises:
            LoadError: one of them did not arrive.

        """
        self._done = asyncio.get_running_loop().create_future()
        self._unreceived = count
        self._unsent = max(0, count - depth)
        for _ in range(min(depth, count)):
            self.sender.send(self.text)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._done
        except TimeoutError:
            reason = self.sender.failure or self.receiver.failure or "no reason was told"
            raise LoadError(f"{self._unreceived} messages did not arrive: {reason}") from None


@define
class Forward:
    """Forward messages from one client of each pair to the other, one pair after the other.

    Attributes:
        depth: the messages that are under way at once.
        size: the bytes of a message.
        pairs: how many pairs take turns; so many keep each within the server's rate of messages.
        kind: `candidate` or `offer`.
        turn: messages of a pair until the next one has its turn.

    """

    target: Target
    depth: int = 1
    size: int = 220
    pairs: int = 100
    kind: str = "candidate"
    turn: int = TURN
    _flows: deque[_Flow] = field(init=False, factory=deque)

    async def start(self) -> None:
        """Connect all pairs."""
        await self.grow(self.pairs)

    async def grow(self, pairs: int) -> None:
        """Connect further pairs until there are so many."""
        numbers = range(len(self._flows), pairs)
        await _some_at_once(AT_ONCE, [lambda n=number: self._add(n) for number in numbers])  # type: ignore[misc]

    async def _add(self, number: int) -> None:
        host, guest = await self.target.pair(number)
        wire = self.target.wire
        if self.kind == "candidate":
            text = wire.candidate(guest, host, self.size)
        else:
            text = wire.description(guest, host, self.kind, self.size)
        self._flows.append(_Flow(guest, host, text))

    async def run(self, operations: int) -> Measured:
        """Forward so many messages."""
        began = time.perf_counter()
        left = operations
        while left > 0:
            self._flows.rotate(-1)
            await self._flows[0].forward(min(self.turn, left), self.depth)
            left -= self.turn
        return {"operations": operations, "seconds": time.perf_counter() - began}


@define
class OpenLoop:
    """Send messages at times that are fixed in advance, whatever the server does.

    The latency of a message counts from its scheduled time, so that a server which stops for a while is charged for all
    messages that were due meanwhile (no coordinated omission).

    Attributes:
        rate: messages per second, of all pairs together.
        size: the bytes of a message.
        pairs: how many pairs take turns.

    """

    target: Target
    rate: float = 2000.0
    size: int = 220
    pairs: int = 100
    _pairs: list[tuple[Client, bytes, deque[float]]] = field(init=False, factory=list)
    _latencies: list[float] = field(init=False, factory=list)

    async def start(self) -> None:
        """Connect all pairs."""
        await _some_at_once(AT_ONCE, [lambda n=number: self._add(n) for number in range(self.pairs)])  # type: ignore[misc]

    async def _add(self, number: int) -> None:
        host, guest = await self.target.pair(number)
        due: deque[float] = deque()
        # The messages of a pair arrive in their order, so the oldest time belongs to the next arrival.
        host.on_text = lambda _: self._latencies.append(time.perf_counter() - due.popleft())
        self._pairs.append((guest, self.target.wire.candidate(guest, host, self.size), due))

    async def run(self, operations: int) -> Measured:
        """Send so many messages, and return the percentiles of their latency in milliseconds."""
        self._latencies = []
        began = time.perf_counter()
        sent = 0
        while sent < operations:
            ready = min(operations, int((time.perf_counter() - began) * self.rate) + 1)
            for number in range(sent, ready):
                client, text, due = self._pairs[number % len(self._pairs)]
                due.append(began + number / self.rate)
                client.send(text)
            sent = ready
            await asyncio.sleep(max(0.0, began + sent / self.rate - time.perf_counter()))
        end = time.perf_counter() + PATIENCE
        while len(self._latencies) < operations and time.perf_counter() < end:
            await asyncio.sleep(0.001)
        if len(self._latencies) < operations:
            reasons = {pair[0].failure for pair in self._pairs if pair[0].failure}
            raise LoadError(f"{operations - len(self._latencies)} messages did not arrive {reasons}")
        return {"operations": operations, "seconds": time.perf_counter() - began, **percentiles(self._latencies)}


@define
class Calls:
    """Whole calls of two: connect, meet, offer, answer, 30 candidates, part, close.

    An offer, an answer and each message with candidates is sent when the one before has arrived, as they come in real
    calls, where gathering takes longer than forwarding.

    Attributes:
        at_once: calls that go on at once.

    """

    target: Target
    at_once: int = CALLS_AT_ONCE
    _next: int = field(init=False, default=0)

    async def start(self) -> None:
        """Connect nobody: each call makes its own connections."""

    async def run(self, operations: int) -> Measured:
        """Make so many calls."""
        began = time.perf_counter()
        await _some_at_once(self.at_once, [self._call] * operations)
        return {"operations": operations, "seconds": time.perf_counter() - began}

    async def _call(self) -> None:
        # Each call has other source addresses, of which there are enough for the rates of one address.
        number, self._next = self._next, self._next + 1
        pair = number % 50 * 100 + number // 50 % 25
        target, wire = self.target, self.target.wire
        host, guest = await target.pair(pair)
        await self._send(guest, host, [wire.description(guest, host, "offer")])
        await self._send(host, guest, [wire.description(host, guest, "answer")])
        for count in BATCHES:
            await self._send(guest, host, wire.candidates(guest, host, count))
            await self._send(host, guest, wire.candidates(host, guest, count))
        await wire.part(host, guest)
        await asyncio.gather(guest.close(), host.close())

    @staticmethod
    async def _send(sender: Client, receiver: Client, texts: list[bytes]) -> None:
        for text in texts:
            sender.send(text)
            await receiver.receive()


@define
class Connects:
    """Connect, and wait for what the server says first. `settle` closes the connections, which is not measured.

    Attributes:
        at_once: connections that are being opened or closed at once.

    """

    target: Target
    at_once: int = AT_ONCE
    _next: int = field(init=False, default=0)
    _open: list[Client] = field(init=False, factory=list)

    async def start(self) -> None:
        """Connect nobody yet."""

    async def run(self, operations: int) -> Measured:
        """Make as many connections as there are operations."""
        began = time.perf_counter()
        await _some_at_once(self.at_once, [self._connect] * operations)
        return {"operations": operations, "seconds": time.perf_counter() - began}

    async def _connect(self) -> None:
        number, self._next = self._next, self._next + 1
        self._open.append(await self.target.connect(number % 100 * 50 + number // 100 % 50))

    async def settle(self) -> None:
        """Close all connections."""
        await _some_at_once(self.at_once, [client.close for client in self._open])
        self._open.clear()


@define
class Holding:
    """Hold idle connections open; `run` opens one more for each operation."""

    target: Target
    clients: list[Client] = field(factory=list)

    async def start(self) -> None:
        """Connect nobody yet."""

    async def run(self, operations: int) -> Measured:
        """Connect one more client for each operation."""
        began = time.perf_counter()
        numbers = range(len(self.clients), len(self.clients) + operations)
        await _some_at_once(AT_ONCE, [lambda n=number: self._add(n) for number in numbers])  # type: ignore[misc]
        if failed := [client.failure for client in self.clients if client.failure]:
            raise LoadError(f"{len(failed)} connections were lost: {failed[0]}")
        return {"operations": operations, "seconds": time.perf_counter() - began}

    async def _add(self, number: int) -> None:
        self.clients.append(await self.target.connect(number))


@define
class FanOut:
    """One member of a group of eight brings a message to the seven others; an operation is one delivered message.

    Attributes:
        groups: how many groups take turns.
        members: the members of a group.
        size: the bytes of a message.

    """

    target: Target
    groups: int = 25
    members: int = 8
    size: int = 220
    _groups: deque[tuple[Client, list[bytes]]] = field(init=False, factory=deque)
    _unreceived: int = field(init=False, default=0)
    _arrived: asyncio.Event = field(init=False, factory=asyncio.Event)

    async def start(self) -> None:
        """Connect all groups."""
        for group in range(self.groups):
            clients = [await self.target.connect(group * self.members + number) for number in range(self.members)]
            await self.target.wire.gather(clients)
            sender, *receivers = clients
            for receiver in receivers:
                receiver.on_text = self._received
            self._groups.append((sender, self.target.wire.broadcast(sender, receivers, self.size)))

    def _received(self, _text: bytes) -> None:
        self._unreceived -= 1
        if not self._unreceived:
            self._arrived.set()

    async def run(self, operations: int) -> Measured:
        """Deliver so many messages, rounded up to whole groups."""
        began = time.perf_counter()
        rounds = -(-operations // (self.members - 1))
        for _ in range(rounds):
            self._groups.rotate(-1)
            sender, texts = self._groups[0]
            self._unreceived = self.members - 1
            self._arrived.clear()
            for text in texts:
                sender.send(text)
            async with asyncio.timeout(PATIENCE):
                await self._arrived.wait()
        return {"operations": rounds * (self.members - 1), "seconds": time.perf_counter() - began}


WORKLOADS: dict[str, Callable[..., Any]] = {
    "calls": Calls,
    "connects": Connects,
    "fan-out": FanOut,
    "forward": Forward,
    "holding": Holding,
    "open-loop": OpenLoop,
}
