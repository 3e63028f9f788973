"""Tests the connection quality: the bars in the tiles, the statistics panel and the report."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import Chromium, ChromiumTab, executable
from tests.suites.e2e.network import Host
from tests.suites.e2e.report import add_picture
from tests.suites.e2e.waiting import until

#: JavaScript that returns the label of the first tile's bars, and their number.
BARS = "(bars => [bars.hidden ? '' : bars.ariaLabel, bars.dataset.bars])(document.querySelector('.remote .bars'))"

#: The labels of the bars by their number; the number of a local call depends on the load of the machine.
WORDS = {"1": "bad", "2": "weak", "3": "fair", "4": "good"}

#: JavaScript that returns the panel's rows as lists of texts; the last item is the number of points in the row's chart.
ROWS = """[...document.querySelectorAll('#statistics-people tr')].map(row => [
    row.querySelector('th').textContent, row.querySelector('td').textContent,
    (row.querySelector('polyline')?.getAttribute('points') ?? '').split(' ').filter(Boolean).length])"""

#: The seconds within which a browser has to notice that media has stopped, or that it flows again.
NOTICING = 45.0


class Pages(CallTestCase):
    """A test case that sets up a call of two Chromium pages."""

    def call(self, names: tuple[str, str], browsers: Sequence[Chromium] = (), url: str = "") -> list[CallPage]:
        """Return the pages of a call that is connected, the host's first."""
        pages = []
        for name, browser in zip(names, browsers or (chromium(), chromium()), strict=True):
            tab = browser.tab(accept_downloads=True)
            self.addCleanup(tab.close)
            page = CallPage(tab)
            page.open(url or self.daemon.url)
            tab.type("#name", name)
            pages.append(page)
        pages[1].join(pages[0].host())
        for page in pages:
            page.wait_for("connected")
        return pages

    def graded(self, page: CallPage) -> None:
        """Wait until the remote member's tile has bars."""
        until(lambda: page.tab.evaluate(BARS)[1] in WORDS, NOTICING, "bars")

    def open(self, page: CallPage) -> None:
        """Open the statistics panel."""
        page.tab.click("#more-button")
        page.tab.click("#open-statistics")
        until(lambda: page.shown("statistics"), PATIENCE, "the panel")


class StatisticsTests(Pages):
    """Tests of two pages on this machine."""

    def rows(self, page: CallPage) -> dict[str, tuple[str, int]]:
        """Return the text and the number of chart points of each row in the panel, by the row's heading."""
        return {label: (value, points) for label, value, points in page.tab.evaluate(ROWS)}

    def number(self, page: CallPage, label: str) -> float:
        """Wait until a row of the panel has a value, and return the value."""
        return float(until(lambda: re.match(r"[\d.]+", self.rows(page)[label][0]), PATIENCE, f"a figure: {label}")[0])

    def test_bars_and_panel(self) -> None:
        """Both tiles have bars with a label, and the panel shows plausible values."""
        host, guest = self.call(("Ann", "Bob"))
        for page, name in ((host, "Bob"), (guest, "Ann")):
            self.graded(page)
            words, bars = page.tab.evaluate(BARS)
            self.assertTrue(words.startswith(f"Connection with {name}: {WORDS[bars]}"), words)
        self.open(host)
        heading = host.tab.evaluate("document.querySelector('#statistics-people h3').textContent")
        self.assertEqual(heading, "Bob")
        summary = host.tab.evaluate("document.querySelector('#statistics-people p').textContent")
        self.assertRegex(summary, r"^(Good|Fair|Weak|Bad)( \(.+\))?: \d+ ms, (nothing|[\d.]+ %) lost$")
        self.assertLess(self.number(host, "There and back"), 2000)
        self.assertLess(self.number(host, "Jitter"), 2000)
        for label in ("Received", "Sent"):
            self.assertTrue(20 < self.number(host, label) < 6000, self.rows(host))
        for label in ("Lost of what they send", "Lost of what you send"):
            self.assertLess(self.number(host, label), 50)
        rows = self.rows(host)
        self.assertRegex(rows["Their picture"][0], r"^\d+ by \d+, \d+ frames/s$")
        self.assertRegex(rows["Your picture"][0], r"^\d+ by \d+, \d+ frames/s$")
        self.assertIn("opus", rows["Codecs received"][0])
        self.assertRegex(rows["Path"][0], r"^Direct \((host|prflx) to (host|prflx), UDP\)$")
        points = rows["Received"][1]
        until(lambda: self.rows(host)["Received"][1] >= points + 3, PATIENCE, "the line to grow")
        add_picture(host.tab, "statistics")
        host.tab.click("#statistics .close")
        until(lambda: not host.shown("statistics"), PATIENCE, "the panel to close")
        self.assertEqual(host.tab.evaluate("signald.log"), [])

    def test_firefox(self) -> None:
        """Firefox shows bars and panel as well; values that Firefox does not provide are marked as not known."""
        host, guest = self.page("Firefox"), self.page()
        guest.join(host.host())
        for page in (host, guest):
            page.wait_for("connected")
            self.graded(page)
        self.open(host)
        for label in ("Received", "Sent", "There and back", "Jitter"):
            self.number(host, label)
        rows = self.rows(host)
        self.assertRegex(rows["Their picture"][0], r"^\d+ by \d+, \d+ frames/s$")
        self.assertEqual(rows["What limits your picture"][0], "not known")
        self.assertEqual(host.tab.evaluate("signald.log"), [])

    def test_report(self) -> None:
        """The report is saved as JSON with the last samples, and without names, addresses or the call's id."""
        host, _ = self.call(("Annabel", "Bartholomew"))
        self.graded(host)
        host.tab.evaluate("signald.log.push('candidate:1 1 udp 2113937151 192.0.2.77 51000 typ host', location.href)")
        self.open(host)
        assert isinstance(host.tab, ChromiumTab)
        with host.tab.page.expect_download() as saved:
            host.tab.click("#save-report")
        path = Path(self.mktemp())
        saved.value.save_as(path)
        self.assertEqual(saved.value.suggested_filename, "signald-report.json")
        text = path.read_text("utf-8")
        report: dict[str, Any] = json.loads(text)
        self.assertIn("Chrome", report["browser"])
        self.assertIn("signald", report["server"])
        self.assertRegex(report["reference"], r"^[0-9A-HJKMNP-TV-Z]{8}$")
        (person,) = report["people"]
        self.assertEqual((person["number"], person["here"]), (1, True))
        self.assertIn(str(person["bars"]), WORDS)
        self.assertEqual({len(sample) for sample in person["samples"]}, {len(report["columns"])})
        self.assertEqual([event[1:] for event in report["events"]][:1], [[1, "came"]])
        self.assertIn([1, "connected"], [event[1:] for event in report["events"]])
        self.assertEqual(len(report["log"]), 2)
        session = host.tab.evaluate("location.hash.slice(1)")
        for secret in ("Annabel", "Bartholomew", "192.0.2.77", session, "candidate:", "ufrag", "a=", "://"):
            self.assertNotIn(secret, text)
        for word in re.findall(r"[0-9a-fA-F.:]{3,}", text.replace(report["time"], "").replace(report["browser"], "")):
            with self.assertRaises(ValueError, msg=word):
                ipaddress.ip_address(word)


class NetworkTests(Pages):
    """Tests of two pages in different networks."""

    def setUp(self) -> None:
        """Create the network, and a call across it."""
        program = executable()
        if program is None:
            raise SkipTest("Chromium is not installed")
        self.host = Host()
        self.addCleanup(self.host.remove)
        super().setUp()
        daemon = self.start_daemon(through=self.host.through)
        browsers = []
        for at_home in (True, False):
            browsers.append(Chromium(program=self.host.program(program, self.directory, at_home=at_home)))
            self.addCleanup(browsers[-1].close)
        self.here, self.there = self.call(("Ann", "Bob"), browsers, f"https://{self.host.server}:{daemon.port}/")
        self.graded(self.here)

    def test_cut(self) -> None:
        """While the network is cut, the last frame is dimmed and seconds are counted; then the call recovers."""
        trouble = "document.querySelector('.remote .trouble').textContent"
        live = "document.querySelector('.remote').dataset.live"
        self.host.cut(True)
        for page in (self.here, self.there):
            until(lambda page: page.tab.evaluate(live) == "false", NOTICING, "a dimmed picture", page)
            seen = until(lambda page: re.search(r"… (\d+) s", page.tab.evaluate(trouble)), PATIENCE, "seconds", page)
            until(
                lambda page, seen: (
                    (found := re.search(r"… (\d+) s", page.tab.evaluate(trouble))) and int(found[1]) > int(seen[1])
                ),
                PATIENCE,
                "more seconds",
                page,
                seen,
            )
            self.assertEqual(page.tab.evaluate(BARS)[1], "0")
            self.assertTrue(page.tab.evaluate("document.querySelector('.remote').dataset.picture") == "true")
        add_picture(self.here.tab, "cut")
        until(lambda: "your network" in self.there.tab.evaluate(BARS)[0], NOTICING, "who is cut off to see it")
        until(lambda: "their network" in self.here.tab.evaluate(BARS)[0], NOTICING, "the other to hear it")
        self.host.cut(False)
        for page in (self.here, self.there):
            until(lambda page: page.tab.evaluate(live) == "true", NOTICING, "the picture to come back", page)
            self.graded(page)

    def test_loss(self) -> None:
        """When packets from one network are lost, both pages show few bars, and name the direction of the loss."""
        # Retransmissions repair most of the loss: of 20 % as little as 4 % is reported, which is three bars.
        self.host.lose(40)
        for page, words in ((self.here, "that they send"), (self.there, "that you send")):
            until(
                lambda page, words: words in page.tab.evaluate(BARS)[0] and page.tab.evaluate(BARS)[1] in "12",
                PATIENCE,
                f"few bars that say “{words}”",
                page,
                words,
            )
        add_picture(self.here.tab, "loss")
        self.host.lose(0)
        for page in (self.here, self.there):
            until(lambda page: "send" not in page.tab.evaluate(BARS)[0], NOTICING, "no loss", page)
