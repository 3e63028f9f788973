"""The requests that lead into the session, for the first time or again: as its host with the key, or as a guest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling import client

from ..model import join_flow, mesh, texts
from ..model.page_state import HOST
from . import storage

if TYPE_CHECKING:
    from signald_client.signaling.client import SignalingClient
    from signald_client.signaling.wire import Value

    from ..model.join_flow import JoinFlow
    from ..model.page_state import PageState

__all__ = ["SessionEntry"]


class SessionEntry:
    """Makes the requests of one call that open or join its session.

    Attributes:
        name: the person's name; empty for none.
        password: the session's password; empty for none.
        lobby: whether a session that is opened has a lobby.
        devices_settled: whether the person has their devices or continues without them.

    """

    def __init__(self, state: PageState, name: str, password: str, lobby: bool, ticket: str) -> None:
        """Create it.

        Arguments:
            state: the page's state.
            name: the attribute.
            password: the attribute.
            lobby: the attribute.
            ticket: the rejoin ticket that was stored before the page was reloaded; empty for none.

        """
        self.name = name
        self.password = password
        self.lobby = lobby
        self.devices_settled = False
        self._state = state
        self._stored_ticket = ticket

    def ticket(self, signaling: SignalingClient) -> str:
        """Return the ticket that leads back into the session; empty without one."""
        return signaling.ticket(self._state.session.id) or self._stored_ticket

    def next_request(self, flow: JoinFlow, signaling: SignalingClient) -> list[Value]:
        """Open or join the session, once everything that the request needs is available; return the effects."""
        if signaling.state != client.READY:
            return []
        state = self._state
        session_id = state.session.id
        key = storage.host_key(session_id) if session_id else ""
        welcome = signaling.welcome
        # A host's token for this session replaces the host key, and so does a host's ticket.
        granted = bool(welcome and session_id and welcome.role == HOST and welcome.session == session_id)
        opens = state.role == HOST or granted
        ticket = self.ticket(signaling)
        request = flow.request(opens, session_id, key or ("token" if granted else ticket), self.devices_settled)
        if request == join_flow.OPEN:
            state.notices.progress = texts.OPENING
            return signaling.open_session(
                min(mesh.CAPACITY, welcome.limits.session_members) if welcome else 2,
                self.name or None,
                password=self.password or None,
                lobby=self.lobby,
                keep=True,
                relay_only=state.session.relay_only,
                session=session_id or None,
                host_key=key or None,
                ticket=ticket or None,
                connected=signaling.connected_users(),
            )
        if request == join_flow.JOIN:
            state.notices.progress = texts.JOINING
            return signaling.join_session(
                session_id, self.name or None, self.password or None, ticket or None, signaling.connected_users()
            )
        return []
