"""Tests of the secret from which host keys are derived."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, cast

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.host_secret import FILE_NAME, SECRET_BYTES, load_host_secret
from signald.config.settings import Config
from signald.config.values import ConfigError
from signald.tap import make_daemon


def no_bytes(_count: int) -> bytes:
    """Fail, because no random bytes may be drawn if the file exists."""
    raise AssertionError("random bytes were drawn although the file exists")


class HostSecretTests(SynchronousTestCase):
    """`load_host_secret` reads or creates a file in the data directory."""

    def setUp(self) -> None:
        """Choose a directory that does not exist yet."""
        self.directory = Path(self.mktemp()) / "data"
        self.path = self.directory / FILE_NAME

    def test_created_once(self) -> None:
        """The file is created for its owner alone, and read by the next process."""
        secret = load_host_secret(self.directory, lambda count: b"x" * count)
        self.assertEqual(secret, b"x" * SECRET_BYTES)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(load_host_secret(self.directory, no_bytes), secret)

    def test_damaged(self) -> None:
        """A damaged file is an error and not replaced, since all host keys would become invalid."""
        load_host_secret(self.directory, bytes)
        for damaged in (b"", b"x" * (SECRET_BYTES - 1), b"x" * (SECRET_BYTES + 1)):
            self.path.write_bytes(damaged)
            error = self.assertRaises(ConfigError, load_host_secret, self.directory, no_bytes)
            self.assertIn(str(self.path), str(error))
            self.assertEqual(self.path.read_bytes(), damaged)

    def test_readable_by_others(self) -> None:
        """A file that others may read is an error, since whoever has the secret can take over any session."""
        load_host_secret(self.directory, bytes)
        for mode in (0o640, 0o604, 0o620):
            self.path.chmod(mode)
            error = self.assertRaises(ConfigError, load_host_secret, self.directory, no_bytes)
            self.assertIn(f"{mode:04o}", str(error))

    def test_unusable_directory(self) -> None:
        """A directory that cannot be created raises OSError, which the caller handles."""
        file = Path(self.mktemp())
        file.write_text("no directory")
        self.assertRaises(OSError, load_host_secret, file / "data", no_bytes)

    def test_daemon_without_secret(self) -> None:
        """The daemon starts with a warning where the directory cannot be written; host keys end with the process."""
        file = Path(self.mktemp())
        file.write_text("no directory")
        events = self.enterContext(capturedLogs())
        config = Config(file / "data", port=0, interface="127.0.0.1", tls=False)
        daemon = make_daemon(config, cast(Any, MemoryReactorClock()))
        daemon.page.socket.close()
        [warning] = [event for event in events if "host keys" in (event.get("log_format") or "")]
        self.assertEqual(warning["log_level"].name, "warn")
        self.assertTrue(warning["reason"])

    def test_daemon_with_damaged_secret(self) -> None:
        """The daemon does not start with a damaged file."""
        self.directory.mkdir(parents=True)
        self.path.write_bytes(b"damaged")
        self.path.chmod(0o600)
        config = Config(self.directory, port=0, interface="127.0.0.1", tls=False)
        self.assertRaises(ConfigError, make_daemon, config, cast(Any, MemoryReactorClock()))
