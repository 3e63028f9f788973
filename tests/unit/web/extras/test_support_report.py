"""Tests of the report that a person can save."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras.support_report import HIDDEN, MAX_CHARACTERS, MAX_LINES, report, without_addresses
from signald_page.client.model.event_log import EventLog
from signald_page.client.model.page_state import PageState
from signald_page.client.model.quality import SERIES
from signald_page.client.model.remote_peer import RemotePeer
from signald_page.client.model.webrtc_stats import compare


class ReportTests(SynchronousTestCase):
    """`report` collects the diagnosis."""

    def setUp(self) -> None:
        """Create a call with one participant and one sample."""
        self.state = PageState()
        member = RemotePeer("u1", "Annabel")
        self.state.participants.members = [member]
        member.quality.add(dict(compare({}, {}), rtt=20, size_in=(640, 480)), None)
        self.journal = EventLog()
        self.journal.update(1.5, self.state)

    def test_contents(self) -> None:
        """The report holds facts, events, samples, the newest figures and the log, as JSON."""
        values = json.loads(json.dumps(report(self.journal, {"browser": "B"}, ["a line"], [])))
        self.assertEqual((values["browser"], values["log"]), ("B", ["a line"]))
        self.assertEqual(values["columns"], [*SERIES, "bars"])
        self.assertEqual(values["events"], [[1.5, 1, "came"]])
        (person,) = values["people"]
        self.assertEqual((person["number"], person["here"], person["bars"]), (1, True, 4))
        self.assertEqual(person["now"]["size_in"], [640, 480])
        self.assertEqual(person["samples"], [[20, None, None, None, None, None, 4]])

    def test_no_names(self) -> None:
        """The report holds neither names nor user ids."""
        text = json.dumps(report(self.journal, {}, ["Annabel failed"], ["Annabel"]))
        self.assertNotIn("Annabel", text)
        self.assertNotIn("u1", text)

    def test_bounds(self) -> None:
        """The last lines of a long log are kept, and the beginning of a long line."""
        lines = report(self.journal, {}, ["x" * 10_000] * 5_000, [])["log"]
        self.assertEqual((len(lines), len(lines[0])), (MAX_LINES, MAX_CHARACTERS))


class WithoutAddressesTests(SynchronousTestCase):
    """`without_addresses` hides private words."""

    def test_hidden_addresses(self) -> None:
        """Addresses of every form are hidden, whatever characters surround them."""
        for secret in (
            "192.0.2.7",
            "(192.0.2.7)",
            "192.0.2.7:3478",
            "::1",
            "2001:db8::7",
            "[2001:db8::7]:443",
            "fe80::1%eth0",
            "https://calls.example/page",
            "wss://calls.example/",
            "54a1.local",
            "candidate:842163049",
            "a=fingerprint:sha-256",
        ):
            self.assertEqual(without_addresses(f"failed {secret} now", []), f"failed {HIDDEN} now")

    def test_hidden_words(self) -> None:
        """Private words are hidden within other words, unless they are too short to identify anything."""
        self.assertEqual(without_addresses("open EA6TANB!", ["EA6TANB", "", "op"]), f"open {HIDDEN}!")

    def test_visible_words(self) -> None:
        """Words that describe a fault stay."""
        for line in (
            'File "signald_page/client/browser/bridge.py", line 89, in call',
            "BrowserError: ('TypeError', 'target[method] is not a function')",
            "setParameters: InvalidStateError: getParameters() needs to be called",
            "Chrome/130.0.0 12:30",
        ):
            self.assertEqual(without_addresses(line, []), line)
