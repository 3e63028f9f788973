"""Clients in pairs that tell each other numbers all the time: a program of its own, on the asyncio reactor.

    traffic.py PORT CLIENTS [AUTHORITY]

Every client is the library's own over a real WebSocket. A line on standard output says when all are in their sessions,
and again each time all of them have come back from a server that went away. On SIGTERM they stop
talking, hear what is still on its way, and the last line is a report in JSON.
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

from signald_client.running import run
from signald_client.server import Address, Trust
from signald_client.signaling import messages
from signald_client.signaling.client import SignalingClient
from signald_client.signaling.events import Dropped, Interrupted, Refused, Resumed
from signald_client.signaling.wire import Value
from signald_client.transport import SignalingSocket

TALK_SECONDS = 0.1
"""Between two messages of one client."""

PATIENCE = 60.0
"""Seconds for each phase."""

AT_ONCE = 16
"""Clients that connect at the same time."""


class Client:
    """One client.

    Attributes:
        sent: how many numbers it told its partner.
        heard: those that its partner told it.
        latest: seconds from a number's saying to its hearing, the longest.
        survivals: what its resumes found.
        blackouts: seconds from each loss of its connection to the welcome that followed.
        attempts: for each of these, how often it tried to connect.
        faults: what must not happen.

    """

    def __init__(self, address: Address, trust: Trust, reactor: Any) -> None:
        core = SignalingClient(json, random.random, secrets.token_hex(8), "traffic")
        self.line = SignalingSocket(core, self.event, address, trust, "traffic", reactor)
        self.session = ""
        self.partner: Client | None = None
        self.ready = asyncio.Event()
        self.sent = 0
        self.heard: list[int] = []
        self.latest = 0.0
        self.survivals: list[str] = []
        self.blackouts: list[float] = []
        self.attempts: list[int] = []
        self.faults: list[str] = []
        self._lost: float | None = None
        self._tries = 0

    def event(self, event: Value) -> None:
        """Follow what happens."""
        if isinstance(event, messages.Opened | messages.Joined):
            self.session = event.session
            self.ready.set()
        elif isinstance(event, messages.ForwardedMessage):
            number, said = json.loads(event.content)
            self.heard.append(number)
            self.latest = max(self.latest, time.monotonic() - said)
        elif isinstance(event, Interrupted):
            self._lost = self._lost or time.monotonic()
            self._tries += 1
        elif isinstance(event, Resumed):
            self.survivals.append(event.survival)
            if self._lost is not None:
                self.blackouts.append(time.monotonic() - self._lost)
                self.attempts.append(self._tries)
            self._lost, self._tries = None, 0
        elif isinstance(event, Refused | Dropped | messages.MemberAway | messages.MemberLeft | messages.MemberRenewed):
            self.faults.append(type(event).__name__ + ":" + str(getattr(event, "code", "")))

    def talk(self) -> None:
        """Tell the partner the next number."""
        self.sent += 1
        content = json.dumps([self.sent, time.monotonic()])
        self.line.perform(self.line.client.say(self.session, content))


async def wait_until(done: Any, what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            sys.exit(f"traffic: not within {PATIENCE:g} s: {what}")
        await asyncio.sleep(0.02)


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def talk(client: Client) -> None:
    """Talk for ever, beginning at a random moment."""
    await asyncio.sleep(random.random() * TALK_SECONDS)  # spreads the messages, protects nothing
    while True:
        client.talk()
        await asyncio.sleep(TALK_SECONDS)


async def main(reactor: Any, port: int, count: int, authority: Path | None) -> None:
    """Connect, talk until SIGTERM, and report."""
    address = Address(authority is not None, "127.0.0.1", port, "/ws")
    trust = Trust(None if authority is None else authority.read_bytes())
    clients = [Client(address, trust, reactor) for _ in range(count)]
    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(client.line.connect() for client in clients[start : start + AT_ONCE]))
    pairs = list(zip(clients[::2], clients[1::2], strict=True))
    for host, guest in pairs:
        host.line.perform(host.line.client.open())
        await asyncio.wait_for(host.ready.wait(), PATIENCE)
        guest.line.perform(guest.line.client.join(host.session))
        await asyncio.wait_for(guest.ready.wait(), PATIENCE)
    talking = [asyncio.ensure_future(talk(client)) for client in clients]
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    say("ready")
    rounds = 0
    while not over.is_set():
        if all(len(client.survivals) > rounds for client in clients):
            rounds += 1
            say(f"back {rounds}")
        await asyncio.sleep(0.02)
    for task in talking:
        task.cancel()
    ways = [way for pair in pairs for way in (pair, pair[::-1])]
    await wait_until(lambda: all(len(b.heard) >= a.sent for a, b in ways), "all that was said to be heard")
    # What comes twice would come about now.
    await asyncio.sleep(0.5)
    report = {
        "sent": sum(a.sent for a, _ in ways),
        "lost": sum(len(set(range(1, a.sent + 1)) - set(b.heard)) for a, b in ways),
        "twice": sum(len(b.heard) - len(set(b.heard)) for _, b in ways),
        "disorder": sum(b.heard != sorted(b.heard) for _, b in ways),
        "survivals": sorted({survival for client in clients for survival in client.survivals}),
        "blackouts": sorted(blackout for client in clients for blackout in client.blackouts),
        "attempts": max((tries for client in clients for tries in client.attempts), default=0),
        "latest": max(client.latest for client in clients),
        "faults": [fault for client in clients for fault in client.faults],
    }
    await asyncio.gather(*(client.line.close() for client in clients))
    say(json.dumps(report))


if __name__ == "__main__":
    _port, _count, *_authority = sys.argv[1:]
    _path = Path(_authority[0]) if _authority else None
    run(lambda reactor: main(reactor, int(_port), int(_count), _path))
