"""Candidates that are kept until a second member joins."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.early_candidates import EarlyCandidates
from signald.core.limits import Limits
from signald.core.messages import Candidate, Candidates, SessionId, Source, UserId

ANN = UserId("0" * 26)
SESSION = SessionId("7Q2M9RT6ZC")
OTHER = SessionId("0000000000")


def batch(*texts: str, session: SessionId = SESSION) -> Candidates:
    """A batch with candidates of these texts."""
    return Candidates(session, None, None, tuple(Candidate(text) for text in texts))


class EarlyCandidatesTests(SynchronousTestCase):
    """The bounds of each session."""

    def test_batches_are_kept_in_order_and_returned_once(self) -> None:
        """Batches are returned in order, and each session has only its own batches."""
        early = EarlyCandidates(Limits())
        first, second, elsewhere = batch("a"), batch("b"), batch("c", session=OTHER)
        for each in (first, second, elsewhere):
            self.assertTrue(early.add(ANN, each))
        self.assertEqual(early.pop(SESSION), [(ANN, first), (ANN, second)])
        self.assertEqual(early.pop(SESSION), [])
        self.assertEqual(early.pop(OTHER), [(ANN, elsewhere)])

    def test_a_batch_beyond_a_bound_is_not_kept(self) -> None:
        """A batch beyond a bound on batches, candidates or UTF-8 bytes is refused; what was kept before stays."""
        limits = Limits(waiting_candidates=2, waiting_candidate_bytes=4)
        for too_much in (batch("a", "b"), batch("éé")):
            early = EarlyCandidates(limits)
            self.assertTrue(early.add(ANN, batch("a")))
            self.assertFalse(early.add(ANN, too_much))
            self.assertEqual(early.pop(SESSION), [(ANN, batch("a"))])
        early = EarlyCandidates(limits)
        self.assertEqual([early.add(ANN, batch()) for _ in range(3)], [True, True, False])

    def test_sources_count_as_bytes(self) -> None:
        """The bytes of a source count beside those of its translation."""
        early = EarlyCandidates(Limits(waiting_candidate_bytes=6))
        self.assertFalse(early.add(ANN, evolve(batch("a"), source=Source("kind", "ééé"))))
        self.assertTrue(early.add(ANN, evolve(batch("a"), source=Source("kind", "éé"))))
        self.assertFalse(early.add(ANN, evolve(batch(), source=Source("kind", "ab", translated=False))))
        self.assertTrue(early.add(ANN, evolve(batch(), source=Source("kind", "a", translated=False))))
