"""What happened to the connections of the calls of this page, for a report: pure, and without names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from .page_state import PageState
    from .remote_peer import RemotePeer

__all__ = ["EventLog"]

MOST_EVENTS = 200
MOST_PEOPLE = 12
"""The newest are kept."""


class LoggedPeer:
    """Somebody, as far as the journal has told of them.

    Attributes:
        number: of this person in the report.
        other: who.

    """

    def __init__(self, number: int, other: RemotePeer) -> None:
        self.number = number
        self.other = other
        self.here = False
        self._told: dict[str, Any] = {}

    def news(self, here: bool) -> list[str]:
        """Return what happened since the last call, in single words."""
        found = []
        other = self.other
        if here != self.here:
            self.here = here
            found.append("came" if here else "left")
        if here:
            now = {"connection": other.connection, "restarts": other.restarts, "away": other.away}
            for what, word in (
                ("connection", other.connection),
                ("restarts", "ice-restart"),
                ("away", "away" if other.away else "back"),
            ):
                if self._told and self._told[what] != now[what]:
                    found.append(word)
            self._told = now
        return found


class EventLog:
    """It follows the page's state.

    Attributes:
        events: seconds of the page's clock, the number of a person (0 is the own page), and what happened: `came`,
            `left`, an `RTCPeerConnectionState`, `ice-restart`, `away` and `back` (their connection to the server), of
            the own page `server-lost` and `server-back`.
        people: the others, also those who have left.

    """

    def __init__(self) -> None:
        self.events: list[tuple[float, int, str]] = []
        self.people: list[LoggedPeer] = []
        self._count = 0
        self._offline = False

    def follow(self, now: float, state: PageState) -> None:
        """Note what changed; `now`: seconds of the page's clock."""
        offline = state.network.offline_for is not None
        if offline != self._offline:
            self._offline = offline
            self._note(now, 0, "server-lost" if offline else "server-back")
        for other in state.participants.others:
            if all(known.other is not other for known in self.people):
                self._count += 1
                self.people = self.people[1 - MOST_PEOPLE :]
                self.people.append(LoggedPeer(self._count, other))
        for known in self.people:
            for word in known.news(any(other is known.other for other in state.participants.others)):
                self._note(now, known.number, word)

    def _note(self, now: float, number: int, word: str) -> None:
        self.events = self.events[1 - MOST_EVENTS :]
        self.events.append((now, number, word))
