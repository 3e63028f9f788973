"""The report of `make e2e`: a table of the calls, and screenshots of the page.

Both are written into the directory that TEST_E2E_REPORT names; without TEST_E2E_REPORT nothing is written.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.suites.e2e.browser import Tab
from tests.suites.e2e.call_page import Figures
from tests.support.tables import add_row, align

HEADINGS = ("host", "guest", "first frame (s)", "frames decoded", "audio packets")

TITLE = """Calls, each figure as the host and as the guest saw it. A page's first frame is counted from the moment
at which the guest pressed Join, or from the start of its program; a peer's, from when both were members.

"""


def directory() -> Path | None:
    """Return the directory of the report; None when no report is wanted."""
    name = os.environ.get("TEST_E2E_REPORT")
    if not name:
        return None
    Path(name).mkdir(parents=True, exist_ok=True)
    return Path(name)


def add_call(host: str, guest: str, at_host: Figures, at_guest: Figures) -> None:
    """Add a call to the table, with the figures of the host and of the guest."""
    row = (
        host,
        guest,
        f"{_seconds(at_host)} / {_seconds(at_guest)}",
        f"{at_host.frames_in} / {at_guest.frames_in}",
        f"{at_host.audio_in} / {at_guest.audio_in}",
    )
    where = directory()
    if where is not None:
        add_row(where, "calls", row, lambda rows: TITLE + align(HEADINGS, rows))


def add_time(what: str, seconds: float, note: str) -> None:
    """Add a row to the table of losses and the seconds until recovery."""
    title = "What was lost, the seconds until it was back, and what was seen meanwhile.\n\n"
    _add_line("times", title, f"{what:<34}  {seconds:6.2f} s  {note}")


def add_mesh(rows: Sequence[str]) -> None:
    """Add the table of a call with several members."""
    for row in rows:
        _add_line("mesh", "Frames decoded in a call of several people: who decoded them, and of whom.\n\n", row)


def add_screen(name: str, found: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Add a screen to the table of accessibility: the violations, by window size and colours."""
    cells = [
        ", ".join(f"{count} {impact}" for impact, count in Counter(impact for impact, _ in one).items()) or "-"
        for one in found.values()
    ]
    rules = ", ".join(sorted({rule for one in found.values() for _, rule in one}))
    headings = f"{'':<22}" + "".join(f"{look:<14}" for look in found)
    title = "What axe-core finds on each screen (WCAG 2.2 A and AA, and advice).\n\n"
    line = f"{name:<22}" + "".join(f"{cell:<14}" for cell in cells) + rules
    _add_line("accessibility", title + headings + "\n", line)


def _add_line(name: str, title: str, line: str) -> None:
    where = directory()
    if where is not None:
        add_row(where, name, [line], lambda rows: title + "\n".join(shown for (shown,) in rows) + "\n")


def add_picture(tab: Tab, name: str) -> None:
    """Save a screenshot of a tab."""
    where = directory()
    if where is not None:
        tab.screenshot(where / f"{name}.png")


def _seconds(figures: Figures) -> str:
    return "-" if figures.first_frame is None else f"{figures.first_frame:.2f}"
