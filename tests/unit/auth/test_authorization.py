"""Tests of the authorization chain, through a whole switchboard: tokens, expiry, resumption and the webhook."""

from __future__ import annotations

import itertools
import json
from functools import partial
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.authorization import Decider
from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook
from signald.config.settings import Tokens
from signald.config.settings import Webhook as Settings
from signald.core.decisions import (
    HostCommand,
    Identify,
    JoinSession,
    LeaveSession,
    OpenSession,
    Operation,
    Outcome,
    Refused,
)
from signald.core.errors import ErrorCode
from signald.core.hub import Hub
from signald.core.limits import AddressKey, Limits
from signald.core.messages import SessionId
from signald.core.registry import MemoryRegistry
from signald.core.snapshot import dump, load, restore, take_snapshot
from signald.core.token_need import TokenNeed
from signald.core.webhook_messages import Question, Verdict
from signald.dialects.dialect import Dialect
from signald.dialects.serde import Serde
from signald.net.http_client import client_of, post
from signald.server.switchboard import Switchboard
from tests.support.access import FORGED, NOW, SECRET, Agent, ignore_result, make_chain, minted
from tests.support.connections import MemoryConnection
from tests.support.world import HOME, HOST_SECRET, TICKETS, counting_bytes

SESSION = SessionId("7Q2M9RT6ZC")
HOST = {"role": "host", "session": SESSION}
GUEST = {"session": SESSION}


class FakeWebhook(Webhook):
    """A webhook whose verdict the test sets.

    Attributes:
        verdict: the verdict, or a deferred that fires with it later.
        questions: all questions that were sent to the webhook.

    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(Settings(), partial(post, client_of(Agent())), clock, lambda: NOW, lambda: "id", ignore_result)
        self.questions: list[Question] = []
        self.verdict: Verdict | Deferred[Verdict] = None

    @property
    def is_on(self) -> bool:
        """Return True."""
        return True

    def ask(self, question: Question, address: AddressKey) -> Deferred[Verdict]:
        """Record the question, and answer."""
        self.questions.append(question)
        return self.verdict if isinstance(self.verdict, Deferred) else succeed(self.verdict)


class Client:
    """A client whose connection is in memory.

    Attributes:
        connection: the client's connection.

    """

    def __init__(self, switchboard: Switchboard, dialect: Dialect | None = None, address: str = HOME) -> None:
        self.connection = MemoryConnection(switchboard, dialect, AddressKey(address))

    @property
    def frames(self) -> list[Any]:
        """The messages that the client received."""
        return [json.loads(frame) for frame in self.connection.frames]

    @property
    def closed(self) -> list[tuple[int, str]]:
        """The code and reason of each close frame."""
        return self.connection.closed

    def say(self, type: str, **keys: Any) -> Any:
        """Send a request, and return the last message that the client has received by then."""
        self.connection.say(type=type, **{key.replace("_", "-"): value for key, value in keys.items()})
        return self.connection.last() if self.connection.frames else None

    def hello(self, token: str | None = None, **keys: Any) -> Any:
        """Send `hello`."""
        if token is not None:
            keys["token"] = token
        return self.say("hello", version=1, **keys)

    def lose(self) -> None:
        """Lose the WebSocket connection."""
        self.connection.disconnect()

    @property
    def codes(self) -> list[str]:
        """Return the codes of all errors received."""
        return [frame["code"] for frame in self.frames if frame["type"] == "error"]


class AuthorizationCase(SynchronousTestCase):
    """A base class with a switchboard and no network."""

    def setUp(self) -> None:
        """Create a switchboard that needs no tokens."""
        self.now = NOW
        secret = Path(self.mktemp())
        secret.write_bytes(SECRET)
        secret.chmod(0o600)
        self.settings = Tokens(secret_file=secret)
        self.clock = Clock()
        self.switchboard = self.make_switchboard()

    def make_switchboard(self, webhook: Webhook | None = None) -> Switchboard:
        """Create a switchboard and its chain."""
        limits = Limits()
        hub = Hub(limits, "signald/test", TICKETS)
        self.registry = MemoryRegistry(counting_bytes(), limits, HOST_SECRET)
        self.tokens = TokenVerifier(self.settings)
        webhook = webhook or Webhook(
            Settings(), partial(post, client_of(Agent())), self.clock, lambda: self.now, lambda: "id", ignore_result
        )
        chain = make_chain(
            self.registry, hub.guesses, self.tokens, webhook, maybeDeferred, self.clock, lambda: self.now
        )
        return Switchboard(hub, self.registry, chain, self.clock)

    def need(self, need: TokenNeed) -> None:
        """Change which operations need a token."""
        self.settings = evolve(self.settings, need=need)
        self.tokens.prepare(self.settings)()

    def client(self, token: str | None = None, **claims: Any) -> Client:
        """Return a welcomed client; with claims it presents a token."""
        client = Client(self.switchboard)
        if claims:
            token = minted(**claims)
        self.assertEqual(client.hello(token, instance=f"i{client.connection.peer}")["type"], "welcome")
        return client


@define
class RecordingChain:
    """A chain that records what another one returned.

    Attributes:
        chain: decides.
        returned: what it returned for each operation, in order.

    """

    chain: Decider
    returned: list[tuple[type[Operation], object]] = field(factory=list)

    def decide(self, operation: Operation) -> Outcome | Deferred[Outcome]:
        """Have the operation decided."""
        outcome = self.chain.decide(operation)
        self.returned.append((type(operation), outcome))
        return outcome


class MemoryTests(AuthorizationCase):
    """Where memory decides, no operation takes the cost of a Deferred."""

    def test_at_once(self) -> None:
        """Hello, open, join, leave and end are decided within the call, with a token and without one."""
        everyone: list[dict[str, Any]] = [{}, {"signald": {"role": "host"}}]
        for claims in everyone:
            record = RecordingChain(self.switchboard.access)
            self.switchboard.access = record
            host, guest = self.client(**claims), self.client()
            session = host.say("open")["session"]
            self.assertEqual(guest.say("join", session=session)["type"], "joined")
            self.assertEqual(guest.say("leave", session=session)["type"], "left")
            host.say("end", session=session)
            wanted = {Identify, OpenSession, JoinSession, LeaveSession, HostCommand}
            self.assertLessEqual(wanted, {operation for operation, _ in record.returned})
            self.assertEqual([each for each in record.returned if isinstance(each[1], Deferred | Refused)], [])


class HelloTests(AuthorizationCase):
    """A token is shown in `hello`."""

    def test_welcome(self) -> None:
        """The welcome contains the role and the session that the token grants."""
        for claims, expected in (
            ({"signald": HOST}, ("host", SESSION)),
            ({"signald": {}}, ("guest", None)),
            ({}, (None, None)),
        ):
            welcome = self.client(**claims).frames[0]
            self.assertEqual((welcome.get("role"), welcome.get("session")), expected)

    def test_token_required(self) -> None:
        """A client without a token gets no identity, and may repeat `hello` on the same connection."""
        self.need(TokenNeed.EVERYONE)
        client = Client(self.switchboard)
        reply = client.hello(id="1")
        self.assertEqual((reply["code"], reply["about"], reply["id"]), ("token-required", "hello", "1"))
        self.assertEqual((self.registry.users, client.closed), ({}, []))
        self.assertEqual(client.hello(minted())["type"], "welcome")

    def test_invalid_tokens(self) -> None:
        """An invalid token is refused whether or not tokens are needed, and no identity is created."""
        for need in TokenNeed:
            self.need(need)
            client = Client(self.switchboard, address=f"192.0.2.{len(need.value)}")
            self.assertEqual(client.hello("x")["code"], "token-invalid")
            self.assertEqual(client.hello("")["code"], "token-invalid")
            self.assertEqual(client.hello(minted(exp=NOW - 60))["code"], "token-expired")
            self.assertEqual(client.hello("x" * 16384)["code"], "token-invalid")
            self.assertEqual(client.hello("x" * 16385)["code"], "token-too-large")
        self.assertEqual(self.registry.users, {})

    def test_clients_of_the_original_protocol(self) -> None:
        """Clients without tokens are closed at once if all clients need one, and otherwise when they open a session."""
        self.need(TokenNeed.HOSTS)
        client = Client(self.switchboard, Serde())
        client.connection.receive(b'"SessionNew"')
        self.assertEqual(client.closed, [(1008, "token-required")])
        self.need(TokenNeed.EVERYONE)
        client = Client(self.switchboard, Serde())
        self.assertEqual((client.frames, client.closed), ([], [(1008, "token-required")]))

    def test_failed_guesses(self) -> None:
        """After ten forged tokens of an address no token is verified until the rate limit allows another."""
        for _ in range(5):
            client = Client(self.switchboard)
            self.assertEqual([client.hello(FORGED)["code"] for _ in range(2)], ["token-invalid"] * 2)
        self.assertEqual(client.hello(minted())["code"], "too-many-guesses")
        self.assertEqual(Client(self.switchboard, address="192.0.2.99").hello(minted())["type"], "welcome")
        self.assertEqual(Client(self.switchboard).hello()["type"], "welcome")
        self.clock.advance(180.1)
        self.switchboard.tick()
        self.assertEqual(Client(self.switchboard).hello(minted())["type"], "welcome")

    def test_mistakes_are_not_guesses(self) -> None:
        """A token that is refused before or after the check of its signature is no guess, and locks nobody out."""
        client = Client(self.switchboard)
        mistakes = ("x", "a.b.c", minted(SECRET * 2, "HS512"), minted(aud="app"), minted(signald={"role": "moderator"}))
        for token in mistakes * 3:
            self.assertEqual(client.hello(token)["code"], "token-invalid")
        self.assertEqual(client.hello(minted())["type"], "welcome")

    def test_expired_tokens_are_not_guesses(self) -> None:
        """Expired and missing tokens do not count as failed guesses."""
        self.need(TokenNeed.EVERYONE)
        for _ in range(12):
            client = Client(self.switchboard)
            self.assertEqual(client.hello(minted(exp=NOW - 60))["code"], "token-expired")
            self.assertEqual(client.hello()["code"], "token-required")
        self.assertEqual(client.hello(minted())["type"], "welcome")


class ResumeTests(AuthorizationCase):
    """An identity that is resumed keeps its grant."""

    def resume(self, welcome: Any, token: str | None = None, **changes: Any) -> Any:
        """Resume an identity."""
        client = Client(self.switchboard)
        keys = {"user": welcome["user"], "secret": welcome["secret"], "instance": "i1", "received": 0, **changes}
        if token is not None:
            keys["token"] = token
        client.say("resume", version=1, **keys)
        return client

    def test_no_token_is_needed(self) -> None:
        """Resuming needs no token, also after it has expired."""
        self.need(TokenNeed.EVERYONE)
        ann = self.client(signald=HOST)
        ann.say("open")
        ann.lose()
        self.now += 100_000
        back = self.resume(ann.frames[0], instance="another")
        welcome, joined = back.frames
        self.assertEqual((welcome["resumed"], welcome["role"], welcome["session"]), ("membership", "host", SESSION))
        self.assertEqual((joined["type"], joined["role"]), ("joined", "host"))

    def test_token_is_ignored(self) -> None:
        """A token is not verified where the identity can be resumed."""
        ann = self.client(signald=HOST)
        welcome = ann.frames[0]
        for _ in range(12):
            ann.lose()
            ann = self.resume(welcome, token="x")
            welcome = ann.frames[0]
            self.assertEqual(welcome["resumed"], "everything")

    def test_unknown_identity(self) -> None:
        """A client whose identity cannot be resumed needs a valid token."""
        self.need(TokenNeed.EVERYONE)
        lost = {"user": "0" * 26, "secret": "x"}
        for token, code in ((None, "token-required"), ("x", "token-invalid"), (minted(exp=NOW - 60), "token-expired")):
            self.assertEqual(self.resume(lost, token).codes, [code])
        welcome = self.resume(lost, minted(signald=HOST)).frames[0]
        self.assertEqual((welcome["resumed"], welcome["role"]), ("nothing", "host"))

    def test_failed_guesses(self) -> None:
        """Forged tokens count as failed guesses, as in `hello`."""
        lost = {"user": "0" * 26, "secret": "x"}
        codes = [self.resume(lost, FORGED).codes for _ in range(11)]
        self.assertEqual(codes, [["token-invalid"]] * 10 + [["too-many-guesses"]])

    def test_restart(self) -> None:
        """The grant is part of the state that is handed over to the next process."""
        self.need(TokenNeed.EVERYONE)
        ann = self.client(signald=HOST, team="a")
        ann.say("open")
        snapshot = load(dump(take_snapshot(self.switchboard.hub, self.registry, 0.0)))
        self.switchboard = self.make_switchboard()
        for action in restore(snapshot, self.switchboard.hub, self.registry, 0.0):
            self.fail(f"{action}")
        back = self.resume(ann.frames[0], instance=f"i{ann.connection.peer}")
        self.assertEqual((back.frames[0]["resumed"], back.frames[0]["role"]), ("everything", "host"))
        [identity] = self.registry.users.values()
        assert identity.grant is not None
        self.assertEqual(json.loads(identity.grant.claims)["team"], "a")

    def test_reload_of_the_need(self) -> None:
        """After a reload that requires tokens, members without one stay and resume, but open and join nothing."""
        ann, bob = self.client(), self.client()
        session = ann.say("open", capacity=3)["session"]
        bob.say("join", session=session)
        self.need(TokenNeed.EVERYONE)
        bob.say("message", session=session, content="still here")
        self.assertEqual(ann.frames[-1]["content"], "still here")
        bob.lose()
        bob = self.resume(bob.frames[0], instance="other")
        self.assertEqual(bob.frames[0]["resumed"], "membership")
        self.assertEqual(bob.say("open")["code"], "token-required")
        bob.say("leave", session=session)
        self.assertEqual(bob.say("join", session=session)["code"], "token-required")


class EnterTests(AuthorizationCase):
    """The grant decides which sessions can be opened and joined."""

    def test_hosts_need_tokens(self) -> None:
        """Where hosts need tokens, everybody may join without one."""
        self.need(TokenNeed.HOSTS)
        bob = self.client()
        self.assertEqual(bob.say("open")["code"], "token-required")
        ann = self.client(signald={"role": "host"})
        session = ann.say("open")["session"]
        self.assertEqual(bob.say("join", session=session)["type"], "joined")
        self.assertEqual(self.client(signald={}).say("open")["code"], "not-permitted")

    def test_session_of_the_token(self) -> None:
        """A token with a session opens only that session, whether or not the request names it, and only for a host."""
        for named in ({}, {"session": SESSION}):
            ann = self.client(signald=HOST)
            self.assertEqual(ann.say("open", **named)["session"], SESSION)
            ann.say("end", session=SESSION)
        others: tuple[dict[str, Any], ...] = ({"signald": {"role": "host"}}, {})
        for claims in others:
            self.assertEqual(self.client(**claims).say("open", session=SESSION)["code"], "wrong-host-key")
        self.assertEqual(ann.say("open", session="0000000000")["code"], "not-permitted")
        self.assertEqual(ann.say("join", session="0000000000")["code"], "not-permitted")
        self.assertEqual(self.registry.sessions, {})

    def test_guest_before_the_host(self) -> None:
        """A guest waits for the host at the session of the token, and is admitted with the host."""
        self.need(TokenNeed.EVERYONE)
        bob = self.client(sub="bob", signald=GUEST)
        self.assertEqual(bob.say("join", session=SESSION)["reason"], "host")
        ann = self.client(signald=HOST)
        opened = ann.say("open")
        self.assertEqual([member["user"] for member in opened["members"]], [bob.frames[0]["user"]])
        self.assertEqual(bob.frames[-1]["type"], "joined")

    def test_early_session_expires(self) -> None:
        """A session that guests wait for expires, and is unknown to others."""
        bob = self.client(sub="bob", signald=GUEST)
        bob.say("join", session=SESSION)
        bob.say("leave", session=SESSION)
        self.assertEqual(self.registry.kept_since, {SESSION: 0.0})
        self.clock.advance(Limits().kept_seconds + 1)
        self.switchboard.tick()
        self.assertEqual(self.registry.sessions, {})
        self.assertEqual(self.client().say("join", session=SESSION)["code"], "unknown-session")

    def test_same_person_again(self) -> None:
        """A second connection with the token's user takes over as host, and the first is no longer a member."""
        ann, again = self.client(signald=HOST), self.client(signald=HOST)
        ann.say("open", capacity=2)
        bob = self.client(sub="bob", signald=GUEST)
        bob.say("join", session=SESSION)
        self.assertEqual(again.say("open", capacity=2)["type"], "opened")
        self.assertEqual((ann.frames[-1]["type"], ann.frames[-1]["reason"]), ("ended", "replaced"))
        self.assertEqual(bob.frames[-1]["type"], "host-changed")

    def test_second_host(self) -> None:
        """The second of two people with a host's token becomes the host, and the first a guest."""
        ann, carol = self.client(signald=HOST), self.client(sub="carol", signald=HOST)
        ann.say("open", capacity=3)
        self.assertEqual(carol.say("open", capacity=3)["type"], "opened")
        self.assertEqual([frame["type"] for frame in ann.frames[-2:]], ["member-joined", "host-changed"])
        roles = {member.user: member.role.value for member in self.registry.sessions[SESSION].members}
        self.assertEqual(roles, {ann.frames[0]["user"]: "guest", carol.frames[0]["user"]: "host"})

    def test_host_key(self) -> None:
        """A host key works where no token is needed, and does not replace a token that is."""
        ann = self.client()
        opened = ann.say("open", keep=True)
        ann.say("leave", session=opened["session"])
        key = {"session": opened["session"], "host_key": opened["host-key"]}
        self.need(TokenNeed.HOSTS)
        self.assertEqual(ann.say("open", **key)["code"], "token-required")
        self.need(TokenNeed.NOBODY)
        self.assertEqual(ann.say("open", **key)["type"], "opened")
        self.assertEqual(ann.say("open", host_key="x")["code"], "wrong-host-key")

    def test_expiry(self) -> None:
        """An expired token does not end a call, but opens and joins nothing."""
        ann, bob = self.client(signald={"role": "host"}), self.client(sub="bob", signald={})
        session = ann.say("open", capacity=3)["session"]
        bob.say("join", session=session)
        self.now += 3611
        self.switchboard.tick()
        bob.say("message", session=session, content="on and on")
        self.assertEqual(ann.frames[-1]["content"], "on and on")
        ann.say("change", session=session, locked=True)
        self.assertEqual(bob.frames[-1]["locked"], True)
        self.assertEqual(ann.say("open")["code"], "token-expired")
        bob.say("leave", session=session)
        self.assertEqual(bob.say("join", session=session)["code"], "token-expired")

    def test_name(self) -> None:
        """The token's name overrides the one in the request."""
        ann = self.client(signald=HOST)
        ann.say("open")
        self.client(sub="bob", name="Dr Bob", signald=GUEST).say("join", session=SESSION, name="Root")
        self.assertEqual(ann.frames[-1]["member"]["name"], "Dr Bob")

    def test_hand_over(self) -> None:
        """A host may hand the role over to a member whose token grants the role of a guest."""
        ann, bob = self.client(signald=HOST), self.client(sub="bob", signald=GUEST)
        ann.say("open")
        bob.say("join", session=SESSION)
        ann.say("hand-over", session=SESSION, user=bob.frames[0]["user"])
        self.assertEqual(bob.say("change", session=SESSION, locked=True)["type"], "done")


class WebhookTests(AuthorizationCase):
    """The webhook is asked before a session is opened or joined."""

    def setUp(self) -> None:
        """Create a switchboard with a webhook that allows everything."""
        super().setUp()
        self.webhook = FakeWebhook(self.clock)
        self.switchboard = self.make_switchboard(self.webhook)

    def answer(self, verdict: Verdict | Deferred[Verdict]) -> None:
        """Set the verdict."""
        self.webhook.verdict = verdict

    @property
    def questions(self) -> list[Question]:
        """Return all questions that were asked."""
        return self.webhook.questions

    def test_questions(self) -> None:
        """The webhook decides about opening and joining only; its question has the token's user and claims."""
        ann, bob = self.client(signald=HOST), self.client()
        ann.say("open")
        bob.say("join", session=SESSION)
        ann.say("change", session=SESSION, locked=True)
        bob.say("leave", session=SESSION)
        [opening, joining] = self.questions
        self.assertEqual((opening.operation, opening.session, opening.user), ("open", SESSION, "ann"))
        self.assertEqual(json.loads(opening.claims or "")["signald"], HOST)
        self.assertEqual(joining, Question("join", SESSION, None, None))

    def test_refusals(self) -> None:
        """A refused operation changes nothing, and the client receives the reason."""
        ann = self.client()
        session = ann.say("open")["session"]
        for code in (ErrorCode.NOT_PERMITTED, ErrorCode.DECISION_UNAVAILABLE, ErrorCode.SESSION_FULL):
            self.answer(code)
            bob = self.client()
            self.assertEqual(bob.say("join", session=session)["code"], code.value)
            self.assertEqual(bob.say("open")["code"], code.value)
        self.assertEqual(len(self.registry.sessions), 1)

    def test_refused_without_a_question(self) -> None:
        """No question is sent for an operation that the token forbids, nor for an address without guesses left."""
        self.answer(ErrorCode.NOT_PERMITTED)
        self.assertEqual(self.client(signald=GUEST).say("open")["code"], "not-permitted")
        self.assertEqual(self.questions, [])
        bob = self.client()
        codes = [bob.say("join", session=f"{guess:010}")["code"] for guess in range(11)]
        self.assertEqual(codes, ["unknown-session"] * 10 + ["too-many-guesses"])
        self.assertEqual(len(self.questions), 10)

    def stranger(self, address: str) -> Client:
        """Return a welcomed client with an address of its own."""
        client = Client(self.switchboard, address=address)
        client.hello()
        return client

    def test_a_hidden_session_is_like_an_unknown_one(self) -> None:
        """A session that the webhook answers to be unknown gets as many answers and questions as one that is."""
        session = self.client().say("open")["session"]
        found = []
        for id, address in ((session, "192.0.2.70"), ("ZZZZZZZZZZ", "192.0.2.71")):
            stranger = self.stranger(address)
            self.questions.clear()
            self.answer(ErrorCode.UNKNOWN_SESSION)
            codes = [stranger.say("join", session=id)["code"] for _ in range(14)]
            found.append((codes, len(self.questions)))
            self.answer(ErrorCode.DECISION_UNAVAILABLE)
            other = self.stranger(f"{address}0")
            codes = [other.say("join", session=id)["code"] for _ in range(14)]
            self.assertEqual(codes, ["decision-unavailable"] * 14)
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0], (["unknown-session"] * 10 + ["too-many-guesses"] * 4, 10))

    def test_an_unknown_session_stays_unknown(self) -> None:
        """A session that does not exist is answered as unknown, and charged, whatever the webhook says about it."""
        for number, verdict in enumerate((None, ErrorCode.NOT_PERMITTED, ErrorCode.SESSION_FULL)):
            self.answer(verdict)
            stranger = self.stranger(f"192.0.2.{70 + number}")
            codes = [stranger.say("join", session=f"{guess:010}")["code"] for guess in range(11)]
            self.assertEqual(codes, ["unknown-session"] * 10 + ["too-many-guesses"])

    def test_a_member_that_returns_before_the_host(self) -> None:
        """After a crash, a member with a rejoin ticket waits for the host, although the session is still unknown."""
        session = self.client().say("open")["session"]
        ticket = self.client().say("join", session=session)["ticket"]
        self.switchboard = self.make_switchboard(self.webhook)
        answer = self.client().say("join", session=session, ticket=ticket)
        self.assertEqual((answer["type"], answer.get("reason")), ("waiting", "host"))

    def test_guesses_at_once(self) -> None:
        """Of many guesses that the webhook is asked about at once ten are answered, and a right one is none of them."""
        session = self.client().say("open")["session"]
        strangers = [self.stranger("192.0.2.70") for _ in range(90)]
        answers: list[Deferred[Verdict]] = [Deferred() for _ in strangers]
        for number, (stranger, answer) in enumerate(zip(strangers, answers, strict=True)):
            self.answer(answer)
            stranger.say("join", session=session if number == 50 else f"Z{number:09}")
        for answer in answers:
            answer.callback(None)
        codes = [stranger.frames[-1]["code"] for stranger in strangers]
        self.assertEqual(codes, ["unknown-session"] * 10 + ["too-many-guesses"] * 80)

    def test_many_who_join_at_once(self) -> None:
        """Many people behind one address who join at once are let in, however long the webhook takes."""
        session = self.client().say("open", capacity=8)["session"]
        guests = [self.stranger("192.0.2.70") for _ in range(40)]
        answers: list[Deferred[Verdict]] = [Deferred() for _ in guests]
        for guest, answer in zip(guests, answers, strict=True):
            self.answer(answer)
            guest.say("join", session=session)
        for answer in answers:
            answer.callback(None)
        codes = [guest.frames[-1].get("code", "joined") for guest in guests]
        self.assertEqual(set(codes), {"joined", "session-full"})

    def test_password(self) -> None:
        """A password is verified after the webhook has allowed the join."""
        ann, bob = self.client(), self.client()
        session = ann.say("open", password="sesame")["session"]
        self.answer(ErrorCode.NOT_PERMITTED)
        self.assertEqual(bob.say("join", session=session, password="guess")["code"], "not-permitted")
        self.answer(None)
        self.assertEqual(bob.say("join", session=session, password="guess")["code"], "wrong-password")
        self.assertEqual(bob.say("join", session=session, password="sesame")["type"], "joined")

    def test_late_answer(self) -> None:
        """While an answer is pending, later requests of that client wait in order and other clients are served."""
        ann, bob, carol = self.client(), self.client(), self.client()
        session = ann.say("open", capacity=3)["session"]
        waiting: Deferred[Verdict] = Deferred()
        self.answer(waiting)
        bob.say("join", id="j", session=session)
        bob.say("ping", id="p")
        self.assertEqual(carol.say("ping")["type"], "pong")
        self.assertEqual(len(bob.frames), 1)
        self.answer(None)
        waiting.callback(None)
        self.assertEqual([frame["id"] for frame in bob.frames[1:]], ["j", "p"])

    def test_answer_after_disconnect(self) -> None:
        """An answer for a client that disconnected leaves no state behind."""
        ann = self.client()
        session = ann.say("open", capacity=3)["session"]
        before = dict(self.registry.sessions)
        for verdict, request in itertools.product(
            (None, ErrorCode.NOT_PERMITTED), ({"type": "join", "session": session}, {"type": "open"})
        ):
            bob = Client(self.switchboard)
            bob.hello()
            waiting: Deferred[Verdict] = Deferred()
            self.answer(waiting)
            bob.say(**request)
            bob.lose()
            waiting.callback(verdict)
        self.assertEqual(self.registry.sessions, before)
        self.assertEqual(len(self.registry.users), 1)
        self.assertEqual(self.switchboard.hub.decisions.by_id, {})

    def test_session_ends_meanwhile(self) -> None:
        """A session that ends while the answer is pending is unknown."""
        ann, bob = self.client(), self.client()
        session = ann.say("open")["session"]
        waiting: Deferred[Verdict] = Deferred()
        self.answer(waiting)
        bob.say("join", session=session)
        ann.say("leave", session=session)
        waiting.callback(None)
        self.assertEqual(bob.codes, ["unknown-session"])
