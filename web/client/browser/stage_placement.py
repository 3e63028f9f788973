"""Gives each picture of a call its place on the stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.page_state import CALLING, CONNECTED
from ..model.stage_geometry import OWN, Picture, Room, place
from .bridge import call, get, listen, observe_size, put, window

if TYPE_CHECKING:
    from typing import Any

    from ..model.page_state import PageState
    from .page import Page
    from .tiles import Tiles

__all__ = ["StagePlacement"]

SIDES = ("left", "top", "width", "height")

TOP = 3.0
"""The least height above the pictures, for the clock and the status, in rem."""


class StagePlacement:
    """Places the pictures anew whenever they, the stage, the status or the controls change.

    Attributes:
        heights: the height of each picture of others on the stage, in CSS pixels.

    """

    def __init__(self, page: Page, state: PageState, tiles: Tiles) -> None:
        """Observe the elements that pictures must not cover, and the stage."""
        self._state = state
        self._tiles = tiles
        self._stage, self._controls, self._status, self._self, self._video = [
            page.element(name) for name in ("stage", "controls", "status", "self", "local-video")
        ]
        self._root = get(window, "document", "documentElement")
        self._placed: list[tuple[Any, tuple[Any, ...]]] = []
        self.heights: dict[str, int] = {}
        for element in (self._stage, self._controls, self._status):
            observe_size(element, self.place)
        listen(self._video, "resize", lambda event: self.place())

    @property
    def own_large(self) -> bool:
        """Whether the own picture and the only other one have changed places."""
        state = self._state
        return state.layout.self_view_large and state.stage == CONNECTED and len(state.pictures[0]) == 1

    def place(self) -> None:
        """Set position and size of each picture's element; outside of a call, the style sheet has them."""
        self.heights = {}
        places = self._places() if self._state.stage in (CALLING, CONNECTED) else []
        known = self._placed
        self._placed = places
        for element, values in places:
            if (element, values) not in known:
                style = get(element, "style")
                for side, value in zip(SIDES, values):  # noqa: B905 - MicroPython's zip has no `strict`
                    put(style, side, str(value) + "px")
                call(element, "setAttribute", "data-filled", "true" if values[4] else "false")
        if known and not places:
            call(self._self, "removeAttribute", "style")

    def _places(self) -> list[tuple[Any, tuple[Any, ...]]]:
        layout = self._state.layout
        figures = self._tiles.figures()
        own = Picture(OWN, _ratio(self._video) if call(self._self, "getAttribute", "data-picture") == "true" else 0.0)
        others = [Picture(name, _ratio(video) if shown else 0.0, screen) for name, _, video, shown, screen in figures]
        if not others:
            return []
        found = place(others, own, self._state.pictures[1], self._room(), layout.self_view_corner, self.own_large)
        self.heights = {name: found[name].height for name, _, _, _, _ in figures}
        elements = [(name, figure) for name, figure, _, _, _ in figures]
        elements.append((OWN, self._self))
        return [
            (element, (found[name].x, found[name].y, found[name].width, found[name].height, found[name].filled))
            for name, element in elements
        ]

    def _room(self) -> Room:
        unit = float(get(call(window, "getComputedStyle", self._root), "fontSize")[:-2])
        stage, controls = _box(self._stage), _box(self._controls)
        top = int(TOP * unit)
        if call(self._status, "getAttribute", "data-quiet") != "true":
            status = _box(self._status)
            top = max(top, int(status[1] + status[3] + unit / 2))
        return Room(
            int(stage[2]),
            int(stage[3]),
            top,
            int(stage[3] - controls[1] + unit / 2),
            int(unit),
            get(self._root, "dir") == "rtl",
        )


def _box(element: Any) -> tuple[float, float, float, float]:
    """Return left, top, width and height of an element in the window."""
    box = call(element, "getBoundingClientRect")
    return float(get(box, "left")), float(get(box, "top")), float(get(box, "width")), float(get(box, "height"))


def _ratio(video: Any) -> float:
    """Return width divided by height of a video; 0.0 before its size is known."""
    height = get(video, "videoHeight")
    return get(video, "videoWidth") / height if height else 0.0
