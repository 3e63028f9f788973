"""State machine of the client's connection: transitions, back-off, watchdog."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import connection
from signald_client.signaling.connection import CONNECTING, GREETING, PING, READY, RECONNECT, SILENT, Connection

STATES = (connection.CLOSED, CONNECTING, GREETING, READY)


def make_started(random: float = 1.0) -> Connection:
    """Return a connection that the application wants."""
    machine = Connection(lambda: random)
    machine.start()
    return machine


def make_ready(now: float = 0.0, random: float = 1.0) -> Connection:
    """Return a connection whose handshake has succeeded."""
    machine = make_started(random)
    machine.socket_opened(now)
    machine.welcome_received(now)
    return machine


class TableTests(SynchronousTestCase):
    """The table of transitions."""

    def test_loss_and_end_in_every_open_state(self) -> None:
        """In every state but `closed`, a loss leads to `connecting` and the end to `closed`."""
        for state in STATES[1:]:
            self.assertEqual(connection.TRANSITIONS[(state, connection.LOST)], CONNECTING)
            self.assertEqual(connection.TRANSITIONS[(state, connection.ENDED)], connection.CLOSED)

    def test_unlisted_events(self) -> None:
        """An event that the table does not list changes nothing."""
        machine = Connection(lambda: 1.0)
        self.assertEqual(
            (machine.socket_opened(0.0), machine.welcome_received(0.0), machine.end()), (False, False, False)
        )
        self.assertEqual((machine.socket_lost(0.0), machine.probe(0.0), machine.tick(99.0)), (None, None, None))
        self.assertEqual(machine.state, connection.CLOSED)
        self.assertEqual((machine.start(), machine.start()), (True, False))


class BackOffTests(SynchronousTestCase):
    """The back-off before an attempt to reconnect."""

    def test_back_off_is_exponential_and_bounded(self) -> None:
        """The upper bound doubles with each attempt, from 0.5 s to 10 s."""
        machine = make_started()
        self.assertEqual([machine.socket_lost(0.0) for _ in range(7)], [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0])

    @given(st.floats(0, 1, exclude_max=True), st.integers(0, 2000))
    def test_jitter(self, random: float, attempts: int) -> None:
        """The back-off is a random part of the bound (full jitter)."""
        machine = make_started(random)
        machine.attempts = attempts
        seconds = machine.socket_lost(0.0)
        assert seconds is not None
        self.assertEqual(seconds, random * min(10.0, 0.5 * 2 ** min(attempts, 10)))

    def test_steady_connection_resets_the_back_off(self) -> None:
        """A connection that lasted 10 s resets the back-off; a shorter one does not."""
        machine = make_ready(0.0)
        self.assertEqual(machine.socket_lost(9.9), 0.5)
        machine.socket_opened(10.0)
        machine.welcome_received(10.0)
        self.assertEqual(machine.socket_lost(19.0), 1.0)
        machine.socket_opened(20.0)
        self.assertEqual(machine.socket_lost(99.0), 2.0)
        machine.socket_opened(100.0)
        machine.welcome_received(100.0)
        self.assertEqual(machine.socket_lost(110.0), 0.5)

    def test_back_off_of_the_server(self) -> None:
        """The back-off that the server asks for replaces the client's own."""
        self.assertEqual(make_ready().socket_lost(1.0, 7.0), 7.0)

    def test_probe_reconnects(self) -> None:
        """A probe replaces a planned attempt and one that lasts for 3 s; a younger attempt continues."""
        machine = make_started()
        self.assertIsNone(machine.probe(0.0))
        machine.socket_lost(10.0, 5.0)
        self.assertEqual(machine.probe(12.0), RECONNECT)
        self.assertIsNone(machine.probe(14.9))
        self.assertEqual(machine.probe(15.0), RECONNECT)


class SilenceTests(SynchronousTestCase):
    """The watchdog for a silent server."""

    def run_seconds(self, machine: Connection, first: int, last: int) -> list[tuple[int, str]]:
        """Tick once a second and return the results that are not None, with their seconds."""
        return [(now, todo) for now in range(first, last + 1) if (todo := machine.tick(float(now)))]

    def test_ping(self) -> None:
        """A ping is due after 15 s without a message, and again 15 s after the next message."""
        machine = make_ready()
        self.assertEqual(self.run_seconds(machine, 1, 20), [(15, PING)])
        machine.message_received(20.0)
        self.assertEqual(self.run_seconds(machine, 21, 36), [(35, PING)])

    def test_silent(self) -> None:
        """A socket is given up when a ping is not answered within 10 s."""
        self.assertEqual(self.run_seconds(make_ready(), 1, 25), [(15, PING), (25, SILENT)])

    def test_socket_does_not_open(self) -> None:
        """An attempt is given up when its socket does not open within 10 s of the planned time."""
        machine = make_started()
        self.assertEqual(self.run_seconds(machine, 100, 110), [(110, SILENT)])
        machine.socket_lost(110.0, 5.0)
        self.assertEqual(self.run_seconds(machine, 111, 125), [(125, SILENT)])

    def test_a_restart_takes_longer(self) -> None:
        """After the server said that it restarts, an attempt may wait for 60 s in the queue of its listening socket.

        The same holds for the handshake, which the next process may answer late; both end with the welcome.
        """
        machine = make_ready()
        machine.expect_restart()
        self.assertEqual(machine.open_timeout, connection.RESTART_TIMEOUT)
        machine.socket_lost(100.0, 5.0)
        self.assertEqual(self.run_seconds(machine, 101, 165), [(165, SILENT)])
        machine.socket_opened(165.0)
        self.assertEqual(self.run_seconds(machine, 166, 225), [(225, SILENT)])
        machine.welcome_received(225.0)
        machine.socket_lost(230.0, 0.0)
        self.assertEqual(self.run_seconds(machine, 231, 240), [(240, SILENT)])

    def test_a_restart_that_does_not_happen(self) -> None:
        """A connection that stays open after the announcement is watched as before."""
        machine = make_ready()
        machine.expect_restart()
        self.assertEqual(self.run_seconds(machine, 1, 25), [(15, PING), (25, SILENT)])

    def test_no_welcome(self) -> None:
        """A handshake is given up after 10 s, and 3 s after a probe."""
        machine = make_started()
        machine.socket_opened(0.0)
        self.assertEqual(self.run_seconds(machine, 1, 10), [(10, SILENT)])
        machine = make_started()
        machine.socket_opened(0.0)
        self.assertIsNone(machine.probe(1.0))
        self.assertEqual(self.run_seconds(machine, 1, 4), [(4, SILENT)])

    def test_probe_pings(self) -> None:
        """A probe has to be answered within 3 s; after the answer the usual bounds apply again."""
        machine = make_ready()
        self.run_seconds(machine, 1, 17)
        self.assertEqual(machine.probe(18.0), PING)
        self.assertEqual(self.run_seconds(machine, 18, 21), [(21, SILENT)])
        machine.message_received(21.0)
        self.assertEqual(self.run_seconds(machine, 22, 46), [(36, PING), (46, SILENT)])

    def test_after_sleep(self) -> None:
        """After a jump of the clock the silence says nothing about the server, and a ping is due."""
        machine = make_ready()
        self.run_seconds(machine, 1, 20)
        self.assertEqual(machine.tick(3600.0), PING)
        self.assertEqual(self.run_seconds(machine, 3601, 3609), [])
        machine.message_received(3610.0)
        self.assertEqual(self.run_seconds(machine, 3610, 3620), [])
