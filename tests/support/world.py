"""A hub and its registry without I/O, and peers in it whose dialect is the messages themselves."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from attrs import evolve

from signald.core.actions import Action, Close, Decide, LogCounts, Send, SendCredentials
from signald.core.decisions import JoinSession, OpenSession, Operation
from signald.core.errors import ErrorCode
from signald.core.hub import Ending, Hub
from signald.core.ids import IdSource
from signald.core.limits import AddressKey, Limits
from signald.core.members import Person
from signald.core.messages import (
    UNCOUNTED,
    Count,
    Event,
    Hello,
    IceServer,
    Instance,
    Join,
    Joined,
    Open,
    Opened,
    Request,
    Resume,
    Secret,
    SessionId,
    Survival,
    Traits,
    UserId,
    Welcome,
)
from signald.core.registry import MemoryRegistry
from signald.core.sessions import Session
from signald.core.users import PeerId
from signald.dialects.serde import Serde

HOST_SECRET = b"host" * 8

HOME = AddressKey("192.0.2.1")

SERDE = Serde.traits


def counting_bytes() -> IdSource:
    """Make ids that count from 1, so that tests are repeatable."""
    made = 0

    def next_bytes(count: int) -> bytes:
        nonlocal made
        made += 1
        return made.to_bytes(count, "big")

    return IdSource(next_bytes)


def arrived(session: Session, user: UserId, traits: Traits | None = None) -> Session:
    """The session after somebody's join."""
    return session.arrived(Person(user, traits or Traits()), request=None, proof=None, most_visitors=2)


class World:
    """Peers, a hub and a registry that decides at once.

    Attributes:
        now: monotonic seconds, the tests' to change.
        heard: the events that each peer was sent and that nobody has looked at yet.
        closed: why each peer was closed.
        counts: what was logged of users and sessions.
        credentials: how many were made.
        holding: the operations that are not decided at once.
        held: those that were asked for, until `release`.

    """

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self.now = 1000.0
        self.hub = Hub(limits=limits, server="signald/test")
        self.registry = MemoryRegistry(counting_bytes(), limits, HOST_SECRET, now=self.now)
        self.heard: dict[PeerId, list[Event]] = {}
        self.closed: dict[PeerId, ErrorCode] = {}
        self.counts: list[tuple[int, int]] = []
        self.credentials = 0
        self.holding: tuple[type[Operation], ...] = ()
        self.held: list[Decide] = []

    def connect(self, traits: Traits | None = None, address: AddressKey = HOME) -> PeerId:
        """Make a new peer."""
        peer = PeerId(len(self.heard) + 1)
        self.heard[peer] = []
        self.act(self.hub.connected(peer, address, traits or Traits(), self.now))
        return peer

    def say(self, peer: PeerId, *requests: Request) -> list[Event]:
        """Let a peer say something, and return all that it has heard by then."""
        for request in requests:
            self.act(self.hub.received(peer, request, self.now))
        return self.hears(peer)

    def hears(self, peer: PeerId) -> list[Event]:
        """What a peer has heard since the last look."""
        events, self.heard[peer] = self.heard[peer], []
        return events

    def disconnect(self, peer: PeerId, ending: Ending = Ending.LOST) -> None:
        """Let a peer's connection end."""
        self.act(self.hub.disconnected(peer, ending, self.now))

    def tick(self, seconds: float = 0.0) -> None:
        """Let time pass."""
        self.now += seconds
        self.registry.tick(self.now)
        self.act(self.hub.tick(self.now))

    def act(self, actions: Iterable[Action]) -> None:
        """Carry out actions."""
        todo = deque(actions)
        while todo:
            match todo.popleft():
                case Send(peer, event):
                    self.heard[peer].append(event)
                case SendCredentials(peer, user, event):
                    self.credentials += 1
                    made = IceServer(("turn:t",), f"{self.credentials}:{user}", "c", self.hub.ice.turn_seconds)
                    self.heard[peer].append(evolve(event, ice_servers=(*event.ice_servers, made)))
                case Close(peer, code):
                    self.closed[peer] = code
                case Decide(_, operation) as decide if isinstance(operation, self.holding):
                    self.held.append(decide)
                case Decide(id, operation):
                    outcome = self.registry.decide(self.without_password(operation))
                    todo.extend(self.hub.decided(id, outcome, self.now))
                case LogCounts(users, sessions):
                    self.counts.append((users, sessions))

    def release(self) -> None:
        """Decide what was held back."""
        self.holding = ()
        held, self.held = self.held, []
        self.act(held)

    def without_password(self, operation: Operation) -> Operation:
        """Do what `signald.passwords` does, with each password as its own hash."""
        match operation:
            case OpenSession(password=str(password)):
                return evolve(operation, settings=evolve(operation.settings, password=password), password=None)
            case JoinSession(password=str(password)):
                session = self.registry.sessions.get(operation.session)
                fits = session is not None and session.settings.password == password
                return evolve(operation, password=None, proof=password if fits else "")
        return operation

    # What most tests begin with

    def welcomed(
        self, traits: Traits | None = None, address: AddressKey = HOME, instance: str | None = None
    ) -> tuple[PeerId, UserId]:
        """Make a peer that has said hello."""
        peer = self.connect(traits, address)
        [welcome] = self.say(peer, Hello(version=1, instance=None if instance is None else Instance(instance)))
        assert isinstance(welcome, Welcome)
        return peer, welcome.user

    def hosting(self, capacity: int = 2, traits: Traits | None = None) -> tuple[PeerId, UserId, SessionId]:
        """Make a peer that has opened a session."""
        peer, user = self.welcomed(traits)
        [opened] = self.say(peer, Open(capacity=capacity))
        assert isinstance(opened, Opened)
        return peer, user, opened.session

    def joining(self, session: SessionId, traits: Traits | None = None) -> tuple[PeerId, UserId]:
        """Make a peer that has joined a session."""
        peer, user = self.welcomed(traits)
        events = self.say(peer, Join(session))
        assert isinstance(events[0], Joined)
        return peer, user

    def pair(
        self, host: Traits | None = None, guest: Traits | None = None
    ) -> tuple[PeerId, UserId, PeerId, UserId, SessionId]:
        """Make a host and a guest in a session of two, with nothing left unheard."""
        host_peer, host_user, session = self.hosting(traits=host)
        guest_peer, guest_user = self.joining(session, guest)
        self.hears(host_peer)
        return host_peer, host_user, guest_peer, guest_user, session

    def state(self) -> tuple[object, ...]:
        """All that a refused message must leave as it is; budgets and counters apart."""
        users = {
            id: (user.peer, frozenset(user.sessions), frozenset(user.visits), tuple(user.outbox.waiting))
            for id, user in self.hub.users.items()
        }
        registered = {id: frozenset(identity.sessions) for id, identity in self.registry.users.items()}
        waiting = {id: tuple(batches) for id, batches in self.hub.replicas.candidates.batches.items()}
        pending = list(self.hub.decisions.pending)
        return dict(self.hub.sessions), users, dict(self.registry.sessions), registered, waiting, pending


class Client:
    """A client that keeps what it needs to come back.

    Attributes:
        world: where it is.
        instance: of its program; None for one that cannot come back.
        peer: its newest connection.
        user: who it is.
        secret: how it shows that.
        received: how many countable messages it has heard.
        survived: what its last resume found.

    """

    def __init__(self, world: World, instance: str | None = "one", address: AddressKey = HOME) -> None:
        self.world = world
        self.instance = None if instance is None else Instance(instance)
        self.peer = world.connect(address=address)
        self.secret: Secret | None = None
        self.received = 0
        self.survived: Survival | None = None
        self.say(Hello(version=1, instance=self.instance))

    def say(self, *requests: Request) -> list[Event]:
        """Say something, and hear all that came by then."""
        for request in requests:
            self.world.act(self.world.hub.received(self.peer, request, self.world.now))
        return self.hears()

    def hears(self) -> list[Event]:
        """What came since the last look."""
        events = self.world.hears(self.peer)
        for event in events:
            if isinstance(event, Welcome):
                self.welcomed(event)
            else:
                self.received += not isinstance(event, UNCOUNTED)
        return events

    def welcomed(self, welcome: Welcome) -> None:
        """Be who the server says."""
        self.user, self.secret, self.survived = welcome.user, welcome.secret, welcome.resumed
        if self.survived is not Survival.EVERYTHING:
            self.received = 0

    def lose(self, ending: Ending = Ending.LOST) -> None:
        """Lose the connection."""
        self.world.disconnect(self.peer, ending)

    def resume(self, instance: str | None = None, secret: Secret | None = None) -> list[Event]:
        """Come back on another connection, and hear what comes after the welcome."""
        self.instance = self.instance if instance is None else Instance(instance)
        known = secret or self.secret
        assert known is not None
        assert self.instance is not None
        self.peer = self.world.connect()
        return self.say(Resume(1, self.user, known, self.instance, Count(self.received)))[1:]

    def open(self, request: Open | None = None) -> SessionId:
        """Open a session."""
        opened = next(event for event in self.say(request or Open(8)) if isinstance(event, Opened))
        return opened.session
