"""The command `signald token`, which creates a token and prints only the token to standard output."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import jwt

from signald.auth.token_keys import SigningKey, load_keys, read_signing_key, read_token_secret
from signald.auth.tokens import CLAIM, TokenVerifier
from signald.config.settings import Tokens
from signald.config.sources import load
from signald.config.values import ConfigError, read_path
from signald.core.errors import SignalError
from signald.core.ids import parse_session_id
from signald.core.messages import Role

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST_SECONDS = 10 * 366 * 86400


class _Parser(argparse.ArgumentParser):
    """Raises a ConfigError for an invalid command line, where argparse would exit the process."""

    def error(self, message: str) -> NoReturn:
        """Raise a ConfigError with the message as a sentence."""
        raise ConfigError(f"signald token: {message}.")


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Print a token and return 0; if no token can be created, print the error to stderr and return 1."""
    try:
        options = _parser().parse_args(arguments)
        file = None if options.config is None else read_path(options.config)
        token = mint(options, load([], file, environment).config.tokens, time.time())
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{token}\n")
    return 0


def mint(options: argparse.Namespace, settings: Tokens, now: float) -> str:
    """Create and sign the token that the options describe.

    Arguments:
        options: the parsed command line.
        settings: the section `tokens`; its issuer and audience are put into the token.
        now: the wall time in seconds since the epoch.

    Raises:
        ConfigError: there is no signing key, a value cannot be used, or the server would refuse the token.

    """
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
        except SignalError:
            raise ConfigError(
                "The server would not take this token: its key is none of the configuration's (or it needs --kid), or "
                "a text in it is empty or too long."
            ) from None
    return token


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="signald token",
        description="Mint a token (JWT) that lets somebody open or join sessions. Standard output gets it alone.",
    )
    parser.add_argument("--user", metavar="NAME", required=True, help="whom it is for (the claim sub)")
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
