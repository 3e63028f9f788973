"""Secrets in files."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.config.secret_files import read_file, read_secret
from signald.config.values import ConfigError
from signald.net.regular_files import MOST_BYTES


class SecretFileTests(SynchronousTestCase):
    """What is read, and what is refused."""

    def setUp(self) -> None:
        """A path."""
        self.path = Path(self.mktemp())

    def written(self, content: bytes, mode: int = 0o600) -> Path:
        """A file."""
        self.path.write_bytes(content)
        self.path.chmod(mode)
        return self.path

    def test_a_line_end_is_not_part_of_it(self) -> None:
        """One, of either kind; all else is."""
        for content, secret in (
            (b"a", b"a"),
            (b"a\n", b"a"),
            (b"a\r\n", b"a"),
            (b"a\n\n", b"a\n"),
            (b" a ", b" a "),
            (b"\x00\xff", b"\x00\xff"),
        ):
            self.assertEqual(read_secret(self.written(content)), secret)

    def test_who_can_read_it(self) -> None:
        """The owner, and a group that is given it (`ssl-cert`, systemd's credentials)."""
        for mode in (0o600, 0o400, 0o640, 0o440):
            read_secret(self.written(b"a", mode))
        for mode in (0o644, 0o604, 0o602, 0o660, 0o650):
            with self.assertRaisesRegex(ConfigError, f"mode {mode:04o}"):
                read_secret(self.written(b"a", mode))

    def test_what_is_none(self) -> None:
        """Each is told with the path."""
        for content, said in ((b"", "empty"), (b"\n", "empty"), (b"x" * (MOST_BYTES + 1), "too large")):
            with self.assertRaisesRegex(ConfigError, said):
                read_secret(self.written(content))
        with self.assertRaisesRegex(ConfigError, "cannot be read: Is a directory"):
            read_secret(Path("/"))

    def test_what_is_no_file(self) -> None:
        """A pipe, whose writer may never come, is refused at once; so is a device."""
        os.mkfifo(self.path, 0o600)
        for path in (self.path, Path("/dev/zero")):
            with self.assertRaisesRegex(ConfigError, "cannot be read: It is no regular file"):
                read_secret(path)

    def test_what_everybody_may_know(self) -> None:
        """It is as it is, whoever can read it."""
        self.assertEqual(read_file(self.written(b"a\n", 0o644)), b"a\n")
        with self.assertRaisesRegex(ConfigError, "cannot be read: No such file"):
            read_file(Path("/nowhere"))
