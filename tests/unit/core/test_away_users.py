"""Users that are away, by the number that each address has."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from signald.core.away_users import AwayUsers
from signald.core.limits import AddressKey
from signald.core.messages import UserId


def user(number: int) -> UserId:
    """Return the id of a user."""
    return UserId(f"{number:026}")


class AwayUsersTests(SynchronousTestCase):
    """The address with most users that are away."""

    def setUp(self) -> None:
        """Start with nobody away."""
        self.away = AwayUsers()

    def test_nobody(self) -> None:
        """With nobody away there is no such address."""
        self.assertEqual((len(self.away), list(self.away.of_fullest())), (0, []))

    def test_order(self) -> None:
        """The users of the address with most come in the order in which they left, without those that are back."""
        for number, address in enumerate("abaab"):
            self.away.add(user(number), AddressKey(address))
        self.assertEqual(list(self.away.of_fullest()), [user(0), user(2), user(3)])
        self.away.discard(user(0))
        self.away.discard(user(2))
        self.assertEqual(list(self.away.of_fullest()), [user(1), user(4)])
        self.away.discard(user(99))
        self.assertEqual(len(self.away), 3)

    def test_networks(self) -> None:
        """The addresses of an IPv6 /48 count together."""
        for number in range(3):
            self.away.add(user(number), AddressKey(f"2001:db8:1:{number}::/64"))
        for number in (10, 11):
            self.away.add(user(number), AddressKey("192.0.2.1"))
        self.assertEqual(list(self.away.of_fullest()), [user(0), user(1), user(2)])

    def test_a_random_life(self) -> None:
        """At each step the answer is that of a simple count, and nothing is left in the end."""
        rng = random.Random(7)
        model = dict[UserId, str]()
        for step in range(3000):
            if rng.random() < 0.5:
                model[user(step)] = rng.choice("abcdefgh")
                self.away.add(user(step), AddressKey(model[user(step)]))
            elif model:
                gone = rng.choice(list(model))
                del model[gone]
                self.away.discard(gone)
            found = list(self.away.of_fullest())
            addresses = list(model.values())
            self.assertEqual(len(found), max(map(addresses.count, addresses), default=0))
            if found:
                self.assertEqual(found, [id for id, address in model.items() if address == model[found[0]]])
        for id in model:
            self.away.discard(id)
        self.assertEqual(self.away, AwayUsers())
