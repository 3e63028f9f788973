"""Remote control of a shared screen: asks for it, and sends pointer and keys while this person has it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser.bridge import (
    BrowserError,
    Listeners,
    call,
    capture_pointer,
    get,
    is_embedded,
    listen,
    now,
    spawn,
    wait,
    window,
)
from ..model.control_input import ControlInput
from ..model.control_viewer import CONTROLLING, ControlViewer
from ..model.layout import picture_id
from ..model.picture_box import content_box, picture_place
from . import extra_texts
from .control_bar import ControlBar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.tiles import Tiles
    from ..model.page_state import PageState
    from ..model.peer_messaging import PeerMessaging

__all__ = ["RemoteControl"]

TICK_INTERVAL = 0.05
"""Seconds between two looks at what has not been sent yet."""

TEXT_FIELDS = ("INPUT", "SELECT", "TEXTAREA")
"""Elements in which the person may be writing, so that a grant does not take the focus from them."""

NO_BUTTON = -1
"""The `button` of a `pointermove` that is no press or release."""


class RemoteControl:
    """The control of other members' computers.

    Attributes:
        viewer: what the others offer, and what became of it.

    """

    def __init__(
        self,
        state: PageState,
        messaging: PeerMessaging,
        tiles: Tiles,
        is_verified: Callable[[str], bool],
        refresh: Callable[[], None],
    ) -> None:
        """Listen to the window; the arguments are those of `ControlLoader`."""
        self.viewer = ControlViewer(messaging, is_embedded(), self.update, self._copy)
        self._state = state
        self._tiles = tiles
        self._is_verified = is_verified
        self._refresh = refresh
        self._bars: dict[str, ControlBar] = {}
        platform = get(window, "navigator", "platform") or ""
        self._apple = platform.startswith("Mac") or platform.startswith("iP")  # noqa: PIE810 - MicroPython
        self._input = ControlInput(self._apple)
        self._user = ""
        self._figure: Any = None
        self._video: Any = None
        self._listeners: Listeners | None = None
        listen(window, "blur", lambda event: self._release())
        listen(get(window, "document"), "visibilitychange", lambda event: self._release())

    def update(self) -> None:
        """Show the state of each offer on the picture of its screen, and listen where this person has control."""
        shown = set()
        for name, figure, video, _, screen in self._tiles.figures():
            user = call(video, "getAttribute", "data-user") or ""
            offer = self.viewer.offer(user)
            if not screen or offer is None:
                continue
            shown.add(name)
            if name not in self._bars:
                self._bars[name] = ControlBar(self.viewer, user, self._clipboard_sent, self._clipboard_asked)
            self._bars[name].show(figure, offer, self._is_verified(user))
            if offer.is_active and self._user != user:
                self._start(user, figure, video)
            call(figure, "toggleAttribute", "data-controlled", offer.is_active)
        for name in [name for name in self._bars if name not in shown]:
            self._bars.pop(name).remove()
        if self._user and (self.viewer.controlled != self._user or picture_id(self._user, True) not in shown):
            self._stop()

    def _start(self, user: str, figure: Any, video: Any) -> None:
        """Listen to the picture of the screen, and focus it unless the person is writing elsewhere."""
        self._stop()
        self._user, self._figure, self._video = user, figure, video
        self._refresh()
        self._input = ControlInput(self._apple)
        self._listeners = listeners = Listeners()
        for event, handler in (
            ("pointermove", self._moved),
            ("pointerdown", self._pressed),
            ("pointerup", self._pressed),
            ("pointercancel", lambda event: self._release()),
            ("wheel", self._turned),
            ("contextmenu", lambda event: call(event, "preventDefault")),
        ):
            listeners.listen(video, event, handler)
        listeners.listen(figure, "keydown", self._key)
        listeners.listen(figure, "keyup", self._key)
        listeners.listen(figure, "blur", lambda event: self._release())
        # With this role a screen reader passes all keys on (WAI-ARIA 1.2).
        for name, value in (("tabindex", "0"), ("role", "application"), ("data-controlled", "")):
            call(figure, "setAttribute", name, value)
        call(figure, "setAttribute", "aria-label", extra_texts.CONTROL_STATES[CONTROLLING])
        if get(window, "document", "activeElement", "tagName") not in TEXT_FIELDS:
            call(figure, "focus", {"preventScroll": True})
        spawn(self._tick(listeners))

    def _stop(self) -> None:
        """Stop listening. What is held is released by the other side, which ends the control, or was told to."""
        if self._listeners is None:
            return
        user, self._user = self._user, ""
        self._refresh()
        self._listeners.end()
        self._listeners = None
        had_focus = call(self._figure, "matches", ":focus")
        for name in ("tabindex", "role", "data-controlled", "aria-label"):
            call(self._figure, "removeAttribute", name)
        # A picture that is gone cannot be controlled.
        self.viewer.give_up(user)
        bar = self._bars.get(picture_id(user, True))
        if had_focus and bar is not None:
            # The picture cannot be focused any more: whoever uses the keyboard goes on from here.
            bar.focus()

    async def _tick(self, listeners: Listeners) -> None:
        while self._listeners is listeners:
            self.viewer.send(self._user, self._input.tick(now()))
            await asyncio.sleep(TICK_INTERVAL)

    # Events of the person

    def _moved(self, event: Any) -> None:
        if get(event, "button") == NO_BUTTON:
            self.viewer.send(self._user, self._input.move(self._place(event), now()))
        else:
            self._pressed(event)

    def _pressed(self, event: Any) -> None:
        call(event, "preventDefault")
        self._send(self._input.buttons(self._place(event), get(event, "buttons")))
        if get(event, "type") != "pointerdown":
            return
        call(self._figure, "focus", {"preventScroll": True})
        if not capture_pointer(self._video, event):
            self._release()

    def _turned(self, event: Any) -> None:
        call(event, "preventDefault")
        right, down = float(get(event, "deltaX")), float(get(event, "deltaY"))
        self._send(self._input.wheel(self._place(event), right, down, get(event, "deltaMode")))

    def _key(self, event: Any) -> None:
        if get(event, "target", "tagName") != "FIGURE":
            # A button of the picture has the focus.
            return
        down, code = get(event, "type") == "keydown", get(event, "code") or ""
        if down or self._input.holds(code):
            call(event, "preventDefault")
            # A release of a key that was pressed before is the page's: it may end push-to-talk.
            call(event, "stopPropagation")
        if down and code == "Escape" and get(event, "ctrlKey") and get(event, "altKey") and get(event, "shiftKey"):
            self.viewer.give_up(self._user)
            return
        key, repeated = get(event, "key") or "", bool(get(event, "repeat"))
        self._send(self._input.key(code, key, down, float(get(event, "timeStamp")), repeated))

    def _release(self) -> None:
        self._send(self._input.release_all())

    def _send(self, messages: list[dict[str, Any]]) -> None:
        self.viewer.send(self._user, messages)

    def _place(self, event: Any) -> tuple[float, float]:
        """Return the place of a pointer event in the picture."""
        box = call(self._video, "getBoundingClientRect")
        left, top, width, height = content_box(
            float(get(box, "width")),
            float(get(box, "height")),
            (float(get(self._video, "videoWidth")), float(get(self._video, "videoHeight"))),
            False,
        )
        return picture_place(
            (float(get(event, "clientX")), float(get(event, "clientY"))),
            (float(get(box, "left")) + left, float(get(box, "top")) + top, width, height),
        )

    # The clipboard

    def _clipboard_sent(self) -> None:
        spawn(self._send_clipboard(self._user))

    async def _send_clipboard(self, user: str) -> None:
        """Put the text of this person's clipboard into a computer's, which they may not control any more afterwards."""
        try:
            text = await wait(call(get(window, "navigator", "clipboard"), "readText"))
        except BrowserError:
            self._state.notices.announce(extra_texts.CLIPBOARD_REFUSED)
            return
        self.viewer.write_clipboard(user, text)

    def _clipboard_asked(self) -> None:
        self.viewer.read_clipboard(self._user)

    def _copy(self, text: str) -> None:
        spawn(self._write_clipboard(text))

    async def _write_clipboard(self, text: str) -> None:
        """Put the text of the other computer's clipboard into this person's."""
        try:
            await wait(call(get(window, "navigator", "clipboard"), "writeText", text))
        except BrowserError:
            self._state.notices.announce(extra_texts.CLIPBOARD_REFUSED)
