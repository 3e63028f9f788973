"""Reads files that the operator names, without waiting: a pipe in the place of one would stop the reactor."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["MOST_BYTES", "read_keys", "read_regular"]

MOST_BYTES = 1 << 20
"""Of a file with keys or a secret: past that it is another file."""


def read_regular(path: Path, most: int) -> tuple[bytes, int]:
    """Read a file with its mode, taken from the same open file; of a larger one so many bytes and one more.

    Raises:
        OSError: it cannot be read, or is no regular file: opening a FIFO waits for its writer, and a device may not
            end.

    """
    # O_NONBLOCK is of no meaning for regular files, and keeps a FIFO from waiting (open(2)).
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "It is no regular file")
        return file.read(most + 1), mode


def read_keys(path: Path, refusal: type[Exception]) -> tuple[bytes, int]:
    """Read a file with keys, certificates or a secret, with its mode.

    Arguments:
        path: of the file.
        refusal: raised with a sentence where it cannot be read, or is too large.

    """
    try:
        content, mode = read_regular(path, MOST_BYTES)
    except OSError as error:
        raise refusal(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > MOST_BYTES:
        raise refusal(f"{path} is too large for what it should hold.")
    return content, mode
