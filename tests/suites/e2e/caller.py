"""A client that signals, and has no media."""

from __future__ import annotations

import json
from typing import Any

import websocket

from tests.suites.e2e.call_page import PATIENCE


class Caller:
    """A client of the native protocol without media."""

    def __init__(self, url: str, authority: str) -> None:
        self.socket = websocket.create_connection(
            url, timeout=PATIENCE, sslopt={"ca_certs": authority}, subprotocols=["signald.1"]
        )
        self.say("hello", version=1)
        self.user = self.hear("welcome")["user"]

    def say(self, kind: str, **body: Any) -> None:
        """Send a request."""
        self.socket.send(json.dumps({"type": kind, **body}))

    def hear(self, kind: str) -> Any:
        """Return the next message of this type; an error is none."""
        while True:
            body = json.loads(self.socket.recv())
            assert body["type"] != "error", body
            if body["type"] == kind:
                return body
