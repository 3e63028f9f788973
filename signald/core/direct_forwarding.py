"""Direct forwarding: the short way of an offer, an answer, candidates or a message between members.

It gives the same results as the general way through `Hub.received`, without a message object and without actions. A
message that is not forwarded to all its receivers at once, for whatever reason, changes nothing here and goes the
general way, which rejects it or keeps it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from attrs import define, field, frozen

from signald.core.actions import Action
from signald.core.forwarding import may_forward
from signald.core.mailboxes import Mailboxes
from signald.core.messages import AppMessage, CountedEvent, Forwardable, SessionId, UserId
from signald.core.session_lifetimes import SessionLifetimes
from signald.core.sessions import Session
from signald.core.users import Peer, PeerId, PeerState, Route, User

MOST_ROUTES = 64
"""Routes that are cached for one connection; the cache is emptied when it is full, since most are outdated then."""


class DirectMessage(ABC):
    """A valid message to be forwarded, in the form in which its dialect read it.

    Attributes:
        kind: the class of the request.
        event_kind: the class of the event that the receivers get.
        session: the session that it names.
        to: its addressee; None for all other members.
        size: its size in bytes, as `mailbox.message_size` gives it for the request and for the event.
        decode_event: decodes a frame of `frame_from`, for a replay of the event or for a snapshot.

    """

    __slots__ = ("decode_event", "event_kind", "kind", "session", "size", "to")

    kind: type[Forwardable]
    event_kind: type[CountedEvent]
    session: SessionId
    to: UserId | None
    size: int
    decode_event: Callable[[bytes], CountedEvent]

    @abstractmethod
    def frame_from(self, sender: UserId) -> bytes:
        """Encode the receivers' event, stamped with the sender's id; to be called once."""


@frozen
class Forwarded:
    """What to do for a message that was forwarded.

    Attributes:
        frame: the frame that each receiver is sent.
        receivers: the receivers' connections.
        actions: what follows for the sender: an acknowledgement that is due.

    """

    frame: bytes
    receivers: tuple[PeerId, ...]
    actions: list[Action]


def _has_other_dialect(_sender: PeerId, _receiver: PeerId) -> bool:
    return False


@define
class DirectForwarder:
    """Forwards messages between users who are connected to this node with the same dialect.

    Attributes:
        peers: the open connections.
        mailboxes: the users with their mailboxes.
        sessions: this node's replicas of the sessions.
        lifetimes: the session's activity is recorded there.
        has_same_dialect: whether the frames of one connection's dialect can be sent to another connection.

    """

    peers: dict[PeerId, Peer]
    mailboxes: Mailboxes
    sessions: dict[SessionId, Session]
    lifetimes: SessionLifetimes
    has_same_dialect: Callable[[PeerId, PeerId], bool] = field(default=_has_other_dialect)

    def forward(self, id: PeerId, message: DirectMessage, now: float) -> Forwarded | None:
        """Forward a message; None, and nothing has changed, where the general way has to decide.

        Arguments:
            id: the sender's connection.
            message: the message.
            now: monotonic seconds.

        """
        peer = self.peers.get(id)
        if peer is None or peer.user is None or peer.state is not PeerState.WELCOMED:
            return None
        user = self.mailboxes.users[peer.user]
        queue = user.queue
        if not user.confirmed or queue.decision is not None or queue.waiting:
            return None
        key = message.session, message.to, message.kind is AppMessage
        route = peer.routes.get(key)
        if route is None or not self._is_valid(route):
            route = self._find_route(peer, user, message)
            if route is None:
                return None
            if len(peer.routes) >= MOST_ROUTES:
                peer.routes.clear()
            peer.routes[key] = route
        size = message.size
        for receiver in route.receivers:
            if receiver.instance is not None and not receiver.outbox.has_room(size):
                return None
        if not peer.budget.take(now):
            return None
        frame = message.frame_from(user.id)
        actions = self.mailboxes.count_message(user, size, now)
        self.lifetimes.record_activity(message.session, now)
        for receiver in route.receivers:
            if receiver.instance is None:
                receiver.outbox.count_unkept()
            else:
                receiver.outbox.append_frame(frame, size, message.decode_event)
        return Forwarded(frame, route.peers, actions)

    def _is_valid(self, route: Route) -> bool:
        """Whether the session has not changed, and the receivers have the connections that the route says."""
        if self.sessions.get(route.session.id) is not route.session:
            return False
        peers = route.peers
        for number, receiver in enumerate(route.receivers):  # noqa: SIM110 # `all` costs half a microsecond more
            if receiver.peer != peers[number]:
                return False
        return True

    def _find_route(self, peer: Peer, user: User, message: DirectMessage) -> Route | None:
        """Find the receivers by the rules of `forwarding`; None where any of them needs the general way."""
        session = self.sessions.get(message.session)
        sender = None if session is None else session.member(user.id)
        if session is None or sender is None or (message.to is None and message.kind is not AppMessage):
            return None
        receivers: list[User] = []
        peers: list[PeerId] = []
        for member in session.others(user.id):
            if member.user != message.to if message.to is not None else not member.traits.messages:
                continue
            receiver = self.mailboxes.users.get(member.user)
            if receiver is None or receiver.peer is None or not may_forward(message.kind, sender, member):
                return None
            if not self.has_same_dialect(peer.id, receiver.peer):
                return None
            receivers.append(receiver)
            peers.append(receiver.peer)
        return Route(session, tuple(receivers), tuple(peers)) if receivers else None
