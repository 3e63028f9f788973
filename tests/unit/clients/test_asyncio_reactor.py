"""Running a coroutine in Twisted's asyncio reactor."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet import defer

from signald_client.asyncio_reactor import run_in_reactor
from tests.unit.clients.reactor_case import OwnReactorCase


class RunInReactorTests(OwnReactorCase):
    """`run_in_reactor`."""

    def test_result(self) -> None:
        """The coroutine runs in the reactor's event loop, and its result is returned."""

        async def main(reactor: Any) -> tuple[bool, str]:
            fired: defer.Deferred[str] = defer.Deferred()
            reactor.callLater(0, fired.callback, "fired")
            text = await fired.asFuture(asyncio.get_running_loop())
            return reactor.running, text

        self.assertEqual(run_in_reactor(main), (True, "fired"))

    def test_error(self) -> None:
        """An error of the coroutine stops the reactor, and is raised."""

        async def main(reactor: Any) -> None:
            raise LookupError("missing")

        self.assertEqual(str(self.assertRaises(LookupError, run_in_reactor, main)), "missing")

    def test_remaining_tasks(self) -> None:
        """Tasks that the coroutine leaves running are cancelled before the reactor stops."""
        tasks: list[asyncio.Task[None]] = []

        async def main(reactor: Any) -> None:
            tasks.append(asyncio.ensure_future(asyncio.Event().wait()))  # type: ignore[arg-type] # never returns
            await asyncio.sleep(0)

        run_in_reactor(main)
        self.assertTrue(tasks[0].cancelled())
