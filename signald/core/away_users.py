"""Users that are away, by address: which address has most of them, and which of its users left first."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

from signald.core.limits import AddressKey, network_key
from signald.core.messages import UserId

__all__ = ["AwayUsers"]


@define
class AwayUsers:
    """Counts the users of each address that are away; every method takes the same short time for any number of them.

    The IPv6 addresses of a /48 count together, since its holder has 65,536 of the networks that are one address
    elsewhere.
    """

    _networks: dict[UserId, AddressKey] = field(factory=dict)
    _users: dict[AddressKey, dict[UserId, None]] = field(factory=dict)
    """The users of each network, in the order in which they left."""

    _by_count: dict[int, dict[AddressKey, None]] = field(factory=dict)
    """The networks with each number of users."""

    _most: int = 0

    def __len__(self) -> int:
        return len(self._networks)

    @property
    def users(self) -> Iterable[UserId]:
        """All users that are away."""
        return self._networks

    def add(self, user: UserId, address: AddressKey) -> None:
        """Add a user that is not in it: its connection is lost."""
        network = network_key(address) or address
        users = self._users.setdefault(network, {})
        self._networks[user] = network
        users[user] = None
        self._count(network, len(users) - 1, len(users))

    def discard(self, user: UserId) -> None:
        """Remove a user, if it is in it: it is back, or its identity ended."""
        network = self._networks.pop(user, None)
        if network is None:
            return
        users = self._users[network]
        del users[user]
        self._count(network, len(users) + 1, len(users))
        if not users:
            del self._users[network]

    def of_fullest(self) -> Iterable[UserId]:
        """The users of the address that has most of them, the one that left first at the beginning."""
        return self._users[next(iter(self._by_count[self._most]))] if self._most else ()

    def _count(self, network: AddressKey, before: int, after: int) -> None:
        """Note that an address has one user more or one fewer than before."""
        if before:
            networks = self._by_count[before]
            del networks[network]
            if not networks:
                del self._by_count[before]
        if after:
            self._by_count.setdefault(after, {})[network] = None
        if after > self._most or self._most not in self._by_count:
            self._most = after
