"""Tests the images of the test pattern."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_client.pattern_image import BARS, BLACK, WHITE, PatternImage

CLOCK = "12:34:56.7"


class PictureTests(SynchronousTestCase):
    """Tests of `PatternImage`."""

    def test_planes(self) -> None:
        """The planes have the given strides and the heights of YUV 4:2:0."""
        planes = PatternImage(70, 20, (80, 40, 40)).draw(0, CLOCK)
        self.assertEqual([len(plane) for plane in planes], [80 * 20, 40 * 10, 40 * 10])

    def test_bars(self) -> None:
        """Each bar has its colour in all planes; the padding of a row is zero."""
        luma, blue, red = PatternImage(70, 20, (80, 40, 40)).draw(0, CLOCK)
        self.assertEqual([luma[index * 10 + 5] for index in range(7)], [bar[0] for bar in BARS])
        self.assertEqual([blue[index * 5 + 2] for index in range(7)], [bar[1] for bar in BARS])
        self.assertEqual([red[index * 5 + 2] for index in range(7)], [bar[2] for bar in BARS])
        self.assertEqual(luma[70:80], bytes(10))

    def test_clock(self) -> None:
        """The clock is drawn in the middle, white on black, and changes with its text."""
        image = PatternImage(640, 480, (640, 320, 320))
        luma = image.draw(0, CLOCK)[0]
        middle = set(luma[640 * 240 + 20 : 640 * 240 + 620])
        self.assertEqual(middle, {BLACK, WHITE})
        self.assertNotEqual(luma, image.draw(0, "12:34:56.8")[0])
        self.assertEqual(luma, image.draw(0, CLOCK)[0])

    def test_too_small_for_a_clock(self) -> None:
        """An image that is too small gets no clock, and nothing is drawn into the padding."""
        luma = PatternImage(16, 16, (32, 16, 16)).draw(0, CLOCK)[0]
        self.assertEqual({bytes(luma[start + 16 : start + 32]) for start in range(0, 512, 32)}, {bytes(16)})
        self.assertNotIn(BLACK, luma[16 * 8 : 16 * 8 + 16])

    def test_square(self) -> None:
        """The square moves from side to side, and stays inside the image at every size."""
        for width, height in ((640, 480), (16, 16), (3840, 16), (16, 3840)):
            image = PatternImage(width, height, (width, width // 2, width // 2))
            places = []
            for index in (0, 1, 30, 59, 60, 61, 90, 1000):
                row = image.draw(index, CLOCK)[0][-width:]
                self.assertEqual(len(row), width)
                places.append(row.index(WHITE))
            self.assertEqual(places[0], 0)
            self.assertGreater(len(set(places)), 3)
