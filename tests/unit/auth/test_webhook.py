"""The webhook: what is asked, what is remembered, and what becomes of no answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from signald.auth.webhook import Webhook, check_webhook
from signald.config.tree import Webhook as Settings
from signald.config.values import ConfigError
from signald.core.decisions import JoinSession, OpenSession
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.messages import Role, SessionId, Traits, UserId
from signald.core.questions import Question, Verdict, make_question, read_answer
from signald.core.session_settings import Settings as SessionSettings
from signald.net.http_client import client_of
from tests.support.access import NOW, Agent

SECRET = b"the service and signald know this text"
SESSION = SessionId("7Q2M9RT6ZC")
OPENING = Question("open", None, "ann", '{"sub":"ann"}')
JOINING = Question("join", SESSION, None, None)
UNAVAILABLE = ErrorCode.DECISION_UNAVAILABLE


class Response:
    """An answer whose body is there at once."""

    def __init__(self, body: bytes, code: int = 200) -> None:
        self.code = code
        self.length = len(body)
        self.headers = Headers()
        self._body = body

    def deliverBody(self, reader: Any) -> None:
        """Hand it over."""
        reader.dataReceived(self._body)
        reader.connectionLost(Failure(ResponseDone()))


def body_of(producer: Any) -> bytes:
    """What a request carries."""
    written = BytesIO()
    producer.startProducing(written)
    return written.getvalue()


class WebhookCase(SynchronousTestCase):
    """A webhook without a network."""

    def setUp(self) -> None:
        """One that is on."""
        self.clock = Clock()
        self.agent = Agent()
        self.secret = Path(self.mktemp())
        self.secret.write_bytes(SECRET + b"\n")
        self.secret.chmod(0o600)
        self.settings = Settings(url="https://app.example/may", secret_file=self.secret)
        self.webhook = self.made(self.settings)

    def made(self, settings: Settings) -> Webhook:
        """A webhook with these settings."""
        return Webhook(settings, client_of(self.agent), self.clock, lambda: NOW + 0.5, lambda: "msg")

    def answer(self, body: object, code: int = 200) -> None:
        """Answer the oldest request that waits."""
        *_, waiting = self.agent.requests.pop(0)
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        waiting.callback(cast(IResponse, Response(text, code)))

    def verdict(self, body: object, question: Question = OPENING) -> Verdict:
        """What an answer means."""
        asked = self.made(self.settings).ask(question)
        self.answer(body)
        return self.successResultOf(asked)


class AnswerTests(WebhookCase):
    """What answers mean."""

    def test_a_question(self) -> None:
        """It says what is asked, of which session, by whom, and nothing of an address."""
        self.webhook.ask(OPENING)
        method, url, _, producer, _ = self.agent.requests[0]
        self.assertEqual((method, url), (b"POST", b"https://app.example/may"))
        self.assertEqual(
            json.loads(body_of(producer)),
            {"operation": "open", "session": None, "user": "ann", "claims": {"sub": "ann"}},
        )
        self.assertEqual(
            json.loads(JOINING.body()), {"operation": "join", "session": SESSION, "user": None, "claims": None}
        )

    def test_its_signature(self) -> None:
        """Id, time and body, each bound by an HMAC, as Standard Webhooks has it."""
        self.webhook.ask(OPENING)
        _, _, headers, producer, _ = self.agent.requests[0]
        [id], [time] = headers.getRawHeaders("webhook-id"), headers.getRawHeaders("webhook-timestamp")
        [signature] = headers.getRawHeaders("webhook-signature")
        self.assertEqual((id, time), ("msg", "1800000000"))
        signed = f"{id}.{time}.".encode() + body_of(producer)
        expected = hmac.new(SECRET, signed, hashlib.sha256).digest()
        self.assertEqual(signature, "v1," + base64.b64encode(expected).decode())

    def test_yes(self) -> None:
        """Whatever else it says."""
        for answer in (
            {"allow": True},
            {"allow": True, "code": "session-full", "x": 1},
            {"allow": True, "role": "host"},
        ):
            self.assertIsNone(self.verdict(answer))

    def test_no(self) -> None:
        """With a reason of the vocabulary, or without."""
        for code in ("not-permitted", "token-expired", "session-full", "session-locked", "unknown-session"):
            verdict = self.verdict({"allow": False, "code": code})
            self.assertEqual(verdict.value if verdict else None, code)
        for other in ("internal-error", "nonsense", "", None, 5, ["session-full"]):
            self.assertIs(self.verdict({"allow": False, "code": other}), ErrorCode.NOT_PERMITTED)
        self.assertIs(self.verdict({"allow": False}), ErrorCode.NOT_PERMITTED)

    def test_less(self) -> None:
        """A guest may join and not open."""
        self.assertIs(self.verdict({"allow": True, "role": "guest"}), ErrorCode.NOT_PERMITTED)
        self.assertIsNone(self.verdict({"allow": True, "role": "guest"}, JOINING))

    def test_no_answer_at_all(self) -> None:
        """What is not understood is a refusal."""
        answers: tuple[object, ...] = (
            b"",
            b"yes",
            b"true",
            b"\xff",
            [],
            {},
            {"allow": 1},
            {"allow": "true"},
            {"allow": None},
            {"allow": True, "role": "admin"},
            {"allow": True, "role": None},
            {"allow": True, "role": ["host"]},
            b'{"allow":true' + b" " * 16384 + b"}",
            b"[" * 16000,
        )
        for answer in answers:
            with self.subTest(answer=answer):
                self.assertIs(self.verdict(answer), UNAVAILABLE)

    def test_what_is_asked_of_an_operation(self) -> None:
        """The session that it names, and the token's user and claims."""
        ann = UserId("A" * 26)
        grant = Grant("ann", NOW, Role.HOST, claims='{"sub":"ann"}')
        opening = OpenSession(ann, Traits(), None, SessionSettings())
        self.assertEqual(make_question(opening, grant), OPENING)
        self.assertEqual(make_question(JoinSession(ann, Traits(), SESSION), None), JOINING)

    def test_the_pure_reader_raises(self) -> None:
        """The one who asks fails closed on it."""
        for content in (b"", b"[]", b'{"allow":true,"role":"x"}'):
            with self.assertRaises(ValueError):
                read_answer(content, OPENING)


class FailureTests(WebhookCase):
    """No answer."""

    def ask(self) -> Deferred[Verdict]:
        """Ask."""
        return self.webhook.ask(OPENING)

    def test_a_failure(self) -> None:
        """It is a refusal, with one line in the log for a minute of them, and is not remembered."""
        with capturedLogs() as logs:
            for _ in range(3):
                asked = self.ask()
                self.agent.requests.pop(0)[-1].errback(ConnectionRefusedError("https://app.example/may"))
                self.assertIs(self.successResultOf(asked), UNAVAILABLE)
            self.clock.advance(60)
            asked = self.ask()
            self.answer(b"", code=503)
            self.assertIs(self.successResultOf(asked), UNAVAILABLE)
        self.assertEqual([event["reason"] for event in logs], ["ConnectionRefusedError", "UnusableAnswerError"])
        self.assertEqual(
            {(event["event"], event["log_level"]) for event in logs}, {("webhook-unavailable", LogLevel.warn)}
        )
        self.assertNotIn("app.example", str(logs))

    def test_no_answer_in_time(self) -> None:
        """The request is given up."""
        asked = self.ask()
        self.clock.advance(1.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.assertIs(self.successResultOf(asked), UNAVAILABLE)
        self.assertTrue(self.agent.requests[0][-1].called)

    def test_an_agent_that_raises(self) -> None:
        """It is a refusal, too."""
        self.agent.broken = True
        self.assertIs(self.successResultOf(self.ask()), UNAVAILABLE)

    def test_how_many_at_once(self) -> None:
        """Thirty-two on their way, a thousand that wait, and those past it are refused at once."""
        asked = [self.webhook.ask(evolve(OPENING, user=str(count))) for count in range(1024)]
        self.assertEqual(len(self.agent.requests), 32)
        one_more = self.webhook.ask(evolve(OPENING, user="more"))
        self.assertIs(self.successResultOf(one_more), UNAVAILABLE)
        self.answer({"allow": True})
        self.assertIsNone(self.successResultOf(asked[0]))
        self.assertEqual(len(self.agent.requests), 32)
        self.clock.advance(2)
        self.assertEqual({self.successResultOf(late) for late in asked[1:]}, {UNAVAILABLE})
        again = self.ask()
        for _ in self.agent.requests[:-1]:
            self.agent.requests.pop(0)
        self.answer({"allow": True})
        self.assertIsNone(self.successResultOf(again))


class MemoryTests(WebhookCase):
    """What is remembered."""

    def test_for_some_seconds(self) -> None:
        """Yes and no alike; then it is asked again."""
        for body, verdict in (({"allow": True}, None), ({"allow": False}, ErrorCode.NOT_PERMITTED)):
            asked = self.webhook.ask(OPENING)
            self.answer(body)
            self.assertEqual(self.successResultOf(asked), verdict)
            self.clock.advance(29.9)
            self.assertEqual(self.successResultOf(self.webhook.ask(OPENING)), verdict)
            self.clock.advance(0.1)
        self.assertEqual(self.agent.requests, [])
        self.assertNoResult(self.webhook.ask(OPENING))

    def test_each_question_by_itself(self) -> None:
        """Whatever is different makes another one."""
        for question in (
            OPENING,
            JOINING,
            evolve(OPENING, user="bob"),
            evolve(OPENING, claims="{}"),
            evolve(JOINING, session=SessionId("0000000000")),
            evolve(JOINING, operation="open"),
        ):
            self.assertNoResult(self.webhook.ask(question))
        self.assertEqual(len(self.agent.requests), 6)

    def test_the_same_question_twice_at_once(self) -> None:
        """It is asked once, and both hear the answer."""
        first, second = self.webhook.ask(OPENING), self.webhook.ask(OPENING)
        self.answer({"allow": True})
        self.assertEqual(self.agent.requests, [])
        self.assertIsNone(self.successResultOf(first))
        self.assertIsNone(self.successResultOf(second))

    def test_nothing_is_remembered(self) -> None:
        """Where the settings say so."""
        webhook = self.made(evolve(self.settings, cache_seconds=0.0))
        for _ in range(2):
            webhook.ask(OPENING)
            self.answer({"allow": True})

    def test_so_many(self) -> None:
        """The oldest is forgotten for the ten-thousand-and-first."""
        for count in range(10_001):
            self.webhook.ask(evolve(OPENING, user=str(count)))
            self.answer({"allow": True})
        self.assertIsNone(self.successResultOf(self.webhook.ask(evolve(OPENING, user="1"))))
        self.assertNoResult(self.webhook.ask(evolve(OPENING, user="0")))


class SettingsTests(WebhookCase):
    """The section `webhook`."""

    def test_off(self) -> None:
        """Everybody may, and nobody is asked."""
        webhook = self.made(Settings())
        self.assertFalse(webhook.is_on)
        self.assertIsNone(self.successResultOf(webhook.ask(OPENING)))
        self.assertEqual(self.agent.requests, [])

    def test_what_cannot_be_used(self) -> None:
        """It is said, and changes nothing."""
        short = Path(self.mktemp())
        short.write_bytes(SECRET[:31])
        short.chmod(0o600)
        for settings, said in (
            (evolve(self.settings, url="http://app.example/"), "https://"),
            (evolve(self.settings, secret_file=None), "secret_file"),
            (evolve(self.settings, secret_file=short), "shorter than 32"),
            (evolve(self.settings, secret_file=Path("/nowhere")), "cannot be read"),
        ):
            with self.assertRaisesRegex(ConfigError, said):
                self.made(settings)
            with self.assertRaisesRegex(ConfigError, said):
                check_webhook(settings)
            with self.assertRaisesRegex(ConfigError, said):
                self.webhook.configure(settings)
        self.assertIs(self.webhook.settings, self.settings)
        self.secret.chmod(0o604)
        with self.assertRaisesRegex(ConfigError, "open to others"):
            self.webhook.configure(self.settings)

    def test_another_service(self) -> None:
        """What the one before said, or is about to say, does not count."""
        self.webhook.ask(OPENING)
        self.answer({"allow": True})
        late = self.webhook.ask(JOINING)
        self.webhook.configure(evolve(self.settings, url="https://new.example/"))
        self.assertNoResult(self.webhook.ask(OPENING))
        new = self.webhook.ask(JOINING)
        self.answer({"allow": True})
        self.assertIsNone(self.successResultOf(late))
        self.assertNoResult(new)
        self.assertEqual([url for _, url, *_ in self.agent.requests], [b"https://new.example/"] * 2)
        self.answer({"allow": False})
        self.answer({"allow": False})
        self.assertIs(self.successResultOf(self.webhook.ask(JOINING)), ErrorCode.NOT_PERMITTED)

    def test_nothing_shows_the_secret(self) -> None:
        """Neither does what is printed of it, nor the claims of a question."""
        self.assertNotIn(SECRET.decode(), repr(self.webhook))
        self.assertNotIn("claims", repr(OPENING))
