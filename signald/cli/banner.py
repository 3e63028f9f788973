"""Renders the text that the terminal shows at the start: the URLs of the page, and a QR code of the first URL."""

from __future__ import annotations

import io

import segno

from signald.net.addresses import Address, Names

__all__ = ["banner", "url"]

DEFAULT_PORTS = {"http": 80, "https": 443}
"""The ports that a URL leaves out (RFC 9110 §4.2.1, §4.2.2)."""

QUIET_ZONE = 4
"""The width of the margin of light modules around the QR code, which scanners need (ISO/IEC 18004, "Quiet zone")."""

# White on black from the 256-colour cube; terminal themes do not change its colours, unlike the first sixteen.
_WHITE_ON_BLACK = "\x1b[38;5;231;48;5;16m"
_PLAIN = "\x1b[0m"


def banner(scheme: str, port: int, names: Names, *, path: str = "/", local_ca: bool, colour: bool) -> str:
    """Return the text for the terminal, with a newline at its end.

    Arguments:
        scheme: `https`, or `http` behind a proxy.
        port: the port that the page is served on.
        names: the machine's names and addresses.
        path: the path of the page, which ends with a slash.
        local_ca: whether the local authority issued the certificate, which devices trust only once it is installed.
        colour: whether the output is a terminal, which understands escape codes.

    """
    hosts: list[Address | str] = [*names.shareable]
    if not hosts:
        page = url(scheme, "localhost", port, path)
        return f"Open {page} on this machine. It has no address that others could use.\n"
    pages = [url(scheme, host, port, path) for host in (*hosts, names.mdns) if host is not None]
    lines = ["Open one of these in a browser, or scan the code:", ""]
    lines += [f"    {page}" for page in pages]
    lines += ["", *_qr_lines(pages[0], colour=colour), ""]
    if local_ca:
        trust = url(scheme, hosts[0], port, f"{path}ca.crt")
        lines += [f"To trust this server on a phone, open {trust} there once and install the certificate.", ""]
    return "\n".join(lines)


def url(scheme: str, host: Address | str, port: int, path: str = "/") -> str:
    """Build a URL without the scheme's default port, and with an IPv6 address in brackets (RFC 3986 §3.2.2)."""
    name = host if isinstance(host, str) or host.version == 4 else f"[{host}]"
    authority = f"{name}" if port == DEFAULT_PORTS.get(scheme) else f"{name}:{port}"
    return f"{scheme}://{authority}{path}"


def _qr_lines(content: str, *, colour: bool) -> list[str]:
    """Draw a QR code with half-block characters, each of which shows two modules; only light modules are drawn.

    With colour, the code looks the same on every terminal. Without colour, the code is right if the terminal's text is
    lighter than its background, and otherwise inverted, which most scanners can read as well.
    """
    drawing = io.StringIO()
    # make_qr never creates the smaller Micro QR code, which phones cannot read.
    segno.make_qr(content).terminal(drawing, border=QUIET_ZONE, compact=True)
    lines = drawing.getvalue().splitlines()
    return [f"{_WHITE_ON_BLACK}{line}{_PLAIN}" for line in lines] if colour else lines
