"""Tests the token bucket."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_client.control.token_bucket import TokenBucket


class TokenBucketTests(SynchronousTestCase):
    """A bucket of five tokens, which gets two per second."""

    def test_burst_and_rate(self) -> None:
        """The bucket is full at first, fills with time, and never beyond its size."""
        bucket = TokenBucket(2.0, 5.0, 10.0)
        self.assertEqual([bucket.admit(1, 10.0) for _ in range(6)], [True] * 5 + [False])
        self.assertTrue(bucket.admit(2, 11.0))
        self.assertFalse(bucket.admit(1, 11.0))
        self.assertFalse(bucket.admit(6, 1000.0))
        self.assertTrue(bucket.admit(5, 1000.0))

    def test_a_clock_that_goes_back(self) -> None:
        """Time that goes back adds and removes nothing."""
        bucket = TokenBucket(2.0, 2.0, 10.0)
        self.assertTrue(bucket.admit(2, 10.0))
        self.assertFalse(bucket.admit(1, 5.0))
