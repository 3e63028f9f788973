"""The configuration: one tree of checked values, and how each is read from text."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from attrs import field, frozen

from signald.limits import Limits
from signald.messages import IceServer
from signald.origins import Origin, origin_from
from signald.proxies import Network

DEFAULT_PORT = 9000
"""Of the page and the signaling socket."""


class ConfigError(Exception):
    """The configuration cannot be used; the text is one sentence for the operator."""


@frozen
class Config:
    """All that can be set.

    Attributes:
        data_dir: where the local authority and its certificates are kept.
        port: of the page and the signaling socket; 0 for any free one.
        interface: the address to listen on; None for all.
        ws_port: of the original's bare WebSocket; 0 for any free one, None for none.
        tls: whether `port` speaks TLS.
        certificate, key: files of a supplied certificate; None for one of the local authority.
        origins: other sites whose pages may connect.
        proxies: networks whose forwarding headers count.
        ice_servers: told to native clients.
        limits: all limits.

    """

    data_dir: Path
    port: int = DEFAULT_PORT
    interface: str | None = None
    ws_port: int | None = None
    tls: bool = True
    certificate: Path | None = None
    key: Path | None = None
    origins: tuple[Origin, ...] = ()
    proxies: tuple[Network, ...] = ()
    ice_servers: tuple[IceServer, ...] = ()
    limits: Limits = field(factory=Limits)

    def __attrs_post_init__(self) -> None:
        """Check what concerns several values.

        Raises:
            ConfigError: they do not fit each other.

        """
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("A certificate and its key are given together: --cert and --key.")
        if self.certificate is not None and not self.tls:
            raise ConfigError("A certificate is of no use without TLS: give --cert or --no-tls.")


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """`$STATE_DIRECTORY` under systemd, else `signald` in the user's data directory (XDG Base Directory).

    Raises:
        ConfigError: the user has no home.

    """
    state = environment.get("STATE_DIRECTORY")
    if state:
        return Path(state.split(os.pathsep)[0])
    data = environment.get("XDG_DATA_HOME", "")
    # "All paths set in these environment variables must be absolute"; one that is not is to be ignored.
    return Path(data) / "signald" if os.path.isabs(data) else read_path("~/.local/share/signald")


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
