"""The side panel with the participants, the host's actions, the invitation, and the confirmation dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser.bridge import Listeners, call, get, put, window
from ..browser.page import PagePart
from . import extra_texts
from .elements import create, list_options, svg
from .people_view import END, LEAVE, LOBBY, LOCK, MAKE_HOST, MUTE, REMOVE, REMOVE_AND_LOCK, HostActions, rows, view

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.call import Call
    from ..browser.page import Page
    from ..model.media_status import MediaStatus
    from ..model.page_state import PageState
    from .people_view import PersonView

__all__ = ["PeoplePanel"]


class PersonRow:
    """One participant in the list.

    Attributes:
        element: the list item.

    """

    def __init__(self, row: PersonView, on_action: Callable[[str, str], None]) -> None:
        """Create the row; `on_action` is called with an action and the user."""
        self._request = on_action
        self._user = row.user
        self.element = create("li")
        self._shown: tuple[Any, ...] = ()
        self._name = create("bdi")
        self._notes = create("span", style="hint")
        self._microphone = _icon("microphone")
        self._camera = _icon("camera")
        self._opener = _button("")
        call(self._opener, "append", _picture("more"))
        self._actions = create("div", style="actions")
        self._buttons = {}
        self._listeners = Listeners()
        for action in (MUTE, MAKE_HOST, REMOVE) if row.user else ():
            self._buttons[action] = _button(extra_texts.ACTIONS[action])
            self._listeners.listen(self._buttons[action], "click", self._pressed(action))
            call(self._actions, "append", self._buttons[action])
        self._listeners.listen(self._opener, "click", lambda event: self._open(get(self._actions, "hidden")))
        self._open(False)
        who = create("div", style="entry")
        call(who, "append", self._name, self._notes)
        call(self.element, "append", who, self._microphone, self._camera, self._opener, self._actions)

    def remove(self) -> None:
        """Remove the row from the page, and its listeners."""
        self._listeners.end()
        _keep_focus(self.element)
        call(self.element, "remove")

    def show(self, row: PersonView) -> None:
        """Draw the row if it changed."""
        shown = (row.name, row.notes, row.microphone, row.camera, row.actions)
        if self._shown == shown:
            return
        self._shown = shown
        put(self._name, "textContent", row.name)
        put(self._notes, "textContent", row.notes)
        _show_device(self._microphone, row.microphone, extra_texts.MICROPHONE_IS)
        _show_device(self._camera, row.camera, extra_texts.CAMERA_IS)
        if not row.actions:
            _keep_focus(self.element)
            self._open(False)
        put(self._opener, "hidden", not row.actions)
        put(self._opener, "ariaLabel", extra_texts.WHAT_TO_DO.format(row.name))
        for action, button in self._buttons.items():
            put(button, "hidden", action not in row.actions)

    def _open(self, expanded: bool) -> None:
        put(self._actions, "hidden", not expanded)
        put(self._opener, "ariaExpanded", "true" if expanded else "false")

    def _pressed(self, action: str) -> Callable[[Any], None]:
        def pressed(event: Any) -> None:
            # The action may remove the focused button.
            call(self._opener, "focus")
            self._open(False)
            self._request(action, self._user)

        return pressed


class PeoplePanel:
    """Controls the section `people-panel` and the dialog `confirm`."""

    def __init__(
        self,
        page: Page,
        state: PageState,
        media_status: MediaStatus,
        current: Callable[[], Call | None],
        changed: Callable[[], None],
    ) -> None:
        """Listen to the elements of the page.

        Arguments:
            page: the page's elements.
            state: the page's state.
            media_status: sends the host's requests to mute.
            current: returns the call, which sends the other requests to the server.
            changed: called when the state has changed.

        """
        self._page = page
        self._state = state
        self._media_status = media_status
        self._call = current
        self._changed = changed
        self._people = HostActions(state)
        self._part = PagePart(page)
        self._list = page.element("people")
        self._rows: dict[str, PersonRow] = {}
        self._successors: list[tuple[str, str]] = []
        self._dialog_open = False
        page.on_click("mute-all", lambda: self._request(MUTE))
        page.on_click("lock", lambda: self._request(LOCK))
        page.on_click("lobby", lambda: self._request(LOBBY))
        page.on_click("end-all", lambda: self._request(END))
        page.on_click("confirm-no", lambda: self._answer(""))
        page.on_click("confirm-yes", lambda: self._answer(self._people.question))
        page.on_click("confirm-lock", lambda: self._answer(REMOVE_AND_LOCK))
        page.on_click("confirm-end", lambda: self._answer(END))
        page.on("confirm", "close", lambda event: self._closed())
        page.on("heir", "change", lambda event: self._choose())

    def ask_to_leave(self) -> None:
        """Ask the host who wants to hang up what becomes of the others."""
        self._request(LEAVE)

    def _request(self, action: str, user: str = "") -> None:
        if self._people.request(action, user):
            self._act(action, user)
        self._changed()

    def _act(self, action: str, user: str) -> None:
        """Send the request; the page shows its effect when the server has confirmed it."""
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
            elif action in (REMOVE, REMOVE_AND_LOCK):
                if action == REMOVE_AND_LOCK:
                    # Before the removal, so that the person finds no open door.
                    current.change(locked=True)
                current.remove(user)
            else:
                self._state.participants.successor = user if action == LEAVE else ""
                current.hand_over(user)

    def update(self, name: str) -> None:
        """Draw the participants; `name` is this person's name."""
        people = self._people
        people.refresh()
        self._part.show(view(people, self._state))
        found = rows(people, self._state, name)
        users = [row.user for row in found]
        for user in list(self._rows):
            if user not in users:
                self._rows.pop(user).remove()
        for row in found:
            if row.user not in self._rows:
                self._rows[row.user] = PersonRow(row, self._request)
                call(self._list, "append", self._rows[row.user].element)
            self._rows[row.user].show(row)
        self._list_successors()
        if self._dialog_open != bool(people.question):
            self._dialog_open = not self._dialog_open
            call(self._page.element("confirm"), "showModal" if self._dialog_open else "close")

    def _list_successors(self) -> None:
        """List the participants who can become the host."""
        people = self._people
        successors = (
            [(member.user, people.name(member.user)) for member in people.successors()]
            if people.question == LEAVE
            else []
        )
        if successors != self._successors:
            self._successors = successors
            list_options(self._page.element("heir"), successors, people.target)

    def _choose(self) -> None:
        self._people.choose(get(self._page.element("heir"), "value"))
        self._changed()

    def _answer(self, answer: str) -> None:
        action, user = self._people.answer(answer)
        if action:
            self._act(action, user)
        self._changed()

    def _closed(self) -> None:
        """Take a dialog that was closed by a key as a refusal."""
        if self._dialog_open:
            self._answer("")


def _keep_focus(row: Any) -> None:
    """Move the keyboard focus to the list if it is in a row that goes away."""
    if call(row, "contains", get(window, "document", "activeElement")):
        call(get(row, "parentNode"), "focus")


def _button(text: str) -> Any:
    button = create("button", text)
    put(button, "type", "button")
    return button


def _icon(name: str) -> Any:
    icon = create("span", style="device")
    call(icon, "setAttribute", "role", "img")
    call(icon, "append", _picture(name))
    return icon


def _picture(name: str) -> Any:
    picture = svg("svg", {"class": "icon", "aria-hidden": "true"})
    call(picture, "append", svg("use", {"href": "#icon-" + name}))
    return picture


def _show_device(icon: Any, on: bool | None, words: dict[str, str]) -> None:
    """Show whether a device is on; nothing if that is unknown."""
    put(icon, "hidden", on is None)
    which = "true" if on else "false"
    call(icon, "setAttribute", "data-on", which)
    put(icon, "ariaLabel", words[which])
