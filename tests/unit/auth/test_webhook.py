"""Tests of the webhook: requests, answers, failures, the cache and the settings."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost, DNSLookupError
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from signald.auth.webhook import Webhook
from signald.auth.webhook_failures import classify_failure
from signald.auth.webhook_rules import check_webhook
from signald.config.settings import Webhook as Settings
from signald.config.values import ConfigError
from signald.core.decisions import JoinSession, OpenSession
from signald.core.errors import ErrorCode
from signald.core.grant import Grant
from signald.core.limits import AddressKey
from signald.core.messages import Role, SessionId, Traits, UserId
from signald.core.session_settings import Settings as SessionSettings
from signald.core.webhook_messages import Question, Verdict, make_question, read_answer
from signald.core.webhook_results import WebhookResult
from signald.net.http_client import client_of, post
from tests.support.access import NOW, Agent
from tests.support.world import HOME

SECRET = b"the service and signald know this text"
SESSION = SessionId("7Q2M9RT6ZC")
OPENING = Question("open", None, "ann", '{"sub":"ann"}')
JOINING = Question("join", SESSION, None, None)
UNAVAILABLE = ErrorCode.DECISION_UNAVAILABLE
ELSEWHERE = AddressKey("198.51.100.9")


class Response:
    """A response whose body is delivered at once."""

    def __init__(self, body: bytes, code: int = 200) -> None:
        self.code = code
        self.length = len(body)
        self.headers = Headers()
        self._body = body

    def deliverBody(self, reader: Any) -> None:
        """Deliver the body."""
        reader.dataReceived(self._body)
        reader.connectionLost(Failure(ResponseDone()))


def body_of(producer: Any) -> bytes:
    """Return the body of a request."""
    written = BytesIO()
    producer.startProducing(written)
    return written.getvalue()


class WebhookCase(SynchronousTestCase):
    """A base class with a webhook and no network."""

    def setUp(self) -> None:
        """Configure a webhook."""
        self.clock = Clock()
        self.agent = Agent()
        self.results: list[tuple[WebhookResult, float]] = []
        self.secret = Path(self.mktemp())
        self.secret.write_bytes(SECRET + b"\n")
        self.secret.chmod(0o600)
        self.settings = Settings(url="https://app.example/may", secret_file=self.secret)
        self.webhook = self.make_webhook(self.settings)

    def make_webhook(self, settings: Settings) -> Webhook:
        """Create a webhook with these settings."""
        send = partial(post, client_of(self.agent))
        return Webhook(settings, send, self.clock, lambda: NOW + 0.5, lambda: "msg", self.observe)

    def observe(self, result: WebhookResult, seconds: float) -> None:
        """Record the end of a question."""
        self.results.append((result, seconds))

    def answer(self, body: object, code: int = 200) -> None:
        """Respond to the oldest pending request."""
        *_, waiting = self.agent.requests.pop(0)
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        waiting.callback(cast(IResponse, Response(text, code)))

    def verdict(self, body: object, question: Question = OPENING) -> Verdict:
        """Return the verdict that a response leads to."""
        asked = self.make_webhook(self.settings).ask(question, HOME)
        self.answer(body)
        return self.successResultOf(asked)


class AnswerTests(WebhookCase):
    """A question is sent with a signature, and its answer is a verdict."""

    def test_question(self) -> None:
        """A question contains the operation, the session, the user and the claims, and no address."""
        self.webhook.ask(OPENING, HOME)
        method, url, _, producer, _ = self.agent.requests[0]
        self.assertEqual((method, url), (b"POST", b"https://app.example/may"))
        self.assertEqual(
            json.loads(body_of(producer)),
            {"operation": "open", "session": None, "user": "ann", "claims": {"sub": "ann"}},
        )
        self.assertEqual(
            json.loads(JOINING.body()), {"operation": "join", "session": SESSION, "user": None, "claims": None}
        )

    def test_signature(self) -> None:
        """The HMAC covers id, time and body, as Standard Webhooks specifies."""
        self.webhook.ask(OPENING, HOME)
        _, _, headers, producer, _ = self.agent.requests[0]
        [id], [time] = headers.getRawHeaders("webhook-id"), headers.getRawHeaders("webhook-timestamp")
        [signature] = headers.getRawHeaders("webhook-signature")
        self.assertEqual((id, time), ("msg", "1800000000"))
        signed = f"{id}.{time}.".encode() + body_of(producer)
        expected = hmac.new(SECRET, signed, hashlib.sha256).digest()
        self.assertEqual(signature, "v1," + base64.b64encode(expected).decode())

    def test_allowed(self) -> None:
        """A response that allows is accepted, whatever other keys it has."""
        for answer in (
            {"allow": True},
            {"allow": True, "code": "session-full", "x": 1},
            {"allow": True, "role": "host"},
        ):
            self.assertIsNone(self.verdict(answer))

    def test_refused(self) -> None:
        """A refusal has the response's code if that code is in the list, and `not-permitted` otherwise."""
        for code in ("not-permitted", "token-expired", "session-full", "session-locked", "unknown-session"):
            verdict = self.verdict({"allow": False, "code": code})
            self.assertEqual(verdict.value if verdict else None, code)
        for other in ("internal-error", "nonsense", "", None, 5, ["session-full"]):
            self.assertIs(self.verdict({"allow": False, "code": other}), ErrorCode.NOT_PERMITTED)
        self.assertIs(self.verdict({"allow": False}), ErrorCode.NOT_PERMITTED)

    def test_lesser_role(self) -> None:
        """An answer with the role of a guest allows to join, and not to open."""
        self.assertIs(self.verdict({"allow": True, "role": "guest"}), ErrorCode.NOT_PERMITTED)
        self.assertIsNone(self.verdict({"allow": True, "role": "guest"}, JOINING))

    def test_invalid_answers(self) -> None:
        """A malformed response is a refusal."""
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

    def test_question_about_an_operation(self) -> None:
        """The question takes the session from the operation, user and claims from the grant."""
        ann = UserId("A" * 26)
        grant = Grant("ann", NOW, Role.HOST, claims='{"sub":"ann"}')
        opening = OpenSession(ann, Traits(), None, SessionSettings())
        self.assertEqual(make_question(opening, grant), OPENING)
        self.assertEqual(make_question(JoinSession(ann, Traits(), SESSION), None), JOINING)

    def test_read_answer_raises(self) -> None:
        """`read_answer` raises ValueError for an invalid answer; the caller fails closed."""
        for content in (b"", b"[]", b'{"allow":true,"role":"x"}'):
            with self.assertRaises(ValueError):
                read_answer(content, OPENING)


class FailureTests(WebhookCase):
    """Every failure is a refusal."""

    def ask(self) -> Deferred[Verdict]:
        """Ask the webhook."""
        return self.webhook.ask(OPENING, HOME)

    def test_errors(self) -> None:
        """A failed request is a refusal, is logged once a minute, and is not cached."""
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

    def test_timeout(self) -> None:
        """A request without a response within the timeout is cancelled."""
        asked = self.ask()
        self.clock.advance(1.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.assertIs(self.successResultOf(asked), UNAVAILABLE)
        self.assertTrue(self.agent.requests[0][-1].called)

    def test_hanging_service(self) -> None:
        """Questions of one address to a service that hangs leave the turns of other addresses free."""
        for count in range(64):
            self.webhook.ask(evolve(OPENING, user=str(count)), ELSEWHERE)
        self.assertEqual(len(self.agent.requests), 8)
        asked = self.webhook.ask(OPENING, HOME)
        self.assertEqual(len(self.agent.requests), 9)
        *_, answer = self.agent.requests.pop()
        answer.callback(cast(IResponse, Response(b'{"allow":true}')))
        self.assertIsNone(self.successResultOf(asked))

    def test_questions_of_an_address(self) -> None:
        """An address has at most 8 questions in flight and 128 that wait; another address is not affected."""
        for count in range(8 + 128):
            self.assertNoResult(self.webhook.ask(evolve(OPENING, user=str(count)), ELSEWHERE))
        refused = self.webhook.ask(evolve(OPENING, user="more"), ELSEWHERE)
        self.assertIs(self.successResultOf(refused), UNAVAILABLE)
        self.assertNoResult(self.webhook.ask(evolve(OPENING, user="more"), HOME))

    def test_a_waiting_question_times_out(self) -> None:
        """The time in which a question waits for its turn is part of the timeout."""
        asked = [self.webhook.ask(evolve(OPENING, user=str(count)), HOME) for count in range(20)]
        self.clock.advance(2)
        self.assertEqual({self.successResultOf(late) for late in asked}, {UNAVAILABLE})

    def test_joins_go_first(self) -> None:
        """A question about a join is sent before one about an open that waits longer."""
        for count in range(8):
            self.webhook.ask(evolve(OPENING, user=str(count)), HOME)
        self.webhook.ask(OPENING, HOME)
        self.webhook.ask(JOINING, HOME)
        self.answer({"allow": True})
        *_, producer, _ = self.agent.requests[-1]
        self.assertEqual(json.loads(body_of(producer))["operation"], "join")

    def test_agent_raises(self) -> None:
        """An exception of the agent is a refusal."""
        self.agent.broken = True
        self.assertIs(self.successResultOf(self.ask()), UNAVAILABLE)

    def test_bounds(self) -> None:
        """At most 32 requests are in flight and 1,024 questions wait; a further question is refused at once.

        Such a refusal is the doing of clients, so it is not logged as a missing answer of the service.
        """
        addresses = [AddressKey(f"192.0.2.{number}") for number in range(32)]
        asked = [
            self.webhook.ask(evolve(OPENING, user=str(count)), addresses[count % 32]) for count in range(32 + 1024)
        ]
        self.assertEqual(len(self.agent.requests), 32)
        with capturedLogs() as logs:
            one_more = self.webhook.ask(evolve(OPENING, user="more"), addresses[0])
            self.assertIs(self.successResultOf(one_more), UNAVAILABLE)
        self.assertEqual(logs, [])
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


class ResultTests(WebhookCase):
    """The end of each question is counted with its kind and its time."""

    def ask(self, question: Question = OPENING) -> None:
        """Ask, and let half a second pass."""
        self.webhook.ask(question, HOME)
        self.clock.advance(0.5)

    def test_answers(self) -> None:
        """Both verdicts are answers, with the time since the question; a cached answer is not counted."""
        self.ask()
        self.assertEqual((self.webhook.open_questions, self.results), (1, []))
        self.answer({"allow": True})
        self.ask()
        self.ask(JOINING)
        self.answer({"allow": False})
        self.assertEqual(self.results, [(WebhookResult.ALLOWED, 0.5), (WebhookResult.REFUSED, 0.5)])
        self.assertEqual((self.webhook.open_questions, self.webhook.is_failing), (0, False))

    def test_failures(self) -> None:
        """Each failure is counted by its kind, and the webhook is failing until its next answer."""
        for error, kind in (
            (ConnectError(), WebhookResult.UNREACHABLE),
            (DNSLookupError(), WebhookResult.UNREACHABLE),
            (ResponseNeverReceived([Failure(ConnectionDone())]), WebhookResult.UNREACHABLE),
            (ResponseNeverReceived([Failure(SSL.Error())]), WebhookResult.TLS),
            (ResponseNeverReceived([Failure(ConnectionLost()), Failure(VerificationError([]))]), WebhookResult.TLS),
            (KeyError(), WebhookResult.ERROR),
        ):
            self.results.clear()
            self.ask()
            self.agent.requests.pop(0)[-1].errback(error)
            if self.agent.requests:
                # The request was repeated, since the connection ended without a response.
                self.agent.requests.pop(0)[-1].errback(error)
            self.assertEqual(self.results, [(kind, 0.5)], error)
            self.assertTrue(self.webhook.is_failing)
        self.assertEqual(self.webhook.open_questions, 0)
        for unknown in (None, ResponseNeverReceived([KeyError()])):
            self.assertIs(classify_failure(unknown), WebhookResult.ERROR)

    def test_unusable_answers(self) -> None:
        """Another status and a body that is no answer are different kinds."""
        self.ask()
        self.answer({"allow": True}, code=401)
        self.ask()
        self.answer("yes")
        self.assertEqual([kind for kind, _ in self.results], [WebhookResult.STATUS, WebhookResult.BAD_ANSWER])
        self.ask()
        self.answer({"allow": False})
        self.assertFalse(self.webhook.is_failing)

    def test_timeout(self) -> None:
        """A question without an answer ends by its timeout."""
        self.webhook.ask(OPENING, HOME)
        self.clock.advance(2.0)
        self.assertEqual(self.results, [(WebhookResult.TIMEOUT, 2.0)])

    def test_no_turn(self) -> None:
        """That too many questions wait is counted, and says nothing about the service."""
        for count in range(8 + 128 + 1):
            self.webhook.ask(evolve(OPENING, user=str(count)), HOME)
        self.assertEqual(self.results, [(WebhookResult.NO_TURN, 0.0)])
        self.assertFalse(self.webhook.is_failing)

    def test_after_a_reload(self) -> None:
        """A reload forgets that the service before failed, and what comes from that one later changes nothing."""
        self.ask()
        self.answer(b"", code=500)
        self.ask()
        self.webhook.prepare(self.settings)()
        self.assertFalse(self.webhook.is_failing)
        self.answer(b"", code=500)
        self.assertFalse(self.webhook.is_failing)
        self.assertEqual(len(self.results), 2)


class CacheTests(WebhookCase):
    """Answers are cached."""

    def test_lifetime(self) -> None:
        """Both verdicts are cached for `cache_seconds`; then the service is asked again."""
        for body, verdict in (({"allow": True}, None), ({"allow": False}, ErrorCode.NOT_PERMITTED)):
            asked = self.webhook.ask(OPENING, HOME)
            self.answer(body)
            self.assertEqual(self.successResultOf(asked), verdict)
            self.clock.advance(29.9)
            self.assertEqual(self.successResultOf(self.webhook.ask(OPENING, HOME)), verdict)
            self.clock.advance(0.1)
        self.assertEqual(self.agent.requests, [])
        self.assertNoResult(self.webhook.ask(OPENING, HOME))

    def test_different_questions(self) -> None:
        """Questions that differ in any field are asked separately."""
        for question in (
            OPENING,
            JOINING,
            evolve(OPENING, user="bob"),
            evolve(OPENING, claims="{}"),
            evolve(JOINING, session=SessionId("0000000000")),
            evolve(JOINING, operation="open"),
        ):
            self.assertNoResult(self.webhook.ask(question, HOME))
        self.assertEqual(len(self.agent.requests), 6)

    def test_equal_pending_questions(self) -> None:
        """Equal pending questions share one request."""
        first, second = self.webhook.ask(OPENING, HOME), self.webhook.ask(OPENING, HOME)
        self.answer({"allow": True})
        self.assertEqual(self.agent.requests, [])
        self.assertIsNone(self.successResultOf(first))
        self.assertIsNone(self.successResultOf(second))

    def test_equal_questions_of_two_addresses(self) -> None:
        """An equal question of another address does not wait for the first one's turn.

        It is not sent if the answer is known at its own turn, and does not count as one that the service answered.
        """
        for count in range(8):
            self.webhook.ask(evolve(OPENING, user=str(count)), ELSEWHERE)
        slow, quick = self.webhook.ask(JOINING, ELSEWHERE), self.webhook.ask(JOINING, HOME)
        self.assertEqual(len(self.agent.requests), 9)
        *_, answer = self.agent.requests.pop()
        answer.callback(cast(IResponse, Response(b'{"allow":true}')))
        self.assertIsNone(self.successResultOf(quick))
        self.assertNoResult(slow)
        self.answer({}, code=500)
        self.assertIsNone(self.successResultOf(slow))
        self.assertEqual(len(self.agent.requests), 7)
        self.assertEqual([kind for kind, _ in self.results], [WebhookResult.ALLOWED, WebhookResult.STATUS])
        self.assertTrue(self.webhook.is_failing)

    def test_disabled(self) -> None:
        """With `cache_seconds` zero nothing is cached."""
        webhook = self.make_webhook(evolve(self.settings, cache_seconds=0.0))
        for _ in range(2):
            webhook.ask(OPENING, HOME)
            self.answer({"allow": True})

    def test_eviction(self) -> None:
        """The oldest answer is evicted when more than 10,000 are cached."""
        for count in range(10_001):
            self.webhook.ask(evolve(OPENING, user=str(count)), HOME)
            self.answer({"allow": True})
        self.assertIsNone(self.successResultOf(self.webhook.ask(evolve(OPENING, user="1"), HOME)))
        self.assertNoResult(self.webhook.ask(evolve(OPENING, user="0"), HOME))


class SettingsTests(WebhookCase):
    """The settings of the section `webhook`."""

    def test_not_configured(self) -> None:
        """Without a URL everything is allowed and no request is sent."""
        webhook = self.make_webhook(Settings())
        self.assertFalse(webhook.is_on)
        self.assertIsNone(self.successResultOf(webhook.ask(OPENING, HOME)))
        self.assertEqual(self.agent.requests, [])

    def test_invalid_settings(self) -> None:
        """Settings that cannot be used raise an error and change nothing."""
        short = Path(self.mktemp())
        short.write_bytes(SECRET[:31])
        short.chmod(0o600)
        for settings, said in (
            (evolve(self.settings, url="http://app.example/"), "found http:// to another machine; use https:// there"),
            (
                evolve(self.settings, secret_file=None),
                "webhook.url: this needs webhook.secret_file, a file of at least 32",
            ),
            (evolve(self.settings, secret_file=short), "at least 32 bytes, found 31"),
            (evolve(self.settings, secret_file=Path("/nowhere")), "cannot be read"),
        ):
            with self.assertRaisesRegex(ConfigError, said):
                self.make_webhook(settings)
            with self.assertRaisesRegex(ConfigError, said):
                check_webhook(settings)
            with self.assertRaisesRegex(ConfigError, said):
                self.webhook.prepare(settings)
        self.assertIs(self.webhook.settings, self.settings)
        self.secret.chmod(0o604)
        with self.assertRaisesRegex(ConfigError, "open to others"):
            self.webhook.prepare(self.settings)

    def test_reload(self) -> None:
        """After a reload neither cached nor pending answers of the previous service are used."""
        self.webhook.ask(OPENING, HOME)
        self.answer({"allow": True})
        late = self.webhook.ask(JOINING, HOME)
        self.webhook.prepare(evolve(self.settings, url="https://new.example/"))()
        self.assertNoResult(self.webhook.ask(OPENING, HOME))
        new = self.webhook.ask(JOINING, HOME)
        self.answer({"allow": True})
        self.assertIsNone(self.successResultOf(late))
        self.assertNoResult(new)
        self.assertEqual([url for _, url, *_ in self.agent.requests], [b"https://new.example/"] * 2)
        self.answer({"allow": False})
        self.answer({"allow": False})
        self.assertIs(self.successResultOf(self.webhook.ask(JOINING, HOME)), ErrorCode.NOT_PERMITTED)

    def test_repr_hides_secrets(self) -> None:
        """The secret and the claims are not in the repr."""
        self.assertNotIn(SECRET.decode(), repr(self.webhook))
        self.assertNotIn("claims", repr(OPENING))
