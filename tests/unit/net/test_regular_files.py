"""Tests of reading files that may turn out to be something other than regular files."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.net.regular_files import MOST_BYTES, NotRegularFileError, create_new, open_regular, read_keys, read_regular


class OtherKindsTests(SynchronousTestCase):
    """Whatever is not a regular file is refused at once, with its kind."""

    def setUp(self) -> None:
        """Choose a path in an empty directory."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        self.path = directory / "file"

    def refusal(self, path: Path, *, follow: bool = True) -> str:
        """Return the sentence with which reading a path is refused."""
        error = self.assertRaises(NotRegularFileError, read_regular, path, 10, follow=follow)
        return str(error.strerror)

    def test_fifo(self) -> None:
        """A FIFO without a writer, which a plain open(2) would wait for, is refused at once."""
        os.mkfifo(self.path)
        for follow in (True, False):
            self.assertEqual(self.refusal(self.path, follow=follow), "expected a regular file, found a FIFO")

    def test_directory(self) -> None:
        """A directory is refused for reading and for writing."""
        self.path.mkdir()
        self.assertEqual(self.refusal(self.path), "expected a regular file, found a directory")
        error = self.assertRaises(NotRegularFileError, open_regular, self.path, os.O_RDWR | os.O_CREAT)
        self.assertEqual(error.strerror, "expected a regular file, found a directory")

    def test_socket(self) -> None:
        """A socket is refused by its kind, although open(2) says that there is no such device."""
        with socket.socket(socket.AF_UNIX) as bound:
            # The address of a socket has at most 108 bytes, which the path of a test's directory may exceed.
            descriptor = os.open(self.path.parent, os.O_RDONLY)
            self.addCleanup(os.close, descriptor)
            bound.bind(f"/proc/self/fd/{descriptor}/file")
            self.assertEqual(self.refusal(self.path), "expected a regular file, found a socket")

    def test_device(self) -> None:
        """A device, which may be endless, is refused."""
        self.assertEqual(self.refusal(Path("/dev/zero")), "expected a regular file, found a device")

    def test_links(self) -> None:
        """A symbolic link is followed to a regular file where the caller says so, and refused otherwise."""
        target = self.path.with_name("target")
        target.write_bytes(b"content")
        self.path.symlink_to(target)
        self.assertEqual(read_regular(self.path, 10)[0], b"content")
        self.assertEqual(self.refusal(self.path, follow=False), "expected a regular file, found a symbolic link")
        target.unlink()
        self.assertEqual(self.refusal(self.path, follow=False), "expected a regular file, found a symbolic link")
        os.mkfifo(target)
        self.assertEqual(self.refusal(self.path), "expected a regular file, found a FIFO")

    def test_created(self) -> None:
        """A new file takes the place of a FIFO or a link, whose target stays, and belongs to its owner alone."""
        target = self.path.with_name("target")
        target.write_bytes(b"content")
        for make in (lambda: os.mkfifo(self.path), lambda: self.path.symlink_to(target), lambda: None):
            self.path.unlink(missing_ok=True)
            make()
            with open(create_new(self.path, os.O_APPEND), "wb") as file:
                file.write(b"new")
            self.assertEqual(read_regular(self.path, 10, follow=False), (b"new", 0o100600))
        self.assertEqual(target.read_bytes(), b"content")

    def test_link_to_itself(self) -> None:
        """A symbolic link that leads to itself is an ordinary error."""
        self.path.symlink_to(self.path)
        error = self.assertRaises(OSError, read_regular, self.path, 10)
        self.assertNotIsInstance(error, NotRegularFileError)

    def test_no_descriptor_stays_open(self) -> None:
        """A refused file is closed again."""
        os.mkfifo(self.path)
        before = os.listdir("/proc/self/fd")
        self.refusal(self.path)
        self.assertEqual(os.listdir("/proc/self/fd"), before)


class RegularTests(SynchronousTestCase):
    """Regular files are read within the bound."""

    def setUp(self) -> None:
        """Choose a path."""
        self.path = Path(self.mktemp())

    def test_bound(self) -> None:
        """A file that is too large is read to one byte beyond the bound, so that the caller notices."""
        for size in (0, 1, 9, 10, 11, 4 * MOST_BYTES):
            self.path.write_bytes(b"x" * size)
            content, mode = read_regular(self.path, 10)
            self.assertEqual(content, b"x" * min(size, 11))
            self.assertTrue(stat.S_ISREG(mode))

    def test_created(self) -> None:
        """A file that is created is its owner's alone, and no child process inherits its descriptor."""
        descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, descriptor)
        self.assertEqual(stat.S_IMODE(os.fstat(descriptor).st_mode), 0o600)
        self.assertFalse(os.get_inheritable(descriptor))

    def test_large_file(self) -> None:
        """A file of several parts is read completely, and a file with keys is refused above its bound."""
        self.path.write_bytes(b"x" * MOST_BYTES)
        self.assertEqual(len(read_keys(self.path, ValueError)[0]), MOST_BYTES)
        self.assertEqual(len(read_regular(self.path, 4 * MOST_BYTES)[0]), MOST_BYTES)
        self.path.write_bytes(b"x" * (MOST_BYTES + 1))
        error = self.assertRaises(ValueError, read_keys, self.path, ValueError)
        self.assertEqual(str(error), f"{self.path} is too large: expected at most {MOST_BYTES} bytes.")
