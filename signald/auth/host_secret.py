"""The secret from which host keys are derived, stored in a file so that host keys survive a restart."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from signald.config.values import ConfigError
from signald.net.file_modes import OWNER_ALONE
from signald.net.keyfiles import locked, write_files

SECRET_BYTES = 32
"""The size of the secret, in bytes."""

FILE_NAME = "host-secret"


def load_host_secret(directory: Path, random_bytes: Callable[[int], bytes]) -> bytes:
    """Read the secret of this data directory, and create it the first time.

    Raises:
        ConfigError: the file is damaged, or open to others.
        OSError: the directory cannot be read or written.

    """
    path = directory / FILE_NAME
    with locked(directory):
        if not path.exists():
            write_files({path: random_bytes(SECRET_BYTES)})
        with path.open("rb") as file:
            secret, mode = file.read(), os.fstat(file.fileno()).st_mode
    if mode & OWNER_ALONE:
        raise ConfigError(f"The secret {path} is open to others (mode {stat.S_IMODE(mode):04o}); set its mode to 0600.")
    if len(secret) != SECRET_BYTES:
        raise ConfigError(
            f"{path}: expected {SECRET_BYTES} bytes, found {len(secret)}. Restore it from a backup, or remove it, "
            "which invalidates all host keys."
        )
    return secret
