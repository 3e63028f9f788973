"""Tests the rate limit for what other pages send."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.token_bucket import TokenBucket


class TokenBucketTests(SynchronousTestCase):
    """A bucket admits a burst at once, and then its rate."""

    def test_burst_and_rate(self) -> None:
        """After the burst each message waits for its token; a silence fills the bucket up to the burst."""
        bucket = TokenBucket(2.0, 3.0, now=10.0)
        self.assertEqual([bucket.admit(10.0) for _ in range(4)], [True, True, True, False])
        self.assertEqual([bucket.admit(time) for time in (10.25, 10.5, 10.75)], [False, True, False])
        self.assertEqual([bucket.admit(100.0) for _ in range(4)], [True, True, True, False])
