"""Pointing and drawing on shared screens: sends what this person shows, and shows what everybody does."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from ..browser.bridge import call, construct, get, listen, now, publish, spawn, window
from ..model import texts
from ..model.devices import VIDEO
from ..model.layout import OWN_SCREEN, picture_owner
from ..model.pointing_input import PointingInput
from ..model.pointing_messages import AT, AWAY, at_message
from ..model.screen_marks import ScreenMarks
from . import extra_texts
from .marks_layer import MarksLayer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.current_call import CurrentCall
    from ..browser.screen_share import ScreenShare
    from ..browser.tiles import Tiles
    from ..model.page_state import PageState
    from ..model.pointing_messages import Place

__all__ = ["Pointing"]

TICK_INTERVAL = 0.034
"""Seconds between two looks at what has to be sent and shown, a little more than the least between two messages."""


class Pointing:
    """The pointers and lines of everybody in the call.

    Attributes:
        active: whether this person points, so that their pointer is sent while it is on a shared screen.

    """

    def __init__(
        self,
        state: PageState,
        current: CurrentCall,
        tiles: Tiles,
        screen: ScreenShare,
        refresh: Callable[[], None],
    ) -> None:
        """Subscribe to the messages; the arguments are those of `PointingLoader`."""
        self.active = False
        self._state = state
        self._current = current
        self._messaging = current.messaging
        self._tiles = tiles
        self._screen = screen
        self._refresh = refresh
        self._marks = ScreenMarks()
        self._input = PointingInput()
        self._layers: dict[str, MarksLayer] = {}
        self._running = False
        self._wants_focus = False
        self._messaging.on_message(AT, self.receive)
        self._messaging.on_message(AWAY, self._receive_away)
        self._messaging.on_closed(self._marks.forget)
        self._document = get(window, "document")
        listen(self._document, "keydown", self._key_in_document)
        listen(window, "blur", lambda event: self._input.lift())
        publish("pointing", lambda: json.dumps(self._marks.refused))

    def toggle(self) -> None:
        """Start to point, or stop it."""
        if self.active:
            self._stop()
            self._state.notices.announce(extra_texts.POINTING_OVER)
        else:
            self.active = self._wants_focus = True
            self._state.notices.announce(extra_texts.POINTING)
            self._show_own_screen()
        self._refresh()

    def update(self, possible: bool) -> None:
        """Put a layer over each shared screen.

        Arguments:
            possible: whether this person can point: there is a shared screen, and they do not control a computer.

        """
        devices = self._state.devices
        if self.active and not possible:
            self._input.clear()
            self._stop()
        if devices.screen_shown and not devices.sharing:
            devices.screen_shown = False
            self._tiles.own_screen = None
        self._update_layers()
        if self._wants_focus and self._layers:
            self._wants_focus = False
            names, large = self._state.pictures
            for name in [large] + names:  # noqa: RUF005 - MicroPython
                if name in self._layers:
                    self._layers[name].focus()
                    break
        self._run()

    def receive(self, user: str, message: dict[str, Any]) -> None:
        """Show where a member points or draws."""
        points = self._marks.receive(user, message, now(), self._members(), self._screens())
        if points is not None:
            if points.screen == self._current.user:
                self._show_own_screen()
            self._run()

    def _receive_away(self, user: str, message: dict[str, Any]) -> None:
        self._marks.receive_away(user, now(), self._members())

    def _members(self) -> list[str]:
        return [member.user for member in self._state.participants.members]

    def _screens(self) -> list[str]:
        """Return the users whose screens are shown."""
        found = [member.user for member in self._state.participants.members if member.screen]
        return found + [self._current.user] if self._state.devices.sharing else found  # noqa: RUF005 - MicroPython

    def _show_own_screen(self) -> None:
        """Show this person their own shared screen, without its sound, because somebody points on it."""
        devices = self._state.devices
        if devices.sharing and not devices.screen_shown:
            self._tiles.own_screen = construct("MediaStream")
            call(self._tiles.own_screen, "addTrack", self._screen.track(VIDEO))
            devices.screen_shown = True
            self._refresh()

    def _update_layers(self) -> None:
        layers, self._layers = self._layers, {}
        for name, figure, video, _, screen in self._tiles.figures():
            if screen:
                user = self._current.user if name == OWN_SCREEN else picture_owner(name)[0]
                layer = layers.pop(name, None)
                if layer is None or layer.video is not video:
                    if layer is not None:
                        layer.remove()
                    layer = MarksLayer(user, figure, video, self._pointed, self._key_on_layer)
                self._layers[name] = layer
                if self.active:
                    layer.listen()
                else:
                    layer.ignore()
        for layer in layers.values():
            layer.remove()

    def _stop(self) -> None:
        focused = any(layer.is_focused for layer in self._layers.values())
        self.active = self._wants_focus = False
        self._input.leave()
        for layer in self._layers.values():
            layer.ignore()
        if focused:
            call(call(self._document, "getElementById", "point"), "focus", {"preventScroll": True})

    # Events of the person

    def _pointed(self, screen: str, kind: str, place: Place) -> None:
        if kind == "pointerdown":
            self._input.press(screen, place)
        elif kind == "pointermove":
            self._input.move(screen, place)
        elif kind == "pointerleave":
            if not self._input.drawing:
                self._input.leave()
        else:
            self._input.lift()

    def _key_on_layer(self, screen: str, event: Any) -> None:
        for name in ("ctrlKey", "altKey", "metaKey"):
            if get(event, name):
                return
        key = get(event, "key") or ""
        if key == " " and get(event, "repeat"):
            handled = True
        else:
            handled = self._input.key(screen, key, bool(get(event, "shiftKey")))
            if handled and key == " ":
                drawing = self._input.drawing
                self._state.notices.announce(extra_texts.DRAWING if drawing else extra_texts.NOT_DRAWING)
                self._refresh()
        if handled:
            call(event, "preventDefault")
            call(event, "stopPropagation")

    def _key_in_document(self, event: Any) -> None:
        """End pointing at Escape, unless something is open that the key closes."""
        ends = self.active and get(event, "key") == "Escape" and not get(event, "defaultPrevented")
        if ends and call(self._document, "querySelector", ":modal, :popover-open") is None:
            call(event, "preventDefault")
            self.toggle()

    # What is sent and shown

    def _run(self) -> None:
        if not self._running:
            self._running = True
            spawn(self._tick())

    async def _tick(self) -> None:
        """Send and show as long as this person points, or anything is shown."""
        while True:
            time = now()
            points = self._input.take(time)
            if points is not None:
                self._marks.add(self._current.user, points, time)
                self._messaging.broadcast(at_message(points))
            elif self._input.take_leave():
                self._marks.hide_pointer(self._current.user)
                self._messaging.broadcast({"type": AWAY})
            self._marks.tick(time, self._members() + [self._current.user], self._screens())  # noqa: RUF005 - MicroPython
            pointers, parts = self._marks.pointers, self._marks.parts
            for layer in self._layers.values():
                layer.show(pointers, parts, self._name)
            if not (self.active or self._input.waits or pointers or parts):
                break
            await asyncio.sleep(TICK_INTERVAL)
        self._running = False

    def _name(self, user: str) -> str:
        """Return the name at a pointer; this person knows which is their own."""
        member = self._state.participants.find(user)
        return "" if member is None else member.name or texts.SOMEBODY
