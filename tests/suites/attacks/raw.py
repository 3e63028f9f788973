"""Sends bytes to a daemon and returns its response, for attacks that consist of a single request."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress

from tests.suites.attacks.target import Target

#: The seconds that a whole response may take.
PATIENCE = 5.0


def dial(target: Target, source: str = "127.0.0.1") -> socket.socket:
    """Connect from an address of the loopback network."""
    plain = socket.create_connection(("127.0.0.1", target.port), timeout=PATIENCE, source_address=(source, 0))
    try:
        return target.wrap(plain)
    except OSError:
        plain.close()
        raise


def exchange(target: Target, *pieces: bytes, source: str = "127.0.0.1", whole: bool = True) -> bytes:
    """Send pieces; return all received bytes, up to the first response if `whole` is false."""
    received = b""
    with suppress(OSError), dial(target, source) as sock:
        for piece in pieces:
            sock.sendall(piece)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and (more := sock.recv(65536)):
            received += more
            if not whole and _is_whole(received):
                break
    return received


def verdict(received: bytes) -> str:
    """Return the status of a response, with the error's code if the body has one; `cut off` for an empty response."""
    if not received.startswith(b"HTTP/1.1 "):
        return "cut off" if not received else "no HTTP"
    _, _, content = received.partition(b"\r\n\r\n")
    status = received[9:12].decode()
    with suppress(ValueError):
        return f"{status} {json.loads(content)['code']}"
    return status


def headers(received: bytes) -> dict[str, str]:
    """Return the headers of a response, by lower-case name."""
    lines = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _is_whole(received: bytes) -> bool:
    _, end, content = received.partition(b"\r\n\r\n")
    return bool(end) and len(content) >= int(headers(received).get("content-length", "0"))
