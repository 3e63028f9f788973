"""Admission of connections that have not sent their first request yet."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from signald.core.budgets import ConnectionBudget
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits
from signald.server.admission import Admission, AdmissionTicket


class ArrivalTests(SynchronousTestCase):
    """Transports and requests are admitted by the address of the remote endpoint."""

    def test_number_and_rate(self) -> None:
        """An address's transports are bounded in number and rate: a release frees a slot, time refills the rate."""
        admission = Admission(Limits(address_connections=2, address_connection_rate=1.0, address_connection_burst=3))
        key = AddressKey("192.0.2.1")
        self.assertEqual([admission.admit("192.0.2.1", 0.0) for _ in range(2)], [key, key])
        self.assertIs(admission.admit("192.0.2.1", 0.0), ErrorCode.TOO_MANY_CONNECTIONS)
        self.assertEqual(admission.admit("192.0.2.2", 0.0), "192.0.2.2")
        admission.release(key)
        self.assertEqual(admission.admit("192.0.2.1", 0.0), key)
        admission.release(key)
        self.assertIs(admission.admit("192.0.2.1", 0.5), ErrorCode.TOO_MANY_NEW_CONNECTIONS)
        self.assertEqual(admission.admit("192.0.2.1", 1.0), key)

    def test_networks(self) -> None:
        """IPv6 addresses are counted by /64 network."""
        admission = Admission(Limits(address_connections=1))
        self.assertEqual(admission.admit("2001:db8::1", 0.0), "2001:db8::/64")
        self.assertIs(admission.admit("2001:db8::2", 0.0), ErrorCode.TOO_MANY_CONNECTIONS)

    def test_all(self) -> None:
        """Connections of every kind count against one total, which falls when a connection is released."""
        admission = Admission(Limits(connections=3))
        kinds: list[set[object]] = [set(), set()]
        for kind in kinds:
            admission.count_among_all(kind)
        kinds[0].update("ab")
        self.assertFalse(admission.is_full())
        kinds[1].add("c")
        self.assertTrue(admission.is_full())
        kinds[0].remove("a")
        self.assertFalse(admission.is_full())

    def test_trusted_proxy(self) -> None:
        """A trusted proxy connects on behalf of many clients, so its address is not counted."""
        admission = Admission(Limits(address_connections=1), [ip_network("10.0.0.0/8")])
        self.assertEqual([admission.admit("10.0.0.1", 0.0) for _ in range(3)], [None, None, None])

    def test_addresses_are_forgotten(self) -> None:
        """Addresses whose budget is full again are forgotten when further transports arrive."""
        admission = Admission(Limits())
        for number in range(100):
            key = admission.admit(f"192.0.2.{number}", 0.0)
            assert isinstance(key, str)
            admission.release(AddressKey(key))
        admission.admit("198.51.100.1", 100.0)
        self.assertEqual(list(admission._budget.addresses), ["198.51.100.1"])
        self.assertEqual(list(admission._budget.new_connections.full_at), ["198.51.100.1"])

    def test_requests(self) -> None:
        """HTTP requests have a rate limit of their own, which does not apply to a trusted proxy's own requests."""
        admission = Admission(Limits(address_request_rate=1.0, address_request_burst=2), [ip_network("10.0.0.0/8")])
        asked = [admission.admit_request("192.0.2.1", now) for now in (0.0, 0.0, 0.5, 1.0)]
        self.assertEqual(asked, [True, True, False, True])
        self.assertTrue(admission.admit_request("192.0.2.2", 0.5))
        self.assertEqual([admission.admit_request("10.0.0.1", 0.0) for _ in range(9)], [True] * 9)

    def test_refusals_are_counted(self) -> None:
        """A refused transport is counted by the name of its limit, since no error is sent."""
        admission = Admission(Limits(address_connections=1, address_connection_burst=2, address_connection_rate=1.0))
        for _ in range(2):
            AdmissionTicket(admission, ConnectionBudget(Limits())).admit_transport("192.0.2.1", 0.0)
        for _ in range(3):
            ticket = AdmissionTicket(admission, ConnectionBudget(Limits()))
            ticket.admit_transport("192.0.2.2", 0.0)
            ticket.release_all()
        admission.count_among_all(range(Limits().connections))
        AdmissionTicket(admission, ConnectionBudget(Limits())).admit_transport("192.0.2.3", 0.0)
        hit = {limit: count for limit, count in admission.metrics.limits.items() if count}
        self.assertEqual(hit, {"address_connections": 1, "address_connection_rate": 1, "connections": 1})

    def test_other_limits(self) -> None:
        """New limits apply from the next connection and request on; a slot returns to the budget it was taken from."""
        admission = Admission(Limits(address_connections=1, address_request_burst=1))
        admission.admit("2001:db8::1", 0.0)
        admission.admit_request("192.0.2.1", 0.0)
        admission.reload_limits(Limits(address_connections=2, network_factor=2), [ip_network("192.0.2.0/24")])
        self.assertEqual(admission.admit("2001:db8::1", 0.0), "2001:db8::/64")
        self.assertIs(admission.admit("2001:db8::1", 0.0), ErrorCode.TOO_MANY_CONNECTIONS)
        self.assertIsNone(admission.admit("192.0.2.1", 0.0))
        self.assertTrue(admission.admit_request("192.0.2.1", 0.0))
        for _ in range(2):
            admission.release(AddressKey("2001:db8::/64"))
        self.assertEqual(admission._budget.addresses, {})


class AdmissionTicketTests(SynchronousTestCase):
    """A ticket holds the parts of the budgets that one connection uses."""

    def setUp(self) -> None:
        """Allow each address one connection of each kind."""
        limits = Limits(address_connections=1)
        self.admission, self.budget = Admission(limits), ConnectionBudget(limits)

    def ticket(self) -> AdmissionTicket:
        """Create the ticket of a further connection."""
        return AdmissionTicket(self.admission, self.budget)

    def test_whole_life(self) -> None:
        """Each part of a ticket is released once, alone or together with all others."""
        ticket = self.ticket()
        self.assertIsNone(ticket.admit_transport("192.0.2.1", 0.0))
        self.assertIs(self.ticket().admit_transport("192.0.2.1", 0.0), ErrorCode.TOO_MANY_CONNECTIONS)
        self.assertIsNone(ticket.admit_websocket(AddressKey("198.51.100.1"), 0.0))
        ticket.release_transport()
        ticket.release_transport()
        other = self.ticket()
        self.assertIsNone(other.admit_transport("192.0.2.1", 0.0))
        self.assertIs(other.admit_websocket(AddressKey("198.51.100.1"), 0.0), ErrorCode.TOO_MANY_CONNECTIONS)
        for _ in range(2):
            ticket.release_all()
            other.release_all()
        self.assertEqual(self.budget.total, 0)
        self.assertIsNone(self.ticket().admit_websocket(AddressKey("198.51.100.1"), 0.0))
        self.assertIsNone(self.ticket().admit_transport("192.0.2.1", 0.0))

    def test_refused(self) -> None:
        """The ticket of a refused connection releases nothing."""
        held = self.ticket()
        held.admit_transport("192.0.2.1", 0.0)
        held.admit_websocket(AddressKey("192.0.2.1"), 0.0)
        refused = self.ticket()
        refused.admit_transport("192.0.2.1", 0.0)
        refused.admit_websocket(AddressKey("192.0.2.1"), 0.0)
        refused.release_all()
        self.assertEqual(self.budget.total, 1)
        self.assertIs(self.ticket().admit_transport("192.0.2.1", 0.0), ErrorCode.TOO_MANY_CONNECTIONS)
