"""The sessions of a client, and one negotiator for each other member, kept up to date by the server's events."""

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


class Sessions:
    """The sessions that a client is a member of."""

    def __init__(self, rolls_back: bool) -> None:
        """Create an empty registry; `rolls_back`: whether the edge can roll back an offer."""
        self._rolls_back = rolls_back
        self._negotiators: dict[str, dict[str, Negotiator]] = {}
        self._handlers: dict[Any, Any] = {
            messages.Opened: self._enter_session,
            messages.Joined: self._enter_session,
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

    def clear(self) -> None:
        """Forget every session."""
        for session in list(self._negotiators):
            self._close_negotiators(session)

    def message_received(self, message: Any, local_user: str) -> list[Value]:
        """Apply an event of the server, and return the events and the `Negotiate` effects that follow from it."""
        if not isinstance(message, EXPECTED_OUTSIDE) and message.session not in self._negotiators:
            return []
        handler = self._handlers.get(type(message))
        if handler is not None:
            handler(message, local_user)
        elif isinstance(message, FORWARDED):
            return self._negotiate(message)
        elif hasattr(message, "sender") and self.negotiator(message.session, message.sender) is None:
            return []
        return [message]

    def _enter_session(self, message: messages.Opened | messages.Joined, local_user: str) -> None:
        self._close_negotiators(message.session)
        self._negotiators[message.session] = {}
        for member in message.members or []:
            self._add_negotiator(message.session, member, local_user)

    def _remove_session(self, message: messages.Left | messages.NotAdmitted | messages.Ended, local_user: str) -> None:
        self._close_negotiators(message.session)

    def _replace_member(self, message: messages.MemberJoined | messages.MemberRenewed, local_user: str) -> None:
        self._close_negotiator(message.session, message.member.user)
        self._add_negotiator(message.session, message.member, local_user)

    def _remove_member(self, message: messages.MemberLeft, local_user: str) -> None:
        self._close_negotiator(message.session, message.user)

    def _negotiate(self, message: Any) -> list[Value]:
        """Give a member's offer, answer or candidates to its negotiator."""
        negotiator = self.negotiator(message.session, message.sender)
        commands = [] if negotiator is None else negotiator.message_received(message)
        return [Negotiate(message.session, message.sender, commands)] if commands else []

    def _add_negotiator(self, session: str, member: messages.Member, local_user: str) -> None:
        self._negotiators[session][member.user] = Negotiator(
            session,
            local_user,
            member.user,
            member.offers_first,
            member.polite,
            member.renegotiates,
            self._rolls_back,
            member.base,
        )

    def _close_negotiator(self, session: str, user: str) -> None:
        negotiator = self._negotiators[session].pop(user, None)
        if negotiator is not None:
            negotiator.close()

    def _close_negotiators(self, session: str) -> None:
        for negotiator in self._negotiators.pop(session, {}).values():
            negotiator.close()
