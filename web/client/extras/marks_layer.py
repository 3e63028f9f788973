"""The layer over one picture of a shared screen: shows pointers and lines, and takes the person's own pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser.bridge import Listeners, call, capture_pointer, get, put
from ..model.avatars import hue
from ..model.picture_box import content_box, picture_place
from . import extra_texts
from .elements import create, svg

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.pointing_messages import Place
    from ..model.screen_marks import LinePart, Pointer

    PointerHandler = Callable[[str, str, Place], None]
    KeyHandler = Callable[[str, Any], None]

__all__ = ["MarksLayer"]

UNITS = 10_000
"""The width and height of the layer in its own units, in which coordinates of four decimals are integers."""

NEAR = 0.75
"""The part of the width and height from which on a name stands on the other side of its pointer, so that it fits."""


class MarksLayer:
    """The layer of one picture. It lies exactly over the picture's content, so that all places are parts of its size.

    Attributes:
        screen: the user who shares the screen.
        video: the `video` element of the picture.

    """

    def __init__(self, screen: str, figure: Any, video: Any, pointed: PointerHandler, key_pressed: KeyHandler) -> None:
        """Put the layer over a picture.

        Arguments:
            screen: the user who shares the screen.
            figure: the picture's element.
            video: the `video` element in it.
            pointed: called with the screen, the kind of pointer event, and the place as parts of the picture.
            key_pressed: called with the screen and the event when a key is pressed on the layer.

        """
        self.screen = screen
        self._figure = figure
        self.video = video
        self._pointed = pointed
        self._key_pressed = key_pressed
        self._lines: dict[int, tuple[Any, int]] = {}
        self._pointers: dict[str, Any] = {}
        self._input: Listeners | None = None
        self._box: tuple[float, float, float, float] | None = None
        self._layer = create("div", "", "marks")
        self._drawing = svg("svg", {"viewBox": f"0 0 {UNITS} {UNITS}", "preserveAspectRatio": "none"})
        call(self._drawing, "setAttribute", "aria-hidden", "true")
        call(self._layer, "append", self._drawing)
        # Last in the figure: the keyboard's focus comes to the picture's buttons first, which stand above its content.
        call(figure, "append", self._layer)
        self._place()

    def _place(self) -> None:
        """Lay the layer over the content of the picture, whose size may have changed."""
        box = content_box(
            float(get(self.video, "clientWidth")),
            float(get(self.video, "clientHeight")),
            (float(get(self.video, "videoWidth")), float(get(self.video, "videoHeight"))),
            call(self._figure, "getAttribute", "data-filled") == "true",
        )
        if box != self._box:
            self._box = box
            style = get(self._layer, "style")
            for name, value in zip(("left", "top", "width", "height"), box):  # noqa: B905 - MicroPython
                put(style, name, str(value) + "px")

    # What others show

    def show(self, pointers: list[Pointer], parts: list[LinePart], names: Callable[[str], str]) -> None:
        """Show exactly these pointers and parts of lines, of those that are on this screen.

        The page calls this method many times a second while anything is shown, also after a change of sizes.

        Arguments:
            pointers: all pointers.
            parts: all parts of lines.
            names: returns the name that stands at a user's pointer; empty for none.

        """
        self._place()
        lines, self._lines = self._lines, {}
        for part in parts:
            if part.screen == self.screen:
                self._show_line(part, lines.pop(part.number, None))
        for element, _ in lines.values():
            call(element, "remove")
        before, self._pointers = self._pointers, {}
        for pointer in pointers:
            if pointer.screen == self.screen:
                self._show_pointer(pointer, before.pop(pointer.user, None), names(pointer.user))
        for element in before.values():
            call(element, "remove")

    def _show_line(self, part: LinePart, shown: tuple[Any, int] | None) -> None:
        if shown is None:
            element = svg("g", {})
            _colour(element, part.user)
            # The wide line beneath the coloured one is light, so that the line can be seen on any picture.
            call(element, "append", svg("polyline", {}), svg("polyline", {}))
            call(self._drawing, "append", element)
            shown = (element, 0)
        element, length = shown
        if length != len(part.places):
            places = part.places if len(part.places) > 1 else part.places * 2
            text = " ".join([f"{round(x * UNITS)},{round(y * UNITS)}" for x, y in places])
            for line in get(element, "children"):
                call(line, "setAttribute", "points", text)
        call(element, "toggleAttribute", "data-fading", part.fading)
        self._lines[part.number] = (element, len(part.places))

    def _show_pointer(self, pointer: Pointer, element: Any, name: str) -> None:
        if element is None:
            element = create("div", "", "pointer")
            call(element, "setAttribute", "aria-hidden", "true")
            _colour(element, pointer.user)
            call(element, "append", create("bdi"))
            call(self._layer, "append", element)
        self._pointers[pointer.user] = element
        label = get(element, "firstChild")
        if get(label, "textContent") != name:
            put(label, "textContent", name)
        style = get(element, "style")
        x, y = pointer.place
        put(style, "left", f"{x * 100:.2f}%")
        put(style, "top", f"{y * 100:.2f}%")
        call(element, "toggleAttribute", "data-before", x > NEAR)
        call(element, "toggleAttribute", "data-above", y > NEAR)

    # The person's own pointer

    def listen(self) -> None:
        """Take the person's pointer and keys."""
        if self._input is not None:
            return
        self._input = listeners = Listeners()
        for event in ("pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave"):
            listeners.listen(self._layer, event, self._pointer_event)
        listeners.listen(self._layer, "keydown", lambda event: self._key_pressed(self.screen, event))
        # With this role a screen reader passes the arrow keys on (WAI-ARIA 1.2).
        for name, value in (("tabindex", "0"), ("role", "application"), ("aria-label", extra_texts.POINT_HERE)):
            call(self._layer, "setAttribute", name, value)

    def focus(self) -> None:
        """Give the layer the keyboard's focus."""
        call(self._layer, "focus", {"preventScroll": True})

    @property
    def is_focused(self) -> bool:
        """Whether the layer has the keyboard's focus."""
        return bool(call(self._layer, "matches", ":focus"))

    def ignore(self) -> None:
        """Take the person's pointer and keys no longer."""
        if self._input is not None:
            self._input.end()
            self._input = None
            for name in ("tabindex", "role", "aria-label"):
                call(self._layer, "removeAttribute", name)

    def _pointer_event(self, event: Any) -> None:
        kind, gone = get(event, "type"), False
        if kind == "pointerdown":
            if get(event, "button") or not get(event, "isPrimary"):
                return
            call(event, "preventDefault")
            self.focus()
            gone = not capture_pointer(self._layer, event)
        elif not get(event, "isPrimary"):
            return
        box = call(self._layer, "getBoundingClientRect")
        sides = (float(get(box, "left")), float(get(box, "top")), float(get(box, "width")), float(get(box, "height")))
        place = picture_place((float(get(event, "clientX")), float(get(event, "clientY"))), sides)
        self._pointed(self.screen, kind, place)
        if gone:
            self._pointed(self.screen, "pointercancel", place)

    def remove(self) -> None:
        """Remove the layer from the picture."""
        self.ignore()
        call(self._layer, "remove")


def _colour(element: Any, user: str) -> None:
    """Give an element the hue of a user's initials."""
    call(get(element, "style"), "setProperty", "--hue", str(hue(user)))
