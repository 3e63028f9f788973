"""An authorization chain that allows everything, tokens for tests, and an HTTP agent that records requests."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

from signald.auth.authorization import Decider, TokenLink, WebhookLink
from signald.auth.passwords import PasswordLink, Run
from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook as WebhookClient
from signald.config.settings import Tokens, Webhook
from signald.core.budgets import GuessBudgets
from signald.core.registry import MemoryRegistry
from signald.core.webhook_results import WebhookResult
from signald.net.http_client import client_of, post

SECRET = b"tests alone know this secret of theirs"
_Link = TypeVar("_Link", bound=Decider)

NOW = 1_800_000_000.0
"""The wall time of tests, in seconds since the epoch."""


@implementer(IAgent)
class Agent:
    """An HTTP agent that records requests; the test supplies the responses.

    Attributes:
        broken: whether `request` raises, although an agent should return a failed deferred.
        requests: method, URL, headers and body of each request, with the deferred of its response.

    """

    def __init__(self) -> None:
        self.broken = False
        self.requests: list[tuple[bytes, bytes, Any, Any, Deferred[IResponse]]] = []

    def request(
        self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None
    ) -> Deferred[IResponse]:  # Twisted's name
        """Record a request."""
        if self.broken:
            raise RuntimeError
        answer: Deferred[IResponse] = Deferred()
        self.requests.append((method, uri, headers, bodyProducer, answer))
        return answer


def make_chain(
    registry: MemoryRegistry,
    guesses: GuessBudgets,
    tokens: TokenVerifier,
    webhook: WebhookClient,
    run: Run,
    clock: Clock,
    wall: Callable[[], float],
) -> TokenLink:
    """Build an authorization chain as `signald.tap` does; `run` calls the function that hashes passwords."""
    passwords = PasswordLink(registry, run, guesses.passwords, clock.seconds, next=registry)
    asking = WebhookLink(webhook, registry, guesses.sessions, clock.seconds, next=passwords)
    return TokenLink(tokens, registry, wall, next=asking)


def jwks(**members: object) -> str:
    """Return a JWKS with one new Ed25519 key, which has further members."""
    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    return json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, **members}]})


def ignore_result(result: WebhookResult, seconds: float) -> None:
    """Take the result of a question to the webhook, in place of the metrics."""


def open_access(registry: MemoryRegistry, guesses: GuessBudgets, run: Run, clock: Clock) -> TokenLink:
    """Build an authorization chain that requires no tokens and calls no webhook."""
    webhook = WebhookClient(Webhook(), partial(post, client_of(Agent())), clock, time.time, lambda: "id", ignore_result)
    return make_chain(registry, guesses, TokenVerifier(Tokens()), webhook, run, clock, time.time)


def find_link(chain: Decider, kind: type[_Link]) -> _Link:
    """Return the link of an authorization chain that is an instance of this class."""
    while not isinstance(chain, kind):
        chain = getattr(chain, "next")  # noqa: B009 # only the registry has none, and it is the last
    return chain


def minted(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **claims: Any) -> str:
    """Sign a token, by default for Ann and valid for an hour from `NOW`; a claim that is None is omitted."""
    payload = {"sub": "ann", "exp": NOW + 3600, **claims}
    payload = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)


FORGED = minted(b"a secret that the server has not got")
"""A token whose signature is wrong."""
