"""Tests of the options of the commands' WebSocket clients."""

from __future__ import annotations

from autobahn.twisted.websocket import WebSocketClientFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from signald.net.websocket_client import set_client_options


class OptionTests(SynchronousTestCase):
    """The options of a client that has its own timeouts."""

    def test_options(self) -> None:
        """Autobahn starts no timer for the client, and refuses a message that is larger than the bound."""
        factory = WebSocketClientFactory("ws://127.0.0.1/", reactor=MemoryReactorClock())
        set_client_options(factory, 1000)
        timers = [
            factory.openHandshakeTimeout,
            factory.closeHandshakeTimeout,
            factory.serverConnectionDropTimeout,
            factory.autoPingInterval,
        ]
        self.assertEqual(timers, [0, 0, 0, 0])
        self.assertEqual(factory.maxMessagePayloadSize, 1000)
