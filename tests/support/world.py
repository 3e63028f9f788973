"""A hub and a registry without I/O, with peers that exchange message objects with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from attrs import evolve

from signald.core.actions import Action, Close, Decide, LogCounts, ReportError, Send, SendCredentials
from signald.core.decisions import JoinSession, OpenSession, Operation
from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason, Hub
from signald.core.ice_server import IceServer
from signald.core.ids import IdSource
from signald.core.limits import AddressKey, Limits
from signald.core.members import Person
from signald.core.messages import (
    UNCOUNTED,
    Count,
    Event,
    Hello,
    Instance,
    Join,
    Joined,
    Open,
    Opened,
    Request,
    Resume,
    Role,
    Secret,
    SessionId,
    Survival,
    Traits,
    UserId,
    Welcome,
)
from signald.core.registry import MemoryRegistry
from signald.core.rejoin_tickets import TicketSource
from signald.core.sessions import Session
from signald.core.users import PeerId
from signald.dialects.serde import Serde

HOST_SECRET = b"host" * 8

WALL = 1_800_000_000.0
"""The wall time, seconds since the epoch."""

TICKETS = TicketSource(HOST_SECRET, lambda: WALL)

HOME = AddressKey("192.0.2.1")

SERDE = Serde.traits


def counting_bytes() -> IdSource:
    """Return a source of ids that count from 1, so that tests are repeatable."""
    last = 0

    def next_bytes(count: int) -> bytes:
        nonlocal last
        last += 1
        return last.to_bytes(count, "big")

    return IdSource(next_bytes)


def with_guest(session: Session, user: UserId, traits: Traits | None = None) -> Session:
    """Return the session after a user has joined it."""
    return session.with_arrival(Person(user, traits or Traits()), request=None, proof=None, most_visitors=2)


class World:
    """Connects peers to a hub and a registry whose decisions are carried out at once.

    Attributes:
        now: monotonic seconds; tests may change it.
        wall: seconds since the epoch; tests may change it.
        tickets: issues and verifies rejoin tickets.
        hub: the hub.
        registry: the registry.
        unread: the events that each peer was sent and the test has not read yet.
        closed: the error with which each peer was closed.
        counts: the logged numbers of users and sessions.
        credentials: how many TURN credentials were created.
        deferred_operations: the classes of operations whose decisions are deferred.
        deferred: the deferred decisions, until `decide_deferred`.

    """

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self.now = 1000.0
        self.wall = WALL
        self.tickets = TicketSource(HOST_SECRET, lambda: self.wall)
        self.hub = Hub(limits, "signald/test", self.tickets)
        self.registry = MemoryRegistry(counting_bytes(), limits, HOST_SECRET, now=self.now)
        self.unread: dict[PeerId, list[Event]] = {}
        self.closed: dict[PeerId, ErrorCode] = {}
        self.counts: list[tuple[int, int]] = []
        self.credentials = 0
        self.deferred_operations: tuple[type[Operation], ...] = ()
        self.deferred: list[Decide] = []

    def connect(self, traits: Traits | None = None, address: AddressKey = HOME, *, slow_start: bool = False) -> PeerId:
        """Open a connection."""
        peer = PeerId(len(self.unread) + 1)
        self.unread[peer] = []
        self.carry_out(self.hub.connected(peer, address, traits or Traits(), self.now, slow_start=slow_start))
        return peer

    def send(self, peer: PeerId, *requests: Request) -> list[Event]:
        """Let a peer send requests, and return its unread events."""
        for request in requests:
            self.carry_out(self.hub.received(peer, request, self.now))
        return self.receive(peer)

    def receive(self, peer: PeerId) -> list[Event]:
        """Return and remove a peer's unread events."""
        events, self.unread[peer] = self.unread[peer], []
        return events

    def disconnect(self, peer: PeerId, ending: DisconnectReason = DisconnectReason.LOST) -> None:
        """End a peer's connection."""
        self.carry_out(self.hub.disconnected(peer, ending, self.now))

    def tick(self, seconds: float = 0.0) -> None:
        """Advance the clock."""
        self.now += seconds
        self.registry.tick(self.now)
        self.carry_out(self.hub.tick(self.now))

    def carry_out(self, actions: Iterable[Action]) -> None:
        """Carry out actions, and the further actions that the outcomes of these actions cause."""
        todo = deque(actions)
        while todo:
            match todo.popleft():
                case Send(peer, event):
                    self.unread[peer].append(event)
                case SendCredentials(peer, user, event):
                    self.credentials += 1
                    server = IceServer(("turn:t",), f"{self.credentials}:{user}", "c", self.hub.ice.turn_seconds)
                    self.unread[peer].append(evolve(event, ice_servers=(*event.ice_servers, server)))
                case Close(peer, code):
                    self.closed[peer] = code
                case Decide(_, operation) as decide if isinstance(operation, self.deferred_operations):
                    self.deferred.append(decide)
                case Decide(id, operation):
                    outcome = self.registry.decide(self.without_password(operation))
                    todo.extend(self.hub.decided(id, outcome, self.now))
                case ReportError(_, error):
                    raise error
                case LogCounts(users, sessions):
                    self.counts.append((users, sessions))

    def decide_deferred(self) -> None:
        """Carry out the deferred decisions."""
        self.deferred_operations = ()
        held, self.deferred = self.deferred, []
        self.carry_out(held)

    def without_password(self, operation: Operation) -> Operation:
        """Check and hash passwords as `signald.auth.passwords` does, with each password as its own hash."""
        match operation:
            case OpenSession(password=str(password)):
                return evolve(operation, settings=evolve(operation.settings, password=password), password=None)
            case JoinSession(password=str(password)):
                session = self.registry.sessions.get(operation.session)
                fits = session is not None and session.settings.password == password
                return evolve(operation, password=None, proof=password if fits else "")
        return operation

    # Common starting points of tests

    def welcome_peer(
        self, traits: Traits | None = None, address: AddressKey = HOME, instance: str | None = None
    ) -> tuple[PeerId, UserId]:
        """Connect a peer, send `hello`, and read the welcome."""
        peer = self.connect(traits, address)
        [welcome] = self.send(peer, Hello(version=1, instance=None if instance is None else Instance(instance)))
        assert isinstance(welcome, Welcome)
        return peer, welcome.user

    def open_session(self, capacity: int = 2, traits: Traits | None = None) -> tuple[PeerId, UserId, SessionId]:
        """Connect a peer that sends `hello` and opens a session."""
        peer, user = self.welcome_peer(traits)
        [opened] = self.send(peer, Open(capacity=capacity))
        assert isinstance(opened, Opened)
        return peer, user, opened.session

    def join_session(self, session: SessionId, traits: Traits | None = None) -> tuple[PeerId, UserId]:
        """Connect a peer that sends `hello` and joins a session."""
        peer, user = self.welcome_peer(traits)
        events = self.send(peer, Join(session))
        assert isinstance(events[0], Joined)
        return peer, user

    def pair(
        self, host: Traits | None = None, guest: Traits | None = None
    ) -> tuple[PeerId, UserId, PeerId, UserId, SessionId]:
        """Create a host and a guest in a session of two members, with all events read."""
        host_peer, host_user, session = self.open_session(traits=host)
        guest_peer, guest_user = self.join_session(session, guest)
        self.receive(host_peer)
        return host_peer, host_user, guest_peer, guest_user, session

    def ticket(self, session: SessionId, user: UserId, role: Role = Role.GUEST) -> str:
        """Return the rejoin ticket that a member gets now."""
        return self.tickets.issue(session, user, role, self.hub.limits.session_life_seconds)

    def state(self) -> tuple[object, ...]:
        """Return the state that a rejected request must not change: everything except budgets and counters."""
        users = {
            id: (user.peer, frozenset(user.sessions), frozenset(user.waiting_at), tuple(user.outbox.unacknowledged))
            for id, user in self.hub.users.items()
        }
        registered = {id: frozenset(identity.sessions) for id, identity in self.registry.users.items()}
        waiting = {id: tuple(batches) for id, batches in self.hub.forwarder.early_candidates.batches.items()}
        pending = list(self.hub.decisions.by_id)
        return dict(self.hub.sessions), users, dict(self.registry.sessions), registered, waiting, pending


class Client:
    """A client that stores what it needs for a resume.

    Attributes:
        world: the world to which the client is connected.
        instance: the id of the client's run; None for a client that cannot resume.
        peer: the peer id of the client's newest connection.
        user: the client's user id.
        secret: the client's newest resume secret.
        received: how many counted events the client has received.
        survival: the result of the client's last resume.

    """

    def __init__(
        self, world: World, instance: str | None = "one", address: AddressKey = HOME, *, slow_start: bool = False
    ) -> None:
        self.world = world
        self.instance = None if instance is None else Instance(instance)
        self.peer = world.connect(address=address, slow_start=slow_start)
        self.secret: Secret | None = None
        self.received = 0
        self.survival: Survival | None = None
        self.send(Hello(version=1, instance=self.instance))

    def send(self, *requests: Request) -> list[Event]:
        """Send requests, and return the unread events."""
        for request in requests:
            self.world.carry_out(self.world.hub.received(self.peer, request, self.world.now))
        return self.receive()

    def receive(self) -> list[Event]:
        """Return the unread events, and count them."""
        events = self.world.receive(self.peer)
        for event in events:
            if isinstance(event, Welcome):
                self.follow_welcome(event)
            else:
                self.received += not isinstance(event, UNCOUNTED)
        return events

    def follow_welcome(self, welcome: Welcome) -> None:
        """Store the identity and the resume secret of a `welcome`."""
        self.user, self.secret, self.survival = welcome.user, welcome.secret, welcome.resumed
        if self.survival is not Survival.EVERYTHING:
            self.received = 0

    def lose(self, ending: DisconnectReason = DisconnectReason.LOST) -> None:
        """Lose the connection."""
        self.world.disconnect(self.peer, ending)

    def resume(
        self,
        instance: str | None = None,
        secret: Secret | None = None,
        connected: tuple[UserId, ...] = (),
        *,
        slow_start: bool = False,
    ) -> list[Event]:
        """Resume on a new connection, and return the events after the `welcome`."""
        self.instance = self.instance if instance is None else Instance(instance)
        known = secret or self.secret
        assert known is not None
        assert self.instance is not None
        self.peer = self.world.connect(slow_start=slow_start)
        request = Resume(1, self.user, known, self.instance, Count(self.received), connected=connected)
        return self.send(request)[1:]

    def open(self, request: Open | None = None) -> SessionId:
        """Open a session."""
        opened = next(event for event in self.send(request or Open(8)) if isinstance(event, Opened))
        return opened.session
