"""Measures how long a page's Python blocks the browser's main thread, from a trace of the browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.suites.e2e.chromium import ChromiumTab

__all__ = ["longest_tasks"]

CALLS = ("FunctionCall", "RunMicrotasks")
"""The trace events of running scripts: the browser calls a script, or runs microtasks. Python runs in both."""


def longest_tasks(tab: ChromiumTab, deed: Callable[[], None]) -> tuple[float, float]:
    """Run an action, and return its longest script times in milliseconds: CPU time and wall time.

    The trace covers all tabs of the browser, which run the same page. The wall time includes waiting for a processor,
    which is often busy because one machine runs all participants of the call.
    """
    browser: Any = tab.context.browser
    browser.start_tracing(page=tab.page, categories=["devtools.timeline"])
    deed()
    events: list[dict[str, Any]] = json.loads(browser.stop_tracing())["traceEvents"]
    calls = [event for event in events if event["name"] in CALLS and event["ph"] == "X"]
    longest = [max(float(event.get(name, 0)) for event in calls) / 1000 for name in ("tdur", "dur")]
    return longest[0], longest[1]
