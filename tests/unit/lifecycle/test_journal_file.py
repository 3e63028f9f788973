"""Tests of `signald.lifecycle.journal_file`, the journal's file in the data directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.lifecycle.journal_file import FILE_NAME, MOST_BYTES, DamagedJournalError, JournalFile
from signald.lifecycle.journal_lines import Contents

KEY = "user:00000000000000000000000001"

BODY = b'{"key":"%s","at":1.0,"wall":2.0,"record":null}' % KEY.encode()

WRITTEN = Contents({KEY: BODY}, 0, frozenset(), 0)


class JournalFileTests(SynchronousTestCase):
    """Tests of the names that the file has, and of what is refused."""

    def setUp(self) -> None:
        """Choose a data directory that does not exist yet."""
        self.directory = Path(self.mktemp()).resolve()
        self.file = JournalFile(self.directory)

    @property
    def path(self) -> Path:
        """The path of the journal in use."""
        return self.directory / FILE_NAME

    def write(self) -> None:
        """Write a journal with one record, and put it in use."""
        writer = self.file.begin()
        writer.append([(KEY, BODY)])
        self.file.publish(writer)
        writer.close()

    def names(self) -> set[str]:
        """Return the names of the files in the directory, without the lock file."""
        return {path.name for path in self.directory.iterdir()} - {".lock"}

    def test_what_was_written_is_read(self) -> None:
        """A published journal is taken by the next process and forgotten when that has its own."""
        self.write()
        self.assertEqual(self.names(), {"journal"})
        self.assertEqual(self.file.take(), WRITTEN)
        self.assertEqual(self.names(), {"journal.1"})
        self.write()
        self.file.forget()
        self.assertEqual(self.names(), {"journal"})

    def test_no_journal(self) -> None:
        """Without a journal nothing is read, and the missing directory is not created."""
        self.assertIsNone(self.file.take())
        self.assertFalse(self.directory.exists())
        self.file.forget()
        self.file.remove()

    def test_the_journal_in_use_stays_until_the_new_one_is_complete(self) -> None:
        """A process that is killed while it writes a new journal leaves the one before, and an unused file."""
        self.write()
        writer = self.file.begin()
        writer.append([(KEY, BODY * 2)])
        writer.close()
        self.assertEqual(self.names(), {"journal", "journal.new"})
        self.assertEqual(self.file.take(), WRITTEN)
        self.file.begin().close()
        self.assertEqual((self.directory / "journal.new").read_bytes(), b"")

    def test_a_start_that_is_killed_loses_nothing(self) -> None:
        """The next start reads the journal again, three times in all; then it is set aside."""
        self.write()
        for number in (1, 2, 3):
            self.assertEqual(self.file.take(), WRITTEN)
            self.assertEqual(self.names(), {f"journal.{number}"})
        with self.assertRaisesRegex(DamagedJournalError, "3 starts did not get past it.*journal.damaged"):
            self.file.take()
        self.assertEqual(self.names(), {"journal.damaged"})
        self.assertIsNone(self.file.take())

    def test_a_newer_journal_wins(self) -> None:
        """A start that was killed after it had written its own journal leaves both; the newer one is read."""
        self.write()
        self.file.take()
        newer = self.file.begin()
        self.file.publish(newer)
        newer.close()
        self.assertEqual(self.file.take(), Contents({}, 0, frozenset(), 0))

    def test_it_is_its_owners_alone(self) -> None:
        """The file has the mode 0600 regardless of the umask, and a file that others can read is refused."""
        before = os.umask(0)
        try:
            self.write()
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.path.chmod(0o640)
        self.assert_refused("mode 0640")

    def assert_refused(self, reason: str) -> None:
        """Assert that the journal is refused and set aside."""
        with self.assertRaisesRegex(DamagedJournalError, reason):
            self.file.take()
        self.assertEqual(self.names(), {"journal.damaged"})

    def test_a_fifo_is_refused(self) -> None:
        """A FIFO is refused at once, where opening it would wait for a writer for ever."""
        self.directory.mkdir()
        os.mkfifo(self.path, 0o600)
        self.assert_refused("not a regular file")

    def test_a_directory_is_refused(self) -> None:
        """A directory is refused."""
        self.path.mkdir(parents=True)
        self.assert_refused("not a regular file")

    def test_a_file_that_is_too_large_is_refused(self) -> None:
        """A file above the bound is not read into memory."""
        self.directory.mkdir()
        self.path.touch(0o600)
        os.truncate(self.path, MOST_BYTES + 1)
        self.assert_refused("larger than")

    def test_another_version_is_refused(self) -> None:
        """A journal of another version is set aside."""
        self.directory.mkdir()
        self.path.touch(0o600)
        # The checksum of `2 user: 2 0` is right, so that this is no damage.
        self.path.write_bytes(b"8c42b569 2 user: 2 0 {} 00000000\n")
        self.assert_refused("another version")

    def test_a_link_is_not_followed(self) -> None:
        """A symbolic link is not followed, neither to read nor to write, so that no other file is touched."""
        self.directory.mkdir()
        elsewhere = self.directory / "elsewhere"
        elsewhere.write_bytes(b"secret")
        elsewhere.chmod(0o600)
        self.path.symlink_to(elsewhere)
        self.assertRaises(OSError, self.file.take)
        (self.directory / "journal.new").symlink_to(elsewhere)
        self.write()
        self.assertEqual(elsewhere.read_bytes(), b"secret")
        self.assertFalse(self.path.is_symlink())

    def test_a_dangling_link_is_refused(self) -> None:
        """A symbolic link to nothing is no missing journal."""
        self.directory.mkdir()
        self.path.symlink_to(self.directory / "nothing")
        self.assertRaises(OSError, self.file.take)

    def test_only_what_is_synced_counts_as_synced(self) -> None:
        """Each line says how many bytes of the file were on the disk when it was written."""
        writer = self.file.begin()
        self.addCleanup(writer.close)
        writer.append([(KEY, BODY)])
        self.assertEqual(writer.synced, 0)
        writer.sync()
        self.assertEqual(writer.synced, writer.size)
        writer.append([(KEY, BODY)])
        lines = (self.directory / "journal.new").read_bytes().splitlines()
        self.assertEqual([int(line.split()[4]) for line in lines], [0, len(lines[0]) + 1])

    def test_a_directory_that_cannot_be_created(self) -> None:
        """`begin` raises OSError if the directory cannot be created."""
        self.directory.write_bytes(b"")
        self.assertRaises(OSError, JournalFile(self.directory / "below").begin)
