"""Runs the core with simulated connections that lose messages, and with outcomes that arrive late and in any order."""

from __future__ import annotations

import random
from collections.abc import Iterable

from attrs import define, evolve, field

from signald.core.actions import Action, Close, Decide, LogCounts, ReportError, Send, SendCredentials
from signald.core.decisions import JoinSession, OpenSession, Operation, Outcome
from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason, Hub
from signald.core.ice_server import IceServer
from signald.core.ids import IdSource
from signald.core.journal_records import Recorder, rebuild
from signald.core.limits import Limits
from signald.core.messages import Error, Event, Hello, RequestId, Resume, Traits
from signald.core.registry import MemoryRegistry
from signald.core.snapshot import Snapshot, dump, load, restore, take_snapshot
from signald.core.users import DecisionId, PeerId
from tests.support.model.client import Client, Kind, Socket, expect
from tests.support.world import HOME, HOST_SECRET, SERDE, TICKETS

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
"""Limits that are small where tests have to reach a limit, and large where a limit would disconnect correct clients."""


TURN_SECONDS = 20.0
"""The lifetime of TURN credentials: it is shorter than most sessions, so that the server has to renew the credentials.
"""


def random_ids(seed: int) -> IdSource:
    """Return a source of random ids that yields the same ids in each run."""
    return IdSource(random.Random(seed).randbytes)


@define(eq=False)
class System:
    """The hub, the registry, the clients, and the messages in transit between them.

    Attributes:
        seed: the seed of the ids.
        clients: the running clients.
        ghosts: the connections that clients have lost without the hub noticing it.
        outcomes: the outcomes of the registry that have not reached the hub.
        now: monotonic seconds.
        peers: how many connections were opened so far.
        refused: the requests that were rejected; an error that is lost with the connection is not repeated.
        hub: the hub.
        registry: the registry.
        sockets: the open connections, with their clients.

    """

    seed: int
    clients: list[Client] = field(factory=list)
    ghosts: list[tuple[PeerId, DisconnectReason]] = field(factory=list)
    outcomes: list[tuple[DecisionId, Outcome]] = field(factory=list)
    now: float = 1000.0
    peers: int = 0
    refused: set[RequestId] = field(factory=set)
    hub: Hub = field(init=False)
    registry: MemoryRegistry = field(init=False)
    sockets: dict[PeerId, tuple[Client, Socket]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Start the first server process."""
        self._start()

    def _start(self) -> None:
        self.hub = Hub(LIMITS, "model", TICKETS)
        self.hub.ice.reload_servers((), TURN_SECONDS, relay_only=False, now=self.now)
        ids = random_ids(self.seed)
        self.registry = MemoryRegistry(ids, LIMITS, HOST_SECRET, now=self.now)

    # Connections

    def connect(self, client: Client) -> None:
        """Open a connection for a client that is disconnected."""
        self.peers += 1
        socket = Socket(PeerId(self.peers))
        self.sockets[socket.peer] = (client, socket)
        traits = SERDE if client.kind is Kind.SERDE else Traits()
        self.carry_out(self.hub.connected(socket.peer, HOME, traits, self.now))
        client.connect(socket)

    def lose(self, client: Client, chance: random.Random, ending: DisconnectReason = DisconnectReason.LOST) -> None:
        """Cut a client's connection: a random part of the messages in transit still arrives at either side."""
        socket = client.socket
        if socket is None:
            return
        for _ in range(chance.randint(0, len(socket.to_server))):
            self.deliver_request(socket)
        for _ in range(chance.randint(0, len(socket.to_client))):
            if client.socket is socket:
                self.deliver_event(client)
        if client.socket is not socket:
            return
        del self.sockets[socket.peer]
        if ending is DisconnectReason.LEFT:
            self.forget(client)
        client.disconnected()
        if ending is DisconnectReason.RELOADING and client.kind is Kind.RESUMABLE:
            client.reload()
        self.ghosts.append((socket.peer, ending))

    def forget(self, client: Client) -> None:
        """Let a client end its identity."""
        client.lose_identity()

    def notice_disconnect(self, chance: random.Random) -> None:
        """Let the hub notice that a connection is lost."""
        if self.ghosts:
            peer, ending = self.ghosts.pop(chance.randrange(len(self.ghosts)))
            self.carry_out(self.hub.disconnected(peer, ending, self.now))

    # Messages in transit

    def deliver_request(self, socket: Socket) -> None:
        """Deliver the next request of a connection to the hub."""
        if socket.to_server:
            self.carry_out(self.hub.received(socket.peer, socket.to_server.popleft(), self.now))

    def deliver_event(self, client: Client) -> None:
        """Deliver the next event, or the server's close frame, to a client."""
        socket = client.socket
        if socket is None or not socket.to_client:
            return
        event = socket.to_client.popleft()
        if not isinstance(event, ErrorCode):
            client.receive(event)
            return
        expect(event in (ErrorCode.REPLACED, ErrorCode.SECRET_REUSED, ErrorCode.HELLO_TIMEOUT), f"closed: {event}")
        del self.sockets[socket.peer]
        if event is not ErrorCode.HELLO_TIMEOUT:
            client.lose_identity()
        client.disconnected()
        self.carry_out(self.hub.disconnected(socket.peer, DisconnectReason.LOST, self.now))

    def deliver_outcome(self, chance: random.Random) -> None:
        """Deliver a random outcome to the hub."""
        if self.outcomes:
            id, outcome = self.outcomes.pop(chance.randrange(len(self.outcomes)))
            self.carry_out(self.hub.decided(id, outcome, self.now))

    def tick(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds
        self.registry.tick(self.now)
        self.carry_out(self.hub.tick(self.now))

    def use_spent_secret(self, client: Client, chance: random.Random) -> None:
        """Resume with a spent secret of a client, as an attacker with a copy of it would."""
        if not client.spent or not client.user:
            return
        self.peers += 1
        peer = PeerId(self.peers)
        self.carry_out(self.hub.connected(peer, HOME, Traits(), self.now))
        secret = client.spent[-1] if chance.random() < 0.7 else chance.choice(client.spent)
        request = Resume(1, client.user, secret, client.instance, client.received)  # type: ignore[arg-type] # a count
        self.carry_out(self.hub.received(peer, request, self.now))
        self.ghosts.append((peer, DisconnectReason.LEFT))

    def connect_briefly(self) -> None:
        """Open a connection that sends hello twice and is lost."""
        self.peers += 1
        peer = PeerId(self.peers)
        self.carry_out(self.hub.connected(peer, HOME, Traits(), self.now))
        self.carry_out(self.hub.received(peer, Hello(1), self.now))
        self.carry_out(self.hub.received(peer, Hello(1), self.now))
        self.ghosts.append((peer, DisconnectReason.LOST))

    # Quiescence

    def settle(self, chance: random.Random) -> None:
        """Deliver all messages that are in transit."""
        while self.outcomes or self.ghosts or any(c.socket and _is_busy(c.socket) for c in self.clients):
            self.deliver_outcome(chance)
            self.notice_disconnect(chance)
            for client in self.clients:
                if client.socket is not None:
                    self.deliver_request(client.socket)
                self.deliver_event(client)

    def restart(self, chance: random.Random) -> None:
        """Take a snapshot, lose every connection, and restore the snapshot in a new server process."""
        while self.outcomes:
            self.deliver_outcome(chance)
        self._start_again(load(dump(take_snapshot(self.hub, self.registry, self.now))), chance)

    def crash(self, chance: random.Random) -> None:
        """Lose every connection, and restore in a new server process what the journal of the old one contains."""
        while self.outcomes:
            self.deliver_outcome(chance)
        recorder = Recorder(self.hub, self.registry)
        records = [recorder.of_key(key, self.now, 0.0) for key in recorder.subjects()]
        self._start_again(rebuild({record.key: record.body for record in records}).snapshot, chance)

    def _start_again(self, snapshot: Snapshot, chance: random.Random) -> None:
        for client in self.clients:
            socket = client.socket
            if socket is None:
                continue
            for _ in range(chance.randint(0, len(socket.to_client))):
                if client.socket is socket:
                    self._receive_last(client)
            if client.socket is socket:
                client.disconnected()
        self.sockets.clear()
        self.ghosts.clear()
        self.seed += 1
        self.now = self.now / 2
        self._start()
        self.carry_out(restore(snapshot, self.hub, self.registry, self.now))

    def _receive_last(self, client: Client) -> None:
        """Deliver an event that the server process sent before it ended; a close frame ends the connection."""
        assert client.socket is not None
        event = client.socket.to_client.popleft()
        if isinstance(event, ErrorCode):
            client.lose_identity()
            client.disconnected()
        else:
            client.receive(event)

    # Actions

    def _send(self, peer: PeerId, event: Event) -> None:
        found = self.sockets.get(peer)
        if found is not None and not found[1].closing:
            found[1].to_client.append(event)

    def carry_out(self, actions: Iterable[Action]) -> None:
        """Carry out actions: events and outcomes are in transit until a test step delivers them."""
        for action in actions:
            match action:
                case SendCredentials(peer, user, event):
                    server = IceServer(("turn:model",), user, "made", TURN_SECONDS)
                    self._send(peer, evolve(event, ice_servers=(*event.ice_servers, server)))
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
                    self.outcomes.append((id, self.registry.decide(_without_password(operation))))
                case ReportError(_, error):
                    raise error
                case LogCounts():
                    pass


def _is_busy(socket: Socket) -> bool:
    return bool(socket.to_server or socket.to_client)


def _without_password(operation: Operation) -> Operation:
    """Check and hash passwords as `signald.auth.passwords` does, with hashes that are not secret."""
    if isinstance(operation, OpenSession) and operation.password is not None:
        settings = evolve(operation.settings, password=f"#{operation.password}")
        return evolve(operation, settings=settings, password=None)
    if isinstance(operation, JoinSession) and operation.password is not None:
        return evolve(operation, password=None, proof=f"#{operation.password}")
    return operation
