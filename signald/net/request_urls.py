"""Checks the URLs that requests are sent to, without the HTTP client, whose import takes long."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["is_usable"]


def is_usable(url: str) -> bool:
    """Whether nobody else can answer what is sent there: it goes over TLS, or to this machine itself."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not parts.hostname or port == 0 or parts.username is not None or not url.isascii() or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
