"""Another person in a call, and when new paths to them are to be sought: pure."""

from __future__ import annotations

from .quality import THEIR_NETWORK, YOUR_NETWORK, Quality, local_fault

__all__ = ["RemotePeer"]

RESTART_AFTER = 2.0
"""Seconds of interruption after which new paths are sought; shorter ones mostly pass by themselves."""

RESTART_BACKOFF = 4.0
"""Seconds after which they are sought again; twice as many each further time."""

GIVE_UP_AFTER = 30.0
"""Seconds without a connection after which the other person is taken to be out of reach.

A browser that has no candidates at all never says that it failed.
"""


class RemotePeer:
    """Another person in the call.

    Attributes:
        user: who.
        name: what they call themselves; empty if they do not say.
        host: whether they are the session's host.
        microphone: whether they send what their microphone hears; None where their page does not tell.
        camera: the same of their camera.
        screen: whether they show their screen.
        showed: whether they ever did.
        connection: the state of the peer connection with them (WebRTC 1.0 `RTCPeerConnectionState`).
        was_connected: whether it ever was `connected`.
        away: whether their connection to the server is lost, so that nothing can be agreed with them.
        gone: whether the server no longer knows of them, while the call with them goes on.
        waited: seconds without a connection in which one could have come about.
        restarts: how often new paths were sought.
        interrupted_for: seconds since there was a connection, whether or not one could come about; 0.0 while there is.
        quality: how good the connection is.

    """

    def __init__(self, user: str, name: str = "") -> None:
        self.user = user
        self.name = name
        self.host = False
        self.microphone: bool | None = None
        self.camera: bool | None = None
        self.screen = False
        self.has_shared = False
        self.away = False
        self.restarts = 0
        self.quality = Quality()
        self.reset()

    def reset(self) -> None:
        """The connection with them begins anew."""
        self.connection = "new"
        self.was_connected = False
        self.gone = False
        self.unconnected_for = 0.0
        self.interrupted_for = 0.0
        self.quality.reset()
        self._network_changed = False
        self._restart_at = RESTART_AFTER
        self._backoff = RESTART_BACKOFF

    @property
    def interrupted(self) -> bool:
        """Whether there was a connection, and is none just now."""
        return self.was_connected and self.connection != "connected"

    def rating(self, peers: list[RemotePeer], offline: bool) -> tuple[int | None, str]:
        """Return the bars of the connection, and whose fault it is if some are missing (`Quality.fault`).

        When the connection is interrupted, the side that has lost the server as well is at fault.

        Args:
            peers: all others in the call.
            offline: whether this page has lost its connection to the server.

        """
        if self.interrupted:
            return 0, YOUR_NETWORK if offline else THEIR_NETWORK if self.away else ""
        return self.quality.bars, self.quality.fault(local_fault([peer.quality for peer in peers]))

    def connection_changed(self, connection: str) -> None:
        """The connection is in another state."""
        if "connected" in (self.connection, connection):
            # An interruption is one, whatever its steps.
            self.unconnected_for = 0.0
            self.interrupted_for = 0.0
            self._restart_at = RESTART_AFTER
            self._backoff = RESTART_BACKOFF
        self.connection = connection
        if connection == "connected":
            self.was_connected = True
        elif connection == "failed":
            # The browser has given up the paths that it had.
            self.restart_soon()

    def restart_soon(self) -> None:
        """Seek new paths with the next tick if there is no connection."""
        self._restart_at = 0.0

    def network_changed(self) -> None:
        """A network has changed: seek new paths with the next tick, whether or not the loss of the old ones shows."""
        self._network_changed = True

    def add_interruption(self, seconds: float) -> None:
        """So much time went by."""
        self.interrupted_for = self.interrupted_for + seconds if self.interrupted else 0.0

    def tick(self, seconds: float) -> bool:
        """So much time went by in which a connection could have come about; whether new paths are to be sought now."""
        if self._network_changed:
            self._network_changed = False
            if self.was_connected:
                self.restarts += 1
                return True
        if self.connection == "connected":
            return False
        self.unconnected_for += seconds
        if not (self.was_connected or self.connection == "failed") or self.unconnected_for < self._restart_at:
            return False
        self._restart_at = self.unconnected_for + self._backoff
        self._backoff *= 2
        self.restarts += 1
        return True
