"""Tests of `signald.operations.operations_service`, the service for the operator of the daemon."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config, LogLevel, Operations, Tokens, Webhook
from signald.config.settings import Log as Settings
from signald.config.values import ConfigError
from signald.core.limits import Limits
from signald.monitoring.logs import Log
from signald.operations.admin_token import Check
from signald.operations.degradations import WARNINGS
from signald.operations.operations_service import READINESS_SECONDS, OperationsService
from signald.server.socket_activation import OPERATIONS
from tests.support.access import jwks
from tests.support.operations_world import FakeCertificate, OperationsWorld
from tests.support.reactors import AdoptingReactor


class OperationsServiceTests(SynchronousTestCase):
    """Tests of the service from its start to its stop."""

    def setUp(self) -> None:
        """Create a reactor in memory, and sources with a certificate that expires in a day."""
        self.reactor = AdoptingReactor()
        self.certificate = FakeCertificate()
        self.world = OperationsWorld(self.certificate)
        self.sources = self.world.sources
        self.stops = 0

    def make(
        self,
        handed_over: socket.socket | None = None,
        limits: Limits | None = None,
        can_bind: bool = True,
        **operations: Any,
    ) -> OperationsService:
        """Create and start the service, which is stopped at the end of the test."""
        config = Config(Path(self.mktemp()), operations=Operations(**operations), limits=limits or Limits())
        operations_service = OperationsService(
            config,
            self.sources,
            Log(config.log),
            cast(Any, self.reactor),
            self._stop,
            handed_over=handed_over,
            can_bind=can_bind,
        )
        operations_service.startService()
        self.addCleanup(lambda: self.successResultOf(operations_service.stopService()))
        return operations_service

    def _stop(self) -> None:
        self.stops += 1

    def test_off_unless_set(self) -> None:
        """Without a port in the settings, the service does not listen."""
        self.assertIsNone(self.make().port)
        self.assertEqual(self.reactor.ports, [])

    def test_it_listens_until_it_is_stopped(self) -> None:
        """With port 0, the service binds a free port, whose number is known immediately, and listens until its stop."""
        operations_service = self.make(port=0)
        self.assertGreater(operations_service.port or 0, 0)
        [port] = self.reactor.ports
        self.assertTrue(port.listening)
        self.successResultOf(operations_service.stopService())
        self.assertFalse(port.listening)
        operations_service.startService()

    def test_a_port_in_use_is_told(self) -> None:
        """A port in use raises ConfigError."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.assertRaises(ConfigError, self.make, port=taken.getsockname()[1])

    def test_socket_activation(self) -> None:
        """With socket activation the service manager's listening socket is used instead of the configured port."""
        given = socket.create_server(("127.0.0.1", 0))
        operations_service = self.make(given, port=1)
        self.assertEqual(len(self.reactor.ports), 1)
        self.assertEqual(given.fileno(), -1)
        self.assertNotEqual(operations_service.port, 1)

    def test_other_hosts_after_a_reload(self) -> None:
        """A reload changes the host names under which the listener answers."""
        service = self.make(port=0, hosts=("signald.internal",))
        [port] = self.reactor.ports
        self.assertEqual(port.factory.hosts, {"signald.internal"})
        service.prepare(Config(Path(self.mktemp()), operations=Operations()))()
        self.assertEqual(port.factory.hosts, frozenset())

    def test_a_hand_over(self) -> None:
        """The listening socket is handed over under its name, and accepts no connection meanwhile."""
        operations_service = self.make(port=0)
        [port] = self.reactor.ports
        self.assertEqual(operations_service.descriptors(), [(OPERATIONS, port.fileno())])
        operations_service.pause()
        self.assertFalse(port.accepting)
        operations_service.resume()
        self.assertTrue(port.accepting)

    def test_no_port_to_hand_over(self) -> None:
        """Without a port nothing is handed over, and a successor binds none that it did not get."""
        for operations_service in (self.make(), self.make(port=0, can_bind=False)):
            self.assertEqual(operations_service.descriptors(), [])
            operations_service.pause()
            operations_service.resume()
        self.assertEqual(self.reactor.ports, [])

    def test_what_keeps_it_from_serving(self) -> None:
        """The daemon is not ready while its certificate is expired or its limit of connections is reached."""
        self.make()
        self.assertTrue(self.world.readiness.ready)
        self.certificate.expires, self.world.full = -0.1, True
        self.reactor.advance(READINESS_SECONDS)
        self.assertEqual(list(self.world.readiness.reasons), ["certificate-ended", "full"])
        self.certificate.expires, self.world.full = 86400.0, False
        self.reactor.advance(READINESS_SECONDS)
        self.assertTrue(self.world.readiness.ready)

    def test_what_is_degraded(self) -> None:
        """What is degraded is a warning of a daemon that is ready, until it is mended."""
        self.make()
        keys = Path(self.mktemp()).resolve()
        self.assertEqual(self.world.readiness.warnings, {})
        self.certificate.expiring = True
        self.world.metrics.reload_succeeded, self.world.metrics.state_degraded = False, True
        keys.write_text(jwks(exp=0))
        self.world.tokens.prepare(Tokens(jwks_file=keys))()
        secret = Path(self.mktemp()).resolve()
        secret.touch(mode=0o600)
        secret.write_text("x" * 32)
        self.world.webhook.prepare(Webhook(url="https://a.example/", secret_file=secret))()
        self.world.webhook.is_failing = True
        self.world.now = 1.0
        self.reactor.advance(READINESS_SECONDS)
        self.assertTrue(self.world.readiness.ready)
        self.assertEqual(self.world.readiness.warnings, WARNINGS)
        self.certificate.expiring = False
        self.world.metrics.reload_succeeded, self.world.metrics.state_degraded = True, False
        self.world.tokens.prepare(Tokens())()
        self.world.webhook.prepare(Webhook())()
        self.reactor.advance(READINESS_SECONDS)
        self.assertEqual(self.world.readiness.warnings, {})

    def test_a_reload(self) -> None:
        """A reload applies the level of the log, and a token that cannot be used raises ConfigError."""
        operations_service = self.make()
        changed = Config(Path(self.mktemp()), log=Settings(level=LogLevel.ERROR))
        operations_service.configure_log(changed)
        self.assertIs(operations_service.log.settings.level, LogLevel.ERROR)
        missing = Operations(admin_token_file=Path(self.mktemp()))
        self.assertRaises(ConfigError, operations_service.prepare, evolve(changed, operations=missing))

    def test_the_limit_of_wrong_tokens(self) -> None:
        """The configured limit of guesses holds for tokens of the admin page from the start, and after a reload."""
        operations_service = self.make(limits=Limits(failed_guesses=2))

        def tries(address: str) -> int:
            codes = [operations_service._token.refusal([b"Bearer wrong"], address, 0.0) for _ in range(20)]
            return codes.count(Check.WRONG)

        self.assertEqual(tries("192.0.2.1"), 2)
        operations_service.prepare(Config(Path(self.mktemp()), limits=Limits(failed_guesses=5)))()
        self.assertEqual(tries("192.0.2.2"), 5)
