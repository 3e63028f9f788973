"""Benchmark of the journal: the CPU of a whole call with it, beside the same call without it.

`python -m benchmarks.journal [--calls N] [--no-tls]` runs calls of two with two daemons, of which one cannot create the
file of its journal and serves without. Their calls alternate in one run: connections, TLS and opening handshakes,
hello, open, join, offer, answer, candidates, acknowledgements, and the end. Only the CPU of the daemons is measured,
that of the thread which syncs included. With many calls at once, where CPU matters, a sync covers the changes of all;
with one call at a time nearly each change has a sync of its own. The exit status is 1 if the ratio with many calls at
once misses its bound.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.figures import Figure, table
from benchmarks.progress import progress
from benchmarks.server import Server
from tests.support.native_client import NativeClient

CALLS = 960
"""The number of calls with each daemon, in batches of `BATCH`."""

BATCH = 48

AT_ONCE = (16, 1)
"""The numbers of calls that are made at once; the bound is for the first."""

MOST = 1.05
"""The greatest ratio of the CPU with the journal to that without it."""

SDP = "v=0\r\n" + "a=rtpmap:96 VP8/90000\r\n" * 120
"""A session description of 2.7 kB, about as long as that of a browser with audio and video."""

CANDIDATE = "candidate:842163049 1 udp 1677729535 192.0.2.1 46154 typ srflx raddr 10.0.0.1 rport 46154 generation 0"

LIMITS = ("address-connection-rate", "address-message-rate", "address-session-rate", "address-request-rate")
"""The limits of one address, which are raised because all clients of the benchmark have the same address."""


def start(directory: Path, *, has_journal: bool, tls: bool) -> Server:
    """Start a daemon, whose journal cannot be created if it is to have none."""
    if not has_journal:
        (directory / "data" / "journal.new").mkdir(parents=True)
    raised = [word for name in LIMITS for word in ("--limit", f"{name}=100000")]
    return Server(directory, *raised, *([] if tls else ["--no-tls"]))


def describe(client: NativeClient, other: NativeClient, type: str, **keys: object) -> None:
    """Send an offer or an answer, and then ten candidates in three batches."""
    client.send(type, to=other.user, sdp=SDP, **keys)
    other.receive_type(type)
    for count in (6, 3, 1):
        candidates = [{"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0}] * count
        client.send("candidates", to=other.user, candidates=candidates, **keys)
        other.receive_type("candidates")


def call(server: Server, *, tls: bool) -> None:
    """Let two clients make a call."""
    host, guest = (NativeClient(server.port, tls=tls) for _ in range(2))
    host.greet(instance=secrets.token_hex(8), agent="benchmark")
    session = host.request("open", capacity=2, name="Host")["session"]
    guest.greet(instance=secrets.token_hex(8), agent="benchmark")
    guest.request("join", session=session, name="Guest")
    keys = {"session": session, "negotiation": {"offerer": guest.user, "n": 1}}
    describe(guest, host, "offer", **keys)
    describe(host, guest, "answer", **keys)
    for client in (host, guest):
        client.send("ack", received=4)
        client.request("ping")
    guest.request("leave", session=session)
    for client in (guest, host):
        client.socket.close(timeout=5)


def batch(server: Server, at_once: int, *, tls: bool) -> float:
    """Make a batch of calls, and return the CPU of the daemon for one call in milliseconds."""
    before = server.cost().cpu
    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(lambda _: call(server, tls=tls), range(BATCH)))
    return 1000 * (server.cost().cpu - before) / BATCH


def measure(servers: Sequence[Server], rounds: int, at_once: int, *, tls: bool) -> list[Figure]:
    """Make calls with a server without a journal and with one that has a journal, in turn."""
    costs: tuple[list[float], list[float]] = ([], [])
    for server in servers:
        batch(server, at_once, tls=tls)
    for number in range(rounds):
        progress(f"calls, {at_once} at once", BATCH * number, BATCH * rounds)
        for which in (0, 1) if number % 2 else (1, 0):
            costs[which].append(batch(servers[which], at_once, tls=tls))
    without, with_journal = costs
    name = f"{at_once} at once: "
    return [
        Figure(name + "a call without journal", "ms", without, digits=2),
        Figure(name + "a call with journal", "ms", with_journal, digits=2),
        Figure(name + "ratio of each pair", "", [b / a for a, b in zip(without, with_journal, strict=True)], digits=3),
        Figure(name + "ratio of all", "", [sum(with_journal) / sum(without)], MOST if at_once > 1 else None, digits=3),
    ]


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, and return 1 if the ratio misses its bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help="calls with each daemon")
    parser.add_argument("--no-tls", action="store_true", help="plain WebSockets, as behind a proxy")
    options = parser.parse_args(arguments)
    tls, rounds = not options.no_tls, max(1, options.calls // BATCH)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as directory:
        servers: list[Server] = []
        try:
            for name in ("without", "with"):
                folder = Path(directory, name)
                folder.mkdir()
                servers.append(start(folder, has_journal=name == "with", tls=tls))
            for at_once in AT_ONCE:
                figures += measure(servers, rounds, at_once, tls=tls)
        finally:
            for server in servers:
                server.stop()
    sys.stdout.write(f"{BATCH * rounds} calls with each daemon\n\n{table(figures)}")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
