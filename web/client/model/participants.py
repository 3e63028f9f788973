"""The remote participants of the session, and those who wait to be admitted. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.names import clean_name

if TYPE_CHECKING:
    from .remote_peer import RemotePeer

__all__ = ["Participants"]


class Participants:
    """Stores the remote participants of the session.

    Attributes:
        members: the remote participants, in the order in which they joined.
        knocks: those who wait for this person to admit them: their names by user.
        speaker: the user who speaks, or spoke last; empty for nobody.
        successor: the user to whom this person hands the session over in order to leave; empty for nobody.

    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self.members: list[RemotePeer] = []
        self.knocks: dict[str, str] = {}
        self.speaker = self.successor = ""

    def find(self, user: str) -> RemotePeer | None:
        """Return the participant who is this user; None when nobody is."""
        for member in self.members:
            if member.user == user:
                return member
        return None

    def shows_screen_only(self, user: str) -> bool:
        """Return whether a participant shares a screen, and has no camera on."""
        member = self.find(user)
        return member is not None and member.screen and not member.camera

    @property
    def any_connected(self) -> bool:
        """Whether a peer connection was established with anybody who is still in the session."""
        return any(member.was_connected for member in self.members)

    @property
    def interrupted(self) -> bool:
        """Whether an established peer connection is interrupted."""
        return any(member.interrupted for member in self.members)

    def add(self, joined: RemotePeer) -> None:
        """Add a participant in place of their earlier connection and of those whom the server no longer knows."""
        self.members = [
            member for member in self.members if member.user != joined.user and (member.expected or not member.gone)
        ]
        self.members.append(joined)

    def replace(self, joined: list[RemotePeer], kept: tuple[str, ...]) -> None:
        """Replace the participants by those in the session, and by those who are expected to come back.

        Those users who are in `kept` keep their peer connection, and their place.
        """
        earlier = {member.user: member for member in self.members}
        expected = [member for member in self.members if member.expected]
        self.members = []
        for member in joined:
            if member.user in kept and member.user in earlier:
                earlier[member.user].returned(member)
                member = earlier[member.user]
            self.members.append(member)
        self.members += [member for member in expected if self.find(member.user) is None]

    @property
    def any_expected(self) -> bool:
        """Whether somebody is expected to come back to a server that was restarted."""
        return any(member.expected for member in self.members)

    def server_restarted(self) -> None:
        """Expect those to come back with whom there is a peer connection, and forget the others."""
        self.members = [member for member in self.members if member.is_established]
        self.knocks = {}
        for member in self.members:
            member.server_restarted()

    def connection_reset(self, user: str) -> None:
        """Start a new connection with a participant who came back without their state."""
        member = self.find(user)
        if member is not None:
            member.away = False
            member.reset()

    def set_away(self, user: str, away: bool) -> None:
        """Note that a participant lost the connection to the server, or restored it."""
        member = self.find(user)
        if member is not None:
            member.away = away
            if not away:
                member.retry()

    def knocked(self, user: str, name: str) -> None:
        """Add somebody who waits to be admitted."""
        self.knocks[user] = clean_name(name)

    def knock_over(self, user: str) -> None:
        """Remove somebody who no longer waits."""
        self.knocks.pop(user, None)

    def keep_connected(self) -> bool:
        """Remove participants without a peer connection; return False if none is left."""
        self.members = [member for member in self.members if member.connection == "connected"]
        return bool(self.members)
