"""Each attack of `loads`, plain and over TLS."""

from __future__ import annotations

from collections.abc import Callable

from tests.attacks.case import AttackTestCase
from tests.attacks.loads import LOADS, Load


class LoadTests(AttackTestCase):
    """Over ws."""

    tls = False


class TLSLoadTests(LoadTests):
    """Over wss."""

    tls = True


def _test(name: str, load: Load) -> Callable[[LoadTests], None]:
    def test(self: LoadTests) -> None:
        self.threaten(name, self.tls)

    test.__doc__ = f"{load.threat}: {load.sent}. Bounded, and the neighbours hardly notice."
    return test


for _name, _load in LOADS.items():
    setattr(LoadTests, f"test_{_name.replace('-', '_')}", _test(_name, _load))
