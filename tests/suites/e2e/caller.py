"""A signaling client without media."""

from __future__ import annotations

import json
import time
from typing import Any

import websocket

from tests.suites.e2e.call_page import PATIENCE


class Caller:
    """A client of the native protocol without media."""

    def __init__(self, url: str, authority: str) -> None:
        self.socket = websocket.create_connection(
            url, timeout=PATIENCE, sslopt={"ca_certs": authority}, subprotocols=["signald.1"]
        )
        self.send("hello", version=1)
        self.user = self.receive("welcome")["user"]

    def send(self, kind: str, **body: Any) -> None:
        """Send a request."""
        self.socket.send(json.dumps({"type": kind, **body}))

    def receive(self, kind: str) -> Any:
        """Return the next message of this type.

        Raises:
            AssertionError: an error arrived, or the message did not arrive in time.

        """
        end = time.monotonic() + PATIENCE
        # recv() also returns on the server's pings, which would restart its timeout without end.
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            opcode, data = self.socket.recv_data(control_frame=True)
            assert opcode != websocket.ABNF.OPCODE_CLOSE, data
            if opcode != websocket.ABNF.OPCODE_TEXT:
                continue
            body = json.loads(data)
            assert body["type"] != "error", body
            if body["type"] == kind:
                return body
        raise AssertionError(f"no {kind} within {PATIENCE:g} s")
