"""Tests of the doctor's check of the limit of open files."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.doctor.descriptors import judge_descriptors
from signald.doctor.findings import Mark


class DescriptorTests(SynchronousTestCase):
    """Tests of the comparison with the limit of connections."""

    def test_enough(self) -> None:
        """A limit with 64 descriptors more than connections is enough, and so is no limit."""
        for hard in (10_064, None):
            self.assertEqual(judge_descriptors(hard, 10_000, "It").mark, Mark.OK)

    def test_too_few(self) -> None:
        """With one descriptor less, the finding names the limit to set, or the number of connections to allow."""
        found = judge_descriptors(10_063, 10_000, "It")
        self.assertEqual(found.mark, Mark.FAILURE)
        self.assertIn("enough for 9,999 connections only", found.text)
        self.assertIn("Raise the hard limit to 10,064", found.remedy or "")
        self.assertIn("set limits.connections to 9999", found.remedy or "")
