"""Tests for binding the listening sockets."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from signald.server.direct_reactor import DirectReactor
from signald.server.direct_transport import DirectTransport
from signald.server.listening import (
    ACCEPTS_PER_ROUND,
    SPARE_DESCRIPTORS,
    accept_connections,
    bind,
    raise_descriptor_limit,
    room,
)
from tests.support.accepted import Recorder


class BindTests(SynchronousTestCase):
    """Sockets are bound before the reactor runs."""

    def test_it_does_not_block(self) -> None:
        """The listening socket is non-blocking: a blocking accept would stop the reactor after the first connection."""
        bound = bind("127.0.0.1", 0)
        self.addCleanup(bound.close)
        self.assertFalse(bound.getblocking())

    def test_without_an_interface_every_address_is_served(self) -> None:
        """Without an interface the server listens on all IPv4 addresses, and on all IPv6 ones if IPv6 is available."""
        bound = bind(None, 0)
        self.addCleanup(bound.close)
        port = bound.getsockname()[1]
        hosts = ["127.0.0.1", "::1"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]
        for host in hosts:
            socket.create_connection((host, port), timeout=5).close()

    def listen(self, protocols: Iterator[Recorder]) -> tuple[Any, tuple[str, int]]:
        """Accept connections with these protocols until the end of the test; return the reactor, and the address."""
        reactor: Any = DirectReactor()
        bound = bind("127.0.0.1", 0)
        address = bound.getsockname()
        port: Any = accept_connections(reactor, bound, Factory.forProtocol(lambda: next(protocols)), lambda: None)

        def end() -> None:
            port.connectionLost(Failure(ConnectionDone()))
            for waker in reactor.removeAll():
                waker.connectionLost(None)

        self.addCleanup(end)
        return reactor, address

    def test_accepted_connections(self) -> None:
        """Accepted connections have the transport that sends at once."""
        protocol = Recorder()
        reactor, address = self.listen(iter([protocol]))
        with socket.create_connection(address, timeout=5) as client:
            reactor.iterate(5.0)
            self.assertIsInstance(protocol.transport, DirectTransport)
            protocol.transport.write(b"at once")
            self.assertEqual(client.recv(100), b"at once")
        protocol.transport.connectionLost(Failure(ConnectionDone()))

    def test_many_connections_at_once(self) -> None:
        """Few are accepted in a round, also when there are more again and again, and all of them after some rounds."""
        protocols = [Recorder() for _ in range(5 * ACCEPTS_PER_ROUND)]
        reactor, address = self.listen(iter(protocols))
        clients = [socket.create_connection(address, timeout=5) for _ in protocols]
        for rounds in range(1, 6):
            reactor.iterate(5.0)
            accepted = [protocol for protocol in protocols if protocol.transport is not None]
            self.assertEqual(len(accepted), rounds * ACCEPTS_PER_ROUND)
        for protocol, client in zip(protocols, clients, strict=True):
            client.close()
            protocol.transport.connectionLost(Failure(ConnectionDone()))

    def test_the_descriptor_limit_is_raised(self) -> None:
        """The soft limit on descriptors is raised to the hard limit, and some descriptors are reserved."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        hard = before[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        left = raise_descriptor_limit()
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (hard, hard))
        self.assertEqual(left, hard - SPARE_DESCRIPTORS)

    def test_few_descriptors(self) -> None:
        """With very few descriptors at least one connection is still allowed, so that the server starts."""
        self.assertEqual([room(number) for number in (1, 2, 64, 128, 1000)], [1, 1, 32, 64, 936])
