"""Tests of the arrangement that the person chose during a call."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.stage_layout import StageLayout


class StageLayoutTests(SynchronousTestCase):
    """`StageLayout` stores the chosen arrangement."""

    def setUp(self) -> None:
        """Create the layout of a call."""
        self.layout = StageLayout()

    def test_pinned_picture(self) -> None:
        """A picture is pinned and unpinned, and pinning another picture replaces it; the self-view is small then."""
        self.layout.toggle_self_view()
        self.layout.pin("ann")
        self.assertEqual((self.layout.pinned, self.layout.self_view_large), ("ann", False))
        self.layout.pin("bob")
        self.assertEqual(self.layout.pinned, "bob")
        self.layout.pin("bob")
        self.assertEqual(self.layout.pinned, "")

    def test_self_view(self) -> None:
        """The self-view becomes large and small again."""
        self.layout.toggle_self_view()
        self.assertTrue(self.layout.self_view_large)
        self.layout.toggle_self_view()
        self.assertFalse(self.layout.self_view_large)

    def test_side_panel(self) -> None:
        """A side panel replaces another one, and is closed by its own button."""
        for panel, shown in (("chat", "chat"), ("people", "people"), ("people", "")):
            self.layout.toggle_side_panel(panel)
            self.assertEqual(self.layout.side_panel, shown)
