"""The state of a remote participant, and the back-off of ICE restarts. It does not touch the browser."""

from __future__ import annotations

from signald_client.signaling.names import clean_name

from .quality import THEIR_NETWORK, YOUR_NETWORK, Quality, local_fault

__all__ = ["RemotePeer"]

RESTART_AFTER = 2.0
"""Seconds of interruption after which ICE is restarted; shorter interruptions mostly pass by themselves."""

BACKOFF = 4.0
"""Seconds until the second ICE restart; the back-off doubles each time."""

GIVE_UP_AFTER = 30.0
"""Seconds without a connection after which a participant counts as unreachable.

A browser that has no candidates at all never reports a failure."""

GIVE_UP_REPORTED_AFTER = 5.0
"""Seconds without a first connection after which a participant who reported an ICE failure counts as unreachable.

Some programs report a failure of one server, after which a connection may still come about."""


class RemotePeer:
    """A remote participant of the call.

    Attributes:
        user: the user id.
        name: the name that they chose; empty for none.
        host: whether they are the session's host.
        microphone: whether they send sound of their microphone; None if their page does not say.
        camera: whether they send video of their camera; None if their page does not say.
        sound: the negotiated direction of sound as seen from this side (`RTCRtpTransceiverDirection`); empty before.
        screen: whether they share their screen.
        has_shared: whether they shared their screen at any time.
        connection: the state of the peer connection (WebRTC 1.0 `RTCPeerConnectionState`).
        was_connected: whether it was `connected` at any time.
        away: whether their connection to the server is lost, so that no negotiation is possible.
        gone: whether the server has removed them, while the peer connection goes on.
        expected: whether they are expected to come back to a server that was restarted and forgot them.
        reported_failure: whether their program reported an ICE failure before there was a connection.
        unconnected_for: seconds without a connection in which negotiation was possible.
        restarts: how often ICE was restarted.
        interrupted_for: seconds since the connection was lost, whether or not negotiation was possible; 0.0 while
            connected.
        quality: the quality of the connection.

    """

    def __init__(self, user: str, name: str = "") -> None:
        self.user = user
        self.name = clean_name(name)
        self.host = False
        self.microphone: bool | None = None
        self.camera: bool | None = None
        self.screen = False
        self.shared = False
        self.away = False
        self.restarts = 0
        self.quality = Quality()
        self.reset()

    def reset(self) -> None:
        """Start a new connection."""
        self.connection = "new"
        self.was_connected = False
        self.gone = self.expected = False
        self.reported_failure = False
        self.sound = ""
        self.waited = 0.0
        self.interrupted_for = 0.0
        self.quality.reset()
        self._restart = False
        self._restart_at = RESTART_AFTER
        self._backoff = BACKOFF

    @property
    def is_established(self) -> bool:
        """Whether the connection was established, and the browser has not given it up."""
        return self.was_connected and self.connection in ("connected", "disconnected")

    @property
    def unreachable(self) -> bool:
        """Whether the search for a path has taken too long."""
        reported = self.reported_failure and not self.was_connected
        return self.waited >= (GIVE_UP_REPORTED_AFTER if reported else GIVE_UP_AFTER)

    @property
    def interrupted(self) -> bool:
        """Whether the connection was established before and is lost now."""
        return self.was_connected and self.connection != "connected"

    def rating(self, peers: list[RemotePeer], offline: bool) -> tuple[int | None, str]:
        """Return the bars of the connection, and the side at fault if some are missing (`Quality.fault`).

        If the connection is interrupted, the side that has lost the server as well is at fault.

        Arguments:
            peers: all remote participants.
            offline: whether this page has lost its connection to the server.

        """
        if self.interrupted:
            return 0, YOUR_NETWORK if offline else THEIR_NETWORK if self.away else ""
        return self.quality.bars, self.quality.fault(local_fault([peer.quality for peer in peers]))

    def set_connection(self, connection: str) -> None:
        """Store the state of the peer connection."""
        if "connected" in (self.connection, connection):
            # An interruption lasts from `connected` to `connected`; the states in between do not restart its time.
            self.waited = 0.0
            self.interrupted_for = 0.0
            self._restart_at = RESTART_AFTER
            self._backoff = BACKOFF
        self.connection = connection
        if connection == "connected":
            self.was_connected = True
        elif connection == "failed":
            # The browser has given up on its candidate pairs, so waiting is of no use.
            self.retry()

    def retry(self) -> None:
        """Restart ICE with the next tick if there is no connection."""
        self._restart_at = 0.0

    def server_restarted(self) -> None:
        """Note that the server forgot them, while the peer connection goes on."""
        self.away = False
        self.gone = self.expected = True

    def returned(self, other: RemotePeer) -> None:
        """Note that they are back with the peer connection, as the server describes them in `other`."""
        self.gone = self.expected = False
        self.name, self.host, self.away = other.name, other.host, other.away
        self.retry()

    def restart(self) -> None:
        """Restart ICE with the next tick, whether or not the browser has noticed that the old network is gone."""
        self._restart = True

    def elapse(self, seconds: float) -> None:
        """Add time to the duration of an interruption."""
        self.interrupted_for = self.interrupted_for + seconds if self.interrupted else 0.0

    def tick(self, seconds: float) -> bool:
        """Add time in which negotiation was possible, and return whether to restart ICE now."""
        if self._restart:
            self._restart = False
            if self.was_connected:
                self.restarts += 1
                return True
        if self.connection == "connected":
            return False
        self.waited += seconds
        if not (self.was_connected or self.connection == "failed") or self.waited < self._restart_at:
            return False
        self._restart_at = self.waited + self._backoff
        self._backoff *= 2
        self.restarts += 1
        return True
