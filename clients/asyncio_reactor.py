"""Runs a coroutine in Twisted's asyncio reactor, from the reactor's start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["run"]

_Result = TypeVar("_Result")


def run(main: Callable[[Any], Coroutine[Any, Any, _Result]]) -> _Result:
    """Install the reactor, run `main(reactor)` in it, and return what that returns; once in a process.

    Nothing may have imported `twisted.internet.reactor` before. Signals stay the application's: SIGINT raises
    KeyboardInterrupt as everywhere, unless `main` sets a handler with the loop's `add_signal_handler`.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    from twisted.internet import asyncioreactor

    asyncioreactor.install(loop)

    from twisted.internet import reactor as installed

    reactor: Any = installed

    async def work() -> _Result:
        try:
            return await main(reactor)
        finally:
            await _tidy()
            reactor.stop()

    tasks: list[asyncio.Task[_Result]] = []
    reactor.callWhenRunning(lambda: tasks.append(loop.create_task(work())))
    reactor.run(installSignalHandlers=False)
    return tasks[0].result()


async def _tidy() -> None:
    """End what libraries left running, which the interpreter would complain about at its exit."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()
