"""Decisions that the hub has asked for and whose outcomes have not arrived yet."""

from __future__ import annotations

from attrs import define, field

from signald.core.actions import Decide
from signald.core.decisions import Change, Operation, Outcome, Resumed
from signald.core.limits import AddressKey
from signald.core.messages import Request, Resume, Secret, SessionId, UserId
from signald.core.users import DecisionId, Peer, PeerId, User

RETRY_SECONDS = 1.0
"""The delay, in seconds, before a timeout is checked again that expired while a decision about the same user or session
was pending."""


@define
class PendingDecision:
    """One decision whose outcome has not arrived.

    Attributes:
        operation: the operation to decide.
        request: the request that the outcome answers; None where no client waits for it.
        peer: the connection that asked, where it is not welcomed yet.
        user: the user that asked, where it is.
        address: the address of the client that asked.
        resumed: the outcome of the first decision, where a resume takes two.
        removed_versions: the last versions of sessions that were removed from this node since; an outcome with an
            older change of such a session must not bring it back.
        session, host_key: the session that the outcome opened or joined, and its host key.
        answered: whether the request has its reply already.

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
        """Whether a change is not newer than the removal of its session from this node."""
        return change.session.version <= self.removed_versions.get(change.session.id, 0)


@define
class PendingDecisions:
    """All decisions whose outcomes have not arrived.

    Attributes:
        by_id: the pending decisions.
        deferred_outcomes: outcomes that arrived before an earlier outcome about the same session.
        last_id: the id of the latest decision.

    """

    by_id: dict[DecisionId, PendingDecision] = field(factory=dict)
    deferred_outcomes: dict[DecisionId, Outcome] = field(factory=dict)
    last_id: int = 0

    def submit(self, operation: Operation) -> Decide:
        """Submit an operation for which no client waits."""
        return self._submit(PendingDecision(operation))

    def submit_for_peer(
        self, operation: Operation, peer: Peer, request: Request, resumed: Resumed | None = None
    ) -> Decide:
        """Submit an operation for a peer that is not welcomed yet; its next requests are queued until the outcome."""
        decide = self._submit(PendingDecision(operation, request, peer=peer.id, address=peer.address, resumed=resumed))
        peer.queue.decision = decide.id
        return decide

    def submit_for_user(self, operation: Operation, user: User, request: Request) -> Decide:
        """Submit an operation for a user; its next requests are queued until the outcome."""
        decide = self._submit(PendingDecision(operation, request, user=user.id, address=user.address))
        user.queue.decision = decide.id
        return decide

    def for_user(self, user: User) -> PendingDecision | None:
        """The decision that a user's queue waits for."""
        return None if user.queue.decision is None else self.by_id.get(user.queue.decision)

    def is_resuming(self, user: UserId) -> bool:
        """Whether a connection is about to resume this user."""
        return any(
            isinstance(pending.request, Resume) and pending.request.user == user for pending in self.by_id.values()
        )

    def note_removal(self, session: SessionId, version: int) -> None:
        """Record that a session is removed from this node, so that pending outcomes about it count as outdated."""
        for pending in self.by_id.values():
            pending.removed_versions[session] = version

    def _submit(self, pending: PendingDecision) -> Decide:
        self.last_id += 1
        id = DecisionId(self.last_id)
        self.by_id[id] = pending
        return Decide(id, pending.operation)
