"""Tests of the division of the uplink in a mesh."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.mesh import CAPACITY, LEVELS, UPLINK, Bounds, divide_uplink, fitting_height

HEIGHTS = st.dictionaries(st.text(max_size=3), st.integers(1, 5000), max_size=CAPACITY - 1)


class FittingHeightTests(SynchronousTestCase):
    """A picture is sent in the least height that suffices for its tile."""

    def test_heights(self) -> None:
        """A small tile gets 180 lines, and no tile gets more than 720."""
        wanted = {1: 180, 225: 180, 226: 270, 450: 360, 451: 480, 601: 720, 4320: 720}
        self.assertEqual({shown: fitting_height(shown) for shown in wanted}, wanted)

    def test_own_heights(self) -> None:
        """A height that was chosen is not chosen smaller by the other page."""
        for height, _ in LEVELS:
            self.assertEqual(fitting_height(height), height)


class DivisionTests(SynchronousTestCase):
    """`divide_uplink` bounds what all participants together get."""

    def test_one(self) -> None:
        """A call of two has the whole uplink, for as large a picture as is shown."""
        self.assertEqual(divide_uplink({"ann": 900}, 720, False), {"ann": Bounds(2_500_000, 1.0, 0)})
        self.assertEqual(divide_uplink({"ann": 200}, 720, False), {"ann": Bounds(150_000, 4.0, 0)})

    def test_a_small_camera(self) -> None:
        """A picture that is small already, or of which the height is unknown, is not reduced."""
        for captured in (0, 120, 180):
            self.assertEqual(divide_uplink({"ann": 180}, captured, False)["ann"].scale, 1.0)

    def test_large_and_small_tiles(self) -> None:
        """Who shows a large picture gets one, and the others get what they show."""
        bounds = divide_uplink({"ann": 720, "bob": 180, "cat": 180}, 720, False)
        self.assertEqual([bound.bitrate for bound in bounds.values()], [1_200_000, 150_000, 150_000])

    def test_eight(self) -> None:
        """Of seven large tiles some get smaller pictures, and those who came last get them first."""
        bounds = divide_uplink({str(number): 720 for number in range(7)}, 720, False)
        bitrates = [bound.bitrate for bound in bounds.values()]
        self.assertEqual(bitrates, [500_000, 500_000, 300_000, 300_000, 300_000, 300_000, 300_000])

    def test_sharing(self) -> None:
        """A shared screen gets what the smallest pictures of the camera leave."""
        bounds = divide_uplink({"ann": 720, "bob": 480}, 720, True)
        self.assertEqual(bounds, dict.fromkeys(("ann", "bob"), Bounds(150_000, 4.0, 1_100_000)))

    def test_bounds_of_another_kind(self) -> None:
        """Bounds are equal to bounds of the same values alone."""
        self.assertNotEqual(Bounds(1, 1.0, 0), Bounds(1, 1.0, 1))
        self.assertNotEqual(Bounds(1, 1.0, 0), (1, 1.0, 0))

    @given(HEIGHTS, st.integers(0, 4320), st.booleans())
    def test_sums(self, shown: dict[str, int], captured: int, sharing: bool) -> None:
        """All streams together fit into the uplink, and nobody is left without a picture."""
        bounds = divide_uplink(shown, captured, sharing)
        self.assertEqual(bounds.keys(), shown.keys())
        self.assertLessEqual(sum(bound.bitrate + bound.screen_bitrate for bound in bounds.values()), UPLINK)
        for user, bound in bounds.items():
            self.assertGreaterEqual(bound.bitrate, LEVELS[0][1])
            self.assertLessEqual(captured / bound.scale, 720 + 1e-6)
            self.assertLessEqual(captured / bound.scale, max(fitting_height(shown[user]), 180) + 1e-6)
