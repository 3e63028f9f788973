"""Tests of the bit rate bounds in a mesh."""

from __future__ import annotations

from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.mesh import CAPACITY, video_bounds


class BoundTests(SynchronousTestCase):
    """`video_bounds` depends on the number of participants."""

    def test_total_bit_rate(self) -> None:
        """More participants get a lower bit rate each, and all together fit into a home uplink of 2.5 Mbit/s."""
        bounds = [video_bounds(peers) for peers in range(1, CAPACITY)]
        for (bitrate, scale), (next_bitrate, next_scale) in pairwise(bounds):
            self.assertGreater(bitrate, next_bitrate)
            self.assertLessEqual(scale, next_scale)
        for peers, (bitrate, _) in enumerate(bounds, 1):
            self.assertLessEqual(peers * bitrate, 2_600_000)

    def test_numbers_outside_the_table(self) -> None:
        """Numbers outside of the table get its first or last row."""
        self.assertEqual(video_bounds(0), video_bounds(1))
        self.assertEqual(video_bounds(99), video_bounds(CAPACITY - 1))
