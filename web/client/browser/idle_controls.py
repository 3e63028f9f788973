"""Hides the controls of a call while the person does not use the page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model.controls_timer import ControlsTimer
from .bridge import call, get, listen, now, spawn, window

if TYPE_CHECKING:
    from typing import Any

    from ..model.page_state import PageState

__all__ = ["IdleControls"]

IDLE = "true"
WAKING = "waking"

INTERVAL = 0.5
"""Seconds between two checks whether the controls are to hide."""

USES = ("keydown", "focusin", "wheel", "click", "pointercancel")
"""Events after which the controls are shown. Movements and presses have methods of their own."""

WAKING_SECONDS = 1.0
"""Seconds after which a finger that is down is no tap any more."""

OPEN = ":popover-open, dialog[open], main :is(button, a, summary, input, select, textarea):focus-visible"
"""Selects an open menu or dialog, and a control that has the keyboard's focus."""

UNDER_POINTER = ", :is(#controls, .tools, #panel > *, #side):hover"
"""Selects controls below the pointer. After a tap on a touch screen, browsers report the tapped control for ever."""


class IdleControls:
    """Sets the attribute `data-idle` of the document, with which the style sheet hides the controls.

    Its value is `true`, or `waking` while a finger is down: the controls are visible and cannot be pressed then,
    because the browser sends the click to what lies below the finger when it is lifted.
    """

    def __init__(self, state: PageState) -> None:
        """Listen to the pointer and the keyboard."""
        self._state = state
        self._timer = ControlsTimer()
        self._idle = ""
        self._pressed_at = 0.0
        self._pointer: tuple[Any, Any] = (None, None)
        self._document = get(window, "document")
        can_hover = get(call(window, "matchMedia", "(hover: hover)"), "matches")
        self._in_use = OPEN + (UNDER_POINTER if can_hover else "")
        for name in USES:
            listen(window, name, lambda event: self._used())
        listen(window, "pointerdown", self._pressed)
        listen(window, "pointermove", self._moved)
        spawn(self._watch())

    def _moved(self, event: Any) -> None:
        # Browsers also report a pointer that rests while something below it changes.
        pointer = (get(event, "clientX"), get(event, "clientY"))
        if pointer != self._pointer:
            self._pointer = pointer
            self._used(self._idle if self._idle == WAKING else "")

    def _pressed(self, event: Any) -> None:
        self._pressed_at = now()
        self._used(WAKING if self._idle and get(event, "pointerType") == "touch" else "")

    def _used(self, idle: str = "") -> None:
        self._timer.used(now())
        self._show(idle)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            held = self._held()
            if self._timer.hidden(held, now()):
                self._show(IDLE)
            elif held or now() - self._pressed_at > WAKING_SECONDS:
                self._show("")

    def _held(self) -> bool:
        """Return whether the controls stay: outside of a call, beside an open panel, and while they are in use."""
        state = self._state
        if state.stage not in ("calling", "connected") or state.layout.side_panel or state.participants.knocks:
            return True
        return call(self._document, "querySelector", self._in_use) is not None

    def _show(self, idle: str) -> None:
        if idle != self._idle:
            self._idle = idle
            root = get(self._document, "documentElement")
            if idle:
                call(root, "setAttribute", "data-idle", idle)
            else:
                call(root, "removeAttribute", "data-idle")
