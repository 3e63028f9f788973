"""Verifies the connections of a call against a person in the middle. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.verification import COMMIT, CONFIRMED, DENIED, NOT_VERIFIED, REVEAL, Verification

from . import texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .page_state import PageState
    from .peer_messaging import PeerMessaging

__all__ = ["Trust", "badge"]

ICONS = {CONFIRMED: "verified", DENIED: "alert", NOT_VERIFIED: "alert"}
"""The icons of the states that a plain shield does not represent."""

MAX_DROPPED = 8
"""The number of verified participants who are remembered after their connection closed."""

SILENT_FOR = 10.0
"""Seconds of connection after which a verified participant whose page sends no messages any more counts as replaced."""


class Trust:
    """Runs one `Verification` with each participant whose page understands messages."""

    def __init__(
        self,
        state: PageState,
        messaging: PeerMessaging,
        nonce: Callable[[], str],
        describe: Callable[[str], tuple[str, str]],
        changed: Callable[[], None],
    ) -> None:
        """Subscribe to the messages.

        Arguments:
            state: the page's state; its alarm is set when a verified connection is no longer verified.
            messaging: the messages between the pages.
            nonce: returns 32 new random bytes, as 64 lower-case hexadecimal digits.
            describe: returns the local and the remote SDP of the connection with a user; empty without one.
            changed: called when a verification changed its state.

        """
        self._state = state
        self._messaging = messaging
        self._nonce = nonce
        self._describe = describe
        self._changed = changed
        self._by_user: dict[str, Verification] = {}
        self._counts: dict[str, int] = {}
        self._dropped: list[str] = []
        self._silent: dict[str, float] = {}
        self._ticked = 0.0
        messaging.on_ready(self._start)
        messaging.on_closed(self._end)
        messaging.on_message(COMMIT, self._received)
        messaging.on_message(REVEAL, self._received)

    def verification(self, user: str) -> Verification:
        """Return the verification with a user, or one that was never started."""
        return self._by_user.get(user) or Verification("")

    def update(self, counts: dict[str, int]) -> None:
        """Check the fingerprints of each connection whose descriptions changed; call it whenever some may have.

        Arguments:
            counts: how many descriptions were set, by user.

        """
        earlier, self._counts = self._counts, counts
        for user, count in counts.items():
            if user in self._by_user and earlier.get(user) != count:
                before = self._by_user[user].state
                self._by_user[user].check(*self._describe(user))
                self._warn(user, before)

    def answer(self, user: str, match: bool) -> None:
        """Store whether the person found the code of a user to match."""
        self.verification(user).answer(match)
        self._changed()

    def tick(self, now: float) -> None:
        """Advance the timeouts; call it about once a second, with seconds that never go back."""
        seconds, self._ticked = now - self._ticked, now
        late = False
        for verification in self._by_user.values():
            before = verification.state
            verification.tick(seconds)
            late = late or verification.state != before
        for user in self._dropped[:]:
            member = self._state.participants.find(user)
            if member is None or member.connection != "connected":
                self._silent.pop(user, None)
                continue
            self._silent[user] = self._silent.get(user, 0.0) + seconds
            if self._silent[user] >= SILENT_FOR:
                # The verified participant would have sent verification messages: another program may be in its place.
                self._forget(user)
                self._state.notices.alarm = texts.VERIFIED_NO_MORE.format(self._name(user))
                late = True
        if late:
            self._changed()

    def _start(self, user: str) -> None:
        verification = self._by_user[user] = Verification(self._nonce())
        local, remote = self._describe(user)
        for message in verification.start(local, remote, self._state.session.id):
            self._messaging.send(user, message)
        if user in self._dropped:
            self._forget(user)
            # Announced, since the connection may be reported as recovered after its data channel has opened.
            self._state.notices.announce(texts.VERIFY_AGAIN.format(self._name(user)))
        self._changed()

    def _end(self, user: str) -> None:
        verification = self._by_user.pop(user, None)
        if verification is not None and verification.state == CONFIRMED:
            self._dropped = self._dropped[1 - MAX_DROPPED :]
            self._dropped.append(user)

    def _forget(self, user: str) -> None:
        self._dropped.remove(user)
        self._silent.pop(user, None)

    def _received(self, user: str, message: dict[str, Any]) -> None:
        verification = self.verification(user)
        before = verification.state
        for answer in verification.receive(message):
            self._messaging.send(user, answer)
        self._warn(user, before)
        if verification.state != before:
            self._changed()

    def _warn(self, user: str, before: str) -> None:
        """Set the alarm if a connection that was verified is no longer verified."""
        if before == CONFIRMED and self.verification(user).state == NOT_VERIFIED:
            self._state.notices.alarm = texts.VERIFIED_NO_MORE.format(self._name(user))

    def _name(self, user: str) -> str:
        member = self._state.participants.find(user)
        return texts.THE_OTHER if member is None or not member.name else member.name


def badge(verification: Verification, name: str) -> tuple[str, str]:
    """Return the icon beside a participant's name, and its meaning in words."""
    return ICONS.get(verification.state, "shield"), texts.TRUST[verification.state].format(name or texts.THE_OTHER)
