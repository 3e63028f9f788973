"""The secret that host keys are made of."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, cast

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.host_secret import FILE_NAME, SECRET_BYTES, load_host_secret
from signald.config.tree import Config
from signald.config.values import ConfigError
from signald.tap import make_daemon


def no_bytes(_count: int) -> bytes:
    """Give no random bytes where none are to be drawn."""
    raise AssertionError("the file is there already")


class HostSecretTests(SynchronousTestCase):
    """One file in the data directory."""

    def setUp(self) -> None:
        """A directory that is not there yet."""
        self.directory = Path(self.mktemp()) / "data"
        self.path = self.directory / FILE_NAME

    def test_it_is_made_once(self) -> None:
        """For its owner alone; the next process finds it."""
        secret = load_host_secret(self.directory, lambda count: b"x" * count)
        self.assertEqual(secret, b"x" * SECRET_BYTES)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(load_host_secret(self.directory, no_bytes), secret)

    def test_a_damaged_one_is_refused(self) -> None:
        """It is not replaced, since all host keys would be void; the sentence says what to do."""
        load_host_secret(self.directory, bytes)
        for damaged in (b"", b"x" * (SECRET_BYTES - 1), b"x" * (SECRET_BYTES + 1)):
            self.path.write_bytes(damaged)
            error = self.assertRaises(ConfigError, load_host_secret, self.directory, no_bytes)
            self.assertIn(str(self.path), str(error))
            self.assertEqual(self.path.read_bytes(), damaged)

    def test_one_that_is_open_to_others_is_refused(self) -> None:
        """Whoever has it can take any session over."""
        load_host_secret(self.directory, bytes)
        for mode in (0o640, 0o604, 0o620):
            self.path.chmod(mode)
            error = self.assertRaises(ConfigError, load_host_secret, self.directory, no_bytes)
            self.assertIn(f"{mode:04o}", str(error))

    def test_a_directory_that_cannot_be_is_told(self) -> None:
        """The caller decides what to do without."""
        file = Path(self.mktemp())
        file.write_text("no directory")
        self.assertRaises(OSError, load_host_secret, file / "data", no_bytes)

    def test_the_daemon_warns_and_starts_without_it(self) -> None:
        """Host keys end with the process then; everything else works."""
        file = Path(self.mktemp())
        file.write_text("no directory")
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        config = Config(file / "data", port=0, interface="127.0.0.1", tls=False)
        daemon = make_daemon(config, cast(Any, MemoryReactorClock()))
        daemon.page.socket.close()
        [warning] = [event for event in events if "host keys" in (event.get("log_format") or "")]
        self.assertEqual(warning["log_level"].name, "warn")
        self.assertTrue(warning["reason"])

    def test_the_daemon_does_not_start_with_a_damaged_one(self) -> None:
        """One sentence, from the option on."""
        self.directory.mkdir(parents=True)
        self.path.write_bytes(b"damaged")
        self.path.chmod(0o600)
        config = Config(self.directory, port=0, interface="127.0.0.1", tls=False)
        self.assertRaises(ConfigError, make_daemon, config, cast(Any, MemoryReactorClock()))
