"""A connection of an attack as its generator sees it, what an attack is, and how a connection opens."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.endpoints import TEXT, frame, upgrade_request


@dataclass
class Link:
    """One connection of an attack, as its generator sees it.

    Attributes:
        number: of the connection in its attack, from 0.
        shared: what the connections of an attack tell each other.
        reads: whether it reads; a generator may change that.
        asset: the path of the largest file that is served.
        received: the last of what the server said, in bytes.
        over: whether the attacker has seen enough of it, and goes on to the next one.
        kept: what a connection keeps for those that replace it, by their number.
        session: the session that it takes part in.

    """

    number: int
    shared: deque[str]
    asset: str
    reads: bool = True
    received: bytearray = field(default_factory=bytearray)
    over: bool = False
    kept: dict[int, str] = field(default_factory=dict)
    session: str = ""

    def said(self, *types: str) -> bool:
        """Return whether one of these messages of the native dialect was received."""
        return any(f'"type":"{type}"'.encode() in self.received for type in types)


Attack = Callable[[Link], Iterator[bytes]]


@dataclass(frozen=True)
class Load:
    """An attack.

    Attributes:
        threat: what it is an attack of.
        sent: what is sent, for the table.
        refused: how the server ends it: each is one that some connection has to meet. Close codes and HTTP statuses
            come with the error's code. Nothing where connections stay, and only what they ask for is refused.
        attack: the generator.
        spends: whether each connection has a large budget to spend before it is refused: 200 connections send 100,000
            messages before the first of them has spent its burst, so that a few more have to be refused in their place.
        is_within_limits: whether each connection stays within the limits, so that none of them may be refused.
        addresses: how many addresses the connections come from.
        count: the number of connections, where it is not that of all attacks.
        spare: how many of an address's connections are not used, so that those which replace others find room: the
            server may see a new one before it has seen the end of the old one.

    """

    threat: str
    sent: str
    refused: tuple[str, ...]
    attack: Attack
    spends: bool = False
    is_within_limits: bool = False
    addresses: int = 1
    count: int = 0
    spare: int = 0


def body(type: str, **keys: Any) -> bytes:
    """A message of the native dialect in a frame."""
    keys = {key.replace("_", "-"): value for key, value in keys.items()}
    return frame(TEXT, json.dumps({"type": type, **keys}).encode())


def upgrade(link: Link, **headers: str) -> Iterator[bytes]:
    """Open a WebSocket of the native dialect. Who sends frames before the server's answer is cut off."""
    yield upgrade_request(sec_websocket_protocol="signald.1", **headers)
    while b"\r\n\r\n" not in link.received:
        yield b""


def wait_for(link: Link, *types: str) -> Iterator[bytes]:
    """Send nothing until one of these has come; forget what came before it."""
    while not link.said(*types):
        yield b""


def greet(link: Link, **keys: Any) -> Iterator[bytes]:
    """Shake hands and say hello."""
    yield from upgrade(link)
    yield body("hello", version=1, **keys)
    yield from wait_for(link, "welcome")


def session_of(link: Link) -> str:
    """The session that was opened last."""
    last = link.received.rpartition(b'"opened"')[2]
    return last.partition(b'"session":"')[2][:10].decode()
