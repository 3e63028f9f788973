"""Tests of secrets in files."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.config.secret_files import read_file, read_secret
from signald.config.values import ConfigError
from signald.net.regular_files import MOST_BYTES


class SecretFileTests(SynchronousTestCase):
    """`read_secret` and `read_file`."""

    def setUp(self) -> None:
        """Choose a path."""
        self.path = Path(self.mktemp())

    def write(self, content: bytes, mode: int = 0o600) -> Path:
        """Write the file, and return its path."""
        self.path.write_bytes(content)
        self.path.chmod(mode)
        return self.path

    def test_line_end(self) -> None:
        """One line end, LF or CRLF, is removed; everything else belongs to the secret."""
        for content, secret in (
            (b"a", b"a"),
            (b"a\n", b"a"),
            (b"a\r\n", b"a"),
            (b"a\n\n", b"a\n"),
            (b" a ", b" a "),
            (b"\x00\xff", b"\x00\xff"),
        ):
            self.assertEqual(read_secret(self.write(content)), secret)

    def test_modes(self) -> None:
        """The owner and a group may read the file (`ssl-cert`, systemd credentials); anybody else is an error."""
        for mode in (0o600, 0o400, 0o640, 0o440):
            read_secret(self.write(b"a", mode))
        for mode in (0o644, 0o604, 0o602, 0o660, 0o650):
            with self.assertRaisesRegex(ConfigError, f"mode {mode:04o}"):
                read_secret(self.write(b"a", mode))

    def test_invalid_contents(self) -> None:
        """Empty and too large files and directories are errors."""
        for content, said in ((b"", "empty"), (b"\n", "empty"), (b"x" * (MOST_BYTES + 1), "too large")):
            with self.assertRaisesRegex(ConfigError, said):
                read_secret(self.write(content))
        with self.assertRaisesRegex(ConfigError, "cannot be read: expected a regular file, found a directory"):
            read_secret(Path("/"))

    def test_special_files(self) -> None:
        """A FIFO, which may have no writer, and a device are errors at once."""
        os.mkfifo(self.path, 0o600)
        for path, kind in ((self.path, "a FIFO"), (Path("/dev/zero"), "a device")):
            with self.assertRaisesRegex(ConfigError, f"cannot be read: expected a regular file, found {kind}"):
                read_secret(path)

    def test_public_file(self) -> None:
        """`read_file` returns the unchanged content, whatever the mode."""
        self.assertEqual(read_file(self.write(b"a\n", 0o644)), b"a\n")
        with self.assertRaisesRegex(ConfigError, "cannot be read: No such file"):
            read_file(Path("/nowhere"))
