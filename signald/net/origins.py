"""Which host a request names, and which pages may open a WebSocket here: the Host and Origin rules, pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import AddressValueError, IPv6Address, ip_address

import idna
from attrs import frozen

__all__ = ["Host", "Origin", "OriginRule", "origin_from", "read_host", "read_origin"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
"""RFC 9110 §4.2.1, §4.2.2."""

# RFC 3986 §3.2.2, without percent-encoding and without the sub-delimiters that no host name has; the underscore is
# no letter of a host name (RFC 1123 §2.1), yet container networks hand out such names.
_HOST = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]{1,255})|\[(?P<six>[0-9A-Fa-f:.]{2,45})\])(?::(?P<port>[0-9]{0,5}))?")
_ORIGIN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,63})://(?P<host>[^/?#@\s]+)")


@frozen
class Host:
    """What a Host header names (RFC 9110 §7.2).

    Attributes:
        name: the canonical host: lower case, no trailing dot, an IPv6 address compressed and without brackets.
        port: None where the scheme's default is meant.

    """

    name: str
    port: int | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether no page of a stranger can have this host: `localhost` (RFC 6761 §6.3), or an IP address.

        Whoever has a name can let it lead to another machine's loopback address a moment after its page was loaded,
        which is then of the same origin as what answers there (DNS rebinding).
        """
        if self.name == "localhost" or self.name.endswith(".localhost"):
            return True
        try:
            ip_address(self.name)
        except ValueError:
            return False
        return True


@frozen
class Origin:
    """The origin of a page (RFC 6454 §4), its default port filled in.

    Attributes:
        scheme: in lower case.
        name: as in `Host`.
        port: None where the scheme has no default and none was said.

    """

    scheme: str
    name: str
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.scheme}://{host}" + ("" if self.port is None else f":{self.port}")


def read_host(values: Sequence[str]) -> Host | None:
    """The host that a request's Host headers name, or None unless there is exactly one, and valid (RFC 9112 §3.2)."""
    return _read_authority(values[0].strip(" \t")) if len(values) == 1 else None


def read_origin(value: str) -> Origin | None:
    """The origin that an Origin header names (RFC 6454 §7); None for `null`, a list, and anything that is none."""
    matched = _ORIGIN.fullmatch(value)
    host = _read_authority(matched["host"]) if matched else None
    if matched is None or host is None:
        return None
    scheme = matched["scheme"].lower()
    return Origin(scheme, host.name, _DEFAULT_PORTS.get(scheme) if host.port is None else host.port)


def origin_from(text: str) -> Origin:
    """The origin that an operator wrote down; the host may be in Unicode (RFC 5891 §5), a final slash is let go.

    Raises:
        ValueError: it is no origin, in one sentence.

    """
    scheme, separator, rest = text.removesuffix("/").partition("://")
    host, colon, port = rest.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        host, colon, port = rest, "", ""
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise ValueError(f"{text} has no valid host name") from None
    origin = read_origin(f"{scheme}{separator}{host}{colon}{port}")
    if origin is None:
        raise ValueError(f"{text} is no origin; one looks like https://app.example.org")
    return origin


@frozen
class OriginRule:
    """Who may connect, by the Origin header, which browsers send and pages cannot forge (RFC 6455 §10.2).

    Attributes:
        schemes: those of pages of the own origin; with TLS `https` alone, behind a proxy either.
        any_port: whether pages of the same host may come from any port.
        others: further origins, exactly.
        missing: whether a client without Origin, which is no browser, may connect.

    """

    schemes: frozenset[str] = frozenset({"https"})
    any_port: bool = False
    others: frozenset[Origin] = frozenset()
    missing: bool = True

    @classmethod
    def of(cls, *, tls: bool, others: Iterable[Origin] = (), missing: bool = True) -> OriginRule:
        """Make the rule of the port that serves the page; without TLS the page may come through a proxy that has it."""
        schemes = frozenset({"https"} if tls else _DEFAULT_PORTS)
        return cls(schemes=schemes, others=frozenset(others), missing=missing)

    @classmethod
    def bare(cls, *, others: Iterable[Origin] = (), missing: bool = True) -> OriginRule:
        """Make the rule of the bare WebSocket port, whose pages are served from other ports of the same host."""
        return cls(schemes=frozenset(_DEFAULT_PORTS), any_port=True, others=frozenset(others), missing=missing)

    def allows(self, header: str | None, host: Host) -> bool:
        """Whether a client with that Origin header (None: it sent none) may connect to that host."""
        if header is None:
            return self.missing
        origin = read_origin(header)
        if origin is None:
            return False
        if origin in self.others:
            return True
        if origin.scheme not in self.schemes or origin.name != host.name:
            return False
        return self.any_port or origin.port == (_DEFAULT_PORTS[origin.scheme] if host.port is None else host.port)


def _read_authority(text: str) -> Host | None:
    """Read `host[:port]` (RFC 3986 §3.2) without user information."""
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
