"""The lock of the data directory, which one daemon holds for its life and may hand over to its successor."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from attrs import define
from twisted.logger import Logger

from signald.config.values import ConfigError
from signald.net.regular_files import NotRegularFileError, open_regular

__all__ = ["LOCK_NAME", "DataDirectory", "acquire", "adopt"]

LOCK_NAME = "daemon.lock"
"""The name of the lock file; it stays when the daemon ends, since a file that is removed could be locked twice."""

_MOST_DIGITS = 10
"""The maximum number of digits of a process ID that is read from the lock file; Linux has seven at most."""

_log = Logger()


@define
class DataDirectory:
    """A data directory in which only this daemon writes.

    The lock is one of flock(2): it belongs to the open file, is shared by every process that inherits its descriptor,
    and ends when the last of them has closed it or has ended, however it ended. So a successor that is given the
    descriptor holds the lock without a gap.

    Attributes:
        path: the directory.
        descriptor: the descriptor of the locked file; None if the directory cannot be locked, or after `release`.

    """

    path: Path
    descriptor: int | None

    def record_process(self, process: int) -> None:
        """Write the ID of the process that holds the lock, for the error message of another daemon."""
        if self.descriptor is None:
            return
        try:
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, b"%d\n" % process, 0)
        except OSError as error:
            # On a full disk the lock holds nevertheless.
            _log.warn("the lock file does not name this process: {reason}", event="lock-unnamed", reason=error.strerror)

    def check_file(self, name: str) -> None:
        """Check that the directory has a regular file or nothing at all of this name.

        A start calls this before it binds a socket, so that it fails with a sentence.

        Raises:
            ConfigError: there is something else.

        """
        path = self.path / name
        try:
            os.close(open_regular(path, follow=False))
        except NotRegularFileError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
        except OSError:
            # Every other error is reported by the reader of the file, which leaves the daemon to start without it.
            return

    def release(self) -> None:
        """Close the descriptor; another daemon can lock the directory unless a successor holds the lock as well."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def acquire(path: Path) -> DataDirectory:
    """Lock a data directory for this daemon, and create the directory if it is missing.

    A directory that cannot be written or locked for another reason than another daemon, such as a read-only file
    system, is used without a lock, and the log has a warning.

    Raises:
        ConfigError: another daemon holds the lock, or the directory or its lock file is something else.

    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = open_regular(path / LOCK_NAME, os.O_RDWR | os.O_CREAT, follow=False)
    except NotRegularFileError as error:
        raise ConfigError(f"{error.filename} cannot be locked: {error.strerror}.") from None
    except FileExistsError:
        raise ConfigError(f"data_dir: {path} is not a directory; name another one.") from None
    except OSError as error:
        return _unlocked(path, error)
    try:
        _lock(path, descriptor)
    except OSError as error:
        os.close(descriptor)
        return _unlocked(path, error)
    except ConfigError:
        os.close(descriptor)
        raise
    return DataDirectory(path, descriptor)


def adopt(path: Path, descriptor: int) -> DataDirectory:
    """Take over the lock that the predecessor of this process holds.

    Arguments:
        path: the data directory.
        descriptor: the inherited descriptor of the lock; children of this process will not inherit it.

    Raises:
        ConfigError: the descriptor is not the lock of this directory, or another daemon holds the lock.

    """
    try:
        os.set_inheritable(descriptor, False)
        given, expected = os.fstat(descriptor), os.lstat(path / LOCK_NAME)
        is_lock = stat.S_ISREG(given.st_mode) and os.path.samestat(given, expected)
        if is_lock:
            # This succeeds at once if the predecessor holds the lock by the same open file.
            _lock(path, descriptor)
    except OSError as error:
        raise ConfigError(f"{path / LOCK_NAME} cannot be taken over: {error.strerror}.") from None
    if not is_lock:
        raise ConfigError(f"{path / LOCK_NAME} cannot be taken over: the descriptor is that of another file.")
    return DataDirectory(path, descriptor)


def _lock(path: Path, descriptor: int) -> None:
    """Lock the file without waiting.

    Raises:
        ConfigError: another daemon holds the lock.
        OSError: the file system has no locks.

    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, _MOST_DIGITS + 1, 0).strip()
        process = f" (process {holder.decode()})" if holder.isdigit() else ""
        raise ConfigError(
            f"data_dir: another signald{process} uses {path}; stop that one, or set another directory."
        ) from None


def _unlocked(path: Path, error: OSError) -> DataDirectory:
    _log.warn(
        "the data directory is not protected from a second signald: {reason}",
        event="data-directory-unlocked",
        reason=error.strerror,
    )
    return DataDirectory(path, None)
