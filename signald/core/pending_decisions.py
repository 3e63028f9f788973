"""The decisions that the hub has asked for and not heard of yet."""

from __future__ import annotations

from attrs import define, field

from signald.core.actions import Decide
from signald.core.decisions import Change, Operation, Outcome, Resumed
from signald.core.limits import AddressKey
from signald.core.messages import Request, Secret, SessionId, UserId
from signald.core.users import DecisionId, Peer, PeerId, User


@define
class PendingDecision:
    """A decision under way.

    Attributes:
        operation: what is to be decided.
        request: what is answered with its outcome; None where nobody waits for it.
        peer: who asked before its welcome.
        user: who asked since then.
        address: where it asked from.
        resumed: the outcome of the decision before, where a resume takes two.
        floors: sessions that were dropped meanwhile, with their last version: what is not newer is over.
        session, host_key: of the outcome, where a session was opened or joined.
        answered: whether the request has its reply.

    """

    operation: Operation
    request: Request | None = None
    peer: PeerId | None = None
    user: UserId | None = None
    address: AddressKey | None = None
    resumed: Resumed | None = None
    removed_versions: dict[SessionId, int] = field(factory=dict)
    session: SessionId | None = None
    host_key: Secret | None = field(default=None, repr=False)
    answered: bool = False

    def is_outdated(self, change: Change) -> bool:
        """Whether a change is older than the end of what it changes."""
        return change.session.version <= self.removed_versions.get(change.session.id, 0)


@define
class PendingDecisions:
    """All decisions under way.

    Attributes:
        pending: what was asked for.
        held: outcomes that came before an earlier one on the same session.
        asked: how many there were ever.

    """

    by_id: dict[DecisionId, PendingDecision] = field(factory=dict)
    deferred_outcomes: dict[DecisionId, Outcome] = field(factory=dict)
    last_id: int = 0

    def submit(self, operation: Operation) -> Decide:
        """Ask for a decision that nobody waits for."""
        return self._submit(PendingDecision(operation))

    def submit_for_peer(
        self, operation: Operation, peer: Peer, request: Request, resumed: Resumed | None = None
    ) -> Decide:
        """Ask on behalf of a peer that is not welcomed yet: its next requests wait."""
        decide = self._submit(PendingDecision(operation, request, peer=peer.id, address=peer.address, resumed=resumed))
        peer.queue.decision = decide.id
        return decide

    def submit_for_user(self, operation: Operation, user: User, request: Request) -> Decide:
        """Ask on behalf of a user: its next requests wait."""
        decide = self._submit(PendingDecision(operation, request, user=user.id, address=user.address))
        user.queue.decision = decide.id
        return decide

    def for_user(self, user: User) -> PendingDecision | None:
        """What a user waits for."""
        return None if user.queue.decision is None else self.by_id.get(user.queue.decision)

    def note_removal(self, session: SessionId, version: int) -> None:
        """Take note that a session's record is dropped: what is under way may be older."""
        for pending in self.by_id.values():
            pending.removed_versions[session] = version

    def _submit(self, pending: PendingDecision) -> Decide:
        self.last_id += 1
        id = DecisionId(self.last_id)
        self.by_id[id] = pending
        return Decide(id, pending.operation)
