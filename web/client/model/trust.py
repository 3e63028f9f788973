"""Whom a person has verified: the exchanges behind the codes with everybody in the call. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import texts
from .verification import COMMIT, CONFIRMED, DENIED, NOT_VERIFIED, REVEAL, Verification

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .page_state import PageState
    from .peer_messaging import PeerMessaging

__all__ = ["Trust", "badge"]

ICONS = {CONFIRMED: "verified", DENIED: "alert", NOT_VERIFIED: "alert"}
"""Of the states that are not shown by a plain shield."""

MOST_LOST = 8
"""People remembered who were verified and whose connection is over."""

SILENT_FOR = 10.0
"""Seconds of connection after which one who was verified, and whose page says nothing any more, is none."""


class Trust:
    """One `Verification` with each person whose page can exchange messages."""

    def __init__(
        self,
        state: PageState,
        messaging: PeerMessaging,
        nonce: Callable[[], str],
        describe: Callable[[str], tuple[str, str]],
        changed: Callable[[], None],
    ) -> None:
        """Begin with nobody.

        Args:
            state: the page's; told when somebody who was verified is so no longer.
            messaging: carries the messages.
            nonce: returns 32 new random bytes, as 64 lower-case hexadecimal digits.
            describe: returns the own and the other's description of the connection with a user, SDP; empty without one.
            changed: called when an exchange is in another state.

        """
        self._state = state
        self._messaging = messaging
        self._nonce = nonce
        self._describe = describe
        self._changed = changed
        self._with: dict[str, Verification] = {}
        self._described: dict[str, int] = {}
        self._lost: list[str] = []
        self._silent: dict[str, float] = {}
        self._ticked = 0.0
        messaging.begun(self._begin)
        messaging.over(self._end)
        messaging.hear(COMMIT, self._received)
        messaging.hear(REVEAL, self._received)

    def of(self, user: str) -> Verification:
        """Return the exchange with somebody, or one that never began."""
        return self._with.get(user) or Verification("")

    def follow(self, described: dict[str, int]) -> None:
        """Look at the descriptions of each connection of which there are more: call it when that may be so.

        Args:
            described: how many there were, by user.

        """
        before, self._described = self._described, described
        for user, count in described.items():
            if user in self._with and before.get(user) != count:
                was = self._with[user].state
                self._with[user].described(*self._describe(user))
                self._warn(user, was)

    def answer(self, user: str, alike: bool) -> None:
        """The person has compared the code with somebody's."""
        self.of(user).answer(alike)
        self._changed()

    def tick(self, now: float) -> None:
        """Time goes on: call it about once a second, with seconds that never go back."""
        seconds, self._ticked = now - self._ticked, now
        late = False
        for exchange in self._with.values():
            was = exchange.state
            exchange.tick(seconds)
            late = late or exchange.state != was
        for user in self._lost[:]:
            other = self._state.participants.find(user)
            if other is None or other.connection != "connected":
                self._silent.pop(user, None)
                continue
            self._silent[user] = self._silent.get(user, 0.0) + seconds
            if self._silent[user] >= SILENT_FOR:
                # Somebody is there in their place who says nothing of a code.
                self._found(user)
                self._state.notices.alarm = texts.VERIFIED_NO_MORE.format(self._name(user))
                late = True
        if late:
            self._changed()

    def _begin(self, user: str) -> None:
        exchange = self._with[user] = Verification(self._nonce())
        local, remote = self._describe(user)
        for message in exchange.opened(local, remote, self._state.session.id):
            self._messaging.tell(user, message)
        if user in self._lost:
            self._found(user)
            self._state.notices.notice = texts.VERIFY_AGAIN.format(self._name(user))
        self._changed()

    def _end(self, user: str) -> None:
        exchange = self._with.pop(user, None)
        if exchange is not None and exchange.state == CONFIRMED:
            self._lost = self._lost[1 - MOST_LOST :]
            self._lost.append(user)

    def _found(self, user: str) -> None:
        self._lost.remove(user)
        self._silent.pop(user, None)

    def _received(self, user: str, message: dict[str, Any]) -> None:
        exchange = self.of(user)
        was = exchange.state
        for answer in exchange.received(message):
            self._messaging.tell(user, answer)
        self._warn(user, was)
        if exchange.state != was:
            self._changed()

    def _warn(self, user: str, was: str) -> None:
        """Say it aloud when somebody who was verified is so no longer."""
        if was == CONFIRMED and self.of(user).state == NOT_VERIFIED:
            self._state.notices.alarm = texts.VERIFIED_NO_MORE.format(self._name(user))

    def _name(self, user: str) -> str:
        other = self._state.participants.find(user)
        return texts.THE_OTHER if other is None or not other.name else other.name


def badge(exchange: Verification, name: str) -> tuple[str, str]:
    """Return the icon beside somebody's name, and what it means."""
    return ICONS.get(exchange.state, "shield"), texts.TRUST[exchange.state].format(name or texts.THE_OTHER)
