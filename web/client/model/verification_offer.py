"""Decides whose connection the page offers to verify. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.verification import CODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .page_state import PageState

__all__ = ["offered_user"]


def offered_user(state: PageState, verification: Callable[[str], str]) -> str:
    """Return the first participant whose connection can be verified now; empty if there is none.

    Arguments:
        state: the page's state.
        verification: returns the state of the verification with a user.

    """
    for member in state.participants.members:
        if member.connection == "connected" and verification(member.user) == CODE:
            return member.user
    return ""
