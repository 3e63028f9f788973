"""Host and Origin headers: parses them, and decides which pages may open a WebSocket."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address, ip_address

import idna
from attrs import frozen

__all__ = [
    "EVERY_ORIGIN",
    "FILE_ORIGIN",
    "NULL_ORIGIN",
    "Host",
    "Origin",
    "OriginRule",
    "host_name_from",
    "origin_from",
    "read_host",
    "read_origin",
]

_DEFAULT_PORTS = {"http": 80, "https": 443}
"""The default ports of schemes (RFC 9110 §4.2.1, §4.2.2)."""

_HOST = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]{1,255})|\[(?P<six>[0-9A-Fa-f:.]{2,45})\])(?::(?P<port>[0-9]{0,5}))?")
"""A host and port (RFC 3986 §3.2.2) without percent-encoding and sub-delimiters, which no host name contains.

The underscore is not allowed in host names (RFC 1123 §2.1), yet container networks assign such names.
"""

_RECENT = 64
"""Header values that are remembered with what they mean: a server has few names, and each upgrade is asked twice."""

_SITE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#@\s]+(?=[/?#].)")
"""The beginning of a URL with a host, before its path or query, that could be an origin."""

_ORIGIN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,63})://(?P<host>[^/?#@\s]+)")


@frozen
class Host:
    """The value of a Host header (RFC 9110 §7.2).

    Attributes:
        name: the canonical host: lower case, no trailing dot, an IPv6 address compressed and without brackets.
        port: the port; None for the scheme's default.

    """

    name: str
    port: int | None = None

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"

    @property
    def is_fixed(self) -> bool:
        """Whether the host is safe from DNS rebinding: `localhost` (RFC 6761 §6.3) or an IP address.

        The owner of any other name can point it to a loopback address after a browser has loaded a page from it; the
        page then has the same origin as the server at that address.
        """
        if self.name == "localhost" or self.name.endswith(".localhost"):
            return True
        try:
            ip_address(self.name)
        except ValueError:
            return False
        return True

    def is_among(self, names: frozenset[str] | None) -> bool:
        """Whether the host is safe from DNS rebinding or has one of these names; None stands for every name."""
        return names is None or self.name in names or self.is_fixed


@frozen
class Origin:
    """The origin of a page (RFC 6454 §4).

    Attributes:
        scheme: the scheme, in lower case.
        name: the host, as in `Host`.
        port: the port, also if it is the default; None where none was given and the scheme has no default.

    """

    scheme: str
    name: str
    port: int | None

    def __str__(self) -> str:
        if self in _WITHOUT_HOST:
            return self.scheme
        return f"{self.scheme}://{Host(self.name, self.port)}"

    @property
    def serialized(self) -> str:
        """The ASCII serialization, without the default port (RFC 6454 §6.2), as browsers write it."""
        default = self.port == _DEFAULT_PORTS.get(self.scheme)
        return str(Origin(self.scheme, self.name, None) if default else self)


EVERY_ORIGIN = Origin("*", "", None)
"""Stands for the origins of all sites in the configuration; no Origin header has this value."""

NULL_ORIGIN = Origin("null", "", None)
"""The opaque origin (HTML, "origin") of sandboxed frames, of `data:` URLs, and in Firefox of files."""

FILE_ORIGIN = Origin("file://", "", None)
"""The origin that Chromium and web views of apps send for all files of a device."""

_WITHOUT_HOST = frozenset({EVERY_ORIGIN, NULL_ORIGIN, FILE_ORIGIN})

_SPECIAL = {"*": EVERY_ORIGIN, "null": NULL_ORIGIN, "file://": FILE_ORIGIN, "file:///": FILE_ORIGIN}
"""What stands for an origin without a host in the configuration."""


def read_host(values: Sequence[str]) -> Host | None:
    """Parse a request's Host headers; None unless there is exactly one valid one (RFC 9112 §3.2)."""
    return _read_authority(values[0].strip(" \t")) if len(values) == 1 else None


@lru_cache(_RECENT)
def read_origin(value: str) -> Origin | None:
    """Parse an Origin header (RFC 6454 §7); None for a list and an invalid value."""
    if value == NULL_ORIGIN.scheme:
        return NULL_ORIGIN
    if value == FILE_ORIGIN.scheme:
        return FILE_ORIGIN
    matched = _ORIGIN.fullmatch(value)
    host = _read_authority(matched["host"]) if matched else None
    if matched is None or host is None:
        return None
    scheme = matched["scheme"].lower()
    return Origin(scheme, host.name, _DEFAULT_PORTS.get(scheme) if host.port is None else host.port)


def origin_from(text: str) -> Origin:
    """Parse an origin in the configuration: the host may be in Unicode (RFC 5891 §5), and a final slash is ignored.

    A `*` stands for the origins of all sites.

    Raises:
        ValueError: it is not an origin; the text says what was expected.

    """
    special = _SPECIAL.get(text)
    if special is not None:
        return special
    site = _SITE.match(text)
    if site is not None:
        raise ValueError(f"expected {site[0]} without path and query, got {text}")
    scheme, separator, rest = text.removesuffix("/").partition("://")
    host, colon, port = rest.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        host, colon, port = rest, "", ""
    try:
        host = _to_ascii(host)
    except idna.IDNAError:
        raise ValueError(f"expected an origin with a valid host name, got {text}") from None
    origin = read_origin(f"{scheme}{separator}{host}{colon}{port}")
    if origin is None or origin in _WITHOUT_HOST:
        raise ValueError(f"expected an origin such as https://app.example.org, got {text}")
    return origin


def host_name_from(text: str) -> str:
    """Parse a host name in the configuration, which may be in Unicode, and return the form of `Host.name`.

    Raises:
        ValueError: it is not a host name; the text says what was expected.

    """
    try:
        host = read_host([_to_ascii(text)])
    except idna.IDNAError:
        host = None
    if host is None or host.port is not None or text.endswith(":"):
        raise ValueError(f"expected a host name such as calls.example.org, without scheme and port, got {text:.100}")
    return host.name


def _to_ascii(host: str) -> str:
    """Encode a host name of Unicode for the wire (RFC 5891 §5); may raise `idna.IDNAError`."""
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


@frozen
class OriginRule:
    """Decides by the Origin header, which pages cannot forge, who may connect (RFC 6455 §10.2).

    Attributes:
        schemes: the allowed schemes of the page's own origin: `https` with TLS, behind a proxy also `http`.
        any_port: whether pages of the same host may have any port.
        others: further allowed origins, compared exactly.
        every: whether `EVERY_ORIGIN` among them allows all sites; otherwise it allows none. It never stands for
            `NULL_ORIGIN` and `FILE_ORIGIN`, which are no site's, and have to be named.
        missing: whether clients without an Origin header, which are not browsers, may connect.

    """

    schemes: frozenset[str] = frozenset({"https"})
    any_port: bool = False
    others: frozenset[Origin] = frozenset()
    missing: bool = True
    every: bool = False

    @classmethod
    def of(cls, *, tls: bool, others: Iterable[Origin] = (), missing: bool = True, every: bool = False) -> OriginRule:
        """Create the rule of the page's port; without TLS, a proxy in front of it may speak TLS."""
        schemes = frozenset({"https"} if tls else _DEFAULT_PORTS)
        return cls(schemes=schemes, others=frozenset(others), missing=missing, every=every)

    @classmethod
    def bare(cls, *, others: Iterable[Origin] = (), missing: bool = True) -> OriginRule:
        """Create the rule of the bare WebSocket port, whose pages are served from other ports of the same host."""
        return cls(schemes=frozenset(_DEFAULT_PORTS), any_port=True, others=frozenset(others), missing=missing)

    def allows(self, header: str | None, host: Host) -> bool:
        """Tell whether a client may connect to a host; `header` is its Origin header, None if it sent none."""
        if header is None:
            return self.missing
        origin = read_origin(header)
        if origin is None:
            return False
        if origin in self.others:
            return True
        if origin in _WITHOUT_HOST:
            return False
        if self.every and EVERY_ORIGIN in self.others:
            return True
        if origin.scheme not in self.schemes or origin.name != host.name:
            return False
        return self.any_port or origin.port == (_DEFAULT_PORTS[origin.scheme] if host.port is None else host.port)


@lru_cache(_RECENT)
def _read_authority(text: str) -> Host | None:
    """Parse `host[:port]` (RFC 3986 §3.2) without user information."""
    matched = _HOST.fullmatch(text)
    if matched is None:
        return None
    port = int(matched["port"]) if matched["port"] else None
    if port is not None and not 0 < port < 65536:
        return None
    if matched["six"] is not None:
        try:
            return Host(IPv6Address(matched["six"]).compressed, port)
        except AddressValueError:
            return None
    # One trailing dot makes a name absolute (RFC 1034 §3.1) and names the same host.
    name = matched["name"].lower().removesuffix(".")
    return Host(name, port) if all(name.split(".")) else None
