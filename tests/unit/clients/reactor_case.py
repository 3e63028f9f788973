"""A test case that lets the code under test install and run a reactor of its own in this process."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any

import twisted.internet
from twisted.trial.unittest import SynchronousTestCase

__all__ = ["OwnReactorCase"]

NAME = "twisted.internet.reactor"


class OwnReactorCase(SynchronousTestCase):
    """A test case in which no reactor is installed; trial's reactor is restored after each test.

    The tests are synchronous, so trial's reactor does not run while another one does.
    """

    def setUp(self) -> None:
        """Hide trial's reactor, which trial installs only when a test needs one."""
        importlib.import_module(NAME)
        installed = sys.modules.pop(NAME)
        self.addCleanup(sys.modules.__setitem__, NAME, installed)
        self.patch(twisted.internet, "reactor", installed)
        del twisted.internet.reactor  # `patch` restores the attribute
        self.addCleanup(self.close_loop)

    def close_loop(self) -> None:
        """Close the event loop that the code under test has set."""
        policy: Any = asyncio.get_event_loop_policy()
        loop: asyncio.AbstractEventLoop = policy.get_event_loop()
        loop.close()
        asyncio.set_event_loop(None)
