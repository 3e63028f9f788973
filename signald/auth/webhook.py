"""Asks the operator's HTTP service who may open and join, and takes no answer for a refusal (docs/tokens.md)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from hashlib import sha256

from attrs import define, field, frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.config.secret_files import read_secret
from signald.config.tree import Webhook as Settings
from signald.config.values import ConfigError
from signald.core.errors import ErrorCode
from signald.core.questions import Question, Verdict, read_answer
from signald.net.http_client import is_usable, post

__all__ = ["Webhook", "check_webhook"]

_LEAST_SECRET_BYTES = 32
"""Of the secret that signs: as many as the hash has (RFC 2104 §3)."""

_MOST_AT_ONCE = 32
"""Questions on their way; it is also how many connections there are."""

_MOST_OPEN = 1024
"""Questions that wait for their answer, those on their way among them."""

_MOST_CACHED = 10_000
"""Answers that are used again; each takes some hundred bytes."""

_WARN_SECONDS = 60.0
"""Between two lines in the log about answers that do not come."""

_log = Logger()


@frozen
class _Rules:
    """Whom to ask, and how."""

    url: str
    secret: bytes = field(repr=False)
    timeout: float
    cache: float

    @classmethod
    def of(cls, settings: Settings) -> _Rules | None:
        if settings.url is None:
            return None
        if not is_usable(settings.url):
            raise ConfigError(
                "webhook.url is no https:// address (or http:// on this machine), or has a user or a fragment."
            )
        if settings.secret_file is None:
            raise ConfigError("A webhook's questions are signed: give webhook.secret_file, too.")
        secret = read_secret(settings.secret_file)
        if len(secret) < _LEAST_SECRET_BYTES:
            raise ConfigError(f"The secret in {settings.secret_file} is shorter than {_LEAST_SECRET_BYTES} bytes.")
        return cls(settings.url, secret, settings.timeout_seconds, settings.cache_seconds)


def check_webhook(settings: Settings) -> None:
    """See whether a webhook could be asked by these settings; nobody is asked.

    Raises:
        ConfigError: it could not.

    """
    _Rules.of(settings)


@define
class Webhook:
    """Asks, and remembers what it was told.

    Attributes:
        settings: the section `webhook`.
        client: makes the requests.
        clock: monotonic seconds, for the timeout and what is remembered.
        wall: wall time in seconds since the epoch, for the signature.
        token: gives random text that names a question.

    Raises:
        ConfigError: the settings cannot be used.

    """

    settings: Settings
    client: HTTPClient
    clock: IReactorTime
    wall: Callable[[], float]
    token: Callable[[], str]
    _rules: _Rules | None = field(init=False)
    _cache: dict[bytes, tuple[float, Verdict]] = field(init=False, factory=dict)
    _open: dict[bytes, list[Deferred[Verdict]]] = field(init=False, factory=dict)
    _turns: DeferredSemaphore = field(init=False, factory=lambda: DeferredSemaphore(_MOST_AT_ONCE))
    _warn_at: float = field(init=False, default=float("-inf"))

    def __attrs_post_init__(self) -> None:
        """Read the secret."""
        self._rules = _Rules.of(self.settings)

    @property
    def is_on(self) -> bool:
        """Whether there is anybody to ask."""
        return self._rules is not None

    def configure(self, settings: Settings) -> None:
        """Ask by other settings from now on; what was remembered is forgotten.

        Raises:
            ConfigError: they cannot be used; nothing has changed.

        """
        self._rules = _Rules.of(settings)
        self.settings = settings
        self._cache.clear()
        self._open = {}

    def ask(self, question: Question) -> Deferred[Verdict]:
        """Find out whether somebody may: None, or why not. It never fails.

        Those who ask the same meanwhile get the same answer.
        """
        rules = self._rules
        if rules is None:
            return succeed(None)
        body = question.body()
        key = sha256(body).digest()
        remembered = self._cache.get(key)
        if remembered is not None and self.clock.seconds() < remembered[0]:
            return succeed(remembered[1])
        answer: Deferred[Verdict] = Deferred()
        if key in self._open:
            self._open[key].append(answer)
        elif len(self._open) >= _MOST_OPEN:
            return succeed(ErrorCode.DECISION_UNAVAILABLE)
        else:
            self._open[key] = [answer]
            self._begin(rules, question, key, body)
        return answer

    def _begin(self, rules: _Rules, question: Question, key: bytes, body: bytes) -> None:
        asked = self._turns.run(self._post, rules, body)
        asked.addTimeout(rules.timeout, self.clock)
        answered: Deferred[Verdict] = asked.addCallback(read_answer, question)
        answered.addCallbacks(self._keep, self._failed, callbackArgs=(rules, key))
        answered.addCallback(self._tell, key, self._open[key])

    def _post(self, rules: _Rules, body: bytes) -> Deferred[bytes]:
        """Send a question, signed as Standard Webhooks says: id, time and body."""
        id, time = self.token(), str(int(self.wall()))
        digest = hmac.digest(rules.secret, b".".join((id.encode(), time.encode(), body)), "sha256")
        headers = {
            "webhook-id": id,
            "webhook-timestamp": time,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
        return post(self.client, rules.url, headers, body)

    def _keep(self, verdict: Verdict, rules: _Rules, key: bytes) -> Verdict:
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
                "the webhook gave no answer that can be used: {reason}",
                event="webhook-unavailable",
                reason=failure.type.__name__ if failure.type is not None else "",
            )
        return ErrorCode.DECISION_UNAVAILABLE

    def _tell(self, verdict: Verdict, key: bytes, waiting: list[Deferred[Verdict]]) -> None:
        # After a change of the settings the same question may be open anew.
        if self._open.get(key) is waiting:
            del self._open[key]
        for answer in waiting:
            answer.callback(verdict)
