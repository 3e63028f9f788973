"""Reads secrets from files, and rejects those that others may read, as `net/keyfiles.py` does with keys."""

from __future__ import annotations

import stat
from pathlib import Path

from signald.config.values import ConfigError
from signald.net.file_modes import OWNER_AND_GROUP
from signald.net.regular_files import read_keys

__all__ = ["read_file", "read_secret"]


def read_secret(path: Path) -> bytes:
    """Read a secret: the bytes of a file without one line end, which editors and shells append.

    Raises:
        ConfigError: the file cannot be read, is open to others, is empty, or is too large.

    """
    content, mode = read_keys(path, ConfigError)
    if mode & OWNER_AND_GROUP:
        raise ConfigError(f"The secret {path} is open to others (mode {stat.S_IMODE(mode):04o}); set its mode to 0600.")
    secret = content.removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise ConfigError(f"{path}: expected a secret, found an empty file.")
    return secret


def read_file(path: Path) -> bytes:
    """Read a file whose content is public.

    Raises:
        ConfigError: the file cannot be read, or is too large.

    """
    return read_keys(path, ConfigError)[0]
