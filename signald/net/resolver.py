"""Resolves host names in daemon threads: a DNS server that does not answer must not delay the end of the process."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet._resolver import GAIResolver  # the reactor's own, which has no public name
from twisted.internet.interfaces import IReactorThreads
from twisted.python.threadpool import ThreadPool

__all__ = ["install_daemon_thread_resolver", "start_resolver_threads"]

_MOST_THREADS = 4


class _DaemonThread(threading.Thread):
    """A thread that ends with the process, even while the system's resolver waits for a DNS server."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, daemon=True, **options)


def start_resolver_threads() -> ThreadPool:
    """Start a pool of threads; it is never stopped, since that would wait for them."""
    threads = ThreadPool(0, _MOST_THREADS, "names")
    threads.threadFactory = _DaemonThread
    threads.start()
    return threads


def install_daemon_thread_resolver(reactor: Any) -> None:
    """Let the reactor resolve names in daemon threads, not in its own threads, which it waits for when it stops."""
    threads = start_resolver_threads()
    reactor.installNameResolver(GAIResolver(IReactorThreads(reactor), lambda: threads))
