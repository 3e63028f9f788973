"""The signaling client without I/O: an edge reports what happened, and carries out what each method returns.

`events` lists the effects for the edge and the events for the application. An edge is about this:

    for effect in effects:                           # what every method that reports or wishes something returns
        if isinstance(effect, SendFrame):            # send(effect.text)
        elif isinstance(effect, CloseSocket):        # close(effect.code, effect.reason), and report no more of it
        elif isinstance(effect, ConnectAfter):       # open a socket later, in the place of any that is planned
        elif isinstance(effect, Keep):               # store effect.text where a reload finds it
        elif isinstance(effect, Negotiate):          # the commands of one pair (`negotiation`)
        else:                                        # tell the application

In every list the effects come before the events, so that an application may answer an event with a wish at once. The
parts: `connection` (is there one, and when is the next attempt), `delivery` (what has arrived), `requests` (what waits
for its reply), `sessions` (where, and with whom) and `wishes` (what can be asked for).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .connection import ANEW, CLOSED, CONNECTING, GREETING, PING, READY, SILENT, Connection
from .delivery import Delivery
from .events import (
    EVERYTHING,
    NOTHING,
    CloseSocket,
    ConnectAfter,
    Disconnected,
    Dropped,
    Interrupted,
    Keep,
    Misunderstood,
    Refused,
    Resumed,
    SendFrame,
)
from .requests import EarlyRequests, Requests
from .sessions import Sessions
from .wire import BadMessageError, decode, encode
from .wishes import Wishes

if TYPE_CHECKING:
    from typing import Any

    from .connection import Random
    from .negotiation import Negotiator
    from .wire import Codec, Message, Value

__all__ = [
    "CLOSED",
    "CONNECTING",
    "GREETING",
    "NO_ROLLBACK",
    "READY",
    "RELAY_ONLY",
    "SUBPROTOCOL",
    "SignalingClient",
]

SUBPROTOCOL = "signald.1"
"""What the edge offers in `Sec-WebSocket-Protocol`."""

VERSION = 1
"""The version of the protocol."""

NO_ROLLBACK = "no-rollback"
"""The feature of a client whose edge cannot roll back an offer."""

RELAY_ONLY = "relay-only"
"""The feature of a client whose edge connects through TURN servers alone in a session that has `relay_only`."""

SILENT_CODE = 3008
"""The close code for a silent server: "timeout" in IANA's registry, and one that a page may use."""

OVER = ("replaced", "secret-reused")
"""Close reasons after which the client does not come back: its identity is another's, or nobody's any more."""

REPLACED_CODE = 4001
"""The close code that says the same as `replaced`, for an edge that does not get to know the reason."""

RESTART_CODE = 1012
"""The close code of a server that comes back ("service restart" in IANA's registry)."""

GREETING_ID = "greeting"
"""The request id of `hello` and `resume`."""

BY_CHANCE = ("internal-error", "going-away")
"""Refusals of a hello that the next attempt need not meet."""


class SignalingClient(Wishes):
    """One client's view of its connection, its sessions and their members.

    Every method that returns a list returns effects and events, to be carried out and told in their order. `now` is a
    clock in seconds that never goes back.

    A lost connection is opened again by itself. Requests made before the first welcome wait for it, up to the bounds of
    the outbox (`delivery`). Requests made while the connection is lost wait for the resume, up to the same bounds and
    for as long as the server keeps the identity (the grace).

    Attributes:
        user: this client's user; None until it is welcomed.
        welcome: the server's latest `messages.Welcome` with its limits; None until then.
        ice_servers: the STUN and TURN servers for new connections, and for the next ICE restart of the others: those of
            the latest `messages.Welcome` or `messages.IceServers`.

    """

    def __init__(
        self,
        codec: Codec,
        random: Random,
        instance: str,
        agent: str | None = None,
        features: list[str] | None = None,
        kept: str | None = None,
        token: str | None = None,
    ) -> None:
        """Begin without a connection.

        Args:
            codec: what has `dumps` and `loads` as Python's `json` module has.
            random: gives floats from 0 up to 1, for the times of attempts to connect.
            instance: 1 to 64 characters, random for each start of the program, or each time the page is loaded.
            agent: name of the program, up to 64 characters.
            features: what the client can or cannot do, as `hello` lists it.
            kept: the text of the last `Keep` of an earlier instance, which the client tries to succeed: its sessions
                then come as `messages.Joined` after `Resumed("membership")`.
            token: what the client may do, where the server needs that (docs/tokens.md).

        """
        self.user: str | None = None
        self.welcome: messages.Welcome | None = None
        self.ice_servers: list[messages.IceServer] = []
        self._codec = codec
        self._instance = instance
        self._agent = agent
        self._features = features
        self._token = token
        self._identity = self._read_kept(kept)  # user and secret, where the server can resume
        self._connection = Connection(random)
        self._early = EarlyRequests()
        self._delivery = Delivery()
        self._requests = Requests()
        self._greeting: Any = None
        self._sessions = Sessions(NO_ROLLBACK not in (features or []))
        self._now = 0.0
        self._lost = 0.0  # when the connection was lost
        self._away: float | None = None  # the seconds that the server told before it stops

    @property
    def state(self) -> str:
        """Whether there is a connection: `closed`, `connecting`, `greeting` or `ready`."""
        return self._connection.state

    # Facts from the edge

    def socket_opened(self, now: float) -> list[Value]:
        """The WebSocket is open, with the subprotocol `signald.1`."""
        self._now = now
        if not self._connection.opened(now):
            return []
        if self._identity is None:
            self._greeting = messages.Hello(
                VERSION, agent=self._agent, features=self._features, instance=self._instance, token=self._token
            )
        else:
            self._greeting = messages.Resume(
                VERSION,
                self._identity[0],
                self._identity[1],
                self._instance,
                self._delivery.received,
                agent=self._agent,
                features=self._features,
                token=self._token,
            )
        self._greeting.id = GREETING_ID
        return [self._frame(self._greeting)]

    def frame_received(self, text: str, now: float) -> list[Value]:
        """A text message came."""
        self._now = now
        if self.state not in (GREETING, READY):
            return []
        self._connection.heard(now)
        try:
            message = decode(text, self._codec)
            events: list[Value] | None = None
        except BadMessageError as error:
            message = None
            events = [Misunderstood(str(error))]
        if self.state == GREETING:
            return self._greeted(message) if events is None else events
        effects: list[Value] = []
        # What this client does not understand was counted by the server all the same.
        counted = message is None or message.counted
        if counted and self._delivery.arrived(len(text.encode()), now):
            effects.append(self._acknowledge())
        return effects + (self._happened(message) if events is None else events)

    def socket_closed(self, code: int, reason: str, now: float) -> list[Value]:
        """The WebSocket is closed, or could not be opened; of the newest socket only."""
        self._now = now
        if code == REPLACED_CODE or reason in OVER:
            return self._end(code, reason)
        after = self._away if code == RESTART_CODE else None
        if self.state == READY:
            self._lost = now
            self._away = None
        seconds = self._connection.lost(now, after)
        return [] if seconds is None else [ConnectAfter(seconds), Interrupted(seconds)]

    def tick(self, now: float) -> list[Value]:
        """Time goes on: call it about once a second."""
        self._now = now
        todo = self._connection.tick(now)
        if todo == SILENT:
            effects: list[Value] = [CloseSocket(SILENT_CODE, "server-silent")]
            return effects + self.socket_closed(SILENT_CODE, "server-silent", now)
        if self.state != READY:
            return []
        effects = [self._frame(messages.Ping())] if todo == PING else []
        if self._delivery.overdue(now):
            effects.append(self._acknowledge())
        for request in self._requests.overdue(now):
            effects.append(_refusal("no-reply", "What became of the request was lost with the connection.", request))
        return effects

    def hurry(self, now: float) -> list[Value]:
        """Something suggests that the network changed: a page is online or visible again; or a person is impatient.

        An open connection has to prove itself within 3 s, and a planned attempt to connect is made at once.
        """
        self._now = now
        todo = self._connection.hurry(now)
        if todo == PING:
            return [self._frame(messages.Ping())]
        return [ConnectAfter(0.0), Interrupted(0.0)] if todo == ANEW else []

    # Wishes of the application

    def connect(self) -> list[Value]:
        """Connect, and stay so until `disconnect`; `messages.Welcome` follows, or `Interrupted` for each failure."""
        return [ConnectAfter(0.0)] if self._connection.wanted() else []

    def disconnect(self) -> list[Value]:
        """End the connection and the identity, and so all memberships; `Disconnected` is in the list."""
        if self.state == CLOSED:
            return []
        effects: list[Value] = [CloseSocket(1000, "")]
        return effects + self._end(1000, "")

    def send(self, message: Message) -> list[Value]:
        """Send a request, now or when the connection is back (`Wishes.send`)."""
        if self.state in (CONNECTING, GREETING) and self.welcome is None:
            if not self._early.add(message, len(encode(message, self._codec).encode())):
                return [_refusal("not-connected", "Too many requests wait for the server's welcome.", message)]
            return []
        self._requests.add(message)
        frame = encode(message, self._codec)
        size = len(frame.encode())
        if self.welcome is not None and size > self.welcome.limits.message_bytes:
            # It would close the connection, and be sent again after each resume.
            self._requests.take(message.id)
            return [_refusal("message-too-large", "The message is too large.", message)]
        if self.state != READY and not self._may_wait(size):
            self._requests.take(message.id)
            return [_refusal("not-connected", "There is no connection to the server.", message)]
        self._delivery.sending(message, frame, size)
        return [SendFrame(frame)] if self.state == READY else []

    # Questions

    def negotiator(self, session: str, user: str) -> Negotiator | None:
        """Return the negotiations with a member; None when there is no such member.

        It is another one after the member was renewed, and for every member after a resume with the membership alone.
        """
        return self._sessions.negotiator(session, user)

    # What follows

    def _frame(self, message: Message) -> Value:
        return SendFrame(encode(message, self._codec))

    def _acknowledge(self) -> Value:
        return self._frame(messages.Ack(self._delivery.acknowledging()))

    def _may_wait(self, size: int) -> bool:
        """Whether a message of so many bytes can wait for the connection to come back."""
        if self.welcome is None or self.welcome.grace is None or self._identity is None:
            return False
        return self._now - self._lost < self.welcome.grace and not self._delivery.full(size)

    def _read_kept(self, kept: str | None) -> tuple[str, str] | None:
        """Return the identity of an earlier instance."""
        try:
            plain = self._codec.loads(kept or "null")
            return plain["user"], plain["secret"]
        except (KeyError, TypeError, ValueError):
            return None

    def _end(self, code: int, reason: str) -> list[Value]:
        """The connection is over for good, and the identity with it."""
        if not self._connection.ended():
            return []
        effects: list[Value] = [] if self._identity is None else [Keep(None)]
        self._forget_everything(False)
        self._early.take_all()
        self.user = self.welcome = self._identity = None
        effects.append(Disconnected(code, reason))
        return effects

    def _forget_everything(self, keeps: bool) -> list[Message]:
        """Begin to count anew, without a session, and return the messages that are lost with that."""
        lost = self._requests.clear(self._delivery.messages())
        self._delivery.begin(keeps)
        self._sessions.clear()
        return lost

    # The greeting

    def _greeted(self, message: Message | None) -> list[Value]:
        """The server answers the greeting."""
        if isinstance(message, messages.Welcome):
            return self._welcomed(message)
        if not isinstance(message, messages.Error):
            return []
        refusal = _refusal(message.code, message.message, self._greeting)
        if message.code in BY_CHANCE:
            # The server closes the socket.
            return [refusal]
        effects: list[Value] = [CloseSocket(1000, "")]
        effects += self._end(1000, message.code)
        effects.insert(-1, refusal)
        return effects

    def _welcomed(self, welcome: messages.Welcome) -> list[Value]:
        self._connection.welcomed(self._now)
        new = self.user is None and self._identity is None
        survival = None if new else welcome.resumed or NOTHING
        effects: list[Value] = []
        dropped: list[Message] = []
        self.user = welcome.user
        self.welcome = welcome
        self.ice_servers = welcome.ice_servers
        if survival == EVERYTHING:
            self._requests.received(self._delivery.acknowledged(welcome.received or 0) or [])
            self._requests.expect(self._delivery.messages(), self._now)
        else:
            dropped = self._forget_everything(welcome.secret is not None)
        if survival is not None:
            # At once, since the secret before this one is valid until then (docs/protocol.md, "Resume").
            effects.append(self._acknowledge())
            effects += [SendFrame(frame) for frame in self._delivery.frames()]
        refusals: list[Value] = []
        for request in self._early.take_all():
            for effect in self.send(request):
                (effects if isinstance(effect, SendFrame) else refusals).append(effect)
        if welcome.secret is not None:
            self._identity = (welcome.user, welcome.secret)
            effects.append(Keep(self._codec.dumps({"user": welcome.user, "secret": welcome.secret})))
        elif self._identity is not None:
            self._identity = None
            effects.append(Keep(None))
        effects.append(welcome)
        if survival is not None:
            effects.append(Resumed(survival))
        if dropped:
            effects.append(Dropped(dropped))
        return effects + refusals

    # What the server tells

    def _happened(self, message: Any) -> list[Value]:
        """Follow what the server tells."""
        if message is None or isinstance(message, (messages.Pong, messages.Welcome)):
            return []
        if isinstance(message, messages.Error):
            return [self._refused(message)]
        if isinstance(message, messages.Ack):
            acknowledged = self._delivery.acknowledged(message.received)
            if acknowledged is None:
                return [Misunderstood("The server acknowledges what was never sent.")]
            self._requests.received(acknowledged)
            return []
        if isinstance(message, messages.GoingAway):
            self._away = message.after
            return [message]
        if isinstance(message, messages.IceServers):
            self.ice_servers = message.ice_servers
            return [message]
        self._requests.take(getattr(message, "id", None))
        if isinstance(message, messages.Done):
            return [message]
        return self._sessions.happened(message, self.user or "")

    def _refused(self, error: messages.Error) -> Value:
        request = self._requests.take(error.id)
        if request is None:
            return Refused(error.code, error.message, error.about, error.session)
        return _refusal(error.code, error.message, request)


def _refusal(code: str, sentence: str, request: Any) -> Value:
    """Return the refusal of a request that is known."""
    user = getattr(request, "to", None) or getattr(request, "user", None)
    return Refused(code, sentence, request.type, getattr(request, "session", None), user, request)
