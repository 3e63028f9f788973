"""How many bytes outboxes may hold: those of an address, and all together."""

from __future__ import annotations

from typing import Protocol

from attrs import define, field

from signald.core.limits import AddressKey, network_key

OWN_PART = 32
"""One of so many parts of what an address may hold is its own, and never counts against others."""


class Discardable(Protocol):
    """An outbox, as the quotas see it."""

    @property
    def size(self) -> int:
        """The bytes that it holds."""

    def discard(self) -> None:
        """Discard what it holds, which frees the bytes."""


@define(eq=False)
class NetworkUse:
    """What the outboxes of an IPv4 address hold, or of an IPv6 /48, whose addresses count together.

    Attributes:
        used: the bytes in use.
        quotas: the quotas of its addresses.

    """

    used: int = 0
    quotas: dict[AddressKey, ByteQuota] = field(factory=dict, repr=False)


@define(eq=False)
class TotalQuota:
    """The limits on the bytes that all outboxes hold together. What would exceed them is not refused.

    Instead, the address with the most bytes has its outboxes discarded, so that nobody else is refused for what that
    address keeps. Two limits hold: one of all bytes, and one of those by which addresses exceed their own parts. The
    latter keeps a few addresses from filling what thousands may need: they hold together what one of them may hold,
    and their own parts.

    Attributes:
        limit: the most bytes.
        address_limit: the most bytes of one address, and the most by which all together exceed their own parts.
        used: the bytes in use.
        excess: the bytes by which addresses exceed their own parts, together.
        networks: what each IPv4 address and each IPv6 /48 holds that has users.
        discarded: how many outboxes were discarded since a limit was exceeded for the first time.

    """

    limit: int
    address_limit: int
    used: int = 0
    excess: int = 0
    networks: dict[AddressKey, NetworkUse] = field(factory=dict, repr=False)
    discarded: int = 0

    def create_quota(self, address: AddressKey) -> ByteQuota:
        """Create the quota of an address."""
        network = self.networks.setdefault(network_key(address) or address, NetworkUse())
        quota = network.quotas[address] = ByteQuota(address, self.address_limit, self, network)
        return quota

    def remove_quota(self, address: AddressKey) -> None:
        """Forget the quota of an address, of which nothing is in use."""
        key = network_key(address) or address
        quotas = self.networks[key].quotas
        del quotas[address]
        if not quotas:
            del self.networks[key]

    def reload_limits(self, limit: int, address_limit: int) -> None:
        """Use other limits; what exceeds them is discarded when bytes are added."""
        self.limit, self.address_limit = limit, address_limit
        self.excess = sum(max(0, network.used - self._own_bytes) for network in self.networks.values())
        for network in self.networks.values():
            for quota in network.quotas.values():
                quota.limit = address_limit

    def add(self, network: NetworkUse, bytes: int) -> None:
        """Count bytes of an address as used; a negative number frees them."""
        own, before = self._own_bytes, network.used
        network.used = after = before + bytes
        self.used += bytes
        if after > own or before > own:
            self.excess += max(after, own) - max(before, own)
        if bytes > 0 and self._is_exceeded:
            self._discard_fullest()

    @property
    def _own_bytes(self) -> int:
        return self.address_limit // OWN_PART

    @property
    def _is_exceeded(self) -> bool:
        return self.used > self.limit or self.excess > self.address_limit

    def _discard_fullest(self) -> None:
        """Discard the outboxes of the address with the most bytes, until the limits are kept.

        An address pays only if none has more, so it has at least the mean of all. The IPv6 addresses of a /48 count
        together. The users resume with their memberships alone.
        """
        for network in sorted(self.networks.values(), key=lambda network: network.used, reverse=True):
            if not self._is_exceeded:
                return
            for quota in network.quotas.values():
                for outbox in quota.outboxes:
                    if outbox.size:
                        outbox.discard()
                        self.discarded += 1


@define(eq=False)
class ByteQuota:
    """A limit on the bytes that the outboxes of one address hold together; what would exceed it is refused.

    Attributes:
        address: the address.
        limit: the most bytes.
        total: the quota of all addresses, which this one counts against too.
        network: what the network of the address holds.
        used: the bytes in use.
        outboxes: the outboxes of the address.

    """

    address: AddressKey
    limit: int
    total: TotalQuota = field(repr=False)
    network: NetworkUse = field(repr=False)
    used: int = 0
    outboxes: dict[Discardable, None] = field(factory=dict, repr=False)

    def fits(self, bytes: int) -> bool:
        """Whether so many more bytes fit into this quota; the one of all addresses makes room for them."""
        return self.used + bytes <= self.limit

    def add(self, bytes: int) -> None:
        """Count bytes as used; a negative number frees them."""
        self.used += bytes
        self.total.add(self.network, bytes)
