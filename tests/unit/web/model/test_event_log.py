"""Tests of the event log of the page's connections."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.event_log import MAX_EVENTS, MAX_PEOPLE, EventLog
from signald_page.client.model.page_state import PageState
from signald_page.client.model.remote_peer import RemotePeer


class JournalTests(SynchronousTestCase):
    """`EventLog` logs changes of the page's state."""

    def setUp(self) -> None:
        """Create a state with one remote participant."""
        self.state = PageState()
        self.member = RemotePeer("u1", "Ann")
        self.state.participants.members = [self.member]
        self.journal = EventLog()
        self.journal.update(1.0, self.state)

    def news(self) -> list[tuple[float, int, str]]:
        """Return what is logged at second 2.0; a further update logs nothing."""
        before = len(self.journal.events)
        self.journal.update(2.0, self.state)
        self.journal.update(3.0, self.state)
        return self.journal.events[before:]

    def test_who_comes_and_goes(self) -> None:
        """Participants get numbers, and those who left stay in the log."""
        self.assertEqual(self.journal.events, [(1.0, 1, "came")])
        self.state.participants.members = [RemotePeer("u2", "Bob")]
        self.assertEqual(self.news(), [(2.0, 1, "left"), (2.0, 2, "came")])
        self.assertEqual([(known.number, known.present) for known in self.journal.people], [(1, False), (2, True)])

    def test_connection(self) -> None:
        """Connection states, ICE restarts, and the loss of the participant's server connection are logged."""
        self.member.connection_changed("connected")
        self.assertEqual(self.news(), [(2.0, 1, "connected")])
        self.member.connection_changed("disconnected")
        self.member.restarts += 1
        self.member.away = True
        self.assertEqual(self.news(), [(2.0, 1, "disconnected"), (2.0, 1, "ice-restart"), (2.0, 1, "away")])
        self.member.away = False
        self.assertEqual(self.news(), [(2.0, 1, "back")])
        self.assertEqual(self.news(), [])

    def test_own_connection_to_the_server(self) -> None:
        """The page's own server connection is logged under the number 0."""
        self.state.network.offline_for = 0.0
        self.assertEqual(self.news(), [(2.0, 0, "server-lost")])
        self.state.network.offline_for = None
        self.assertEqual(self.news(), [(2.0, 0, "server-back")])

    def test_bounds(self) -> None:
        """The log is bounded and keeps the newest events and people."""
        for number in range(MAX_EVENTS):
            self.state.participants.members = [RemotePeer(f"u{number}")]
            self.journal.update(float(number), self.state)
        self.assertEqual(len(self.journal.events), MAX_EVENTS)
        self.assertEqual(len(self.journal.people), MAX_PEOPLE)
        self.assertEqual(self.journal.people[-1].number, MAX_EVENTS + 1)
        self.assertEqual(self.journal.events[-1], (MAX_EVENTS - 1.0, MAX_EVENTS + 1, "came"))
