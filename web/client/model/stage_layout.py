"""The arrangement of pictures, self view and side panel that the person chose. It does not touch the browser."""

from __future__ import annotations

from . import layout

__all__ = ["StageLayout"]


class StageLayout:
    """Stores the arrangement of pictures and panels during a call.

    Attributes:
        arrangement: `GRID` or `SPOTLIGHT` of `layout`, if the person chose one of them; else empty.
        pinned: the id of the pinned picture (`layout.picture_id`); empty for none.
        self_view_large: whether the self view is the large picture.
        self_view_corner: the corner in which the self view lies (`layout`).
        full_screen: whether the page fills the screen.
        side_panel: the panel that is open beside the call: `chat`, `people`, or empty for none.
        unread: the number of unread chat messages.

    """

    def __init__(self) -> None:
        self.self_view_corner = layout.CORNERS[0]
        self.full_screen = False
        self.unread = 0
        self.reset()

    def reset(self) -> None:
        """Prepare for another call."""
        self.self_view_large = False
        self.arrangement = self.pinned = self.side_panel = ""

    def pin(self, picture: str) -> None:
        """Pin a picture, which makes it large, or unpin it."""
        self.pinned = "" if self.pinned == picture else picture
        self.self_view_large = False

    def toggle_self_view(self) -> None:
        """Make the self view large, or small again."""
        self.self_view_large = not self.self_view_large

    def toggle_side_panel(self, panel: str) -> None:
        """Open a panel beside the call, or close it if it is open."""
        self.side_panel = "" if self.side_panel == panel else panel
