"""Reads the secret shared with the TURN servers."""

from __future__ import annotations

import string

from signald.config.secret_files import read_secret
from signald.config.tree import Ice
from signald.config.values import ConfigError
from signald.core.turn import MIN_SECRET_BYTES, Turn

__all__ = ["read_turn"]

_SECRET_BYTES = frozenset((string.ascii_letters + string.digits + string.punctuation).encode())
"""Bytes that a line of coturn's configuration file can hold."""


def read_turn(settings: Ice) -> Turn | None:
    """The TURN servers that credentials are made for; None where there are none.

    Raises:
        ConfigError: the secret's file cannot be read, is open to others, or holds no secret of this kind.

    """
    if settings.turn_secret_file is None:
        return None
    secret = read_secret(settings.turn_secret_file)
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"The secret in {settings.turn_secret_file} is too short: at least {MIN_SECRET_BYTES} characters,"
            " since any member can try secrets on a credential. `openssl rand -hex 32` makes one."
        )
    if not _SECRET_BYTES.issuperset(secret):
        # coturn's configuration file cannot hold it as it is.
        raise ConfigError(f"The secret in {settings.turn_secret_file} has characters other than ASCII, or spaces.")
    return Turn(settings.turn_urls, secret, settings.turn_seconds)
