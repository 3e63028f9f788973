"""The secret from which host keys are derived, stored in a file so that host keys survive a restart."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from signald.config.values import ConfigError
from signald.net.file_modes import OWNER_ALONE
from signald.net.keyfiles import locked, write_files
from signald.net.regular_files import NotRegularFileError, read_regular

SECRET_BYTES = 32
"""The size of the secret, in bytes."""

FILE_NAME = "host-secret"


def load_host_secret(directory: Path, random_bytes: Callable[[int], bytes]) -> bytes:
    """Read the secret of this data directory, and create it the first time.

    Raises:
        ConfigError: the file is damaged, open to others, or not a regular file.
        OSError: the directory cannot be read or written.

    """
    path = directory / FILE_NAME
    try:
        with locked(directory):
            if not os.path.lexists(path):
                write_files({path: random_bytes(SECRET_BYTES)})
            secret, mode = read_regular(path, SECRET_BYTES, follow=False)
    except NotRegularFileError as error:
        raise ConfigError(f"{error.filename} cannot be used: {error.strerror}.") from None
    if mode & OWNER_ALONE:
        raise ConfigError(f"The secret {path} is open to others (mode {stat.S_IMODE(mode):04o}); set its mode to 0600.")
    if len(secret) != SECRET_BYTES:
        found = len(secret) if len(secret) < SECRET_BYTES else "more"
        raise ConfigError(
            f"{path}: expected {SECRET_BYTES} bytes, found {found}. Restore it from a backup, or remove it, "
            "which invalidates all host keys."
        )
    return secret
