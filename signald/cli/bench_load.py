"""The load of `signald bench`: pairs of clients that send on a schedule, whatever the answers take (open loop)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from attrs import define, field
from twisted.internet.defer import Deferred, TimeoutError

from signald.cli.bench_client import BenchClient, BenchRefusedError, Target, open_client
from signald.cli.bench_summary import Summary

__all__ = ["MESSAGE_BYTES", "Load"]

MESSAGE_BYTES = 220
"""The size of a message: about that of one ICE candidate with its envelope."""

TICK_SECONDS = 0.002
"""The least time between two looks at what is due."""

PROGRESS_SECONDS = 0.5

WAIT_SECONDS = 5.0
"""How long messages that were sent may still arrive after the last one was due."""

CLOSE_SECONDS = 2.0


@define
class _Pair:
    sender: BenchClient
    text: bytes
    due: deque[float] = field(factory=deque)


@define
class Load:
    """A load in an open loop: messages are due at fixed times, and their latency counts from these times.

    A server that stops for a while is therefore charged for all messages that were due meanwhile. The load ends early
    when the server refuses something: it goes on measuring nothing that the server does not want.

    Attributes:
        target: the server under load.
        reactor: the reactor.
        pairs: how many pairs of clients there are.
        rate: messages per second, of all pairs together.
        seconds: how long messages are sent.
        show: called with the summary now and then.
        summary: what was measured.

    """

    target: Target
    reactor: Any
    pairs: int
    rate: float
    seconds: float
    show: Callable[[Summary], None] = lambda _: None
    summary: Summary = field(init=False, factory=lambda: Summary(bytes=MESSAGE_BYTES))
    _clients: list[BenchClient] = field(init=False, factory=list)
    _pairs: list[_Pair] = field(init=False, factory=list)
    _stopped: bool = field(init=False, default=False)

    async def run(self) -> Summary:
        """Connect all clients, send, wait for what is under way, and close all connections.

        Raises:
            BenchRefusedError: the server refused a connection or a request before the load began.

        """
        try:
            await self._connect_all()
        except BenchRefusedError:
            await self._close()
            raise
        await self._send_all()
        await self._close()
        return self.summary

    def interrupt(self) -> None:
        """End the load early: `run` closes all connections and returns what was measured until now."""
        self.summary.interrupted = self._stopped = True

    async def _connect_all(self) -> None:
        began = self.reactor.seconds()
        try:
            while len(self._pairs) < self.pairs and not self._stopped:
                await self._add_pair()
        except TimeoutError:
            raise BenchRefusedError("The server did not answer a request in time.") from None
        self.summary.clients = len(self._clients)
        self.summary.connecting_seconds = self.reactor.seconds() - began

    async def _add_pair(self) -> None:
        host, guest = await self._connect(), await self._connect()
        session = (await host.request("open", capacity=2))["session"]
        await guest.request("join", session=session)
        body = {
            "type": "candidates",
            "session": session,
            "to": host.welcome["user"],
            "negotiation": {"offerer": guest.welcome["user"], "n": 1},
            "candidates": [{"candidate": ""}],
        }
        body["candidates"] = [{"candidate": "c" * (MESSAGE_BYTES - len(orjson.dumps(body)))}]
        pair = _Pair(guest, orjson.dumps(body))
        # The messages of a pair arrive in their order, so the oldest time belongs to the next arrival.
        host.on_forwarded = lambda _: self.summary.latencies.add(self.reactor.seconds() - pair.due.popleft())
        self._pairs.append(pair)

    async def _connect(self) -> BenchClient:
        client = await open_client(self.target, self.reactor)
        self._clients.append(client)
        await client.greet(self.target.token)
        client.on_lost = self._stop
        self.summary.server = client.welcome["server"]
        self._check_rate(client.welcome["limits"]["messages-per-second"])
        return client

    def _check_rate(self, most: float) -> None:
        """Refuse a load that would only measure the server's rate limit.

        Raises:
            BenchRefusedError: each connection would have to send more than the server allows.

        """
        if self.rate > most * self.pairs:
            raise BenchRefusedError(
                f"The server allows each connection {most:g} messages a second, so --rate {self.rate:g} needs more "
                f"than --pairs {self.pairs}: use --pairs {-(-self.rate // most):g} or a lower rate."
            )

    def _stop(self, reason: str) -> None:
        self.summary.errors[reason] += 1
        self._stopped = True

    async def _send_all(self) -> None:
        began = self.reactor.seconds()
        total = round(self.rate * self.seconds)
        next_progress = next_ack = began
        while not self._stopped and self.summary.sent < total:
            now = self.reactor.seconds()
            self.summary.seconds = now - began
            for number in range(self.summary.sent, min(total, int((now - began) * self.rate) + 1)):
                pair = self._pairs[number % len(self._pairs)]
                pair.due.append(began + number / self.rate)
                pair.sender.send_text(pair.text)
                self.summary.sent += 1
            if now >= next_progress:
                self.show(self.summary)
                next_progress = now + PROGRESS_SECONDS
            if now >= next_ack:
                self._acknowledge_old()
                next_ack = now + 1.0
            await self._sleep(max(TICK_SECONDS, began + self.summary.sent / self.rate - now))
        end = self.reactor.seconds() + WAIT_SECONDS
        while not self._stopped and self.summary.latencies.count < self.summary.sent and self.reactor.seconds() < end:
            await self._sleep(TICK_SECONDS)
        self.summary.seconds = self.reactor.seconds() - began

    def _acknowledge_old(self) -> None:
        for client in self._clients:
            client.acknowledge_old()

    def _sleep(self, seconds: float) -> Deferred[None]:
        slept: Deferred[None] = Deferred()
        self.reactor.callLater(seconds, slept.callback, None)
        return slept

    async def _close(self) -> None:
        """Close all connections; those whose close takes too long are dropped."""
        for client in self._clients:
            client.close()
        end = self.reactor.seconds() + CLOSE_SECONDS
        while any(not client.ended for client in self._clients) and self.reactor.seconds() < end:
            await self._sleep(TICK_SECONDS)
        for client in self._clients:
            if not client.ended:
                client.dropConnection(abort=True)
