"""Candidates that came before the other member, kept within bounds until it comes."""

from __future__ import annotations

from attrs import define, field

from signald.core.limits import Limits
from signald.core.messages import Candidates, SessionId, UserId


@define
class WaitingCandidates:
    """Batches without an addressee, for each session that has a single member.

    Attributes:
        limits: the bounds for one session, in candidates and in bytes of their text.
        batches: what waits, in order, with its sender.

    """

    limits: Limits
    batches: dict[SessionId, list[tuple[UserId, Candidates]]] = field(factory=dict)

    def keep(self, sender: UserId, batch: Candidates) -> bool:
        """Keep a batch until somebody joins; False when there is no room for it."""
        kept = self.batches.get(batch.session, [])
        candidates = [candidate for _, earlier in kept for candidate in earlier.candidates]
        candidates.extend(batch.candidates)
        size = sum(len(candidate.candidate.encode()) for candidate in candidates)
        if len(kept) >= self.limits.waiting_candidates:
            return False
        if len(candidates) > self.limits.waiting_candidates or size > self.limits.waiting_candidate_bytes:
            return False
        self.batches[batch.session] = [*kept, (sender, batch)]
        return True

    def take(self, session: SessionId) -> list[tuple[UserId, Candidates]]:
        """Take out all that waits in a session."""
        return self.batches.pop(session, [])
