"""The other people in the session, and those who wait to be admitted: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .remote_peer import RemotePeer

__all__ = ["Participants"]


class Participants:
    """The other participants of the session.

    Attributes:
        others: the other people, in the order in which they joined.
        knocks: those who wait for this person to admit them: their names by user.
        speaker: the user who speaks, or spoke last; empty for nobody.
        successor: the user to whom this person hands the session over in order to leave; empty for nobody.

    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self.others: list[RemotePeer] = []
        self.knocks: dict[str, str] = {}
        self.speaker = self.successor = ""

    def find(self, user: str) -> RemotePeer | None:
        """Return the participant who is this user; None when nobody is."""
        for other in self.others:
            if other.user == user:
                return other
        return None

    @property
    def any_connected(self) -> bool:
        """Whether there was a peer connection with somebody who is still in the session."""
        return any(other.was_connected for other in self.others)

    @property
    def interrupted(self) -> bool:
        """Whether a peer connection that there was is interrupted."""
        return any(other.interrupted for other in self.others)

    def add(self, joined: RemotePeer) -> None:
        """Add somebody in place of an earlier self and of those whom the server no longer knows."""
        self.others = [other for other in self.others if not other.gone and other.user != joined.user]
        self.others.append(joined)

    def connection_reset(self, user: str) -> None:
        """Restart the connection with somebody who came back without their state."""
        other = self.find(user)
        if other is not None:
            other.away = False
            other.renewed()

    def set_away(self, user: str, away: bool) -> None:
        """Note that somebody lost the connection to the server, or restored it."""
        other = self.find(user)
        if other is not None:
            other.away = away
            if not away:
                other.hurry()

    def knocked(self, user: str, name: str) -> None:
        """Add somebody who waits to be admitted."""
        self.knocks[user] = name

    def knock_over(self, user: str) -> None:
        """Remove somebody who no longer waits."""
        self.knocks.pop(user, None)

    def keep_connected(self) -> bool:
        """Keep only those with whom there is a peer connection; False when there is none."""
        self.others = [other for other in self.others if other.connection == "connected"]
        return bool(self.others)
