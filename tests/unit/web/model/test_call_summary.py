"""Tests of the summary of a call."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.call_summary import CallSummary


class CallSummaryTests(SynchronousTestCase):
    """`CallSummary` says how long a call was, and how good."""

    def setUp(self) -> None:
        """Start without a call."""
        self.summary = CallSummary()

    def test_no_call(self) -> None:
        """Without a call there is nothing to say."""
        self.assertEqual(self.summary.sentence(), "")

    def test_not_measured(self) -> None:
        """A call whose quality was never measured has a duration."""
        self.summary.add(65.0, [None, None])
        self.assertEqual(self.summary.sentence(), "Duration: 1:05.")

    def test_quality(self) -> None:
        """The word is the quality that was reached for four fifths of the time; the worst connection counts."""
        cases: list[tuple[list[tuple[float, list[int | None]]], str]] = [
            ([(100.0, [4, 4])], "good"),
            ([(85.0, [4]), (15.0, [1])], "good"),
            ([(75.0, [4]), (25.0, [1])], "bad"),
            ([(75.0, [4, None]), (25.0, [4, 3])], "fair"),
            ([(100.0, [4, 2])], "weak"),
            ([(50.0, [4]), (50.0, [0])], "interrupted"),
        ]
        for parts, word in cases:
            self.summary.reset()
            for seconds, bars in parts:
                self.summary.add(seconds, bars)
            self.assertEqual(self.summary.sentence(), f"Duration: 1:40. Connection: {word}.")
