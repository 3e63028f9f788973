"""A stateful property test (hypothesis): clients do anything at any time, messages are lost, and the invariants hold.

Drawing an example costs hypothesis far more than a step costs the core. Each rule therefore draws a seed and takes
`BATCH` steps with it; the steps are what is counted. `TEST_MODEL_STEPS` sets the length of a longer run, `make
soak-model`, which starts with a random seed.
"""

from __future__ import annotations

import os
import random
import sys
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from signald.core.hub import DisconnectReason
from signald.core.ids import host_key
from signald.core.messages import (
    Admit,
    AppMessage,
    Candidate,
    Candidates,
    Change,
    End,
    HandOver,
    IceError,
    Join,
    Leave,
    Negotiation,
    Offer,
    Open,
    Refuse,
    Remove,
    Request,
    Role,
    Secret,
    SessionId,
    Source,
    UserId,
)
from signald.core.users import UserState
from tests.support.model.client import Client, Kind, Sent, expect
from tests.support.model.system import LIMITS, System
from tests.support.world import HOST_SECRET

STEPS = int(os.environ.get("TEST_MODEL_STEPS", "200000"))
"""The total number of steps."""

SOAK = "TEST_MODEL_STEPS" in os.environ

BATCH = 25
RULES = 40
"""The number of steps of one rule, and the number of rules of one example."""

PROGRESS = 100_000
"""The number of steps between two progress lines of a long run."""

CLIENTS = 7
LONG = 1000.0
"""Seconds after which no state of any client may exist."""


class Model(RuleBasedStateMachine):
    """The state machine whose rules are run.

    Attributes:
        taken: the number of steps of all examples so far.

    """

    taken: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.system = System(seed=1)
        self.chance = random.Random(1)
        self.keys: dict[SessionId, Secret] = {}
        self.known: list[SessionId] = [SessionId("ZZZZZZZZZZ")]
        self.sent: dict[tuple[int, int, int], Sent] = {}
        self.numbers: dict[tuple[int, int], int] = {}
        for number in range(CLIENTS):
            kind = Kind.SERDE if number == 0 else Kind.PLAIN if number == 1 else Kind.RESUMABLE
            self.system.clients.append(Client(number, kind))

    # Rules

    @rule(seed=st.integers(0, 2**32 - 1))
    def anything(self, seed: int) -> None:
        """Take steps, each of which lets a client, the network or the registry do something."""
        self.chance.seed(seed)
        for _ in range(BATCH):
            self.step()

    @rule(seed=st.integers(0, 2**32 - 1))
    def storm(self, seed: int) -> None:
        """All clients lose their connections at once, and reconnect."""
        self.chance.seed(seed)
        for client in self.system.clients:
            self.system.lose(client, self.chance)
        for client in self.system.clients:
            self.system.connect(client)
        self.count(2 * CLIENTS)

    @rule(seed=st.integers(0, 2**32 - 1))
    def restart(self, seed: int) -> None:
        """The server restarts in another process from a snapshot."""
        self.chance.seed(seed)
        self.system.restart(self.chance)
        self.count(1)

    @rule(seed=st.integers(0, 2**32 - 1))
    def crash(self, seed: int) -> None:
        """The server is killed, and the next process starts with the journal."""
        self.chance.seed(seed)
        self.system.crash(self.chance)
        self.count(1)

    @rule(seed=st.integers(0, 2**32 - 1))
    def peace(self, seed: int) -> None:
        """Deliver all messages; then all clients and the server have the same state."""
        self.chance.seed(seed)
        self.settle()
        self.count(1)

    @precondition(lambda self: self.system.clients)
    @rule(seed=st.integers(0, 2**32 - 1), seconds=st.sampled_from([5.5, 29.0, 31.0, 95.0, 410.0]))
    def pause(self, seed: int, seconds: float) -> None:
        """Advance the clock while nothing else happens."""
        self.chance.seed(seed)
        self.system.tick(seconds)
        self.count(1)

    def count(self, steps: int) -> None:
        """Count steps; a long run prints its progress."""
        before = self.taken // PROGRESS
        type(self).taken += steps
        if SOAK and self.taken // PROGRESS > before:
            sys.stderr.write(f"{self.taken} of {STEPS} steps\n")

    # One step

    def step(self) -> None:
        """Do one random thing."""
        self.count(1)
        chance, system = self.chance, self.system
        client = chance.choice(system.clients)
        draw = chance.random()
        if client.socket is None:
            if draw < 0.5:
                system.connect(client)
            else:
                self.surroundings()
        elif draw < 0.30:
            self.send_request(client)
        elif draw < 0.50:
            for _ in range(chance.randint(1, 3)):
                system.deliver_request(client.socket)
        elif draw < 0.75:
            for _ in range(chance.randint(1, 4)):
                system.deliver_event(client)
            if chance.random() < 0.5:
                client.acknowledge()
        elif draw < 0.765:
            ending = chance.choice(
                [
                    DisconnectReason.LOST,
                    DisconnectReason.LOST,
                    DisconnectReason.LOST,
                    DisconnectReason.RELOADING,
                    DisconnectReason.LEFT,
                ]
            )
            system.lose(client, chance, ending)
        elif draw < 0.77 and client.kind is Kind.RESUMABLE and client.secret is not None:
            # Another tab resumes the same identity, while the server still has the first tab's connection.
            system.ghosts.append((client.socket.peer, DisconnectReason.LOST))
            del system.sockets[client.socket.peer]
            client.disconnected()
            client.reload()
            system.connect(client)
        else:
            self.surroundings()

    def surroundings(self) -> None:
        """Let the network, the registry or the clock do something."""
        draw = self.chance.random()
        if draw < 0.85:
            self.system.deliver_outcome(self.chance)
        elif draw < 0.95:
            self.system.notice_disconnect(self.chance)
        elif draw < 0.98:
            self.system.tick(self.chance.choice([0.1, 1.0, 5.0]))
        elif draw < 0.99:
            self.system.use_spent_secret(self.chance.choice(self.system.clients), self.chance)
        else:
            self.system.connect_briefly()

    def send_request(self, client: Client) -> None:
        """Let a client send a request, valid or not."""
        if client.welcomed or (client.kind is Kind.RESUMABLE and client.user):
            draw = self.chance.random()
            if client.rooms and draw < 0.5:
                self.tell_member(client)
            elif len(client.awaited) < 20:
                client.send_request(self.request(client))

    def tell_member(self, client: Client) -> None:
        """Send a numbered message to another member."""
        session, room = self.chance.choice(sorted(client.rooms.items(), key=lambda item: item[0]))
        if not room.members:
            return
        user = self.chance.choice(sorted(room.members))
        other = next((other for other in self.system.clients if other.user == user), None)
        if other is None or client.kind is Kind.SERDE:
            return
        pair = (client.number, other.number)
        number = self.numbers[pair] = self.numbers.get(pair, 0) + 1
        request = client.send_request(AppMessage(session, f"{pair[0]}:{pair[1]}:{number}", user))
        self.sent[(*pair, number)] = Sent(request, client, other, (client.losses, other.losses))

    def request(self, client: Client) -> Request:
        """Create a request, mostly one that can succeed."""
        if client.kind is Kind.SERDE:
            return self.chance.choice(self.as_the_original(client))
        if self.chance.random() < 0.1:
            return self.chance.choice([*self.at_the_door(client), *self.inside(client)])
        if client.rooms and self.chance.random() < 0.8:
            return self.chance.choice(self.inside(client))
        return self.chance.choice(self.at_the_door(client))

    def session(self, client: Client) -> SessionId:
        """Choose a session id, mostly of an existing session."""
        there = list(self.system.registry.sessions)
        return self.chance.choice([*there, *there, *client.rooms, *client.waiting_at, *self.known[-2:]])

    def as_the_original(self, client: Client) -> list[Request]:
        """Return the requests that a client of the original protocol can send."""
        session = self.session(client)
        mine = next(iter(client.rooms), session)
        negotiation = Negotiation(client.user, 1)
        source = Source("serde", "c", translated=self.chance.random() < 0.5)
        batch = (Candidate("c"),) if source.translated else ()
        return [
            Open(),
            Join(session),
            Leave(session),
            Offer(mine, None, negotiation, ""),
            Candidates(mine, None, None, batch, source=source),
            IceError(mine, None, ""),
        ]

    def at_the_door(self, client: Client) -> list[Request]:
        """Return requests with which a client opens or joins a session."""
        choose, session = self.chance.choice, self.session(client)

        def flag() -> bool:
            return self.chance.random() < 0.3

        opened = Open(
            capacity=choose([2, 3, 4]),
            password=choose([None, None, None, "p"]),
            lobby=flag(),
            succession=flag(),
            keep=flag(),
        )
        again = Open(4, lobby=flag(), keep=True, session=session, host_key=self.keys.get(session))
        join = Join(session, password=choose([None, "p", "p", "q"]))
        requests: list[Request] = [opened, opened if again.host_key is None else again, join, join, join, join]
        if client.tickets and client.kind is Kind.RESUMABLE:
            # Also tickets for sessions that are over, that the client has left, and of others.
            session = choose(sorted(client.tickets))
            ticket = choose(self.system.clients).tickets.get(session, client.tickets[session])
            connected = tuple(other.user for other in self.system.clients if other.user)[:2]
            requests += [
                Open(4, lobby=flag(), keep=flag(), session=session, ticket=ticket, connected=connected),
                Join(session, password=choose([None, "p"]), ticket=choose([ticket, ticket, ticket, "x"])),
            ]
        return requests

    def inside(self, client: Client) -> list[Request]:
        """Return requests of members."""
        choose = self.chance.choice
        session = choose([*client.rooms, *client.rooms, *client.waiting_at, self.session(client)])
        room = client.rooms.get(session)
        users = [*(room.members if room is not None else ()), *client.knocks.get(session, ())]
        user = choose([*users, *users, *users, UserId("Z" * 26)])
        negotiation = Negotiation(client.user or user, choose([1, 4097]))
        leave: list[Request] = [Leave(session), End(session)]
        move: list[Request] = [Remove(session, user), HandOver(session, user)]
        return [
            choose(leave),
            Change(session, locked=choose([None, True, False]), lobby=choose([None, True, False])),
            Admit(session, user),
            Admit(session, user),
            Refuse(session, user),
            choose(move),
            Offer(session, user, negotiation, "sdp"),
            Candidates(session, user, negotiation, (Candidate("c"),)),
            IceError(session, user, "text"),
        ]

    # Invariants that hold after each step

    @invariant()
    def memory_is_bounded(self) -> None:
        """Check the bounds of each user's outbox, and the sum in the quotas."""
        users = self.system.hub.users.values()
        expect(
            self.system.hub.mailboxes.quota.used == sum(user.outbox.size for user in users), "the room is not its sum"
        )
        for user in users:
            expect(len(user.outbox.unacknowledged) <= 2 * LIMITS.outbox_messages, "an outbox is too large")
            expect(
                user.outbox.size == sum(bytes for _, bytes in user.outbox.unacknowledged), "an outbox is not its sum"
            )
        away = {user.id for user in users if user.state is UserState.AWAY}
        expect(set(self.system.hub.mailboxes.away.users) == away, "the users that are away are not those known as such")
        alive = len(self.system.hub.peers) + 2 * len(self.system.hub.users) + 2 * len(self.system.hub.sessions)
        expect(len(self.system.hub.deadlines.heap) <= 10_000 + alive, "the deadlines grow")

    @invariant()
    def sessions_are_learned(self) -> None:
        """Remember sessions and host keys, as people share them."""
        for session in self.system.registry.sessions.values():
            if session.id not in self.known:
                self.known.append(session.id)
            if session.settings.keep and session.id not in self.keys:
                self.keys[session.id] = host_key(HOST_SECRET, session.id)

    def settle(self) -> None:
        """Let all clients reconnect and all messages arrive, and compare the clients' states."""
        system = self.system
        for _ in range(4):
            for client in system.clients:
                if client.socket is None:
                    system.connect(client)
            system.settle(self.chance)
            system.tick(0.0)
            system.settle(self.chance)
        for client in system.clients:
            self.compare(client)
        self.nothing_is_missing()
        self.registry_agrees()

    def compare(self, client: Client) -> None:
        """Assert that the client's state equals the registry's."""
        registry = self.system.registry
        expect(client.socket is not None and client.welcomed, f"client {client.number} cannot come back")
        due = self.system.hub.users[client.user].credentials_due
        expect(not client.rooms or client.turn_user == client.user, f"client {client.number} has no credentials")
        expect(not client.rooms or (due is not None and due > self.system.now), "credentials are not told anew")
        for id, room in client.rooms.items():
            session = registry.sessions.get(id)
            member = None if session is None else session.member(client.user)
            if session is None or member is None:
                raise AssertionError(f"client {client.number} believes that it is a member")
            if client.kind is not Kind.SERDE:
                expect(room.role is member.role, f"client {client.number} does not know its role")
                others = {other.user: (other.role, other.person.away) for other in session.others(client.user)}
                believed = {view.user: (view.role, view.away) for view in room.members.values()}
                expect(believed == others, f"client {client.number} believes {believed}, and the others are {others}")
            if member.role is Role.HOST and session.state.value == "open":
                waiting = {visitor.user for visitor in session.visitors}
                expect(client.knocks.get(id, set()) == waiting, "the host does not know who knocks")
        identity = registry.users[client.user]
        believed_in = set(client.rooms) | client.waiting_at
        expect(
            identity.sessions == believed_in,
            f"client {client.number} is in {identity.sessions}, believes {believed_in}",
        )
        unanswered = [request for id, request in client.awaited.items() if id not in client.doubtful]
        expect(not unanswered, f"requests of {client.number} without a reply: {unanswered}")
        client.awaited.clear()
        client.doubtful.clear()
        expect(len(client.unacknowledged) < LIMITS.ack_messages, "nothing is acknowledged")

    def nothing_is_missing(self) -> None:
        """Assert that each message has arrived, or that one of the two clients knows that it may be lost."""
        for (sender, _, number), sent in list(self.sent.items()):
            arrived = sent.receiver.last_numbers.get(sender, 0) >= number
            refused = sent.request in self.system.refused
            lost = sent.losses != (sent.sender.losses, sent.receiver.losses)
            expect(arrived or refused or lost, f"message {number} of {sender} is lost in silence")
        self.sent.clear()

    def registry_agrees(self) -> None:
        """Assert that the hub and the registry have the same state if no decision is pending."""
        hub, registry = self.system.hub, self.system.registry
        expect(not hub.decisions.by_id, "a decision was never taken")
        expect(hub.users.keys() == registry.users.keys(), "hub and registry know other users")
        for id, user in hub.users.items():
            expect(registry.users[id].sessions == user.sessions | user.waiting_at, "a membership that only one knows")
        for session in hub.sessions.values():
            expect(registry.sessions.get(session.id) == session, "an old copy of a session")

    def teardown(self) -> None:
        """Let all clients leave, and assert that no state of them is left after some time."""
        system = self.system
        for client in system.clients:
            system.lose(client, self.chance, DisconnectReason.LOST)
        system.settle(self.chance)
        for _ in range(4):
            system.tick(LONG)
            system.settle(self.chance)
        hub, registry = system.hub, system.registry
        left: list[Any] = [
            hub.peers,
            hub.users,
            hub.decisions.by_id,
            hub.sessions,
            hub.lifetimes.active,
            hub.lifetimes.expires,
        ]
        left += [hub.forwarder.early_candidates.batches, registry.users, registry.sessions, registry.kept_since]
        expect(left == [{}] * len(left), f"something is left: {left}")
        expect((hub.mailboxes.quota.used, hub.mailboxes.address_quotas) == (0, {}), "room is left taken")


class ModelTests(SynchronousTestCase):
    """The rules are run many times."""

    def test_random_walk(self) -> None:
        """An ordinary run takes 200,000 steps, the same ones each time."""
        Model.taken = 0
        try:
            run_state_machine_as_test(
                Model,
                settings=settings(
                    max_examples=STEPS // (BATCH * RULES // 5) + 1,
                    stateful_step_count=RULES,
                    database=None,
                    report_multiple_bugs=False,
                    derandomize=not SOAK,
                    print_blob=True,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        except Exception as error:
            # Trial does not print the notes in which hypothesis describes the failing example.
            raise AssertionError("\n".join([str(error), *getattr(error, "__notes__", [])])) from error
        self.assertGreaterEqual(Model.taken, STEPS)
