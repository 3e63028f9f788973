"""A reverse proxy that was not named as trusted is found by its traffic."""

from __future__ import annotations

from typing import cast

from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import AddressKey
from signald.server.forwarding_traffic import LEAST_POINTS, MOST_ADDRESSES, WINDOW_SECONDS, ForwardingTraffic

PROXY, CLIENT = AddressKey("192.0.2.1"), AddressKey("192.0.2.2")


class ForwardingTrafficTests(SynchronousTestCase):
    """The traffic of a minute is judged at its end."""

    def setUp(self) -> None:
        """Start with no traffic, and collect the log."""
        self.traffic = ForwardingTraffic()
        self.now = 0.0
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def minute(self, proxy: int, client: int) -> AddressKey | None:
        """Have a minute pass with so many points of each; return the address that was found."""
        for address, points in ((PROXY, proxy), (CLIENT, client)):
            self.traffic.count(address, points, self.now)
        self.now += WINDOW_SECONDS
        self.traffic.count(CLIENT, 0, self.now)
        return self.traffic.unnamed_proxy

    @property
    def warnings(self) -> list[LogEvent]:
        """The warnings about a proxy."""
        return [event for event in self.events if event.get("event") == "unnamed-proxy"]

    def test_most_of_the_traffic(self) -> None:
        """More than half of the traffic of one forwarding address is reported, logged once, without the address."""
        self.traffic.note_forwarding(PROXY)
        self.assertIsNone(self.minute(LEAST_POINTS, LEAST_POINTS))
        self.assertEqual(self.minute(LEAST_POINTS + 1, LEAST_POINTS), PROXY)
        self.assertEqual(self.minute(LEAST_POINTS + 1, LEAST_POINTS), PROXY)
        self.assertIsNone(self.minute(1, LEAST_POINTS))
        self.assertEqual(self.minute(LEAST_POINTS, 0), PROXY)
        [warning] = self.warnings
        self.assertEqual(warning["log_level"], LogLevel.warn)
        self.assertNotIn(PROXY, repr(warning))

    def test_little_traffic(self) -> None:
        """A quiet minute says nothing about the share of an address."""
        self.traffic.note_forwarding(PROXY)
        self.assertIsNone(self.minute(LEAST_POINTS - 1, 0))
        self.assertEqual(self.warnings, [])

    def test_others(self) -> None:
        """An address that does not send X-Forwarded-For may have all of the traffic."""
        self.assertIsNone(self.minute(LEAST_POINTS * 2, 0))

    def test_many_forwarding_addresses(self) -> None:
        """A bounded number of addresses is counted; one with much traffic is not displaced by others."""
        self.traffic.note_forwarding(PROXY)
        self.traffic.count(PROXY, 1, self.now)
        for number in range(2 * MOST_ADDRESSES):
            self.traffic.note_forwarding(AddressKey(f"198.51.100.{number}"))
        self.assertEqual(self.minute(LEAST_POINTS, 1), PROXY)
        self.assertIsNone(self.minute(0, 1))
