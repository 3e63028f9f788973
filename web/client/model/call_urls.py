"""The addresses of the page: the link to a call, and the signaling socket beside it."""

from __future__ import annotations

__all__ = ["invitation_url", "is_loopback", "signaling_url"]


def _page_url(href: str) -> str:
    """Return an address without fragment and query."""
    return href.split("#")[0].split("?")[0]


def invitation_url(href: str, session: str) -> str:
    """Return the link to a session: the page's own address, and the id in the fragment, which no server sees."""
    return _page_url(href) + "#" + session


def signaling_url(href: str) -> str:
    """Return the address of the signaling socket: `ws` beside the page, with TLS where the page has it."""
    url = _page_url(href)
    return "ws" + url[len("http") : url.rfind("/")] + "/ws"


def is_loopback(hostname: str) -> bool:
    """Return whether a host name means the very computer that uses it, so that it is of no use to others."""
    return (
        hostname == "localhost" or hostname.endswith(".localhost") or hostname.startswith("127.") or hostname == "[::1]"
    )
