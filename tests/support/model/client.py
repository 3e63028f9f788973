"""A client as docs/protocol.md wants it, and everything that it has a right to expect."""

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
    """What a client can do: resume, or not, or what the original's clients can."""

    RESUMABLE = 1
    PLAIN = 2
    SERDE = 3


class WrongError(AssertionError):
    """Something happened that the protocol does not allow."""


def expect(truth: object, what: str) -> None:
    """Fail with these words unless it is so."""
    if not truth:
        raise WrongError(what)


@define(eq=False)
class Socket:
    """A connection on its way: what is sent has not arrived.

    Attributes:
        peer: its id at the hub.
        to_server: requests under way.
        to_client: events under way; an error code is the server's close.
        closing: whether the server closed it.

    """

    peer: PeerId
    to_server: deque[Request] = field(factory=deque)
    to_client: deque[Event | ErrorCode] = field(factory=deque)
    closing: bool = False


@define
class Sent:
    """A numbered message, and what it would have to be lost for.

    Attributes:
        request: its request id.
        sender, receiver: the clients.
        losses: how often each of the two had lost something when it was sent.

    """

    request: RequestId
    sender: Client
    receiver: Client
    losses: tuple[int, int]


@define(eq=False)
class Room:
    """A session as a client knows it."""

    role: Role
    members: dict[UserId, MemberView]


@define(eq=False)
class Client:
    """One client.

    Attributes:
        number: which.
        kind: what it can do.
        socket: its connection; None while it has none.
        user: who it is; empty before its first welcome.
        secret: the newest that it knows.
        spent: those before.
        loads: how often it was started.
        received: countable events.
        sent: countable requests that are acknowledged.
        unacknowledged: those after them.
        supplied: whose the newest TURN credentials are that it has; empty where it has none.
        rooms: the sessions that it is in.
        visits: those at which it waits.
        knocks: who waits at its sessions.
        awaited: requests without a reply.
        doubtful: those whose reply may have been an error that was lost.
        forgotten: those before its last loss, whose replies may come all the same.
        refused: those that were refused.
        losses: how often it lost messages, an identity or a membership.
        heard: the last number of each sender.
        requests: how many requests it has made.

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
    supplied: str = ""
    rooms: dict[SessionId, Room] = field(factory=dict)
    visits: set[SessionId] = field(factory=set)
    knocks: dict[SessionId, set[UserId]] = field(factory=dict)
    awaited: dict[RequestId, Request] = field(factory=dict)
    doubtful: set[RequestId] = field(factory=set)
    forgotten: set[RequestId] = field(factory=set)
    refused: set[RequestId] = field(factory=set)
    losses: int = 0
    heard: dict[int, int] = field(factory=dict)
    requests: int = 0

    @property
    def instance(self) -> Instance:
        """What it chose when it was started."""
        return Instance(f"{self.number}.{self.loads}")

    # What it does

    def connect(self, socket: Socket) -> None:
        """Greet the server on a new connection."""
        self.socket = socket
        self.welcomed = False
        if self.secret is not None:
            resume = Resume(1, self.user, self.secret, self.instance, Count(self.received))
            socket.to_server.append(resume)
        elif self.kind is Kind.RESUMABLE:
            socket.to_server.append(Hello(1, instance=self.instance))
        else:
            socket.to_server.append(Hello(1))

    def ask(self, request: Request) -> RequestId:
        """Say something, now or when the connection is back."""
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
        """Say what has arrived."""
        if self.socket is not None and self.welcomed and self.kind is Kind.RESUMABLE:
            self.socket.to_server.append(Ack(Count(self.received)))

    def disconnected(self) -> None:
        """The connection is lost."""
        self.socket = None
        self.welcomed = False
        self.doubtful |= set(self.awaited)
        if self.kind is not Kind.RESUMABLE:
            self.forget()

    def forget(self) -> None:
        """It is nobody any more."""
        if self.secret is not None:
            self.spent.append(self.secret)
        self.user, self.secret = NOBODY, None
        self._lose()

    def reload(self) -> None:
        """It is started anew, with its identity."""
        self.loads += 1
        self._begin_anew()
        self.received = self.sent = 0

    def _lose(self) -> None:
        self._begin_anew()
        self.visits.clear()
        self.received = self.sent = 0

    def _begin_anew(self) -> None:
        """Know nothing of sessions, and expect nothing of earlier requests."""
        self.losses += 1
        self.rooms.clear()
        self.knocks.clear()
        self.forgotten |= set(self.awaited)
        self.awaited.clear()
        self.doubtful.clear()
        self.unacknowledged.clear()

    # What it hears

    def hear(self, event: Event) -> None:
        """Follow an event, and check that it may come."""
        if self.kind is Kind.RESUMABLE and not isinstance(event, UNCOUNTED):
            expect(self.welcomed, "an event came before the welcome")
            self.received += 1
        match event:
            case Welcome():
                self._welcome(event)
            case Ack(received):
                expect(received <= self.sent + len(self.unacknowledged), "more was acknowledged than sent")
                self._drop_acknowledged(received)
            case Error():
                self._error(event)
            case IceServers(servers):
                expect(self.welcomed, "an event came before the welcome")
                self.supplied = servers[0].username or "" if servers else ""
            case Pong() | GoingAway():
                pass
            case _:
                self._of_session(event)

    def _welcome(self, welcome: Welcome) -> None:
        self.welcomed = True
        if welcome.secret is not None:
            if self.secret is not None:
                self.spent.append(self.secret)
            self.secret = welcome.secret
        match welcome.resumed:
            case Survival.EVERYTHING:
                expect(welcome.user == self.user, "somebody else was resumed")
                expect(welcome.received is not None, "what had arrived was not told")
                self._drop_acknowledged(welcome.received or 0)
            case Survival.MEMBERSHIP:
                expect(welcome.user == self.user, "somebody else was resumed")
                self._lose()
            case None | Survival.NOTHING:
                expect(welcome.user != self.user, "an identity was given out again")
                if self.user:
                    self._lose()
        self.user = welcome.user
        self.supplied = welcome.ice_servers[0].username or "" if welcome.ice_servers else ""
        expect(not self.supplied or welcome.resumed in (Survival.EVERYTHING, Survival.MEMBERSHIP), "not yet a member")
        if self.socket is not None:
            if self.kind is Kind.RESUMABLE:
                self.socket.to_server.append(Ack(Count(self.received)))
            self.socket.to_server.extend(self.unacknowledged)
        if self.kind is not Kind.RESUMABLE:
            self.unacknowledged.clear()

    def _drop_acknowledged(self, received: int) -> None:
        expect(received >= self.sent, "an acknowledgement went back")
        while self.sent < received:
            expect(self.unacknowledged, "more was acknowledged than sent")
            self.unacknowledged.popleft()
            self.sent += 1

    def _error(self, error: Error) -> None:
        expect(error.code is not ErrorCode.BAD_MESSAGE, "a good message was called bad")
        expect(error.code is not ErrorCode.INTERNAL_ERROR, "the server failed")
        expect(error.code is not ErrorCode.BAD_ACKNOWLEDGEMENT, "a good acknowledgement was called bad")
        if error.id is not None:
            expect(error.id not in self.refused, "a request was refused twice")
            self.refused.add(error.id)
            self.awaited.pop(error.id, None)
            self.doubtful.discard(error.id)

    def _replied(self, id: RequestId | None) -> None:
        if id is not None:
            expect(id not in self.refused, "a request was refused and granted")
            expect(id in self.awaited or id in self.forgotten, f"{id} was answered twice, or never asked")
            self.awaited.pop(id, None)
            self.forgotten.discard(id)
            self.doubtful.discard(id)

    def _of_session(self, event: Event) -> None:
        match event:
            case Opened():
                self._replied(event.id)
                self._enter(event.session, Role.HOST, event.members)
            case Joined():
                if event.session not in self.visits or event.id in self.awaited:
                    self._replied(event.id)
                self._enter(event.session, event.role, event.members)
            case Waiting():
                if event.id is not None:
                    self._replied(event.id)
                self.visits.add(event.session)
            case NotAdmitted():
                expect(event.session in self.visits, "turned away where it did not wait")
                self.visits.discard(event.session)
            case Done():
                self._replied(event.id)
            case Left():
                self._replied(event.id)
                self._leave(event.session)
            case _:
                self._of_room(event)

    def _enter(self, session: SessionId, role: Role, members: tuple[MemberView, ...]) -> None:
        expect(session not in self.rooms, "it entered where it was")
        expect(self.user not in {member.user for member in members}, "it is one of the others")
        expect(len({member.user for member in members}) == len(members), "somebody is there twice")
        self.visits.discard(session)
        self.knocks.pop(session, None)
        self.rooms[session] = Room(role, {member.user: member for member in members})

    def _leave(self, session: SessionId) -> None:
        self.rooms.pop(session, None)
        self.visits.discard(session)
        self.knocks.pop(session, None)
        self.losses += 1

    def _of_room(self, event: Event) -> None:
        session: SessionId = event.session  # type: ignore[union-attr,assignment] # all that are left have one
        room = self.rooms.get(session)
        if room is None:
            raise WrongError(f"{type(event).__name__} of a session that it is not in")
        match event:
            case MemberJoined(_, member):
                expect(member.user not in room.members and member.user != self.user, "somebody came twice")
                room.members[member.user] = member
            case MemberLeft(_, user):
                expect(user in room.members, "somebody left who was not there")
                del room.members[user]
            case MemberRenewed(_, member):
                old = room.members.get(member.user)
                expect(old is not None and old.base < member.base, "a renewal that renews nothing")
                room.members[member.user] = member
            case MemberAway(_, user) | MemberBack(_, user):
                expect(user in room.members, "news of one who is not there")
                away = isinstance(event, MemberAway)
                expect(room.members[user].away is not away, "away twice, or back twice")
                room.members[user] = evolve(room.members[user], away=away)
            case HostChanged(_, user):
                self._host_changed(session, room, user)
            case Knock(_, user):
                expect(room.role is Role.HOST, "a knock at one who is not the host")
                knocks = self.knocks.setdefault(session, set())
                expect(user not in knocks, "a knock was told twice")
                knocks.add(user)
            case KnockOver(_, user):
                expect(user in self.knocks.get(session, ()), "the end of a knock that was not told")
                self.knocks[session].discard(user)
            case Ended():
                self._leave(session)
            case Changed():
                pass
            case (
                ForwardedOffer(_, sender)
                | ForwardedAnswer(_, sender)
                | ForwardedCandidates(_, sender)
                | ForwardedIceError(_, sender)
            ):
                expect(sender in room.members, "a message of one who is not there")
            case ForwardedMessage(_, sender, content):
                expect(sender in room.members, "a message of one who is not there")
                self._message(*(int(part) for part in content.split(":")))
            case _:
                raise WrongError(f"nobody expects {type(event).__name__}")

    def _host_changed(self, session: SessionId, room: Room, host: UserId) -> None:
        expect(host == self.user or host in room.members, "the host is not there")
        self.knocks.pop(session, None)
        room.role = Role.HOST if host == self.user else Role.GUEST
        for user, member in room.members.items():
            room.members[user] = evolve(member, role=Role.HOST if user == host else Role.GUEST)

    def _message(self, sender: int, receiver: int, number: int) -> None:
        expect(receiver == self.number, "a message for somebody else")
        expect(number > self.heard.get(sender, 0), "a message came twice, or out of order")
        self.heard[sender] = number
