"""The statistics dialog: a table with line charts for each participant, and a report to save."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser.bridge import BrowserJson, call, construct, get, now, put, window
from ..model import texts as sentences
from . import extra_texts
from .elements import create, save_file, svg
from .statistics_rows import HEIGHT, WIDTH, points, range_text, rows, summary
from .support_report import report

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.page import Page
    from ..model.event_log import EventLog
    from ..model.page_state import PageState
    from ..model.remote_peer import RemotePeer

__all__ = ["StatisticsSheet"]


class StatisticRow:
    """A row of a table."""

    def __init__(self, label: str, series: str) -> None:
        """Create the row; `series` is that of the chart, or empty."""
        self.element = create("tr")
        head = create("th", label)
        put(head, "scope", "row")
        self.series = series
        self._value = create("td")
        self._line: Any = None
        call(self.element, "append", head, self._value)
        if series:
            self._image = svg("svg", {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "preserveAspectRatio": "none", "role": "img"})
            self._line = svg("polyline", {})
            call(self._image, "append", self._line)
            cell = create("td")
            call(cell, "append", self._image)
            call(self.element, "append", cell)
        else:
            put(self._value, "colSpan", 2)

    def show(self, value: str, history: list[tuple[Any, ...]]) -> None:
        """Show a value, and the chart of the last minutes."""
        put(self._value, "textContent", value)
        if self._line is not None:
            call(self._line, "setAttribute", "points", points(history, self.series))
            call(self._image, "setAttribute", "aria-label", range_text(history, self.series))


class PersonSection:
    """The section of one participant."""

    def __init__(self, member: RemotePeer) -> None:
        self.member = member
        self.element = create("section")
        self._heading = create("h3")
        self._summary = create("p")
        table = create("table")
        body = create("tbody")
        self._rows = []
        for label, _, series in rows({}):
            row = StatisticRow(label, series)
            self._rows.append(row)
            call(body, "append", row.element)
        call(table, "append", body)
        call(self.element, "append", self._heading, self._summary, table)

    def show(self, state: PageState) -> None:
        """Draw the present figures."""
        quality = self.member.quality
        bars, fault = self.member.rating(state.participants.members, state.network.offline_for is not None)
        put(self._heading, "textContent", self.member.name or extra_texts.NAMELESS)
        put(self._summary, "textContent", summary(bars, sentences.FAULTS.get(fault, ""), quality.values))
        for index, (_, value, _) in enumerate(rows(quality.values)):
            self._rows[index].show(value, quality.history)


class StatisticsSheet:
    """Controls the dialog `statistics`."""

    def __init__(self, page: Page, state: PageState, event_log: EventLog, server: Callable[[], str]) -> None:
        """Listen to the button that saves the report; `server` returns the name and version of the server."""
        self._dialog = page.element("statistics")
        self._list = page.element("statistics-people")
        self._nobody = page.element("statistics-nobody")
        self._state = state
        self._event_log = event_log
        self._people: dict[str, PersonSection] = {}
        self._server = server
        page.on_click("save-report", self.save)

    async def open(self) -> None:
        """Open the dialog, and add one participant per turn of the event loop."""
        put(self._list, "textContent", "")
        self._people = {}
        put(self._nobody, "hidden", bool(self._state.participants.members))
        if not get(self._dialog, "open"):
            call(self._dialog, "showModal")
        for member in self._state.participants.members[:]:
            self._add(member)
            await asyncio.sleep(0)

    def update(self, user: str = "") -> None:
        """Draw new figures of this user, or changed participants; does nothing while the dialog is closed."""
        if get(self._dialog, "open"):
            self._arrange(self._state)
            if user in self._people:
                self._people[user].show(self._state)

    def _arrange(self, state: PageState) -> None:
        """Add and remove sections until there is one for each participant."""
        for user in list(self._people):
            if state.participants.find(user) is not self._people[user].member:
                call(self._people.pop(user).element, "remove")
        for member in state.participants.members:
            self._add(member)
        put(self._nobody, "hidden", bool(state.participants.members))

    def _add(self, member: RemotePeer) -> None:
        if member.user not in self._people:
            self._people[member.user] = PersonSection(member)
            call(self._list, "append", self._people[member.user].element)
            self._people[member.user].show(self._state)

    def save(self) -> None:
        """Let the browser save the report."""
        page = get(window, "signald")
        facts = {
            "report": "signald-call",
            "time": call(construct("Date"), "toISOString"),
            "seconds": now(),
            "browser": get(window, "navigator", "userAgent"),
            "server": self._server(),
            "reference": self._state.network.reference,
        }
        hidden = [get(window, "location", "host"), get(window, "location", "hostname")]
        hidden.append(self._state.session.id)
        hidden += [known.member.name for known in self._event_log.people]
        log = [str(line) for line in get(page, "log")]
        text = BrowserJson().dumps(report(self._event_log, facts, log, hidden))
        save_file("signald-report.json", "application/json", text)
