"""The command in the foreground: what it writes where."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, cast

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from signald.config.tree import Config
from signald.main import _announce
from signald.tap import make_daemon


class FullDisk(io.StringIO):
    """A file that takes nothing."""

    def write(self, text: str) -> int:
        """Fail as a full disk does."""
        raise OSError(28, "No space left on device")


class AnnounceTests(SynchronousTestCase):
    """Telling where to go."""

    def setUp(self) -> None:
        """Make a daemon, its socket closed."""
        config = Config(Path(self.mktemp()), port=0, interface="127.0.0.1", tls=False)
        self.daemon = make_daemon(config, cast(Any, MemoryReactorClock()))
        self.daemon.page.socket.close()

    def test_address(self) -> None:
        """The page's, on standard output."""
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        _announce(self.daemon)
        self.assertIn(f"http://localhost:{self.daemon.page.port}/", out.getvalue())

    def test_nowhere_to_write(self) -> None:
        """Standard output may be closed or full; the server runs on without a complaint."""
        for out in (None, FullDisk()):
            self.patch(sys, "stdout", out)
            _announce(self.daemon)
