"""Tests of `signald.lifecycle.process_file`, the file that names the daemon's process."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.lifecycle.process_file import FILE_NAME, ProcessFile, ProcessRecord, read_process_record, start_time
from signald.net.regular_files import NotRegularFileError


class ProcessFileTests(SynchronousTestCase):
    """Tests of writing, reading and removing the file."""

    def setUp(self) -> None:
        """Create a data directory."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.file = ProcessFile(self.directory, ProcessRecord(4711, "0.1.0"))

    def test_a_process_is_named(self) -> None:
        """The file has the process ID and the version, and only its owner can read it."""
        self.file.write()
        self.assertEqual(read_process_record(self.directory), ProcessRecord(4711, "0.1.0"))
        self.assertEqual((self.directory / FILE_NAME).stat().st_mode & 0o777, 0o600)

    def test_failures(self) -> None:
        """Each upgrade that fails is counted, with the latest reason."""
        self.file.report_failure("one")
        self.file.report_failure("two")
        self.assertEqual(read_process_record(self.directory), ProcessRecord(4711, "0.1.0", 2, "two"))

    def test_the_end(self) -> None:
        """A process removes its own file, but not that of the process that took over; a missing file is no error."""
        self.file.write()
        self.file.remove()
        self.file.remove()
        self.assertFalse((self.directory / FILE_NAME).exists())
        ProcessFile(self.directory, ProcessRecord(4712, "0.2.0")).write()
        self.file.remove()
        self.assertEqual(read_process_record(self.directory).pid, 4712)

    def test_it_cannot_be_written(self) -> None:
        """A file that cannot be written is logged, and raises nothing."""
        ProcessFile(self.directory / "missing", ProcessRecord(4711, "0.1.0")).write()

    def test_files_of_other_kinds(self) -> None:
        """A FIFO is neither read nor written, so that nobody waits for its other end, and a link is not followed."""
        path, new = self.directory / FILE_NAME, self.directory / f"{FILE_NAME}.new"
        os.mkfifo(path)
        self.assertRaises(NotRegularFileError, read_process_record, self.directory)
        os.mkfifo(new)
        self.file.write()
        self.assertEqual(read_process_record(self.directory).pid, 4711)
        path.rename(self.directory / "elsewhere")
        path.symlink_to("elsewhere")
        self.assertRaises(NotRegularFileError, read_process_record, self.directory)

    def test_start_time(self) -> None:
        """It is the 22nd field of the process's stat; a command may look like the end of its own field."""
        self.assertGreater(start_time(os.getpid()), 0)
        process = self.directory / "5"
        process.mkdir()
        self.assertEqual(start_time(5, self.directory), 0)
        fields = " ".join(map(str, range(4, 53)))
        for stat, expected in (
            (f"5 (a) b) S {fields}", 22),
            ("5 (a", 0),
            ("5 (a) S 1 2", 0),
            (f"5 (a) S {'x ' * 50}", 0),
        ):
            (process / "stat").write_text(stat)
            self.assertEqual(start_time(5, self.directory), expected)

    def test_nonsense(self) -> None:
        """A file that names no process raises ValueError; process 1 and groups are no daemon."""
        for content in (b"", b"[]", b"{}", b'{"pid":"x","version":"1"}', b'{"pid":1,"version":"1"}',
                        b'{"pid":-5,"version":"1"}', b"\xff", b"{" * 5000):  # fmt: skip
            (self.directory / FILE_NAME).write_bytes(content)
            self.assertRaises(ValueError, read_process_record, self.directory)
