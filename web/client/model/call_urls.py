"""Builds the URLs of the page: the invitation link, and the address of the signaling WebSocket."""

from __future__ import annotations

__all__ = ["invitation_url", "is_loopback", "signaling_url"]


def _page_url(href: str) -> str:
    """Return a URL without its fragment and query."""
    return href.split("#")[0].split("?")[0]


def invitation_url(href: str, session: str) -> str:
    """Return the invitation link: the page's URL with the session id in the fragment, which no server sees."""
    return _page_url(href) + "#" + session


def signaling_url(href: str) -> str:
    """Return the WebSocket URL `ws` beside the page, with TLS if the page was loaded over TLS."""
    url = _page_url(href)
    return "ws" + url[len("http") : url.rfind("/")] + "/ws"


def is_loopback(hostname: str) -> bool:
    """Return whether a host name is a loopback name or address, which is of no use in a link for others."""
    return (
        hostname == "localhost" or hostname.endswith(".localhost") or hostname.startswith("127.") or hostname == "[::1]"
    )
