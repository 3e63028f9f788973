"""The decisions that the hub has asked for and not heard of yet."""

from __future__ import annotations

from attrs import define, field

from signald.core.actions import Decide
from signald.core.decisions import Change, Operation, Outcome, Resumed
from signald.core.limits import AddressKey
from signald.core.messages import Request, Secret, SessionId, UserId
from signald.core.users import DecisionId, Peer, PeerId, User


@define
class Pending:
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
    floors: dict[SessionId, int] = field(factory=dict)
    session: SessionId | None = None
    host_key: Secret | None = field(default=None, repr=False)
    answered: bool = False

    def is_over(self, change: Change) -> bool:
        """Whether a change is older than the end of what it changes."""
        return change.session.version <= self.floors.get(change.session.id, 0)


@define
class PendingDecisions:
    """All decisions under way.

    Attributes:
        pending: what was asked for.
        held: outcomes that came before an earlier one on the same session.
        asked: how many there were ever.

    """

    pending: dict[DecisionId, Pending] = field(factory=dict)
    held: dict[DecisionId, Outcome] = field(factory=dict)
    asked: int = 0

    def ask(self, operation: Operation) -> Decide:
        """Ask for a decision that nobody waits for."""
        return self._ask(Pending(operation))

    def ask_for_peer(
        self, operation: Operation, peer: Peer, request: Request, resumed: Resumed | None = None
    ) -> Decide:
        """Ask on behalf of a peer that is not welcomed yet: its next requests wait."""
        decide = self._ask(Pending(operation, request, peer=peer.id, address=peer.address, resumed=resumed))
        peer.queue.decision = decide.id
        return decide

    def ask_for_user(self, operation: Operation, user: User, request: Request) -> Decide:
        """Ask on behalf of a user: its next requests wait."""
        decide = self._ask(Pending(operation, request, user=user.id, address=user.address))
        user.queue.decision = decide.id
        return decide

    def of_user(self, user: User) -> Pending | None:
        """What a user waits for."""
        return None if user.queue.decision is None else self.pending.get(user.queue.decision)

    def dropped(self, session: SessionId, version: int) -> None:
        """Take note that a session's record is dropped: what is under way may be older."""
        for pending in self.pending.values():
            pending.floors[session] = version

    def _ask(self, pending: Pending) -> Decide:
        self.asked += 1
        id = DecisionId(self.asked)
        self.pending[id] = pending
        return Decide(id, pending.operation)
