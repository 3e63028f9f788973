"""The intake, through which all facts about connections come."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.server.intake import HELD_BYTES, Intake, IntakeState


class IntakeTests(SynchronousTestCase):
    """Facts that are processed, held back or ignored."""

    def setUp(self) -> None:
        """Create an open intake."""
        self.intake = Intake()
        self.seen: list[int] = []

    def receive(self, *numbers: int) -> None:
        """Report facts."""
        for number in numbers:
            self.intake.receive(lambda number=number: self.seen.append(number))  # type: ignore[misc] # binds the value

    def test_open(self) -> None:
        """An open intake processes facts at once, and counts no bytes."""
        self.receive(1)
        self.assertTrue(self.intake.reserve(HELD_BYTES + 1))
        self.assertEqual((self.seen, self.intake.held_bytes), ([1], 0))

    def test_held(self) -> None:
        """Facts that are held are processed in their order on release, and later ones at once."""
        self.intake.hold()
        self.receive(1, 2)
        self.assertEqual(self.seen, [])
        self.intake.release()
        self.receive(3)
        self.assertEqual(self.seen, [1, 2, 3])

    def test_closed(self) -> None:
        """What is held when the intake closes is ignored, and so is what follows."""
        self.intake.hold()
        self.receive(1)
        self.intake.close()
        self.receive(2)
        self.assertEqual((self.seen, self.intake.state), ([], IntakeState.CLOSED))

    def test_bytes(self) -> None:
        """What is held is bounded in bytes, and there is room again after a release."""
        self.intake.hold()
        self.assertTrue(self.intake.reserve(HELD_BYTES))
        self.assertFalse(self.intake.reserve(1))
        self.intake.release()
        self.intake.hold()
        self.assertTrue(self.intake.reserve(1))

    def test_exception(self) -> None:
        """An exception of one fact is logged, and the facts behind it are processed."""
        self.intake.hold()
        self.intake.receive(lambda: self.fail_fact())
        self.receive(1)
        self.intake.release()
        self.assertEqual(self.seen, [1])
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)

    def fail_fact(self) -> None:
        """Raise."""
        raise ArithmeticError
