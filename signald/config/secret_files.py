"""Secrets in files, refused where others can read them (`signald/net/keyfiles.py` has the same rule for keys)."""

from __future__ import annotations

import stat
from pathlib import Path

from signald.config.values import ConfigError
from signald.net.keyfiles import OWNER_AND_GROUP
from signald.net.regular_files import read_keys

__all__ = ["read_file", "read_secret"]


def read_secret(path: Path) -> bytes:
    """Read a secret: the file's bytes without the line end that editors and shells put after them.

    Raises:
        ConfigError: it cannot be read, is open to others, is empty, or is larger than any secret.

    """
    content, mode = read_keys(path, ConfigError)
    if mode & OWNER_AND_GROUP:
        raise ConfigError(f"The secret {path} is open to others (mode {stat.S_IMODE(mode):04o}); make it 0600.")
    secret = content.removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise ConfigError(f"{path} holds no secret: it is empty.")
    return secret


def read_file(path: Path) -> bytes:
    """Read a file whose content everybody may know.

    Raises:
        ConfigError: it cannot be read, or is too large.

    """
    return read_keys(path, ConfigError)[0]
