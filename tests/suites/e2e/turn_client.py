"""A TURN client that sends one request at a time (RFC 8656), with the message classes of aioice."""

from __future__ import annotations

import hashlib
import socket
from typing import Any

from aioice import stun

#: The seconds within which a response has to arrive.
PATIENCE = 10.0

#: The seconds after which a request is sent again, as RFC 8489 §6.2.1 wants over UDP: a server that has just started
#: may listen before it reads.
RETRANSMISSION = 0.5

#: The value of REQUESTED-TRANSPORT for UDP.
UDP = 17 << 24

Address = tuple[str, int]


class TurnClient:
    """A client of one TURN server over UDP, with at most one allocation.

    Attributes:
        username, credential: the credentials that signald issued; None to send none.

    """

    def __init__(self, server: Address, username: str | None = None, credential: str | None = None) -> None:
        """Store the address of the server; no request is sent yet."""
        self.username, self.credential = username, credential
        self._server = server
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.settimeout(RETRANSMISSION)
        self._realm, self._nonce = "", b""
        self._channel = 0x4000

    def allocate(self) -> int:
        """Request an allocation; return 0, or the code of the error (RFC 8656 §19)."""
        return self._ask(stun.Method.ALLOCATE, {"LIFETIME": 600, "REQUESTED-TRANSPORT": UDP})

    def refresh(self) -> int:
        """Request a longer lifetime of the allocation; return 0, or the code of the error."""
        return self._ask(stun.Method.REFRESH, {"LIFETIME": 600})

    def reach(self, peer: str) -> int:
        """Bind a channel to an address, without sending data; return 0, or the code of the error."""
        self._channel += 1
        return self._ask(stun.Method.CHANNEL_BIND, {"CHANNEL-NUMBER": self._channel, "XOR-PEER-ADDRESS": (peer, 40000)})

    def permit(self, peer: str) -> int:
        """Request only a permission for an address; return 0, or the code of the error."""
        return self._ask(stun.Method.CREATE_PERMISSION, {"XOR-PEER-ADDRESS": (peer, 40000)})

    def close(self) -> None:
        """Close the socket without releasing the allocation."""
        self._socket.close()

    def _ask(self, method: stun.Method, attributes: dict[str, Any]) -> int:
        """Send a request, and repeat it once if the server's response has realm and nonce (RFC 8489 §9.2)."""
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
        for _ in range(round(PATIENCE / RETRANSMISSION)):
            self._socket.sendto(bytes(request), self._server)
            try:
                response = stun.parse_message(self._socket.recv(2048))
            except TimeoutError:
                continue
            if response.transaction_id == request.transaction_id:
                return response
        raise AssertionError(f"no response from {self._server} within {PATIENCE:g} s")
