"""Tests the crash of a tab in a call, whose return is timed, so that nothing else runs beside it."""

from __future__ import annotations

import contextlib
import time

from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.chromium import ChromiumTab, Error
from tests.suites.e2e.crash import CrashCase, frames, wait_for_call
from tests.suites.e2e.report import add_time
from tests.suites.e2e.waiting import until

#: The most seconds from the moment when a page is opened again until it is in the call.
RETURN = 3.0


class TabTests(CrashCase):
    """The tab of a member crashes."""

    def test_another_tab(self) -> None:
        """The link leads back into the call at once in another tab; the others notice nothing among themselves."""
        host = self.page()
        session = host.host()
        guest, third = self.page(session), self.page(session)
        for page in (guest, third):
            page.join()
        wait_for_call(host, guest, third, others=2)
        tab = guest.tab
        assert isinstance(tab, ChromiumTab)
        with contextlib.suppress(Error):
            tab.page.goto("chrome://crash")
        before = {user: member["framesDecoded"] for user, member in host.statistics_of_all().items()}
        again = CallPage(ChromiumTab(tab.context))
        began = time.monotonic()
        again.tab.open(f"http://localhost:{self.port}/#{session}")
        until(lambda: again.state == "connected" and frames(again) > 0, PATIENCE, "the call")
        seconds = time.monotonic() - began
        add_time("tab crashed", seconds, "until the first frame in the new tab")
        self.assertLessEqual(seconds, RETURN)
        wait_for_call(host, third, again, others=2)
        after = {user: member["framesDecoded"] for user, member in host.statistics_of_all().items()}
        self.assertEqual(after.keys(), before.keys())
        self.assertEqual(sum(after[user] > before[user] for user in before), 1, (before, after))
