"""The report that a person can save."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras.support_report import HIDDEN, MOST_CHARACTERS, MOST_LINES, report, without_addresses
from signald_page.client.model.event_log import EventLog
from signald_page.client.model.page_state import PageState
from signald_page.client.model.quality import SERIES
from signald_page.client.model.remote_peer import RemotePeer
from signald_page.client.model.webrtc_stats import measured


class ReportTests(SynchronousTestCase):
    """`report`."""

    def setUp(self) -> None:
        """A call with one other person, and one sample."""
        self.state = PageState()
        other = RemotePeer("u1", "Annabel")
        self.state.participants.others = [other]
        other.quality.take(dict(measured({}, {}), rtt=20, size_in=(640, 480)), None)
        self.journal = EventLog()
        self.journal.follow(1.5, self.state)

    def test_what_it_holds(self) -> None:
        """Facts, events, samples, the newest figures and the log, as JSON."""
        values = json.loads(json.dumps(report(self.journal, {"browser": "B"}, ["a line"], [])))
        self.assertEqual((values["browser"], values["log"]), ("B", ["a line"]))
        self.assertEqual(values["columns"], [*SERIES, "bars"])
        self.assertEqual(values["events"], [[1.5, 1, "came"]])
        (person,) = values["people"]
        self.assertEqual((person["number"], person["here"], person["bars"]), (1, True, 4))
        self.assertEqual(person["now"]["size_in"], [640, 480])
        self.assertEqual(person["samples"], [[20, None, None, None, None, None, 4]])

    def test_no_names(self) -> None:
        """Neither names nor users are in it."""
        text = json.dumps(report(self.journal, {}, ["Annabel failed"], ["Annabel"]))
        self.assertNotIn("Annabel", text)
        self.assertNotIn("u1", text)

    def test_bounds(self) -> None:
        """Of a long log the last lines are kept, of a long line its beginning."""
        lines = report(self.journal, {}, ["x" * 10_000] * 5_000, [])["log"]
        self.assertEqual((len(lines), len(lines[0])), (MOST_LINES, MOST_CHARACTERS))


class AddressTests(SynchronousTestCase):
    """`without_addresses`."""

    def test_hidden(self) -> None:
        """Addresses of every form are replaced, whatever stands around them."""
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

    def test_words(self) -> None:
        """Words that are not to be told are replaced within others, unless they are so short that nothing were left."""
        self.assertEqual(without_addresses("open EA6TANB!", ["EA6TANB", "", "op"]), f"open {HIDDEN}!")

    def test_kept(self) -> None:
        """What tells of a fault stays."""
        for line in (
            'File "signald_page/client/browser/bridge.py", line 89, in call',
            "BrowserError: ('TypeError', 'target[method] is not a function')",
            "setParameters: InvalidStateError: getParameters() needs to be called",
            "Chrome/130.0.0 12:30",
        ):
            self.assertEqual(without_addresses(line, []), line)
