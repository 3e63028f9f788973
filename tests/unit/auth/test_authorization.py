"""Who may do what, through a whole switchboard: tokens, the webhook, and what becomes of both in time."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook
from signald.config.tree import Tokens
from signald.config.tree import Webhook as Settings
from signald.core.errors import ErrorCode
from signald.core.hub import Hub
from signald.core.limits import AddressKey, Limits
from signald.core.messages import SessionId
from signald.core.permissions import TokenNeed
from signald.core.questions import Question, Verdict
from signald.core.registry import MemoryRegistry
from signald.core.snapshot import dump, export, load, restore
from signald.core.users import PeerId
from signald.dialects.dialect import Dialect
from signald.dialects.native import Native
from signald.dialects.serde import Serde
from signald.net.http_client import client_of
from signald.server.switchboard import Switchboard
from tests.support.access import NOW, SECRET, Agent, make_chain, minted
from tests.support.world import HOME, HOST_SECRET, counting_bytes

SESSION = SessionId("7Q2M9RT6ZC")
HOST = {"role": "host", "session": SESSION}
GUEST = {"session": SESSION}


class Answers(Webhook):
    """A webhook that answers as the test says.

    Attributes:
        verdict: what it says now; a deferred for later.
        questions: what it was asked.

    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(Settings(), client_of(Agent()), clock, lambda: NOW, lambda: "id")
        self.questions: list[Question] = []
        self.verdict: Verdict | Deferred[Verdict] = None

    @property
    def is_on(self) -> bool:
        """It is."""
        return True

    def ask(self, question: Question) -> Deferred[Verdict]:
        """Note the question."""
        self.questions.append(question)
        return self.verdict if isinstance(self.verdict, Deferred) else succeed(self.verdict)


class Client:
    """A connection, and what it hears."""

    def __init__(self, switchboard: Switchboard, dialect: Dialect | None = None, address: str = HOME) -> None:
        self.frames: list[Any] = []
        self.closed: list[tuple[int, str]] = []
        self._switchboard = switchboard
        self.peer: PeerId = switchboard.opened(self, dialect or Native(), AddressKey(address))

    def send(self, frame: bytes) -> None:
        """Note a frame."""
        self.frames.append(json.loads(frame))

    def close(self, code: int, reason: str) -> None:
        """Note the closing."""
        self.closed.append((code, reason))

    def say(self, type: str, **keys: Any) -> Any:
        """Send a request, and return the last that came by then."""
        body = {"type": type, **{key.replace("_", "-"): value for key, value in keys.items()}}
        self._switchboard.received(self.peer, json.dumps(body).encode())
        return self.frames[-1] if self.frames else None

    def hello(self, token: str | None = None, **keys: Any) -> Any:
        """Say hello."""
        if token is not None:
            keys["token"] = token
        return self.say("hello", version=1, **keys)

    def lose(self) -> None:
        """Lose the connection."""
        self._switchboard.closed(self.peer)

    @property
    def codes(self) -> list[str]:
        """The errors that came."""
        return [frame["code"] for frame in self.frames if frame["type"] == "error"]


class AccessCase(SynchronousTestCase):
    """A server without a network."""

    def setUp(self) -> None:
        """One that needs no token."""
        self.now = NOW
        secret = Path(self.mktemp())
        secret.write_bytes(SECRET)
        secret.chmod(0o600)
        self.settings = Tokens(secret_file=secret)
        self.clock = Clock()
        self.switchboard = self.made()

    def made(self, webhook: Webhook | None = None) -> Switchboard:
        """A server."""
        limits = Limits()
        hub = Hub(limits=limits, server="signald/test")
        self.registry = MemoryRegistry(counting_bytes(), limits, HOST_SECRET)
        self.tokens = TokenVerifier(self.settings)
        webhook = webhook or Webhook(Settings(), client_of(Agent()), self.clock, lambda: self.now, lambda: "id")
        chain = make_chain(self.registry, self.tokens, webhook, maybeDeferred, lambda: self.now)
        return Switchboard(hub, self.registry, chain, self.clock)

    def need(self, need: TokenNeed) -> None:
        """Need tokens from now on."""
        self.settings = evolve(self.settings, need=need)
        self.tokens.configure(self.settings)

    def client(self, token: str | None = None, **claims: Any) -> Client:
        """A client that is welcomed; with a token of these claims, if there are some."""
        client = Client(self.switchboard)
        if claims:
            token = minted(**claims)
        self.assertEqual(client.hello(token, instance=f"i{client.peer}")["type"], "welcome")
        return client


class HelloTests(AccessCase):
    """The greeting."""

    def test_the_welcome_says_what_the_token_grants(self) -> None:
        """The role, and the session where there is but one; nothing without a token."""
        for claims, expected in (
            ({"signald": HOST}, ("host", SESSION)),
            ({"signald": {}}, ("guest", None)),
            ({}, (None, None)),
        ):
            welcome = self.client(**claims).frames[0]
            self.assertEqual((welcome.get("role"), welcome.get("session")), expected)

    def test_everybody_needs_one(self) -> None:
        """Without it nobody is made, and the client may say hello again on the same connection."""
        self.need(TokenNeed.EVERYONE)
        client = Client(self.switchboard)
        reply = client.hello(id="1")
        self.assertEqual((reply["code"], reply["about"], reply["id"]), ("token-required", "hello", "1"))
        self.assertEqual((self.registry.users, client.closed), ({}, []))
        self.assertEqual(client.hello(minted())["type"], "welcome")

    def test_bad_ones(self) -> None:
        """They are refused whoever needs one, with the reason, and nobody is made."""
        for need in TokenNeed:
            self.need(need)
            client = Client(self.switchboard, address=f"192.0.2.{len(need.value)}")
            self.assertEqual(client.hello("x")["code"], "token-invalid")
            self.assertEqual(client.hello("")["code"], "token-invalid")
            self.assertEqual(client.hello(minted(exp=NOW - 60))["code"], "token-expired")
            self.assertEqual(client.hello("x" * 4097)["code"], "bad-message")
        self.assertEqual(self.registry.users, {})

    def test_the_original_s_clients_have_none(self) -> None:
        """Where everybody needs one they are closed at once, where hosts do when they open."""
        self.need(TokenNeed.HOSTS)
        client = Client(self.switchboard, Serde())
        self.switchboard.received(client.peer, b'"SessionNew"')
        self.assertEqual(client.closed, [(1008, "token-required")])
        self.need(TokenNeed.EVERYONE)
        client = Client(self.switchboard, Serde())
        self.assertEqual((client.frames, client.closed), ([], [(1008, "token-required")]))

    def test_guesses_are_counted(self) -> None:
        """Ten bad tokens of an address; then not even a good one is looked at, until there is a new guess."""
        for _ in range(5):
            client = Client(self.switchboard)
            self.assertEqual([client.hello("x")["code"], client.hello("y")["code"]], ["token-invalid"] * 2)
        self.assertEqual(client.hello(minted())["code"], "too-many-guesses")
        self.assertEqual(Client(self.switchboard, address="192.0.2.99").hello(minted())["type"], "welcome")
        self.assertEqual(Client(self.switchboard).hello()["type"], "welcome")
        self.clock.advance(180.1)
        self.switchboard.tick()
        self.assertEqual(Client(self.switchboard).hello(minted())["type"], "welcome")

    def test_expired_ones_are_no_guesses(self) -> None:
        """Who has one had a good one; nor is it a guess to have none."""
        self.need(TokenNeed.EVERYONE)
        for _ in range(12):
            client = Client(self.switchboard)
            self.assertEqual(client.hello(minted(exp=NOW - 60))["code"], "token-expired")
            self.assertEqual(client.hello()["code"], "token-required")
        self.assertEqual(client.hello(minted())["type"], "welcome")


class ResumeTests(AccessCase):
    """An identity that proved itself keeps that."""

    def resume(self, welcome: Any, token: str | None = None, **changes: Any) -> Any:
        """Come back."""
        client = Client(self.switchboard)
        keys = {"user": welcome["user"], "secret": welcome["secret"], "instance": "i1", "received": 0, **changes}
        if token is not None:
            keys["token"] = token
        client.say("resume", version=1, **keys)
        return client

    def test_no_token_is_needed(self) -> None:
        """The identity is what its token made of it, also long after that has expired."""
        self.need(TokenNeed.EVERYONE)
        ann = self.client(signald=HOST)
        ann.say("open")
        ann.lose()
        self.now += 100_000
        back = self.resume(ann.frames[0], instance="another")
        welcome, joined = back.frames
        self.assertEqual((welcome["resumed"], welcome["role"], welcome["session"]), ("membership", "host", SESSION))
        self.assertEqual((joined["type"], joined["role"]), ("joined", "host"))

    def test_a_token_is_not_looked_at(self) -> None:
        """Where the identity is found; a bad one is neither told nor counted."""
        ann = self.client(signald=HOST)
        welcome = ann.frames[0]
        for _ in range(12):
            ann.lose()
            ann = self.resume(welcome, token="x")
            welcome = ann.frames[0]
            self.assertEqual(welcome["resumed"], "everything")

    def test_where_there_is_nothing(self) -> None:
        """A new identity needs a token of its own, and a good one."""
        self.need(TokenNeed.EVERYONE)
        lost = {"user": "0" * 26, "secret": "x"}
        for token, code in ((None, "token-required"), ("x", "token-invalid"), (minted(exp=NOW - 60), "token-expired")):
            self.assertEqual(self.resume(lost, token).codes, [code])
        welcome = self.resume(lost, minted(signald=HOST)).frames[0]
        self.assertEqual((welcome["resumed"], welcome["role"]), ("nothing", "host"))

    def test_guesses_are_counted_there(self) -> None:
        """As in a hello."""
        lost = {"user": "0" * 26, "secret": "x"}
        codes = [self.resume(lost, "x").codes for _ in range(11)]
        self.assertEqual(codes, [["token-invalid"]] * 10 + [["too-many-guesses"]])

    def test_over_a_restart(self) -> None:
        """What a token grants is in the state that is handed over."""
        self.need(TokenNeed.EVERYONE)
        ann = self.client(signald=HOST, team="a")
        ann.say("open")
        snapshot = load(dump(export(self.switchboard.hub, self.registry, 0.0)))
        self.switchboard = self.made()
        for action in restore(snapshot, self.switchboard.hub, self.registry, 0.0):
            self.fail(f"{action}")
        back = self.resume(ann.frames[0], instance=f"i{ann.peer}")
        self.assertEqual((back.frames[0]["resumed"], back.frames[0]["role"]), ("everything", "host"))
        [identity] = self.registry.users.values()
        assert identity.grant is not None
        self.assertEqual(json.loads(identity.grant.claims)["team"], "a")

    def test_tokens_are_needed_from_now_on(self) -> None:
        """Who was in without one stays, and comes back, and opens and joins nothing more."""
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


class EnterTests(AccessCase):
    """Opening and joining with tokens."""

    def test_hosts_alone_need_one(self) -> None:
        """Whoever knows the id may join."""
        self.need(TokenNeed.HOSTS)
        bob = self.client()
        self.assertEqual(bob.say("open")["code"], "token-required")
        ann = self.client(signald={"role": "host"})
        session = ann.say("open")["session"]
        self.assertEqual(bob.say("join", session=session)["type"], "joined")
        self.assertEqual(self.client(signald={}).say("open")["code"], "not-permitted")

    def test_the_session_of_a_token(self) -> None:
        """Its host opens it by its id, or without saying which; nobody else can, and nothing else can be opened."""
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

    def test_a_guest_who_comes_first(self) -> None:
        """They wait for the host at the session of their token, and come in with them."""
        self.need(TokenNeed.EVERYONE)
        bob = self.client(sub="bob", signald=GUEST)
        self.assertEqual(bob.say("join", session=SESSION)["reason"], "host")
        ann = self.client(signald=HOST)
        opened = ann.say("open")
        self.assertEqual([member["user"] for member in opened["members"]], [bob.frames[0]["user"]])
        self.assertEqual(bob.frames[-1]["type"], "joined")

    def test_a_session_that_only_its_guests_expect(self) -> None:
        """It is as a kept one: forgotten in time, and unknown to those without its token."""
        bob = self.client(sub="bob", signald=GUEST)
        bob.say("join", session=SESSION)
        bob.say("leave", session=SESSION)
        self.assertEqual(self.registry.kept, {SESSION: 0.0})
        self.clock.advance(Limits().kept_seconds + 1)
        self.switchboard.tick()
        self.assertEqual(self.registry.sessions, {})
        self.assertEqual(self.client().say("join", session=SESSION)["code"], "unknown-session")

    def test_the_same_person_again(self) -> None:
        """In another tab, say: it is the host there, and no longer a member here."""
        ann, again = self.client(signald=HOST), self.client(signald=HOST)
        ann.say("open", capacity=2)
        bob = self.client(sub="bob", signald=GUEST)
        bob.say("join", session=SESSION)
        self.assertEqual(again.say("open", capacity=2)["type"], "opened")
        self.assertEqual((ann.frames[-1]["type"], ann.frames[-1]["reason"]), ("ended", "replaced"))
        self.assertEqual(bob.frames[-1]["type"], "host-changed")

    def test_another_host(self) -> None:
        """Two people with a host's token: the second is the host, and the first stays as a guest."""
        ann, carol = self.client(signald=HOST), self.client(sub="carol", signald=HOST)
        ann.say("open", capacity=3)
        self.assertEqual(carol.say("open", capacity=3)["type"], "opened")
        self.assertEqual([frame["type"] for frame in ann.frames[-2:]], ["member-joined", "host-changed"])
        roles = {member.user: member.role.value for member in self.registry.sessions[SESSION].members}
        self.assertEqual(roles, {ann.frames[0]["user"]: "guest", carol.frames[0]["user"]: "host"})

    def test_a_host_key(self) -> None:
        """It is as good as ever where no token is needed, and does not do where one is."""
        ann = self.client()
        opened = ann.say("open", keep=True)
        ann.say("leave", session=opened["session"])
        key = {"session": opened["session"], "host_key": opened["host-key"]}
        self.need(TokenNeed.HOSTS)
        self.assertEqual(ann.say("open", **key)["code"], "token-required")
        self.need(TokenNeed.NOBODY)
        self.assertEqual(ann.say("open", **key)["type"], "opened")
        self.assertEqual(ann.say("open", host_key="x")["code"], "wrong-host-key")

    def test_expiry_in_a_call(self) -> None:
        """It cuts nothing: messages go on; another session is out of reach."""
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

    def test_the_name_of_a_token(self) -> None:
        """The others are told that one."""
        ann = self.client(signald=HOST)
        ann.say("open")
        self.client(sub="bob", name="Dr Bob", signald=GUEST).say("join", session=SESSION, name="Root")
        self.assertEqual(ann.frames[-1]["member"]["name"], "Dr Bob")

    def test_a_guest_who_was_made_the_host(self) -> None:
        """A host may give the role away, whatever the other's token says."""
        ann, bob = self.client(signald=HOST), self.client(sub="bob", signald=GUEST)
        ann.say("open")
        bob.say("join", session=SESSION)
        ann.say("hand-over", session=SESSION, user=bob.frames[0]["user"])
        self.assertEqual(bob.say("change", session=SESSION, locked=True)["type"], "done")


class WebhookTests(AccessCase):
    """The operator's service has the last word."""

    def setUp(self) -> None:
        """A service that allows everything."""
        super().setUp()
        self.webhook = Answers(self.clock)
        self.switchboard = self.made(self.webhook)

    def answer(self, verdict: Verdict | Deferred[Verdict]) -> None:
        """What it says from now on."""
        self.webhook.verdict = verdict

    @property
    def questions(self) -> list[Question]:
        """What it was asked."""
        return self.webhook.questions

    def test_what_it_is_asked(self) -> None:
        """Openings and joins, with the token's user and claims; nothing else."""
        ann, bob = self.client(signald=HOST), self.client()
        ann.say("open")
        bob.say("join", session=SESSION)
        ann.say("change", session=SESSION, locked=True)
        bob.say("leave", session=SESSION)
        [opening, joining] = self.questions
        self.assertEqual((opening.operation, opening.session, opening.user), ("open", SESSION, "ann"))
        self.assertEqual(json.loads(opening.claims or "")["signald"], HOST)
        self.assertEqual(joining, Question("join", SESSION, None, None))

    def test_no(self) -> None:
        """Nothing happens, and the reason is told."""
        ann = self.client()
        session = ann.say("open")["session"]
        for code in (ErrorCode.NOT_PERMITTED, ErrorCode.DECISION_UNAVAILABLE, ErrorCode.SESSION_FULL):
            self.answer(code)
            bob = self.client()
            self.assertEqual(bob.say("join", session=session)["code"], code.value)
            self.assertEqual(bob.say("open")["code"], code.value)
        self.assertEqual(len(self.registry.sessions), 1)

    def test_what_needs_no_question(self) -> None:
        """What the token does not allow, and ids that are guessed: they are told and counted as ever."""
        self.answer(ErrorCode.NOT_PERMITTED)
        self.assertEqual(self.client(signald=GUEST).say("open")["code"], "not-permitted")
        bob = self.client()
        codes = [bob.say("join", session=f"{guess:010}")["code"] for guess in range(11)]
        self.assertEqual(codes, ["unknown-session"] * 10 + ["too-many-guesses"])
        self.assertEqual(self.questions, [])

    def test_a_password_too(self) -> None:
        """It is looked at after the service has said yes."""
        ann, bob = self.client(), self.client()
        session = ann.say("open", password="sesame")["session"]
        self.answer(ErrorCode.NOT_PERMITTED)
        self.assertEqual(bob.say("join", session=session, password="guess")["code"], "not-permitted")
        self.answer(None)
        self.assertEqual(bob.say("join", session=session, password="guess")["code"], "wrong-password")
        self.assertEqual(bob.say("join", session=session, password="sesame")["type"], "joined")

    def test_a_late_answer(self) -> None:
        """Others go on meanwhile, what the one who asks says next waits, and then it happens in order."""
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

    def test_who_is_gone_when_it_comes(self) -> None:
        """Nothing is left of the question, whatever the answer and whatever was asked."""
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
        self.assertEqual(self.switchboard.hub.decisions.pending, {})

    def test_the_session_ends_meanwhile(self) -> None:
        """A yes does not bring it back."""
        ann, bob = self.client(), self.client()
        session = ann.say("open")["session"]
        waiting: Deferred[Verdict] = Deferred()
        self.answer(waiting)
        bob.say("join", session=session)
        ann.say("leave", session=session)
        waiting.callback(None)
        self.assertEqual(bob.codes, ["unknown-session"])
