"""Tests that both heaps of the page free the memory of ended peer connections."""

from __future__ import annotations

from tests.suites.e2e.call_page import PATIENCE
from tests.suites.e2e.heaps import CONNECTIONS, REMEMBER, Heaps
from tests.suites.e2e.screens import ScreenTestCase, tab_of
from tests.suites.e2e.waiting import until


class HeapTests(ScreenTestCase):
    """Tests of a page with several guests in turn."""

    def test_visitors(self) -> None:
        """The peer connections of guests that have left are garbage collected."""
        page = self.chromium_page(prepare=REMEMBER)
        session = page.host()
        for _ in range(3):
            visitor = self.caller()
            visitor.send("join", session=session, name="Cat")
            visitor.receive("joined")
            page.wait_for("calling")
            visitor.send("leave", session=session)
            page.wait_for("waiting")
        self.assertEqual(page.tab.evaluate("connections.length"), 3)
        heaps = Heaps(tab_of(page))

        def collected() -> bool:
            heaps.collect()
            return bool(page.tab.evaluate(CONNECTIONS) == 0)

        until(collected, PATIENCE, "the connections to be let go")
