"""Benchmark of a resume storm: a thousand clients lose their connections at the same moment, and all resume.

`python -m benchmarks.resume_storm [--clients N] [--no-tls]` runs the library's signaling client over real WebSockets,
in pairs. Each client sends numbered messages to its partner all the time; no message may be lost or delivered twice.
The initial connecting of the same clients, a storm as well, is the reference of the resume's figures. With `--upgrade`
the server then upgrades itself under the same traffic; these clients need more processor time than the server, and
`benchmarks.upgrade_return` measures how soon cheaper ones are back. The exit status is 1 if a message is lost or
delivered twice, or if a client loses a part of its state on the resume.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from attrs import define, field

from benchmarks.progress import progress
from benchmarks.server import Cost, Server
from signald_client.asyncio_reactor import run_in_reactor
from signald_client.server import Address, Trust
from signald_client.signaling import messages
from signald_client.signaling.client import SignalingClient
from signald_client.signaling.events import Dropped, Refused, Resumed
from signald_client.signaling.wire import Value
from signald_client.transport import SignalingSocket

MESSAGES_PER_SECOND = 1000
"""The most messages that all clients together send; one client sends one a second at most."""

LIMIT_SECONDS = 60.0
"""The timeout of each phase, in seconds; the server's grace period is 30 s."""

WELCOME_AT_ONCE = 64
"""The number of concurrent initial connects, since each handshake needs the event loop."""


class Line(SignalingSocket):
    """A signaling WebSocket that the benchmark can cut."""

    transport: Any = None

    def transport_connected(self, protocol: Any) -> None:
        """Store the transport of the WebSocket."""
        self.transport = protocol.transport
        super().transport_connected(protocol)

    def cut(self) -> None:
        """Abort the TCP connection without a close frame."""
        self.transport.abortConnection()


@define(eq=False)
class Client:
    """One client.

    Attributes:
        line: the client's signaling connection.
        session: the session that it shares with its partner.
        sent: the number of messages that it sent to its partner.
        received: the numbers of the messages that it received from its partner.
        survivals: the results of its resumes.
        faults: descriptions of unexpected events.
        resumed: the time of its resume, in monotonic seconds.
        ready: set when the client is a member of its session.

    """

    line: Line = field(init=False)
    session: str = ""
    sent: int = 0
    received: list[int] = field(factory=list)
    survivals: list[str] = field(factory=list)
    faults: list[str] = field(factory=list)
    resumed: float = 0.0
    ready: asyncio.Event = field(factory=asyncio.Event)

    def event(self, event: Value) -> None:
        """Record an event of the signaling client."""
        if isinstance(event, messages.Opened | messages.Joined):
            self.session = event.session
            self.ready.set()
        elif isinstance(event, messages.ForwardedMessage):
            self.received.append(int(event.content))
        elif isinstance(event, Resumed):
            self.survivals.append(event.survival)
            self.resumed = time.monotonic()
        elif isinstance(event, Refused | Dropped):
            self.faults.append(repr(event))

    def talk(self) -> None:
        """Send the next number to the partner."""
        self.sent += 1
        self.line.perform(self.line.client.send_message(self.session, str(self.sent)))


async def connect(client: Client, address: Address, trust: Trust, reactor: Any) -> None:
    """Connect a client."""
    core = SignalingClient(json, random.random, secrets.token_hex(8), "resume-storm")
    client.line = Line(core, client.event, address, trust, "resume-storm", reactor)
    await client.line.connect()


async def storm(server: Server, count: int, tls: bool, upgrade: bool, reactor: Any) -> bool:
    """Connect all clients, exchange messages, cut and resume, upgrade; return whether no message was lost."""
    address = Address(tls, "127.0.0.1", server.port, "/ws")
    trust = Trust(server.authority.read_bytes() if tls else None)
    clients = [Client() for _ in range(count)]
    before, began = server.cost(), time.monotonic()
    for start in range(0, count, WELCOME_AT_ONCE):
        await asyncio.gather(*(connect(c, address, trust, reactor) for c in clients[start : start + WELCOME_AT_ONCE]))
        progress("connecting", min(start + WELCOME_AT_ONCE, count), count)
    connecting = time.monotonic() - began
    connected = server.cost()
    pairs = list(zip(clients[::2], clients[1::2], strict=True))
    for host, guest in pairs:
        host.line.perform(host.line.client.open_session())
        await asyncio.wait_for(host.ready.wait(), LIMIT_SECONDS)
        guest.line.perform(guest.line.client.join_session(host.session))
    await asyncio.wait_for(asyncio.gather(*(client.ready.wait() for client in clients)), LIMIT_SECONDS)
    pause = max(1.0, count / MESSAGES_PER_SECOND)
    talking = [asyncio.ensure_future(talk(client, pause)) for client in clients]
    await asyncio.sleep(2 * pause)

    at_cut, cut = server.cost(), time.monotonic()
    for client in clients:
        client.line.cut()
    cutting = time.monotonic() - cut
    await until(lambda: all(client.survivals for client in clients), "resuming", clients)
    resumed = server.cost()
    times = sorted(client.resumed - cut for client in clients if client.resumed)
    back = None
    if upgrade:
        await asyncio.sleep(2 * pause)
        await asyncio.get_running_loop().run_in_executor(None, server.upgrade)
        held = time.monotonic()
        await until(lambda: all(len(client.survivals) > 1 for client in clients), "", clients)
        back = max(client.resumed for client in clients) - held
    for task in talking:
        task.cancel()
    await until(lambda: all(a.sent == len(b.received) for pair in pairs for a, b in (pair, pair[::-1])), "", clients)
    whole = report(clients, pairs, cutting, times, connecting, (before, connected, at_cut, resumed), back)
    await asyncio.gather(*(client.line.close() for client in clients))
    return whole


async def talk(client: Client, pause: float) -> None:
    """Send messages repeatedly, starting at a random moment."""
    await asyncio.sleep(random.random() * pause)  # noqa: S311 # spreads the messages, protects nothing
    while True:
        client.talk()
        await asyncio.sleep(pause)


async def until(done: Any, what: str, clients: list[Client]) -> None:
    """Wait until the condition is true, for `LIMIT_SECONDS` at most."""
    end = time.monotonic() + LIMIT_SECONDS
    while not done() and time.monotonic() < end:
        if what:
            progress(what, sum(bool(client.survivals) for client in clients), len(clients))
        await asyncio.sleep(0.1)


def report(
    clients: list[Client],
    pairs: list[tuple[Client, Client]],
    cutting: float,
    times: list[float],
    connecting: float,
    costs: tuple[Cost, Cost, Cost, Cost],
    back: float | None,
) -> bool:
    """Print the figures; return whether no fault occurred."""
    before, connected, at_cut, resumed = costs
    ways = [way for pair in pairs for way in (pair, pair[::-1])]
    lost = sum(len(set(range(1, a.sent + 1)) - set(b.received)) for a, b in ways)
    twice = sum(len(b.received) - len(set(b.received)) for _, b in ways)
    disorder = sum(b.received != sorted(b.received) for _, b in ways)
    resumes = 1 if back is None else 2
    others = [client for client in clients if client.survivals != ["everything"] * resumes]
    faults = [fault for client in clients for fault in client.faults]
    hello_cpu, resume_cpu = connected.cpu - before.cpu, resumed.cpu - at_cut.cpu
    count = len(clients)
    last = times[-1] if times else LIMIT_SECONDS
    rows = [
        ("clients", f"{count}, cut within {cutting:.2f} s"),
        ("messages", f"{sum(a.sent for a, _ in ways)}: {lost} lost, {twice} twice, {disorder} pairs out of order"),
        ("resumed with everything", f"{count - len(others)}"),
        ("half of them within", f"{times[len(times) // 2] if times else LIMIT_SECONDS:.2f} s"),
        ("the last one within", f"{last:.2f} s, {last / connecting:.2f} times the first connecting"),
        ("first connecting", f"{connecting:.2f} s, {WELCOME_AT_ONCE} at a time"),
        ("server CPU, first connecting", f"{1000 * hello_cpu / count:.2f} ms a client"),
        ("server CPU, resuming", f"{1000 * resume_cpu / count:.2f} ms a client, {resume_cpu / hello_cpu:.2f} times"),
        ("server's peak memory", f"{resumed.peak:.0f} MiB, {resumed.peak - at_cut.peak:.0f} MiB of it since the cut"),
    ]
    if back is not None:
        rows.append(("all back after an upgrade", f"{back:.2f} s"))
    sys.stdout.write("".join(f"{name:<30} {value}\n" for name, value in rows))
    sys.stdout.write("".join(f"{fault}\n" for fault in faults[:5]))
    return not (lost or twice or disorder or others or faults)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=1000, help="how many, in pairs (default: 1000)")
    parser.add_argument("--no-tls", action="store_true", help="plain WebSockets")
    parser.add_argument("--upgrade", action="store_true", help="upgrade the server after the resumes")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    many = str(4 * options.clients)
    limits = (
        "address-connections",
        "address-connection-rate",
        "address-connection-burst",
        "address-message-rate",
        "address-session-burst",
    )
    settings = [word for name in limits for word in ("--limit", f"{name}={many}")]
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory), *settings, *(["--no-tls"] if options.no_tls else []))
        try:
            count, tls = options.clients // 2 * 2, not options.no_tls
            whole = run_in_reactor(lambda reactor: storm(server, count, tls, options.upgrade, reactor))
        finally:
            server.stop()
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
