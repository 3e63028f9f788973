"""Tests of the event log of the page's connections."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.event_log import MAX_EVENTS, MAX_PEOPLE, EventLog
from signald_page.client.model.page_state import PageState
from signald_page.client.model.remote_peer import RemotePeer


class EventLogTests(SynchronousTestCase):
    """`EventLog` logs changes of the page's state."""

    def setUp(self) -> None:
        """Create a state with one remote participant."""
        self.state = PageState()
        self.member = RemotePeer("u1", "Ann")
        self.state.participants.members = [self.member]
        self.event_log = EventLog()
        self.event_log.update(1.0, self.state)

    def new_events(self) -> list[tuple[float, int, str]]:
        """Return the events that are logged at second 2.0, after asserting that a further update logs no event."""
        before = len(self.event_log.events)
        self.event_log.update(2.0, self.state)
        self.event_log.update(3.0, self.state)
        return self.event_log.events[before:]

    def test_joined_and_left(self) -> None:
        """Participants get numbers, and those who left stay in the log."""
        self.assertEqual(self.event_log.events, [(1.0, 1, "came")])
        self.state.participants.members = [RemotePeer("u2", "Bob")]
        self.assertEqual(self.new_events(), [(2.0, 1, "left"), (2.0, 2, "came")])
        self.assertEqual([(known.number, known.present) for known in self.event_log.people], [(1, False), (2, True)])

    def test_connection_events(self) -> None:
        """Connection states, ICE restarts, and the loss of the participant's signaling connection are logged."""
        self.member.set_connection("connected")
        self.assertEqual(self.new_events(), [(2.0, 1, "connected")])
        self.member.set_connection("disconnected")
        self.member.restarts += 1
        self.member.away = True
        self.assertEqual(self.new_events(), [(2.0, 1, "disconnected"), (2.0, 1, "ice-restart"), (2.0, 1, "away")])
        self.member.away = False
        self.assertEqual(self.new_events(), [(2.0, 1, "back")])
        self.assertEqual(self.new_events(), [])

    def test_server_connection(self) -> None:
        """The page's own signaling connection is logged under the number 0."""
        self.state.network.offline_for = 0.0
        self.assertEqual(self.new_events(), [(2.0, 0, "server-lost")])
        self.state.network.offline_for = None
        self.assertEqual(self.new_events(), [(2.0, 0, "server-back")])

    def test_bounds(self) -> None:
        """The log is bounded and keeps the newest events and people."""
        for number in range(MAX_EVENTS):
            self.state.participants.members = [RemotePeer(f"u{number}")]
            self.event_log.update(float(number), self.state)
        self.assertEqual(len(self.event_log.events), MAX_EVENTS)
        self.assertEqual(len(self.event_log.people), MAX_PEOPLE)
        self.assertEqual(self.event_log.people[-1].number, MAX_EVENTS + 1)
        self.assertEqual(self.event_log.events[-1], (MAX_EVENTS - 1.0, MAX_EVENTS + 1, "came"))
