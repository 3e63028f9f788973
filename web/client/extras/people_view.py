"""Everybody in the call, what this person may do to each, and what they are asked before it is done: pure."""

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

__all__ = ["END", "LEAVE", "LOBBY", "LOCK", "MAKE_HOST", "MUTE", "REMOVE", "People", "PersonView", "rows", "view"]

MUTE = "mute"
MAKE_HOST = "host"
REMOVE = "remove"
LOCK = "lock"
LOBBY = "lobby"
END = "end"
LEAVE = "leave"
"""What a host does: to one of the others, or to the call.

`LOCK` and `LOBBY` turn their switches over; `LEAVE` makes one of the others the host, and then the person leaves.
"""


class PersonView:
    """One person as the list shows them.

    Attributes:
        user: who; empty for oneself.
        name: what they are called here.
        notes: what else there is to say of them, in words; empty where nothing is.
        microphone: whether it is on; None where their page does not tell.
        camera: the same of their camera.
        actions: what may be done to them.

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


class People:
    """What the person wants to do to the others, as far as they are still to be asked about it.

    Attributes:
        question: what they are asked about: one of the actions; empty while there is no question.
        about: the user whom it is about; of `LEAVE`, who is to be the host, empty where nobody can be.
        muting: who was asked to mute and has not yet: a user, or empty for everybody; None for nobody.

    """

    def __init__(self, now: PageState) -> None:
        self._now = now
        self.question = ""
        self.about = ""
        self.muting: str | None = None

    def may(self, action: str, user: str = "") -> bool:
        """Whether the server would do this now, as far as the page knows. `MUTE` without a user means everybody."""
        now = self._now
        if action in (END, LEAVE):
            return now.leads
        if not now.in_session or now.role != HOST or now.network.detached:
            return False
        if action == MUTE and not user:
            return any(self.may(MUTE, other.user) for other in now.participants.others)
        if now.network.offline_for is not None:
            return False
        if action in (LOCK, LOBBY):
            return True
        other = now.participants.find(user)
        if other is None or other.gone:
            return False
        if action == MUTE:
            return other.microphone is True
        return action == REMOVE or not other.away

    def heirs(self) -> list[RemotePeer]:
        """Return those whom this person can make the host, the longest one first."""
        return [other for other in self._now.participants.others if self.may(MAKE_HOST, other.user)]

    def wish(self, action: str, user: str = "") -> bool:
        """The person wants this. Return whether it is to be done at once; else they are asked, if it can be done."""
        if not self.may(action, user):
            return False
        if action == MUTE:
            self.muting = user
        if action in (MUTE, LOCK, LOBBY):
            return True
        self.question = action
        self.about = user
        self.settle()
        return False

    def choose(self, user: str) -> None:
        """Of those who can be the host, let it be this one."""
        self.about = user
        self.settle()

    def answer(self, action: str) -> tuple[str, str]:
        """Return what is to be done, and to whom, since the person answered with this; nothing where the time is past.

        Args:
            action: the one that they were asked about, or `END` in the place of `LEAVE`; empty for no.

        """
        self.settle()
        question, about = self.question, self.about
        self.question = self.about = ""
        if not question or action not in (question, END) or (action == LEAVE and not about):
            return "", ""
        return action, about if action == question else ""

    def settle(self) -> None:
        """Take back the question when it can be asked no more: the other left, or the person is not the host."""
        if self.question and not self.may(self.question, self.about):
            self.question = self.about = ""
        if self.question == LEAVE:
            heirs = [other.user for other in self.heirs()]
            if self.about not in heirs:
                self.about = heirs[0] if heirs else ""
        if self.muting is not None and not self.may(MUTE, self.muting):
            self.muting = None

    def name(self, user: str) -> str:
        """Return what somebody is called."""
        other = self._now.participants.find(user)
        return (other.name if other is not None else "") or common.SOMEBODY


def rows(people: People, now: PageState, name: str) -> list[PersonView]:
    """Return a row for each person in the call, this one, who calls themselves `name`, first."""
    notes = [extra_texts.HOST] if now.role == HOST else []
    if now.devices.sharing:
        notes.append(extra_texts.SHARES)
    me = extra_texts.YOU_NAMED.format(name) if name else common.YOU
    found = [PersonView("", me, notes, now.devices.microphone.status == ON, now.devices.camera.status == ON, [])]
    for other in now.participants.others:
        notes = [extra_texts.HOST] if other.host else []
        if other.screen:
            notes.append(extra_texts.SHARES)
        if other.away or other.gone:
            notes.append(extra_texts.GONE_AWAY)
        actions = [action for action in (MUTE, MAKE_HOST, REMOVE) if people.may(action, other.user)]
        found.append(PersonView(other.user, people.name(other.user), notes, other.microphone, other.camera, actions))
    return found


def view(people: People, now: PageState) -> View:
    """Return what the panel and the question show, in the terms of `view_model`."""
    host = now.role == HOST
    values: View = {
        ("people-said", "text"): _said(people),
        ("door", "text"): "" if host else _door(now),
        ("door-tools", "hidden"): not host,
        ("lock", "ariaChecked"): "true" if now.session.locked else "false",
        ("lock", "ariaDisabled"): "false" if people.may(LOCK) else "true",
        ("lobby", "ariaChecked"): "true" if now.session.lobby else "false",
        ("lobby", "ariaDisabled"): "false" if people.may(LOBBY) else "true",
        ("mute-all", "hidden"): not now.participants.others,
        ("mute-all", "ariaDisabled"): "false" if people.may(MUTE) else "true",
        ("end-all", "hidden"): not people.may(END),
        ("people-invite", "hidden"): now.session.locked,
        ("people-id", "text"): group_session_id(now.session.id) if now.session.id else "",
        ("people-link", "value"): now.session.link,
        ("people-copy", "text"): common.COPIED if now.session.link_copied else common.COPY,
        ("people-password", "text"): common.GUESTS_NEED.format(now.session.password) if now.session.password else "",
    }
    _question(people, values)
    return values


def _said(people: People) -> str:
    if people.muting is None:
        return ""
    return (
        extra_texts.ASKED_TO_MUTE.format(people.name(people.muting)) if people.muting else extra_texts.ASKED_ALL_TO_MUTE
    )


def _door(now: PageState) -> str:
    if now.session.locked:
        return common.LOCKED
    return extra_texts.HAS_LOBBY if now.session.lobby else ""


def _question(people: People, values: View) -> None:
    question = people.question
    name = people.name(people.about)
    values["confirm-heading", "text"] = extra_texts.QUESTIONS[question].format(name) if question else ""
    values["confirm-text", "text"] = extra_texts.CONSEQUENCES[question].format(name) if question else ""
    values["confirm-yes", "text"] = extra_texts.ANSWERS[question].format(name) if question else ""
    values["confirm-yes", "hidden"] = question == LEAVE and not people.about
    values["confirm-yes", "on"] = question in (REMOVE, END)
    values["confirm-end", "hidden"] = question != LEAVE
    values["heir-row", "hidden"] = question != LEAVE or len(people.heirs()) < 2
