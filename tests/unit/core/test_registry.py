"""The registry in memory: what it decides, and what it knows then."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import (
    ConfirmSecret,
    Decided,
    EndSession,
    Forget,
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
from signald.core.sessions import SessionState, Settings
from tests.support.world import HOST_SECRET, SERDE, counting_bytes

NOBODY = UserId("Z" * 26)
NOWHERE = SessionId("ZZZZZZZZZZ")
ONE = Instance("one")


class Case(SynchronousTestCase):
    """A registry with three identities, and a session of Ann's in which Bob is."""

    limits = Limits(user_sessions=3, session_knocks=1)
    settings = Settings(capacity=8)

    def setUp(self) -> None:
        """Begin."""
        self.registry = MemoryRegistry(counting_bytes(), self.limits, HOST_SECRET)
        self.ann, self.bob, self.cat = (self.identify() for _ in range(3))
        self.session = self.open(self.ann, self.settings)
        self.changed(JoinSession(self.bob, Traits(), self.session))

    def identify(self) -> UserId:
        """Make an identity that can resume, and remember its secret."""
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
        """The changes of an operation that succeeds; the registry knows what they say."""
        outcome = self.registry.decide(operation)
        assert isinstance(outcome, Decided | Resumed | NotResumed), outcome
        self.check()
        return list(outcome.changes)

    def changed(self, operation: Operation) -> SessionChanged:
        """The only change."""
        [change] = self.changes(operation)
        assert isinstance(change, SessionChanged)
        self.assertEqual(self.registry.sessions[change.session.id], change.session)
        return change

    def ended(self, operation: Operation) -> EndReason:
        """Why the session ended, where that is the only change."""
        [change] = self.changes(operation)
        assert isinstance(change, SessionEnded)
        self.assertEqual(change.session.members, ())
        return change.reason

    def refused(self, operation: Operation, code: ErrorCode) -> None:
        """It is refused, and nothing has changed."""
        before = dict(self.registry.sessions), repr(self.registry.users), dict(self.registry.kept)
        self.assertEqual(self.registry.decide(operation), Refused(code))
        after = dict(self.registry.sessions), repr(self.registry.users), dict(self.registry.kept)
        self.assertEqual(after, before)

    def check(self) -> None:
        """Identities and sessions agree on who is where."""
        for id, session in self.registry.sessions.items():
            self.assertIsNot(session.state, SessionState.OVER)
            for user in session.people:
                self.assertIn(id, self.registry.users[user].sessions)
        for user, identity in self.registry.users.items():
            for id in identity.sessions:
                self.assertIn(user, self.registry.sessions[id].people)

    def roles(self) -> list[tuple[UserId, Role]]:
        """Who is what in the session."""
        return [(member.user, member.role) for member in self.registry.sessions[self.session].members]


class IdentityTests(Case):
    """Who is who."""

    def test_an_unknown_one_can_do_nothing(self) -> None:
        """It is over, though word of that may not have come to where it asks."""
        for operation in (
            OpenSession(NOBODY, Traits(), None, Settings()),
            JoinSession(NOBODY, Traits(), self.session),
            MarkAway(NOBODY),
            RenewUser(NOBODY, Traits()),
            ConfirmSecret(NOBODY, 1),
            Forget(NOBODY, LeaveReason.GONE),
            LeaveSession(NOBODY, self.session),
            HostCommand(NOBODY, End(self.session)),
        ):
            self.refused(operation, ErrorCode.NOT_A_MEMBER)

    def test_one_without_an_instance_has_no_secret(self) -> None:
        """Nobody comes back to it."""
        outcome = self.registry.decide(Identify(None))
        assert isinstance(outcome, Identified)
        self.assertIsNone(outcome.secret)
        for secret in ("", "A" * 43):
            resume = ResumeUser(outcome.user, Secret(secret), ONE, Traits(), whole=True)
            self.assertEqual(self.registry.decide(resume), NotResumed())

    def test_it_is_resumed_whole_or_renewed(self) -> None:
        """Whole where no message is lost and the program is the same."""
        self.changed(JoinSession(self.cat, Traits(), self.session))
        other = Instance("two")
        for instance, whole, expected in ((ONE, True, True), (ONE, False, False), (other, True, False)):
            epoch = self.epoch(self.cat)
            outcome = self.registry.decide(ResumeUser(self.cat, self.secret, instance, Traits(), whole))
            assert isinstance(outcome, Resumed)
            self.assertEqual(outcome.whole, expected)
            self.assertEqual(self.epoch(self.cat) == epoch, expected)
            self.secret = outcome.secret
        self.assertEqual(self.registry.users[self.cat].instance, other)

    def epoch(self, user: UserId) -> int:
        """The epoch of a member."""
        member = self.registry.sessions[self.session].member(user)
        assert member is not None
        return member.epoch

    def test_presence_is_marked_in_every_session(self) -> None:
        """Where it is a member and where it waits; one who joins while it is away is away there too."""
        lobby = self.open(self.ann, Settings(lobby=True))
        self.changed(JoinSession(self.bob, Traits(), lobby))
        marked = self.changes(MarkAway(self.bob))
        self.assertEqual({change.session.id for change in marked}, {self.session, lobby})
        self.assertEqual(self.changes(MarkAway(self.bob)), [])
        later = self.open(self.ann, Settings())
        joined = self.changed(JoinSession(self.bob, Traits(), later)).session.member(self.bob)
        assert joined is not None
        self.assertTrue(joined.person.away)

    def test_a_spent_secret_ends_it(self) -> None:
        """With all of its memberships."""
        self.changed(JoinSession(self.cat, Traits(), self.session))
        first = self.secret
        self.changes(ResumeUser(self.cat, first, ONE, Traits(), whole=True))
        self.changes(ConfirmSecret(self.cat, 2))
        outcome = self.registry.decide(ResumeUser(self.cat, first, ONE, Traits(), whole=True))
        assert isinstance(outcome, NotResumed)
        self.assertTrue(outcome.ended)
        [change] = outcome.changes
        assert isinstance(change, SessionChanged)
        self.assertEqual((change.reason, change.session.member(self.cat)), (LeaveReason.GONE, None))
        self.assertNotIn(self.cat, self.registry.users)
        self.check()

    def test_one_that_is_forgotten_is_nowhere(self) -> None:
        """Sessions end whose host it was, and others go on without it."""
        own = self.open(self.bob, Settings())
        changes = self.changes(Forget(self.bob, LeaveReason.GONE))
        kinds = {change.session.id: type(change) for change in changes}
        self.assertEqual(kinds, {own: SessionEnded, self.session: SessionChanged})
        self.assertNotIn(self.bob, self.registry.users)

    def test_a_renewal_that_cannot_be_ends_the_membership(self) -> None:
        """Where another member takes one exchange; the others hear that it is gone."""
        session = self.open(self.bob, Settings(succession=True))
        self.changed(JoinSession(self.ann, SERDE, session))
        [renewed, left] = sorted(self.changes(RenewUser(self.bob, Traits())), key=lambda change: change.session.id)
        assert isinstance(left, SessionChanged)
        self.assertEqual((renewed.session.id, left.reason), (self.session, LeaveReason.GONE))
        self.assertIsNone(left.session.member(self.bob))

    def test_one_who_waits_has_nothing_to_renew(self) -> None:
        """But to be there again."""
        lobby = self.open(self.ann, Settings(lobby=True))
        self.changed(JoinSession(self.cat, Traits(), lobby))
        self.assertEqual(self.changes(RenewUser(self.cat, Traits())), [])
        self.changes(MarkAway(self.cat))
        self.assertEqual(len(self.changes(RenewUser(self.cat, Traits()))), 1)


class SessionTests(Case):
    """Who is where."""

    def test_an_unknown_session(self) -> None:
        """Whoever asks for it; who governs is told that it is no member."""
        for operation in (
            JoinSession(self.cat, Traits(), NOWHERE),
            LeaveSession(self.cat, NOWHERE),
            EndSession(NOWHERE, EndReason.IDLE),
        ):
            self.refused(operation, ErrorCode.UNKNOWN_SESSION)
        self.refused(HostCommand(self.ann, End(NOWHERE)), ErrorCode.NOT_A_MEMBER)

    def test_so_many_sessions(self) -> None:
        """Of one user; what the session itself says comes first."""
        full = self.open(self.cat, Settings())
        self.open(self.ann, Settings())
        self.open(self.ann, Settings())
        self.refused(OpenSession(self.ann, Traits(), None, Settings()), ErrorCode.TOO_MANY_SESSIONS)
        self.refused(JoinSession(self.ann, Traits(), full), ErrorCode.TOO_MANY_SESSIONS)
        self.changed(JoinSession(self.bob, Traits(), full))
        self.refused(JoinSession(self.ann, Traits(), full), ErrorCode.SESSION_FULL)
        self.refused(JoinSession(self.ann, Traits(), self.session), ErrorCode.ALREADY_MEMBER)

    def test_a_name_and_a_request(self) -> None:
        """They are in the record of whoever knocks."""
        lobby = self.open(self.ann, Settings(lobby=True))
        operation = JoinSession(self.cat, Traits(), lobby, "Cat", RequestId("7"))
        [visitor] = self.changed(operation).session.visitors
        self.assertEqual((visitor.person.name, visitor.request), ("Cat", "7"))
        self.refused(JoinSession(self.bob, Traits(), lobby), ErrorCode.LOBBY_FULL)

    def test_a_host_who_goes_ends_the_session(self) -> None:
        """With a reason that says how."""
        for reason, expected in (
            (LeaveReason.LEFT, EndReason.HOST_LEFT),
            (LeaveReason.GONE, EndReason.HOST_GONE),
        ):
            host = self.identify()
            session = self.open(host, Settings())
            self.assertEqual(self.ended(Forget(host, reason)), expected)
            self.assertNotIn(session, self.registry.sessions)
        self.assertEqual(self.ended(LeaveSession(self.ann, self.session)), EndReason.HOST_LEFT)

    def test_what_the_host_does(self) -> None:
        """Each of its requests, with the reasons for those who are no longer there."""
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

    def test_a_guest_governs_nothing(self) -> None:
        """Nor does an outsider."""
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

    def test_it_ends_when_it_is_due(self) -> None:
        """Once: what is ended already is unknown, or kept."""
        self.assertEqual(self.ended(EndSession(self.session, EndReason.EXPIRED)), EndReason.EXPIRED)
        self.refused(EndSession(self.session, EndReason.IDLE), ErrorCode.UNKNOWN_SESSION)


class KeptTests(Case):
    """Sessions that are kept."""

    settings = Settings(capacity=8, keep=True)

    def test_what_is_kept_is_not_ended_again(self) -> None:
        """Word of its end has not come to where its time is looked at."""
        self.ended(EndSession(self.session, EndReason.IDLE))
        self.assertIs(self.registry.sessions[self.session].state, SessionState.KEPT)
        self.refused(EndSession(self.session, EndReason.EXPIRED), ErrorCode.UNKNOWN_SESSION)

    def test_its_versions_go_on(self) -> None:
        """Also when it was over: whoever has heard of an older record takes the newer."""
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
