"""What a connection says before it is welcomed: hello, or that it comes back (docs/protocol.md, "Resume")."""

from __future__ import annotations

from typing import cast

from attrs import define, evolve, field

from signald.core.actions import Action, Send
from signald.core.budgets import AddressBudget, guesses
from signald.core.decisions import Forget, Identified, Identify, MarkAway, NotResumed, RenewUser, Resumed, ResumeUser
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.ice import IceSupply
from signald.core.limits import Limits
from signald.core.mailboxes import Mailboxes, close
from signald.core.messages import (
    Count,
    Error,
    Hello,
    LeaveReason,
    Ping,
    Pong,
    Request,
    Resume,
    Secret,
    ServerLimits,
    Survival,
    Traits,
    Welcome,
)
from signald.core.pending_decisions import Pending, PendingDecisions
from signald.core.replicas import SessionReplicas
from signald.core.users import Peer, PeerEvent, PeerId, PeerState, User, UserEvent

PROTOCOL_VERSION = 1
NO_ROLLBACK = "no-rollback"
RELAY_ONLY = "relay-only"


@define
class Handshake:
    """Welcomes peers, as new users or as those that they were.

    Attributes:
        limits: told in `welcome`.
        server: name and version, for `welcome`.
        ice: tells the STUN and TURN servers.
        peers: the hub's.
        mailboxes: the users.
        replicas: the sessions.
        decisions: the decisions under way.
        tokens: bad tokens of each address.

    """

    limits: Limits
    server: str
    ice: IceSupply
    peers: dict[PeerId, Peer]
    mailboxes: Mailboxes
    replicas: SessionReplicas
    decisions: PendingDecisions
    tokens: AddressBudget = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Make the part that has the limits too."""
        self.tokens = AddressBudget(guesses(self.limits))

    def configure(self, limits: Limits) -> None:
        """Go on with other limits."""
        self.limits = limits
        self.tokens.terms = guesses(limits)

    def tick(self, now: float) -> None:
        """Forget bad tokens of long ago."""
        self.tokens.forget(now)

    def greet(self, peer: Peer, request: Request, now: float) -> list[Action]:
        """Take a request of a peer that is not welcomed yet."""
        match request:
            case Ping():
                return [Send(peer.id, Pong(request.id))]
            case Hello() | Resume() if request.version != PROTOCOL_VERSION:
                return [_refused(peer, ErrorCode.UNSUPPORTED_VERSION, request)]
            case Hello():
                return [self._identify(peer, request, now)]
            case Resume():
                user = self.mailboxes.users.get(request.user)
                whole = user is not None and user.outbox.can_continue(request.received)
                traits = _traits(peer.traits, request)
                operation = ResumeUser(request.user, request.secret, request.instance, traits, whole)
                return [self.decisions.ask_for_peer(operation, peer, request)]
            case _:
                return [_refused(peer, ErrorCode.HELLO_FIRST, request)]

    def _identify(self, peer: Peer, request: Hello | Resume, now: float) -> Action:
        """Ask for a new identity, unless there are too many, or too many tokens from there were bad."""
        if len(self.mailboxes.users) >= self.limits.users:
            return _refused(peer, ErrorCode.SERVER_FULL, request)
        if request.token is not None and not self.tokens.has(peer.address, now):
            return _refused(peer, ErrorCode.TOO_MANY_GUESSES, request)
        return self.decisions.ask_for_peer(Identify(request.instance, request.token), peer, request)

    def identified(self, pending: Pending, outcome: Identified, now: float) -> list[Action]:
        """Welcome a new user; forget it if its peer is gone meanwhile."""
        peer = self._asker(pending)
        if peer is None or not isinstance(pending.request, Hello | Resume):
            return [self.decisions.ask(Forget(outcome.user, LeaveReason.GONE))]
        peer.traits = _traits(peer.traits, pending.request)
        user = self.mailboxes.add(outcome.user, peer.id, peer.address, peer.traits, pending.request.instance)
        survival = Survival.NOTHING if isinstance(pending.request, Resume) else None
        return self._welcome(peer, user, pending.request, outcome.secret, outcome.grant, survival, now)

    def resumed(self, pending: Pending, outcome: Resumed, now: float) -> list[Action]:
        """Give a user its new peer, whether or not it has an old one."""
        request = _resume_of(pending)
        user = self.mailboxes.users.get(request.user)
        peer = self._asker(pending)
        if user is None or outcome.rotation <= user.rotation:
            # What another connection got meanwhile is newer.
            return [] if peer is None else close(peer, ErrorCode.REPLACED)
        user.rotation = outcome.rotation
        if peer is None:
            if not outcome.whole:
                # Everybody begins anew with it already, and so will it when it comes again.
                user.outbox.spoil()
            return self._lost_again(user)
        # A client that missed the welcome of a restart counts from an earlier beginning.
        same_count = user.instance == request.instance and (outcome.newest or not user.restarted)
        whole = outcome.whole and same_count and user.outbox.can_continue(request.received)
        if outcome.whole and not whole:
            operation = RenewUser(user.id, _traits(peer.traits, request))
            return [self.decisions.ask_for_peer(operation, peer, request, outcome)]
        return self._take_over(user, peer, request, outcome, whole, now)

    def _lost_again(self, user: User) -> list[Action]:
        """The peer that was to be a user's is gone: the user is away, unless it has an older one still."""
        return [self.decisions.ask(MarkAway(user.id))] if user.peer is None else []

    def _take_over(
        self, user: User, peer: Peer, request: Resume, outcome: Resumed, whole: bool, now: float
    ) -> list[Action]:
        actions: list[Action] = []
        ghost = None if user.peer is None else self.peers.get(user.peer)
        if ghost is not None:
            ghost.user = None
            actions += close(ghost, ErrorCode.REPLACED)
        user.confirmed = False
        user.peer = peer.id
        user.address = peer.address
        user.instance = request.instance
        user.step(UserEvent.RESUMED)
        if not whole:
            user.outbox.restart()
            user.inbox.restart()
            user.restarted = True
            user.traits = _traits(peer.traits, request)
            user.queue.waiting.clear()
            actions += self._welcome(peer, user, request, outcome.secret, outcome.grant, Survival.MEMBERSHIP, now)
            return actions + self.replicas.enter_again(user)
        user.restarted = False
        user.outbox.acknowledge(request.received)
        received = Count(user.inbox.acknowledge())
        survival = Survival.EVERYTHING
        actions += self._welcome(peer, user, request, outcome.secret, outcome.grant, survival, now, received)
        return actions + [Send(peer.id, event) for event, _ in user.outbox.waiting]

    def not_resumed(self, pending: Pending, outcome: NotResumed, now: float) -> list[Action]:
        """Begin a new identity for a peer that was to resume another, and end the one whose secret was used twice."""
        request = _resume_of(pending)
        actions: list[Action] = []
        user = self.mailboxes.users.get(request.user) if outcome.ended else None
        if user is not None:
            peer = None if user.peer is None else self.peers.get(user.peer)
            user.step(UserEvent.SECRET_REUSED)
            self.mailboxes.drop(user)
            if peer is not None:
                peer.user = None
                actions += close(peer, ErrorCode.SECRET_REUSED)
        for change in outcome.changes:
            actions += self.replicas.absorb(change, now)
        asker = self._asker(pending)
        if asker is not None:
            actions.append(self._identify(asker, request, now))
        return actions

    def _welcome(
        self,
        peer: Peer,
        user: User,
        request: Hello | Resume,
        secret: Secret | None,
        grant: Grant | None,
        resumed: Survival | None,
        now: float,
        received: Count | None = None,
    ) -> list[Action]:
        peer.user = user.id
        peer.step(PeerEvent.WELCOME)
        limits = ServerLimits(
            message_bytes=self.limits.message_bytes,
            messages_per_second=self.limits.message_rate,
            messages_burst=self.limits.message_burst,
            session_members=self.limits.session_members,
        )
        welcome = Welcome(
            version=PROTOCOL_VERSION,
            server=self.server,
            user=user.id,
            features=(),
            limits=limits,
            ice_servers=(),
            secret=secret,
            grace=None if secret is None else self.limits.grace_seconds,
            resumed=resumed,
            received=received,
            role=None if grant is None else grant.role,
            session=None if grant is None else grant.session,
            id=request.id,
        )
        return self.ice.welcome(peer.id, user, welcome, now)

    def renewed(self, pending: Pending, now: float) -> list[Action]:
        """Welcome a user with whom everybody begins anew."""
        request, resumed = _resume_of(pending), pending.resumed
        peer = self._asker(pending)
        user = self.mailboxes.users.get(request.user)
        if user is None or resumed is None or user.rotation != resumed.rotation:
            return [] if peer is None else close(peer, ErrorCode.REPLACED)
        if peer is None:
            user.outbox.spoil()
            return self._lost_again(user)
        return self._take_over(user, peer, request, resumed, whole=False, now=now)

    def refused(self, pending: Pending, code: ErrorCode, now: float) -> list[Action]:
        """Tell a peer that it is not welcomed; one whose identity ended in this moment gets another.

        A bad token counts also where its peer is gone.
        """
        peer, request = self._asker(pending), pending.request
        if code is ErrorCode.TOKEN_INVALID and pending.address is not None:
            self.tokens.take(pending.address, now)
        if peer is None or request is None:
            return []
        if isinstance(pending.operation, RenewUser) and isinstance(request, Resume):
            return [self._identify(peer, request, now)]
        return [_refused(peer, code, request)]

    def _asker(self, pending: Pending) -> Peer | None:
        """The peer that waits for its welcome, unless it is told to go meanwhile."""
        peer = None if pending.peer is None else self.peers.get(pending.peer)
        return None if peer is None or peer.state is PeerState.CLOSING else peer


def _resume_of(pending: Pending) -> Resume:
    """The request behind a decision that nothing but a resume asks for."""
    return cast(Resume, pending.request)


def _refused(peer: Peer, code: ErrorCode, request: Request) -> Send:
    return Send(peer.id, Error(code=code, about=type(request), id=request.id))


def _traits(traits: Traits, request: Hello | Resume) -> Traits:
    rollback = traits.rollback and NO_ROLLBACK not in request.features
    return evolve(traits, rollback=rollback, relays=RELAY_ONLY in request.features)
