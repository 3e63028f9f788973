"""What users are told of STUN and TURN servers, and when (docs/protocol.md, "STUN and TURN servers")."""

from __future__ import annotations

from attrs import define, evolve

from signald.core.actions import Action, Send, SendCredentials
from signald.core.deadlines import DeadlineKind, Deadlines
from signald.core.mailboxes import Mailboxes
from signald.core.messages import IceServer, IceServers, UserId, Welcome
from signald.core.users import PeerId, User

REFRESHED_AFTER = 0.8
"""The share of their time after which credentials are told anew: the rest is for an ICE restart that has begun."""


@define
class IceSupply:
    """Tells the servers to everybody, and has credentials made for members.

    Attributes:
        mailboxes: the users.
        deadlines: the hub's.
        servers: those that everybody is told.
        turn_seconds: for which the credentials are good that are made for members; None where none are made.
        relay_only: whether every session that is opened from now on is relayed.

    """

    mailboxes: Mailboxes
    deadlines: Deadlines
    servers: tuple[IceServer, ...] = ()
    turn_seconds: float | None = None
    relay_only: bool = False

    def welcome(self, peer: PeerId, user: User, welcome: Welcome, now: float) -> list[Action]:
        """Welcome a user, one who is a member already with credentials."""
        return [self._told(peer, user, evolve(welcome, ice_servers=self.servers), now)]

    def entered(self, user: User, now: float) -> list[Action]:
        """Take note that a user has become a member of the first session that it is in."""
        if user.peer is None or self.turn_seconds is None:
            return []
        return [self._told(user.peer, user, IceServers(self.servers), now)]

    def due(self, id: UserId, at: float, now: float) -> list[Action]:
        """Tell a member anew before its credentials expire; one who is away is told when it is back."""
        user = self.mailboxes.users.get(id)
        if user is None or user.credentials_due != at:
            return []
        user.credentials_due = None
        return self.entered(user, now) if user.sessions else []

    def configure(
        self, servers: tuple[IceServer, ...], turn_seconds: float | None, relay_only: bool, now: float
    ) -> list[Action]:
        """Have other servers from now on: everybody is told. Sessions that are open stay relayed, or not."""
        self.servers = servers
        self.turn_seconds = turn_seconds
        self.relay_only = relay_only
        return [
            self._told(user.peer, user, IceServers(servers), now)
            for user in self.mailboxes.users.values()
            if user.peer is not None
        ]

    def _told(self, peer: PeerId, user: User, event: Welcome | IceServers, now: float) -> Action:
        user.credentials_due = None
        if self.turn_seconds is None or not user.sessions:
            return Send(peer, event)
        user.credentials_due = now + REFRESHED_AFTER * self.turn_seconds
        self.deadlines.add(user.credentials_due, DeadlineKind.CREDENTIALS, user.id)
        return SendCredentials(peer, user.id, event)
