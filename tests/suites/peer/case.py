"""Shared helpers of the peer's tests: they run coroutines as tests, and a daemon in the same process."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from signald.cli.options import Options
from signald.lifecycle.service import Daemon
from signald.tap import makeService
from signald_client.media import Media
from signald_client.pattern import PatternAndTone
from signald_client.server import Address, Trust

__all__ = ["AsyncCase", "SmallMedia", "asynchronous"]

LIMIT = 60.0
"""The seconds that one test may take."""


def asynchronous(method: Callable[[Any], Coroutine[Any, Any, None]]) -> Callable[[Any], Deferred[None]]:
    """Turn an asyncio coroutine into a test that must leave no task behind."""

    @functools.wraps(method)
    def run(self: Any) -> Deferred[None]:
        return Deferred.fromFuture(asyncio.ensure_future(_complete(method(self))))

    return run


async def _complete(work: Coroutine[Any, Any, None]) -> None:
    before = asyncio.all_tasks()
    async with asyncio.timeout(LIMIT):
        await work
    # Cancelled tasks, and tasks that are about to end, need some iterations of the loop.
    if left := asyncio.all_tasks() - before:
        _, left = await asyncio.wait(left, timeout=2)
    assert not left, left


class SmallMedia(PatternAndTone):
    """A test pattern that is small, and so costs little to encode.

    Attributes:
        counts: received frames by kind.
        flowing: a future that completes when ten frames of each kind were received.

    """

    def __init__(self) -> None:
        super().__init__(64, 48, 10.0)
        self.counts = {"audio": 0, "video": 0}
        self.flowing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def frame_received(self, kind: str, frame: object) -> None:
        """Count the frame."""
        self.counts[kind] += 1
        if min(self.counts.values()) >= 10 and not self.flowing.done():
            self.flowing.set_result(None)


class AsyncCase(TestCase):
    """A test case that can start a daemon."""

    timeout = LIMIT + 10

    def start_daemon(self, *arguments: str) -> Daemon:
        """Start a daemon on a free port of the loopback interface; the daemon stops with the test."""
        self.data = Path(self.mktemp())
        options = Options()
        options.parseOptions(["--port", "0", "--interface", "127.0.0.1", "--data-dir", str(self.data), *arguments])
        daemon = makeService(options)
        daemon.startService()
        self.addCleanup(self.stop_daemon, daemon)
        return daemon

    def stop_daemon(self, daemon: Daemon) -> object:
        """Stop the daemon, unless the test has stopped it."""
        return daemon.stopService() if daemon.running else None

    def address(self, daemon: Daemon) -> Address:
        """Return the daemon's address."""
        return Address.parse(f"{daemon.page.scheme}://127.0.0.1:{daemon.page.port}/")

    def trust(self) -> Trust:
        """Return a `Trust` that accepts the daemon's local certificate authority."""
        return Trust((self.data / "ca.pem").read_bytes())


def make_media(made: list[SmallMedia]) -> Callable[[], Media]:
    """Return a media factory that appends the created media to the list."""

    def make() -> Media:
        made.append(SmallMedia())
        return made[-1]

    return make
