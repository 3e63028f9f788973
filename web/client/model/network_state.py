"""The state of the connection to the server and of the network. It does not touch the browser."""

from __future__ import annotations

__all__ = ["NetworkState"]


class NetworkState:
    """Stores how the page reaches the server, and how it may reach the other participants.

    Attributes:
        offline_for: seconds for which the connection to the server has been lost; None while there is one.
        detached: whether a call goes on without the server, which no longer knows of it.
        returning: whether the server was restarted and forgot the session, so that the others are coming back as well.
        turn_available: whether the server names a TURN server.
        relay_only: whether the person hides their address: new connections use a TURN server only.
        changed: whether the browser changed its network since the server was last reached.
        reference: the pseudonym under which the server's log names this page; empty until the server has sent it.

    """

    def __init__(self) -> None:
        self.turn_available = False
        self.relay_only = False
        self.changed = False
        self.reset()

    def reset(self) -> None:
        """Prepare for another call."""
        self.detached = self.returning = False
        self.reference = ""
        self.offline_for: float | None = None

    def interrupted(self) -> None:
        """Note that the connection to the server is lost, and is being restored."""
        if self.offline_for is None:
            self.offline_for = 0.0

    @property
    def can_negotiate(self) -> bool:
        """Whether messages to other participants can pass the server, or none will again."""
        return self.offline_for is None or self.detached
