"""The sessions of a client and the negotiations with their members, as the server tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .events import Negotiate
from .negotiation import Negotiator

if TYPE_CHECKING:
    from typing import Any

    from .wire import Value

__all__ = ["Sessions"]


class Sessions:
    """What a client is a member of."""

    def __init__(self, rolls_back: bool) -> None:
        """Begin with none; `rolls_back`: whether the edge can take back an offer."""
        self._rolls_back = rolls_back
        self._negotiators: dict[str, dict[str, Negotiator]] = {}

    def negotiator(self, session: str, user: str) -> Negotiator | None:
        """Return the negotiations with a member; None when there is no such member."""
        return self._negotiators.get(session, {}).get(user)

    def clear(self) -> None:
        """Be in no session."""
        for session in list(self._negotiators):
            self._leave(session)

    def happened(self, message: Any, me: str) -> list[Value]:
        """Follow what the server tells this user of sessions and members; return what there is to tell or to do."""
        session = message.session
        if isinstance(message, (messages.Opened, messages.Joined)):
            self._leave(session)
            self._negotiators[session] = {}
            for member in message.members or []:
                self._add(session, member, me)
        elif isinstance(message, (messages.Left, messages.NotAdmitted)):
            self._leave(session)
        elif isinstance(message, messages.Waiting):
            return [message]
        elif session not in self._negotiators:
            return []
        elif isinstance(message, messages.Ended):
            self._leave(session)
        elif isinstance(message, (messages.MemberJoined, messages.MemberRenewed)):
            self._remove(session, message.member.user)
            self._add(session, message.member, me)
        elif isinstance(message, messages.MemberLeft):
            self._remove(session, message.user)
        elif hasattr(message, "sender"):
            return self._forwarded(message)
        return [message]

    def _forwarded(self, message: Any) -> list[Value]:
        negotiator = self.negotiator(message.session, message.sender)
        if negotiator is None:
            return []
        if isinstance(message, (messages.ForwardedIceError, messages.ForwardedMessage)):
            return [message]
        commands = negotiator.received(message)
        return [Negotiate(message.session, message.sender, commands)] if commands else []

    def _add(self, session: str, member: messages.Member, me: str) -> None:
        self._negotiators[session][member.user] = Negotiator(
            session,
            me,
            member.user,
            member.offers_first,
            member.polite,
            member.renegotiates,
            self._rolls_back,
            member.base,
        )

    def _remove(self, session: str, user: str) -> None:
        negotiator = self._negotiators[session].pop(user, None)
        if negotiator is not None:
            negotiator.close()

    def _leave(self, session: str) -> None:
        for negotiator in self._negotiators.pop(session, {}).values():
            negotiator.close()
