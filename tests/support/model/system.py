"""The core with its surroundings: sockets that lose what is under way, outcomes that come late and in any order."""

from __future__ import annotations

import random
from collections.abc import Iterable

from attrs import define, evolve, field

from signald.core.actions import Action, Close, Decide, LogCounts, Send, SendCredentials
from signald.core.decisions import JoinSession, OpenSession, Operation, Outcome
from signald.core.errors import ErrorCode
from signald.core.hub import Ending, Hub
from signald.core.ids import IdSource
from signald.core.limits import Limits
from signald.core.messages import Error, Event, Hello, IceServer, RequestId, Resume, Traits
from signald.core.registry import MemoryRegistry
from signald.core.snapshot import dump, export, load, restore
from signald.core.users import DecisionId, PeerId
from tests.support.model.client import Client, Kind, Socket, expect
from tests.support.world import HOME, HOST_SECRET, SERDE

LIMITS = Limits(
    message_rate=1e9,
    message_burst=10**9,
    failed_guesses=10**9,
    session_members=4,
    user_sessions=3,
    session_knocks=2,
    session_idle_seconds=90.0,
    session_life_seconds=400.0,
    kept_seconds=200.0,
    kept_sessions=3,
    outbox_messages=16,
    waiting_messages=1000,
)
"""Small where that makes something happen, and large where it would end connections that do nothing wrong."""


TURN_SECONDS = 20.0
"""For which TURN credentials are good: shorter than most sessions."""


def made_ids(seed: int) -> IdSource:
    """Random ids that are the same in each run."""
    return IdSource(random.Random(seed).randbytes)


@define(eq=False)
class System:
    """Hub, registry, clients, and all that is under way between them.

    Attributes:
        seed: of the ids.
        clients: those that are started.
        ghosts: connections that their clients have lost and the hub does not know to be lost.
        outcomes: what the registry has decided and the hub has not heard.
        now: monotonic seconds.
        peers: how many connections there were ever.
        refused: the requests that were refused; a refusal that is lost with the connection is not repeated.

    """

    seed: int
    clients: list[Client] = field(factory=list)
    ghosts: list[tuple[PeerId, Ending]] = field(factory=list)
    outcomes: list[tuple[DecisionId, Outcome]] = field(factory=list)
    now: float = 1000.0
    peers: int = 0
    refused: set[RequestId] = field(factory=set)
    hub: Hub = field(init=False)
    registry: MemoryRegistry = field(init=False)
    sockets: dict[PeerId, tuple[Client, Socket]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Begin empty."""
        self._start()

    def _start(self) -> None:
        self.hub = Hub(LIMITS, "model")
        self.hub.ice.configure((), TURN_SECONDS, relay_only=False, now=self.now)
        ids = made_ids(self.seed)
        self.registry = MemoryRegistry(ids, LIMITS, HOST_SECRET, now=self.now)

    # Connections

    def connect(self, client: Client) -> None:
        """Open a connection for a client that has none."""
        self.peers += 1
        socket = Socket(PeerId(self.peers))
        self.sockets[socket.peer] = (client, socket)
        traits = SERDE if client.kind is Kind.SERDE else Traits()
        self.act(self.hub.connected(socket.peer, HOME, traits, self.now))
        client.connect(socket)

    def lose(self, client: Client, chance: random.Random, ending: Ending = Ending.LOST) -> None:
        """Cut a client's connection: some of what is under way arrives on either side, and the rest never."""
        socket = client.socket
        if socket is None:
            return
        for _ in range(chance.randint(0, len(socket.to_server))):
            self.serve(socket)
        for _ in range(chance.randint(0, len(socket.to_client))):
            if client.socket is socket:
                self.tell(client)
        if client.socket is not socket:
            return
        del self.sockets[socket.peer]
        if ending is Ending.LEFT:
            self.forget(client)
        client.disconnected()
        if ending is Ending.RELOADING and client.kind is Kind.RESUMABLE:
            client.reload()
        self.ghosts.append((socket.peer, ending))

    def forget(self, client: Client) -> None:
        """A client ends its identity."""
        client.forget()

    def notice(self, chance: random.Random) -> None:
        """The hub finds out that a connection is lost."""
        if self.ghosts:
            peer, ending = self.ghosts.pop(chance.randrange(len(self.ghosts)))
            self.act(self.hub.disconnected(peer, ending, self.now))

    # What is under way

    def serve(self, socket: Socket) -> None:
        """One request arrives."""
        if socket.to_server:
            self.act(self.hub.received(socket.peer, socket.to_server.popleft(), self.now))

    def tell(self, client: Client) -> None:
        """One event arrives, or the server's close."""
        socket = client.socket
        if socket is None or not socket.to_client:
            return
        event = socket.to_client.popleft()
        if not isinstance(event, ErrorCode):
            client.hear(event)
            return
        expect(event in (ErrorCode.REPLACED, ErrorCode.SECRET_REUSED, ErrorCode.HELLO_TIMEOUT), f"closed: {event}")
        del self.sockets[socket.peer]
        if event is not ErrorCode.HELLO_TIMEOUT:
            client.forget()
        client.disconnected()
        self.act(self.hub.disconnected(socket.peer, Ending.LOST, self.now))

    def answer(self, chance: random.Random) -> None:
        """One outcome arrives, any of those under way."""
        if self.outcomes:
            id, outcome = self.outcomes.pop(chance.randrange(len(self.outcomes)))
            self.act(self.hub.decided(id, outcome, self.now))

    def tick(self, seconds: float) -> None:
        """Time goes by."""
        self.now += seconds
        self.registry.tick(self.now)
        self.act(self.hub.tick(self.now))

    def steal(self, client: Client, chance: random.Random) -> None:
        """Somebody tries an old secret of a client, and goes."""
        if not client.spent or not client.user:
            return
        self.peers += 1
        peer = PeerId(self.peers)
        self.act(self.hub.connected(peer, HOME, Traits(), self.now))
        secret = client.spent[-1] if chance.random() < 0.7 else chance.choice(client.spent)
        request = Resume(1, client.user, secret, client.instance, client.received)  # type: ignore[arg-type] # a count
        self.act(self.hub.received(peer, request, self.now))
        self.ghosts.append((peer, Ending.LEFT))

    def knock_early(self) -> None:
        """A connection that only says hello, twice, and goes."""
        self.peers += 1
        peer = PeerId(self.peers)
        self.act(self.hub.connected(peer, HOME, Traits(), self.now))
        self.act(self.hub.received(peer, Hello(1), self.now))
        self.act(self.hub.received(peer, Hello(1), self.now))
        self.ghosts.append((peer, Ending.LOST))

    # Rest

    def settle(self, chance: random.Random) -> None:
        """Let everything that is under way arrive."""
        while self.outcomes or self.ghosts or any(c.socket and _is_busy(c.socket) for c in self.clients):
            self.answer(chance)
            self.notice(chance)
            for client in self.clients:
                if client.socket is not None:
                    self.serve(client.socket)
                self.tell(client)

    def restart(self, chance: random.Random) -> None:
        """Take a snapshot, lose every connection, and go on with the snapshot in another process."""
        while self.outcomes:
            self.answer(chance)
        snapshot = load(dump(export(self.hub, self.registry, self.now)))
        for client in self.clients:
            socket = client.socket
            if socket is None:
                continue
            for _ in range(chance.randint(0, len(socket.to_client))):
                if client.socket is socket:
                    self._hear_last(client)
            if client.socket is socket:
                client.disconnected()
        self.sockets.clear()
        self.ghosts.clear()
        self.seed += 1
        self.now = self.now / 2
        self._start()
        self.act(restore(snapshot, self.hub, self.registry, self.now))

    def _hear_last(self, client: Client) -> None:
        """Hear what a process that is over has sent before; a close ends the connection."""
        assert client.socket is not None
        event = client.socket.to_client.popleft()
        if isinstance(event, ErrorCode):
            client.forget()
            client.disconnected()
        else:
            client.hear(event)

    # Actions

    def _send(self, peer: PeerId, event: Event) -> None:
        found = self.sockets.get(peer)
        if found is not None and not found[1].closing:
            found[1].to_client.append(event)

    def act(self, actions: Iterable[Action]) -> None:
        """Carry actions out: what is sent is under way, and what is decided is heard later."""
        for action in actions:
            match action:
                case SendCredentials(peer, user, event):
                    made = IceServer(("turn:model",), user, "made", TURN_SECONDS)
                    self._send(peer, evolve(event, ice_servers=(*event.ice_servers, made)))
                case Send(peer, event):
                    if isinstance(event, Error) and event.id is not None:
                        self.refused.add(event.id)
                    self._send(peer, event)
                case Close(peer, code):
                    found = self.sockets.get(peer)
                    if found is not None:
                        found[1].closing = True
                        found[1].to_client.append(code)
                case Decide(id, operation):
                    self.outcomes.append((id, self.registry.decide(_checked(operation))))
                case LogCounts():
                    pass


def _is_busy(socket: Socket) -> bool:
    return bool(socket.to_server or socket.to_client)


def _checked(operation: Operation) -> Operation:
    """Do what `signald.passwords` does, with hashes that are no secret."""
    if isinstance(operation, OpenSession) and operation.password is not None:
        settings = evolve(operation.settings, password=f"#{operation.password}")
        return evolve(operation, settings=settings, password=None)
    if isinstance(operation, JoinSession) and operation.password is not None:
        return evolve(operation, password=None, proof=f"#{operation.password}")
    return operation
