"""The sessions of a client, and one negotiator for each other member, kept up to date by the server's events.

A server that crashed knows the members under new user ids when they come back. The application knows a member by one
id for as long as it is in the session: this module translates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .events import Negotiate
from .negotiation import Negotiator

if TYPE_CHECKING:
    from typing import Any

    from .wire import Value

__all__ = ["Sessions"]

EXPECTED_OUTSIDE = (messages.Opened, messages.Joined, messages.Left, messages.NotAdmitted, messages.Waiting)
"""Events of a session that are not ignored while the client is no member of it."""

FORWARDED = (messages.ForwardedOffer, messages.ForwardedAnswer, messages.ForwardedCandidates)
"""Messages of another member that belong to a negotiation."""

GONE = "gone"
"""Reason of a `messages.MemberLeft` after which the member may come back with its rejoin ticket."""


class Sessions:
    """The sessions that a client is a member of."""

    def __init__(self, rolls_back: bool) -> None:
        """Create an empty registry; `rolls_back`: whether the edge can roll back an offer."""
        self._rolls_back = rolls_back
        # By session, and then by the id under which the application knows the member.
        self._negotiators: dict[str, dict[str, Negotiator]] = {}
        # Closed ones, of members who may come back with their peer connections.
        self._former: dict[str, dict[str, Negotiator]] = {}
        self._tickets: dict[str, str] = {}
        # From the server's ids to the application's and back, for those members where they differ.
        self._known_ids: dict[str, str] = {}
        self._server_ids: dict[str, str] = {}
        self._handlers: dict[Any, Any] = {
            messages.Opened: self._enter_session,
            messages.Joined: self._enter_session,
            messages.HostChanged: self._change_host,
            messages.Left: self._remove_session,
            messages.NotAdmitted: self._remove_session,
            messages.Ended: self._remove_session,
            messages.MemberJoined: self._replace_member,
            messages.MemberRenewed: self._replace_member,
            messages.MemberLeft: self._remove_member,
        }

    def negotiator(self, session: str, user: str) -> Negotiator | None:
        """Return the negotiator for a member; None when there is no such member."""
        return self._negotiators.get(session, {}).get(user)

    def ticket(self, session: str) -> str | None:
        """Return the latest rejoin ticket for a session; None without one."""
        return self._tickets.get(session)

    def clear(self) -> None:
        """Forget every session, but not its ticket and how far the negotiations were."""
        for session in list(self._negotiators):
            self._close_negotiators(session)

    def known_id(self, user: str) -> str:
        """Return the application's id for one of the server's user ids."""
        return self._known_ids.get(user, user)

    def server_id(self, user: str) -> str:
        """Return the server's user id for one of the application's ids."""
        return self._server_ids.get(user, user)

    def established(self, users: list[str]) -> list[str]:
        """Return the server's ids of those users whose negotiations another negotiator could continue."""
        found = []
        for table in list(self._negotiators.values()) + list(self._former.values()):
            for user in users:
                if user in table and table[user].is_established and self.server_id(user) not in found:
                    found.append(self.server_id(user))
        return found

    def message_received(self, message: Any, local_user: str) -> list[Value]:
        """Apply an event of the server, and return the events and the `Negotiate` effects that follow from it."""
        if not isinstance(message, EXPECTED_OUTSIDE) and message.session not in self._negotiators:
            return []
        handler = self._handlers.get(type(message))
        if handler is not None:
            handler(message, local_user)
        elif isinstance(message, FORWARDED):
            return self._negotiate(message)
        elif hasattr(message, "sender"):
            message.sender = self.known_id(message.sender)
            if self.negotiator(message.session, message.sender) is None:
                return []
        if hasattr(message, "user"):
            message.user = self.known_id(message.user)
        return [message]

    def _enter_session(self, message: messages.Opened | messages.Joined, local_user: str) -> None:
        self._close_negotiators(message.session)
        self._negotiators[message.session] = {}
        if message.ticket is not None:
            self._tickets[message.session] = message.ticket
        for member in message.members or []:
            self._add_negotiator(message.session, member, local_user)

    def _change_host(self, message: messages.HostChanged, local_user: str) -> None:
        if message.ticket is not None:
            self._tickets[message.session] = message.ticket

    def _remove_session(self, message: messages.Left | messages.NotAdmitted | messages.Ended, local_user: str) -> None:
        self._close_negotiators(message.session)
        self._former.pop(message.session, None)
        self._tickets.pop(message.session, None)

    def _replace_member(self, message: messages.MemberJoined | messages.MemberRenewed, local_user: str) -> None:
        self._close_negotiator(message.session, self.known_id(message.member.user), True)
        self._add_negotiator(message.session, message.member, local_user)

    def _remove_member(self, message: messages.MemberLeft, local_user: str) -> None:
        self._close_negotiator(message.session, self.known_id(message.user), message.reason == GONE)

    def _negotiate(self, message: Any) -> list[Value]:
        """Give a member's offer, answer or candidates to its negotiator."""
        user = self.known_id(message.sender)
        negotiator = self.negotiator(message.session, user)
        commands = [] if negotiator is None else negotiator.message_received(message)
        return [Negotiate(message.session, user, commands)] if commands else []

    def _add_negotiator(self, session: str, member: messages.Member, local_user: str) -> None:
        """Create the negotiator for a member, and state in the member what the application needs to know."""
        server_id = member.user
        member.user = self._recognise(session, member)
        negotiator = Negotiator(
            session,
            local_user,
            server_id,
            member.offers_first,
            member.polite,
            member.renegotiates,
            self._rolls_back,
            member.base,
            member.user,
        )
        former = self._former.get(session, {}).pop(member.user, None)
        member.connected = member.connected and former is not None and former.is_established
        if former is not None and member.connected:
            negotiator.continue_from(former)
        self._negotiators[session][member.user] = negotiator

    def _recognise(self, session: str, member: messages.Member) -> str:
        """Return the id under which the application knows a member, who may have come back under another one."""
        known = self.known_id(member.user)
        if member.former is None or known != member.user:
            return known
        former = self.known_id(member.former)
        # If two members show the same ticket, the first is the former member; the second is treated as a stranger.
        if former not in self._former.get(session, {}):
            return known
        self._known_ids[member.user] = former
        self._server_ids[former] = member.user
        return former

    def _close_negotiator(self, session: str, user: str, may_return: bool) -> None:
        negotiator = self._negotiators[session].pop(user, None)
        if negotiator is not None:
            negotiator.close()
            if may_return:
                self._former.setdefault(session, {})[user] = negotiator

    def _close_negotiators(self, session: str) -> None:
        for user in list(self._negotiators.get(session, {})):
            self._close_negotiator(session, user, True)
        self._negotiators.pop(session, None)
