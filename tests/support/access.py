"""Access as it is where nobody asks for tokens and there is no webhook, and tokens of the tests' own."""

from __future__ import annotations

import time
from typing import Any

import jwt
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

from signald.auth.access import Access
from signald.auth.passwords import Passwords
from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook as WebhookClient
from signald.config.tree import Tokens, Webhook
from signald.core.registry import MemoryRegistry
from signald.net.http_client import client_of

SECRET = b"tests alone know this secret of theirs"
NOW = 1_800_000_000.0
"""Wall time, seconds since the epoch."""


@implementer(IAgent)
class Agent:
    """Takes note of requests; the test answers.

    Attributes:
        broken: whether it raises, as no agent should.
        requests: method, URL, headers and body of each, with what waits for the answer.

    """

    def __init__(self) -> None:
        self.broken = False
        self.requests: list[tuple[bytes, bytes, Any, Any, Deferred[IResponse]]] = []

    def request(
        self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None
    ) -> Deferred[IResponse]:  # Twisted's name
        """Take note of it."""
        if self.broken:
            raise RuntimeError
        answer: Deferred[IResponse] = Deferred()
        self.requests.append((method, uri, headers, bodyProducer, answer))
        return answer


def open_access(registry: MemoryRegistry, passwords: Passwords) -> Access:
    """Let everybody in."""
    webhook = WebhookClient(Webhook(), client_of(Agent()), Clock(), time.time, lambda: "id")
    return Access(registry, passwords, TokenVerifier(Tokens()), webhook, time.time)


def minted(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **claims: Any) -> str:
    """Make a token; by default Ann's, good for an hour from `NOW`. A claim that is None is left out."""
    payload = {"sub": "ann", "exp": NOW + 3600, **claims}
    payload = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)
