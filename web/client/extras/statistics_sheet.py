"""The statistics panel: a table with small lines for each person, and a report to save."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser.bridge import BrowserJson, call, call_static, construct, get, now, put, spawn, window
from ..model import texts as sentences
from . import extra_texts
from .statistics_rows import HEIGHT, WIDTH, points, reach, rows
from .support_report import report

if TYPE_CHECKING:
    from typing import Any

    from ..browser.page import Page
    from ..model.event_log import EventLog
    from ..model.page_state import PageState
    from ..model.remote_peer import RemotePeer

__all__ = ["StatisticsSheet"]

SVG = "http://www.w3.org/2000/svg"

KEPT_FOR = 60.0
"""Seconds for which a browser can fetch the report from its address."""


class Row:
    """A row of a table."""

    def __init__(self, label: str, series: str) -> None:
        """Make it; `series`: that of the line, or empty."""
        self.element = _make("tr")
        head = _make("th", label)
        put(head, "scope", "row")
        self.series = series
        self._value = _make("td")
        self._line: Any = None
        call(self.element, "append", head, self._value)
        if series:
            self._image = _drawing("svg", {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "preserveAspectRatio": "none"})
            call(self._image, "setAttribute", "role", "img")
            self._line = _drawing("polyline", {})
            call(self._image, "append", self._line)
            cell = _make("td")
            call(cell, "append", self._image)
            call(self.element, "append", cell)
        else:
            put(self._value, "colSpan", 2)

    def show(self, value: str, history: list[tuple[Any, ...]]) -> None:
        """Show this value, and the line of the last minutes."""
        put(self._value, "textContent", value)
        if self._line is not None:
            call(self._line, "setAttribute", "points", points(history, self.series))
            call(self._image, "setAttribute", "aria-label", reach(history, self.series))


class Person:
    """The part of one person."""

    def __init__(self, other: RemotePeer) -> None:
        self.other = other
        self.element = _make("section")
        self._heading = _make("h3")
        table = _make("table")
        body = _make("tbody")
        self._rows = []
        for label, _, series in rows({}):
            row = Row(label, series)
            self._rows.append(row)
            call(body, "append", row.element)
        call(table, "append", body)
        call(self.element, "append", self._heading, table)

    def show(self, state: PageState) -> None:
        """Show what is known now."""
        words = sentences.quality(
            self.other.name, *self.other.rating(state.participants.others, state.network.offline_for is not None)
        )
        put(self._heading, "textContent", words or self.other.name or extra_texts.NAMELESS)
        quality = self.other.quality
        for index, (_, value, _) in enumerate(rows(quality.values)):
            self._rows[index].show(value, quality.history)


class StatisticsSheet:
    """The dialog `statistics`."""

    def __init__(self, page: Page, state: PageState, event_log: EventLog) -> None:
        self._dialog = page.element("statistics")
        self._list = page.element("statistics-people")
        self._nobody = page.element("statistics-nobody")
        self._state = state
        self._event_log = event_log
        self._people: dict[str, Person] = {}
        self._server = ""
        page.on("save-report", "click", lambda event: self._save())

    async def open(self, server: str) -> None:
        """Show it, person by person, so that no step takes Python long; `server`: what the server calls itself."""
        self._server = server
        put(self._list, "textContent", "")
        self._people = {}
        put(self._nobody, "hidden", bool(self._state.participants.others))
        if not get(self._dialog, "open"):
            call(self._dialog, "showModal")
        for other in self._state.participants.others[:]:
            self._add(other)
            await asyncio.sleep(0)

    def follow(self, user: str = "") -> None:
        """There are new figures of this person, or other people; nothing is done while the dialog is closed."""
        if get(self._dialog, "open"):
            self._arrange(self._state)
            if user in self._people:
                self._people[user].show(self._state)

    def _arrange(self, state: PageState) -> None:
        """Have a part for each of the people who are there."""
        for user in list(self._people):
            if state.participants.find(user) is not self._people[user].other:
                call(self._people.pop(user).element, "remove")
        for other in state.participants.others:
            self._add(other)
        put(self._nobody, "hidden", bool(state.participants.others))

    def _add(self, other: RemotePeer) -> None:
        if other.user not in self._people:
            self._people[other.user] = Person(other)
            call(self._list, "append", self._people[other.user].element)
            self._people[other.user].show(self._state)

    def _save(self) -> None:
        """Let the browser save the report."""
        page = get(window, "signald")
        facts = {
            "report": "signald-call",
            "time": call(construct("Date"), "toISOString"),
            "seconds": now(),
            "browser": get(window, "navigator", "userAgent"),
            "server": self._server,
        }
        hidden = [get(window, "location", "host"), get(window, "location", "hostname")]
        hidden.append(self._state.session.id)
        hidden += [known.other.name for known in self._event_log.people]
        log = [str(line) for line in get(page, "log")]
        text = BrowserJson().dumps(report(self._event_log, facts, log, hidden))
        blob = construct("Blob", [text], {"type": "application/json"})
        address = call_static("URL", "createObjectURL", blob)
        link = _make("a")
        put(link, "href", address)
        put(link, "download", "signald-report.json")
        call(link, "click")
        spawn(_forget(address))


async def _forget(address: str) -> None:
    await asyncio.sleep(KEPT_FOR)
    call_static("URL", "revokeObjectURL", address)


def _make(tag: str, text: str = "") -> Any:
    element = call(get(window, "document"), "createElement", tag)
    put(element, "textContent", text)
    return element


def _drawing(tag: str, attributes: dict[str, str]) -> Any:
    element = call(get(window, "document"), "createElementNS", SVG, tag)
    for name, value in attributes.items():
        call(element, "setAttribute", name, value)
    return element
