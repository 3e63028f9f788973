"""Floods within the limits: every connection stays below each of its limits, so that the server may refuse none of it.

What harms others is the number of connections and what a permitted message costs the server.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping

from tests.suites.attacks.links import Attack, Link, Load, body, greet, session_of, upgrade, wait_for
from tests.support.endpoints import TEXT, frame, frame_header

#: The messages per second of a connection; `message-rate` allows 100.
PER_SECOND = 95.0

#: The large messages per second of a connection, of 60 kB each; `message-byte-rate` allows 256 KiB.
LARGE_PER_SECOND = 4.0

#: The seconds after which each connection resumes again: 200 of them stay below `address-connection-rate`.
RESUME_SECONDS = 5.0

#: The connections of an address that are not used where others are replaced, so that `address-connections` refuses
#: none: 36 a second are replaced, and the server notices the end of one that waits for its turn within half a second.
SPARE = 20

#: The number of members of a session, as many as `session-members` allows.
MEMBERS = 8

#: The members that fill their outboxes at each address: 70 receivers with 128 KiB each exceed its 8 MiB.
FILLERS = 80

#: The messages of 16 kB that fill the outbox of a member.
OUTBOX_MESSAGES = 9

#: The seconds of backlog that a connection makes up for when the attacker was not scheduled.
BACKLOG_SECONDS = 0.1


def pause(until: float) -> Iterator[bytes]:
    """Send nothing until a moment, in monotonic seconds."""
    while time.monotonic() < until:
        yield b""


def paced(link: Link, frames: Iterable[bytes], per_second: float) -> Iterator[bytes]:
    """Send frames at a rate; the connections of an attack begin at different moments."""
    due = time.monotonic() + link.number % 97 / 97 / per_second
    for one in frames:
        yield from pause(due)
        yield one
        due = max(due + 1 / per_second, time.monotonic() - BACKLOG_SECONDS)


def open_or_find(link: Link, **settings: object) -> Iterator[bytes]:
    """Open a session as the first of each `MEMBERS` connections, and name it to the others, who wait for its name."""
    if link.number % MEMBERS == 0:
        yield body("open", capacity=MEMBERS, **settings)
        yield from wait_for(link, "opened")
        link.shared.extend([session_of(link)] * (MEMBERS - 1))
        link.session = link.shared[-1]
        return
    while not link.shared:
        yield b""
    link.session = link.shared.popleft()


def pings(link: Link) -> Iterator[bytes]:
    """Send `ping` messages."""
    yield from greet(link)
    yield from paced(link, itertools.repeat(body("ping")), PER_SECOND)


def session_messages(link: Link) -> Iterator[bytes]:
    """Send messages to the seven other members of a session."""
    yield from greet(link)
    yield from open_or_find(link)
    if link.number % MEMBERS:
        yield body("join", session=link.session)
        yield from wait_for(link, "joined")
    yield from paced(link, itertools.repeat(body("message", session=link.session, content="x" * 200)), PER_SECOND)


def lobby(link: Link) -> Iterator[bytes]:
    """Join at a lobby and leave it again, which its host is told each time."""
    yield from greet(link)
    yield from open_or_find(link, lobby=True)
    frames = body("ping") if link.number % MEMBERS == 0 else None
    visits = itertools.cycle([body("join", session=link.session), body("leave", session=link.session)])
    yield from paced(link, visits if frames is None else itertools.repeat(frames), PER_SECOND)


def knocks(link: Link) -> Iterator[bytes]:
    """Knock at one lobby after the other."""
    yield from greet(link)
    if link.number % MEMBERS == 0:
        yield body("open", lobby=True)
        yield from wait_for(link, "opened")
        link.shared.append(session_of(link))
    while not link.shared:
        yield b""
    yield from paced(link, _knocks(link), PER_SECOND)


def _knocks(link: Link) -> Iterator[bytes]:
    for number in itertools.count(link.number):
        yield body("join", session=link.shared[number % len(link.shared)], name="x" * 64)


def password_joins(link: Link) -> Iterator[bytes]:
    """Join a session with its password and leave it again: each join is a password to hash."""
    yield from greet(link)
    yield from open_or_find(link, password="x" * 128)
    if link.number % MEMBERS == 0:
        yield from paced(link, itertools.repeat(body("ping")), PER_SECOND)
    join = body("join", session=link.session, password="x" * 128)
    yield from paced(link, itertools.cycle([join, body("leave", session=link.session)]), PER_SECOND)


def resumes(link: Link) -> Iterator[bytes]:
    """Come back with the resume secret again and again, over a new connection each time."""
    instance = f"{link.number:016x}"
    known = link.kept.get(link.number)
    if known is None:
        yield from greet(link, instance=instance)
    else:
        user, secret = known.split(" ")
        yield from upgrade(link)
        yield body("resume", version=1, user=user, secret=secret, instance=instance, received=0)
        yield from wait_for(link, "welcome")
    link.kept[link.number] = f"{_value(link, 'user')} {_value(link, 'secret')}"
    began = time.monotonic()
    spread = link.number % 97 / 97 if known is None else 1.0
    yield from pause(began + RESUME_SECONDS * spread)
    link.over = True
    yield b""


def _value(link: Link, key: str) -> str:
    """The value of a key in what was received, as text."""
    return link.received.rpartition(f'"{key}":"'.encode())[2].partition(b'"')[0].decode()


def outboxes(link: Link) -> Iterator[bytes]:
    """Members that acknowledge nothing, and one in each session that fills their outboxes, each with its own bytes."""
    yield from greet(link, instance=os.urandom(8).hex())
    link.kept[link.number] = _value(link, "user")
    yield from open_or_find(link)
    if link.number % MEMBERS:
        yield body("join", session=link.session)
    else:
        members = range(link.number + 1, link.number + MEMBERS)
        while not all(number in link.kept for number in members):
            yield b""
        frames = (
            _plain_body("message", session=link.session, to=link.kept[number], content="x" * 16000)
            for _ in range(OUTBOX_MESSAGES)
            for number in members
        )
        yield from paced(link, frames, PER_SECOND / 3)
    while True:
        yield b""


def _plain_body(type: str, **keys: str) -> bytes:
    """A message in a frame whose masking key is zero: to mask a large one takes the attacker longer than the server."""
    payload = json.dumps({"type": type, **keys}).encode()
    return frame_header(TEXT, len(payload)) + bytes(4) + payload


@functools.cache
def many_keys() -> bytes:
    """A frame with a valid request that has 6,000 unknown keys, made once: to mask it takes the attacker long."""
    keys = b",".join(b'"k%d":0' % number for number in range(6000))
    return frame(TEXT, b'{"type":"ping",' + keys + b"}")


def keys(link: Link) -> Iterator[bytes]:
    """Send requests with 6,000 unknown keys."""
    yield from greet(link)
    yield from paced(link, itertools.repeat(many_keys()), LARGE_PER_SECOND)


def _flood(threat: str, sent: str, attack: Attack, addresses: int = 1, count: int = 0, spare: int = 0) -> Load:
    threat = f"within limits: {threat}"
    return Load(threat, sent, (), attack, is_within_limits=True, addresses=addresses, count=count, spare=spare)


FLOODS: Mapping[str, Load] = {
    "flood-pings": _flood("pings", "95 pings/s a connection", pings),
    "flood-messages": _flood("messages to seven", "95 messages/s a connection, in sessions of eight", session_messages),
    "flood-lobby": _flood("join and leave", "95 joins and leaves/s a connection, at a lobby", lobby),
    "flood-knocks": _flood("knocks", "95 knocks/s a connection, at the lobbies of others", knocks),
    "flood-passwords": _flood("password joins", "95 joins with passwords and leaves/s a connection", password_joins),
    "flood-resumes": _flood("resumes", "each connection resumes every 5 s", resumes, spare=SPARE),
    "flood-keys": _flood("JSON of 6,000 keys", "4 messages of 60 kB/s a connection", keys),
    "flood-outboxes-1": _flood("outboxes", "filled by 80 members at 1 address", outboxes, 1, FILLERS),
    "flood-outboxes-4": _flood("outboxes", "filled by 80 members at each of 4 addresses", outboxes, 4, 4 * FILLERS),
    "flood-outboxes-16": _flood("outboxes", "filled by 80 members at each of 16 addresses", outboxes, 16, 16 * FILLERS),
}
"""All floods within the limits, by name."""
