"""Sends STUN and TURN servers to users and renews TURN credentials (docs/protocol.md, "STUN and TURN servers")."""

from __future__ import annotations

from attrs import define

from signald.core.actions import Action, Send, SendCredentials
from signald.core.deadlines import DeadlineKind, Deadlines
from signald.core.ice_server import IceServer
from signald.core.mailboxes import Mailboxes
from signald.core.messages import IceServers, UserId, Welcome
from signald.core.users import PeerId, User

REFRESH_SHARE = 0.8
"""The share of their lifetime after which credentials are renewed; the rest is for an ICE restart under way."""


@define
class IceSupply:
    """Sends the configured servers to every user, and TURN credentials to members of sessions only.

    Attributes:
        mailboxes: the users.
        deadlines: the hub's deadlines, for the renewal of credentials.
        servers: the servers that every user gets.
        turn_seconds: the lifetime of TURN credentials in seconds; None where the server makes none.
        relay_only: whether every session that opens from now on is relayed.

    """

    mailboxes: Mailboxes
    deadlines: Deadlines
    servers: tuple[IceServer, ...] = ()
    turn_seconds: float | None = None
    relay_only: bool = False

    def send_welcome(self, peer: PeerId, user: User, welcome: Welcome, now: float) -> list[Action]:
        """Send a welcome, which has the servers, and add credentials where the user is a member already."""
        return [self._send_servers(peer, user, welcome, now)]

    def send_to_new_member(self, user: User, now: float) -> list[Action]:
        """Send credentials to a user that has become a member of its first session."""
        if user.peer is None or self.turn_seconds is None:
            return []
        return [self._send_servers(user.peer, user, IceServers(self.servers), now)]

    def refresh_credentials(self, id: UserId, at: float, now: float) -> list[Action]:
        """Renew a member's credentials before they expire; one that is away gets new ones with its next welcome."""
        user = self.mailboxes.users.get(id)
        if user is None or user.credentials_due != at:
            return []
        user.credentials_due = None
        return self.send_to_new_member(user, now) if user.sessions else []

    def reload_servers(
        self, servers: tuple[IceServer, ...], turn_seconds: float | None, relay_only: bool, now: float
    ) -> list[Action]:
        """Replace the servers and send them to every user; sessions that are open keep their relay setting."""
        self.servers = servers
        self.turn_seconds = turn_seconds
        self.relay_only = relay_only
        return [
            self._send_servers(user.peer, user, IceServers(servers), now)
            for user in self.mailboxes.users.values()
            if user.peer is not None
        ]

    def _send_servers(self, peer: PeerId, user: User, event: Welcome | IceServers, now: float) -> Action:
        user.credentials_due = None
        if self.turn_seconds is None or not user.sessions:
            return Send(peer, event)
        user.credentials_due = now + REFRESH_SHARE * self.turn_seconds
        self.deadlines.add(user.credentials_due, DeadlineKind.CREDENTIALS, user.id)
        return SendCredentials(peer, user.id, event)
