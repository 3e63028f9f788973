"""Says whether the server takes a token, and if not, which claim is wrong: `signald token --check FILE`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO

from signald.auth.token_claims import TokenError, format_time
from signald.auth.tokens import TokenVerifier
from signald.config.secret_files import read_file
from signald.config.settings import Config
from signald.config.values import ConfigError
from signald.core.message_sizes import utf8_length

__all__ = ["STANDARD_INPUT", "check_token", "read_token"]

STANDARD_INPUT = "-"
"""The name that stands for standard input in place of a file."""

_MOST_BYTES = 1 << 20
"""The most bytes that are read of standard input, as of a file with a key."""


def read_token(name: str, stream: BinaryIO) -> str:
    """Read a token, without the white space around it.

    Arguments:
        name: the name of a file, or `-` for the stream.
        stream: standard input.

    Raises:
        ConfigError: the file cannot be read, or is empty.

    """
    content = stream.read(_MOST_BYTES) if name == STANDARD_INPUT else read_file(Path(name))
    token = content.decode(errors="replace").strip()
    if not token:
        raise ConfigError(f"{name}: expected a token, found an empty file.")
    return token


def check_token(token: str, config: Config, now: float) -> tuple[bool, str]:
    """Return whether the server takes a token, and a sentence that says why not, or what the token allows.

    Arguments:
        token: the token.
        config: the configuration with the keys, the issuer, the audience and the limit of a token's size.
        now: wall time, in seconds since the epoch.

    Raises:
        ConfigError: the keys cannot be read, or there are none.

    """
    verifier = TokenVerifier(config.tokens)
    if not verifier.has_keys:
        # The running server may have one all the same, from a variable that this shell lacks.
        raise ConfigError(
            "tokens: found no key to check with; set tokens.secret_file, key_files or jwks_file, "
            "or the variable that the unit sets."
        )
    size, most = utf8_length(token), config.limits.token_bytes
    if size > most:
        return False, f"token-too-large: expected up to {most} bytes (limits.token_bytes), found {size}."
    try:
        grant = verifier.verify(token, now)
    except TokenError as error:
        return False, f"{error.code.value}: {error.mismatch.sentence}"
    where = "any session" if grant.session is None else f"session {grant.session}"
    # The grant lasts for the leeway longer than the token says, which may be until after the last year of `datetime`.
    until = format_time(grant.expires - config.tokens.leeway_seconds)
    return True, f"valid: {json.dumps(grant.user)} may be {grant.role.value} of {where} until {until}."
