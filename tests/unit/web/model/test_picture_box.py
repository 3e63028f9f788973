"""Tests where the content of a picture lies in its element."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.picture_box import content_box, picture_place

LENGTHS = st.floats(1.0, 8000.0)
"""Widths and heights of elements and pictures."""

PARTS = st.floats(0.0, 1.0)
"""Coordinates in a picture."""


class ContentBoxTests(SynchronousTestCase):
    """`content_box`."""

    def test_whole_picture(self) -> None:
        """A picture that is shown whole has empty rims on two sides."""
        self.assertEqual(content_box(800.0, 600.0, (1920.0, 1080.0), False), (0.0, 75.0, 800.0, 450.0))
        self.assertEqual(content_box(800.0, 600.0, (600.0, 600.0), False), (100.0, 0.0, 600.0, 600.0))

    def test_filling_picture(self) -> None:
        """A picture that fills its element reaches beyond two sides of it."""
        self.assertEqual(content_box(800.0, 600.0, (1600.0, 600.0), True), (-400.0, 0.0, 1600.0, 600.0))
        self.assertEqual(content_box(800.0, 600.0, (800.0, 800.0), True), (0.0, -100.0, 800.0, 800.0))

    def test_nothing(self) -> None:
        """Without a size of the picture or of the element there is no place."""
        for element, picture in (((800.0, 600.0), (0.0, 0.0)), ((0.0, 600.0), (4.0, 3.0)), ((4.0, -1.0), (4.0, 3.0))):
            self.assertEqual(content_box(*element, picture, False), (0.0, 0.0, 0.0, 0.0))

    @given(LENGTHS, LENGTHS, LENGTHS, LENGTHS, st.booleans())
    def test_any_size(self, width: float, height: float, across: float, down: float, fills: bool) -> None:
        """The content keeps its shape, lies in the middle, and touches two sides, within the element or beyond it."""
        left, top, shown, high = content_box(width, height, (across, down), fills)
        self.assertAlmostEqual(shown / high / (across / down), 1.0)
        self.assertAlmostEqual(2 * left + shown, width, delta=1e-6 * shown)
        self.assertAlmostEqual(2 * top + high, height, delta=1e-6 * high)
        gaps = sorted((width - shown, height - high))
        self.assertAlmostEqual(gaps[0 if not fills else 1], 0.0, delta=1e-6 * (width + height))
        self.assertLess(-gaps[0] if not fills else gaps[1], 1e-6 * (width + height))


class PlaceTests(SynchronousTestCase):
    """`picture_place`."""

    def test_place(self) -> None:
        """A place in the window becomes one in the picture, beside which it is outside of 0 to 1."""
        box = (100.0, 125.0, 800.0, 450.0)
        self.assertEqual(picture_place((500.0, 350.0), box), (0.5, 0.5))
        self.assertEqual(picture_place((100.0, 125.0), box), (0.0, 0.0))
        self.assertEqual(picture_place((900.0, 575.0), box), (1.0, 1.0))
        self.assertLess(picture_place((500.0, 60.0), box)[1], 0.0)
        self.assertEqual(picture_place((1.0, 1.0), (0.0, 0.0, 0.0, 0.0)), (0.0, 0.0))

    @given(
        st.tuples(PARTS, PARTS),
        st.tuples(LENGTHS, LENGTHS),
        st.tuples(LENGTHS, LENGTHS, st.booleans()),
    )
    def test_same_place_at_any_size(
        self, place: tuple[float, float], picture: tuple[float, float], element: tuple[float, float, bool]
    ) -> None:
        """A place in the picture, shown in an element of any size and pointed at there, is the same place."""
        left, top, width, height = content_box(element[0], element[1], picture, element[2])
        point = (left + place[0] * width, top + place[1] * height)
        for found, expected in zip(picture_place(point, (left, top, width, height)), place, strict=True):
            self.assertAlmostEqual(found, expected, places=6)
