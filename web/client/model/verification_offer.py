"""Decides whose connection the page offers to verify, and for how long. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.verification import CODE

from . import texts
from .view_model import status

if TYPE_CHECKING:
    from collections.abc import Callable

    from .page_state import PageState

__all__ = ["OFFER_SECONDS", "VerificationOffer"]

OFFER_SECONDS = 30.0
"""Seconds for which the offer is shown unless the person answers it: enough to read it, and to end a greeting."""


class VerificationOffer:
    """The offer to compare the codes of one connection, which is made until it is over once.

    Attributes:
        user: whose connection is offered; empty while no offer is shown.

    """

    def __init__(self, wanted: bool) -> None:
        """Begin without an offer; `wanted`: none was over in this browser before."""
        self.user = ""
        self._wanted = wanted
        self._shown_for = self._ticked = 0.0
        self._counts = False

    def update(self, state: PageState, verification: Callable[[str], str]) -> None:
        """Choose the first participant whose connection can be verified now.

        The status line is in the same place, and comes first if it has more to say than that there is a connection.

        Arguments:
            state: the page's state.
            verification: returns the state of the verification with a user.

        """
        self.user = ""
        if not self._wanted or status(state) != texts.CONNECTED:
            return
        for member in state.participants.members:
            if member.connection == "connected" and verification(member.user) == CODE:
                self.user = member.user
                return

    def tick(self, now: float, held: bool) -> bool:
        """Advance the time, and return whether the offer has been shown for long enough.

        Arguments:
            now: seconds that never go back; call this about once a second.
            held: whether the time stands still, because the person is at the offer, or does not see the page.

        """
        counts = bool(self.user) and not held
        # Browsers call timers of hidden pages late, so that a tick may end a time in which nobody saw the page.
        if counts and self._counts:
            self._shown_for += now - self._ticked
        self._ticked, self._counts = now, counts
        return self._wanted and self._shown_for >= OFFER_SECONDS

    def end(self) -> bool:
        """Show no offer any more, and return whether one was still to be shown."""
        wanted, self._wanted, self.user = self._wanted, False, ""
        return wanted
