"""Describes the servers that the doctor connects to: their hosts, ports and URLs."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import frozen

from signald.config.values import ConfigError
from signald.net.origins import origin_from

__all__ = ["NO_ADDRESS", "PublicUrl", "Target", "address_remedy", "is_address"]

NO_ADDRESS = "its name has no address"
"""The end of a sentence about a server whose name cannot be resolved."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
"""The default ports of the URI schemes (RFC 9110 §4.2.1, §4.2.2)."""

_PATH = re.compile(r"(?:/[A-Za-z0-9._~%!$&'()*+,;=:@-]*)+")
"""The absolute path of a URI (RFC 3986 §3.3)."""


def address_remedy(host: str, setting: str) -> str:
    """Return what to do about a name without an address; `setting` is where the operator wrote the name."""
    return (
        f"Give {host} an A or AAAA record at whoever serves its domain, or correct {setting}; `getent ahosts {host}` "
        "shows what this machine finds, and a new record may take until the old answer expires."
    )


def is_address(host: str) -> bool:
    """Return whether the host is an IP address and not a DNS name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@frozen
class Target:
    """The address of a server.

    Attributes:
        host: a DNS name or an IP address.
        port: the TCP or UDP port.
        tls: whether the server uses TLS.

    """

    host: str
    port: int
    tls: bool

    @property
    def authority(self) -> str:
        """The host and the port in the form of the Host header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"


@frozen
class PublicUrl:
    """The URL at which users open the page.

    Attributes:
        target: the server of the page.
        path: the path of the page, which ends with a slash.

    """

    target: Target
    path: str = "/"

    @classmethod
    def read(cls, text: str) -> PublicUrl:
        """Parse a URL from the command line.

        Raises:
            ConfigError: the text is not the URL of a page.

        """
        try:
            parts = urlsplit(text)
            origin = origin_from(f"{parts.scheme}://{parts.netloc}")
        except ValueError:
            raise ConfigError(f"{text:.200} is no address of a page such as https://calls.example.org/.") from None
        path = parts.path if parts.path.endswith("/") else f"{parts.path}/"
        if origin.port is None or origin.scheme not in _DEFAULT_PORTS or not _PATH.fullmatch(path):
            raise ConfigError(f"{text:.200} is no address of a page such as https://calls.example.org/.")
        return cls(Target(origin.name, origin.port, origin.scheme == "https"), path)

    @property
    def authority(self) -> str:
        """The host and the port in the form of the Host header."""
        return self.target.authority

    @property
    def origin(self) -> str:
        """The origin of the page (RFC 6454 §6.2)."""
        return f"http{'s' if self.target.tls else ''}://{self.authority}"

    @property
    def page(self) -> str:
        """The URL of the page."""
        return f"{self.origin}{self.path}"

    @property
    def socket(self) -> str:
        """The URL of the signaling WebSocket."""
        return f"ws{'s' if self.target.tls else ''}://{self.authority}{self.path}ws"
