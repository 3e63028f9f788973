"""The listening sockets."""

from __future__ import annotations

import resource
import socket

from twisted.trial.unittest import SynchronousTestCase

from signald.server.listening import SPARE_DESCRIPTORS, bind, raise_descriptor_limit, room


class BindTests(SynchronousTestCase):
    """Binding before the reactor runs."""

    def test_it_does_not_block(self) -> None:
        """A blocking accept would stop the reactor after the first connection."""
        bound = bind("127.0.0.1", 0)
        self.addCleanup(bound.close)
        self.assertFalse(bound.getblocking())

    def test_without_an_interface_every_address_is_served(self) -> None:
        """IPv4 and, where there is one, IPv6."""
        bound = bind(None, 0)
        self.addCleanup(bound.close)
        port = bound.getsockname()[1]
        hosts = ["127.0.0.1", "::1"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]
        for host in hosts:
            socket.create_connection((host, port), timeout=5).close()

    def test_the_descriptor_limit_is_raised(self) -> None:
        """To the hard limit, of which some are spared."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        hard = before[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        left = raise_descriptor_limit()
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (hard, hard))
        self.assertEqual(left, hard - SPARE_DESCRIPTORS)

    def test_few_descriptors(self) -> None:
        """They leave room for a connection at least, so that the server starts all the same."""
        self.assertEqual([room(number) for number in (1, 2, 64, 128, 1000)], [1, 1, 32, 64, 936])
