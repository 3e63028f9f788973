"""Tests the lock of the injecting process."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_client.control.control_gate import HOLD_SECONDS, ControlGate


class ControlGateTests(SynchronousTestCase):
    """`ControlGate`."""

    def test_open_and_closed(self) -> None:
        """Events pass between start and stop only."""
        gate = ControlGate()
        self.assertFalse(gate.admit(1.0))
        gate.start()
        self.assertTrue(gate.is_open)
        self.assertTrue(gate.admit(2.0))
        gate.stop()
        self.assertFalse(gate.admit(3.0))

    def test_local_input(self) -> None:
        """Local input suspends the control for a second after the last of it, and is reported ten times a second."""
        gate = ControlGate()
        self.assertFalse(gate.local_input(0.5))
        gate.start()
        self.assertEqual([gate.local_input(now) for now in (1.0, 1.05, 1.1, 1.15)], [True, False, True, False])
        self.assertFalse(gate.admit(2.1))
        self.assertTrue(gate.admit(2.15))

    def test_start_ends_a_pause(self) -> None:
        """A control that begins is not suspended by input before it."""
        gate = ControlGate()
        gate.local_input(1.0)
        gate.start()
        self.assertTrue(gate.admit(1.1))

    def test_silence(self) -> None:
        """A viewer is silent some seconds after the last event, whether or not it was let through."""
        gate = ControlGate()
        gate.admit(1.0)
        self.assertFalse(gate.is_silent(1.0 + HOLD_SECONDS - 0.1))
        self.assertTrue(gate.is_silent(1.0 + HOLD_SECONDS))
