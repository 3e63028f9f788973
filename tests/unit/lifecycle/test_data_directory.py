"""Tests of `signald.lifecycle.data_directory`, the lock that keeps a second daemon out of a data directory."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Any, cast

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config, Ice, Operations, Tokens, Webhook
from signald.config.values import ConfigError
from signald.lifecycle.data_directory import LOCK_NAME, DataDirectory, acquire, adopt
from signald.tap import make_daemon
from signald.tls.certificates import CertificateError


class LockCase(SynchronousTestCase):
    """A base class with the path of a data directory."""

    def setUp(self) -> None:
        """Choose a directory that does not exist yet."""
        self.path = Path(self.mktemp()).resolve() / "data"
        self.lock = self.path / LOCK_NAME

    def acquire(self) -> DataDirectory:
        """Lock the directory until the test ends."""
        directory = acquire(self.path)
        self.addCleanup(directory.release)
        return directory

    def refusal(self) -> str:
        """Return the sentence with which a daemon is refused."""
        return str(self.assertRaises(ConfigError, acquire, self.path))


class AcquireTests(LockCase):
    """`acquire` locks a directory for one daemon."""

    def test_created_for_its_owner(self) -> None:
        """The directory and the lock file are created for their owner alone."""
        directory = self.acquire()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(self.lock.stat().st_mode), 0o600)
        assert directory.descriptor is not None
        self.assertFalse(os.get_inheritable(directory.descriptor))

    def test_second_daemon(self) -> None:
        """A second daemon is refused with one sentence, which names the process once that is recorded."""
        first = self.acquire()
        said = f"data_dir: another signald uses {self.path}; stop that one, or set another directory."
        self.assertEqual(self.refusal(), said)
        for process in (41234, 7):
            first.record_process(process)
            self.assertIn(f"another signald (process {process}) uses", self.refusal())

    def test_content_of_the_lock_file(self) -> None:
        """A lock file with other content than a process ID names no process."""
        self.acquire()
        for content in (b"", b"\xff\xfe", b"12 34", b"-1", b"x" * 10_000):
            self.lock.write_bytes(content)
            self.assertIn("another signald uses", self.refusal())

    def test_refused_daemons_leave_nothing_open(self) -> None:
        """A daemon that is refused keeps no descriptor, and the lock of the first one holds."""
        self.acquire()
        before = os.listdir("/proc/self/fd")
        self.refusal()
        self.assertEqual(os.listdir("/proc/self/fd"), before)
        self.refusal()

    def test_released(self) -> None:
        """After the first daemon has ended, another one gets the lock; the file of a killed one does not matter."""
        first = self.acquire()
        first.record_process(41234)
        first.release()
        first.release()
        self.assertIsNone(first.descriptor)
        self.assertIsNotNone(self.acquire().descriptor)
        first.record_process(41235)
        self.assertIn("process 41234", self.refusal())

    def test_other_kinds_of_files(self) -> None:
        """A lock file or a directory of another kind is refused with its kind, and no symbolic link is followed."""
        self.path.mkdir(parents=True)
        elsewhere = self.path / "elsewhere"
        for make, kind in (
            (lambda: os.mkfifo(self.lock), "a FIFO"),
            (lambda: self.lock.symlink_to(elsewhere), "a symbolic link"),
        ):
            make()
            self.assertEqual(self.refusal(), f"{self.lock} cannot be locked: expected a regular file, found {kind}.")
            self.lock.unlink()
        self.assertFalse(elsewhere.exists())
        self.lock.mkdir()
        self.assertIn("expected a regular file, found a directory", self.refusal())

    def test_data_directory_that_is_a_file(self) -> None:
        """A data directory that is a file is refused with the setting's name."""
        self.path.parent.mkdir()
        self.path.write_bytes(b"")
        self.assertEqual(self.refusal(), f"data_dir: {self.path} is not a directory; name another one.")

    def test_link_to_a_directory(self) -> None:
        """A data directory that is a symbolic link is followed: under systemd, `DynamicUser=` makes it one."""
        self.path.parent.mkdir()
        elsewhere = self.path.with_name("private")
        elsewhere.mkdir()
        self.path.symlink_to(elsewhere)
        self.acquire()
        self.refusal()
        self.assertTrue((elsewhere / LOCK_NAME).is_file())

    def test_directory_that_cannot_be_written(self) -> None:
        """A directory that cannot be created is used without a lock, with a warning."""
        self.path.parent.mkdir()
        blocked = self.path.with_name("file")
        blocked.write_bytes(b"")
        events = self.enterContext(capturedLogs())
        directory = acquire(blocked / "data")
        self.assertIsNone(directory.descriptor)
        directory.record_process(1)
        directory.release()
        self.assertEqual([event["event"] for event in events], ["data-directory-unlocked"])

    def test_file_system_without_locks(self) -> None:
        """On a file system without locks, the directory is used with a warning, and no descriptor stays open."""

        def flock(*_: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        self.patch(fcntl, "flock", flock)
        events = self.enterContext(capturedLogs())
        before = os.listdir("/proc/self/fd")
        self.assertIsNone(self.acquire().descriptor)
        self.assertEqual(os.listdir("/proc/self/fd"), before)
        self.assertEqual([event["event"] for event in events], ["data-directory-unlocked"])

    def test_process_that_cannot_be_recorded(self) -> None:
        """A full disk keeps the process from being named, and not from holding the lock."""
        directory = self.acquire()
        assert directory.descriptor is not None
        full = os.open("/dev/full", os.O_RDWR)
        kept = os.dup(directory.descriptor)
        self.addCleanup(os.close, kept)
        os.dup2(full, directory.descriptor, inheritable=False)
        os.close(full)
        events = self.enterContext(capturedLogs())
        directory.record_process(41234)
        self.assertEqual([event["event"] for event in events], ["lock-unnamed"])
        self.refusal()


class AdoptTests(LockCase):
    """`adopt` takes over the lock of a predecessor."""

    def inherited(self, directory: DataDirectory) -> int:
        """Return a duplicate of the descriptor, as a child process that inherits it has."""
        assert directory.descriptor is not None
        return os.dup(directory.descriptor)

    def test_handed_over_without_a_gap(self) -> None:
        """The successor holds the lock with its predecessor, and alone once that has ended."""
        predecessor = self.acquire()
        successor = adopt(self.path, self.inherited(predecessor))
        self.addCleanup(successor.release)
        successor.record_process(41235)
        predecessor.release()
        self.assertIn("process 41235", self.refusal())
        successor.release()
        self.acquire()

    def test_successor_that_gives_up(self) -> None:
        """If the successor ends, the predecessor still holds the lock."""
        predecessor = self.acquire()
        adopt(self.path, self.inherited(predecessor)).release()
        self.refusal()
        self.assertIsNotNone(predecessor.descriptor)

    def test_children_do_not_inherit_it(self) -> None:
        """The descriptor, which was inheritable for the successor, is not inherited by the successor's children."""
        given = self.inherited(self.acquire())
        os.set_inheritable(given, True)
        successor = adopt(self.path, given)
        self.addCleanup(successor.release)
        self.assertFalse(os.get_inheritable(given))

    def test_descriptor_of_another_file(self) -> None:
        """A descriptor of another file, and a number without a file, are refused."""
        self.acquire()
        other = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, other)
        error = self.assertRaises(ConfigError, adopt, self.path, other)
        self.assertIn("the descriptor is that of another file", str(error))
        closed = os.dup(other)
        os.close(closed)
        error = self.assertRaises(ConfigError, adopt, self.path, closed)
        self.assertIn("Bad file descriptor", str(error))

    def test_file_without_the_lock(self) -> None:
        """A descriptor of the lock file that was opened separately does not share the lock, and is refused."""
        self.acquire().record_process(41234)
        separate = os.open(self.lock, os.O_RDWR)
        self.addCleanup(os.close, separate)
        error = self.assertRaises(ConfigError, adopt, self.path, separate)
        self.assertIn("another signald (process 41234) uses", str(error))


class StartTests(SynchronousTestCase):
    """Starts with something other than a regular file in the place of a file that the daemon reads."""

    def setUp(self) -> None:
        """Create a data directory."""
        self.data = Path(self.mktemp()).resolve()
        self.data.mkdir()

    def start(self, **options: Any) -> None:
        """Create a daemon on a free port and close its socket; after an error, no lock is held."""
        config = Config(self.data, port=0, interface="127.0.0.1", **options)
        try:
            daemon = make_daemon(config, cast(Any, MemoryReactorClock()))
        except (ConfigError, CertificateError):
            acquire(self.data).release()
            raise
        daemon.page.socket.close()
        daemon._data_directory.release()

    def assert_refused(self, path: Path, **options: Any) -> None:
        """Assert that a start is refused with a sentence for each kind of file at this path."""
        elsewhere = self.data / "elsewhere"
        path.unlink(missing_ok=True)
        for make, remove, kind in (
            (os.mkfifo, os.unlink, "a FIFO"),
            (os.mkdir, os.rmdir, "a directory"),
            (lambda name: os.symlink(elsewhere, name), os.unlink, "a symbolic link"),
        ):
            make(path)
            error = self.assertRaises((ConfigError, CertificateError), self.start, **options)
            self.assertRegex(str(error), rf"\A{path} cannot be \w+: expected a regular file, found {kind}\.\Z")
            self.assertTrue(os.path.lexists(path), "the file is left in its place")
            remove(path)
        self.assertFalse(elsewhere.exists())

    def test_data_directory(self) -> None:
        """A FIFO, directory or link in the place of a data file is refused, without waiting or following it."""
        for name in ("state.json", "journal", "process.json", "host-secret", LOCK_NAME, ".lock"):
            self.assert_refused(self.data / name, tls=False)
        self.start()
        for name in ("ca.pem", "ca-key.pem", "cert.pem", "key.pem"):
            self.start()
            self.assert_refused(self.data / name)
            for one in self.data.glob("*.pem"):
                one.unlink()

    def test_files_that_the_operator_names(self) -> None:
        """A FIFO or a directory is refused, and a symbolic link is followed, as certbot and Kubernetes need it."""
        self.start()
        links = {self.data / "one.pem": self.data / "cert.pem", self.data / "two.pem": self.data / "key.pem"}
        for link, target in links.items():
            link.symlink_to(target)
        certificate, key = links
        self.start(certificate=certificate, key=key)
        for link, target in links.items():
            link.unlink()
            for make, remove in ((os.mkfifo, os.unlink), (os.mkdir, os.rmdir)):
                make(link)
                with self.assertRaisesRegex(CertificateError, f"{link} cannot be read: expected a regular file"):
                    self.start(certificate=certificate, key=key)
                remove(link)
            link.symlink_to(target)

    def test_secrets(self) -> None:
        """A FIFO in the place of any secret, key or token is refused."""
        fifo = self.data / "fifo"
        os.mkfifo(fifo, 0o600)
        for options in (
            {"tokens": Tokens(secret_file=fifo)},
            {"tokens": Tokens(key_files=(fifo,))},
            {"tokens": Tokens(jwks_file=fifo)},
            {"webhook": Webhook(url="https://a.example/", secret_file=fifo)},
            {"ice": Ice(turn_urls=("turn:a.example",), turn_secret_file=fifo)},
            {"operations": Operations(admin_token_file=fifo)},
        ):
            with self.assertRaisesRegex(ConfigError, f"{fifo} cannot be read: expected a regular file, found a FIFO"):
                self.start(tls=False, **options)

    def test_a_second_daemon(self) -> None:
        """A second daemon of a data directory does not start, until the first one has saved its state."""
        config = Config(self.data, port=0, interface="127.0.0.1", tls=False)
        daemon = make_daemon(config, cast(Any, MemoryReactorClock()))
        daemon.page.socket.close()
        with self.assertRaisesRegex(ConfigError, rf"another signald \(process {os.getpid()}\) uses {self.data}"):
            make_daemon(config, cast(Any, MemoryReactorClock()))
        daemon._data_directory.release()
        self.start(tls=False)
