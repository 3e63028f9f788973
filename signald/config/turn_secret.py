"""Reads the secret shared with the TURN servers."""

from __future__ import annotations

import string

from signald.config.secret_files import read_secret
from signald.config.settings import Ice
from signald.config.values import ConfigError
from signald.core.turn import MIN_SECRET_BYTES, Turn

__all__ = ["read_turn"]

_SECRET_BYTES = frozenset((string.ascii_letters + string.digits + string.punctuation).encode())
"""Bytes that a line of coturn's configuration file can hold."""

_REMEDY = (
    "`(umask 077; openssl rand -hex 32 > FILE)` makes a usable one; set the same one as coturn's static-auth-secret."
)
"""What to do about a secret that cannot be used. The umask keeps a new file from others."""


def read_turn(settings: Ice) -> Turn | None:
    """Read the TURN servers that credentials are made for; None where none is configured.

    Raises:
        ConfigError: the file with the secret cannot be read, is readable for others, or holds no usable secret.

    """
    if settings.turn_secret_file is None:
        return None
    secret = read_secret(settings.turn_secret_file)
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"The secret in {settings.turn_secret_file} has {len(secret)} characters; it needs at least"
            f" {MIN_SECRET_BYTES}, since any member can test guesses on a credential. {_REMEDY}"
        )
    if not _SECRET_BYTES.issuperset(secret):
        # coturn's configuration file cannot hold it as it is.
        raise ConfigError(
            f"The secret in {settings.turn_secret_file} contains spaces or characters other than ASCII. {_REMEDY}"
        )
    return Turn(settings.turn_urls, secret, settings.turn_seconds)
