"""How the person arranged the call on the page: pictures, the own picture, the side panel. Pure."""

from __future__ import annotations

from . import layout

__all__ = ["StageLayout"]


class StageLayout:
    """The arrangement of pictures and panels during a call.

    Attributes:
        arrangement: `GRID` or `SPOTLIGHT` of `layout`, if the person wants one of them; else empty.
        pinned: the picture that the person wants large (`layout`); empty for none.
        self_view_large: whether the own picture is the large one.
        self_view_corner: where the own picture is (`layout`).
        full_screen: whether the page fills the screen.
        side_panel: what is shown beside the call: `chat`, `people`, or empty for nothing.
        unread: how many chat messages the person has not seen.

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
        """Make a picture the large one, or no longer."""
        self.pinned = "" if self.pinned == picture else picture
        self.self_view_large = False

    def toggle_self_view(self) -> None:
        """Make the own picture large, or small again."""
        self.self_view_large = not self.self_view_large

    def toggle_side_panel(self, panel: str) -> None:
        """Open a panel beside the call, or close it if it is open."""
        self.side_panel = "" if self.side_panel == panel else panel
