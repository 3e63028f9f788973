"""The webhook: asks the operator's HTTP service who may open and join, and fails closed (docs/tokens.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.auth.fair_turns import FairTurns, NoTurnError
from signald.auth.webhook_failures import classify_failure
from signald.auth.webhook_rules import WebhookRules, signed_headers
from signald.config.settings import Webhook as Settings
from signald.core.errors import ErrorCode
from signald.core.fair_queue import QueueBounds
from signald.core.limits import AddressKey
from signald.core.webhook_messages import JOIN, Question, Verdict, read_answer
from signald.core.webhook_results import WebhookResult

__all__ = ["Webhook"]


_BOUNDS = QueueBounds(running=32, running_per_group=8, waiting=1024, waiting_per_address=128)
"""Bounds of the questions: 32 requests at once, and so connections, 8 of them for one address, so that a service that
hangs is free for other addresses; questions beyond those that wait are refused."""

_MOST_CACHED = 10_000
"""The maximum number of cached answers; each takes a few hundred bytes."""

_WARN_SECONDS = 60.0
"""Minimum time between two log lines about missing answers."""

_log = Logger()


@define
class Webhook:
    """Asks the operator's service, and caches its answers.

    Attributes:
        settings: the section `webhook`.
        post: sends a request with a URL, headers and a body, and returns the body of the response.
        clock: monotonic time in seconds, for the timeout and the cache.
        wall: returns wall time in seconds since the epoch, for the signature.
        token: returns random text that identifies a request.
        observe: called at the end of each question that was not answered from the cache, with its result and the
            seconds since it was asked.
        is_failing: whether the last question to the service in use was without a usable answer.

    Raises:
        ConfigError: the settings cannot be used.

    """

    settings: Settings
    post: Callable[[str, Mapping[str, str], bytes], Deferred[bytes]]
    clock: IReactorTime
    wall: Callable[[], float]
    token: Callable[[], str]
    observe: Callable[[WebhookResult, float], None]
    is_failing: bool = field(init=False, default=False)
    _rules: WebhookRules | None = field(init=False)
    _cache: dict[bytes, tuple[float, Verdict]] = field(init=False, factory=dict)
    _pending: dict[tuple[AddressKey, bytes], list[Deferred[Verdict]]] = field(init=False, factory=dict)
    _turns: FairTurns = field(init=False, factory=lambda: FairTurns.of(_BOUNDS))
    _warn_at: float = field(init=False, default=float("-inf"))

    def __attrs_post_init__(self) -> None:
        """Load the secret."""
        self._rules = WebhookRules.of(self.settings)

    @property
    def is_on(self) -> bool:
        """Tell whether a webhook is configured."""
        return self._rules is not None

    @property
    def open_questions(self) -> int:
        """Return the number of questions without an answer; equal ones of one address are one."""
        return len(self._pending)

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """Check other settings and read the secret, and return the function that puts the settings in force.

        That function clears the cache as well.

        Raises:
            ConfigError: the new settings cannot be used.

        """
        rules = WebhookRules.of(settings)

        def apply() -> None:
            self._rules, self.settings = rules, settings
            self.is_failing = False
            self._cache.clear()
            self._pending = {}

        return apply

    def ask(self, question: Question, address: AddressKey) -> Deferred[Verdict]:
        """Ask whether an operation is allowed: None, or the reason of the refusal. The deferred never fails.

        Addresses take turns where questions have to wait, and joins go before opens. Equal questions of one address
        that are pending share one request; those of different addresses do not, since each would wait for the turn of
        the first one's address.

        Arguments:
            question: the question.
            address: the address of the client for which it is asked.

        """
        rules = self._rules
        if rules is None:
            return succeed(None)
        body = question.body()
        digest = sha256(body).digest()
        cached = self._cached(digest)
        if cached is not None:
            return succeed(cached[1])
        answer: Deferred[Verdict] = Deferred()
        key = (address, digest)
        if key in self._pending:
            self._pending[key].append(answer)
            return answer
        waiting = self._pending[key] = [answer]
        is_asked = True

        def ask_service() -> Deferred[Verdict]:
            nonlocal is_asked
            # Another address may have asked the same in the meantime.
            cached = self._cached(digest) if rules is self._rules else None
            if cached is not None:
                is_asked = False
                return succeed(cached[1])
            posted = self._post(rules, body)
            return posted.addCallback(read_answer, question).addCallback(self._store, rules, digest)

        def observe(result: Verdict | Failure) -> Verdict | Failure:
            # An answer from the cache says nothing about the service, which may have begun to fail since.
            return self._observe(result, rules, asked) if is_asked else result

        asked = self.clock.seconds()
        answered = self._turns.run(address, ask_service, preferred=question.operation == JOIN)
        answered.addTimeout(rules.timeout, self.clock)
        answered.addBoth(observe)
        answered.addErrback(self._failed)
        answered.addCallback(self._answer_all, key, waiting)
        return answer

    def _post(self, rules: WebhookRules, body: bytes) -> Deferred[bytes]:
        """Send a question, its id, time and body signed by the specification of Standard Webhooks."""
        headers = signed_headers(rules.secret, self.token(), self.wall(), body)
        return self.post(rules.url, headers, body)

    def _cached(self, digest: bytes) -> tuple[float, Verdict] | None:
        """The cached answer to a question, with the time of its expiry; None where there is none."""
        cached = self._cache.get(digest)
        return cached if cached is not None and self.clock.seconds() < cached[0] else None

    def _store(self, verdict: Verdict, rules: WebhookRules, digest: bytes) -> Verdict:
        if rules is self._rules and rules.cache > 0:
            self._cache.pop(digest, None)
            if len(self._cache) >= _MOST_CACHED:
                del self._cache[next(iter(self._cache))]
            self._cache[digest] = (self.clock.seconds() + rules.cache, verdict)
        return verdict

    def _observe(self, result: Verdict | Failure, rules: WebhookRules, asked: float) -> Verdict | Failure:
        """Report the end of a question that was asked at a time, and pass its verdict or its error on."""
        if isinstance(result, Failure):
            kind = classify_failure(result.value)
        else:
            kind = WebhookResult.ALLOWED if result is None else WebhookResult.REFUSED
        # That too many questions wait is the doing of clients, and says nothing about the service.
        if rules is self._rules and kind is not WebhookResult.NO_TURN:
            self.is_failing = not kind.is_answer
        self.observe(kind, self.clock.seconds() - asked)
        return result

    def _failed(self, failure: Failure) -> Verdict:
        if not failure.check(NoTurnError) and self.clock.seconds() >= self._warn_at:
            self._warn_at = self.clock.seconds() + _WARN_SECONDS
            _log.warn(
                "the webhook gave no usable answer: {reason}",
                event="webhook-unavailable",
                reason=failure.type.__name__ if failure.type is not None else "",
            )
        return ErrorCode.DECISION_UNAVAILABLE

    def _answer_all(self, verdict: Verdict, key: tuple[AddressKey, bytes], waiting: list[Deferred[Verdict]]) -> None:
        # After a reload the same question may be pending again, for the new service.
        if self._pending.get(key) is waiting:
            del self._pending[key]
        for answer in waiting:
            answer.callback(verdict)
