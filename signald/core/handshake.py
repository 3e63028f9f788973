"""The handshake: a new connection sends a hello or a resume, and gets a welcome (docs/protocol.md, "Resume")."""

from __future__ import annotations

from typing import cast

from attrs import define, evolve

from signald.core.actions import Action, Send
from signald.core.budgets import AddressBudget
from signald.core.decisions import (
    EndIdentity,
    Identified,
    Identify,
    MarkAway,
    NotResumed,
    Refused,
    RenewUser,
    Resumed,
    ResumeUser,
)
from signald.core.errors import ErrorCode
from signald.core.grace_periods import GracePeriods
from signald.core.grant import Grant
from signald.core.ice import IceSupply
from signald.core.limits import Limits
from signald.core.mailboxes import Mailboxes, close_peer
from signald.core.message_sizes import utf8_length
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
from signald.core.pending_decisions import PendingDecision, PendingDecisions
from signald.core.references import References
from signald.core.replicas import SessionReplicas
from signald.core.users import Peer, PeerEvent, PeerId, PeerState, User, UserEvent

PROTOCOL_VERSION = 1
NO_ROLLBACK = "no-rollback"
"""The feature with which a hello announces that the client cannot roll back an offer."""

RELAY_ONLY = "relay-only"
"""The feature with which a hello announces that the client can connect through TURN servers alone."""


@define
class Handshake:
    """Welcomes connections, either as new users or as the users that they resume.

    Attributes:
        limits: the limits that `Welcome` announces, and that of tokens.
        server: the server's name and version, for `Welcome`.
        ice: adds the STUN and TURN servers to `Welcome`.
        peers: the hub's connections.
        mailboxes: the users.
        replicas: this node's replicas of the sessions.
        decisions: the pending decisions, to which operations are submitted.
        grace_periods: makes room for a new user where there are as many as are allowed.
        hold: the seconds for which the state of a stopped server is held, for `Welcome`.
        bad_tokens: the budget of each address for tokens with a wrong signature.
        references: the pseudonyms under which logs name users.

    """

    limits: Limits
    server: str
    ice: IceSupply
    peers: dict[PeerId, Peer]
    mailboxes: Mailboxes
    replicas: SessionReplicas
    decisions: PendingDecisions
    grace_periods: GracePeriods
    bad_tokens: AddressBudget
    references: References
    hold: float | None = None

    def handle_request(self, peer: Peer, request: Request, now: float) -> list[Action]:
        """Handle a request of a peer that is not welcomed yet: only `Ping`, `Hello` and `Resume` are allowed."""
        match request:
            case Ping():
                return [Send(peer.id, Pong(request.id))]
            case Hello() | Resume() if request.version != PROTOCOL_VERSION:
                return [_rejection(peer, ErrorCode.UNSUPPORTED_VERSION, request)]
            case Hello():
                return [self._identify(peer, request, now)]
            case Resume():
                user = self.mailboxes.users.get(request.user)
                complete = user is not None and user.outbox.can_replay_from(request.received)
                traits = _announced_traits(peer.traits, request)
                operation = ResumeUser(
                    request.user, request.secret, request.instance, traits, complete, request.connected
                )
                return [self.decisions.submit_for_peer(operation, peer, request)]
            case _:
                return [_rejection(peer, ErrorCode.HELLO_FIRST, request)]

    def _identify(self, peer: Peer, request: Hello | Resume, now: float) -> Action:
        """Submit the request for a new identity, unless the server is full or the token must not be verified.

        It must not be where it is too large, or where the address has used up its guesses.
        A server with as many users as are allowed is not full while some of them are away.
        """
        if len(self.mailboxes.users) >= self.limits.users and not self.mailboxes.away:
            return _rejection(peer, ErrorCode.SERVER_FULL, request)
        if request.token is not None:
            if utf8_length(request.token) > self.limits.token_bytes:
                return _rejection(peer, ErrorCode.TOKEN_TOO_LARGE, request)
            if not self.bad_tokens.has_token(peer.address, now):
                return _rejection(peer, ErrorCode.TOO_MANY_GUESSES, request)
        return self.decisions.submit_for_peer(Identify(request.instance, request.token), peer, request)

    def welcome_new_user(self, pending: PendingDecision, outcome: Identified, now: float) -> list[Action]:
        """Welcome a new user, or end the new identity if the peer has disconnected."""
        peer = self._waiting_peer(pending)
        if peer is None or not isinstance(pending.request, Hello | Resume):
            return [self.decisions.submit(EndIdentity(outcome.user, LeaveReason.GONE))]
        made_room = self.grace_periods.make_room() if len(self.mailboxes.users) >= self.limits.users else []
        peer.traits = _announced_traits(peer.traits, pending.request)
        user = self.mailboxes.add_user(outcome.user, peer.id, peer.address, peer.traits, pending.request.instance)
        survival = Survival.NOTHING if isinstance(pending.request, Resume) else None
        return made_room + self._welcome(peer, user, pending.request, outcome.secret, outcome.grant, survival, now)

    def complete_resume(self, pending: PendingDecision, outcome: Resumed, now: float) -> list[Action]:
        """Attach the new peer to the resumed user, in place of the old one if that is still connected."""
        request = _resume_request(pending)
        user = self.mailboxes.users.get(request.user)
        peer = self._waiting_peer(pending)
        if user is None or outcome.rotation <= user.rotation:
            # Another connection has resumed this user meanwhile and has a newer secret.
            return [] if peer is None else close_peer(peer, ErrorCode.REPLACED)
        user.rotation = outcome.rotation
        if peer is None:
            if not outcome.complete:
                # The others have started over with this user, so its client has to do the same when it comes back.
                user.outbox.discard()
            return self._mark_away_again(user)
        # A client that missed a welcome which reset the counters counts from the earlier start.
        same_count = user.instance == request.instance and (outcome.had_newest_secret or not user.restarted)
        complete = outcome.complete and same_count and user.outbox.can_replay_from(request.received)
        if outcome.complete and not complete:
            operation = RenewUser(user.id, _announced_traits(peer.traits, request), request.connected)
            return [self.decisions.submit_for_peer(operation, peer, request, outcome)]
        return self._attach_peer(user, peer, request, outcome, complete, now)

    def _mark_away_again(self, user: User) -> list[Action]:
        """Mark a user as away again whose new peer has disconnected, unless its old peer is still connected."""
        return [self.decisions.submit(MarkAway(user.id))] if user.peer is None else []

    def _attach_peer(
        self, user: User, peer: Peer, request: Resume, outcome: Resumed, complete: bool, now: float
    ) -> list[Action]:
        actions: list[Action] = []
        old_peer = None if user.peer is None else self.peers.get(user.peer)
        is_closing = old_peer is not None and old_peer.state is PeerState.CLOSING
        if old_peer is not None:
            old_peer.user = None
            actions += close_peer(old_peer, ErrorCode.REPLACED)
        if not user.has_offended and not is_closing:
            # It may have much to send again, and somebody else behind its address may have caused a slow start.
            peer.budget.refill(now)
        user.confirmed = False
        user.peer = peer.id
        user.address = peer.address
        self.mailboxes.away.discard(user.id)
        user.instance = request.instance
        user.transition(UserEvent.RESUMED)
        if not complete:
            user.outbox.reset()
            user.inbox.reset()
            user.restarted = True
            user.traits = _announced_traits(peer.traits, request)
            user.queue.waiting.clear()
            actions += self._welcome(peer, user, request, outcome.secret, outcome.grant, Survival.MEMBERSHIP, now)
            return actions + self.replicas.resend_memberships(user)
        user.restarted = False
        user.outbox.acknowledge(request.received)
        received = Count(user.inbox.acknowledge())
        survival = Survival.EVERYTHING
        actions += self._welcome(peer, user, request, outcome.secret, outcome.grant, survival, now, received)
        return actions + [Send(peer.id, event) for event in user.outbox.events]

    def start_new_identity(self, pending: PendingDecision, outcome: NotResumed, now: float) -> list[Action]:
        """Submit the request for a new identity in place of one that could not be resumed.

        If the secret was a spent one, somebody has copied it: the identity has ended, and its peer is disconnected.
        """
        request = _resume_request(pending)
        actions: list[Action] = []
        user = self.mailboxes.users.get(request.user) if outcome.reused else None
        if user is not None:
            peer = None if user.peer is None else self.peers.get(user.peer)
            user.transition(UserEvent.SECRET_REUSED)
            self.mailboxes.remove_user(user)
            if peer is not None:
                peer.user = None
                actions += close_peer(peer, ErrorCode.SECRET_REUSED)
        for change in outcome.changes:
            actions += self.replicas.apply_change(change, now)
        asker = self._waiting_peer(pending)
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
        peer.transition(PeerEvent.WELCOME)
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
            ice_servers=self.ice.servers,
            secret=secret,
            grace=None if secret is None else self.limits.grace_seconds,
            hold=None if secret is None else self.hold,
            resumed=resumed,
            received=received,
            role=None if grant is None else grant.role,
            session=None if grant is None else grant.session,
            reference=self.references.of_user(user.id),
            id=request.id,
        )
        return self.ice.send_welcome(peer.id, user, welcome, now)

    def complete_renewal(self, pending: PendingDecision, now: float) -> list[Action]:
        """Welcome a resumed user with whom the others start their negotiations over."""
        request, resumed = _resume_request(pending), pending.resumed
        peer = self._waiting_peer(pending)
        user = self.mailboxes.users.get(request.user)
        if user is None or resumed is None or user.rotation != resumed.rotation:
            return [] if peer is None else close_peer(peer, ErrorCode.REPLACED)
        if peer is None:
            user.outbox.discard()
            return self._mark_away_again(user)
        return self._attach_peer(user, peer, request, resumed, complete=False, now=now)

    def reject(self, pending: PendingDecision, refused: Refused, now: float) -> list[Action]:
        """Send the error with which the decision rejected a peer's request, and charge a token that may be a guess.

        The token is charged to its address also when the peer is gone. A peer whose identity ended during its resume
        gets a new identity.
        """
        peer, request = self._waiting_peer(pending), pending.request
        if refused.is_guess and pending.address is not None:
            self.bad_tokens.take_token(pending.address, now)
        if peer is None or request is None:
            return []
        if isinstance(pending.operation, RenewUser) and isinstance(request, Resume):
            return [self._identify(peer, request, now)]
        return [_rejection(peer, refused.code, request)]

    def _waiting_peer(self, pending: PendingDecision) -> Peer | None:
        """The peer that waits for its welcome; None where it has disconnected or is being closed."""
        peer = None if pending.peer is None else self.peers.get(pending.peer)
        return None if peer is None or peer.state is PeerState.CLOSING else peer


def _resume_request(pending: PendingDecision) -> Resume:
    """The `Resume` behind a decision that is only submitted for one."""
    return cast(Resume, pending.request)


def _rejection(peer: Peer, code: ErrorCode, request: Request) -> Send:
    return Send(peer.id, Error(code=code, about=type(request), id=request.id))


def _announced_traits(traits: Traits, request: Hello | Resume) -> Traits:
    rollback = traits.rollback and NO_ROLLBACK not in request.features
    relays = RELAY_ONLY in request.features
    if (traits.rollback, traits.relays) == (rollback, relays):
        return traits
    return evolve(traits, rollback=rollback, relays=relays)
