"""Candidates that a lone member sends before another member joins, kept within bounds until then."""

from __future__ import annotations

from attrs import define, field

from signald.core.limits import Limits
from signald.core.message_sizes import source_length
from signald.core.messages import Candidates, SessionId, UserId


@define
class EarlyCandidates:
    """Batches of candidates without an addressee, for each session that has a single member.

    Attributes:
        limits: the bounds of each session, in batches, candidates and bytes of their texts.
        batches: the batches of each session in the order of their arrival, each with its sender.

    """

    limits: Limits
    batches: dict[SessionId, list[tuple[UserId, Candidates]]] = field(factory=dict)

    def add(self, sender: UserId, batch: Candidates) -> bool:
        """Keep a batch until another member joins; False when that would exceed the bounds."""
        kept = self.batches.get(batch.session, [])
        batches = [*(earlier for _, earlier in kept), batch]
        candidates = [candidate for each in batches for candidate in each.candidates]
        size = sum(len(candidate.candidate.encode()) for candidate in candidates)
        size += sum(source_length(each.source) for each in batches)
        if max(len(batches), len(candidates)) > self.limits.waiting_candidates:
            return False
        if size > self.limits.waiting_candidate_bytes:
            return False
        self.batches[batch.session] = [*kept, (sender, batch)]
        return True

    def pop(self, session: SessionId) -> list[tuple[UserId, Candidates]]:
        """Remove and return all batches of a session."""
        return self.batches.pop(session, [])
