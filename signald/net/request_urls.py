"""Checks the URLs that requests are sent to, without the HTTP client, whose import takes long."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["url_fault"]


def url_fault(url: str) -> str | None:
    """Return why others could answer what is sent to a URL, or why it is none; None if it can be used.

    It can be used if what is sent goes over TLS, or to this machine itself. The text ends a sentence that begins with
    "found", and repeats nothing of the URL, which may contain credentials.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "one whose host or port is not valid"
    if parts.scheme not in ("http", "https"):
        return "one that begins with neither"
    faults = {
        "one without a host": not parts.hostname,
        "one with port 0": port == 0,
        "one with a user or a password": parts.username is not None,
        "one with a fragment (#)": parts.fragment,
        "one with characters other than ASCII": not url.isascii(),
        "http:// to another machine; use https:// there": parts.scheme == "http" and not _is_here(parts.hostname or ""),
    }
    return next((fault for fault, is_there in faults.items() if is_there), None)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
