"""Tests how pointer and keys become points on a shared screen."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.pointing_input import INTERVAL, LARGE_STEP, MAX_WAITING, STEP, PointingInput
from signald_page.client.model.pointing_messages import MAX_LINE, MAX_POINTS

Taken = tuple[str, list[tuple[float, float]], int | None]


def taken(pointing: PointingInput, now: float) -> Taken | None:
    """Return what is sent at a time."""
    points = pointing.take(now)
    return None if points is None else (points.screen, points.places, points.line)


class PointerTests(SynchronousTestCase):
    """The pointer."""

    def setUp(self) -> None:
        """Begin with the pen up."""
        self.pointing = PointingInput()

    def test_moves(self) -> None:
        """Of the moves between two messages only the last one counts; a place beside the picture is on its edge."""
        self.assertIsNone(taken(self.pointing, 1.0))
        self.pointing.move("ann", (0.1, 0.1))
        self.pointing.move("ann", (1.2, -0.2))
        self.assertEqual(taken(self.pointing, 1.0), ("ann", [(1.0, 0.0)], None))
        self.pointing.move("ann", (0.3, 0.3))
        self.assertIsNone(taken(self.pointing, 1.0 + INTERVAL / 2))
        self.assertEqual(taken(self.pointing, 1.0 + INTERVAL), ("ann", [(0.3, 0.3)], None))

    def test_drawing(self) -> None:
        """While the pen is down every point counts, once; each press begins another line."""
        self.pointing.press("ann", (0.1, 0.1))
        self.pointing.move("ann", (0.1, 0.1))
        self.pointing.move("ann", (0.2, 0.2))
        self.pointing.lift()
        self.pointing.press("ann", (0.5, 0.5))
        self.assertTrue(self.pointing.drawing)
        self.pointing.lift()
        self.pointing.move("ann", (0.6, 0.6))
        self.assertEqual(
            [taken(self.pointing, float(count)) for count in range(4)],
            [
                ("ann", [(0.1, 0.1), (0.2, 0.2)], 1),
                ("ann", [(0.5, 0.5)], 2),
                ("ann", [(0.6, 0.6)], None),
                None,
            ],
        )

    def test_another_screen(self) -> None:
        """On another screen the pen is up until it is pressed there."""
        self.pointing.press("ann", (0.1, 0.1))
        self.pointing.move("bob", (0.2, 0.2))
        self.pointing.press("cat", (0.3, 0.3))
        self.assertEqual(
            [taken(self.pointing, float(count)) for count in range(3)],
            [("ann", [(0.1, 0.1)], 1), ("bob", [(0.2, 0.2)], None), ("cat", [(0.3, 0.3)], 2)],
        )

    def test_many_points(self) -> None:
        """A message never has more points than the protocol allows, and the last one is among them."""
        self.pointing.press("ann", (0.0, 0.0))
        for count in range(1000):
            self.pointing.move("ann", (count / 1000, 0.5))
        sent = self.pointing.take(1.0)
        assert sent is not None
        self.assertLessEqual(len(sent.places), MAX_POINTS)
        self.assertEqual((sent.places[0], sent.places[-1]), ((0.0, 0.0), (0.999, 0.5)))

    def test_many_presses(self) -> None:
        """What waits to be sent is bounded."""
        for _ in range(1000):
            self.pointing.press("ann", (0.0, 0.0))
        count = 0
        while self.pointing.take(float(count)) is not None:
            count += 1
        self.assertEqual(count, MAX_WAITING)

    def test_leave(self) -> None:
        """That the pointer has gone is sent once, after everything else; a movement takes it back."""
        self.assertFalse(self.pointing.waits)
        self.pointing.press("ann", (0.1, 0.1))
        self.pointing.leave()
        self.assertEqual((self.pointing.drawing, self.pointing.take_leave(), self.pointing.waits), (False, False, True))
        self.assertIsNotNone(taken(self.pointing, 1.0))
        self.assertEqual([self.pointing.take_leave() for _ in range(2)], [True, False])
        self.assertFalse(self.pointing.waits)
        self.pointing.leave()
        self.pointing.move("ann", (0.2, 0.2))
        self.assertIsNotNone(taken(self.pointing, 2.0))
        self.assertFalse(self.pointing.take_leave())

    def test_clear(self) -> None:
        """What was not sent can be forgotten."""
        self.pointing.press("ann", (0.1, 0.1))
        self.pointing.clear()
        self.assertEqual((self.pointing.drawing, taken(self.pointing, 1.0)), (False, None))

    def test_numbers_of_lines(self) -> None:
        """After the greatest number of a line the numbers begin again."""
        self.pointing._line = MAX_LINE
        self.pointing.press("ann", (0.1, 0.1))
        self.assertEqual(taken(self.pointing, 1.0), ("ann", [(0.1, 0.1)], 1))


class KeyTests(SynchronousTestCase):
    """The keyboard alternative."""

    def test_arrows(self) -> None:
        """The arrow keys move the pointer from the middle, further with Shift, and not beyond the edges."""
        pointing = PointingInput()
        keys = (
            ("ArrowLeft", False, (0.5 - STEP, 0.5)),
            ("ArrowUp", True, (0.5 - STEP, 0.5 - LARGE_STEP)),
            ("ArrowRight", False, (0.5, 0.5 - LARGE_STEP)),
            ("ArrowDown", True, (0.5, 0.5)),
        )
        for count, (key, large, place) in enumerate(keys):
            self.assertTrue(pointing.key("ann", key, large))
            points = pointing.take(float(count))
            assert points is not None
            self.assertEqual((points.screen, points.line, len(points.places)), ("ann", None, 1))
            for found, expected in zip(points.places[0], place, strict=True):
                self.assertAlmostEqual(found, expected)
        for _ in range(100):
            pointing.key("ann", "ArrowLeft", True)
        points = pointing.take(10.0)
        assert points is not None
        self.assertEqual(points.places[0][0], 0.0)

    def test_space(self) -> None:
        """Space puts the pen down where the pointer is, and lifts it again; other keys do nothing."""
        pointing = PointingInput()
        self.assertTrue(pointing.key("ann", " ", False))
        pointing.key("ann", "ArrowRight", False)
        self.assertTrue(pointing.drawing)
        self.assertEqual(taken(pointing, 1.0), ("ann", [(0.5, 0.5), (0.5 + STEP, 0.5)], 1))
        self.assertTrue(pointing.key("ann", " ", False))
        self.assertFalse(pointing.drawing)
        self.assertFalse(pointing.key("ann", "Tab", False))
        self.assertIsNone(taken(pointing, 2.0))
        self.assertTrue(pointing.key("bob", " ", False))
        self.assertEqual(taken(pointing, 3.0), ("bob", [(0.5, 0.5)], 2))

    @given(st.lists(st.tuples(st.sampled_from("mplk"), st.floats(-2, 3), st.floats(-2, 3), st.floats(0, 0.05))))
    def test_rate(self, steps: list[tuple[str, float, float, float]]) -> None:
        """Whatever the person does, no more than thirty messages a second are sent, with places in the picture."""
        pointing, now, sent = PointingInput(), 0.0, []
        for action, x, y, passed in steps:
            now += passed
            if action == "m":
                pointing.move("ann", (x, y))
            elif action == "p":
                pointing.press("bob", (x, y))
            elif action == "l":
                pointing.leave()
            else:
                pointing.key("ann", " " if x > y else "ArrowUp", x > 0)
            points = pointing.take(now)
            if points is not None:
                sent.append(now)
                self.assertTrue(1 <= len(points.places) <= MAX_POINTS)
                self.assertTrue(all(0.0 <= a <= 1.0 and 0.0 <= b <= 1.0 for a, b in points.places))
        for before, after in itertools.pairwise(sent):
            self.assertGreaterEqual(after - before, INTERVAL)
