"""A client that follows docs/protocol.md and checks that the server does."""

from __future__ import annotations

from collections import deque
from enum import Enum

from attrs import define, evolve, field

from signald.core.errors import ErrorCode
from signald.core.messages import (
    UNCOUNTED,
    Ack,
    AppMessage,
    Candidates,
    Changed,
    Count,
    Done,
    Ended,
    Error,
    Event,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    GoingAway,
    Hello,
    HostChanged,
    IceError,
    IceServers,
    Instance,
    Joined,
    Knock,
    KnockOver,
    Left,
    MemberAway,
    MemberBack,
    MemberJoined,
    MemberLeft,
    MemberRenewed,
    MemberView,
    NotAdmitted,
    Offer,
    Opened,
    Pong,
    Request,
    RequestId,
    Resume,
    Role,
    Secret,
    SessionId,
    Survival,
    UserId,
    Waiting,
    Welcome,
)
from signald.core.users import PeerId

NOBODY = UserId("")


class Kind(Enum):
    """The capability of a client: it can resume, it cannot resume, or it speaks the dialect of the original server."""

    RESUMABLE = 1
    PLAIN = 2
    SERDE = 3


class ModelError(AssertionError):
    """The server did something that the protocol does not allow."""


def expect(truth: object, what: str) -> None:
    """Raise `ModelError` with this text unless the condition holds."""
    if not truth:
        raise ModelError(what)


@define(eq=False)
class Socket:
    """A WebSocket with delay: messages are in transit until the test delivers them.

    Attributes:
        peer: the WebSocket's peer id at the hub.
        to_server: the requests in transit.
        to_client: the events in transit; an error code stands for the server's close frame.
        closing: whether the server has closed the WebSocket.

    """

    peer: PeerId
    to_server: deque[Request] = field(factory=deque)
    to_client: deque[Event | ErrorCode] = field(factory=deque)
    closing: bool = False


@define
class Sent:
    """A numbered message; it must arrive unless one of the two clients loses state after it was sent.

    Attributes:
        request: the request id of the message.
        sender, receiver: the clients.
        losses: how often each of the two had lost state when the message was sent.

    """

    request: RequestId
    sender: Client
    receiver: Client
    losses: tuple[int, int]


@define(eq=False)
class Room:
    """The state of a session at a client: the client's role and the other members."""

    role: Role
    members: dict[UserId, MemberView]


@define(eq=False)
class Client:
    """A client that keeps the state which the protocol document demands.

    Attributes:
        number: the client's number.
        kind: its capabilities.
        socket: the client's WebSocket; None while the client is disconnected.
        welcomed: whether the server has sent `welcome` on that WebSocket.
        user: the client's user id; empty before its first welcome.
        secret: the newest resume secret that the client received.
        spent: the earlier resume secrets.
        loads: how often the client program was started.
        received: how many counted events the client has received.
        sent: how many of the client's counted requests the server has acknowledged.
        unacknowledged: the counted requests that the server has not acknowledged yet.
        turn_user: the user of the client's newest TURN credentials; empty without credentials.
        rooms: the sessions of which the client is a member.
        waiting_at: the sessions in whose lobby the client waits.
        knocks: the visitors in the lobbies of the client's sessions.
        awaited: the requests that have no reply yet.
        doubtful: the requests whose reply may have been an error that was lost.
        forgotten: the requests before the client's last loss of state, whose replies may still arrive.
        refused: the requests that were rejected.
        losses: how often the client lost messages, its identity or a membership.
        last_numbers: the number of the last message from each sender.
        requests: how many requests the client has sent.
        tickets: the latest rejoin ticket for each session that the client was ever a member of.

    """

    number: int
    kind: Kind
    socket: Socket | None = None
    welcomed: bool = False
    user: UserId = NOBODY
    secret: Secret | None = None
    spent: list[Secret] = field(factory=list)
    loads: int = 0
    received: int = 0
    sent: int = 0
    unacknowledged: deque[Request] = field(factory=deque)
    turn_user: str = ""
    rooms: dict[SessionId, Room] = field(factory=dict)
    waiting_at: set[SessionId] = field(factory=set)
    knocks: dict[SessionId, set[UserId]] = field(factory=dict)
    awaited: dict[RequestId, Request] = field(factory=dict)
    doubtful: set[RequestId] = field(factory=set)
    forgotten: set[RequestId] = field(factory=set)
    refused: set[RequestId] = field(factory=set)
    losses: int = 0
    last_numbers: dict[int, int] = field(factory=dict)
    requests: int = 0
    tickets: dict[SessionId, str] = field(factory=dict)

    @property
    def instance(self) -> Instance:
        """Return the id of the client's current run."""
        return Instance(f"{self.number}.{self.loads}")

    def _keep_ticket(self, event: Opened | Joined | HostChanged) -> None:
        expect((event.ticket is None) is (self.kind is not Kind.RESUMABLE), "a ticket is missing, or is too many")
        if event.ticket is not None:
            self.tickets[event.session] = event.ticket

    # Sending

    def connect(self, socket: Socket) -> None:
        """Send `hello` or `resume` on a new WebSocket."""
        self.socket = socket
        self.welcomed = False
        if self.secret is not None:
            connected = tuple(sorted({user for room in self.rooms.values() for user in room.members}))
            resume = Resume(1, self.user, self.secret, self.instance, Count(self.received), connected=connected)
            socket.to_server.append(resume)
        elif self.kind is Kind.RESUMABLE:
            socket.to_server.append(Hello(1, instance=self.instance))
        else:
            socket.to_server.append(Hello(1))

    def send_request(self, request: Request) -> RequestId:
        """Send a request now, or after the client has reconnected."""
        self.requests += 1
        id = RequestId(f"{self.number}-{self.requests}")
        request = evolve(request, id=id)
        if not isinstance(request, Offer | Candidates | IceError | AppMessage):
            self.awaited[id] = request
        if self.kind is Kind.RESUMABLE or not self.welcomed:
            self.unacknowledged.append(request)
        if self.socket is not None and self.welcomed:
            self.socket.to_server.append(request)
        return id

    def acknowledge(self) -> None:
        """Acknowledge all received events."""
        if self.socket is not None and self.welcomed and self.kind is Kind.RESUMABLE:
            self.socket.to_server.append(Ack(Count(self.received)))

    def disconnected(self) -> None:
        """Handle the loss of the WebSocket."""
        self.socket = None
        self.welcomed = False
        self.doubtful |= set(self.awaited)
        if self.kind is not Kind.RESUMABLE:
            self.lose_identity()

    def lose_identity(self) -> None:
        """Handle the loss of the client's identity."""
        if self.secret is not None:
            self.spent.append(self.secret)
        self.user, self.secret = NOBODY, None
        self._lose_state()

    def reload(self) -> None:
        """Restart the client program; the identity is kept."""
        self.loads += 1
        self._forget_sessions()
        self.received = self.sent = 0

    def _lose_state(self) -> None:
        self._forget_sessions()
        self.waiting_at.clear()
        self.received = self.sent = 0

    def _forget_sessions(self) -> None:
        """Forget all sessions, and expect no replies to earlier requests."""
        self.losses += 1
        self.rooms.clear()
        self.knocks.clear()
        self.forgotten |= set(self.awaited)
        self.awaited.clear()
        self.doubtful.clear()
        self.unacknowledged.clear()

    # Receiving

    def receive(self, event: Event) -> None:
        """Process an event, and check that the protocol allows it."""
        if self.kind is Kind.RESUMABLE and not isinstance(event, UNCOUNTED):
            expect(self.welcomed, "an event came before the welcome")
            self.received += 1
        match event:
            case Welcome():
                self._follow_welcome(event)
            case Ack(received):
                expect(received <= self.sent + len(self.unacknowledged), "more was acknowledged than sent")
                self._drop_acknowledged(received)
            case Error():
                self._follow_error(event)
            case IceServers(servers):
                expect(self.welcomed, "an event came before the welcome")
                self.turn_user = servers[0].username or "" if servers else ""
            case Pong() | GoingAway():
                pass
            case _:
                self._follow_session_event(event)

    def _follow_welcome(self, welcome: Welcome) -> None:
        self.welcomed = True
        if welcome.secret is not None:
            if self.secret is not None:
                self.spent.append(self.secret)
            self.secret = welcome.secret
        match welcome.resumed:
            case Survival.EVERYTHING:
                expect(welcome.user == self.user, "another identity was resumed")
                expect(welcome.received is not None, "the welcome lacks the number of received messages")
                self._drop_acknowledged(welcome.received or 0)
            case Survival.MEMBERSHIP:
                expect(welcome.user == self.user, "another identity was resumed")
                self._lose_state()
            case None | Survival.NOTHING:
                expect(welcome.user != self.user, "an identity was assigned twice")
                if self.user:
                    self._lose_state()
        self.user = welcome.user
        self.turn_user = welcome.ice_servers[0].username or "" if welcome.ice_servers else ""
        expect(
            not self.turn_user or welcome.resumed in (Survival.EVERYTHING, Survival.MEMBERSHIP),
            "credentials came before a membership",
        )
        if self.socket is not None:
            if self.kind is Kind.RESUMABLE:
                self.socket.to_server.append(Ack(Count(self.received)))
            self.socket.to_server.extend(self.unacknowledged)
        if self.kind is not Kind.RESUMABLE:
            self.unacknowledged.clear()

    def _drop_acknowledged(self, received: int) -> None:
        expect(received >= self.sent, "an acknowledgement decreased")
        while self.sent < received:
            expect(self.unacknowledged, "more was acknowledged than sent")
            self.unacknowledged.popleft()
            self.sent += 1

    def _follow_error(self, error: Error) -> None:
        expect(error.code is not ErrorCode.BAD_MESSAGE, "a valid message was rejected as malformed")
        expect(error.code is not ErrorCode.INTERNAL_ERROR, "the server failed")
        expect(error.code is not ErrorCode.BAD_ACKNOWLEDGEMENT, "a correct acknowledgement was rejected")
        if error.id is not None:
            expect(error.id not in self.refused, "a request was rejected twice")
            self.refused.add(error.id)
            self.awaited.pop(error.id, None)
            self.doubtful.discard(error.id)

    def _check_reply(self, id: RequestId | None) -> None:
        if id is not None:
            expect(id not in self.refused, "a request was rejected and answered")
            expect(id in self.awaited or id in self.forgotten, f"{id} was answered twice or never sent")
            self.awaited.pop(id, None)
            self.forgotten.discard(id)
            self.doubtful.discard(id)

    def _follow_session_event(self, event: Event) -> None:
        match event:
            case Opened():
                self._check_reply(event.id)
                self._keep_ticket(event)
                self._enter_session(event.session, Role.HOST, event.members)
            case Joined():
                if event.session not in self.waiting_at or event.id in self.awaited:
                    self._check_reply(event.id)
                self._keep_ticket(event)
                self._enter_session(event.session, event.role, event.members)
            case Waiting():
                if event.id is not None:
                    self._check_reply(event.id)
                self.waiting_at.add(event.session)
            case NotAdmitted():
                expect(event.session in self.waiting_at, "the client was turned away where it did not wait")
                self.waiting_at.discard(event.session)
            case Done():
                self._check_reply(event.id)
            case Left():
                self._check_reply(event.id)
                self._leave_session(event.session)
            case _:
                self._follow_member_event(event)

    def _enter_session(self, session: SessionId, role: Role, members: tuple[MemberView, ...]) -> None:
        expect(session not in self.rooms, "the client joined a session it is in")
        expect(self.user not in {member.user for member in members}, "the client is among the other members")
        expect(len({member.user for member in members}) == len(members), "a member is listed twice")
        self.waiting_at.discard(session)
        self.knocks.pop(session, None)
        self.rooms[session] = Room(role, {member.user: member for member in members})

    def _leave_session(self, session: SessionId) -> None:
        self.rooms.pop(session, None)
        self.waiting_at.discard(session)
        self.knocks.pop(session, None)
        self.losses += 1

    def _follow_member_event(self, event: Event) -> None:
        session: SessionId = event.session  # type: ignore[union-attr,assignment] # all that are left have one
        room = self.rooms.get(session)
        if room is None:
            raise ModelError(f"{type(event).__name__} of a session that the client is not in")
        match event:
            case MemberJoined(_, member):
                expect(member.user not in room.members and member.user != self.user, "a member joined twice")
                room.members[member.user] = member
            case MemberLeft(_, user):
                expect(user in room.members, "a user left that was not a member")
                del room.members[user]
            case MemberRenewed(_, member):
                old = room.members.get(member.user)
                expect(old is not None and old.base < member.base, "a renewal did not raise the base")
                room.members[member.user] = member
            case MemberAway(_, user) | MemberBack(_, user):
                expect(user in room.members, "an event concerns a user that is not a member")
                away = isinstance(event, MemberAway)
                expect(room.members[user].away is not away, "a member was away twice or back twice")
                room.members[user] = evolve(room.members[user], away=away)
            case HostChanged(_, user):
                if user == self.user:
                    self._keep_ticket(event)
                else:
                    expect(event.ticket is None, "another host's ticket was sent")
                self._host_changed(session, room, user)
            case Knock(_, user):
                expect(room.role is Role.HOST, "a knock was sent to a guest")
                knocks = self.knocks.setdefault(session, set())
                expect(user not in knocks, "a knock was sent twice")
                knocks.add(user)
            case KnockOver(_, user):
                expect(user in self.knocks.get(session, ()), "a knock ended that was not sent")
                self.knocks[session].discard(user)
            case Ended():
                self._leave_session(session)
            case Changed():
                pass
            case (
                ForwardedOffer(_, sender)
                | ForwardedAnswer(_, sender)
                | ForwardedCandidates(_, sender)
                | ForwardedIceError(_, sender)
            ):
                expect(sender in room.members, "a message came from a user that is not a member")
                source = getattr(event, "source", None)
                expect(source is None or self.kind is Kind.SERDE, "a source came to a client that does not read it")
            case ForwardedMessage(_, sender, content):
                expect(sender in room.members, "a message came from a user that is not a member")
                self._check_message(*(int(part) for part in content.split(":")))
            case _:
                raise ModelError(f"{type(event).__name__} is unexpected")

    def _host_changed(self, session: SessionId, room: Room, host: UserId) -> None:
        expect(host == self.user or host in room.members, "the host is not a member")
        self.knocks.pop(session, None)
        room.role = Role.HOST if host == self.user else Role.GUEST
        for user, member in room.members.items():
            room.members[user] = evolve(member, role=Role.HOST if user == host else Role.GUEST)

    def _check_message(self, sender: int, receiver: int, number: int) -> None:
        expect(receiver == self.number, "a message arrived at the wrong client")
        expect(number > self.last_numbers.get(sender, 0), "a message came twice, or out of order")
        self.last_numbers[sender] = number
