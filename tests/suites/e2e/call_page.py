"""Operates the call page as a person does, in any browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.suites.e2e.browser import Tab
from tests.suites.e2e.waiting import until

#: The seconds within which the page has to load, and within which two pages have to connect.
PATIENCE = 30.0

#: The seconds for which video must play until a call counts as working.
WATCHED = 2.0

#: The audio energy in a second that counts as silence: Chromium's comfort noise has about 1e-9, its fake microphone
#: 0.2.
SILENCE = 1e-4

#: JavaScript that returns whether the page has fetched the modules of calls.
CALLS_FETCHED = "performance.getEntriesByType('resource').some(({name}) => name.includes('/assets/call.'))"

#: The frames in a second that count as no video: Firefox sends a black frame each second, and sometimes two.
DARK = 2


@dataclass(frozen=True)
class Figures:
    """The media statistics of one side of a call.

    Attributes:
        frames_in, frames_out: decoded and sent frames of video.
        audio_in, audio_out: received and sent packets of audio.
        first_frame: seconds from the moment at which the guest pressed Join to this side's first picture; None when
            it does not know.

    """

    frames_in: int
    frames_out: int
    audio_in: int
    audio_out: int
    first_frame: float | None


class CallPage:
    """The call page of signald in a browser tab.

    Attributes:
        tab: the browser tab.

    """

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self._first_frame: float | None = None

    @property
    def state(self) -> str:
        """The state of the page, such as `start`, `waiting` or `connected`."""
        state: str = self.tab.evaluate("document.documentElement.dataset.state")
        return state

    def wait_for(self, *states: str) -> str:
        """Wait until the page is in one of these states, and return the state.

        Raises:
            AssertionError: the page did not reach the state; the message has what the page shows.

        """
        try:
            until(lambda: self.state in states, PATIENCE, f"state {' or '.join(states)}")
        except AssertionError as error:
            seen = f"state {self.state}, “{self.text('status')}”, “{self.text('error')}”, console: {self.tab.messages}"
            raise AssertionError(f"{error}: {seen}") from None
        return self.state

    def open(self, url: str) -> None:
        """Load the page, and wait until the page is ready for input."""
        self.tab.open(url)
        self.wait_for("start")

    def host(self) -> str:
        """Start a call, and return its id in canonical form."""
        self.tab.click("#start")
        self.wait_for("waiting")
        return self.text("session-id").replace("-", "")

    def wait_for_calls(self) -> None:
        """Wait until the page has fetched the modules of calls, without which it cannot start one."""
        until(lambda: self.tab.evaluate(CALLS_FETCHED), PATIENCE, "the modules of calls")

    def join(self, session: str = "") -> None:
        """Type the id, unless the page's address contains it already, press Join, and return at once."""
        if session:
            self.tab.evaluate("document.getElementById('session-input').value = ''")
            self.tab.type("#session-input", session)
        self.tab.click("#join")

    def hang_up(self) -> None:
        """Press the button that ends the call for all, as the host of a call with other members."""
        self.tab.click("#hang-up")
        self.tab.click("#confirm-end")

    def people(self) -> None:
        """Show the list of people."""
        if not self.shown("people-panel"):
            self.tab.click("#people-button")
            rows = "document.querySelectorAll('#people li').length"
            until(lambda: self.tab.evaluate(rows), PATIENCE, "the list of people")

    def wait_for_people(self, count: int) -> None:
        """Wait until the list has so many people."""
        self.people()
        rows = "document.querySelectorAll('#people li').length"
        until(lambda: self.tab.evaluate(rows) == count, PATIENCE, f"{count} people")

    def close_side(self) -> None:
        """Close the panel that is open beside the call."""
        self.tab.click("#side-close")
        until(lambda: not self.shown("side"), PATIENCE, "nothing beside the call")

    def text(self, element: str) -> str:
        """Return the text of an element."""
        text: str = self.tab.evaluate(f"document.getElementById('{element}').textContent.trim()")
        return text

    def shown(self, element: str) -> bool:
        """Return whether an element is visible."""
        return bool(self.tab.evaluate(f"document.getElementById('{element}').checkVisibility()"))

    def wait_for_text(self, element: str, text: str) -> None:
        """Wait until an element is visible and has this text."""
        until(
            lambda: self.shown(element) and text.lower() in self.text(element).lower(),
            PATIENCE,
            f"“{text}” in #{element}, which says “{self.text(element)}”",
        )

    def picture(self) -> tuple[int, float]:
        """Return the width of the remote video in pixels, and its playing time in seconds."""
        video = "document.getElementById('remote-video')"
        width, played = self.tab.evaluate(f"[{video}.videoWidth, {video}.currentTime]")
        return int(width), float(played)

    def statistics(self) -> dict[str, Any]:
        """Return the statistics of the only peer connection; None without a peer connection."""
        members = list(self.statistics_of_all().values())
        assert len(members) < 2, members
        return members[0] if members else {}

    def statistics_of_all(self) -> dict[str, dict[str, Any]]:
        """Return the statistics of each peer connection, by the user id of the other member."""
        members: dict[str, dict[str, Any]] = json.loads(self.tab.evaluate("globalThis.signald.stats()"))
        return members

    def look_for_picture(self, since: float) -> bool:
        """Return whether the remote video is visible, and record the time when it was first seen.

        Arguments:
            since: when the guest pressed Join (monotonic seconds).

        """
        width, played = self.picture()
        if width > 0 and played > 0 and self._first_frame is None:
            self._first_frame = time.monotonic() - since
        return self._first_frame is not None

    def watch(self) -> Figures:
        """Watch the video of a call for `WATCHED` seconds.

        Raises:
            AssertionError: the video does not play, or frames or audio packets are not received.

        """
        (figures,) = watch(self)
        return figures

    def compare(self, before: dict[str, Any]) -> Figures:
        """Return the current statistics, and assert that every value is larger than in `before`.

        Raises:
            AssertionError: the video or the peer connection is missing, or frames or audio packets stopped.

        """
        width, _ = self.picture()
        after = self.statistics()
        assert width > 0, "the picture has no width"
        for name in ("framesDecoded", "framesSent", "audioPacketsReceived", "audioPacketsSent"):
            assert after[name] > before[name], f"{name} stayed at {after[name]}"
        assert after["connectionState"] == "connected", after["connectionState"]
        assert after["iceState"] in ("connected", "completed"), after["iceState"]
        return Figures(
            frames_in=after["framesDecoded"],
            frames_out=after["framesSent"],
            audio_in=after["audioPacketsReceived"],
            audio_out=after["audioPacketsSent"],
            first_frame=self._first_frame,
        )

    def still(self, name: str, most: float) -> None:
        """Wait until a value rises by no more than a limit in a second.

        Raises:
            AssertionError: the value continues to rise.

        """
        before, since = float(self.statistics()[name]), time.monotonic()

        def look() -> bool:
            nonlocal before, since
            if time.monotonic() - since < 1:
                return False
            last, before, since = before, float(self.statistics()[name]), time.monotonic()
            return before - last <= most

        until(look, PATIENCE, f"{name} to stay as it is")

    def rises(self, name: str, least: float = 0.0) -> None:
        """Wait until a value rises by more than a limit in a second.

        Raises:
            AssertionError: the value does not rise.

        """
        before, since = float(self.statistics()[name]), time.monotonic()

        def look() -> bool:
            nonlocal before, since
            value = float(self.statistics()[name])
            if value - before > least:
                return True
            if time.monotonic() - since >= 1:
                before, since = value, time.monotonic()
            return False

        until(look, PATIENCE, f"{name} to rise")


def watch(*pages: CallPage) -> list[Figures]:
    """Watch the videos of a call on several pages at the same time; return the statistics of each page.

    Raises:
        AssertionError: a page does not play its video, or receives no frames or audio packets.

    """
    for page in pages:
        page.wait_for("connected")
    before = [(page.statistics(), page.picture()[1]) for page in pages]
    for page, (_, start) in zip(pages, before, strict=True):
        until(_has_played(page, start + WATCHED), WATCHED + PATIENCE, f"{WATCHED:g} s of picture")
    return [page.compare(figures) for page, (figures, _) in zip(pages, before, strict=True)]


def _has_played(page: CallPage, end: float) -> Callable[[], bool]:
    return lambda: page.picture()[1] >= end
