"""Tests of `signald.lifecycle.state_file`, the file that hands the state over to the next process."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import orjson
from twisted.trial.unittest import SynchronousTestCase

from signald.core.snapshot import FORMATS, Snapshot
from signald.lifecycle import state_file
from signald.lifecycle.state_file import FILE_NAME, DamagedStateError, StateFile
from signald.net.regular_files import NotRegularFileError

EMPTY = Snapshot(FORMATS[-1], [], [], [])

NOW = 1_800_000_000.0


class StateFileTests(SynchronousTestCase):
    """Tests of writing and reading the state file."""

    def setUp(self) -> None:
        """Create a state file in a data directory that does not exist yet."""
        self.directory = Path(self.mktemp()).resolve()
        self.file = StateFile(self.directory)

    @property
    def path(self) -> Path:
        """The path of the state file."""
        return self.directory / FILE_NAME

    def file_names(self) -> set[str]:
        """Return the names of the files in the directory, without the lock file."""
        return {path.name for path in self.directory.iterdir()} - {".lock"}

    def assert_damaged(self, content: bytes, reason: str) -> None:
        """Assert that a file with this content is set aside and not read again."""
        self.directory.mkdir(exist_ok=True)
        self.path.write_bytes(content)
        self.path.chmod(0o600)
        with self.assertRaisesRegex(DamagedStateError, reason):
            self.file.take(NOW)
        self.assertEqual(self.file_names(), {"state.damaged"})
        self.assertEqual((self.directory / "state.damaged").read_bytes(), content)
        self.assertIsNone(self.file.take(NOW))

    def test_what_was_written_is_read_once(self) -> None:
        """A state is read with its age, and cannot be read a second time."""
        self.file.write(EMPTY, NOW)
        state = self.file.take(NOW + 2.5)
        assert state is not None
        self.assertEqual((state.snapshot, state.age), (EMPTY, 2.5))
        self.file.forget()
        self.assertIsNone(self.file.take(NOW + 3))
        self.assertEqual(self.file_names(), set())

    def test_nothing_was_left(self) -> None:
        """Without a state file, nothing is read, and the missing directory is not created."""
        self.assertIsNone(self.file.take(NOW))
        self.assertFalse(self.directory.exists())

    def test_only_the_owner_can_read_the_file(self) -> None:
        """The file has the mode 0600 regardless of the umask, and a file that others can read is refused."""
        before = os.umask(0)
        try:
            self.file.write(EMPTY, NOW)
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.path.chmod(0o640)
        with self.assertRaisesRegex(DamagedStateError, "mode 0640"):
            self.file.take(NOW)

    def test_a_clock_that_went_back(self) -> None:
        """The age is None if the wall clock was set back."""
        self.file.write(EMPTY, NOW)
        state = self.file.take(NOW - 1)
        assert state is not None
        self.assertIsNone(state.age)

    def test_a_process_that_dies_of_it(self) -> None:
        """A file that a crashed process had already renamed is not read, and does not prevent the next state."""
        self.file.write(EMPTY, NOW)
        content = self.path.read_bytes()
        self.path.rename(self.directory / "state.taken")
        self.assertIsNone(self.file.take(NOW))
        self.file.write(EMPTY, NOW)
        self.assertEqual(self.path.read_bytes(), content)
        self.assertIsNotNone(self.file.take(NOW))

    def test_what_is_damaged_is_moved_aside(self) -> None:
        """Every truncation and every changed byte is detected, and the error names the path of the file set aside."""
        self.file.write(EMPTY, NOW)
        whole = self.path.read_bytes()
        for length in range(len(whole)):
            self.assert_damaged(whole[:length], "state.damaged")
        for place in range(whole.index(b"\n"), len(whole)):
            changed = bytearray(whole)
            changed[place] ^= 1
            self.assert_damaged(bytes(changed), "state.damaged")

    def test_other_formats_are_refused(self) -> None:
        """Other formats, other versions, and records that are no snapshot despite a valid checksum are refused."""

        def head(body: bytes, kind: str = "signald-state-1", written: object = NOW) -> bytes:
            digest = hashlib.sha256(body).hexdigest()
            return orjson.dumps({"kind": kind, "written": written, "sha256": digest}) + b"\n" + body

        self.assert_damaged(b"\xff" * 100, "does not say what it is")
        self.assert_damaged(b"[" * 100_000, "does not say what it is")
        self.assert_damaged(head(b"{}", written=None), "does not say what it is")
        self.assert_damaged(head(b"{}", written="nan"), "not a snapshot")
        self.assert_damaged(head(b"{}", kind="signald-state-2"), "another version")
        self.assert_damaged(head(b"{}"), "not a snapshot")
        self.assert_damaged(head(b'{"format":99,"users":[],"gone":[],"sessions":[]}'), "this version reads format")

    def test_a_link_is_not_followed(self) -> None:
        """A symbolic link is not followed, so that no file outside the data directory is read; it stays in place."""
        self.directory.mkdir()
        elsewhere = self.directory / "elsewhere"
        elsewhere.write_bytes(b"secret")
        self.path.symlink_to(elsewhere)
        for _ in range(2):
            self.assertRaises(NotRegularFileError, self.file.take, NOW)
        self.assertTrue(self.path.is_symlink())

    def test_other_kinds_of_files(self) -> None:
        """A FIFO is neither waited for nor renamed."""
        self.directory.mkdir()
        os.mkfifo(self.path)
        self.assertRaises(NotRegularFileError, self.file.take, NOW)
        self.assertEqual(self.file_names(), {FILE_NAME})

    def test_too_large(self) -> None:
        """A file above the bound is set aside, and no more of it than the bound is read."""
        self.patch(state_file, "_MOST_BYTES", 1000)
        self.assert_damaged(b"x" * 5000, "too large")

    def test_it_cannot_be_written(self) -> None:
        """`write` raises OSError if the directory cannot be created."""
        blocked = StateFile(self.directory / "file" / "below")
        self.directory.mkdir()
        (self.directory / "file").write_bytes(b"")
        self.assertRaises(OSError, blocked.write, EMPTY, NOW)
