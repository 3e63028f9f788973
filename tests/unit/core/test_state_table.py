"""Every message of every role in every state of a session has the outcome that docs/protocol.md states.

`TABLES` gives the outcome of each message, and the tests are generated from it. A word in capitals is a rejection: the
sender gets the error, no other client receives anything, and nothing changes. `DONE` explains each word in small
letters.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason
from signald.core.ids import host_key
from signald.core.limits import Limits
from signald.core.messages import (
    Ack,
    Admit,
    Answer,
    AppMessage,
    Candidate,
    Candidates,
    Change,
    Count,
    Debug,
    End,
    Error,
    HandOver,
    Hello,
    IceError,
    Instance,
    Join,
    Joined,
    Leave,
    Negotiation,
    Offer,
    Open,
    Opened,
    Ping,
    Refuse,
    Remove,
    Request,
    RequestId,
    Resume,
    Role,
    Secret,
    SessionId,
    Source,
    UserId,
    Welcome,
)
from signald.core.users import PeerId
from signald.dialects.native import EVENTS, REQUESTS
from tests.support.world import HOST_SECRET, SERDE, World

ROLES = {
    "host": "the one who opened the session",
    "guest": "one who joined it",
    "serde": "a member that speaks the serde dialect",
    "visitor": "one who waits in its lobby",
    "early": "one who waits for its host",
    "removed": "one whom the host removed",
    "outsider": "one who is welcomed, and has nothing to do with it",
    "new": "one who is not yet welcomed",
    "return": "the guest's new connection, before its resume",
}

REFUSED = {
    "HELLO": ErrorCode.HELLO_FIRST,
    "AGAIN": ErrorCode.ALREADY_WELCOMED,
    "VERSION": ErrorCode.UNSUPPORTED_VERSION,
    "OUT": ErrorCode.NOT_A_MEMBER,
    "IN": ErrorCode.ALREADY_MEMBER,
    "ROLE": ErrorCode.WRONG_ROLE,
    "WHO": ErrorCode.UNKNOWN_MEMBER,
    "UNKNOWN": ErrorCode.UNKNOWN_SESSION,
    "LOCKED": ErrorCode.SESSION_LOCKED,
    "FULL": ErrorCode.SESSION_FULL,
    "PASS": ErrorCode.PASSWORD_NEEDED,
    "WRONG": ErrorCode.WRONG_PASSWORD,
    "KEY": ErrorCode.WRONG_HOST_KEY,
    "PEER": ErrorCode.UNSUPPORTED_BY_PEER,
    "BOX": ErrorCode.OUTBOX_FULL,
    "ACK": ErrorCode.BAD_ACKNOWLEDGEMENT,
}

DONE = {
    # Identities and connections
    "welcome": "sender: welcome",
    "taken": "sender: welcome; guest: closed",
    "back": "sender: welcome; guest: ; others: member-back",
    "pong": "sender: pong",
    "quiet": "",
    # Opening and joining sessions
    "opened": "sender: opened",
    "reopened": "sender: opened; early: joined",
    "claimed": "sender: opened; host: ended; others: member-left member-joined host-changed",
    "joined": "sender: joined; others: member-joined",
    "knocks": "sender: waiting; host: knock",
    "waits": "sender: waiting",
    # Leaving and ending sessions
    "left": "sender: left; others: member-left",
    "ends": "sender: left; others: ended; visitor: not-admitted",
    "desists": "sender: left; host: knock-over",
    "ended": "sender: ended done; others: ended; visitor: not-admitted",
    # Requests of the host
    "same": "sender: done",
    "changed": "sender: changed done; others: changed",
    "let-in": "sender: member-joined changed knock-over done; visitor: joined; others: member-joined changed",
    "admitted": "sender: member-joined knock-over done; visitor: joined; others: member-joined",
    "refused": "sender: knock-over done; visitor: not-admitted",
    "removed": "sender: member-left done; target: ended; others: member-left",
    "handed": "sender: host-changed done; others: host-changed",
    "lobby-too": "sender: host-changed done; target: host-changed knock; others: host-changed",
    # Messages of members; "=" is an event of the same name as the request
    "sent": "target: =",
    "told": "others: =",
}
"""The events that each client receives, by outcome.

`others` are all other members; the events of the guest in the state `away` are kept for it.
"""

OPEN = """
                host     guest    removed  outsider new      return
hello           AGAIN    AGAIN    AGAIN    AGAIN    welcome  welcome
hello-2         AGAIN    AGAIN    AGAIN    AGAIN    VERSION  VERSION
resume          AGAIN    AGAIN    AGAIN    AGAIN    welcome  taken
resume-wrong    AGAIN    AGAIN    AGAIN    AGAIN    welcome  welcome
open            opened   opened   opened   opened   HELLO    HELLO
open-again      -        -        -        -        HELLO    HELLO
open-wrong-key  KEY      KEY      KEY      KEY      HELLO    HELLO
join            IN       IN       UNKNOWN  joined   HELLO    HELLO
join-password   IN       IN       UNKNOWN  joined   HELLO    HELLO
join-wrong      IN       IN       UNKNOWN  joined   HELLO    HELLO
open-ticket     KEY      KEY      KEY      KEY      HELLO    HELLO
join-ticket     IN       IN       UNKNOWN  joined   HELLO    HELLO
join-bad-ticket IN       IN       UNKNOWN  UNKNOWN  HELLO    HELLO
leave           ends     left     OUT      OUT      HELLO    HELLO
change          changed  ROLE     OUT      OUT      HELLO    HELLO
change-lobby    changed  ROLE     OUT      OUT      HELLO    HELLO
change-no-lobby same     ROLE     OUT      OUT      HELLO    HELLO
admit           WHO      ROLE     OUT      OUT      HELLO    HELLO
refuse          WHO      ROLE     OUT      OUT      HELLO    HELLO
remove          removed  ROLE     OUT      OUT      HELLO    HELLO
hand-over       handed   ROLE     OUT      OUT      HELLO    HELLO
end             ended    ROLE     OUT      OUT      HELLO    HELLO
offer           sent     sent     OUT      OUT      HELLO    HELLO
offer-next      sent     sent     OUT      OUT      HELLO    HELLO
answer          sent     sent     OUT      OUT      HELLO    HELLO
candidates      sent     sent     OUT      OUT      HELLO    HELLO
candidates-odd  -        -        -        -        -        -
ice-error       sent     sent     OUT      OUT      HELLO    HELLO
message         sent     sent     OUT      OUT      HELLO    HELLO
message-all     told     told     OUT      OUT      HELLO    HELLO
ack             quiet    quiet    quiet    quiet    HELLO    HELLO
ack-wrong       ACK      ACK      ACK      ACK      HELLO    HELLO
ping            pong     pong     pong     pong     pong     pong
debug           -        -        -        -        -        -
"""
"""The outcomes in a plain open session; they also apply to other states whose tables have a dot."""

TABLES = {
    "open": OPEN,
    "alone": """
                host     removed  outsider new
remove          WHO      .        .        .
hand-over       WHO      .        .        .
offer           WHO      .        .        .
offer-next      WHO      .        .        .
answer          WHO      .        .        .
candidates      WHO      .        .        .
ice-error       WHO      .        .        .
message         WHO      .        .        .
message-all     quiet    .        .        .
""",
    "locked": """
                host     guest    removed  outsider new      return
join            .        .        .        LOCKED   .        .
join-password   .        .        .        LOCKED   .        .
join-wrong      .        .        .        LOCKED   .        .
join-ticket     .        .        .        LOCKED   .        .
""",
    "full": """
                host     guest    removed  outsider new      return
join            .        .        .        FULL     .        .
join-password   .        .        .        FULL     .        .
join-wrong      .        .        .        FULL     .        .
join-ticket     .        .        .        FULL     .        .
""",
    "password": """
                host     guest    removed  outsider new      return
join            .        .        .        PASS     .        .
join-wrong      .        .        .        WRONG    .        .
join-ticket     .        .        .        PASS     .        .
""",
    "lobby": """
                host     guest    visitor  removed  outsider new      return
hello           .        .        AGAIN    .        .        .        .
hello-2         .        .        AGAIN    .        .        .        .
resume          .        .        AGAIN    .        .        .        .
resume-wrong    .        .        AGAIN    .        .        .        .
open            .        .        opened   .        .        .        .
open-again      .        .        -        .        .        .        .
open-wrong-key  .        .        KEY      .        .        .        .
join            .        .        IN       .        knocks   .        .
join-password   .        .        IN       .        knocks   .        .
join-wrong      .        .        IN       .        knocks   .        .
open-ticket     .        .        KEY      .        .        .        .
join-ticket     .        .        IN       .        knocks   .        .
join-bad-ticket .        .        IN       .        .        .        .
leave           .        .        desists  .        .        .        .
change          .        .        OUT      .        .        .        .
change-lobby    same     .        OUT      .        .        .        .
change-no-lobby let-in   .        OUT      .        .        .        .
admit           admitted .        OUT      .        .        .        .
refuse          refused  .        OUT      .        .        .        .
remove          .        .        OUT      .        .        .        .
hand-over       lobby-too .       OUT      .        .        .        .
end             .        .        OUT      .        .        .        .
offer           .        .        OUT      .        .        .        .
offer-next      .        .        OUT      .        .        .        .
answer          .        .        OUT      .        .        .        .
candidates      .        .        OUT      .        .        .        .
candidates-odd  .        .        -        .        .        .        .
ice-error       .        .        OUT      .        .        .        .
message         .        .        OUT      .        .        .        .
message-all     .        .        OUT      .        .        .        .
ack             .        .        quiet    .        .        .        .
ack-wrong       .        .        ACK      .        .        .        .
ping            .        .        pong     .        .        .        .
debug           .        .        -        .        .        .        .
""",
    "keyed": """
                host     guest    removed  outsider new      return
open-again      IN       IN       claimed  claimed  .        .
""",
    "kept": """
                host     guest    early    removed  outsider new      return
hello           .        .        AGAIN    .        .        .        .
hello-2         .        .        AGAIN    .        .        .        .
resume          .        .        AGAIN    .        .        .        .
resume-wrong    .        .        AGAIN    .        .        .        .
open            .        .        opened   .        .        .        .
open-again      reopened reopened IN       reopened reopened .        .
open-wrong-key  .        .        KEY      .        .        .        .
join            waits    waits    IN       .        waits    .        .
join-password   waits    waits    IN       .        waits    .        .
join-wrong      waits    waits    IN       .        waits    .        .
open-ticket     reopened reopened IN       reopened reopened .        .
join-ticket     waits    waits    IN       .        waits    .        .
join-bad-ticket UNKNOWN  UNKNOWN  IN       .        .        .        .
leave           OUT      OUT      left     .        .        .        .
change          OUT      OUT      OUT      .        .        .        .
change-lobby    OUT      OUT      OUT      .        .        .        .
change-no-lobby OUT      OUT      OUT      .        .        .        .
admit           OUT      OUT      OUT      .        .        .        .
refuse          OUT      OUT      OUT      .        .        .        .
remove          OUT      OUT      OUT      .        .        .        .
hand-over       OUT      OUT      OUT      .        .        .        .
end             OUT      OUT      OUT      .        .        .        .
offer           OUT      OUT      OUT      .        .        .        .
offer-next      OUT      OUT      OUT      .        .        .        .
answer          OUT      OUT      OUT      .        .        .        .
candidates      OUT      OUT      OUT      .        .        .        .
candidates-odd  .        .        -        .        .        .        .
ice-error       OUT      OUT      OUT      .        .        .        .
message         OUT      OUT      OUT      .        .        .        .
message-all     OUT      OUT      OUT      .        .        .        .
ack             .        .        quiet    .        .        .        .
ack-wrong       .        .        ACK      .        .        .        .
ping            .        .        pong     .        .        .        .
debug           .        .        -        .        .        .        .
""",
    "over": """
                host     guest    removed  outsider new      return
join            UNKNOWN  UNKNOWN  UNKNOWN  UNKNOWN  .        .
join-password   UNKNOWN  UNKNOWN  UNKNOWN  UNKNOWN  .        .
join-wrong      UNKNOWN  UNKNOWN  UNKNOWN  UNKNOWN  .        .
open-ticket     opened   opened   opened   opened   .        .
join-ticket     waits    waits    waits    waits    .        .
join-bad-ticket UNKNOWN  UNKNOWN  .        .        .        .
leave           OUT      OUT      .        .        .        .
change          OUT      OUT      .        .        .        .
change-lobby    OUT      OUT      .        .        .        .
change-no-lobby OUT      OUT      .        .        .        .
admit           OUT      OUT      .        .        .        .
refuse          OUT      OUT      .        .        .        .
remove          OUT      OUT      .        .        .        .
hand-over       OUT      OUT      .        .        .        .
end             OUT      OUT      .        .        .        .
offer           OUT      OUT      .        .        .        .
offer-next      OUT      OUT      .        .        .        .
answer          OUT      OUT      .        .        .        .
candidates      OUT      OUT      .        .        .        .
ice-error       OUT      OUT      .        .        .        .
message         OUT      OUT      .        .        .        .
message-all     OUT      OUT      .        .        .        .
""",
    "away": """
                host     removed  outsider new      return
resume          .        .        .        .        back
""",
    "outbox": """
                host     guest    removed  outsider new      return
offer           BOX      .        .        .        .        .
offer-next      BOX      .        .        .        .        .
answer          BOX      .        .        .        .        .
candidates      BOX      .        .        .        .        .
ice-error       BOX      .        .        .        .        .
message         BOX      .        .        .        .        .
message-all     BOX      .        .        .        .        .
""",
    "serde-guest": """
                host     serde    removed  outsider new
hello           .        -        .        .        .
hello-2         .        -        .        .        .
resume          .        -        .        .        .
resume-wrong    .        -        .        .        .
open            .        opened   .        .        .
open-again      .        -        .        .        .
open-wrong-key  .        -        .        .        .
join            .        IN       .        FULL     .
join-password   .        -        .        FULL     .
join-wrong      .        -        .        FULL     .
open-ticket     .        -        .        .        .
join-ticket     .        -        .        FULL     .
join-bad-ticket .        -        .        .        .
leave           .        -        .        .        .
change          .        -        .        .        .
change-lobby    PEER     -        .        .        .
change-no-lobby .        -        .        .        .
admit           .        -        .        .        .
refuse          .        -        .        .        .
remove          .        -        .        .        .
hand-over       .        -        .        .        .
end             .        -        .        .        .
offer           PEER     sent     .        .        .
offer-next      PEER     ROLE     .        .        .
answer          .        ROLE     .        .        .
candidates      .        sent     .        .        .
candidates-odd  .        PEER     .        .        .
ice-error       .        sent     .        .        .
message         PEER     -        .        .        .
message-all     quiet    -        .        .        .
ack             .        -        .        .        .
ack-wrong       .        -        .        .        .
ping            .        -        .        .        .
debug           .        quiet    .        .        .
""",
    "serde-host": """
                guest    serde    outsider new      return
hello           .        -        .        .        .
hello-2         .        -        .        .        .
resume          .        -        .        .        .
resume-wrong    .        -        .        .        .
open            .        opened   .        .        .
open-again      .        -        .        .        .
open-wrong-key  .        -        .        .        .
join            .        IN       FULL     .        .
join-password   .        -        FULL     .        .
join-wrong      .        -        FULL     .        .
open-ticket     .        -        .        .        .
join-ticket     .        -        FULL     .        .
join-bad-ticket .        -        .        .        .
leave           .        -        .        .        .
change          .        -        .        .        .
change-lobby    .        -        .        .        .
change-no-lobby .        -        .        .        .
admit           .        -        .        .        .
refuse          .        -        .        .        .
remove          .        -        .        .        .
hand-over       .        -        .        .        .
end             .        -        .        .        .
offer           .        ROLE     .        .        .
offer-next      PEER     ROLE     .        .        .
answer          ROLE     sent     .        .        .
candidates      .        sent     .        .        .
candidates-odd  .        PEER     .        .        .
ice-error       .        sent     .        .        .
message         PEER     -        .        .        .
message-all     quiet    -        .        .        .
ack             .        -        .        .        .
ack-wrong       .        -        .        .        .
ping            .        -        .        .        .
debug           .        quiet    .        .        .
""",
}
"""The outcome of each message of each role, by state.

A dot stands for the outcome in `OPEN`, a hyphen for a message that cannot be sent in this state. A role that is not in
a state's table cannot occur in that state.
"""


# The texts and ids of the requests that are sent in each state.

LIMITS = Limits(outbox_messages=16)
PASSWORD = "open sesame"
CANDIDATE = Candidate("candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host")
ODD = Source("serde", "no candidate", translated=False)
WRONG = Secret("A" * 43)
ID = RequestId("7")


@define
class Scene:
    """A session in a given state, with all clients that are involved.

    Attributes:
        state: the name of the state in `TABLES`.
        world: the hub with its clients.
        peers, users: the peer and the user of each role, and of a `bystander`, who is another guest if there is room.
        session: the id of the session.
        secret: the guest's resume secret.
        base: the base of the negotiation numbers between host and guest.

    """

    state: str
    world: World = field(init=False, factory=lambda: World(LIMITS))
    peers: dict[str, PeerId] = field(init=False, factory=dict)
    users: dict[str, UserId] = field(init=False, factory=dict)
    session: SessionId = field(init=False)
    secret: Secret = WRONG
    base: int = 0

    def __attrs_post_init__(self) -> None:
        """Bring the session into the state."""
        self.enter("outsider")
        self.peers["new"] = self.world.connect()
        self.peers["return"] = self.world.connect()
        host = "serde" if self.state == "serde-host" else "host"
        self.enter(host)
        password = PASSWORD if self.state == "password" else None
        keep = self.state in ("keyed", "kept")
        opened = self.send_request(host, Open(3 if self.state == "full" else 8, password=password, keep=keep))
        assert isinstance(opened, Opened)
        self.session = opened.session
        if self.state != "serde-host":
            self.join("removed")
            self.send_request("host", Remove(self.session, self.users["removed"]))
        if self.state not in ("alone", "serde-guest"):
            self.join("guest")
        if self.state == "serde-guest":
            self.join("serde")
        elif self.state not in ("alone", "serde-host"):
            self.join("bystander")
        self.finish()
        for peer in self.peers.values():
            self.world.receive(peer)

    def finish(self) -> None:
        """Make the changes that distinguish this state from a plain open session."""
        match self.state:
            case "locked":
                self.send_request("host", Change(self.session, locked=True))
            case "lobby":
                self.send_request("host", Change(self.session, lobby=True))
                self.enter("visitor")
                self.send_request("visitor", Join(self.session))
            case "kept":
                self.send_request("host", End(self.session))
                self.enter("early")
                self.send_request("early", Join(self.session))
            case "over":
                self.send_request("host", End(self.session))
            case "away":
                self.world.disconnect(self.peers["guest"], DisconnectReason.LOST)
            case "outbox":
                while len(self.guest_outbox()) < LIMITS.outbox_messages:
                    self.send_request("host", AppMessage(self.session, "", self.users["guest"]))

    def enter(self, role: str) -> None:
        """Welcome a client; all but the serde client can resume."""
        self.peers[role] = self.world.connect(SERDE if role == "serde" else None)
        instance = None if role == "serde" else Instance(role)
        welcome = self.send_request(role, Hello(version=1, instance=instance))
        assert isinstance(welcome, Welcome)
        self.users[role] = welcome.user
        if role == "guest":
            assert welcome.secret is not None
            self.secret = welcome.secret

    def join(self, role: str) -> None:
        """Welcome a client, and let the client join."""
        self.enter(role)
        joined = self.send_request(role, Join(self.session, password=PASSWORD))
        assert isinstance(joined, Joined)
        self.base = joined.members[0].base if role in ("guest", "serde") else self.base

    def ticket(self, role: Role) -> str:
        """Return the rejoin ticket of a former member whose return nobody expects."""
        return self.world.ticket(self.session, UserId("1" * 26), role)

    def send_request(self, role: str, request: Request) -> object:
        """Let a client send a request; return the last event that it gets, if any."""
        events = self.world.send(self.peers[role], request)
        return events[-1] if events else None

    def guest_outbox(self) -> list[object]:
        """The events that the guest has not acknowledged."""
        return [*self.world.hub.users[self.users["guest"]].outbox.events]

    def members(self) -> list[str]:
        """The roles of the present members."""
        session = self.world.hub.sessions.get(self.session)
        users = [] if session is None else [member.user for member in session.members]
        return [role for role, user in self.users.items() if user in users]

    def target(self, sender: str) -> str:
        """The receiver to which messages of a role are addressed."""
        other = "guest" if "guest" in self.peers else "serde" if "serde" in self.peers else "outsider"
        host = "host" if "host" in self.peers else "serde"
        return other if sender == host else host


def _request(name: str, scene: Scene, sender: str) -> Request:
    """Return the request of a row, as a client in this role sends it."""
    session, users = scene.session, scene.users
    target = users[scene.target(sender)]
    to = None if sender == "serde" else target
    guest = users.get("guest", target)
    waiting = users.get("visitor", users["outsider"])
    negotiation = Negotiation(users.get(sender, guest), scene.base + 1)
    received = Count(len(scene.guest_outbox()) if "guest" in users else 0)
    known = guest if sender == "return" else UserId("0" * 26)
    key = host_key(HOST_SECRET, session)
    make: dict[str, Callable[[], Request]] = {
        "hello": lambda: Hello(1, id=ID),
        "hello-2": lambda: Hello(2, id=ID),
        "resume": lambda: Resume(1, known, scene.secret, Instance("guest"), received, id=ID),
        "resume-wrong": lambda: Resume(1, guest, WRONG, Instance("guest"), received, id=ID),
        "open": lambda: Open(id=ID),
        "open-again": lambda: Open(8, session=session, host_key=key, id=ID),
        "open-wrong-key": lambda: Open(8, session=session, host_key=WRONG, id=ID),
        "open-ticket": lambda: Open(8, session=session, ticket=scene.ticket(Role.HOST), id=ID),
        "join": lambda: Join(session, id=ID),
        "join-ticket": lambda: Join(session, ticket=scene.ticket(Role.GUEST), id=ID),
        "join-bad-ticket": lambda: Join(session, ticket="guest", id=ID),
        "join-password": lambda: Join(session, password=PASSWORD, id=ID),
        "join-wrong": lambda: Join(session, password="guess", id=ID),
        "leave": lambda: Leave(session, id=ID),
        "change": lambda: Change(session, label="another", id=ID),
        "change-lobby": lambda: Change(session, lobby=True, id=ID),
        "change-no-lobby": lambda: Change(session, lobby=False, id=ID),
        "admit": lambda: Admit(session, waiting, id=ID),
        "refuse": lambda: Refuse(session, waiting, id=ID),
        "remove": lambda: Remove(session, target, id=ID),
        "hand-over": lambda: HandOver(session, target, id=ID),
        "end": lambda: End(session, id=ID),
        "offer": lambda: Offer(session, to, negotiation, "v=0", id=ID),
        "offer-next": lambda: Offer(session, to, Negotiation(negotiation.offerer, negotiation.n + 1), "v=0", id=ID),
        "answer": lambda: Answer(session, to, negotiation, "v=0", id=ID),
        "candidates": lambda: Candidates(session, to, negotiation, (CANDIDATE,), id=ID),
        "candidates-odd": lambda: Candidates(session, to, negotiation, (), id=ID, source=ODD),
        "ice-error": lambda: IceError(session, to, "failed", id=ID),
        "message": lambda: AppMessage(session, "hello", to, id=ID),
        "message-all": lambda: AppMessage(session, "hello", id=ID),
        "ack": lambda: Ack(Count(0), id=ID),
        "ack-wrong": lambda: Ack(Count(10**6), id=ID),
        "ping": lambda: Ping(id=ID),
        "debug": lambda: Debug(id=ID),
    }
    return make[name]()


Table = dict[tuple[str, str], str]
"""The outcomes by message (first in the key) and role (second)."""


def read(text: str) -> Table:
    """Parse one of the tables above."""
    head, *rows = text.strip().splitlines()
    roles = head.split()
    table: Table = {}
    for row in rows:
        name, *cells = row.split()
        if len(cells) != len(roles) or (name, roles[0]) in table:
            raise ValueError(f"this row has not one cell for each role, or is there twice: {row}")
        table |= {(name, role): cell for role, cell in zip(roles, cells, strict=True)}
    return table


_OPEN = read(OPEN)
MESSAGES = list(dict.fromkeys(name for name, _ in _OPEN))


def cells(state: str) -> Table:
    """Return the complete table of a state.

    Raises:
        KeyError: a cell is missing.

    """
    own = read(TABLES[state])
    roles = TABLES[state].split("\n")[1].split()
    table: Table = {}
    for name in MESSAGES:
        for role in roles:
            cell = own.get((name, role), ".")
            table[name, role] = _OPEN[name, role] if cell == "." else cell
    return table


class CompletenessTests(SynchronousTestCase):
    """The completeness of the tables."""

    def test_every_message_is_in_the_table(self) -> None:
        """Each request type of the native dialect has a row, and so has each type that only the serde dialect has."""
        types = {_request(name, Scene("lobby"), "host").__class__ for name in MESSAGES}
        self.assertEqual(types, {*REQUESTS.values(), Debug})

    def test_every_cell_is_there(self) -> None:
        """A role that `OPEN` lacks has every row in its own table, and every outcome is explained."""
        used = {cell for state in TABLES for cell in cells(state).values()}
        self.assertEqual(used, {*REFUSED, *DONE, "-"})

    def test_every_row_and_role_is_known(self) -> None:
        """A misspelt role would test nothing, and each role occurs in some state."""
        keys = [key for text in TABLES.values() for key in read(text)]
        self.assertEqual({name for name, _ in keys}, set(MESSAGES))
        self.assertEqual({role for _, role in keys}, set(ROLES))


class TableTests(SynchronousTestCase):
    """Each row of each state has its own test; a failure shows the cells that differ."""

    def check_row(self, state: str, name: str) -> None:
        """Test each cell of a row in a new session."""
        wrong: list[str] = []
        for (row, role), cell in cells(state).items():
            if row == name and cell != "-":
                found = self.outcome(Scene(state), name, role, cell)
                wrong += [f"{role}: {cell}: {what}" for what in found]
        self.assertEqual(wrong, [])

    def outcome(self, scene: Scene, name: str, sender: str, cell: str) -> list[str]:
        """Send the request, and return the differences from the expected outcome."""
        world = scene.world
        request = _request(name, scene, sender)
        was_member = sender in scene.members()
        expected = self.expected(scene, request, sender, cell)
        state, outbox = world.state(), scene.guest_outbox() if scene.state == "away" else []
        world.carry_out(world.hub.received(scene.peers[sender], request, world.now))
        heard = {role: [_name(event) for event in world.unread[peer]] for role, peer in scene.peers.items()}
        if scene.state == "away" and cell != "back":
            heard["guest"] = [_name(event) for event in scene.guest_outbox()[len(outbox) :]]
        for role, peer in scene.peers.items():
            heard[role] += ["closed"] if peer in world.closed else []
        wrong = [
            f"{role} hears {heard[role]}, not {expected.get(role, [])}"
            for role in scene.peers
            if heard[role] != expected.get(role, [])
        ]
        if cell in REFUSED and world.state() != state:
            wrong.append("something has changed")
        last = world.unread[scene.peers[sender]][-1:]
        if last and getattr(last[0], "id", None) != ID:
            wrong.append("the reply has not the request's id")
        for event in last:
            if isinstance(event, Error) and (event.about is not type(request) or (event.session and not was_member)):
                wrong.append(f"the error says {event}")
        return wrong

    def expected(self, scene: Scene, request: Request, sender: str, cell: str) -> dict[str, list[str]]:
        """Return the events that each client should receive."""
        if cell in REFUSED:
            return {sender: [REFUSED[cell].value]}
        parts = (part.split(":") for part in DONE[cell].split("; ") if part)
        said = {who: what.split() for who, what in parts}
        others = said.pop("others", [])
        told = {"sender": sender, "target": scene.target(sender)}
        heard = {told.get(who, who): what for who, what in said.items()}
        heard |= {role: others for role in scene.members() if role not in heard and role != sender}
        own = {type_: name for name, type_ in REQUESTS.items()}.get(type(request), "")
        return {role: [own if name == "=" else name for name in what] for role, what in heard.items()}


def _name(event: object) -> str:
    """Return an event's type on the wire, or an error's code."""
    if isinstance(event, Error):
        return str(event.code.value)
    return next(name for type_, name in EVENTS.items() if isinstance(event, type_))


def _row_test(state: str, name: str) -> Callable[[TableTests], None]:
    def test(self: TableTests) -> None:
        self.check_row(state, name)

    test.__doc__ = f"{name} in the state {state}."
    return test


for _state in TABLES:
    for _message in MESSAGES:
        setattr(TableTests, f"test_{_state}_{_message}".replace("-", "_"), _row_test(_state, _message))
