"""Runs each attack of `loads` over plain TCP and over TLS."""

from __future__ import annotations

from collections.abc import Callable

from tests.suites.attacks.case import AttackTestCase
from tests.suites.attacks.links import Load
from tests.suites.attacks.loads import LOADS
from tests.suites.attacks.report import in_full

#: The greatest number of connections of an attack in a run of all tests: to open 1,280 takes a minute.
MOST_CONNECTIONS = 400


class LoadTests(AttackTestCase):
    """The attacks over ws."""

    tls = False


class TLSLoadTests(AttackTestCase):
    """The attacks over wss."""

    tls = True


def _test(name: str, load: Load) -> Callable[[LoadTests | TLSLoadTests], None]:
    def test(self: LoadTests | TLSLoadTests) -> None:
        self.threaten(name, self.tls)

    test.__doc__ = f"{load.threat}: {load.sent}. Bounded, and the neighbours hardly notice."
    return test


def _fill() -> None:
    """Add the test methods to the cases; a run of all tests has each attack over only one of the two, alternately."""
    for number, (name, load) in enumerate(LOADS.items()):
        for case in (LoadTests, TLSLoadTests):
            if in_full() or (number % 2 == case.tls and load.count <= MOST_CONNECTIONS):
                setattr(case, f"test_{name.replace('-', '_')}", _test(name, load))


_fill()
