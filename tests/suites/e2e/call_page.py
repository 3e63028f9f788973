"""The call page as a person uses it, in whichever browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.suites.e2e.browser import Tab
from tests.suites.e2e.waiting import until

#: Seconds for the page to load, and for two pages to find each other.
PATIENCE = 30.0

#: Seconds of picture that make a call a call.
WATCHED = 2.0

#: Audio energy in a second that is no sound: what Chromium adds to silence for comfort is about 1e-9, its fake
#: microphone 0.2.
SILENCE = 1e-4

#: Frames in a second that are no picture: Firefox goes on with a black one, now and then two fall into a second.
DARK = 2


@dataclass(frozen=True)
class Figures:
    """The media statistics of one side of a call.

    Attributes:
        frames_in, frames_out: frames of video, decoded and sent.
        audio_in, audio_out: packets of audio, received and sent.
        first_frame: seconds from the moment at which the guest pressed Join to this side's first picture; None when
            it does not know.

    """

    frames_in: int
    frames_out: int
    audio_in: int
    audio_out: int
    first_frame: float | None


class CallPage:
    """signald's page in a tab.

    Attributes:
        tab: the tab.

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
        """Wait for one of these states, and return it.

        Raises:
            AssertionError: it did not come; says what the page shows instead.

        """
        try:
            until(lambda: self.state in states, PATIENCE, f"state {' or '.join(states)}")
        except AssertionError as error:
            seen = f"state {self.state}, “{self.text('status')}”, “{self.text('error')}”, console: {self.tab.messages}"
            raise AssertionError(f"{error}: {seen}") from None
        return self.state

    def open(self, url: str) -> None:
        """Load the page, and wait until it works."""
        self.tab.open(url)
        self.wait_for("start")

    def host(self) -> str:
        """Start a call and return its id, canonical."""
        self.tab.click("#start")
        self.wait_for("waiting")
        return self.text("session-id").replace("-", "")

    def join(self, session: str = "") -> None:
        """Type the id, unless the page's address held it already, and press Join; returns at once."""
        if session:
            self.tab.evaluate("document.getElementById('session-input').value = ''")
            self.tab.type("#session-input", session)
        self.tab.click("#join")

    def hang_up(self) -> None:
        """As the host of a call with others in it, end it for all."""
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
        """Close what is shown beside the call."""
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
        """Wait until an element is seen and holds this text."""
        until(
            lambda: self.shown(element) and text.lower() in self.text(element).lower(),
            PATIENCE,
            f"“{text}” in #{element}, which says “{self.text(element)}”",
        )

    def picture(self) -> tuple[int, float]:
        """Width of the other side's picture, and how far it has played (seconds)."""
        video = "document.getElementById('remote-video')"
        width, played = self.tab.evaluate(f"[{video}.videoWidth, {video}.currentTime]")
        return int(width), float(played)

    def statistics(self) -> dict[str, Any]:
        """The figures of the only peer connection; none where there is no connection."""
        members = list(self.statistics_of_all().values())
        assert len(members) < 2, members
        return members[0] if members else {}

    def statistics_of_all(self) -> dict[str, dict[str, Any]]:
        """The figures of each peer connection, by the other's user id."""
        members: dict[str, dict[str, Any]] = json.loads(self.tab.evaluate("globalThis.signald.stats()"))
        return members

    def look_for_picture(self, since: float) -> bool:
        """Return whether there is a picture, and record when it was first seen.

        Arguments:
            since: when the guest pressed Join (monotonic seconds).

        """
        width, played = self.picture()
        if width > 0 and played > 0 and self._first_frame is None:
            self._first_frame = time.monotonic() - since
        return self._first_frame is not None

    def watch(self) -> Figures:
        """Watch a call that has a picture for a while.

        Raises:
            AssertionError: it does not play, or frames or audio packets are not received.

        """
        (figures,) = watch(self)
        return figures

    def compare(self, before: dict[str, Any]) -> Figures:
        """Return what was counted so far, more of everything than `before`.

        Raises:
            AssertionError: there is no picture, no connection, or no more frames or audio packets than before.

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
        """Wait until a figure rises no more than this in a second.

        Raises:
            AssertionError: it goes on rising.

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
        """Wait until a figure rises more than this in a second.

        Raises:
            AssertionError: it does not.

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
    """Watch the pages of a call that has a picture, all at the same time; return what each counted.

    Raises:
        AssertionError: a page does not play, or frames or audio packets are not received.

    """
    for page in pages:
        page.wait_for("connected")
    before = [(page.statistics(), page.picture()[1]) for page in pages]
    for page, (_, start) in zip(pages, before, strict=True):
        until(_has_played(page, start + WATCHED), WATCHED + PATIENCE, f"{WATCHED:g} s of picture")
    return [page.compare(figures) for page, (figures, _) in zip(pages, before, strict=True)]


def _has_played(page: CallPage, end: float) -> Callable[[], bool]:
    return lambda: page.picture()[1] >= end
