"""Builds the URLs of the page: the invitation link, and the address of the signaling WebSocket."""

from __future__ import annotations

from signald_client.signaling.names import MAX_CHARACTERS, clean_name

__all__ = [
    "MAX_ENCODED",
    "find_inviter",
    "invitation_url",
    "is_loopback",
    "mail_url",
    "name_inviter",
    "signaling_url",
    "storage_prefix",
    "unquote",
]

INVITER = "&from="
"""Separates the session id in a link's fragment from the name of the person who invites."""

MAX_ENCODED = 12 * MAX_CHARACTERS
"""The longest percent-encoding of a name: a character has up to four bytes, of which each takes three characters."""

HEXADECIMAL = "0123456789ABCDEFabcdef"
"""The digits of a percent-encoding; `int` would take signs, spaces and underscores too."""

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
"""The characters that stand for themselves in every part of a URL (RFC 3986 §2.3)."""


def _page_url(href: str) -> str:
    """Return a URL without its fragment and query."""
    return href.split("#")[0].split("?")[0]


def invitation_url(href: str, session: str) -> str:
    """Return the invitation link: the page's URL with the session id in the fragment, which no server sees."""
    return _page_url(href) + "#" + session


def name_inviter(link: str, name: str) -> str:
    """Return an invitation link that names the person who invites; without a name, one that names nobody."""
    return link.split(INVITER)[0] + (INVITER + _quote(name) if name else "")


def find_inviter(fragment: str) -> str:
    """Return the name that a link's fragment gives for the person who invites; empty for none, and for one too long.

    Whoever made the link chose the name, so it is cleaned like every other name.
    """
    encoded = fragment.partition(INVITER)[2].partition("&")[0]
    return clean_name(unquote(encoded)) if len(encoded) <= MAX_ENCODED else ""


def mail_url(subject: str, body: str) -> str:
    """Return a `mailto` URL without a recipient (RFC 6068 §2); line breaks become CR and LF."""
    return "mailto:?subject=" + _quote(subject) + "&body=" + _quote(body.replace("\n", "\r\n"))


def signaling_url(href: str) -> str:
    """Return the WebSocket URL `ws` beside the page, with TLS if the page was loaded over TLS."""
    url = _page_url(href)
    return "ws" + url[len("http") : url.rfind("/")] + "/ws"


def storage_prefix(pathname: str) -> str:
    """Return what the names of stored settings and of locks begin with on a page with this path in its URL.

    All pages of an origin share its storage, also those of two servers under two paths.
    """
    return "signald" + pathname[: pathname.rfind("/")] + "."


def is_loopback(hostname: str) -> bool:
    """Return whether a host name is a loopback name or address, which is of no use in a link for others."""
    return (
        hostname == "localhost" or hostname.endswith(".localhost") or hostname.startswith("127.") or hostname == "[::1]"
    )


def _quote(text: str) -> str:
    """Return a text with percent-encoding (RFC 3986 §2.1)."""
    return "".join([chr(byte) if chr(byte) in UNRESERVED else f"%{byte:02X}" for byte in text.encode()])


def unquote(text: str) -> str:
    """Return the text of a percent-encoding; empty if it is malformed."""
    first, *parts = text.split("%")
    found = first.encode()
    try:
        for part in parts:
            if len(part) < 2 or part[0] not in HEXADECIMAL or part[1] not in HEXADECIMAL:
                return ""
            found += bytes([int(part[:2], 16)]) + part[2:].encode()
        return found.decode()
    except ValueError:
        return ""
