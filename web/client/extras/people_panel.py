"""The people of a call beside it: a row for each, what a host can do, the invitation, and the question before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser.bridge import Listeners, call, get, put, window
from ..browser.page import PagePart
from . import extra_texts
from .people_view import END, LEAVE, LOBBY, LOCK, MAKE_HOST, MUTE, REMOVE, People, rows, view

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.call import Call
    from ..browser.page import Page
    from ..model.media_status import MediaStatus
    from ..model.page_state import PageState
    from .people_view import PersonView

__all__ = ["PeoplePanel"]

SVG = "http://www.w3.org/2000/svg"


class PersonRow:
    """One person in the list.

    Attributes:
        element: the list item.

    """

    def __init__(self, row: PersonView, wish: Callable[[str, str], None]) -> None:
        """Make the row; `wish` is called with an action and the user."""
        self._wish = wish
        self._user = row.user
        self.element = _make("li", "")
        self._shown: tuple[Any, ...] = ()
        self._name = _make("bdi", "")
        self._notes = _make("span", "hint")
        self._microphone = _icon("microphone")
        self._camera = _icon("camera")
        self._opener = _button("")
        call(self._opener, "append", _picture("more"))
        self._actions = _make("div", "actions")
        self._buttons = {}
        self._listeners = Listeners()
        for action in (MUTE, MAKE_HOST, REMOVE) if row.user else ():
            self._buttons[action] = _button(extra_texts.ACTIONS[action])
            self._listeners.listen(self._buttons[action], "click", self._pressed(action))
            call(self._actions, "append", self._buttons[action])
        self._listeners.listen(self._opener, "click", lambda event: self._open(get(self._actions, "hidden")))
        self._open(False)
        who = _make("div", "entry")
        call(who, "append", self._name, self._notes)
        call(self.element, "append", who, self._microphone, self._camera, self._opener, self._actions)

    def remove(self) -> None:
        """Take it out of the page for ever."""
        self._listeners.end()
        _leave(self.element)
        call(self.element, "remove")

    def show(self, row: PersonView) -> None:
        """Let the row be as it is now."""
        shown = (row.name, row.notes, row.microphone, row.camera, row.actions)
        if self._shown == shown:
            return
        self._shown = shown
        put(self._name, "textContent", row.name)
        put(self._notes, "textContent", row.notes)
        _tell(self._microphone, row.microphone, extra_texts.MICROPHONE_IS)
        _tell(self._camera, row.camera, extra_texts.CAMERA_IS)
        if not row.actions:
            _leave(self.element)
            self._open(False)
        put(self._opener, "hidden", not row.actions)
        put(self._opener, "ariaLabel", extra_texts.WHAT_TO_DO.format(row.name))
        for action, button in self._buttons.items():
            put(button, "hidden", action not in row.actions)

    def _open(self, wide: bool) -> None:
        put(self._actions, "hidden", not wide)
        put(self._opener, "ariaExpanded", "true" if wide else "false")

    def _pressed(self, action: str) -> Callable[[Any], None]:
        def pressed(event: Any) -> None:
            # The button may be gone in a moment.
            call(self._opener, "focus")
            self._open(False)
            self._wish(action, self._user)

        return pressed


class PeoplePanel:
    """The section `people-panel` and the dialog `confirm`."""

    def __init__(
        self,
        page: Page,
        state: PageState,
        media_status: MediaStatus,
        current: Callable[[], Call | None],
        changed: Callable[[], None],
    ) -> None:
        """Take the page's elements.

        Args:
            page: the page.
            state: what it knows.
            media_status: asks the others to mute.
            current: returns the call, through which the server is asked for the rest.
            changed: called when the state has changed.

        """
        self._page = page
        self._state = state
        self._media_status = media_status
        self._call = current
        self._changed = changed
        self._people = People(state)
        self._part = PagePart(page)
        self._list = page.element("people")
        self._rows: dict[str, PersonRow] = {}
        self._heirs: list[tuple[str, str]] = []
        self._asking = False
        page.on("mute-all", "click", lambda event: self._wish(MUTE))
        page.on("lock", "click", lambda event: self._wish(LOCK))
        page.on("lobby", "click", lambda event: self._wish(LOBBY))
        page.on("end-all", "click", lambda event: self._wish(END))
        page.on("confirm-no", "click", lambda event: self._answer(""))
        page.on("confirm-yes", "click", lambda event: self._answer(self._people.question))
        page.on("confirm-end", "click", lambda event: self._answer(END))
        page.on("confirm", "close", lambda event: self._closed())
        page.on("heir", "change", lambda event: self._choose())

    def ask_to_leave(self) -> None:
        """A host wants to hang up: ask what becomes of the others."""
        self._wish(LEAVE)

    def _wish(self, action: str, user: str = "") -> None:
        if self._people.wish(action, user):
            self._act(action, user)
        self._changed()

    def _act(self, action: str, user: str) -> None:
        """Ask for it; what the page shows follows from the answer."""
        current = self._call()
        if action == MUTE:
            self._media_status.ask_to_mute(user or None)
        elif action == END:
            self._state.hung_up()
        elif current is not None:
            if action == LOCK:
                current.change(locked=not self._state.session.locked)
            elif action == LOBBY:
                current.change(lobby=not self._state.session.lobby)
            elif action == REMOVE:
                current.remove(user)
            else:
                self._state.participants.successor = user if action == LEAVE else ""
                current.hand_over(user)

    def follow(self, name: str) -> None:
        """Show everybody who is in the call; the person calls themselves `name`."""
        people = self._people
        people.settle()
        self._part.show(view(people, self._state))
        found = rows(people, self._state, name)
        users = [row.user for row in found]
        for user in list(self._rows):
            if user not in users:
                self._rows.pop(user).remove()
        for row in found:
            if row.user not in self._rows:
                self._rows[row.user] = PersonRow(row, self._wish)
                call(self._list, "append", self._rows[row.user].element)
            self._rows[row.user].show(row)
        self._offer_heirs()
        if self._asking != bool(people.question):
            self._asking = not self._asking
            call(self._page.element("confirm"), "showModal" if self._asking else "close")

    def _offer_heirs(self) -> None:
        """Let the person choose the next host among those who can be it."""
        people = self._people
        heirs = [(other.user, people.name(other.user)) for other in people.heirs()] if people.question == LEAVE else []
        select = self._page.element("heir")
        if heirs != self._heirs:
            self._heirs = heirs
            call(select, "replaceChildren")
            for user, name in heirs:
                option = _make("option", "")
                put(option, "value", user)
                put(option, "textContent", name)
                call(select, "append", option)
            put(select, "value", people.about)

    def _choose(self) -> None:
        self._people.choose(get(self._page.element("heir"), "value"))
        self._changed()

    def _answer(self, answer: str) -> None:
        action, user = self._people.answer(answer)
        if action:
            self._act(action, user)
        self._changed()

    def _closed(self) -> None:
        """The dialog is closed; where the person did that by a key, they said no."""
        if self._asking:
            self._answer("")


def _leave(row: Any) -> None:
    """Let the keyboard go on at the list where what it was at goes away."""
    if call(row, "contains", get(window, "document", "activeElement")):
        call(get(row, "parentNode"), "focus")


def _make(tag: str, style: str) -> Any:
    element = call(get(window, "document"), "createElement", tag)
    put(element, "className", style)
    return element


def _button(text: str) -> Any:
    button = _make("button", "")
    put(button, "type", "button")
    put(button, "textContent", text)
    return button


def _icon(name: str) -> Any:
    place = _make("span", "device")
    call(place, "setAttribute", "role", "img")
    call(place, "append", _picture(name))
    return place


def _picture(name: str) -> Any:
    document = get(window, "document")
    picture = call(document, "createElementNS", SVG, "svg")
    call(picture, "setAttribute", "class", "icon")
    call(picture, "setAttribute", "aria-hidden", "true")
    symbol = call(document, "createElementNS", SVG, "use")
    call(symbol, "setAttribute", "href", "#icon-" + name)
    call(picture, "append", symbol)
    return picture


def _tell(place: Any, on: bool | None, words: dict[str, str]) -> None:
    """Say whether a device is on; nothing where nobody knows."""
    put(place, "hidden", on is None)
    which = "true" if on else "false"
    call(place, "setAttribute", "data-on", which)
    put(place, "ariaLabel", words[which])
