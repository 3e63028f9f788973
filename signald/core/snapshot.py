"""Snapshots of all users and sessions, for a restart or a hand-over.

Another process has another monotonic clock, so a snapshot holds durations in place of times. The names of the records'
fields are the keys of the state file.
"""

from __future__ import annotations

import math
from collections import defaultdict

from attrs import evolve, field, frozen
from cattrs.preconf.orjson import OrjsonConverter, make_converter
from cattrs.strategies import configure_tagged_union

from signald.core.actions import Action, ReportError
from signald.core.deadlines import DeadlineKind
from signald.core.decisions import EndIdentity
from signald.core.directory import ClientRecord, WaitingRecord
from signald.core.grant import Grant
from signald.core.hub import Hub
from signald.core.identities import Identity
from signald.core.limits import AddressKey
from signald.core.message_sizes import message_size
from signald.core.messages import Candidates, CountedEvent, Instance, LeaveReason, Request, SessionId, Traits, UserId
from signald.core.pending_decisions import PendingDecisions
from signald.core.reconnect_window import reconnect_seconds
from signald.core.registry import MemoryRegistry
from signald.core.secrets_at_rest import seal_event, seal_request, unseal_event, unseal_request
from signald.core.sessions import Session
from signald.core.users import User, UserEvent

FORMATS = (1,)
"""The formats of the records that this version reads and writes, the newest last.

A field may be added without another format if it has a default, and if a version that does not know it may ignore it.
Anything else needs another format, beside which the one before stays, so that versions next to each other hand over in
both directions.
"""


@frozen
class UserRecord:
    """A user that can resume, with its identity.

    Attributes:
        id, address, traits, instance, rotation, confirmed, restarted: as in `users.User`.
        away: whether its connection was lost.
        current, previous, spent: as in `identities.Identity`.
        received: how many counted messages of the user have arrived.
        acknowledged: how many events the user has acknowledged.
        whole: whether the outbox is complete.
        events: the events that are not acknowledged; at rest without host keys (`secrets_at_rest`).
        requests: the requests that have arrived and are not carried out; at rest without secrets.
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
    """Candidates that a lone member sent before another one joined (`early_candidates.EarlyCandidates`)."""

    sender: UserId
    batch: Candidates


@frozen
class SessionRecord:
    """A session, with the ages of its timeouts.

    Attributes:
        session: its version in the registry.
        idle: seconds since its last change or message; None when it is not open.
        remaining: seconds until it expires; None when it is not open.
        kept: seconds for which it has been kept without being open; None when it is open.
        candidates: the early candidates, with their senders.

    """

    session: Session
    idle: float | None
    remaining: float | None
    kept: float | None
    candidates: list[WaitingBatch]


@frozen
class Snapshot:
    """Everything that a restart keeps.

    Attributes:
        format: the version of the format of these records.
        users: the users that can resume.
        gone: the identities that cannot; their memberships end with the restart.
        sessions: all sessions.
        clients: the clients of the directory.
        waiting: the messages that wait for clients of the directory.

    """

    format: int
    users: list[UserRecord]
    gone: list[UserId]
    sessions: list[SessionRecord]
    clients: list[ClientRecord] = field(factory=list)
    waiting: list[WaitingRecord] = field(factory=list)


def take_snapshot(hub: Hub, registry: MemoryRegistry, now: float, *, keep_secrets: bool = False) -> Snapshot:
    """Take a snapshot; neither the hub nor the registry changes.

    Outcomes of the registry that have not reached the hub have to be passed to it before. Requests whose decision has
    not started, such as a password that waits to be checked, are in the snapshot.

    Arguments:
        hub: knows the users.
        registry: knows the identities and the sessions.
        now: monotonic seconds.
        keep_secrets: whether messages keep their secrets, and requests with passwords stay: for a snapshot that never
            leaves the memory. Otherwise they are replaced (`secrets_at_rest`).

    """
    host_secret = None if keep_secrets else registry.host_secret
    users = [
        _user_record(user, user.instance, registry.users[user.id], hub.decisions, host_secret)
        for id, user in hub.users.items()
        if user.instance is not None
    ]
    sessions = [
        SessionRecord(
            session,
            idle=_seconds_since(hub.lifetimes.active.get(id), now),
            remaining=None if id not in hub.lifetimes.expires else hub.lifetimes.expires[id] - now,
            kept=_seconds_since(registry.kept_since.get(id), now),
            candidates=[WaitingBatch(*waiting) for waiting in hub.forwarder.early_candidates.batches.get(id, [])],
        )
        for id, session in registry.sessions.items()
    ]
    back = {user.id for user in users}
    return Snapshot(FORMATS[-1], users, [id for id in registry.users if id not in back], sessions)


def aged(snapshot: Snapshot, past: float) -> Snapshot:
    """Advance a snapshot by the seconds that passed since it was taken."""
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
    """Drop all users and clients from a snapshot: their memberships end, and sessions with a host key stay kept."""
    gone = [*snapshot.gone, *(record.id for record in snapshot.users)]
    return evolve(snapshot, users=[], gone=gone, clients=[], waiting=[])


def restore(snapshot: Snapshot, hub: Hub, registry: MemoryRegistry, now: float) -> list[Action]:
    """Restore a snapshot into an empty hub and an empty registry, with all users away.

    Their grace is extended by the length of the reconnect window, since it takes so long until the last one is back.
    The other members are not told that a user was away unless it does not come back.

    Raises:
        Exception: whatever the records cause that contradict each other; hub and registry are useless then.

    """
    grace = hub.limits.grace_seconds + reconnect_seconds(len(snapshot.users))
    memberships: defaultdict[UserId, set[SessionId]] = defaultdict(set)
    # Who resumes with the membership alone says with whom it is still connected, and cannot have said it yet.
    renewed = frozenset(record.id for record in snapshot.users if not record.whole)
    snapshot = evolve(
        snapshot,
        sessions=[
            evolve(record, session=record.session.with_connections_unknown(renewed)) for record in snapshot.sessions
        ],
    )
    for kept in sorted(snapshot.sessions, key=lambda record: -(record.kept or 0.0)):
        _restore_session(kept, hub, registry, now)
        for user in kept.session.user_ids:
            memberships[user].add(kept.session.id)
    for record in snapshot.users:
        _restore_user(record, memberships[record.id], hub, registry, now + grace)
    for id in snapshot.gone:
        registry.users[id] = Identity(sessions=memberships[id])
    for kept in snapshot.sessions:
        session = kept.session
        if not hub.users.keys().isdisjoint(session.user_ids):
            hub.replicas.sessions[session.id] = session
    actions: list[Action] = [hub.decisions.submit(EndIdentity(id, LeaveReason.GONE)) for id in snapshot.gone]
    for record in snapshot.users:
        actions += hub.handle_queued_requests(hub.users[record.id], now)
    for action in actions:
        if isinstance(action, ReportError):
            # The caller tries a snapshot in a hub that is not used before, so that nothing of this one is restored.
            raise action.error
    return actions


def dump(snapshot: Snapshot, format: int = FORMATS[-1]) -> bytes:
    """Encode a snapshot as JSON, in one of `FORMATS`."""
    return CONVERTER.dumps(evolve(snapshot, format=format))


def load(data: bytes) -> Snapshot:
    """Read a snapshot.

    Raises:
        ValueError: the data is not a snapshot, or has another format version.

    """
    try:
        snapshot = CONVERTER.loads(data, Snapshot)
    except Exception as error:  # cattrs raises groups of whatever its hooks raise
        raise ValueError("The content is not a snapshot of users and sessions.") from error
    if snapshot.format not in FORMATS:
        known = ", ".join(map(str, FORMATS))
        raise ValueError(f"The snapshot has format {snapshot.format}; this version reads format {known}.")
    _check(snapshot)
    return snapshot


def _check(snapshot: Snapshot) -> None:
    """Check that the records are consistent.

    Raises:
        ValueError: they are not.

    """
    users = [record.id for record in snapshot.users] + snapshot.gone
    sessions = [record.session.id for record in snapshot.sessions]
    clients = [record.id for record in snapshot.clients]
    if len(set(users)) != len(users) or len(set(clients)) != len(clients) or len(set(sessions)) != len(sessions):
        raise ValueError("The snapshot contains a user or a session twice.")
    known = set(users)
    for kept in snapshot.sessions:
        if not known.issuperset(kept.session.user_ids):
            raise ValueError("The snapshot contains a session with a user that it does not contain.")


def _user_record(
    user: User, instance: Instance, identity: Identity, decisions: PendingDecisions, host_secret: bytes | None
) -> UserRecord:
    pending = decisions.for_user(user)
    under_way = [] if pending is None or pending.request is None else [pending.request]
    events = user.outbox.events
    requests = [*under_way, *user.queue.waiting]
    if host_secret is not None:
        events = [seal_event(event, host_secret) for event in events]
        requests = [sealed for request in requests if (sealed := seal_request(request, host_secret)) is not None]
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
        whole=user.outbox.complete,
        events=events,
        requests=requests,
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
    user = hub.mailboxes.add_user(record.id, None, record.address, record.traits, record.instance)
    user.transition(UserEvent.LOST)
    user.grace_ends = until
    hub.deadlines.add(user.grace_ends, DeadlineKind.GRACE, user.id)
    hub.mailboxes.away.add(user.id, user.address)
    user.rotation = record.rotation
    user.confirmed = record.confirmed
    user.restarted = record.restarted
    user.inbox.received = user.inbox.acknowledged = record.received
    events = [unseal_event(event, registry.host_secret) for event in record.events]
    user.outbox.restore(record.acknowledged, [(event, message_size(event)) for event in events], record.whole)
    user.queue.waiting = [unseal_request(request, registry.host_secret) for request in record.requests]
    for id in sessions:
        (user.waiting_at if registry.sessions[id].member(user.id) is None else user.sessions).add(id)


def _restore_session(record: SessionRecord, hub: Hub, registry: MemoryRegistry, now: float) -> None:
    id = record.session.id
    registry.sessions[id] = record.session
    if record.kept is not None:
        registry.kept_since[id] = now - record.kept
    if record.idle is not None and record.remaining is not None:
        hub.lifetimes.restore(id, now - record.idle, now + record.remaining)
    if record.candidates:
        hub.forwarder.early_candidates.batches[id] = [(waiting.sender, waiting.batch) for waiting in record.candidates]


def _seconds_since(since: float | None, now: float) -> float | None:
    return None if since is None else now - since


def _require_type(value: object, kind: type) -> object:
    """Accept a value of exactly this type. cattrs alone would convert, perhaps to an integer too large to encode."""
    if type(value) is not kind:
        raise ValueError(f"Expected a value of type {kind.__name__}, got one of type {type(value).__name__}.")
    return value


def _require_number(value: object, kind: type) -> float:
    """Accept a finite JSON number. cattrs alone would also convert a text such as `nan`."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"Expected a finite number, got a value of type {type(value).__name__}.")
    return float(value)


def _make_converter() -> OrjsonConverter:
    converter = make_converter(detailed_validation=False)
    for kind in (bool, int, str):
        converter.register_structure_hook(kind, _require_type)
    converter.register_structure_hook(float, _require_number)
    configure_tagged_union(CountedEvent, converter)
    configure_tagged_union(Request, converter)
    return converter


CONVERTER = _make_converter()
"""Converts records to JSON and back, strictly."""
