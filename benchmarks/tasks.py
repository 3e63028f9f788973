"""How long a page's Python keeps the browser from everything else, by the browser's own trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.suites.e2e.chromium import ChromiumTab

__all__ = ["longest_tasks"]

CALLS = ("FunctionCall", "RunMicrotasks")
"""Events of a trace: the browser calls a script, or goes on with what waited for a promise. Python runs in both."""


def longest_tasks(tab: ChromiumTab, deed: Callable[[], None]) -> tuple[float, float]:
    """Return the longest times of scripts during the deed, in milliseconds: on the processor, and by the clock.

    Of all tabs of the browser: they run the same page. By the clock a script also waits for a processor that others
    have, of which there are many where one machine plays all the people of a call.
    """
    browser: Any = tab.context.browser
    browser.start_tracing(page=tab.page, categories=["devtools.timeline"])
    deed()
    events: list[dict[str, Any]] = json.loads(browser.stop_tracing())["traceEvents"]
    calls = [event for event in events if event["name"] in CALLS and event["ph"] == "X"]
    longest = [max(float(event.get(name, 0)) for event in calls) / 1000 for name in ("tdur", "dur")]
    return longest[0], longest[1]
