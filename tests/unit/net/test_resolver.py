"""Names are looked up aside."""

from __future__ import annotations

import threading

from twisted.trial.unittest import SynchronousTestCase

from signald.net.resolver import name_threads


class ThreadTests(SynchronousTestCase):
    """The threads."""

    def test_nobody_waits_for_them(self) -> None:
        """The interpreter ends while one of them is still at work."""
        done, daemonic = threading.Event(), list[bool]()

        def work() -> None:
            daemonic.append(threading.current_thread().daemon)
            done.set()

        name_threads().callInThread(work)
        self.assertTrue(done.wait(10.0))
        self.assertEqual(daemonic, [True])
