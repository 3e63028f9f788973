"""Whether there is a connection: states, the times of attempts, silence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import connection
from signald_client.signaling.connection import ANEW, CONNECTING, GREETING, PING, READY, SILENT, Connection

STATES = (connection.CLOSED, CONNECTING, GREETING, READY)


def wanted(random: float = 1.0) -> Connection:
    """Return a connection that is wanted."""
    made = Connection(lambda: random)
    made.wanted()
    return made


def ready(now: float = 0.0, random: float = 1.0) -> Connection:
    """Return a connection that was welcomed."""
    made = wanted(random)
    made.opened(now)
    made.welcomed(now)
    return made


class TableTests(SynchronousTestCase):
    """The table of states."""

    def test_every_state_but_closed_can_be_lost_and_ended(self) -> None:
        """The loss leads to another attempt, the end to the end."""
        for state in STATES[1:]:
            self.assertEqual(connection.TRANSITIONS[(state, connection.LOST)], CONNECTING)
            self.assertEqual(connection.TRANSITIONS[(state, connection.ENDED)], connection.CLOSED)

    def test_out_of_turn(self) -> None:
        """What the table does not list changes nothing."""
        made = Connection(lambda: 1.0)
        self.assertEqual((made.opened(0.0), made.welcomed(0.0), made.ended()), (False, False, False))
        self.assertEqual((made.lost(0.0), made.hurry(0.0), made.tick(99.0)), (None, None, None))
        self.assertEqual(made.state, connection.CLOSED)
        self.assertEqual((made.wanted(), made.wanted()), (True, False))


class AttemptTests(SynchronousTestCase):
    """When the next attempt is made."""

    def test_exponential_and_bounded(self) -> None:
        """The bound doubles from half a second to ten."""
        made = wanted()
        self.assertEqual([made.lost(0.0) for _ in range(7)], [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0])

    @given(st.floats(0, 1, exclude_max=True), st.integers(0, 2000))
    def test_jitter(self, random: float, attempts: int) -> None:
        """Each attempt is made at a random moment from now to the bound (full jitter)."""
        made = wanted(random)
        made.attempts = attempts
        seconds = made.lost(0.0)
        assert seconds is not None
        self.assertEqual(seconds, random * min(10.0, 0.5 * 2 ** min(attempts, 10)))

    def test_a_steady_connection_begins_anew(self) -> None:
        """A connection that lasted 10 s is tried again at once, one that comes and goes is not."""
        made = ready(0.0)
        self.assertEqual(made.lost(9.9), 0.5)
        made.opened(10.0)
        made.welcomed(10.0)
        self.assertEqual(made.lost(19.0), 1.0)
        made.opened(20.0)
        self.assertEqual(made.lost(99.0), 2.0)
        made.opened(100.0)
        made.welcomed(100.0)
        self.assertEqual(made.lost(110.0), 0.5)

    def test_told(self) -> None:
        """What the server told counts more."""
        self.assertEqual(ready().lost(1.0, 7.0), 7.0)

    def test_hurry(self) -> None:
        """A planned attempt is made at once, and so is one that lasts; one that has just begun goes on."""
        made = wanted()
        self.assertIsNone(made.hurry(0.0))
        made.lost(10.0, 5.0)
        self.assertEqual(made.hurry(12.0), ANEW)
        self.assertIsNone(made.hurry(14.9))
        self.assertEqual(made.hurry(15.0), ANEW)


class SilenceTests(SynchronousTestCase):
    """Whether the server is still there."""

    def run_seconds(self, made: Connection, first: int, last: int) -> list[tuple[int, str]]:
        """Tick once a second and return what there was to do, with its second."""
        return [(now, todo) for now in range(first, last + 1) if (todo := made.tick(float(now)))]

    def test_ping(self) -> None:
        """After 15 silent seconds the server is asked, and again 15 s after its answer."""
        made = ready()
        self.assertEqual(self.run_seconds(made, 1, 20), [(15, PING)])
        made.heard(20.0)
        self.assertEqual(self.run_seconds(made, 21, 36), [(35, PING)])

    def test_silent(self) -> None:
        """A server that does not answer for 10 s is taken to be gone."""
        self.assertEqual(self.run_seconds(ready(), 1, 25), [(15, PING), (25, SILENT)])

    def test_no_socket(self) -> None:
        """A socket that does not open within 10 s of its time is given up."""
        made = wanted()
        self.assertEqual(self.run_seconds(made, 100, 110), [(110, SILENT)])
        made.lost(110.0, 5.0)
        self.assertEqual(self.run_seconds(made, 111, 125), [(125, SILENT)])

    def test_no_welcome(self) -> None:
        """A server that does not welcome within 10 s is given up, within 3 s after a hint."""
        made = wanted()
        made.opened(0.0)
        self.assertEqual(self.run_seconds(made, 1, 10), [(10, SILENT)])
        made = wanted()
        made.opened(0.0)
        self.assertIsNone(made.hurry(1.0))
        self.assertEqual(self.run_seconds(made, 1, 4), [(4, SILENT)])

    def test_hurry(self) -> None:
        """After a hint the server has 3 s, and as long as ever when it has answered."""
        made = ready()
        self.run_seconds(made, 1, 17)
        self.assertEqual(made.hurry(18.0), PING)
        self.assertEqual(self.run_seconds(made, 18, 21), [(21, SILENT)])
        made.heard(21.0)
        self.assertEqual(self.run_seconds(made, 22, 46), [(36, PING), (46, SILENT)])

    def test_after_sleep(self) -> None:
        """A clock that jumped says nothing about the server, which is asked anew."""
        made = ready()
        self.run_seconds(made, 1, 20)
        self.assertEqual(made.tick(3600.0), PING)
        self.assertEqual(self.run_seconds(made, 3601, 3609), [])
        made.heard(3610.0)
        self.assertEqual(self.run_seconds(made, 3610, 3620), [])
