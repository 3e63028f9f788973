"""Tests that host names are resolved in daemon threads."""

from __future__ import annotations

import threading

from twisted.trial.unittest import SynchronousTestCase

from signald.net.resolver import start_resolver_threads


class ThreadTests(SynchronousTestCase):
    """The resolver's threads are daemon threads."""

    def test_nobody_waits_for_them(self) -> None:
        """The interpreter exits while a thread of the resolver is still at work."""
        done, daemonic = threading.Event(), list[bool]()

        def work() -> None:
            daemonic.append(threading.current_thread().daemon)
            done.set()

        start_resolver_threads().callInThread(work)
        self.assertTrue(done.wait(10.0))
        self.assertEqual(daemonic, [True])
