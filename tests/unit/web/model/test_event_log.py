"""What the page notes of its connections."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.event_log import MOST_EVENTS, MOST_PEOPLE, EventLog
from signald_page.client.model.page_state import PageState
from signald_page.client.model.remote_peer import RemotePeer


class JournalTests(SynchronousTestCase):
    """`EventLog`."""

    def setUp(self) -> None:
        """A state with one other person."""
        self.state = PageState()
        self.other = RemotePeer("u1", "Ann")
        self.state.participants.others = [self.other]
        self.journal = EventLog()
        self.journal.follow(1.0, self.state)

    def news(self) -> list[tuple[float, int, str]]:
        """What is noted at the second 2.0, and only once."""
        before = len(self.journal.events)
        self.journal.follow(2.0, self.state)
        self.journal.follow(3.0, self.state)
        return self.journal.events[before:]

    def test_who_comes_and_goes(self) -> None:
        """People have numbers; those who left are kept."""
        self.assertEqual(self.journal.events, [(1.0, 1, "came")])
        self.state.participants.others = [RemotePeer("u2", "Bob")]
        self.assertEqual(self.news(), [(2.0, 1, "left"), (2.0, 2, "came")])
        self.assertEqual([(known.number, known.here) for known in self.journal.people], [(1, False), (2, True)])

    def test_connection(self) -> None:
        """States of the connection, searches for new paths, and the loss of the other person's server."""
        self.other.changed("connected")
        self.assertEqual(self.news(), [(2.0, 1, "connected")])
        self.other.changed("disconnected")
        self.other.restarts += 1
        self.other.away = True
        self.assertEqual(self.news(), [(2.0, 1, "disconnected"), (2.0, 1, "ice-restart"), (2.0, 1, "away")])
        self.other.away = False
        self.assertEqual(self.news(), [(2.0, 1, "back")])
        self.assertEqual(self.news(), [])

    def test_own_connection_to_the_server(self) -> None:
        """It is the page's own, which has the number 0."""
        self.state.network.offline_for = 0.0
        self.assertEqual(self.news(), [(2.0, 0, "server-lost")])
        self.state.network.offline_for = None
        self.assertEqual(self.news(), [(2.0, 0, "server-back")])

    def test_bounds(self) -> None:
        """Of very many events and people the newest are kept."""
        for number in range(MOST_EVENTS):
            self.state.participants.others = [RemotePeer(f"u{number}")]
            self.journal.follow(float(number), self.state)
        self.assertEqual(len(self.journal.events), MOST_EVENTS)
        self.assertEqual(len(self.journal.people), MOST_PEOPLE)
        self.assertEqual(self.journal.people[-1].number, MOST_EVENTS + 1)
        self.assertEqual(self.journal.events[-1], (MOST_EVENTS - 1.0, MOST_EVENTS + 1, "came"))
