"""Tests one STUN or TURN server with a peer connection that has no other server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser.bridge import BrowserError, call, construct, get, listen, spawn, wait
from . import checks

if TYPE_CHECKING:
    from typing import Any

__all__ = ["RELAY", "SRFLX", "IceGathering"]

# These are the types of candidates (RFC 8445 §5.1.1).
SRFLX = "srflx"
RELAY = "relay"


class IceGathering:
    """Gathers the candidates that the browser finds with one server."""

    def __init__(self, server: dict[str, Any], wanted: str) -> None:
        """Start gathering.

        Arguments:
            server: a W3C `RTCIceServer`.
            wanted: the type of candidate that the server provides.

        """
        self._wanted = wanted
        self._candidates: list[str] = []
        self._errors: list[int] = []
        self._complete = False
        self._connection: Any = None
        policy = "relay" if wanted == RELAY else "all"
        try:
            self._connection = construct("RTCPeerConnection", {"iceServers": [server], "iceTransportPolicy": policy})
            call(self._connection, "createDataChannel", "")
        except BrowserError:
            # A URL that this browser rejects provides no candidates.
            self._complete = True
            return
        listen(self._connection, "icecandidate", self._found)
        listen(self._connection, "icecandidateerror", lambda event: self._errors.append(get(event, "errorCode")))
        spawn(self._begin())

    async def _begin(self) -> None:
        try:
            await wait(call(self._connection, "setLocalDescription"))
        except BrowserError:
            # The connection was closed before gathering started.
            self._complete = True

    def _found(self, event: Any) -> None:
        candidate = get(event, "candidate", "candidate")
        if candidate:
            self._candidates.append(candidate)
        # Firefox sends an empty candidate before the missing one that ends gathering.
        elif get(event, "candidate") is None:
            self._complete = True

    @property
    def answer(self) -> str:
        """How the server has answered until now (`checks.answer`)."""
        return checks.answer(self._wanted, self._candidates, self._errors, self._complete)

    @property
    def done(self) -> bool:
        """Whether gathering can be ended, because nothing better will follow."""
        return self._complete or self.answer == checks.FOUND

    def close(self) -> None:
        """Close the peer connection."""
        if self._connection is not None:
            call(self._connection, "close")
