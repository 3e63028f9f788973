"""Runs a coroutine in Twisted's asyncio reactor, from the reactor's start to its stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["run_in_reactor"]

_Result = TypeVar("_Result")


def run_in_reactor(main: Callable[[Any], Coroutine[Any, Any, _Result]]) -> _Result:
    """Install the asyncio reactor, run `main(reactor)` in it, and return the result; once in a process.

    Nothing may have imported `twisted.internet.reactor` before. The reactor installs no signal handlers: SIGINT raises
    KeyboardInterrupt as usual, unless `main` sets a handler with the loop's `add_signal_handler`.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    from twisted.internet import asyncioreactor

    asyncioreactor.install(loop)

    from twisted.internet import reactor as installed

    reactor: Any = installed

    async def run_main() -> _Result:
        try:
            return await main(reactor)
        finally:
            await _cancel_remaining_tasks()
            reactor.stop()

    tasks: list[asyncio.Task[_Result]] = []
    reactor.callWhenRunning(lambda: tasks.append(loop.create_task(run_main())))
    reactor.run(installSignalHandlers=False)
    return tasks[0].result()


async def _cancel_remaining_tasks() -> None:
    """Cancel the tasks that libraries left running, about which the interpreter would warn at its exit."""
    remaining = asyncio.all_tasks() - {asyncio.current_task()}
    for task in remaining:
        task.cancel()
    await asyncio.gather(*remaining, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()
