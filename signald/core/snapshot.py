"""Users and sessions as plain records, for a restart or a hand-over between nodes: durations, no monotonic times."""

from __future__ import annotations

from collections import defaultdict, deque

from attrs import evolve, field, frozen
from cattrs.preconf.orjson import OrjsonConverter, make_converter
from cattrs.strategies import configure_tagged_union

from signald.core.actions import Action
from signald.core.deadlines import DeadlineKind
from signald.core.decisions import Forget
from signald.core.grant import Grant
from signald.core.hub import Hub
from signald.core.identities import Identity
from signald.core.limits import AddressKey
from signald.core.mailbox import weight
from signald.core.messages import Candidates, CountedEvent, Instance, LeaveReason, Request, SessionId, Traits, UserId
from signald.core.pending_decisions import PendingDecisions
from signald.core.reconnect_window import return_seconds
from signald.core.registry import MemoryRegistry
from signald.core.sessions import Session
from signald.core.users import User, UserEvent

FORMAT = 1


@frozen
class UserRecord:
    """An identity that can resume.

    Attributes:
        id, address, traits, instance, rotation, confirmed, restarted: as in `users.User`.
        away: whether its connection was lost.
        current, previous, spent: as in `identities.Identity`.
        received: how many messages of the user there were.
        acknowledged: how many events the user has said that it has.
        whole: whether no event was lost.
        events: those that are not acknowledged.
        requests: those that are received and not carried out.
        grant: as in `identities.Identity`.

    """

    id: UserId
    address: AddressKey
    traits: Traits
    instance: Instance
    rotation: int
    confirmed: bool
    restarted: bool
    away: bool
    current: str | None = field(repr=False)
    previous: str | None = field(repr=False)
    spent: str | None = field(repr=False)
    received: int
    acknowledged: int
    whole: bool
    events: list[CountedEvent]
    requests: list[Request]
    grant: Grant | None


@frozen
class WaitingBatch:
    """Candidates that came before the other member (`waiting.WaitingCandidates`)."""

    sender: UserId
    batch: Candidates


@frozen
class SessionRecord:
    """A session.

    Attributes:
        session: its record in the registry.
        idle: seconds since its last change or message; None when it is not open.
        remaining: seconds until it expires; None when it is not open.
        kept: seconds for which it has been kept without being open; None when it is open.
        candidates: those that wait there for the other member, with their senders.

    """

    session: Session
    idle: float | None
    remaining: float | None
    kept: float | None
    candidates: list[WaitingBatch]


@frozen
class Snapshot:
    """All that a restart has to keep.

    Attributes:
        format: of these records.
        users: those who can come back.
        gone: those who cannot; their memberships end.
        sessions: all of them.

    """

    format: int
    users: list[UserRecord]
    gone: list[UserId]
    sessions: list[SessionRecord]


def export(hub: Hub, registry: MemoryRegistry, now: float) -> Snapshot:
    """Take a snapshot; neither hub nor registry changes.

    What the registry has decided and the hub has not heard is to be told first; requests whose decision is not begun,
    such as a password that waits to be checked, are in the snapshot.
    """
    users = [
        _user_record(user, user.instance, registry.users[id], hub.decisions)
        for id, user in hub.users.items()
        if user.instance is not None
    ]
    sessions = [
        SessionRecord(
            session,
            idle=_ago(hub.replicas.active.get(id), now),
            remaining=None if id not in hub.replicas.expires else hub.replicas.expires[id] - now,
            kept=_ago(registry.kept.get(id), now),
            candidates=[WaitingBatch(*waiting) for waiting in hub.replicas.candidates.batches.get(id, [])],
        )
        for id, session in registry.sessions.items()
    ]
    back = {user.id for user in users}
    return Snapshot(FORMAT, users, [id for id in registry.users if id not in back], sessions)


def aged(snapshot: Snapshot, past: float) -> Snapshot:
    """The snapshot after so many seconds."""
    sessions = [
        evolve(
            record,
            idle=None if record.idle is None else record.idle + past,
            remaining=None if record.remaining is None else record.remaining - past,
            kept=None if record.kept is None else record.kept + past,
        )
        for record in snapshot.sessions
    ]
    return evolve(snapshot, sessions=sessions)


def without_users(snapshot: Snapshot) -> Snapshot:
    """The snapshot when nobody comes back: sessions end as they do when all are gone, and those that are kept stay."""
    return evolve(snapshot, users=[], gone=[*snapshot.gone, *(record.id for record in snapshot.users)])


def restore(snapshot: Snapshot, hub: Hub, registry: MemoryRegistry, now: float) -> list[Action]:
    """Put a snapshot into a hub and a registry that are empty: all its users are away, with the whole grace and more.

    The more there are, the longer it takes until the last of them is back. The others in their sessions are not told
    that they were away, unless one does not come back.
    """
    grace = hub.limits.grace_seconds + return_seconds(len(snapshot.users))
    memberships: defaultdict[UserId, set[SessionId]] = defaultdict(set)
    for kept in sorted(snapshot.sessions, key=lambda record: -(record.kept or 0.0)):
        _restore_session(kept, hub, registry, now)
        for user in kept.session.people:
            memberships[user].add(kept.session.id)
    for record in snapshot.users:
        _restore_user(record, memberships[record.id], hub, registry, now + grace)
    for id in snapshot.gone:
        registry.users[id] = Identity(sessions=memberships[id])
    for kept in snapshot.sessions:
        session = kept.session
        if not hub.users.keys().isdisjoint(session.people):
            hub.replicas.sessions[session.id] = session
    actions: list[Action] = [hub.decisions.ask(Forget(id, LeaveReason.GONE)) for id in snapshot.gone]
    for record in snapshot.users:
        actions += hub.go_on(hub.users[record.id], now)
    return actions


def dump(snapshot: Snapshot) -> bytes:
    """A snapshot as JSON."""
    return _converter.dumps(snapshot)


def load(data: bytes) -> Snapshot:
    """Read a snapshot.

    Raises:
        ValueError: it is none, or of another format.

    """
    try:
        snapshot = _converter.loads(data, Snapshot)
    except Exception as error:  # cattrs raises groups of whatever its hooks raise
        raise ValueError("These are no records of users and sessions.") from error
    if snapshot.format != FORMAT:
        raise ValueError("The records are of another version.")
    _check(snapshot)
    return snapshot


def _check(snapshot: Snapshot) -> None:
    """See whether the records fit each other.

    Raises:
        ValueError: they do not.

    """
    users = [record.id for record in snapshot.users] + snapshot.gone
    sessions = [record.session.id for record in snapshot.sessions]
    if len(set(users)) != len(users) or len(set(sessions)) != len(sessions):
        raise ValueError("The records name a user or a session twice.")
    known = set(users)
    for kept in snapshot.sessions:
        if not known.issuperset(kept.session.people):
            raise ValueError("The records have a session of somebody who is in none of them.")


def _user_record(user: User, instance: Instance, identity: Identity, decisions: PendingDecisions) -> UserRecord:
    pending = decisions.of_user(user)
    under_way = [] if pending is None or pending.request is None else [pending.request]
    return UserRecord(
        id=user.id,
        address=user.address,
        traits=user.traits,
        instance=instance,
        rotation=identity.rotation,
        confirmed=user.confirmed,
        restarted=user.restarted,
        away=identity.away,
        current=identity.current,
        previous=identity.previous,
        spent=identity.spent,
        received=user.inbox.received,
        acknowledged=user.outbox.acknowledged,
        whole=user.outbox.whole,
        events=[event for event, _ in user.outbox.waiting],
        requests=[*under_way, *user.queue.waiting],
        grant=identity.grant,
    )


def _restore_user(
    record: UserRecord, sessions: set[SessionId], hub: Hub, registry: MemoryRegistry, until: float
) -> None:
    registry.users[record.id] = Identity(
        instance=record.instance,
        current=record.current,
        previous=record.previous,
        spent=record.spent,
        rotation=record.rotation,
        away=record.away,
        sessions=sessions,
        grant=record.grant,
    )
    user = hub.mailboxes.add(record.id, None, record.address, record.traits, record.instance)
    user.step(UserEvent.LOST)
    user.until = until
    hub.deadlines.add(user.until, DeadlineKind.GRACE, user.id)
    user.rotation = record.rotation
    user.confirmed = record.confirmed
    user.restarted = record.restarted
    user.inbox.received = user.inbox.acknowledged = record.received
    user.outbox.restore(record.acknowledged, [(event, weight(event)) for event in record.events], record.whole)
    user.queue.waiting = deque(record.requests)
    for id in sessions:
        (user.visits if registry.sessions[id].member(user.id) is None else user.sessions).add(id)


def _restore_session(record: SessionRecord, hub: Hub, registry: MemoryRegistry, now: float) -> None:
    id = record.session.id
    registry.sessions[id] = record.session
    if record.kept is not None:
        registry.kept[id] = now - record.kept
    if record.idle is not None and record.remaining is not None:
        hub.replicas.follow(id, now - record.idle, now + record.remaining)
    if record.candidates:
        hub.replicas.candidates.batches[id] = [(waiting.sender, waiting.batch) for waiting in record.candidates]


def _ago(since: float | None, now: float) -> float | None:
    return None if since is None else now - since


def _exactly(value: object, kind: type) -> object:
    """A value of just this type: cattrs would make one of it, such as an integer that cannot be written again."""
    if type(value) is not kind:
        raise ValueError(f"This is no {kind.__name__}.")
    return value


def _make_converter() -> OrjsonConverter:
    converter = make_converter(forbid_extra_keys=True, detailed_validation=False)
    for kind in (bool, int, str):
        converter.register_structure_hook(kind, _exactly)
    configure_tagged_union(CountedEvent, converter)
    configure_tagged_union(Request, converter)
    return converter


_converter = _make_converter()
