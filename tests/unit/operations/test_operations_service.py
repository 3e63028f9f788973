"""The operator's side of a daemon, as a service."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config, LogLevel, Operations
from signald.config.settings import Log as Settings
from signald.config.values import ConfigError
from signald.monitoring.logs import Log
from signald.operations.operations_service import READINESS_SECONDS, OperationsService
from tests.support.operations_world import OperationsWorld
from tests.unit.lifecycle.test_service import AdoptingReactor


class Ending:
    """A certificate of which nothing counts but its end."""

    def __init__(self) -> None:
        self.days = 1.0

    def days_left(self, now: float) -> float:
        """So many."""
        return self.days


class OversightTests(SynchronousTestCase):
    """From start to stop."""

    def setUp(self) -> None:
        """A reactor, and sources whose certificate is about to end."""
        self.reactor = AdoptingReactor()
        self.world = OperationsWorld()
        self.certificate = Ending()
        self.sources = evolve(self.world.sources, certificate=cast(Any, self.certificate))
        self.stops = 0

    def make(self, handed_over: socket.socket | None = None, **operations: Any) -> OperationsService:
        """Make it; it is stopped at the end."""
        config = Config(Path(self.mktemp()), operations=Operations(**operations))
        operations_service = OperationsService(
            config, self.sources, Log(config.log), cast(Any, self.reactor), self._stop, handed_over=handed_over
        )
        operations_service.startService()
        self.addCleanup(lambda: self.successResultOf(operations_service.stopService()))
        return operations_service

    def _stop(self) -> None:
        self.stops += 1

    def test_off_unless_set(self) -> None:
        """Nothing listens."""
        self.assertIsNone(self.make().port)
        self.assertEqual(self.reactor.ports, [])

    def test_it_listens_until_it_is_stopped(self) -> None:
        """On a port that is known at once, of loopback."""
        operations_service = self.make(port=0)
        self.assertGreater(operations_service.port or 0, 0)
        [port] = self.reactor.ports
        self.assertTrue(port.listening)
        self.successResultOf(operations_service.stopService())
        self.assertFalse(port.listening)
        operations_service.startService()

    def test_a_port_in_use_is_told(self) -> None:
        """As a sentence."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.assertRaises(ConfigError, self.make, port=taken.getsockname()[1])

    def test_a_socket_that_was_handed_over(self) -> None:
        """It is used in the place of the port."""
        given = socket.create_server(("127.0.0.1", 0))
        operations_service = self.make(given, port=1)
        self.assertEqual(len(self.reactor.ports), 1)
        self.assertEqual(given.fileno(), -1)
        self.assertNotEqual(operations_service.port, 1)

    def test_what_keeps_it_from_serving(self) -> None:
        """An ended certificate, or no room: not ready as long as that is so, and no longer."""
        self.make()
        self.assertTrue(self.world.readiness.ready)
        self.certificate.days, self.world.full = -0.1, True
        self.reactor.advance(READINESS_SECONDS)
        self.assertEqual(list(self.world.readiness.reasons), ["certificate-ended", "full"])
        self.certificate.days, self.world.full = 90.0, False
        self.reactor.advance(READINESS_SECONDS)
        self.assertTrue(self.world.readiness.ready)

    def test_a_reload(self) -> None:
        """The log's level and the token are taken; a token that cannot be used is told."""
        operations_service = self.make()
        changed = Config(Path(self.mktemp()), log=Settings(level=LogLevel.ERROR))
        operations_service.configure_log(changed)
        self.assertIs(operations_service.log.settings.level, LogLevel.ERROR)
        missing = Operations(admin_token_file=Path(self.mktemp()))
        self.assertRaises(ConfigError, operations_service.configure, evolve(changed, operations=missing))
