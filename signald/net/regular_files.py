"""Reads files that the operator names, without blocking the reactor where the name is that of a FIFO."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["MOST_BYTES", "read_keys", "read_regular"]

MOST_BYTES = 1 << 20
"""The maximum size of a file with keys or a secret; a larger one is some other file."""


def read_regular(path: Path, most: int) -> tuple[bytes, int]:
    """Read a file and its mode, from the same descriptor; of a file above `most` bytes, one byte more than that.

    Raises:
        OSError: it cannot be read, or is not a regular file: a FIFO blocks, and a device may be endless.

    """
    # O_NONBLOCK has no effect on regular files, and keeps open(2) from waiting for the writer of a FIFO.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "It is not a regular file")
        return file.read(most + 1), mode


def read_keys(path: Path, refusal: type[Exception]) -> tuple[bytes, int]:
    """Read a file with keys, certificates or a secret, and its mode.

    Arguments:
        path: the path of the file.
        refusal: the exception to raise, with a sentence, if it cannot be read or is too large.

    """
    try:
        content, mode = read_regular(path, MOST_BYTES)
    except OSError as error:
        raise refusal(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > MOST_BYTES:
        raise refusal(f"{path} is too large: expected at most {MOST_BYTES} bytes.")
    return content, mode
