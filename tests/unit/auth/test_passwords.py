"""Tests of session passwords: hashed and verified in a thread, one at a time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from queue import Queue
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from signald.auth.passwords import PasswordLink, one_thread
from signald.core.budgets import AddressBudget, guess_rate
from signald.core.decisions import (
    Decided,
    HostCommand,
    Identified,
    Identify,
    JoinSession,
    OpenSession,
    Operation,
    Outcome,
    Refused,
)
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits
from signald.core.messages import End, SessionId, Traits, UserId
from signald.core.registry import MemoryRegistry
from signald.core.session_settings import Settings
from tests.support.access import find_link
from tests.support.connections import MemoryConnection, make_switchboard
from tests.support.world import HOME, HOST_SECRET, counting_bytes

RIGHT = "open sesame"
ELSEWHERE = AddressKey("198.51.100.9")


class Threads:
    """Stands in for the thread: holds each call until the test runs it.

    Attributes:
        calls: the pending calls, each with the deferred of its result.

    """

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[[], str], Deferred[str]]] = []

    def run(self, call: Callable[[], str]) -> Deferred[str]:
        """Add a call."""
        done: Deferred[str] = Deferred()
        self.calls.append((call, done))
        return done

    def run_next(self) -> None:
        """Run the first call."""
        call, done = self.calls.pop(0)
        maybeDeferred(call).chainDeferred(done)


class PasswordCase(SynchronousTestCase):
    """The password link, in front of a registry."""

    def setUp(self) -> None:
        """Create a registry with two identities."""
        self.threads = Threads()
        limits = Limits(waiting_passwords=2, address_waiting_passwords=2)
        self.clock = Clock()
        self.registry = MemoryRegistry(counting_bytes(), limits, HOST_SECRET)
        self.guesses = AddressBudget(guess_rate(limits))
        self.passwords = PasswordLink(
            self.registry, self.threads.run, self.guesses, self.clock.seconds, next=self.registry
        )
        self.ann, self.bob = self.identify(), self.identify()

    def identify(self) -> UserId:
        """Create an identity."""
        outcome = self.registry.decide(Identify(None))
        assert isinstance(outcome, Identified)
        return outcome.user

    def decide(self, operation: Operation) -> Deferred[Outcome]:
        """Start a decision of the link, and return its deferred outcome."""
        outcome = self.passwords.decide(operation)
        assert isinstance(outcome, Deferred)
        return outcome

    def start_open(self, address: AddressKey = HOME) -> Deferred[Outcome]:
        """Start to open a session with a password."""
        return self.decide(OpenSession(self.ann, Traits(), None, Settings(8, keep=True), RIGHT, address=address))

    def open_session(self) -> SessionId:
        """Open a session with a password, and return its id."""
        outcome = self.start_open()
        self.threads.run_next()
        decided = self.successResultOf(outcome)
        assert isinstance(decided, Decided)
        assert decided.session is not None
        return decided.session

    def join(self, session: SessionId, password: str = RIGHT, address: AddressKey = HOME) -> Deferred[Outcome]:
        """Start to join with a password."""
        return self.decide(JoinSession(self.bob, Traits(), session, password=password, address=address))

    def members(self, session: SessionId) -> list[UserId]:
        """Return the members of a session."""
        return [member.user for member in self.registry.sessions[session].members]


class PasswordTests(PasswordCase):
    """Passwords are hashed and verified one at a time, in turns."""

    def test_only_a_hash_is_stored(self) -> None:
        """The registry stores an Argon2id hash with its own salt, not the password."""
        hashes = {self.registry.sessions[self.open_session()].settings.password or "" for _ in range(2)}
        self.assertEqual(len(hashes), 2)
        for hash in hashes:
            self.assertTrue(hash.startswith("$argon2id$v=19$m=7168,t=5,p=1$"), hash)
            self.assertNotIn(RIGHT, hash)

    def test_open_waits_for_the_hash(self) -> None:
        """The session is opened once the password is hashed."""
        outcome = self.start_open()
        self.assertEqual(self.registry.sessions, {})
        self.assertNoResult(outcome)
        self.threads.run_next()
        self.assertIsInstance(self.successResultOf(outcome), Decided)

    def test_join(self) -> None:
        """The right password lets a guest join, and a wrong one does not."""
        session = self.open_session()
        wrong = self.join(session, "guess")
        self.threads.run_next()
        self.assertEqual(self.successResultOf(wrong), Refused(ErrorCode.WRONG_PASSWORD))
        self.assertEqual(self.members(session), [self.ann])
        right = self.join(session)
        self.threads.run_next()
        self.assertIsInstance(self.successResultOf(right), Decided)
        self.assertEqual(self.members(session), [self.ann, self.bob])

    def test_one_at_a_time(self) -> None:
        """Passwords are verified one at a time, in the order of the requests."""
        session = self.open_session()
        first, second = self.join(session, "guess"), self.join(session)
        self.assertEqual(len(self.threads.calls), 1)
        self.threads.run_next()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.threads.run_next()
        self.successResultOf(second)

    def test_queue_is_bounded(self) -> None:
        """A request beyond `waiting_passwords` is refused at once; a finished one makes room."""
        session = self.open_session()
        self.registry.limits = Limits(waiting_passwords=2)
        waiting = [self.join(session, "guess") for _ in range(3)]
        self.assertEqual(self.successResultOf(self.join(session)), Refused(ErrorCode.TOO_MANY_PASSWORDS))
        self.assertEqual(self.successResultOf(self.start_open()), Refused(ErrorCode.TOO_MANY_PASSWORDS))
        self.threads.run_next()
        self.successResultOf(waiting[0])
        right = self.join(session)
        for _ in range(3):
            self.threads.run_next()
        self.assertIsInstance(self.successResultOf(right), Decided)

    def test_an_address_has_so_many_waiting_checks(self) -> None:
        """A request of an address beyond `address_waiting_passwords` is refused at once, by default beyond four."""
        self.registry.limits = Limits()
        session = self.open_session()
        for _ in range(5):
            self.start_open()
        self.assertEqual(self.successResultOf(self.start_open()), Refused(ErrorCode.TOO_MANY_PASSWORDS))
        self.assertNoResult(self.join(session, address=ELSEWHERE))

    def test_addresses_take_turns(self) -> None:
        """An address that opens many sessions delays another address by one check, and a join goes first."""
        self.registry.limits = Limits()
        session = self.open_session()
        flood = [self.start_open() for _ in range(64)]
        opened, joined = self.start_open(ELSEWHERE), self.join(session, address=ELSEWHERE)
        self.threads.run_next()
        self.successResultOf(flood[0])
        self.threads.run_next()
        self.assertIsInstance(self.successResultOf(joined), Decided)
        self.threads.run_next()
        self.threads.run_next()
        self.assertIsInstance(self.successResultOf(opened), Decided)
        self.assertNoResult(flood[2])

    def test_a_join_takes_the_place_of_an_open(self) -> None:
        """A join of an address that opens many sessions is checked in the place of one of them."""
        session = self.open_session()
        flood = [self.start_open() for _ in range(3)]
        joined = self.join(session)
        self.assertEqual(self.successResultOf(flood[2]), Refused(ErrorCode.TOO_MANY_PASSWORDS))
        self.threads.run_next()
        self.threads.run_next()
        self.assertIsInstance(self.successResultOf(joined), Decided)

    def test_needless_password(self) -> None:
        """A password is not verified where the session has none or does not exist."""
        decided = self.registry.decide(OpenSession(self.ann, Traits(), None, Settings()))
        assert isinstance(decided, Decided)
        assert decided.session is not None
        for session, expected in ((decided.session, Decided), (SessionId("ZZZZZZZZZZ"), Refused)):
            operation = JoinSession(self.bob, Traits(), session, password=RIGHT)
            self.assertIsInstance(self.passwords.decide(operation), expected)
        self.assertEqual(self.threads.calls, [])

    def test_session_ends_meanwhile(self) -> None:
        """A session that ends during the verification is unknown, as it is without a password."""
        session = self.open_session()
        record = self.registry.sessions[session]
        self.registry.sessions[session] = evolve(record, settings=evolve(record.settings, keep=False))
        outcome = self.join(session)
        self.registry.decide(HostCommand(self.ann, End(session)))
        self.threads.run_next()
        self.assertEqual(self.successResultOf(outcome), Refused(ErrorCode.UNKNOWN_SESSION))

    def test_password_changes_meanwhile(self) -> None:
        """A password that matches the previous hash is wrong once the session has another one."""
        session = self.open_session()
        outcome = self.join(session)
        record = self.registry.sessions[session]
        changed = evolve(record.settings, password="another hash")
        self.registry.sessions[session] = evolve(record, settings=changed)
        self.threads.run_next()
        self.assertEqual(self.successResultOf(outcome), Refused(ErrorCode.WRONG_PASSWORD))

    def test_errors(self) -> None:
        """An exception of one verification reaches its request alone, and the next one is run."""
        session = self.open_session()
        record = self.registry.sessions[session]
        damaged = evolve(record.settings, password="no hash")
        self.registry.sessions[session] = evolve(record, settings=damaged)
        broken, next_one = self.join(session), self.start_open()
        self.threads.run_next()
        self.failureResultOf(broken)
        self.threads.run_next()
        self.assertIsInstance(self.successResultOf(next_one), Decided)


class GuessTests(PasswordCase):
    """Wrong passwords use up the budget of their address."""

    def check(self, session: SessionId, password: str, address: AddressKey = HOME) -> Outcome:
        """Join, and return the outcome."""
        outcome = self.join(session, password, address)
        while self.threads.calls:
            self.threads.run_next()
        return self.successResultOf(outcome)

    def test_wrong_passwords_are_throttled(self) -> None:
        """After ten wrong passwords an address is refused also the right one, without a check; others are not."""
        session = self.open_session()
        for _ in range(10):
            self.assertEqual(self.check(session, "guess"), Refused(ErrorCode.WRONG_PASSWORD))
        outcome = self.join(session)
        self.assertEqual(self.threads.calls, [])
        self.assertEqual(self.successResultOf(outcome), Refused(ErrorCode.TOO_MANY_GUESSES))
        self.assertIsInstance(self.check(session, RIGHT, ELSEWHERE), Decided)

    def test_the_budget_comes_back(self) -> None:
        """A guess is refilled every three minutes, and only one password is checked for it."""
        session = self.open_session()
        for _ in range(10):
            self.check(session, "guess")
        self.clock.advance(180)
        codes = [self.check(session, "guess") for _ in range(3)]
        self.assertEqual(codes[0], Refused(ErrorCode.WRONG_PASSWORD))
        self.assertEqual(codes[1:], [Refused(ErrorCode.TOO_MANY_GUESSES)] * 2)

    def test_guesses_at_once(self) -> None:
        """Of 90 wrong passwords that are tried at once only ten are checked, however many may wait."""
        self.registry.limits = Limits(waiting_passwords=100, address_waiting_passwords=100)
        session = self.open_session()
        outcomes = [self.join(session, "guess") for _ in range(90)]
        checked = 0
        while self.threads.calls:
            self.threads.run_next()
            checked += 1
        found = Counter(self.successResultOf(outcome) for outcome in outcomes)
        expected = {Refused(ErrorCode.WRONG_PASSWORD): 10, Refused(ErrorCode.TOO_MANY_GUESSES): 80}
        self.assertEqual((checked, found), (10, expected))

    def test_a_token_is_taken_before_the_check(self) -> None:
        """A check that has not ended holds its token."""
        session = self.open_session()
        self.join(session)
        self.assertIn(HOME, self.guesses.full_at)

    def test_a_right_password_is_no_guess(self) -> None:
        """A right password gives its token back, also where the session cannot be joined, and so does a failure."""
        session = self.open_session()
        record = self.registry.sessions[session]
        self.check(session, RIGHT)
        self.assertEqual(self.check(session, RIGHT), Refused(ErrorCode.ALREADY_MEMBER))
        damaged = evolve(record.settings, password="no hash")
        self.registry.sessions[session] = evolve(record, settings=damaged)
        broken = self.join(session)
        self.threads.run_next()
        self.failureResultOf(broken)
        self.assertEqual(self.guesses.full_at, {})

    def test_a_check_without_a_turn_is_no_guess(self) -> None:
        """A password that was not checked, since too many wait, is not charged."""
        session = self.open_session()
        waiting = [self.join(session) for _ in range(3)]
        self.assertEqual(self.successResultOf(self.join(session)), Refused(ErrorCode.TOO_MANY_PASSWORDS))
        while self.threads.calls:
            self.threads.run_next()
        self.assertIsInstance(self.successResultOf(waiting[0]), Decided)
        self.assertEqual(self.guesses.full_at, {})


class SwitchboardTests(SynchronousTestCase):
    """Clients of a whole switchboard whose passwords are checked in a thread that the test controls."""

    def setUp(self) -> None:
        """Open a session with a password and one without."""
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock)
        host = self.client("192.0.2.50")
        self.secret, self.plain = (self.request(host, "open", **keys)["session"] for keys in ({"password": RIGHT}, {}))
        self.threads = Threads()
        find_link(self.switchboard.access, PasswordLink).run = self.threads.run

    def client(self, address: str = ELSEWHERE) -> MemoryConnection:
        """Connect a client that sends `hello`."""
        connection = MemoryConnection(self.switchboard, address=AddressKey(address))
        connection.say(type="hello", version=1)
        return connection

    def request(self, client: MemoryConnection, type: str, **keys: object) -> Any:
        """Send a request, and return the last message by then."""
        client.say(type=type, **keys)
        return client.last()

    def run_checks(self) -> int:
        """Run all pending checks, and return their number."""
        count = 0
        while self.threads.calls:
            self.threads.run_next()
            count += 1
        return count

    def test_ninety_clients_at_once(self) -> None:
        """Ninety clients of an address that try passwords at once, again and again, have ten of them checked.

        Some hear that too many wait, before all hear that the budget is used up.
        """
        clients = [self.client() for _ in range(90)]
        checked, codes = 0, Counter[str]()
        for _ in range(5):
            for client in clients:
                client.say(type="join", session=self.secret, password="guess")
            checked += self.run_checks()
            codes.update(client.last()["code"] for client in clients)
        self.assertEqual((checked, codes["wrong-password"]), (10, 10))
        self.assertEqual(set(codes), {"wrong-password", "too-many-guesses", "too-many-passwords"})

    def test_other_joins(self) -> None:
        """An address without guesses left joins sessions that have no password, and hears where one is needed."""
        client = self.client()
        for _ in range(11):
            client.say(type="join", session=self.secret, password="guess")
            self.run_checks()
        self.assertEqual(client.last()["code"], "too-many-guesses")
        self.assertEqual(self.request(client, "join", session=self.secret)["code"], "password-needed")
        self.assertEqual(self.request(client, "join", session=self.plain, password="guess")["type"], "joined")

    def test_kinds_do_not_add_up(self) -> None:
        """Nine wrong passwords and nine unknown sessions use up neither budget."""
        client = self.client()
        for number in range(9):
            client.say(type="join", session=self.secret, password="guess")
            self.run_checks()
            client.say(type="join", session=f"Z{number:09}", password="guess")
        client.say(type="join", session=self.secret, password=RIGHT)
        self.run_checks()
        self.assertEqual(client.last()["type"], "joined")

    def test_budgets_are_forgotten(self) -> None:
        """An address with a full budget is not remembered."""
        client = self.client()
        client.say(type="join", session=self.secret, password="guess")
        self.run_checks()
        guesses = self.switchboard.hub.guesses.passwords
        self.assertEqual(list(guesses.full_at), [ELSEWHERE])
        self.clock.advance(1801)
        self.switchboard.tick()
        self.assertEqual(guesses.full_at, {})


@implementer(IReactorFromThreads)
class FakeReactor:
    """Queues the calls that threads make into the reactor's thread."""

    def __init__(self) -> None:
        self.waiting: Queue[Callable[[], object]] = Queue()

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:  # Twisted's name
        """Queue a call."""
        self.waiting.put(partial(callable, *args, **kwargs))

    def run_next(self) -> None:
        """Wait for the next call, and run it."""
        self.waiting.get(timeout=10)()


class ThreadTests(SynchronousTestCase):
    """`one_thread` runs calls in its thread."""

    def test_one_thread(self) -> None:
        """The same thread runs every call, and results arrive in the reactor's thread."""
        reactor = FakeReactor()
        run = one_thread(reactor)
        names = []
        for _ in range(5):
            done = run(lambda: threading.current_thread().name)
            reactor.run_next()
            names.append(self.successResultOf(done))
        self.assertEqual(len(set(names)), 1)
        self.assertNotEqual(names[0], threading.current_thread().name)

    def test_exception(self) -> None:
        """An exception reaches the caller."""
        reactor = FakeReactor()
        done = one_thread(reactor)(lambda: str(1 // 0))
        reactor.run_next()
        self.failureResultOf(done, ZeroDivisionError)
