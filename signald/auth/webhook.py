"""The webhook: asks the operator's HTTP service who may open and join, and fails closed (docs/tokens.md)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.auth.webhook_rules import WebhookRules
from signald.config.settings import Webhook as Settings
from signald.core.errors import ErrorCode
from signald.core.webhook_messages import Question, Verdict, read_answer

__all__ = ["Webhook"]


_MOST_CONCURRENT = 32
"""The maximum number of concurrent requests, and so of connections."""

_MOST_PENDING = 1024
"""The maximum number of different pending questions, those in flight among them; further ones are refused."""

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

    Raises:
        ConfigError: the settings cannot be used.

    """

    settings: Settings
    post: Callable[[str, Mapping[str, str], bytes], Deferred[bytes]]
    clock: IReactorTime
    wall: Callable[[], float]
    token: Callable[[], str]
    _rules: WebhookRules | None = field(init=False)
    _cache: dict[bytes, tuple[float, Verdict]] = field(init=False, factory=dict)
    _pending: dict[bytes, list[Deferred[Verdict]]] = field(init=False, factory=dict)
    _turns: DeferredSemaphore = field(init=False, factory=lambda: DeferredSemaphore(_MOST_CONCURRENT))
    _warn_at: float = field(init=False, default=float("-inf"))

    def __attrs_post_init__(self) -> None:
        """Load the secret."""
        self._rules = WebhookRules.of(self.settings)

    @property
    def is_on(self) -> bool:
        """Tell whether a webhook is configured."""
        return self._rules is not None

    def configure(self, settings: Settings) -> None:
        """Replace the settings and clear the cache.

        Raises:
            ConfigError: the new settings cannot be used; the old ones stay in force.

        """
        self._rules = WebhookRules.of(settings)
        self.settings = settings
        self._cache.clear()
        self._pending = {}

    def ask(self, question: Question) -> Deferred[Verdict]:
        """Ask whether an operation is allowed: None, or the reason of the refusal. The deferred never fails.

        Equal questions that are pending share one request.
        """
        rules = self._rules
        if rules is None:
            return succeed(None)
        body = question.body()
        key = sha256(body).digest()
        cached = self._cache.get(key)
        if cached is not None and self.clock.seconds() < cached[0]:
            return succeed(cached[1])
        answer: Deferred[Verdict] = Deferred()
        if key in self._pending:
            self._pending[key].append(answer)
        elif len(self._pending) >= _MOST_PENDING:
            return succeed(ErrorCode.DECISION_UNAVAILABLE)
        else:
            self._pending[key] = [answer]
            self._start_request(rules, question, key, body)
        return answer

    def _start_request(self, rules: WebhookRules, question: Question, key: bytes, body: bytes) -> None:
        asked = self._turns.run(self._post, rules, body)
        asked.addTimeout(rules.timeout, self.clock)
        answered: Deferred[Verdict] = asked.addCallback(read_answer, question)
        answered.addCallbacks(self._store, self._failed, callbackArgs=(rules, key))
        answered.addCallback(self._answer_all, key, self._pending[key])

    def _post(self, rules: WebhookRules, body: bytes) -> Deferred[bytes]:
        """Send a question, its id, time and body signed by the specification of Standard Webhooks."""
        id, time = self.token(), str(int(self.wall()))
        digest = hmac.digest(rules.secret, b".".join((id.encode(), time.encode(), body)), "sha256")
        headers = {
            "webhook-id": id,
            "webhook-timestamp": time,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
        return self.post(rules.url, headers, body)

    def _store(self, verdict: Verdict, rules: WebhookRules, key: bytes) -> Verdict:
        if rules is self._rules and rules.cache > 0:
            self._cache.pop(key, None)
            if len(self._cache) >= _MOST_CACHED:
                del self._cache[next(iter(self._cache))]
            self._cache[key] = (self.clock.seconds() + rules.cache, verdict)
        return verdict

    def _failed(self, failure: Failure) -> Verdict:
        if self.clock.seconds() >= self._warn_at:
            self._warn_at = self.clock.seconds() + _WARN_SECONDS
            _log.warn(
                "the webhook gave no usable answer: {reason}",
                event="webhook-unavailable",
                reason=failure.type.__name__ if failure.type is not None else "",
            )
        return ErrorCode.DECISION_UNAVAILABLE

    def _answer_all(self, verdict: Verdict, key: bytes, waiting: list[Deferred[Verdict]]) -> None:
        # After a reload the same question may be pending again, for the new service.
        if self._pending.get(key) is waiting:
            del self._pending[key]
        for answer in waiting:
            answer.callback(verdict)
