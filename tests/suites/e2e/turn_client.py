"""A TURN client, one request at a time (RFC 8656), with the messages of aioice."""

from __future__ import annotations

import hashlib
import socket
from typing import Any

from aioice import stun

#: Seconds for an answer.
PATIENCE = 10.0

#: REQUESTED-TRANSPORT: UDP.
UDP = 17 << 24

Address = tuple[str, int]


class TurnClient:
    """A client of one server, over UDP, with at most one allocation.

    Attributes:
        username, credential: as a server gives them out; None for none.

    """

    def __init__(self, server: Address, username: str | None = None, credential: str | None = None) -> None:
        """Prepare to ask this server."""
        self.username, self.credential = username, credential
        self._server = server
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE)
        self._realm, self._nonce = "", b""
        self._channel = 0x4000

    def allocate(self) -> int:
        """Ask for a relay; return 0, or the error's code (RFC 8656 §19)."""
        return self._ask(stun.Method.ALLOCATE, {"LIFETIME": 600, "REQUESTED-TRANSPORT": UDP})

    def refresh(self) -> int:
        """Ask for more time for it, as `allocate`."""
        return self._ask(stun.Method.REFRESH, {"LIFETIME": 600})

    def reach(self, peer: str) -> int:
        """Ask to be relayed to an address, as `allocate`; nothing is sent there."""
        self._channel += 1
        return self._ask(stun.Method.CHANNEL_BIND, {"CHANNEL-NUMBER": self._channel, "XOR-PEER-ADDRESS": (peer, 40000)})

    def permit(self, peer: str) -> int:
        """Ask for the permission alone that goes with it."""
        return self._ask(stun.Method.CREATE_PERMISSION, {"XOR-PEER-ADDRESS": (peer, 40000)})

    def close(self) -> None:
        """Go away without a word."""
        self._socket.close()

    def _ask(self, method: stun.Method, attributes: dict[str, Any]) -> int:
        """Ask, and once more where the server has to tell realm and nonce first (RFC 8489 §9.2)."""
        for attempt in range(2):
            response = self._exchange(method, attributes)
            error = response.attributes.get("ERROR-CODE")
            if error is None:
                return 0
            code: int = error[0]
            challenged = code == 438 or (code == 401 and not self._nonce)
            if attempt or not challenged or self.username is None:
                return code
            self._realm = response.attributes.get("REALM", self._realm)
            self._nonce = response.attributes["NONCE"]
        raise AssertionError("unreachable")

    def _exchange(self, method: stun.Method, attributes: dict[str, Any]) -> stun.Message:
        request = stun.Message(message_method=method, message_class=stun.Class.REQUEST)
        request.attributes.update(attributes)
        if self._nonce:
            request.attributes["USERNAME"] = self.username
            request.attributes["REALM"] = self._realm
            request.attributes["NONCE"] = self._nonce
            secret = f"{self.username}:{self._realm}:{self.credential}".encode()
            request.add_message_integrity(hashlib.md5(secret).digest())  # noqa: S324 # RFC 8489 §9.2.2
        self._socket.sendto(bytes(request), self._server)
        while True:
            response = stun.parse_message(self._socket.recv(2048))
            if response.transaction_id == request.transaction_id:
                return response
