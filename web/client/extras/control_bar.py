"""The bar on the picture of a shared screen that can be controlled: its state, and the buttons for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser.bridge import Listeners, call, get, put
from ..model.control_viewer import ASKING, CODE, OFFERED
from . import extra_texts
from .control_view import sentence
from .elements import create

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.control_viewer import ControlViewer, Offer

__all__ = ["ControlBar"]


class ControlBar:
    """The bar of one member's screen."""

    def __init__(
        self, viewer: ControlViewer, user: str, send_clipboard: Callable[[], None], get_clipboard: Callable[[], None]
    ) -> None:
        """Create the elements.

        Arguments:
            viewer: what the members offer.
            user: the member.
            send_clipboard: called when the person wants to put their clipboard's text into the other's.
            get_clipboard: called when the person wants the other's.

        """
        self._viewer = viewer
        self._user = user
        self._listeners = Listeners()
        self._bar = create("form", "", "control-bar")
        self._status = create("span")
        call(self._status, "setAttribute", "role", "status")
        self._code = create("input")
        for name, value in (("autocomplete", "off"), ("spellcheck", "false"), ("maxlength", "64")):
            call(self._code, "setAttribute", name, value)
        self._ask = create("button")
        self._end = create("button")
        self._send_clipboard = create("button")
        self._get_clipboard = create("button")
        call(self._bar, "append", self._status, self._code, self._ask)
        for button, action in (
            (self._send_clipboard, send_clipboard),
            (self._get_clipboard, get_clipboard),
            (self._end, lambda: viewer.give_up(user)),
        ):
            put(button, "type", "button")
            call(self._bar, "append", button)
            self._on_click(button, action)
        self._listeners.listen(self._bar, "submit", self._submitted)

    def _on_click(self, button: Any, action: Callable[[], None]) -> None:
        self._listeners.listen(button, "click", lambda event: action())

    def show(self, figure: Any, offer: Offer, verified: bool) -> None:
        """Show the state of an offer.

        Arguments:
            figure: the element of the picture.
            offer: what the member offers.
            verified: whether the person has verified the connection.

        """
        if get(self._bar, "parentElement") is None or not call(figure, "contains", self._bar):
            call(figure, "append", self._bar)
        self._set(self._status, "textContent", sentence(offer, verified))
        needs_code = offer.mode == CODE and offer.state == OFFERED
        self._set(self._code, "hidden", not needs_code)
        self._set(self._code, "placeholder", extra_texts.CONTROL_CODE)
        self._set(self._code, "ariaLabel", extra_texts.CONTROL_CODE)
        self._set(self._ask, "textContent", extra_texts.CONTROL_ASK)
        self._set(self._ask, "hidden", offer.state != OFFERED)
        self._set(
            self._end, "textContent", extra_texts.CONTROL_CANCEL if offer.state == ASKING else extra_texts.CONTROL_END
        )
        self._set(self._end, "hidden", offer.state == OFFERED)
        for button, text in (
            (self._send_clipboard, extra_texts.CLIPBOARD_SEND),
            (self._get_clipboard, extra_texts.CLIPBOARD_GET),
        ):
            self._set(button, "textContent", text)
            self._set(button, "hidden", not (offer.is_active and offer.clipboard))

    def _set(self, element: Any, name: str, value: str | bool) -> None:
        if get(element, name) != value:
            put(element, name, value)

    def _submitted(self, event: Any) -> None:
        call(event, "preventDefault")
        code = get(self._code, "value")
        put(self._code, "value", "")
        self._viewer.ask(self._user, code)

    def focus(self) -> None:
        """Focus the button that asks for control."""
        call(self._ask, "focus", {"preventScroll": True})

    def remove(self) -> None:
        """Remove the bar."""
        self._listeners.end()
        call(self._bar, "remove")
