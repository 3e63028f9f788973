"""The operator's side of a daemon in memory: sources with real counts, and the operator's listener that shows them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

from attrs import define
from twisted.internet.task import Clock

from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook
from signald.config.settings import Operations, Tokens
from signald.config.settings import Webhook as WebhookSettings
from signald.core.directory import Directory
from signald.core.hub import Hub
from signald.dialects import DIALECTS
from signald.monitoring.metrics import Metrics
from signald.monitoring.readiness import Readiness
from signald.net.http_client import client_of, post
from signald.operations.admin import make_admin
from signald.operations.admin_state import AdminState
from signald.operations.admin_token import AdminToken
from signald.operations.endpoints import make_operations_site
from signald.operations.metric_sources import Sources
from signald.operations.prometheus import make_registry
from signald.tls.certificates import Certificate
from tests.support.access import Agent
from tests.support.endpoints import Endpoint
from tests.support.memory_server import make_port
from tests.support.world import World

TOKEN = "a-token-that-is-long-enough"


@define
class FakeCertificate:
    """A certificate that ends when the test says.

    Attributes:
        expires: when it ends, in seconds since the epoch.
        expiring: whether its renewal must have failed.

    """

    expires: float = 86400.0
    expiring: bool = False

    def is_expiring(self, now: float) -> bool:
        """Return what the test says."""
        return self.expiring


class OperationsWorld:
    """The operator's listener, and the sources of the values that it shows.

    Attributes:
        clock: the clock of all parts.
        world: the hub and the registry whose state the listener shows.
        metrics: the counters.
        readiness: whether the server accepts new clients.
        agent: records the webhook's requests.
        tokens: verifies tokens; there are no keys at first.
        webhook: the webhook; it is off at first.
        sources: the sources of all values.
        token: the token of the admin page; none is set at first.
        drained: how often a drain was requested.
        now: the wall time.
        full: whether the limit of connections is reached.
        site: the HTTP site of the listener.

    """

    def __init__(self, certificate: FakeCertificate | None = None) -> None:
        self.clock = Clock()
        self.world = World()
        self.clock.advance(self.world.now)
        self.metrics, self.readiness = Metrics(), Readiness()
        self.hub: Hub = self.world.hub
        port = make_port(self.clock, metrics=self.metrics, dialects=DIALECTS)
        self.directory, self.rooms = Directory(self.hub.limits), Directory(self.hub.limits)
        self.agent = Agent()
        self.tokens = TokenVerifier(Tokens())
        self.webhook = Webhook(
            WebhookSettings(),
            partial(post, client_of(self.agent)),
            self.clock,
            lambda: 0.0,
            lambda: "id",
            self.metrics.observe_webhook,
        )
        self.sources = Sources(
            metrics=self.metrics,
            hub=self.hub,
            directory=self.directory,
            rooms=self.rooms,
            readiness=self.readiness,
            signaling=(port,),
            http_connections=lambda: 3,
            certificate=cast(Certificate | None, certificate),
            log_lines=lambda: (5, 1),
            is_full=lambda: self.full,
            tokens=self.tokens,
            webhook=self.webhook,
            turn=lambda: (1, 2),
            wall_time=lambda: self.now,
        )
        self.token = AdminToken()
        self.now = 0.0
        self.drained = 0
        self.full = False
        admin = make_admin(
            self.token, AdminState(self.sources, self.clock.seconds()), self.readiness, self._drain, self.clock
        )
        registry = make_registry(self.sources)
        self.site = make_operations_site(registry, self.readiness, [(b"admin", admin)], self.clock)

    def _drain(self) -> None:
        self.drained += 1

    def set_token(self, directory: Path, token: str = TOKEN) -> None:
        """Enable the admin page with a token."""
        path = directory / "token"
        path.write_text(token + "\n")
        path.chmod(0o600)
        self.token.prepare(Operations(admin_token_file=path))()

    def ask(
        self, path: str, method: str = "GET", address: str = "127.0.0.1", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request, and return status, headers and body of the response; `_` in header names stands for `-`."""
        line = Endpoint(self.site, address)
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        line.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return line.response()
