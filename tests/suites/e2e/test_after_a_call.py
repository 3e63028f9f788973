"""Tests the screen after a call: the ways back, the summary, and the report."""

from __future__ import annotations

import re

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.waiting import until


class AfterCallTests(CallTestCase):
    """Tests of a host and a guest who have left a call."""

    def check(self, name: str) -> None:
        """Let a guest leave and rejoin, and let the host end the call and open it again."""
        host, guest = self.page(name), self.page("Firefox" if name == "Chromium" else "Chromium")
        session = host.host()
        guest.join(session)
        watch(host, guest)
        guest.tab.click("#hang-up")
        guest.wait_for("ended")
        self.assertRegex(guest.text("call-summary"), r"^Duration: 0:\d\d\.")
        self.assertEqual(guest.tab.evaluate("document.activeElement.id"), "rejoin")
        guest.tab.click("#rejoin")
        watch(host, guest)
        host.hang_up()
        for page in (host, guest):
            page.wait_for("ended")
        self.assertFalse(guest.shown("rejoin"))
        host.wait_for_text("rejoin", "Open the same call again")
        host.tab.click("#rejoin")
        host.wait_for("waiting")
        self.assertEqual(host.text("session-id").replace("-", ""), session)
        guest.tab.click("#again")
        guest.wait_for("start")
        guest.tab.click("#join")
        watch(host, guest)

    def test_chromium(self) -> None:
        """A host in Chromium and a guest in Firefox come back into their call."""
        self.check("Chromium")

    def test_firefox(self) -> None:
        """A host in Firefox and a guest in Chromium come back into their call."""
        self.check("Firefox")

    def test_quality_and_report(self) -> None:
        """After a call its quality is a word, and the report can be saved."""
        tab = chromium().tab(accept_downloads=True)
        self.addCleanup(tab.close)
        host, guest = CallPage(tab), self.page()
        host.open(self.daemon.url)
        age = "performance.now() / 1000"
        until(lambda: host.tab.evaluate(age) > 8, PATIENCE, "a page that is open for some seconds")
        session, begin = host.host(), host.tab.evaluate(age)
        guest.join(session)
        host.wait_for("connected")
        rated = "document.querySelector('#remotes .bars').dataset.bars > 0"
        until(lambda: host.tab.evaluate(rated), PATIENCE, "bars")
        seconds = host.tab.evaluate(age)
        until(lambda: host.tab.evaluate(age) > seconds + 2, PATIENCE, "two seconds")
        host.hang_up()
        host.wait_for("ended")
        longest = host.tab.evaluate(age) - begin + 1
        self.assertLessEqual(int(re.findall(r"0:(\d\d)", host.text("call-summary"))[0]), longest)
        self.assertRegex(host.text("call-summary"), r"Connection: \w+\.$")
        with tab.page.expect_download() as saved:
            tab.click("#end-report")
        self.assertEqual(saved.value.suggested_filename, "signald-report.json")

    def test_nothing_to_sum_up(self) -> None:
        """After a call without anybody else there is neither a duration nor a report, but a way back."""
        page = self.page()
        page.host()
        page.tab.click("#hang-up")
        page.wait_for("ended")
        self.assertFalse(page.shown("call-summary"))
        self.assertFalse(page.shown("end-report"))
        self.assertTrue(page.shown("rejoin"))
