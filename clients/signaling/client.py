"""The signaling client without I/O: an edge reports what happened, and carries out what each method returns.

`events` lists the effects for the edge and the events for the application. An edge is about this:

    for effect in effects:                           # what every method that reports or wishes something returns
        if isinstance(effect, SendFrame):            # send(effect.text)
        elif isinstance(effect, CloseSocket):        # close(effect.code, effect.reason); no further report of that socket
        elif isinstance(effect, ConnectAfter):       # open a socket later; in the place of whatever is planned or opened
        elif isinstance(effect, Keep):               # store effect.text where a reload finds it
        elif isinstance(effect, Negotiate):          # the commands of one pair (`negotiation`)
        else:                                        # tell the application

In every list the frames come before the events, so that an application may answer an event with another request at once.
The parts: `connection` (is there one, and when is the next attempt), `delivery` (what has arrived), `requests` (what waits
for its reply), and here the sessions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import messages
from .connection import CLOSED, CONNECTING, GREETING, PING, READY, SILENT, Connection
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
    Negotiate,
    Refused,
    Resumed,
    SendFrame,
)
from .negotiation import Negotiator
from .requests import Requests
from .wire import BadMessageError, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .wire import Codec, Message, Value

__all__ = [
    "CLOSED",
    "CONNECTING",
    "GREETING",
    "NO_ROLLBACK",
    "READY",
    "SUBPROTOCOL",
    "SignalingClient",
]

SUBPROTOCOL = "signald.1"
"""What the edge offers in `Sec-WebSocket-Protocol`."""

VERSION = 1
"""The version of the protocol."""

NO_ROLLBACK = "no-rollback"
"""The feature of a client whose edge cannot roll back an offer."""

SILENT_CODE = 3008
"""The close code for a silent server: "timeout" in IANA's registry, and one that a page may use."""

OVER = ("replaced", "secret-reused")
"""Close reasons after which the client does not come back: somebody else has its identity, or nobody (docs/protocol.md)."""

REPLACED_CODE = 4001
"""The close code that says the same as `replaced`, for an edge that does not get to know the reason."""

BY_CHANCE = ("internal-error", "going-away", "server-full")
"""Refusals of a hello that the next attempt need not meet."""


class SignalingClient:
    """One client's view of its connection, its sessions and their members.

    Every method that returns a list returns effects and events, to be carried out and told in their order. `now` is a
    clock in seconds that never goes back.

    A lost connection is opened again by itself. Until it is back, requests are taken for as long as the server keeps the
    identity (the grace) and up to a bound, and are sent then.

    Attributes:
        user: this client's user; None until it is welcomed.
        welcome: the server's latest `messages.Welcome` with limits and ICE servers; None until then.

    """

    def __init__(
        self,
        codec: Codec,
        random: Callable[[], float],
        instance: str,
        agent: str | None = None,
        features: list[str] | None = None,
        kept: str | None = None,
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

        """

    @property
    def state(self) -> str:
        """Whether there is a connection: `closed`, `connecting`, `greeting` or `ready`."""

    # Facts from the edge

    def socket_opened(self, now: float) -> list[Value]:
        """The WebSocket is open, with the subprotocol `signald.1`."""

    def frame_received(self, text: str, now: float) -> list[Value]:
        """A text message came."""

    def socket_closed(self, code: int, reason: str, now: float) -> list[Value]:
        """The WebSocket is closed, or could not be opened; of the newest socket only."""

    def tick(self, now: float) -> list[Value]:
        """Time goes on: call it about once a second."""

    def hurry(self, now: float) -> list[Value]:
        """Something suggests that the network changed: a page's `online` event, or that it is visible again; or a press.

        An open connection has to prove itself within 3 s, and a planned attempt to connect is made at once.
        """

    # Wishes of the application

    def connect(self) -> list[Value]:
        """Connect, and stay so until `disconnect`; `messages.Welcome` follows, or `Interrupted` for each failure."""

    def disconnect(self) -> list[Value]:
        """End the connection and the identity, and so all memberships; `Disconnected` is in the list."""

    def open(
        self,
        capacity: int | None = None,
        name: str | None = None,
        label: str | None = None,
        password: str | None = None,
        lobby: bool | None = None,
        succession: bool | None = None,
        keep: bool | None = None,
        session: str | None = None,
        host_key: str | None = None,
    ) -> list[Value]:
        """Open a session (docs/protocol.md, "Requests"); `messages.Opened` or `Refused` follows.

        Args:
            capacity: members at most; 2 by default.
            name: one's own, up to 64 characters.
            label: the session's, up to 64 characters.
            password: what those who join have to know.
            lobby: whether the host admits each who joins.
            succession: whether the session outlives its host.
            keep: whether to get a host key, with which the same id can be opened again.
            session: the id of a kept session that is to be opened again.
            host_key: its key.

        """

    def join(self, session: str, name: str | None = None, password: str | None = None) -> list[Value]:
        """Join a session by its canonical id.

        `messages.Joined` or `Refused` follows; or `messages.Waiting`, and later `Joined` or `messages.NotAdmitted`.
        """

    def leave(self, session: str) -> list[Value]:
        """Leave a session, or wait at it no longer; `messages.Left` follows."""

    def change(
        self, session: str, label: str | None = None, locked: bool | None = None, lobby: bool | None = None
    ) -> list[Value]:
        """As the host, change what is not None; `messages.Changed` and `Done` follow, as for everybody and to this one."""

    def admit(self, session: str, user: str) -> list[Value]:
        """As the host, let in one who knocked; `messages.Done` follows."""

    def refuse(self, session: str, user: str) -> list[Value]:
        """As the host, turn away one who knocked; `messages.Done` follows."""

    def remove(self, session: str, user: str) -> list[Value]:
        """As the host, end a guest's membership; `messages.Done` follows."""

    def hand_over(self, session: str, user: str) -> list[Value]:
        """As the host, make a guest the host; `messages.Done` follows."""

    def end(self, session: str) -> list[Value]:
        """As the host, end the session for all; `messages.Done` and `Ended` follow."""

    def say(self, session: str, content: str, to: str | None = None) -> list[Value]:
        """Send up to 16,384 characters of one's own to a member, or to all who hear such messages; no reply follows."""

    def send(self, message: Message) -> list[Value]:
        """Send a request: what a negotiator's `Send` holds, or one of the above; its `id` is set.

        `Refused` is in the list when there is no connection, nor one to wait for (`not-connected`), or when the message
        is larger than the server takes (`message-too-large`).
        """

    # Questions

    def negotiator(self, session: str, user: str) -> Negotiator | None:
        """Return the negotiations with a member; None when there is no such member.

        It is another one after the member was renewed, and for every member after a resume with the membership alone.
        """
