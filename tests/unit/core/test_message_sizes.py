"""Tests the size that a message counts as."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.message_sizes import message_size
from signald.core.messages import (
    Answer,
    AppMessage,
    Candidate,
    Candidates,
    Event,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    IceError,
    Leave,
    Left,
    Negotiation,
    Offer,
    Request,
    SessionId,
    Source,
    UserId,
)

SESSION = SessionId("7Q2M9RT6ZC")
ANN = UserId("A" * 26)
ONE = Negotiation(ANN, 1)


def message(text: str = "") -> ForwardedMessage:
    """A message from another member."""
    return ForwardedMessage(SESSION, ANN, text)


class SizeTests(SynchronousTestCase):
    """The size that a message counts as."""

    def test_free_text_counts_in_bytes(self) -> None:
        """A message has an envelope, each candidate one more, and texts and sources count by their length in UTF-8."""
        candidates = (Candidate("ab"), Candidate("ä"))
        weights: dict[Request | Event, int] = {
            Leave(SESSION): 256,
            Left(SESSION): 256,
            Offer(SESSION, ANN, ONE, "four"): 260,
            Answer(SESSION, ANN, ONE, "four"): 260,
            ForwardedOffer(SESSION, ANN, ONE, "four"): 260,
            ForwardedAnswer(SESSION, ANN, ONE, "four"): 260,
            Candidates(SESSION, ANN, ONE, candidates): 3 * 256 + 4,
            ForwardedCandidates(SESSION, ANN, candidates): 3 * 256 + 4,
            IceError(SESSION, ANN, "four"): 260,
            ForwardedIceError(SESSION, ANN, "four"): 260,
            Candidates(SESSION, ANN, ONE, (), source=Source("kind", "fünf")): 261,
            ForwardedCandidates(SESSION, ANN, candidates, source=Source("kind", "four")): 3 * 256 + 8,
            IceError(SESSION, ANN, "four", source=Source("kind", "four")): 264,
            ForwardedIceError(SESSION, ANN, "four", source=Source("kind", "four")): 264,
            AppMessage(SESSION, "four"): 260,
            message("four"): 260,
            message("äöüß"): 264,
            message("😀"): 260,
        }
        for said, expected in weights.items():
            self.assertEqual(message_size(said), expected, said)
