"""Runs pairs of clients that exchange numbered messages without a pause: a program on the asyncio reactor.

    traffic.py PORT CLIENTS [AUTHORITY]

Every client is the library's signaling client over a real WebSocket. The program prints a line when all clients are in
their sessions, and again each time all of them have resumed after a loss of the server. On SIGTERM they stop sending,
receive what is still on its way, and the last line is a report in JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import Any

from signald_client.asyncio_reactor import run_in_reactor
from signald_client.server import Address, Trust
from signald_client.signaling import messages
from signald_client.signaling.client import SignalingClient
from signald_client.signaling.events import Dropped, Interrupted, Refused, Resumed
from signald_client.signaling.wire import Value
from signald_client.transport import SignalingSocket

SEND_SECONDS = 0.1
"""Seconds between two messages of one client."""

PHASE_SECONDS = 60.0
"""Seconds that each phase may take."""

CONNECTING_AT_ONCE = 16
"""Clients that connect at the same time."""


class Client:
    """One client of a pair.

    Attributes:
        sent: count of numbers sent to the partner.
        received: numbers received from the partner.
        longest_delay: longest time in seconds from the sending of a number to its receipt.
        survivals: the values of `Resumed.survival` of all resumes.
        blackouts: seconds from each loss of the connection to the welcome that followed.
        attempts: attempts to connect, for each blackout.
        faults: events that must not occur.

    """

    def __init__(self, address: Address, trust: Trust, reactor: Any) -> None:
        core = SignalingClient(json, random.random, secrets.token_hex(8), "traffic")
        self.socket = SignalingSocket(core, self.handle_event, address, trust, "traffic", reactor)
        self.session = ""
        self.welcomed = asyncio.Event()
        self.ready = asyncio.Event()
        self.sent = 0
        self.received: list[int] = []
        self.longest_delay = 0.0
        self.survivals: list[str] = []
        self.blackouts: list[float] = []
        self.attempts: list[int] = []
        self.faults: list[str] = []
        self._lost_at: float | None = None
        self._tries = 0

    def handle_event(self, event: Value) -> None:
        """Record an event of the signaling client."""
        match event:
            case messages.Welcome():
                self.welcomed.set()
            case messages.Opened() | messages.Joined():
                self.session = event.session
                self.ready.set()
            case messages.ForwardedMessage():
                number, sent_at = json.loads(event.content)
                self.received.append(number)
                self.longest_delay = max(self.longest_delay, time.monotonic() - sent_at)
            case Interrupted():
                self._lost_at = self._lost_at or time.monotonic()
                self._tries += 1
            case Resumed():
                self.survivals.append(event.survival)
                if self._lost_at is not None:
                    self.blackouts.append(time.monotonic() - self._lost_at)
                    self.attempts.append(self._tries)
                self._lost_at, self._tries = None, 0
            case Refused():
                self.faults.append(f"Refused:{event.code}")
            case Dropped() | messages.MemberAway() | messages.MemberLeft() | messages.MemberRenewed():
                self.faults.append(f"{type(event).__name__}:")

    async def connect(self) -> None:
        """Connect, and wait for the server's welcome, so that no request is made before it."""
        await self.socket.connect()
        await asyncio.wait_for(self.welcomed.wait(), PHASE_SECONDS)

    def send_number(self) -> None:
        """Send the next number to the partner."""
        self.sent += 1
        content = json.dumps([self.sent, time.monotonic()])
        self.socket.perform(self.socket.client.send_message(self.session, content))


async def wait_until(done: Any, what: str) -> None:
    """Wait until a condition holds; end the program when it does not within `PHASE_SECONDS`."""
    end = time.monotonic() + PHASE_SECONDS
    while not done():
        if time.monotonic() > end:
            sys.exit(f"traffic: not within {PHASE_SECONDS:g} s: {what}")
        await asyncio.sleep(0.02)


def print_line(line: str) -> None:
    """Print a line and flush it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def send_numbers(client: Client) -> None:
    """Send numbers until the program ends, starting at a random moment."""
    await asyncio.sleep(random.random() * SEND_SECONDS)  # spreads the messages; no secret depends on it
    while True:
        client.send_number()
        await asyncio.sleep(SEND_SECONDS)


async def main(reactor: Any, port: int, count: int, authority: Path | None) -> None:
    """Connect, exchange messages until SIGTERM, and report."""
    address = Address(authority is not None, "127.0.0.1", port, "/ws")
    trust = Trust(None if authority is None else authority.read_bytes())
    clients = [Client(address, trust, reactor) for _ in range(count)]
    for start in range(0, count, CONNECTING_AT_ONCE):
        await asyncio.gather(*(client.connect() for client in clients[start : start + CONNECTING_AT_ONCE]))
    pairs = list(zip(clients[::2], clients[1::2], strict=True))
    for host, guest in pairs:
        host.socket.perform(host.socket.client.open_session())
        await asyncio.wait_for(host.ready.wait(), PHASE_SECONDS)
        guest.socket.perform(guest.socket.client.join_session(host.session))
        await asyncio.wait_for(guest.ready.wait(), PHASE_SECONDS)
    sending = [asyncio.ensure_future(send_numbers(client)) for client in clients]
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    print_line("ready")
    rounds = 0
    while not over.is_set():
        if all(len(client.survivals) > rounds for client in clients):
            rounds += 1
            print_line(f"back {rounds}")
        await asyncio.sleep(0.02)
    for task in sending:
        task.cancel()
    ways = [way for pair in pairs for way in (pair, pair[::-1])]
    await wait_until(lambda: all(len(b.received) >= a.sent for a, b in ways), "every number was received")
    # A message that is delivered twice would arrive about now.
    await asyncio.sleep(0.5)
    report = {
        "sent": sum(a.sent for a, _ in ways),
        "lost": sum(len(set(range(1, a.sent + 1)) - set(b.received)) for a, b in ways),
        "twice": sum(len(b.received) - len(set(b.received)) for _, b in ways),
        "disorder": sum(b.received != sorted(b.received) for _, b in ways),
        "survivals": sorted({survival for client in clients for survival in client.survivals}),
        "blackouts": sorted(blackout for client in clients for blackout in client.blackouts),
        "by_client": [client.blackouts for client in clients],
        "attempts": max((tries for client in clients for tries in client.attempts), default=0),
        "latest": max(client.longest_delay for client in clients),
        "faults": [fault for client in clients for fault in client.faults],
    }
    await asyncio.gather(*(client.socket.close() for client in clients))
    print_line(json.dumps(report))


if __name__ == "__main__":
    _port, _count, *_authority = sys.argv[1:]
    _path = Path(_authority[0]) if _authority else None
    run_in_reactor(lambda reactor: main(reactor, int(_port), int(_count), _path))
