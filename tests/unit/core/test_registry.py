"""The registry in memory: its decisions, and its state after them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import (
    ConfirmSecret,
    Decided,
    EndIdentity,
    EndSession,
    HostCommand,
    Identified,
    Identify,
    JoinSession,
    LeaveSession,
    MarkAway,
    NotResumed,
    OpenSession,
    Operation,
    Refused,
    RenewUser,
    Resumed,
    ResumeUser,
    SessionChanged,
    SessionEnded,
)
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.limits import Limits
from signald.core.messages import (
    Admit,
    Change,
    End,
    EndReason,
    HandOver,
    HostRequest,
    Instance,
    LeaveReason,
    RefusalReason,
    Refuse,
    Remove,
    RequestId,
    Role,
    Secret,
    SessionId,
    Traits,
    UserId,
)
from signald.core.registry import MemoryRegistry
from signald.core.session_settings import Settings
from signald.core.sessions import SessionState
from tests.support.world import HOST_SECRET, SERDE, counting_bytes

NOBODY = UserId("Z" * 26)
NOWHERE = SessionId("ZZZZZZZZZZ")
ONE = Instance("one")


class Case(SynchronousTestCase):
    """A registry with three identities, and a session of Ann's that Bob has joined."""

    limits = Limits(user_sessions=3, session_knocks=1)
    settings = Settings(capacity=8)

    def setUp(self) -> None:
        """Create the registry, the identities and the session."""
        self.registry = MemoryRegistry(counting_bytes(), self.limits, HOST_SECRET)
        self.ann, self.bob, self.cat = (self.identify() for _ in range(3))
        self.session = self.open(self.ann, self.settings)
        self.changed(JoinSession(self.bob, Traits(), self.session))

    def identify(self) -> UserId:
        """Create an identity that can resume, and remember its secret."""
        outcome = self.registry.decide(Identify(ONE))
        assert isinstance(outcome, Identified)
        assert outcome.secret is not None
        self.secret = outcome.secret
        return outcome.user

    def open(self, user: UserId, settings: Settings) -> SessionId:
        """Open a session."""
        outcome = self.registry.decide(OpenSession(user, Traits(), None, settings))
        assert isinstance(outcome, Decided)
        assert outcome.session is not None
        return outcome.session

    def changes(self, operation: Operation) -> list[SessionChanged | SessionEnded]:
        """Return the changes of an operation that succeeds, and check that the registry has stored them."""
        outcome = self.registry.decide(operation)
        assert isinstance(outcome, Decided | Resumed | NotResumed), outcome
        self.check()
        return list(outcome.changes)

    def changed(self, operation: Operation) -> SessionChanged:
        """Return the only change of an operation."""
        [change] = self.changes(operation)
        assert isinstance(change, SessionChanged)
        self.assertEqual(self.registry.sessions[change.session.id], change.session)
        return change

    def ended(self, operation: Operation) -> EndReason:
        """Return the reason of an operation whose only change is the end of a session."""
        [change] = self.changes(operation)
        assert isinstance(change, SessionEnded)
        self.assertEqual(change.session.members, ())
        return change.reason

    def refused(self, operation: Operation, code: ErrorCode) -> None:
        """Check that an operation is refused and has changed nothing."""
        before = dict(self.registry.sessions), repr(self.registry.users), dict(self.registry.kept_since)
        self.assertEqual(self.registry.decide(operation), Refused(code))
        after = dict(self.registry.sessions), repr(self.registry.users), dict(self.registry.kept_since)
        self.assertEqual(after, before)

    def check(self) -> None:
        """Check that identities and sessions agree on all memberships."""
        for id, session in self.registry.sessions.items():
            self.assertIsNot(session.state, SessionState.OVER)
            for user in session.user_ids:
                self.assertIn(id, self.registry.users[user].sessions)
        for user, identity in self.registry.users.items():
            for id in identity.sessions:
                self.assertIn(user, self.registry.sessions[id].user_ids)

    def roles(self) -> list[tuple[UserId, Role]]:
        """The members and their roles."""
        return [(member.user, member.role) for member in self.registry.sessions[self.session].members]


class IdentityTests(Case):
    """The operations on identities."""

    def test_an_ended_identity_can_do_nothing(self) -> None:
        """An operation on an identity that has ended is refused.

        Its sender may not have received the event of the end yet.
        """
        for operation in (
            OpenSession(NOBODY, Traits(), None, Settings()),
            JoinSession(NOBODY, Traits(), self.session),
            MarkAway(NOBODY),
            RenewUser(NOBODY, Traits()),
            ConfirmSecret(NOBODY, 1),
            EndIdentity(NOBODY, LeaveReason.GONE),
            LeaveSession(NOBODY, self.session),
            HostCommand(NOBODY, End(self.session)),
        ):
            self.refused(operation, ErrorCode.NOT_A_MEMBER)

    def test_one_without_an_instance_has_no_secret(self) -> None:
        """An identity without an instance has no secret, so it cannot be resumed."""
        outcome = self.registry.decide(Identify(None))
        assert isinstance(outcome, Identified)
        self.assertIsNone(outcome.secret)
        for secret in ("", "A" * 43):
            resume = ResumeUser(outcome.user, Secret(secret), ONE, Traits(), can_replay=True)
            self.assertEqual(self.registry.decide(resume), NotResumed())

    def test_a_resume_is_complete_or_a_renewal(self) -> None:
        """A resume is complete if no message is lost and the program's run is the same."""
        self.changed(JoinSession(self.cat, Traits(), self.session))
        other = Instance("two")
        for instance, whole, expected in ((ONE, True, True), (ONE, False, False), (other, True, False)):
            epoch = self.epoch(self.cat)
            outcome = self.registry.decide(ResumeUser(self.cat, self.secret, instance, Traits(), whole))
            assert isinstance(outcome, Resumed)
            self.assertEqual(outcome.complete, expected)
            self.assertEqual(self.epoch(self.cat) == epoch, expected)
            self.secret = outcome.secret
        self.assertEqual(self.registry.users[self.cat].instance, other)

    def epoch(self, user: UserId) -> int:
        """The epoch of a member."""
        member = self.registry.sessions[self.session].member(user)
        assert member is not None
        return member.epoch

    def test_presence_is_marked_in_every_session(self) -> None:
        """Absence is marked in all memberships and lobbies of the user, and in a session that it joins while away."""
        lobby = self.open(self.ann, Settings(lobby=True))
        self.changed(JoinSession(self.bob, Traits(), lobby))
        marked = self.changes(MarkAway(self.bob))
        self.assertEqual({change.session.id for change in marked}, {self.session, lobby})
        self.assertEqual(self.changes(MarkAway(self.bob)), [])
        later = self.open(self.ann, Settings())
        joined = self.changed(JoinSession(self.bob, Traits(), later)).session.member(self.bob)
        assert joined is not None
        self.assertTrue(joined.person.away)

    def test_spent_secret_ends_the_identity(self) -> None:
        """A spent secret ends the identity and all its memberships."""
        self.changed(JoinSession(self.cat, Traits(), self.session))
        first = self.secret
        self.changes(ResumeUser(self.cat, first, ONE, Traits(), can_replay=True))
        self.changes(ConfirmSecret(self.cat, 2))
        outcome = self.registry.decide(ResumeUser(self.cat, first, ONE, Traits(), can_replay=True))
        assert isinstance(outcome, NotResumed)
        self.assertTrue(outcome.reused)
        [change] = outcome.changes
        assert isinstance(change, SessionChanged)
        self.assertEqual((change.reason, change.session.member(self.cat)), (LeaveReason.GONE, None))
        self.assertNotIn(self.cat, self.registry.users)
        self.check()

    def test_an_ended_identity_is_in_no_session(self) -> None:
        """Sessions that it hosts end, and others go on without it."""
        own = self.open(self.bob, Settings())
        changes = self.changes(EndIdentity(self.bob, LeaveReason.GONE))
        kinds = {change.session.id: type(change) for change in changes}
        self.assertEqual(kinds, {own: SessionEnded, self.session: SessionChanged})
        self.assertNotIn(self.bob, self.registry.users)

    def test_a_renewal_that_cannot_be_ends_the_membership(self) -> None:
        """A member cannot start over if another member supports a single exchange only.

        The others get an event that it is gone.
        """
        session = self.open(self.bob, Settings(succession=True))
        self.changed(JoinSession(self.ann, SERDE, session))
        [renewed, left] = sorted(self.changes(RenewUser(self.bob, Traits())), key=lambda change: change.session.id)
        assert isinstance(left, SessionChanged)
        self.assertEqual((renewed.session.id, left.reason), (self.session, LeaveReason.GONE))
        self.assertIsNone(left.session.member(self.bob))

    def test_a_visitor_has_nothing_to_renew(self) -> None:
        """A visitor is only marked as present again."""
        lobby = self.open(self.ann, Settings(lobby=True))
        self.changed(JoinSession(self.cat, Traits(), lobby))
        self.assertEqual(self.changes(RenewUser(self.cat, Traits())), [])
        self.changes(MarkAway(self.cat))
        self.assertEqual(len(self.changes(RenewUser(self.cat, Traits()))), 1)


class SessionTests(Case):
    """The operations on memberships."""

    def test_an_unknown_session(self) -> None:
        """Joining an unknown session and host commands from outside are refused, each with its own error."""
        for operation in (
            JoinSession(self.cat, Traits(), NOWHERE),
            LeaveSession(self.cat, NOWHERE),
            EndSession(NOWHERE, EndReason.IDLE),
        ):
            self.refused(operation, ErrorCode.UNKNOWN_SESSION)
        self.refused(HostCommand(self.ann, End(NOWHERE)), ErrorCode.NOT_A_MEMBER)

    def test_the_sessions_of_a_user_are_bounded(self) -> None:
        """The limit counts the sessions of one user; errors of the session itself take precedence."""
        full = self.open(self.cat, Settings())
        self.open(self.ann, Settings())
        self.open(self.ann, Settings())
        self.refused(OpenSession(self.ann, Traits(), None, Settings()), ErrorCode.TOO_MANY_SESSIONS)
        self.refused(JoinSession(self.ann, Traits(), full), ErrorCode.TOO_MANY_SESSIONS)
        self.changed(JoinSession(self.bob, Traits(), full))
        self.refused(JoinSession(self.ann, Traits(), full), ErrorCode.SESSION_FULL)
        self.refused(JoinSession(self.ann, Traits(), self.session), ErrorCode.ALREADY_MEMBER)

    def test_a_name_and_a_request(self) -> None:
        """The visitor's record contains both."""
        lobby = self.open(self.ann, Settings(lobby=True))
        operation = JoinSession(self.cat, Traits(), lobby, "Cat", RequestId("7"))
        [visitor] = self.changed(operation).session.visitors
        self.assertEqual((visitor.person.name, visitor.request), ("Cat", "7"))
        self.refused(JoinSession(self.bob, Traits(), lobby), ErrorCode.LOBBY_FULL)

    def test_a_host_that_leaves_ends_the_session(self) -> None:
        """The reason of the end says whether the host left or was lost."""
        for reason, expected in (
            (LeaveReason.LEFT, EndReason.HOST_LEFT),
            (LeaveReason.GONE, EndReason.HOST_GONE),
        ):
            host = self.identify()
            session = self.open(host, Settings())
            self.assertEqual(self.ended(EndIdentity(host, reason)), expected)
            self.assertNotIn(session, self.registry.sessions)
        self.assertEqual(self.ended(LeaveSession(self.ann, self.session)), EndReason.HOST_LEFT)

    def test_each_host_request(self) -> None:
        """Each host request changes the session, and users who are no longer in it get the reason."""
        requests: list[tuple[HostRequest, LeaveReason, RefusalReason]] = [
            (Change(self.session, lobby=True), LeaveReason.LEFT, RefusalReason.FULL),
            (Refuse(self.session, self.cat), LeaveReason.LEFT, RefusalReason.REFUSED),
            (Admit(self.session, self.cat), LeaveReason.LEFT, RefusalReason.ENDED),
            (Remove(self.session, self.cat), LeaveReason.REMOVED, RefusalReason.ENDED),
            (HandOver(self.session, self.bob), LeaveReason.LEFT, RefusalReason.ENDED),
        ]
        for request, reason, turned_away in requests:
            if isinstance(request, Refuse | Admit):
                self.changed(JoinSession(self.cat, Traits(), self.session))
            change = self.changed(HostCommand(self.ann, request))
            self.assertEqual((change.reason, change.turned_away), (reason, turned_away))
        self.assertEqual(self.roles(), [(self.ann, Role.GUEST), (self.bob, Role.HOST)])
        self.assertEqual(self.ended(HostCommand(self.bob, End(self.session))), EndReason.BY_HOST)

    def test_a_guest_has_no_host_requests(self) -> None:
        """Neither a guest nor an outsider may make host requests."""
        requests: list[HostRequest] = [
            Change(self.session, locked=True),
            Admit(self.session, self.cat),
            Refuse(self.session, self.cat),
            Remove(self.session, self.ann),
            HandOver(self.session, self.bob),
            End(self.session),
        ]
        for request in requests:
            self.refused(HostCommand(self.bob, request), ErrorCode.WRONG_ROLE)
            self.refused(HostCommand(self.cat, request), ErrorCode.NOT_A_MEMBER)

    def test_a_session_ends_once(self) -> None:
        """A session ends once: operations on a session that has ended or is kept are refused."""
        self.assertEqual(self.ended(EndSession(self.session, EndReason.EXPIRED)), EndReason.EXPIRED)
        self.refused(EndSession(self.session, EndReason.IDLE), ErrorCode.UNKNOWN_SESSION)


class KeptTests(Case):
    """Sessions that are kept."""

    settings = Settings(capacity=8, keep=True)

    def test_a_kept_session_is_not_ended_again(self) -> None:
        """A second end of a kept session is refused: its timeout may have been due before the end was known."""
        self.ended(EndSession(self.session, EndReason.IDLE))
        self.assertIs(self.registry.sessions[self.session].state, SessionState.KEPT)
        self.refused(EndSession(self.session, EndReason.EXPIRED), ErrorCode.UNKNOWN_SESSION)

    def test_a_session_that_is_kept_on_has_changed(self) -> None:
        """A session with a visitor is kept for another period, which the journal has to record."""
        self.ended(EndSession(self.session, EndReason.IDLE))
        self.changed(JoinSession(self.cat, Traits(), self.session))
        self.registry.changes.take()
        self.registry.tick(self.registry.now + self.registry.limits.kept_seconds)
        self.assertEqual(self.registry.kept_since, {self.session: self.registry.now})
        self.assertEqual(self.registry.changes.take(), ([], [self.session]))

    def test_versions_rise_after_the_end(self) -> None:
        """The versions of a session rise even after it was over, so that outdated versions are recognized."""
        key = self.registry.decide(OpenSession(self.cat, Traits(), None, self.settings))
        assert isinstance(key, Decided)
        assert key.session is not None
        opening = OpenSession(self.bob, Traits(), None, Settings(), None, key.session, key.host_key)
        versions = [self.registry.sessions[key.session].version]
        for _ in range(2):
            versions.append(self.changed(opening).session.version)
            [change] = self.changes(LeaveSession(self.bob, key.session))
            versions.append(change.session.version)
            self.assertNotIn(key.session, self.registry.sessions)
        self.assertEqual(versions, sorted(set(versions)))


class GrantTests(Case):
    """Tokens name the sessions that can be opened and joined."""

    name = SessionId("TEAMCA11TE")

    def identify_with(
        self, user: str, role: Role = Role.HOST, session: SessionId | None = name
    ) -> tuple[UserId, Grant]:
        """Create an identity with a token."""
        grant = Grant(user, 9999.0, role, session)
        outcome = self.registry.decide(Identify(ONE, grant=grant))
        assert isinstance(outcome, Identified)
        return outcome.user, grant

    def open_with(self, user: UserId, grant: Grant) -> OpenSession:
        """Open the token's session with this token instead of a host key."""
        return OpenSession(user, Traits(), None, Settings(capacity=8), session=self.name, grant=grant)

    def test_a_guest_with_a_token_waits_for_the_host(self) -> None:
        """The session that the guest's token names need not exist; the host admits the guest by opening it."""
        guest, _ = self.identify_with("guest@example", Role.GUEST)
        waiting = self.changed(JoinSession(guest, Traits(), self.name)).session
        self.assertEqual((waiting.state, waiting.user_ids), (SessionState.KEPT, frozenset({guest})))
        self.assertIn(self.name, self.registry.kept_since)
        host, grant = self.identify_with("host@example")
        opened = self.changed(self.open_with(host, grant)).session
        self.assertEqual([member.user for member in opened.members], [host, guest])
        self.assertNotIn(self.name, self.registry.kept_since)

    def test_a_session_that_no_token_names_stays_unknown(self) -> None:
        """A token for another session, and no token at all, do not create the session."""
        other, _ = self.identify_with("guest@example", Role.GUEST, SessionId("0" * 10))
        for user in (self.cat, other):
            self.refused(JoinSession(user, Traits(), self.name), ErrorCode.UNKNOWN_SESSION)

    def test_a_host_replaces_its_earlier_self(self) -> None:
        """A host with the same token user replaces its earlier membership.

        Another host of the session becomes a guest.
        """
        first, grant = self.identify_with("host@example")
        self.changed(self.open_with(first, grant))
        colleague, other_grant = self.identify_with("colleague@example")
        taken_over = self.changed(self.open_with(colleague, other_grant)).session
        self.assertEqual([member.user for member in taken_over.members], [first, colleague])
        second, grant = self.identify_with("host@example")
        change = self.changed(self.open_with(second, grant))
        self.assertIs(change.reason, LeaveReason.REPLACED)
        roles = [(member.user, member.role) for member in change.session.members]
        self.assertEqual(roles, [(colleague, Role.GUEST), (second, Role.HOST)])

    def test_a_token_opens_its_own_session_alone(self) -> None:
        """A token opens only the session that it names; any other session needs its host key."""
        user, grant = self.identify_with("host@example", session=SessionId("0" * 10))
        self.refused(self.open_with(user, grant), ErrorCode.WRONG_HOST_KEY)
