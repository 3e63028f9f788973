"""A server in memory whose log is written and read as the daemon's is, and clients of the native protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook as WebhookClient
from signald.config.settings import Log as Settings
from signald.config.settings import LogFormat, LogLevel, Tokens, Webhook
from signald.core.hub import Hub
from signald.core.limits import Limits
from signald.core.registry import MemoryRegistry
from signald.dialects.native import Native
from signald.dialects.serde import Serde
from signald.monitoring.logs import Log
from signald.server.factory import SignalingFactory
from signald.server.switchboard import Switchboard
from signald.server.web import make_site
from tests.support.access import NOW, SECRET, ignore_result, make_chain
from tests.support.connections import run_at_once
from tests.support.endpoints import CLIENT, CLOSE, TEXT, Endpoint, close_payload, frame, parse_frames, upgrade_request
from tests.support.memory_server import make_port
from tests.support.world import HOST_SECRET, TICKETS, counting_bytes


class Caller:
    """A client of the native protocol.

    Attributes:
        endpoint: its side of the connection.
        welcome: the welcome that it got last.

    """

    def __init__(self, case: CallLogCase, address: str = CLIENT, **hello: object) -> None:
        self.endpoint = Endpoint(case.site, address, case.clock)
        self.endpoint.send(upgrade_request(sec_websocket_protocol="signald.1"))
        self.endpoint.answer()
        self.welcome: dict[str, Any] = {}
        if hello.pop("greets", True):
            [self.welcome] = self.say("hello", version=1, instance="i" * 22, **hello)

    def say(self, type: str, **keys: object) -> list[dict[str, Any]]:
        """Send a message, and return the answers."""
        body = {"type": type, **{key.replace("_", "-"): value for key, value in keys.items()}}
        self.endpoint.send(frame(TEXT, json.dumps(body).encode()))
        return self.heard()

    def heard(self) -> list[dict[str, Any]]:
        """Return the messages that have arrived."""
        return [json.loads(payload) for opcode, payload in parse_frames(self.endpoint.answer()) if opcode == TEXT]

    def open(self, **keys: object) -> str:
        """Open a session, and return its id."""
        return cast(str, self.say("open", **keys)[-1]["session"])

    def close(self, code: int) -> None:
        """Close the connection with this code."""
        self.endpoint.send(frame(CLOSE, close_payload(code, "canary")))
        self.endpoint.disconnect()


class CallLogCase(SynchronousTestCase):
    """A server in memory whose log is read."""

    def setUp(self) -> None:
        """Start a server that logs all lines."""
        self.clock = Clock()
        self.path = Path(self.mktemp())
        self.log = Log(Settings(format=LogFormat.JSON, level=LogLevel.DEBUG)).to_file(self.path)
        observer = cast(ILogObserver, self.log)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.serve()

    def serve(self, limits: Limits | None = None, tokens: Tokens | None = None, verdict: bytes | None = None) -> None:
        """Start another server.

        Arguments:
            limits: its limits.
            tokens: its settings of tokens.
            verdict: what the operator's service answers to each question; None where it is not asked.

        """
        limits = limits or Limits()
        hub = Hub(limits, "signald/test", TICKETS)
        registry = MemoryRegistry(counting_bytes(), limits, HOST_SECRET)
        settings = Webhook() if verdict is None else Webhook("https://app.example/", token_settings(self).secret_file)
        webhook = WebhookClient(
            settings, lambda *_: succeed(verdict or b""), self.clock, lambda: NOW, lambda: "id", ignore_result
        )
        verifier = TokenVerifier(tokens or Tokens())
        chain = make_chain(registry, hub.guesses, verifier, webhook, run_at_once, self.clock, lambda: NOW)
        self.switchboard = Switchboard(hub, registry, chain, self.clock, lambda: NOW)
        self.switchboard.calls.set_level(self.log.settings.level)
        self.port = make_port(self.clock, self.switchboard, limits=limits, dialects=(Native, Serde))
        self.site = make_site({}, SignalingFactory(self.port), limits, self.clock, None, False)

    def advance(self, seconds: float) -> None:
        """Let time pass, with the tick of each second."""
        for _ in range(round(seconds)):
            self.clock.advance(1.0)
            self.switchboard.tick()

    def lines(self) -> list[dict[str, Any]]:
        """Return all lines so far."""
        self.log.flush(20.0)
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def texts(self) -> list[str]:
        """Return the sentences of all lines so far."""
        return [line["text"] for line in self.lines()]

    def events(self) -> list[str]:
        """Return the events of all lines so far."""
        return [line["event"] for line in self.lines()]

    def reference(self, caller: Caller) -> str:
        """Return the reference that a client was told."""
        return cast(str, caller.welcome["reference"])

    def session_reference(self, session: str) -> str:
        """Return the reference of a session."""
        return self.switchboard.hub.references.of_session(cast(Any, session))


def token_settings(case: CallLogCase) -> Tokens:
    """Return settings with a secret."""
    path = Path(case.mktemp())
    path.touch(mode=0o600)
    path.write_bytes(SECRET)
    return Tokens(secret_file=path)
