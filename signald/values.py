"""Values of the configuration: how each kind is read from text."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from signald.messages import IceServer
from signald.origins import Origin, origin_from
from signald.proxies import Network


class ConfigError(Exception):
    """The configuration cannot be used; the text is one sentence for the operator."""


def read_path(text: str) -> Path:
    """Read the path of a file or folder, absolute from now on: twistd changes its working directory.

    Raises:
        ConfigError: it begins with `~`, and there is no such home.

    """
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ConfigError(f"There is no home folder to find {text} in; give the whole path.") from None


def read_port(text: str) -> int:
    """Read a port number, 0 for any free one.

    Raises:
        ConfigError: it is none.

    """
    # Its length first: Python refuses to read thousands of digits.
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > 65535:
        raise ConfigError(f"{text:.20} is not a port number (0 to 65535).")
    return int(text)


def read_interface(text: str) -> str:
    """Read the address of an interface.

    Raises:
        ConfigError: it is no IP address.

    """
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ConfigError(f"{text} is not an IP address to listen on.") from None


def read_origin(text: str) -> Origin:
    """Read an origin (RFC 6454 §6.2).

    Raises:
        ConfigError: it is none.

    """
    try:
        return origin_from(text)
    except ValueError as error:
        raise ConfigError(f"{error}.") from None


def read_network(text: str) -> Network:
    """Read a network or a single address.

    Raises:
        ConfigError: it is neither.

    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ConfigError(f"{text} is not a network such as 10.0.0.0/8 or an address.") from None


def read_ice_server(text: str) -> IceServer:
    """Read `URL` or `URL,user,secret`: a STUN or TURN server (RFC 7064, RFC 7065).

    Raises:
        ConfigError: it is none.

    """
    url, *credentials = text.split(",", 2)
    scheme, colon, rest = url.partition(":")
    if scheme not in ("stun", "stuns", "turn", "turns") or not colon or not _is_ice_address(rest, scheme):
        raise ConfigError(f"{url} is not a STUN or TURN server such as stun:HOST:PORT or turn:HOST?transport=udp.")
    if scheme in ("stun", "stuns"):
        if credentials:
            raise ConfigError(f"{url} is a STUN server, which takes no user and secret.")
        return IceServer((url,))
    if len(credentials) != 2 or not all(credentials):
        raise ConfigError(f"{url} is a TURN server, which needs a user and a secret: URL,user,secret.")
    user, secret = credentials
    return IceServer((url,), username=user, credential=secret)


def _is_ice_address(text: str, scheme: str) -> bool:
    """Whether this is HOST[:PORT], with `?transport=` where it is a TURN server's (RFC 7065 §3.1)."""
    host, mark, query = text.partition("?")
    if mark and (scheme.startswith("stun") or query not in ("transport=udp", "transport=tcp")):
        return False
    try:
        parts = urlsplit(f"//{host}")
        return bool(parts.hostname) and parts.netloc == host and "@" not in host and parts.port != 0
    except ValueError:
        return False
