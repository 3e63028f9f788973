"""Benchmark of the return after an upgrade: how long until the last of many clients is back, beside what that costs.

`python -m benchmarks.upgrade_return [--clients N] [--no-tls]` holds pairs of clients of the load generator, which take
less processor time than the server does. First all lose their connections at once and resume, which tells what a resume
costs. Then the server upgrades itself, and each client comes back when `going-away` says. The last one is to be back
within 1.3 times the processor time of all resumes. The exit status is 1 if a client loses a part of its state.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import uvloop
from picows import WSTransport

from benchmarks.load.sockets import LoadError, open_client
from benchmarks.load.wires import Native, NativeClient
from benchmarks.progress import progress
from benchmarks.server import Server

BOUND = 1.3
"""The last client is to be back within this multiple of the processor time of all resumes."""

AT_ONCE = 64
"""Clients that connect at once, unless the server says when each of them comes."""

PAUSE_SECONDS = 3.0
"""Seconds between two phases, in which the server does what it left for later."""

LIMIT_SECONDS = 60.0
"""The most seconds of a phase."""


class Member:
    """A client that resumes after each loss of its connection.

    Attributes:
        client: the present connection.
        back: the time of its last resume, in monotonic seconds; 0.0 while it is away.
        survival: what the last resume kept.

    """

    def __init__(self, number: int, connect: Callable[[NativeClient], Any], gone: Callable[[Member], None]) -> None:
        """Create a member that is not connected.

        Arguments:
            number: the number of the client, from which its source address follows.
            connect: opens the connection of a client.
            gone: called when the connection was lost.

        """
        self._connect = connect
        self._gone = gone
        self._number = number
        self._instance = f"benchmark-{number}"
        self._secret = ""
        self._user = ""
        self.after = 0.0
        self.back = 0.0
        self.survival = ""
        self.client = self._make_client()

    def _make_client(self) -> NativeClient:
        member = self

        class Line(NativeClient):
            def on_ws_disconnected(self, transport: WSTransport) -> None:
                super().on_ws_disconnected(transport)
                if member.client is self and member.back:
                    member.back = 0.0
                    member._gone(member)

        client = Line(self._number, resumable=True)
        client.on_text = self._received
        return client

    def _received(self, text: bytes) -> None:
        if text.startswith(b'{"type":"going-away"'):
            self.after = orjson.loads(text)["after"]
        else:
            self.client.store(text)

    async def enter(self) -> None:
        """Connect with a new identity."""
        await self._greet({"type": "hello", "version": 1, "agent": "benchmark", "instance": self._instance})

    async def resume(self) -> None:
        """Connect anew, and resume."""
        received = self.client.received
        self.client = self._make_client()
        self.client.received = received
        request = {"type": "resume", "version": 1, "user": self._user, "secret": self._secret}
        welcome = await self._greet({**request, "instance": self._instance, "received": received})
        self.survival = welcome["resumed"]

    async def _greet(self, request: dict[str, Any]) -> dict[str, Any]:
        await self._connect(self.client)
        self.client.send(orjson.dumps(request))
        welcome: dict[str, Any] = orjson.loads(await self.client.receive_beginning(b'{"type":"welcome"'))
        self._user, self._secret = welcome["user"], welcome["secret"]
        self.client.id = self._user
        self.back = time.monotonic()
        return welcome


class Crowd:
    """All members, in sessions of two."""

    def __init__(self, server: Server, count: int, context: ssl.SSLContext | None) -> None:
        """Create members that are not connected.

        Arguments:
            server: the server.
            count: the number of members, which is even.
            context: the TLS context; None without TLS.

        """
        self._url = server.signaling_url if context is None else server.signaling_url.replace("ws:", "wss:")
        self._url = self._url.replace("localhost", "127.0.0.1")
        self._context = context
        self._wire = Native(resumable=True)
        self._returns: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.upgrading = False
        self.members = [Member(number, self._open, self._lost) for number in range(count)]

    async def _open(self, client: NativeClient) -> None:
        await open_client(client, self._url, self._context, self._wire.protocols)

    def _lost(self, member: Member) -> None:
        task = asyncio.ensure_future(self._return(member))
        self._returns.add(task)
        task.add_done_callback(self._returns.discard)

    async def _return(self, member: Member) -> None:
        if self.upgrading:
            await asyncio.sleep(member.after)
            await member.resume()
        else:
            async with self._slots:
                await member.resume()

    async def enter(self) -> None:
        """Connect all, and let each pair meet."""
        for start in range(0, len(self.members), AT_ONCE):
            some = self.members[start : start + AT_ONCE]
            await asyncio.gather(*(member.enter() for member in some))
            for host, guest in zip(some[::2], some[1::2], strict=True):
                await self._wire.meet(host.client, guest.client)
            progress("connecting", start + len(some), len(self.members))

    def cut(self) -> None:
        """Cut all connections."""
        for member in self.members:
            member.client.transport.disconnect(graceful=False)

    async def wait_until_back(self, since: float, what: str) -> float:
        """Wait until all members came back after a moment; return the seconds from it to the last one.

        Raises:
            LoadError: some did not come back.

        """
        end = time.monotonic() + LIMIT_SECONDS
        while away := sum(member.back < since for member in self.members):
            progress(what, len(self.members) - away, len(self.members))
            if time.monotonic() > end:
                raise LoadError(f"{away} clients did not come back within {LIMIT_SECONDS:g} s")
            await asyncio.sleep(0.05)
        return max(member.back for member in self.members) - since


async def measure(server: Server, count: int, context: ssl.SSLContext | None) -> bool:
    """Measure both returns, and print the figures; return whether every client kept everything."""
    crowd = Crowd(server, count, context)
    await crowd.enter()
    await asyncio.sleep(PAUSE_SECONDS)
    before, cut = server.cost(), time.monotonic()
    crowd.cut()
    resumed = await crowd.wait_until_back(cut, "resuming")
    cpu = server.cost().cpu - before.cpu
    whole = all(member.survival == "everything" for member in crowd.members)
    await asyncio.sleep(PAUSE_SECONDS)
    crowd.upgrading = True
    own = time.process_time()
    await asyncio.get_running_loop().run_in_executor(None, server.upgrade)
    held = time.monotonic()
    back = await crowd.wait_until_back(held, "returning")
    own = time.process_time() - own
    whole = whole and all(member.survival == "everything" for member in crowd.members)
    verdict = f"{back / cpu:.2f} times the CPU of all resumes ({BOUND}: {'met' if back <= BOUND * cpu else 'not met'})"
    rows = [
        ("clients", str(count)),
        ("server CPU of a resume", f"{1000 * cpu / count:.2f} ms"),
        ("all resumed after a cut", f"{resumed:.2f} s, {AT_ONCE} at a time"),
        ("all back after an upgrade", f"{back:.2f} s, {verdict}"),
        ("announced for the last one", f"{max(member.after for member in crowd.members):.2f} s"),
        ("the clients' own CPU meanwhile", f"{own:.2f} s"),
        ("kept everything", "all" if whole else "not all"),
    ]
    sys.stdout.write("".join(f"{name:<32} {value}\n" for name, value in rows))
    return whole


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=5000, help="how many, in pairs (default: 5000)")
    parser.add_argument("--no-tls", action="store_true", help="plain WebSockets")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = None
    if not options.no_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory), *(["--no-tls"] if options.no_tls else []))
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                whole = runner.run(measure(server, options.clients // 2 * 2, context))
        finally:
            server.stop()
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
