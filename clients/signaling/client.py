"""The signaling client without I/O: an edge reports what happened, and carries out what each method returns.

`events` lists the effects for the edge and the events for the application. An edge is about this:

    for effect in effects:                           # the list that every report and every request returns
        if isinstance(effect, SendFrame):            # send(effect.text)
        elif isinstance(effect, CloseSocket):        # close(effect.code, effect.reason), and ignore the socket then
        elif isinstance(effect, ConnectAfter):       # open a socket later; this replaces a planned attempt
        elif isinstance(effect, StoreIdentity):      # store effect.text where a reload finds it
        elif isinstance(effect, Negotiate):          # the commands for one peer connection (`negotiation_commands`)
        else:                                        # give the event to the application

In every list the effects precede the events, so that an application may answer an event with a request at once. The
parts are `connection` (its state, back-off and watchdog), `handshake` (`hello` or `resume`), `mailboxes` (outbox and
acknowledgements), `requests` (those that wait for the welcome or for a reply), `sessions` (memberships and their
negotiators) and `request_api` (one method for each request).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .connection import CLOSED, CONNECTING, GREETING, PING, READY, RECONNECT, SILENT, Connection
from .events import (
    EVERYTHING,
    NOTHING,
    CloseSocket,
    ConnectAfter,
    Disconnected,
    Dropped,
    Interrupted,
    InvalidMessage,
    Refused,
    Resumed,
    SendFrame,
)
from .handshake import TRANSIENT_ERRORS, Handshake
from .mailboxes import Mailbox
from .request_api import RequestApi
from .requests import EarlyRequests, PendingRequests
from .sessions import Sessions
from .wire import BadMessageError, decode, encode

if TYPE_CHECKING:
    from typing import Any

    from .connection import Random
    from .handshake import Connected
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
"""The WebSocket subprotocol, which the edge offers in `Sec-WebSocket-Protocol`."""

NO_ROLLBACK = "no-rollback"
"""Feature of a client whose edge cannot roll back an offer."""

RELAY_ONLY = "relay-only"
"""Feature of a client whose edge connects through TURN servers alone in a session with `relay_only`."""

SILENT_CODE = 3008
"""Close code for a silent server: "timeout" in IANA's registry, and in the range that a page may use."""

FINAL_REASONS = ("replaced", "secret-reused")
"""Close reasons after which the client does not reconnect: another connection has its identity, or nobody has."""

REPLACED_CODE = 4001
"""Close code with the meaning of the reason `replaced`, for an edge that does not get to know the reason."""

RESTART_CODE = 1012
"""Close code of a server that restarts ("service restart" in IANA's registry)."""


class SignalingClient(RequestApi):
    """One client's state of its connection, its sessions and their members.

    Every method that returns a list returns effects and events, to be carried out and reported in their order. `now` is
    a monotonic clock in seconds.

    The client reconnects by itself. Requests made before the first welcome wait for it, up to the bounds of the outbox
    (`mailboxes`). Requests made while the connection is lost wait for the resume, up to the same bounds, for `grace`
    seconds from a loss or `hold` seconds from a `messages.GoingAway`.

    Attributes:
        user: this client's user id; None before the first welcome.
        welcome: the server's latest `messages.Welcome`, with its limits; None before the first.
        ice_servers: the STUN and TURN servers for new connections, and for the next ICE restart of existing ones: those
            of the latest `messages.Welcome` or `messages.IceServers`.

    """

    def __init__(
        self,
        codec: Codec,
        random: Random,
        instance: str,
        agent: str | None = None,
        features: list[str] | None = None,
        stored_identity: str | None = None,
        token: str | None = None,
        connected: Connected | None = None,
    ) -> None:
        """Create a client without a connection.

        Arguments:
            codec: an object with `dumps` and `loads`, as Python's `json` module has them.
            random: returns floats from 0 up to 1, for the jitter of the back-off.
            instance: 1 to 64 random characters, other ones for each start of the program or load of the page.
            agent: the program's name, up to 64 characters.
            features: what the client can or cannot do, as `hello` lists it.
            stored_identity: the text of the last `StoreIdentity` of an earlier instance, whose identity this client
                resumes if it can: its sessions then come as `messages.Joined` after `Resumed("membership")`.
            token: the token that authorizes this client, where the server needs one (docs/tokens.md).
            connected: returns the members with whom the edge has a peer connection that was connected and has not
                failed, for a return to a server that has lost its state; None for an edge that keeps none.

        """
        self.user: str | None = None
        self.welcome: messages.Welcome | None = None
        self.ice_servers: list[messages.IceServer] = []
        self._codec = codec
        self._connected = connected
        self._handshake = Handshake(codec, instance, agent, features, stored_identity, token)
        self._connection = Connection(random)
        self._early_requests = EarlyRequests()
        self._mailbox = Mailbox()
        self._requests = PendingRequests()
        self._sessions = Sessions(NO_ROLLBACK not in (features or []))
        self._now = 0.0
        self._lost_at = 0.0
        self._held_until: float | None = None  # as the server announced in `going-away`
        self._restart_delay: float | None = None  # the seconds that the server announced in `going-away`
        self._handlers: dict[Any, Any] = {
            messages.Pong: self._ignore,
            messages.Welcome: self._ignore,
            messages.Error: self._error_received,
            messages.Ack: self._ack_received,
            messages.GoingAway: self._going_away_received,
            messages.IceServers: self._ice_servers_received,
        }

    @property
    def state(self) -> str:
        """State of the connection: `closed`, `connecting`, `greeting` or `ready`."""
        return self._connection.state

    @property
    def open_timeout(self) -> float:
        """Seconds that an attempt to connect may take once its TCP connection stands, for an edge that knows that.

        An edge that does not know needs no timeout of its own: `tick` gives up an attempt that takes longer.
        """
        return self._connection.open_timeout

    # Reports of the edge

    def socket_opened(self, now: float) -> list[Value]:
        """Report that the WebSocket is open, with the subprotocol `signald.1`."""
        self._now = now
        if not self._connection.socket_opened(now):
            return []
        return [self._frame(self._handshake.make_request(self._mailbox.received_count, self.connected_users()))]

    def frame_received(self, text: str, now: float) -> list[Value]:
        """Report a text message of the server."""
        self._now = now
        if self.state not in (GREETING, READY):
            return []
        self._connection.message_received(now)
        try:
            message = decode(text, self._codec)
            events: list[Value] | None = None
        except BadMessageError as error:
            message = None
            events = [InvalidMessage(str(error))]
        if self.state == GREETING:
            return self._handshake_answered(message) if events is None else events
        effects: list[Value] = []
        # The server counted a message that this client does not understand like any other.
        counted = message is None or message.counted
        if counted and self._mailbox.record_received(len(text.encode()), now):
            effects.append(self._acknowledge())
        return effects + (self._message_received(message) if events is None else events)

    def socket_closed(self, code: int, reason: str, now: float) -> list[Value]:
        """Report that the newest WebSocket is closed, or could not be opened."""
        self._now = now
        if code == REPLACED_CODE or reason in FINAL_REASONS:
            return self._end(code, reason)
        after = self._restart_delay if code == RESTART_CODE else None
        if self.state == READY:
            self._lost_at = now
            self._restart_delay = None
        seconds = self._connection.socket_lost(now, after)
        return [] if seconds is None else [ConnectAfter(seconds), Interrupted(seconds)]

    def tick(self, now: float) -> list[Value]:
        """Check all timers; the edge calls this about once a second."""
        self._now = now
        todo = self._connection.tick(now)
        if todo == SILENT:
            effects: list[Value] = [CloseSocket(SILENT_CODE, "server-silent")]
            return effects + self.socket_closed(SILENT_CODE, "server-silent", now)
        if self.state != READY:
            return []
        effects = [self._frame(messages.Ping())] if todo == PING else []
        if self._mailbox.is_ack_overdue(now):
            effects.append(self._acknowledge())
        for request in self._requests.take_overdue(now):
            effects.append(
                self._refusal("no-reply", "What became of the request was lost with the connection.", request)
            )
        return effects

    def probe_connection(self, now: float) -> list[Value]:
        """Check the connection at once: the network may have changed, a page is visible again, or a person waits.

        An open connection has to answer a ping within 3 s, and a planned attempt to connect is made at once.
        """
        self._now = now
        todo = self._connection.probe(now)
        if todo == PING:
            return [self._frame(messages.Ping())]
        return [ConnectAfter(0.0), Interrupted(0.0)] if todo == RECONNECT else []

    # Calls of the application

    def connect(self) -> list[Value]:
        """Connect, and reconnect until `disconnect`; `messages.Welcome` follows, or `Interrupted` for each failure."""
        return [ConnectAfter(0.0)] if self._connection.start() else []

    def disconnect(self) -> list[Value]:
        """End the connection, the identity and so all memberships; `Disconnected` is in the list."""
        if self.state == CLOSED:
            return []
        effects: list[Value] = [CloseSocket(1000, "")]
        return effects + self._end(1000, "")

    def send_request(self, message: Message) -> list[Value]:
        """Send a request, now or after the welcome that the client waits for (`RequestApi.send_request`)."""
        for field in ("to", "user"):
            if getattr(message, field, None) is not None:
                setattr(message, field, self._sessions.server_id(getattr(message, field)))
        if self.welcome is None and self.state in (CONNECTING, GREETING):
            size = len(encode(message, self._codec).encode())
            if self._early_requests.add(message, size):
                return []
            return [self._refusal("not-connected", "Too many requests wait for a connection to the server.", message)]
        self._requests.register(message)
        frame = encode(message, self._codec)
        size = len(frame.encode())
        if self.welcome is not None and size > self.welcome.limits.message_bytes:
            # The server would close the connection, and each resume would send the message again.
            self._requests.take(message.id)
            return [self._refusal("message-too-large", "The message is too large.", message)]
        if self.state != READY and not self._may_wait(size):
            self._requests.take(message.id)
            return [self._refusal("not-connected", "There is no connection to the server.", message)]
        self._mailbox.record_sent(message, frame, size)
        return [SendFrame(frame)] if self.state == READY else []

    # Queries

    def negotiator(self, session: str, user: str) -> Negotiator | None:
        """Return the negotiator for a member; None when there is no such member.

        A member gets a new one when it is renewed, and every member does after a resume with the membership alone.
        """
        return self._sessions.negotiator(session, user)

    def ticket(self, session: str) -> str | None:
        """Return the latest rejoin ticket for a session that the client is or was a member of; None without one.

        It survives `Resumed("nothing")`, for the request that leads back into the session.
        """
        return self._sessions.ticket(session)

    def connected_users(self) -> list[str]:
        """Return for `open_session` and `join_session` the members, by the server's ids, whose connections are kept."""
        return [] if self._connected is None else self._sessions.established(self._connected())

    # Helpers

    def _frame(self, message: Message) -> Value:
        return SendFrame(encode(message, self._codec))

    def _acknowledge(self) -> Value:
        return self._frame(messages.Ack(self._mailbox.take_ack_count()))

    def _may_wait(self, size: int) -> bool:
        """Whether a message of so many bytes can wait for the resume."""
        if self.welcome is None or self.welcome.grace is None or self._handshake.identity is None:
            return False
        until = self._lost_at + self.welcome.grace if self._held_until is None else self._held_until
        return self._now < until and not self._mailbox.is_full(size)

    def _end(self, code: int, reason: str) -> list[Value]:
        """End the connection for good, and the identity with it."""
        if not self._connection.end():
            return []
        self._reset(False)
        self._early_requests.take_all()
        self.user = self.welcome = None
        effects = self._handshake.forget_identity()
        effects.append(Disconnected(code, reason))
        return effects

    def _reset(self, resumable: bool) -> list[Message]:
        """Forget all sessions, count from 0 again, and return the messages that are lost with that."""
        lost = self._requests.take_lost(self._mailbox.unacknowledged_messages())
        self._mailbox.restart(resumable)
        self._sessions.clear()
        return lost

    # The handshake

    def _handshake_answered(self, message: Message | None) -> list[Value]:
        """Handle the answer to `hello` or `resume`; ignore any other message."""
        if isinstance(message, messages.Welcome):
            return self._welcome_received(message)
        if not isinstance(message, messages.Error):
            return []
        refusal = self._refusal(message.code, message.message, self._handshake.request)
        if message.code in TRANSIENT_ERRORS:
            # The server closes the socket.
            return [refusal]
        effects: list[Value] = [CloseSocket(1000, "")]
        effects += self._end(1000, message.code)
        effects.insert(-1, refusal)
        return effects

    def _welcome_received(self, welcome: messages.Welcome) -> list[Value]:
        self._connection.welcome_received(self._now)
        self._held_until = None
        is_new = self.user is None and self._handshake.identity is None
        survival = None if is_new else welcome.resumed or NOTHING
        effects: list[Value] = []
        events: list[Value] = [welcome]
        self.user = welcome.user
        self.welcome = welcome
        self.ice_servers = welcome.ice_servers
        if survival is not None:
            events.append(Resumed(survival))
        if survival == EVERYTHING:
            self._requests.mark_acknowledged(self._mailbox.remove_acknowledged(welcome.received or 0) or [])
            self._requests.expect_replies(self._mailbox.unacknowledged_messages(), self._now)
        else:
            dropped = self._reset(welcome.secret is not None)
            if dropped:
                events.append(Dropped(dropped))
        if survival is not None:
            # Acknowledged at once, since the previous secret is valid until then (docs/protocol.md, "Resume").
            effects.append(self._acknowledge())
            effects += [SendFrame(frame) for frame in self._mailbox.unacknowledged_frames()]
        for request in self._early_requests.take_all():
            for result in self.send_request(request):
                (effects if isinstance(result, SendFrame) else events).append(result)
        effects += self._handshake.adopt_identity(welcome)
        return effects + events

    # Messages of the server after the handshake

    def _message_received(self, message: Message | None) -> list[Value]:
        if message is None:
            return []
        handler = self._handlers.get(type(message))
        if handler is not None:
            events: list[Value] = handler(message)
            return events
        self._requests.take(message.id)
        if isinstance(message, messages.Done):
            return [message]
        return self._sessions.message_received(message, self.user or "")

    def _ignore(self, message: Message) -> list[Value]:
        return []

    def _error_received(self, error: messages.Error) -> list[Value]:
        request = self._requests.take(error.id)
        if request is None:
            return [Refused(error.code, error.message, error.about, error.session)]
        return [self._refusal(error.code, error.message, request)]

    def _ack_received(self, ack: messages.Ack) -> list[Value]:
        acknowledged = self._mailbox.remove_acknowledged(ack.received)
        if acknowledged is None:
            return [InvalidMessage("The server acknowledges more messages than this client has sent.")]
        self._requests.mark_acknowledged(acknowledged)
        return []

    def _going_away_received(self, message: messages.GoingAway) -> list[Value]:
        self._restart_delay = message.after
        self._held_until = None if message.hold is None else self._now + message.hold
        self._connection.expect_restart()
        return [message]

    def _ice_servers_received(self, message: messages.IceServers) -> list[Value]:
        self.ice_servers = message.ice_servers
        return [message]

    def _refusal(self, code: str, sentence: str, request: Any) -> Value:
        """Return the refusal of a known request."""
        user = getattr(request, "to", None) or getattr(request, "user", None)
        user = None if user is None else self._sessions.known_id(user)
        return Refused(code, sentence, request.type, getattr(request, "session", None), user, request)
