"""The participants in the side panel, and which actions the host may take. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling.session_ids import group_session_id

from ..model import texts as common
from ..model.devices import ON
from ..model.page_state import HOST
from . import extra_texts

if TYPE_CHECKING:
    from ..model.page_state import PageState
    from ..model.remote_peer import RemotePeer
    from ..model.view_model import View

__all__ = [
    "END",
    "LEAVE",
    "LOBBY",
    "LOCK",
    "MAKE_HOST",
    "MUTE",
    "REMOVE",
    "REMOVE_AND_LOCK",
    "HostActions",
    "PersonView",
    "rows",
    "view",
]

MUTE = "mute"
MAKE_HOST = "host"
REMOVE = "remove"
REMOVE_AND_LOCK = "remove-and-lock"
LOCK = "lock"
LOBBY = "lobby"
END = "end"
LEAVE = "leave"
"""The actions of a host, on a participant or on the session.

`LOCK` and `LOBBY` toggle their settings; `LEAVE` makes a participant the host and then leaves the session."""


class PersonView:
    """One participant, as the list shows them.

    Attributes:
        user: the user id; empty for the local person.
        name: the name to show.
        notes: further remarks in words; empty for none.
        microphone: whether it is on; None if their page does not say.
        camera: whether it is on; None if their page does not say.
        actions: the actions that this person may take on them.

    """

    def __init__(
        self, user: str, name: str, notes: list[str], microphone: bool | None, camera: bool | None, actions: list[str]
    ) -> None:
        self.user = user
        self.name = name
        self.notes = ", ".join(notes)
        self.microphone = microphone
        self.camera = camera
        self.actions = actions


class HostActions:
    """Decides which actions are allowed, and asks for confirmation.

    Attributes:
        question: the action that awaits confirmation; empty for none.
        target: the user whom it is about; for `LEAVE` the next host, empty if nobody can become it.
        mute_pending: who was asked to mute and has not yet: a user, or empty for everybody; None for nobody.

    """

    def __init__(self, now: PageState) -> None:
        self._state = now
        self.question = ""
        self.target = ""
        self.muting: str | None = None

    def allowed(self, action: str, user: str = "") -> bool:
        """Return whether the server would accept an action now, as far as the page knows.

        `MUTE` without a user means that everybody is asked to mute.
        """
        now = self._state
        if action in (END, LEAVE):
            return now.leads
        if not now.in_session or now.role != HOST or now.network.detached:
            return False
        if action == MUTE and not user:
            return any(self.allowed(MUTE, member.user) for member in now.participants.members)
        if now.network.offline_for is not None:
            return False
        if action in (LOCK, LOBBY):
            return True
        member = now.participants.find(user)
        if member is None or member.gone:
            return False
        if action == MUTE:
            return member.microphone is True
        return action == REMOVE or not member.away

    def successors(self) -> list[RemotePeer]:
        """Return the participants who can become the host, the one who joined first at the front."""
        return [member for member in self._state.participants.members if self.allowed(MAKE_HOST, member.user)]

    def request(self, action: str, user: str = "") -> bool:
        """Return whether to take an action at once; if it needs confirmation, ask for that instead."""
        if not self.allowed(action, user):
            return False
        if action == MUTE:
            self.muting = user
        if action in (MUTE, LOCK, LOBBY):
            return True
        self.question = action
        self.target = user
        self.refresh()
        return False

    def choose(self, user: str) -> None:
        """Choose the next host among those who can become it."""
        self.target = user
        self.refresh()

    def answer(self, action: str) -> tuple[str, str]:
        """Return the confirmed action and its user; both are empty if it was refused, or is no longer possible.

        Arguments:
            action: the action that was asked about, `END` in place of `LEAVE`, or `REMOVE_AND_LOCK` in place of
                `REMOVE`; empty for a refusal.

        """
        self.refresh()
        question, target = self.question, self.target
        self.question = self.target = ""
        allowed = {LEAVE: (LEAVE, END), REMOVE: (REMOVE, REMOVE_AND_LOCK)}.get(question, (question,))
        if not question or action not in allowed or (action == LEAVE and not target):
            return "", ""
        return action, "" if action == END else target

    def refresh(self) -> None:
        """Withdraw a question that is out of date, because the participant left or this person is not the host."""
        if self.question and not self.allowed(self.question, self.target):
            self.question = self.target = ""
        if self.question == LEAVE:
            successors = [member.user for member in self.successors()]
            if self.target not in successors:
                self.target = successors[0] if successors else ""
        if self.muting is not None and not self.allowed(MUTE, self.muting):
            self.muting = None

    def name(self, user: str) -> str:
        """Return the name to show for a user."""
        member = self._state.participants.find(user)
        return (member.name if member is not None else "") or common.SOMEBODY


def rows(people: HostActions, now: PageState, name: str) -> list[PersonView]:
    """Return a row for each participant, first for the local person, whose name is `name`."""
    notes = [extra_texts.HOST] if now.role == HOST else []
    if now.devices.sharing:
        notes.append(extra_texts.SHARES)
    me = extra_texts.YOU_NAMED.format(name) if name else common.YOU
    found = [PersonView("", me, notes, now.devices.microphone.status == ON, now.devices.camera.status == ON, [])]
    for member in now.participants.members:
        notes = [extra_texts.HOST] if member.host else []
        if member.screen:
            notes.append(extra_texts.SHARES)
        if member.away or member.gone:
            notes.append(extra_texts.GONE_AWAY)
        actions = [action for action in (MUTE, MAKE_HOST, REMOVE) if people.allowed(action, member.user)]
        found.append(
            PersonView(member.user, people.name(member.user), notes, member.microphone, member.camera, actions)
        )
    return found


def view(people: HostActions, now: PageState) -> View:
    """Return what the panel and the confirmation dialog show, as `view_model.view` does."""
    host = now.role == HOST
    values: View = {
        ("people-said", "text"): _mute_note(people),
        ("door", "text"): "" if host else _door_note(now),
        ("door-tools", "hidden"): not host,
        ("lock", "ariaChecked"): "true" if now.session.locked else "false",
        ("lock", "ariaDisabled"): "false" if people.allowed(LOCK) else "true",
        ("lobby", "ariaChecked"): "true" if now.session.lobby else "false",
        ("lobby", "ariaDisabled"): "false" if people.allowed(LOBBY) else "true",
        ("mute-all", "hidden"): not now.participants.members,
        ("mute-all", "ariaDisabled"): "false" if people.allowed(MUTE) else "true",
        ("end-all", "hidden"): not people.allowed(END),
        ("people-invite", "hidden"): now.session.locked,
        ("people-id", "text"): group_session_id(now.session.id) if now.session.id else "",
        ("people-link", "value"): now.session.link,
        ("people-copy", "text"): common.COPIED if now.session.link_copied else common.COPY,
        ("people-password", "text"): common.GUESTS_NEED.format(now.session.password) if now.session.password else "",
    }
    _question(people, values)
    values["confirm-lock", "hidden"] = people.question != REMOVE or now.session.locked
    return values


def _mute_note(people: HostActions) -> str:
    if people.muting is None:
        return ""
    return (
        extra_texts.ASKED_TO_MUTE.format(people.name(people.muting)) if people.muting else extra_texts.ASKED_ALL_TO_MUTE
    )


def _door_note(now: PageState) -> str:
    if now.session.locked:
        return common.LOCKED
    return extra_texts.HAS_LOBBY if now.session.lobby else ""


def _question(people: HostActions, values: View) -> None:
    question = people.question
    name = people.name(people.target)
    values["confirm-heading", "text"] = extra_texts.QUESTIONS[question].format(name) if question else ""
    values["confirm-text", "text"] = extra_texts.CONSEQUENCES[question].format(name) if question else ""
    values["confirm-yes", "text"] = extra_texts.ANSWERS[question].format(name) if question else ""
    values["confirm-yes", "hidden"] = question == LEAVE and not people.target
    values["confirm-yes", "on"] = question in (REMOVE, END)
    values["confirm-end", "hidden"] = question != LEAVE
    values["heir-row", "hidden"] = question != LEAVE or len(people.successors()) < 2
