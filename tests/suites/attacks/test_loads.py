"""Each attack of `loads`, plain and over TLS."""

from __future__ import annotations

from collections.abc import Callable

from tests.suites.attacks.case import AttackTestCase
from tests.suites.attacks.loads import LOADS, Load
from tests.suites.attacks.report import in_full


class LoadTests(AttackTestCase):
    """Over ws."""

    tls = False


class TLSLoadTests(AttackTestCase):
    """Over wss."""

    tls = True


def _test(name: str, load: Load) -> Callable[[LoadTests | TLSLoadTests], None]:
    def test(self: LoadTests | TLSLoadTests) -> None:
        self.threaten(name, self.tls)

    test.__doc__ = f"{load.threat}: {load.sent}. Bounded, and the neighbours hardly notice."
    return test


def _fill() -> None:
    """Give the cases their tests; a run of all tests has each attack over one of the two, in turn."""
    for number, (name, load) in enumerate(LOADS.items()):
        for case in (LoadTests, TLSLoadTests):
            if in_full() or number % 2 == case.tls:
                setattr(case, f"test_{name.replace('-', '_')}", _test(name, load))


_fill()
