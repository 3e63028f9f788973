"""Random walks over a switchboard with a journal, which is checked at each answer and then cut anywhere.

The clients do anything at any time. Whenever one is sent something, what the file contains is compared with the hub and
the registry. Afterwards the file is cut at ends of lines and anywhere, and the clients resume with what they had been
sent by then.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.journal_records import Recorder, rebuild
from signald.core.limits import Limits
from signald.core.messages import SessionId
from signald.core.sessions import Session
from signald.core.snapshot import SessionRecord, UserRecord
from signald.dialects.serde import Serde
from signald.lifecycle.journal_file import FILE_NAME
from signald.lifecycle.journal_lines import Contents, read_lines
from tests.support.connections import MemoryConnection, make_switchboard
from tests.support.journals import WALL, make_journal

#: The number of walks, and of steps of one.
WALKS = int(os.environ.get("TEST_JOURNAL_WALKS", "4"))
STEPS = 100

CLIENTS = 6

#: The crashes of each walk, at ends of lines and at any bytes, and the changed bytes.
CRASHES = 25

LIMITS = Limits(user_sessions=3, session_knocks=2, kept_sessions=3, kept_seconds=60.0)


@define(eq=False)
class Person:
    """A client, with what it was sent.

    Attributes:
        instance: the id of its run; None for a client that cannot resume.
        connection: its connection; None while it has none.
        user, secret: its identity and its newest secret; empty before the first welcome and after its end.
        told: the size of the file at each welcome, with the identity and the secret.
        ended: the sizes of the file at which it had given up its identity.

    """

    instance: str | None
    connection: MemoryConnection | None = None
    user: str = ""
    secret: str = ""
    told: list[tuple[int, str, str]] = field(factory=list)
    ended: list[tuple[int, str]] = field(factory=list)


class Walk:
    """Lets clients act on a switchboard with a journal in a directory."""

    def __init__(self, directory: Path, seed: int, check: Callable[[Contents], None]) -> None:
        self.chance = random.Random(seed)
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock, LIMITS)
        self.journal = make_journal(self.switchboard, directory, self.clock)
        self.path = directory / FILE_NAME
        self.people = [Person(None if number == 0 else str(number)) for number in range(CLIENTS)]
        self.keys: dict[str, str] = {}
        self.check = check
        self.journal.start()

    def step(self) -> None:
        """Let one client or the clock do something."""
        person = self.chance.choice(self.people)
        if self.chance.random() < 0.05:
            self.clock.advance(self.chance.choice([1.0, 20.0, 40.0]))
            self.switchboard.tick()
        elif person.connection is None:
            self.connect(person)
        elif self.chance.random() < 0.12:
            self.disconnect(person, person.connection)
        else:
            self.chance.choice([self.come, self.come, self.act, self.act, self.act])(person.connection)

    def connect(self, person: Person) -> None:
        """Connect a client, which says hello or resumes."""
        connection = person.connection = MemoryConnection(
            self.switchboard, Serde() if person.instance is None else None
        )
        connection.on_send = lambda frame: self.receive(person, frame)
        if person.user:
            instance = person.instance if self.chance.random() < 0.7 else f"{person.instance}again"
            person.instance = instance
            connection.say(
                type="resume", version=1, user=person.user, secret=person.secret, instance=instance, received=0
            )
        elif person.instance is not None:
            connection.say(type="hello", version=1, instance=person.instance)

    def disconnect(self, person: Person, connection: MemoryConnection) -> None:
        """End a client's connection, which it may want to leave for good."""
        person.connection = None
        code = self.chance.choice([None, None, None, 1001, 1000])
        connection.disconnect(code)
        if code == 1000 and person.user:
            person.ended.append((self.path.stat().st_size, person.user))
            person.user = ""

    def receive(self, person: Person, frame: bytes) -> None:
        """Note what a client is sent, and compare the file with the state of the server."""
        self.check(read_lines(self.path.read_bytes()))
        if person.instance is None:
            return
        message = json.loads(frame)
        if message["type"] == "welcome":
            person.user, person.secret = message["user"], message["secret"]
            person.told.append((self.path.stat().st_size, person.user, person.secret))
        if message.get("host-key"):
            self.keys[message["session"]] = message["host-key"]

    def session(self) -> Session | None:
        """Choose a session."""
        sessions = list(self.switchboard.registry.sessions.values())
        return self.chance.choice(sessions) if sessions else None

    def come(self, connection: MemoryConnection) -> None:
        """Open or join a session."""
        session = self.session()
        if isinstance(connection.dialect, Serde):
            connection.receive(b'"SessionNew"')
        elif session is None or self.chance.random() < 0.3:
            flags = {name: self.chance.random() < 0.4 for name in ("keep", "lobby", "succession")}
            connection.say(type="open", capacity=4, label="label", **flags)
        elif self.chance.random() < 0.2 and session.id in self.keys:
            connection.say(
                type="open", capacity=4, keep=True, session=session.id, **{"host-key": self.keys[session.id]}
            )
        else:
            connection.say(type="join", session=session.id, name="name")

    def act(self, connection: MemoryConnection) -> None:
        """Make a request in a session, mostly as its host."""
        session = self.session()
        if session is None or isinstance(connection.dialect, Serde):
            return
        host = session.host
        peer = None if host is None else self.switchboard.hub.users[host.user].peer
        speaker = next((p.connection for p in self.people if p.connection and p.connection.peer == peer), connection)
        user = self.chance.choice([*sorted(session.user_ids), "0" * 26])
        choices: list[dict[str, Any]] = [
            {"type": "change", "locked": self.chance.random() < 0.5},
            {"type": "change", "lobby": self.chance.random() < 0.5},
            {"type": "change", "label": "other"},
            *({"type": type, "user": user} for type in ("admit", "refuse", "remove", "hand-over")),
            {"type": "message", "content": "message"},
            {"type": "leave"},
            {"type": "end"},
        ]
        if not isinstance(speaker.dialect, Serde):
            speaker.say(session=session.id, **self.chance.choice(choices))


class CrashTests(SynchronousTestCase):
    """Random walks, each with its own seed."""

    def setUp(self) -> None:
        """Choose a data directory."""
        self.directory = Path(self.mktemp())

    def walk(self, seed: int) -> Walk:
        """Make a random walk, during which each answer is checked."""
        walk = Walk(self.directory / str(seed), seed, lambda contents: self.check_file(walk, contents))
        for _ in range(STEPS):
            walk.step()
        return walk

    def check_file(self, walk: Walk, contents: Contents) -> None:
        """Assert that the file contains the present state of all users and sessions.

        A user whose end the hub has submitted, and the registry has not carried out, may still be there.
        """
        hub, registry, now = walk.switchboard.hub, walk.switchboard.registry, walk.clock.seconds()
        recorder = Recorder(hub, registry)
        records = [recorder.of_key(key, now, WALL + now) for key in recorder.subjects()]
        expected = rebuild({record.key: record.body for record in records}).snapshot
        rebuilt = rebuild(contents.bodies)
        late = now - (rebuilt.wall - WALL)
        ending = registry.users.keys() - hub.users.keys()
        users = {id: user for id, user in _by_id(rebuilt.snapshot.users).items() if id not in ending}
        self.assertEqual(users, _by_id(expected.users))
        self.assertEqual(_rounded(rebuilt.snapshot.sessions, late), _rounded(expected.sessions, 0.0))
        self.assertEqual(set(rebuilt.snapshot.gone) - ending, set(expected.gone) - ending)

    def test_the_file_is_never_behind_what_clients_were_sent(self) -> None:
        """A cut at the end of any line, or anywhere, loses nothing that was sent before."""
        for seed in range(WALKS):
            walk = self.walk(seed)
            content = walk.path.read_bytes()
            ends = [0, *(place + 1 for place, byte in enumerate(content) if byte == ord("\n"))]
            self.assertGreater(len(ends), STEPS // 4)
            for end in walk.chance.sample(ends, min(CRASHES, len(ends))):
                self.crash(walk, content[:end], end)
            for _ in range(CRASHES):
                cut = walk.chance.randrange(len(content))
                self.crash(walk, content[:cut], max(end for end in ends if end <= cut))

    def crash(self, walk: Walk, content: bytes, whole: int) -> None:
        """Start another process with this file, and let all clients resume that can.

        Arguments:
            walk: the walk that wrote the file.
            content: the file as the crash left it.
            whole: the number of bytes in whole lines.

        """
        contents = read_lines(content)
        self.assertEqual((contents.damaged, contents.unused), (0, len(content) - whole))
        snapshot = rebuild(contents.bodies).snapshot
        later = make_switchboard(Clock(), LIMITS)
        later.restore(snapshot)
        live = {user.id for user in snapshot.users}
        for person in walk.people:
            welcomes = [(user, secret) for size, user, secret in person.told if size <= whole]
            if not welcomes:
                continue
            user, secret = welcomes[-1]
            self.assertIn(f"user:{user}", contents.bodies)
            if user not in live:
                continue
            connection = MemoryConnection(later)
            connection.say(type="resume", version=1, user=user, secret=secret, instance="one", received=0)
            welcome, *others = connection.take_messages()
            self.assertEqual((welcome["type"], welcome["resumed"]), ("welcome", "membership"))
            joined = {message["session"] for message in others if message["type"] == "joined"}
            sessions = later.registry.sessions.values()
            self.assertEqual(joined, {session.id for session in sessions if session.member(later_user(user))})

    def test_no_identity_ends_that_was_not_given_up(self) -> None:
        """A crash at the end of the file leaves every identity that the process had."""
        walk = self.walk(WALKS)
        snapshot = rebuild(read_lines(walk.path.read_bytes()).bodies).snapshot
        resumable = {id for id, user in walk.switchboard.hub.users.items() if user.instance is not None}
        self.assertEqual({user.id for user in snapshot.users}, resumable)

    def test_changed_bytes(self) -> None:
        """A changed byte costs one subject at most: everybody else resumes, and the restore never fails."""
        walk = self.walk(WALKS + 1)
        content = walk.path.read_bytes()
        whole = read_lines(content).bodies
        for _ in range(4 * CRASHES):
            place = walk.chance.randrange(len(content))
            changed = content[:place] + bytes([content[place] ^ 1 << walk.chance.randrange(8)]) + content[place + 1 :]
            contents = read_lines(changed)
            self.assertTrue(contents.damaged or contents.unused)
            self.assertLessEqual(len(contents.dropped), 1)
            if not contents.unused:
                self.assertEqual(contents.bodies, {key: whole[key] for key in contents.bodies})
                self.assertEqual(whole.keys() - contents.bodies.keys(), contents.dropped)
            make_switchboard(Clock(), LIMITS).restore(rebuild(contents.bodies).snapshot)


def later_user(user: str) -> Any:
    """Return a user id with the type that the registry has for it."""
    return user


def _by_id(users: list[UserRecord]) -> dict[str, UserRecord]:
    return {user.id: user for user in users}


def _rounded(sessions: list[SessionRecord], past: float) -> dict[SessionId, SessionRecord]:
    """Return the sessions by id, with their durations so many seconds later, rounded since they were added."""
    return {
        record.session.id: evolve(
            record,
            remaining=None if record.remaining is None else round(record.remaining - past, 3),
            kept=None if record.kept is None else round(record.kept + past, 3),
        )
        for record in sessions
    }
