"""The command `signald token`, which creates a token, or checks one as the server does."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import jwt

from signald.auth.token_claims import CLAIM, TokenError
from signald.auth.token_keys import SigningKey, load_keys, read_signing_key, read_token_secret
from signald.auth.tokens import TokenVerifier
from signald.cli.token_check import STANDARD_INPUT, check_token, read_token
from signald.config.settings import Config, Tokens
from signald.config.sources import load
from signald.config.values import ConfigError, read_path
from signald.core.ids import parse_session_id
from signald.core.messages import Role

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST_SECONDS = 10 * 366 * 86400

_REFUSED = 1
"""The exit status of `--check` where the server refuses the token, and of every error without `--check`."""

_UNCHECKED = 2
"""The exit status of `--check` where the token or the configuration cannot be read, or names no key."""


class _Parser(argparse.ArgumentParser):
    """Raises a ConfigError for an invalid command line, where argparse would exit the process."""

    def error(self, message: str) -> NoReturn:
        """Raise a ConfigError with the message as a sentence."""
        raise ConfigError(f"signald token: {message}.")


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Print a token, or what is wrong with the one to check.

    Returns:
        0 after a token was printed or checked and found valid. After an error, which goes to stderr: 1, but 2 where a
        token was to be checked and could not be.

    """
    try:
        options = _parser().parse_args(arguments)
        file = None if options.config is None else read_path(options.config)
        config = load([], file, environment).config
        if options.check is not None:
            return _check(options.check, config)
        token = mint(options, config.tokens, time.time())
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return _UNCHECKED if any(argument.startswith("--check") for argument in arguments) else _REFUSED
    sys.stdout.write(f"{token}\n")
    return 0


def _check(name: str, config: Config) -> int:
    path = name if name == STANDARD_INPUT else str(read_path(name))
    is_valid, sentence = check_token(read_token(path, sys.stdin.buffer), config, time.time())
    (sys.stdout if is_valid else sys.stderr).write(f"{sentence}\n")
    return 0 if is_valid else _REFUSED


def mint(options: argparse.Namespace, settings: Tokens, now: float) -> str:
    """Create and sign the token that the options describe.

    Arguments:
        options: the parsed command line.
        settings: the section `tokens`; its issuer and audience are put into the token.
        now: the wall time in seconds since the epoch.

    Raises:
        ConfigError: there is no signing key, a value cannot be used, or the server would refuse the token.

    """
    if options.user is None:
        raise ConfigError("signald token: expected --user NAME, or --check FILE, found neither.")
    scope = {"role": options.role}
    if options.session is not None:
        session = parse_session_id(options.session)
        if session is None:
            raise ConfigError("A session ID has ten letters and digits, like ABC-DEFG-HJK, and no letter U.")
        scope["session"] = session
    claims: dict[str, Any] = {"sub": options.user, "iat": int(now), "exp": int(now) + _seconds(options.expires)}
    named = {"name": options.name, "iss": settings.issuer, "aud": settings.audience}
    claims |= {name: value for name, value in named.items() if value is not None}
    claims[CLAIM] = scope
    algorithm, key = _key(options, settings)
    headers = None if options.kid is None else {"kid": options.kid}
    token = jwt.encode(claims, key, algorithm=algorithm, headers=headers)
    if load_keys(settings):
        try:
            TokenVerifier(settings).verify(token, now)
        except TokenError as error:
            raise ConfigError(f"The server would not take this token: {error.mismatch.sentence}") from None
    return token


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="signald token",
        description="Mint a token (JWT) that lets somebody open or join sessions. Standard output gets it alone. "
        "With --check, say whether the server takes a token: the exit status is 0 if it does, 1 if it refuses it, and "
        "2 if the token or the configuration cannot be read, or names no key.",
        # The exit status of an error depends on whether --check is there, which an abbreviation would hide.
        allow_abbrev=False,
    )
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--user", metavar="NAME", help="whom it is for (the claim sub)")
    either.add_argument("--check", metavar="FILE", help="say what is wrong with the token in this file; - reads stdin")
    parser.add_argument("--session", metavar="ID", help="the only session that it is good for [any]")
    parser.add_argument(
        "--role", choices=[role.value for role in Role], default=Role.GUEST.value, help="a host may open [guest]"
    )
    parser.add_argument("--expires", metavar="TIME", default="1h", help="how long it is good: 90s, 15m, 1h, 7d [1h]")
    parser.add_argument("--name", metavar="TEXT", help="what the others in a session are told that they are called")
    parser.add_argument("--key", metavar="FILE", help="PEM file of a private key [the configuration's secret]")
    parser.add_argument("--kid", metavar="ID", help="the key's name in the server's JWKS")
    parser.add_argument("--config", "-c", metavar="FILE", help="the server's TOML file [what SIGNALD_CONFIG names]")
    return parser


def _key(options: argparse.Namespace, settings: Tokens) -> tuple[str, SigningKey | bytes]:
    if options.key is not None:
        return read_signing_key(read_path(options.key))
    if settings.secret_file is None:
        raise ConfigError("There is nothing to sign with: set tokens.secret_file, or give a private key with --key.")
    return "HS256", read_token_secret(settings.secret_file)


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d{0,8})([smhd])", text, re.ASCII)
    seconds = int(match[1]) * _UNITS[match[2]] if match is not None else 0
    if not 0 < seconds <= _MOST_SECONDS:
        raise ConfigError(f"{text:.20} is not a time like 90s, 15m, 1h or 7d, of ten years at most.")
    return seconds
