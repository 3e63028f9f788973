"""Reads and creates files without blocking, and refuses whatever is not a regular file; what is read has a bound."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["MOST_BYTES", "NotRegularFileError", "create_new", "open_regular", "read_keys", "read_regular"]

MOST_BYTES = 1 << 20
"""The maximum size of a file with keys or a secret; a larger one is some other file."""

_PART_BYTES = 1 << 20
"""The number of bytes that are read at once."""

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link",
}


class NotRegularFileError(OSError):
    """A path leads to something other than a regular file; `strerror` says what was expected and what was found."""

    def __init__(self, path: Path, kind: int) -> None:
        """Create the error.

        Arguments:
            path: the path, which becomes `filename`.
            kind: what was found, as stat.S_IFMT returns it.

        """
        found = _KINDS.get(kind, "something else")
        super().__init__(errno.EINVAL, f"expected a regular file, found {found}", str(path))


def open_regular(path: Path, flags: int = os.O_RDONLY, *, follow: bool = True) -> int:
    """Open a regular file without blocking, and return its descriptor, which child processes do not inherit.

    Arguments:
        path: the path of the file.
        flags: the flags of open(2), such as os.O_RDWR | os.O_CREAT; a new file has mode 0600.
        follow: whether a symbolic link as the last part of the path is followed, as for files that the operator names:
            those of certbot and Kubernetes are symbolic links. In the data directory, none is followed, since signald
            creates none there, and one would lead the daemon to a file that another user chose.

    Raises:
        NotRegularFileError: it is a directory, a FIFO, a socket, a device, or a symbolic link that is not followed.
        OSError: it cannot be opened.

    """
    # O_NONBLOCK has no effect on regular files, and keeps open(2) from waiting for the other end of a FIFO.
    flags |= os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        # open(2) fails for a socket (ENXIO), a directory that is to be written (EISDIR) and a link (ELOOP).
        if error.errno in (errno.ENXIO, errno.EISDIR, errno.ELOOP):
            _refuse_other_kinds(path, follow=follow)
        raise
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise NotRegularFileError(path, kind)
    return descriptor


def create_new(path: Path, flags: int = 0) -> int:
    """Create a file in the place of whatever has this path, which is not opened; returns the descriptor for writing.

    Arguments:
        path: the path of the file, which gets mode 0600.
        flags: further flags of open(2), such as os.O_APPEND.

    Raises:
        OSError: it cannot be created.

    """
    path.unlink(missing_ok=True)
    return os.open(path, flags | os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def read_regular(path: Path, most: int, *, follow: bool = True) -> tuple[bytes, int]:
    """Read a file and its mode, from the same descriptor; of a file above `most` bytes, one byte more than that.

    Arguments:
        path: the path of the file.
        most: the maximum number of bytes.
        follow: whether a symbolic link is followed, as for `open_regular`.

    Raises:
        NotRegularFileError: it is not a regular file: a FIFO blocks, and a device may be endless.
        OSError: it cannot be read.

    """
    content = bytearray()
    with open(open_regular(path, follow=follow), "rb") as file:
        # One read of the whole would reserve memory for the bound, and not for what the file has.
        while part := file.read(min(_PART_BYTES, most + 1 - len(content))):
            content += part
        return bytes(content), os.fstat(file.fileno()).st_mode


def read_keys(path: Path, refusal: type[Exception], *, follow: bool = True) -> tuple[bytes, int]:
    """Read a file with keys, certificates or a secret, and its mode.

    Arguments:
        path: the path of the file.
        refusal: the exception to raise, with a sentence, if it cannot be read or is too large.
        follow: whether a symbolic link is followed, as for `open_regular`.

    Raises:
        refusal: the file cannot be read, is not a regular file, or is too large.

    """
    try:
        content, mode = read_regular(path, MOST_BYTES, follow=follow)
    except OSError as error:
        raise refusal(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > MOST_BYTES:
        raise refusal(f"{path} is too large: expected at most {MOST_BYTES} bytes.")
    return content, mode


def _refuse_other_kinds(path: Path, *, follow: bool) -> None:
    """Raise NotRegularFileError if the path leads to something that open(2) refuses for its kind."""
    try:
        kind = stat.S_IFMT(os.stat(path, follow_symlinks=follow).st_mode)
    except OSError:
        return
    if kind != stat.S_IFREG:
        raise NotRegularFileError(path, kind)
