"""Where a server is that the doctor asks: pure."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import frozen

from signald.config.values import ConfigError
from signald.net.origins import origin_from

__all__ = ["PublicUrl", "Target", "is_address"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
"""RFC 9110 §4.2.1, §4.2.2."""

_PATH = re.compile(r"(?:/[A-Za-z0-9._~%!$&'()*+,;=:@-]*)+")
"""RFC 3986 §3.3."""


def is_address(host: str) -> bool:
    """Whether that is an IP address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@frozen
class Target:
    """Where a server is.

    Attributes:
        host: a DNS name or an IP address.
        port: over TCP.
        tls: whether TLS is spoken.

    """

    host: str
    port: int
    tls: bool

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"


@frozen
class PublicUrl:
    """Where people open the page.

    Attributes:
        target: the server of it.
        path: of the page, with a slash at its end.

    """

    target: Target
    path: str = "/"

    @classmethod
    def read(cls, text: str) -> PublicUrl:
        """Read it from the command line.

        Raises:
            ConfigError: it is no address of a page.

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
        """Host and port as the Host header has them."""
        return self.target.authority

    @property
    def origin(self) -> str:
        """The origin of the page (RFC 6454 §6.2)."""
        return f"http{'s' if self.target.tls else ''}://{self.authority}"

    @property
    def socket(self) -> str:
        """The address of the signaling socket."""
        return f"ws{'s' if self.target.tls else ''}://{self.authority}{self.path}ws"
