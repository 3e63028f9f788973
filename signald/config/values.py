"""Values of the configuration: how each kind is read from text."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from signald.core.messages import IceServer
from signald.net.origins import Origin, origin_from
from signald.net.proxies import Network


class ConfigError(Exception):
    """The configuration cannot be used; the text is one sentence for the operator."""


def read_path(text: str) -> Path:
    """Read the path of a file or folder, absolute from now on: twistd changes its working directory.

    Raises:
        ConfigError: it begins with `~`, and there is no such home; or no file has such a name.

    """
    if "\0" in text:
        raise ConfigError("There is a null character in the path.")
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
    """Read `URL` of a STUN server (RFC 7064), or `URL,user,secret` of a TURN server (RFC 7065).

    Raises:
        ConfigError: it is neither.

    """
    url, *credentials = text.split(",", 2)
    if url.startswith(("stun:", "stuns:")):
        if not _is_ice_url(url):
            raise ConfigError(f"{_shown(url)} is not a STUN server such as stun:HOST or stun:HOST:PORT.")
        if credentials:
            raise ConfigError(f"{url} is a STUN server, which takes no user and secret.")
        return IceServer((url,))
    read_turn_url(url)
    if len(credentials) != 2 or not all(credentials):
        raise ConfigError(f"{url} is a TURN server, which needs a user and a secret: URL,user,secret.")
    user, secret = credentials
    if len(user.encode()) > _MOST_USERNAME_BYTES or not (user.isprintable() and secret.isprintable()):
        raise ConfigError(f"{url} has a user that is too long, or characters in user or secret that cannot be shown.")
    return IceServer((url,), username=user, credential=secret)


def read_turn_url(text: str) -> str:
    """Read the URL of a TURN server (RFC 7065 §3.1), the scheme in lower case and the transport one that exists.

    Raises:
        ConfigError: it is none.

    """
    if text.startswith(("turn:", "turns:")) and _is_ice_url(text):
        return text
    raise ConfigError(f"{_shown(text)} is not a STUN or TURN server such as stun:HOST:PORT or turn:HOST?transport=udp.")


_ICE_URL = re.compile(
    r"(?:stuns?|(?P<turn>turns?)):(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<query>\?transport=(?:udp|tcp))?"
)
"""RFC 7064 §3.1 and RFC 7065 §3.1, of the names those that a resolver can look up, and no extensions."""

_HOST_NAME = re.compile(r"(?=.{1,253}$)(?:[0-9A-Za-z_](?:[0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?(?:\.(?=.)|$))+")
"""Labels of RFC 1123 §2.1, and the underscores that some have."""

_MOST_USERNAME_BYTES = 508
"""RFC 8489 §14.3: USERNAME has fewer than 509 bytes."""


def _is_ice_url(url: str) -> bool:
    found = _ICE_URL.fullmatch(url)
    if found is None or (found["query"] and not found["turn"]):
        return False
    if found["port"] is not None and not 0 < int(found["port"]) <= 65535:
        return False
    host = found["host"]
    try:
        if host.startswith("["):
            ipaddress.IPv6Address(host[1:-1])
        # A name whose last label is a number is taken for an IPv4 address by browsers (WHATWG URL §3.5).
        elif host.rpartition(".")[2].isdigit():
            ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return host.startswith("[") or _HOST_NAME.fullmatch(host) is not None


def _shown(text: str) -> str:
    """The beginning of a text, on one line."""
    return text[:100] if text.isprintable() else ascii(text[:100])
