"""Measures how good the connections of a call are, one after the other, and shows the figures on request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model import texts, webrtc_stats
from ..model.event_log import EventLog
from ..model.quality import INTERVAL, own_fault
from .bridge import BrowserError, call, load_extras, now, put, spawn

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..extras.statistics_sheet import StatisticsSheet
    from ..model.page_state import PageState
    from ..model.peer_messaging import PeerMessaging
    from .call import Call
    from .page import Page
    from .peer_connection import PeerConnection

__all__ = ["QualityMonitor"]


class QualityMonitor:
    """It samples the connections all the time, spread over the interval, so that no sample takes Python long.

    Attributes:
        call: the call that goes on; None between calls.

    """

    def __init__(self, page: Page, state: PageState, messaging: PeerMessaging, changed: Callable[[], None]) -> None:
        """Begin; `changed` is called when the state changed."""
        self.call: Call | None = None
        self._page = page
        self._state = state
        self._messaging = messaging
        self._changed = changed
        self._room = page.element("remotes")
        self._event_log = EventLog()
        self._before: dict[str, tuple[PeerConnection, dict[str, Any]]] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._sheet: StatisticsSheet | None = None
        messaging.hear("quality", self._heard)
        messaging.begun(self._begun)
        page.on("open-statistics", "click", lambda event: spawn(self._open()))
        spawn(self._measure())

    def follow(self) -> None:
        """Note what changed, and show how good each connection is."""
        self._event_log.follow(now(), self._state)
        self._grade()
        if self._sheet is not None:
            self._sheet.follow()

    def _grade(self) -> None:
        for figure in call(self._room, "querySelectorAll", ".remote"):
            user = call(call(figure, "querySelector", "video"), "getAttribute", "data-user")
            other = self._state.participants.find(user or "")
            if other is None:
                continue
            bars, fault = other.rating(self._state.participants.others, self._state.network.offline_for is not None)
            words = texts.quality(other.name, bars, fault)
            element = call(figure, "querySelector", ".bars")
            if (call(element, "getAttribute", "aria-label") or "") != words:
                call(element, "setAttribute", "aria-label", words)
                call(element, "setAttribute", "data-bars", str(bars))
                put(element, "title", words)
                put(element, "hidden", bars is None)
            if other.interrupted:
                sentence = texts.TROUBLE_AWAY if other.away else texts.TROUBLE
                trouble = sentence.format(int(other.interrupted_for))
                put(call(figure, "querySelector", ".trouble"), "textContent", trouble)

    async def _measure(self) -> None:
        while True:
            users = [] if self.call is None else list(self.call.peers.by_user)
            for kept in (self._before, self._told):
                for user in list(kept):
                    if user not in users:
                        del kept[user]
            for user in users:
                await asyncio.sleep(INTERVAL / len(users))
                await self._sample(user)
            if not users:
                await asyncio.sleep(INTERVAL)

    async def _sample(self, user: str) -> None:
        peer = None if self.call is None else self.call.peers.by_user.get(user)
        if peer is None:
            return
        try:
            after = webrtc_stats.by_id(await peer.statistics())
        except BrowserError:
            # A connection that is closed in this moment.
            return
        other = self._state.participants.find(user)
        known, before = self._before.get(user, (None, {}))
        self._before[user] = (peer, after)
        if other is None or known is not peer or other.connection != "connected":
            return
        bound = None if peer.bounded is None else peer.bounded[0]
        other.quality.take(webrtc_stats.measured(before, after), bound)
        self._tell(user)
        self._grade()
        if self._sheet is not None:
            self._sheet.follow(user)

    # What the pages tell each other

    def _begun(self, user: str) -> None:
        self._told.pop(user, None)
        self._tell(user)

    def _tell(self, user: str) -> None:
        other = self._state.participants.find(user)
        if other is not None and self._messaging.speaks(user):
            message = other.quality.message(own_fault([known.quality for known in self._state.participants.others]))
            if self._told.get(user) != message and self._messaging.tell(user, message):
                self._told[user] = message

    def _heard(self, user: str, message: dict[str, Any]) -> None:
        other = self._state.participants.find(user)
        if other is not None:
            other.quality.heard(message)
            self._grade()

    # The statistics

    async def _open(self) -> None:
        if not await load_extras():
            self._state.notices.problem = texts.NOT_LOADED
            self._changed()
            return
        from ..extras.statistics_sheet import StatisticsSheet

        if self._sheet is None:
            self._sheet = StatisticsSheet(self._page, self._state, self._event_log)
        await self._sheet.open("" if self.call is None else self.call.server)
