"""Logs connection events of the calls of this page, without names, for the support report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from .page_state import PageState
    from .remote_peer import RemotePeer

__all__ = ["EventLog"]

MAX_EVENTS = 200
MAX_PEOPLE = 12
"""The log keeps at most this many events and people, the newest ones."""


class LoggedPeer:
    """One participant of the event log, with the state that was logged last.

    Attributes:
        number: the participant's number in the report.
        member: the participant.
        present: whether the participant was in the session at the last update.

    """

    def __init__(self, number: int, member: RemotePeer) -> None:
        self.number = number
        self.member = member
        self.present = False
        self._logged: dict[str, Any] = {}

    def new_events(self, present: bool) -> list[str]:
        """Return one word for each event since the last call."""
        found = []
        member = self.member
        if present != self.present:
            self.present = present
            found.append("came" if present else "left")
        if present:
            now = {"connection": member.connection, "restarts": member.restarts, "away": member.away}
            for what, word in (
                ("connection", member.connection),
                ("restarts", "ice-restart"),
                ("away", "away" if member.away else "back"),
            ):
                if self._logged and self._logged[what] != now[what]:
                    found.append(word)
            self._logged = now
        return found


class EventLog:
    """Logs how the page's state changes.

    Attributes:
        events: seconds of the page's clock, the number of a participant (0 stands for the local page), and the event:
            `came`, `left`, an `RTCPeerConnectionState`, `ice-restart`, `away` and `back` (the participant's connection
            to the server), and for the local page `server-lost` and `server-back`.
        people: the remote participants, also those who have left.

    """

    def __init__(self) -> None:
        self.events: list[tuple[float, int, str]] = []
        self.people: list[LoggedPeer] = []
        self._count = 0
        self._offline = False

    def update(self, now: float, state: PageState) -> None:
        """Log what changed since the last call; `now` is in seconds of the page's clock."""
        offline = state.network.offline_for is not None
        if offline != self._offline:
            self._offline = offline
            self._add(now, 0, "server-lost" if offline else "server-back")
        for member in state.participants.members:
            if all(known.member is not member for known in self.people):
                self._count += 1
                self.people = self.people[1 - MAX_PEOPLE :]
                self.people.append(LoggedPeer(self._count, member))
        for known in self.people:
            for word in known.new_events(any(member is known.member for member in state.participants.members)):
                self._add(now, known.number, word)

    def _add(self, now: float, number: int, word: str) -> None:
        self.events = self.events[1 - MAX_EVENTS :]
        self.events.append((now, number, word))
