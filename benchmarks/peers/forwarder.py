"""What the forwarders in Python share: their certificate, their event loop, and how they announce their port."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Coroutine, Sequence
from socket import socket
from typing import Any

import uvloop

__all__ = ["announce_port", "run", "server_context"]


def server_context(arguments: Sequence[str]) -> ssl.SSLContext | None:
    """Return a context with the certificate and the key whose files the arguments name; None without arguments."""
    if not arguments:
        return None
    certificate, key = arguments
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def announce_port(listening: socket) -> None:
    """Write the port of a listening socket to standard output, where the benchmark waits for it."""
    sys.stdout.write(f"port {listening.getsockname()[1]}\n")
    sys.stdout.flush()


def run(serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a forwarder in an event loop of uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
