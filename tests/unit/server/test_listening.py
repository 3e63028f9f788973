"""Tests for binding the listening sockets."""

from __future__ import annotations

import resource
import socket

from twisted.trial.unittest import SynchronousTestCase

from signald.server.listening import SPARE_DESCRIPTORS, bind, raise_descriptor_limit, room


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
