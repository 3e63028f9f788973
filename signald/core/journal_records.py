"""Journal records: the newest state of a user or of a session, and the snapshot that these records add up to.

A record is complete: it needs no earlier one, and replaces all of them. Its body is a JSON object with the key of its
subject, two times and the record itself, which is null once the subject is over. Mailboxes are not recorded, since
forwarded messages would have to be: after a crash users resume with their membership, and their counters start again
(docs/protocol.md, "Resume").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from attrs import evolve, fields, frozen

from signald.core.hub import Hub
from signald.core.members import Person
from signald.core.messages import SessionId, Traits, UserId
from signald.core.registry import MemoryRegistry
from signald.core.session_settings import Settings
from signald.core.sessions import Session, SessionState
from signald.core.snapshot import CONVERTER, FORMATS, SessionRecord, Snapshot, UserRecord

__all__ = ["Rebuilt", "Record", "Recorder", "rebuild"]

_CLOCK = "clock:"
"""The key of the record that only tells the time, so that a later start knows how long the process has lived."""

_USER, _SESSION = "user:", "session:"

_SETTINGS = tuple(field.name for field in fields(Settings))
_TRAITS = tuple(field.name for field in fields(Traits))
"""The names of fields whose values JSON has as they are."""


@frozen
class _Entry:
    """The keys that all journal bodies share.

    Attributes:
        key: names the subject; it comes first, so that a body can be attributed when only its beginning is known.
        at: monotonic seconds of the process that wrote it, which orders the entries and measures durations.
        wall: seconds since the epoch at the same moment, which measures the time until the next process starts.

    """

    key: str
    at: float
    wall: float


@frozen
class _UserEntry(_Entry):
    record: UserRecord | None


@frozen
class _SessionEntry(_Entry):
    record: SessionRecord | None


@frozen
class Rebuilt:
    """The state that journal records add up to.

    Attributes:
        snapshot: the users and sessions at the moment of the latest record. Members that could not resume, or that have
            no record, are among those that are gone.
        wall: the wall time of that moment, in seconds since the epoch.
        unreadable: the keys whose newest record was refused; their subjects are left out.

    """

    snapshot: Snapshot
    wall: float
    unreadable: frozenset[str]


@frozen
class Record:
    """A record as it is written.

    Attributes:
        key: the subject.
        body: the JSON object.
        is_live: whether the subject exists and has to be restored; otherwise the record in the body is null.

    """

    key: str
    body: bytes
    is_live: bool


@frozen
class Recorder:
    """Encodes the present state of users and sessions.

    Attributes:
        hub: knows the users, and when an open session ends in any case.
        registry: knows the identities and the sessions.

    """

    hub: Hub
    registry: MemoryRegistry

    def clock(self, now: float, wall: float) -> Record:
        """Encode a record that only tells the time."""
        return _record(_CLOCK, None, now, wall)

    def user(self, id: UserId, now: float, wall: float) -> Record:
        """Encode a user; it is live while it can resume."""
        user, identity = self.hub.users.get(id), self.registry.users.get(id)
        if user is None or identity is None or user.instance is None:
            return _record(_USER + id, None, now, wall)
        # Written by hand, since an answer waits for it: cattrs takes two to three times as long.
        record = {
            "id": id,
            "address": user.address,
            "traits": _raw_traits(user.traits),
            "instance": user.instance,
            "rotation": identity.rotation,
            "confirmed": user.confirmed,
            "restarted": user.restarted,
            "away": identity.away,
            "current": identity.current,
            "previous": identity.previous,
            "spent": identity.spent,
            "received": 0,
            "acknowledged": 0,
            "whole": False,
            "events": (),
            "requests": (),
            "grant": None if identity.grant is None else CONVERTER.unstructure(identity.grant),
        }
        return _record(_USER + id, record, now, wall)

    def session(self, id: SessionId, now: float, wall: float) -> Record:
        """Encode a session; it is live while it is open or kept.

        The idle time is recorded as zero: what a member forwards postpones the timeout and is not recorded.
        """
        session = self.registry.sessions.get(id)
        if session is None:
            return _record(_SESSION + id, None, now, wall)
        record: dict[str, Any] = {"session": _raw_session(session), "candidates": ()}
        if session.state is SessionState.OPEN:
            remaining = self.hub.lifetimes.expires.get(id, now + self.hub.limits.session_life_seconds) - now
            record |= {"idle": 0.0, "remaining": remaining, "kept": None}
        else:
            record |= {"idle": None, "remaining": None, "kept": now - self.registry.kept_since.get(id, now)}
        return _record(_SESSION + id, record, now, wall)

    def subjects(self) -> list[str]:
        """The keys of all users and sessions."""
        return [_USER + id for id in self.hub.users] + [_SESSION + id for id in self.registry.sessions]

    def of_key(self, key: str, now: float, wall: float) -> Record:
        """Encode the user or session with this key."""
        if key.startswith(_USER):
            return self.user(UserId(key.removeprefix(_USER)), now, wall)
        return self.session(SessionId(key.removeprefix(_SESSION)), now, wall)


def rebuild(bodies: Mapping[str, bytes]) -> Rebuilt:
    """Rebuild the state from the newest body of each key; a body that cannot be read costs its own subject alone."""
    users: list[tuple[float, UserRecord]] = []
    sessions: list[tuple[float, SessionRecord]] = []
    unreadable: set[str] = set()
    now = wall = 0.0
    for key, body in bodies.items():
        try:
            entry = _decode(key, body)
        except Exception:  # noqa: BLE001 # cattrs raises groups of whatever its hooks raise
            unreadable.add(key)
            continue
        if entry.at >= now:
            now, wall = entry.at, entry.wall
        match entry:
            case _UserEntry(record=UserRecord() as user):
                users.append((entry.at, user))
            case _SessionEntry(record=SessionRecord() as session):
                sessions.append((entry.at, session))
    known = {user.id for _, user in users}
    present = dict.fromkeys(user for _, record in sessions for user in sorted(record.session.user_ids))
    snapshot = Snapshot(
        FORMATS[-1],
        [user for _, user in users],
        [user for user in present if user not in known],
        [_aged(record, now - at) for at, record in sessions],
    )
    return Rebuilt(snapshot, wall, frozenset(unreadable))


def _record(key: str, record: dict[str, Any] | None, at: float, wall: float) -> Record:
    return Record(key, orjson.dumps({"key": key, "at": at, "wall": wall, "record": record}), record is not None)


def _raw_session(session: Session) -> dict[str, Any]:
    settings = session.settings
    return {
        "id": session.id,
        "settings": {name: getattr(settings, name) for name in _SETTINGS},
        "members": [
            {
                "person": _raw_person(member.person),
                "role": member.role.value,
                "seat": member.seat,
                "epoch": member.epoch,
                "keyed": member.keyed,
            }
            for member in session.members
        ],
        "visitors": [{"person": _raw_person(seen.person), "request": seen.request} for seen in session.visitors],
        "removed": session.removed,
        "expected": session.expected,
        "state": session.state.value,
        "seats": session.seats,
        "version": session.version,
    }


def _raw_person(person: Person) -> dict[str, Any]:
    return {
        "user": person.user,
        "traits": _raw_traits(person.traits),
        "name": person.name,
        "away": person.away,
        "former": person.former,
        "connected": person.connected,
    }


def _raw_traits(traits: Traits) -> dict[str, Any]:
    return {name: getattr(traits, name) for name in _TRAITS}


def _decode(key: str, body: bytes) -> _UserEntry | _SessionEntry:
    """Decode a body.

    Raises:
        Exception: the body is no record of this key, or contradicts itself.

    """
    entry: _UserEntry | _SessionEntry
    if key.startswith(_USER):
        entry = CONVERTER.loads(body, _UserEntry)
        is_consistent = entry.record is None or _USER + entry.record.id == key
    else:
        entry = CONVERTER.loads(body, _SessionEntry)
        is_consistent = entry.record is None or _is_consistent(entry.record, key)
    if entry.key != key or not is_consistent:
        raise ValueError("The record is one of another subject, or its durations do not fit its state.")
    return entry


def _is_consistent(record: SessionRecord, key: str) -> bool:
    durations = [record.idle is not None, record.remaining is not None, record.kept is not None]
    expected = {SessionState.OPEN: [True, True, False], SessionState.KEPT: [False, False, True]}
    return _SESSION + record.session.id == key and durations == expected.get(record.session.state)


def _aged(record: SessionRecord, past: float) -> SessionRecord:
    """Advance a record to the moment of the latest one; the idle time starts there."""
    return evolve(
        record,
        remaining=None if record.remaining is None else record.remaining - past,
        kept=None if record.kept is None else record.kept + past,
    )
