"""Looks up names in threads that nobody waits for: a resolver that does not answer must not hold up the end."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet._resolver import GAIResolver  # the reactor's own, which has no public name
from twisted.internet.interfaces import IReactorThreads
from twisted.python.threadpool import ThreadPool

__all__ = ["name_threads", "resolve_aside"]

_MOST_THREADS = 4


class _DaemonThread(threading.Thread):
    """A thread that ends with the process, even while the system's resolver waits for a server of names."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, daemon=True, **options)


def name_threads() -> ThreadPool:
    """Make the threads; they are never stopped, since that would wait for them."""
    threads = ThreadPool(0, _MOST_THREADS, "names")
    threads.threadFactory = _DaemonThread
    threads.start()
    return threads


def resolve_aside(reactor: Any) -> None:
    """Let the reactor look up names in such threads, and not in its own, which it waits for when it stops."""
    threads = name_threads()
    reactor.installNameResolver(GAIResolver(IReactorThreads(reactor), lambda: threads))
