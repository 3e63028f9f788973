"""Tests of `signald.lifecycle.ports`, the listening sockets of the public ports."""

from __future__ import annotations

import socket
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from signald.lifecycle.ports import Listener, Ports
from tests.support.reactors import AdoptingReactor


class PortsTests(SynchronousTestCase):
    """Tests of the listening sockets from the start to the stop."""

    def setUp(self) -> None:
        """Open two ports on a reactor in memory."""
        self.reactor = AdoptingReactor()
        listeners = [
            Listener(name, socket.create_server(("127.0.0.1", 0)), Factory.forProtocol(Protocol), "http", 9000 + number)
            for number, name in enumerate(("page", "ws"))
        ]
        self.ports = Ports(listeners, cast(Any, self.reactor), lambda: None)
        self.assertEqual(self.ports.descriptors(), [])
        self.ports.open()

    def test_descriptors(self) -> None:
        """Each socket is described by its purpose and its descriptor, in the order of the listeners."""
        self.assertEqual(self.ports.descriptors(), [("page", 0), ("ws", 0)])

    def test_a_pause(self) -> None:
        """Between pause and resume no socket accepts connections; all of them stay open."""
        self.ports.pause()
        self.assertEqual([port.accepting for port in self.reactor.ports], [False, False])
        self.ports.resume()
        self.assertEqual([(port.accepting, port.listening) for port in self.reactor.ports], [(True, True)] * 2)

    def test_the_end(self) -> None:
        """All sockets are closed, one after the other, and none is left to hand over."""
        slow: Deferred[None] = Deferred()
        self.patch(self.reactor.ports[0], "stopListening", lambda: slow)
        closed = Deferred.fromCoroutine(self.ports.close())
        self.assertNoResult(closed)
        self.assertEqual(self.ports.descriptors(), [])
        succeed(None).addCallback(slow.callback)
        self.successResultOf(closed)
        self.assertFalse(self.reactor.ports[1].listening)
