"""Parses the values of settings from text, and rejects invalid ones."""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
from pathlib import Path

from signald.core.ice_server import IceServer
from signald.net.origins import Origin, host_name_from, origin_from
from signald.net.proxies import Network


class ConfigError(Exception):
    """The configuration is invalid; the text is for the operator, one error per line."""


def read_path(text: str) -> Path:
    """Parse the path of a file or directory and make it absolute, since twistd changes its working directory.

    Raises:
        ConfigError: it is a URL, contains a null character, or begins with `~` and the home directory is unknown.

    """
    if "\0" in text:
        raise ConfigError("expected a path, got one with a null character.")
    if _URL_SCHEME.match(text):
        raise ConfigError("expected the name of a file or directory, got a URL; download it, and name the file.")
    try:
        if os.environ.get("HOME") == "" and (text == "~" or text.startswith("~/")):
            # `expanduser` would take the root directory. An empty variable is treated as a missing one.
            return Path(pwd.getpwuid(os.getuid()).pw_dir + text[1:]).absolute()
        return Path(text).expanduser().absolute()
    except (RuntimeError, KeyError):
        raise ConfigError(
            f"expected an absolute path, got {text}, and there is no home directory to resolve it."
        ) from None


def read_port(text: str) -> int:
    """Parse a port number, 0 for any free one.

    Raises:
        ConfigError: it is not a port number.

    """
    # The length is checked first: Python refuses to convert thousands of digits.
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > 65535:
        raise ConfigError(f"expected a port number (0 to 65535), got {text:.20}.")
    return int(text)


def read_interface(text: str, default: str) -> str:
    """Parse the IP address of an interface.

    Arguments:
        text: the address, without a port.
        default: what a setting that is left out stands for, in words for the operator.

    Raises:
        ConfigError: it is not an IP address.

    """
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ConfigError(
            f"expected an IP address without a port, such as 127.0.0.1, got {text}; leave the setting out for "
            f"{default}."
        ) from None


def read_origin(text: str) -> Origin:
    """Parse an origin (RFC 6454 §6.2).

    Raises:
        ConfigError: it is not an origin.

    """
    try:
        return origin_from(text)
    except ValueError as error:
        raise ConfigError(f"{error}.") from None


def read_embed_origin(text: str) -> Origin:
    """Parse the origin of a page that may show the call page in a frame.

    Raises:
        ConfigError: it is not the origin of a web page with a host name; CSP Level 3 §2.3.1 knows no other in
            `frame-ancestors`.

    """
    origin = read_origin(text)
    if origin.scheme not in ("http", "https") or ":" in origin.name:
        raise ConfigError(
            "expected http(s)://HOST of the page that holds the frame, such as https://app.example.org, "
            f"got {text:.100}."
        )
    return origin


def read_host_name(text: str) -> str:
    """Parse the name of a host, as a Host header has it without the port.

    Raises:
        ConfigError: it is not a host name.

    """
    try:
        return host_name_from(text)
    except ValueError as error:
        raise ConfigError(f"{error}.") from None


def read_base_path(text: str) -> str:
    """Parse the path below which something is served; a slash is added to its end.

    Raises:
        ConfigError: it is not such a path.

    """
    path = text if text.endswith("/") else f"{text}/"
    if len(path) > _MOST_PATH or _BASE_PATH.fullmatch(path) is None or {".", ".."} & set(path.split("/")):
        raise ConfigError(f"expected a path such as / or /calls/, of letters, digits and -._~, got {text:.40}.")
    return path


def read_application_key(text: str) -> str:
    """Parse the key of an application, which stands in URLs.

    Raises:
        ConfigError: it is not such a key.

    """
    if _APPLICATION_KEY.fullmatch(text) is None:
        raise ConfigError(f"expected a key of 1 to 64 letters, digits, - and _, got {text:.70}.")
    return text


def read_network(text: str) -> Network:
    """Parse a network or a single address.

    Raises:
        ConfigError: it is neither.

    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        hint = f"; did you mean {ipaddress.ip_network(text, strict=False)}?"
    except ValueError:
        hint = "."
    raise ConfigError(f"expected a network such as 10.0.0.0/8 or an address, got {text}{hint}")


def read_ice_server(text: str) -> IceServer:
    """Parse `URL` of a STUN server (RFC 7064), or `URL,user,secret` of a TURN server (RFC 7065).

    Raises:
        ConfigError: it is neither.

    """
    url, *credentials = text.split(",", 2)
    if url.startswith(("stun:", "stuns:")):
        if not _is_ice_url(url):
            raise ConfigError(
                "expected a STUN server such as stun:HOST, or stun:HOST:PORT with a port from 1 to 65535, "
                f"got {_excerpt(url)}."
            )
        if credentials:
            raise ConfigError(f"expected the URL of a STUN server alone, got {url} with a user and a secret.")
        return IceServer((url,))
    if not url.startswith(_TURN_SCHEMES):
        raise ConfigError(
            f"expected a STUN or TURN server such as stun:HOST:PORT or turn:HOST?transport=udp, got {_excerpt(url)}."
        )
    read_turn_url(url)
    if len(credentials) != 2 or not all(credentials):
        raise ConfigError(
            f'expected one text "{url},USER,SECRET" for a TURN server, got the URL without a user or a secret; or use '
            "ice.turn_urls with ice.turn_secret_file."
        )
    user, secret = credentials
    if len(user.encode()) > _MOST_USERNAME_BYTES or not (user.isprintable() and secret.isprintable()):
        raise ConfigError(
            f"expected a user of at most {_MOST_USERNAME_BYTES} bytes and printable characters, got others for {url}."
        )
    return IceServer((url,), username=user, credential=secret)


def read_turn_url(text: str) -> str:
    """Parse the URL of a TURN server (RFC 7065 §3.1) with a scheme in lower case and the transport UDP or TCP.

    Raises:
        ConfigError: it is not such a URL.

    """
    url, comma, _ = text.partition(",")
    if url.startswith(_TURN_SCHEMES) and _is_ice_url(url):
        if not comma:
            return url
        raise ConfigError(
            f"expected the URL of a TURN server alone, got {_excerpt(url)} with a user or a secret; a server with a "
            "fixed user goes into ice.servers."
        )
    raise ConfigError(
        "expected a TURN server such as turn:HOST:PORT?transport=udp (udp or tcp), or turns:HOST?transport=tcp for "
        f"TLS, got {_excerpt(url)}."
    )


_TURN_SCHEMES = ("turn:", "turns:")
"""What the URLs of TURN servers begin with (RFC 7065 §3.1)."""

_URL_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""The beginning of a URL (RFC 3986 §3.1), which nobody means as the name of a file."""

_BASE_PATH = re.compile(r"/(?:[A-Za-z0-9._~-]+/)*")
"""A path of unreserved characters (RFC 3986 §2.3), which every client and proxy sends as it is."""

_MOST_PATH = 256
"""The maximum length of a base path, in characters."""

_APPLICATION_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")

_ICE_URL = re.compile(
    r"(?:stuns?|(?P<turn>turns?)):(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<query>\?transport=(?:udp|tcp))?"
)
"""The URL of a STUN or TURN server (RFC 7064 §3.1, RFC 7065 §3.1) without extensions."""

_HOST_NAME = re.compile(r"(?=.{1,253}$)(?:[0-9A-Za-z_](?:[0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?(?:\.(?=.)|$))+")
"""A host name: labels of RFC 1123 §2.1, and underscores, which some networks use."""

_MOST_USERNAME_BYTES = 508
"""The maximum length of USERNAME, which has fewer than 509 bytes (RFC 8489 §14.3)."""


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
        # Browsers parse a name whose last label is a number as an IPv4 address (WHATWG URL §3.5).
        elif host.rpartition(".")[2].isdigit():
            ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return host.startswith("[") or _HOST_NAME.fullmatch(host) is not None


def _excerpt(text: str) -> str:
    """Return the beginning of a text, on one line."""
    return text[:100] if text.isprintable() else ascii(text[:100])
