"""Measures the quality of a call's peer connections, and opens the statistics sheet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model import texts
from ..model.event_log import EventLog
from ..model.quality import INTERVAL, local_fault
from .bridge import BrowserError, call, load_extras, now, put, spawn

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..extras.statistics_sheet import StatisticsSheet
    from ..model.page_state import PageState
    from .current_call import CurrentCall
    from .page import Page

__all__ = ["QualityMonitor"]


class QualityMonitor:
    """Samples the connections one after the other, spread over the interval so that Python never blocks for long."""

    def __init__(self, page: Page, state: PageState, current: CurrentCall, refresh: Callable[[], None]) -> None:
        """Start sampling; `refresh` is called when the state has changed."""
        self._page = page
        self._state = state
        self._current = current
        self._messaging = messaging = current.messaging
        self._refresh = refresh
        self._remotes = page.element("remotes")
        self._event_log = EventLog()
        self._sent: dict[str, dict[str, Any]] = {}
        self._sheet: StatisticsSheet | None = None
        self._server = ""
        messaging.on_message("quality", self._report_received)
        messaging.on_ready(self._exchange_started)
        page.on_click("open-statistics", self._open_sheet)
        page.on_click("end-report", self._save_report)
        spawn(self._measure())

    def update(self) -> None:
        """Log the changes, and show the quality of each connection."""
        self._event_log.update(now(), self._state)
        if self._current.call is not None:
            self._server = self._current.call.server
        self._show_quality()
        if self._sheet is not None:
            self._sheet.update()

    def _show_quality(self) -> None:
        for figure in call(self._remotes, "querySelectorAll", ".remote"):
            user = call(call(figure, "querySelector", "video"), "getAttribute", "data-user")
            member = self._state.participants.find(user or "")
            if member is None:
                continue
            bars, fault = member.rating(self._state.participants.members, self._state.network.offline_for is not None)
            words = texts.quality(member.name, bars, fault)
            if not member.was_connected:
                words = texts.CONNECTING_TO.format(member.name or texts.THE_OTHER)
            element = call(figure, "querySelector", ".bars")
            if (call(element, "getAttribute", "aria-label") or "") != words:
                call(element, "setAttribute", "aria-label", words)
                call(element, "setAttribute", "data-bars", str(bars))
                put(element, "title", words)
                put(element, "hidden", not words)
            if member.interrupted:
                sentence = texts.TROUBLE_AWAY if member.away else texts.TROUBLE
                trouble = sentence.format(int(member.interrupted_for))
                put(call(figure, "querySelector", ".trouble"), "textContent", trouble)

    async def _measure(self) -> None:
        while True:
            users = list(self._current.peers())
            for user in list(self._sent):
                if user not in users:
                    del self._sent[user]
            for user in users:
                await asyncio.sleep(INTERVAL / len(users))
                await self._sample(user)
            if not users:
                await asyncio.sleep(INTERVAL)

    async def _sample(self, user: str) -> None:
        peer = self._current.peers().get(user)
        if peer is None:
            return
        try:
            sample = await peer.sample()
        except BrowserError:
            # The connection was closed while its statistics were read.
            return
        member = self._state.participants.find(user)
        if sample is None or member is None or member.connection != "connected":
            return
        max_bitrate = None if peer.senders.video_bounds is None else peer.senders.video_bounds.bitrate
        member.quality.add(sample, max_bitrate)
        self._send_report(user)
        self._show_quality()
        if self._sheet is not None:
            self._sheet.update(user)

    # Reports between the pages

    def _exchange_started(self, user: str) -> None:
        self._sent.pop(user, None)
        self._send_report(user)

    def _send_report(self, user: str) -> None:
        member = self._state.participants.find(user)
        if member is not None and self._messaging.is_ready(user):
            message = member.quality.report(local_fault([known.quality for known in self._state.participants.members]))
            if self._sent.get(user) != message and self._messaging.send(user, message):
                self._sent[user] = message

    def _report_received(self, user: str, message: dict[str, Any]) -> None:
        member = self._state.participants.find(user)
        if member is not None:
            member.quality.receive(message)
            self._show_quality()

    # The statistics sheet

    async def _open_sheet(self) -> None:
        sheet = await self._load_sheet()
        if sheet is not None:
            await sheet.open()

    async def _save_report(self) -> None:
        """Save the report of a call that has ended."""
        sheet = await self._load_sheet()
        if sheet is not None:
            sheet.save()

    async def _load_sheet(self) -> StatisticsSheet | None:
        if not await load_extras():
            self._state.notices.problem = texts.NOT_LOADED
            self._refresh()
            return None
        from ..extras.statistics_sheet import StatisticsSheet

        if self._sheet is None:
            self._sheet = StatisticsSheet(self._page, self._state, self._event_log, lambda: self._server)
        return self._sheet
