"""Finds what others did since the last look: they joined, left, knock, or wrote. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import texts

if TYPE_CHECKING:
    from .page_state import PageState

__all__ = ["CHAT", "JOINED", "KNOCK", "LEFT", "CallNews"]

JOINED = "joined"
LEFT = "left"
KNOCK = "knock"
CHAT = "chat"


class CallNews:
    """Compares the page's state with that of the last look."""

    def __init__(self) -> None:
        self._members: dict[str, str] | None = None
        self._knocks: list[str] = []
        self._unread = 0

    def update(self, state: PageState, visible: bool) -> list[str]:
        """Return what happened since the last look, each kind once, and set the headline of the tab's title.

        Arguments:
            state: the page's state.
            visible: whether the person sees the page, and needs no headline.

        """
        before, knocks, unread = self._members, self._knocks, self._unread
        in_session = state.in_session
        members = {member.user: member.name for member in state.participants.members}
        self._members = members if in_session else None
        self._knocks = list(state.participants.knocks)
        self._unread = state.layout.unread
        if visible:
            state.notices.headline = ""
        if before is None or not in_session:
            # Those who were there when this person came have not joined now.
            return []
        found = []
        for kind, sentence, names in (
            (LEFT, texts.LEFT_NEWS, [name for user, name in before.items() if user not in members]),
            (JOINED, texts.JOINED_NEWS, [name for user, name in members.items() if user not in before]),
            (KNOCK, texts.KNOCK, [name for user, name in state.participants.knocks.items() if user not in knocks]),
        ):
            if names:
                found.append(kind)
                if not visible:
                    state.notices.headline = sentence.format(names[-1] or texts.SOMEBODY)
        if self._unread > unread:
            found.append(CHAT)
        return found
