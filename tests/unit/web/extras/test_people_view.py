"""Tests of the list of participants and the host's actions."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras import extra_texts
from signald_page.client.extras.people_view import (
    END,
    LEAVE,
    LOBBY,
    LOCK,
    MAKE_HOST,
    MUTE,
    REMOVE,
    REMOVE_AND_LOCK,
    HostActions,
    rows,
    view,
)
from signald_page.client.model import devices
from signald_page.client.model import texts as common
from signald_page.client.model.page_state import PageState
from tests.unit.web.model.test_page_state import ID, LINK, guest_page, host_page

ACTIONS = [MUTE, MAKE_HOST, REMOVE]


def call_of_three() -> PageState:
    """Return a host's page in a call with Ann, whose microphone is on, and Bob, who is muted."""
    page = host_page("ann", "bob")
    for member, name in zip(page.participants.members, ("Ann", "Bob"), strict=True):
        member.name = name
    page.media_status_received("ann", True, True, False)
    page.media_status_received("bob", False, True, False)
    return page


class RowTests(SynchronousTestCase):
    """`rows` lists the participants."""

    def test_everybody(self) -> None:
        """The local person comes first, then the others in the order in which they joined."""
        page = call_of_three()
        page.participants.members[1].name = ""
        found = rows(HostActions(page), page, "Eve")
        self.assertEqual([row.name for row in found], ["Eve (you)", "Ann", common.SOMEBODY])
        self.assertEqual([row.user for row in found], ["", "ann", "bob"])
        self.assertEqual(rows(HostActions(page), page, "")[0].name, common.YOU)

    def test_actions_of_a_host(self) -> None:
        """A host may take every action, except muting participants who are muted or whose page sends no status."""
        page = call_of_three()
        mine, ann, bob = rows(HostActions(page), page, "")
        self.assertEqual((mine.actions, ann.actions, bob.actions), ([], ACTIONS, [MAKE_HOST, REMOVE]))
        page.media_status_received("ann", None, None, False)
        self.assertEqual(rows(HostActions(page), page, "")[1].actions, [MAKE_HOST, REMOVE])

    def test_actions_of_a_guest(self) -> None:
        """A guest may take no action."""
        page = guest_page("ann")
        page.media_status_received("ann", True, True, False)
        self.assertEqual([row.actions for row in rows(HostActions(page), page, "")], [[], []])

    def test_unreachable_participants(self) -> None:
        """Without the signaling connection, or for a participant who lost theirs, no action is possible."""
        page = call_of_three()
        page.member_left("bob", "gone")
        page.participants.set_away("ann", True)
        found = rows(HostActions(page), page, "")
        self.assertEqual([row.actions for row in found], [[], [MUTE, REMOVE], []])
        self.assertEqual([row.notes for row in found[1:]], [extra_texts.GONE_AWAY, extra_texts.GONE_AWAY])
        page.network.interrupted()
        self.assertEqual([row.actions for row in rows(HostActions(page), page, "")], [[], [], []])

    def test_notes(self) -> None:
        """The notes name the host and the people who share a screen."""
        page = call_of_three()
        page.devices.sharing = True
        self.assertEqual(rows(HostActions(page), page, "")[0].notes, f"{extra_texts.HOST}, {extra_texts.SHARES}")
        page.host_changed("ann", "me")
        page.media_status_received("ann", True, False, True)
        mine, ann, bob = rows(HostActions(page), page, "")
        self.assertEqual(
            (mine.notes, ann.notes, bob.notes), (extra_texts.SHARES, f"{extra_texts.HOST}, {extra_texts.SHARES}", "")
        )

    def test_devices(self) -> None:
        """The local devices have their real state, and the devices of others have the state that their pages sent."""
        page = call_of_three()
        page.devices.microphone.started()
        mine, ann, bob = rows(HostActions(page), page, "")
        self.assertEqual(page.devices.microphone.status, devices.ON)
        self.assertEqual((mine.microphone, mine.camera), (True, False))
        self.assertEqual((ann.microphone, bob.microphone, bob.camera), (True, False, True))


class QuestionTests(SynchronousTestCase):
    """Actions of the host are confirmed first."""

    def setUp(self) -> None:
        """Create a call of three."""
        self.state = call_of_three()
        self.actions = HostActions(self.state)

    def question(self) -> tuple[str, str]:
        """Return the question and its user."""
        return self.actions.question, self.actions.target

    def test_muting(self) -> None:
        """Muting needs no confirmation, and is shown until the participant is muted."""
        self.assertTrue(self.actions.request(MUTE, "ann"))
        self.assertEqual(view(self.actions, self.state)["people-said", "text"], extra_texts.ASKED_TO_MUTE.format("Ann"))
        self.state.media_status_received("ann", False, True, False)
        self.actions.refresh()
        self.assertEqual(view(self.actions, self.state)["people-said", "text"], "")
        self.assertFalse(self.actions.request(MUTE, "ann"))

    def test_muting_everybody(self) -> None:
        """Muting everybody is shown until all are muted."""
        self.assertTrue(self.actions.request(MUTE))
        self.assertEqual(view(self.actions, self.state)["people-said", "text"], extra_texts.ASKED_ALL_TO_MUTE)
        self.state.media_status_received("ann", False, True, False)
        self.actions.refresh()
        self.assertIsNone(self.actions.muting)
        self.assertEqual(view(self.actions, self.state)["mute-all", "ariaDisabled"], "true")
        self.assertFalse(self.actions.request(MUTE))

    def test_confirmed(self) -> None:
        """A confirmed action is returned."""
        for action in (REMOVE, MAKE_HOST):
            self.assertFalse(self.actions.request(action, "bob"))
            self.assertEqual(self.question(), (action, "bob"))
            self.assertEqual(self.actions.answer(action), (action, "bob"))
            self.assertEqual(self.question(), ("", ""))

    def test_remove_and_lock(self) -> None:
        """The host can remove somebody and lock the call with one answer, unless it is locked already."""
        self.assertTrue(view(self.actions, self.state)["confirm-lock", "hidden"])
        self.actions.request(REMOVE, "bob")
        self.assertFalse(view(self.actions, self.state)["confirm-lock", "hidden"])
        self.assertEqual(self.actions.answer(REMOVE_AND_LOCK), (REMOVE_AND_LOCK, "bob"))
        self.actions.request(MAKE_HOST, "bob")
        self.assertEqual(self.actions.answer(REMOVE_AND_LOCK), ("", ""))
        self.state.session.locked = True
        self.actions.request(REMOVE, "bob")
        self.assertTrue(view(self.actions, self.state)["confirm-lock", "hidden"])

    def test_refused(self) -> None:
        """A refusal or a second answer returns no action."""
        self.actions.request(REMOVE, "bob")
        self.assertEqual(self.actions.answer(""), ("", ""))
        self.assertEqual(self.actions.answer(REMOVE), ("", ""))

    def test_participant_left(self) -> None:
        """A question is withdrawn when its participant leaves, and not when another one does."""
        for user, question in (("bob", ""), ("ann", REMOVE)):
            self.setUp()
            self.actions.request(REMOVE, user)
            self.state.member_left("bob", "left")
            self.actions.refresh()
            self.assertEqual(self.actions.question, question)
        self.assertFalse(self.actions.request(REMOVE, "bob"))
        self.assertEqual(self.question(), (REMOVE, "ann"))

    def test_no_longer_host(self) -> None:
        """Questions are withdrawn when the person is no longer the host, and late answers do nothing."""
        for action, user in ((REMOVE, "bob"), (MAKE_HOST, "bob"), (END, ""), (LEAVE, "")):
            self.setUp()
            self.actions.request(action, user)
            self.assertEqual(self.actions.question, action)
            self.state.host_changed("ann", "me")
            self.assertEqual(self.actions.answer(action), ("", ""))
            self.assertEqual(self.question(), ("", ""))
            self.assertFalse(self.actions.request(action, user))
            self.assertEqual(self.actions.question, "")

    def test_leaving(self) -> None:
        """The participant who joined first is the proposed next host, and another one can be chosen."""
        self.actions.request(LEAVE)
        self.assertEqual(self.question(), (LEAVE, "ann"))
        self.actions.choose("bob")
        self.assertEqual(
            view(self.actions, self.state)["confirm-yes", "text"], extra_texts.ANSWERS[LEAVE].format("Bob")
        )
        self.assertFalse(view(self.actions, self.state)["heir-row", "hidden"])
        self.assertEqual(self.actions.answer(LEAVE), (LEAVE, "bob"))

    def test_proposed_host_left(self) -> None:
        """When the proposed host leaves, the next one is proposed; without participants the question is withdrawn."""
        self.actions.request(LEAVE)
        self.state.member_left("ann", "left")
        self.actions.refresh()
        self.assertEqual(self.question(), (LEAVE, "bob"))
        self.assertTrue(view(self.actions, self.state)["heir-row", "hidden"])
        self.state.member_left("bob", "left")
        self.actions.refresh()
        self.assertEqual(self.question(), ("", ""))

    def test_no_possible_host(self) -> None:
        """If nobody can become the host, the call can only be ended."""
        for user in ("ann", "bob"):
            self.state.participants.set_away(user, True)
        self.actions.request(LEAVE)
        self.assertEqual(self.question(), (LEAVE, ""))
        self.assertTrue(view(self.actions, self.state)["confirm-yes", "hidden"])
        self.assertEqual(self.actions.answer(LEAVE), ("", ""))
        self.actions.request(LEAVE)
        self.state.participants.set_away("bob", False)
        self.actions.refresh()
        self.assertEqual(self.question(), (LEAVE, "bob"))

    def test_ending(self) -> None:
        """Ending the call is a possible answer to the question about leaving, and also a question of its own."""
        self.actions.request(LEAVE)
        self.assertFalse(view(self.actions, self.state)["confirm-end", "hidden"])
        self.assertEqual(self.actions.answer(END), (END, ""))
        self.actions.request(END)
        self.assertTrue(view(self.actions, self.state)["confirm-end", "hidden"])
        self.assertEqual(self.actions.answer(END), (END, ""))

    def test_hanging_up_alone(self) -> None:
        """A guest, a host who is alone, and a host without a signaling connection leave without a question."""
        drifting = host_page("ann")
        drifting.server_lost("Lost.")
        for page in (guest_page("ann"), host_page(), drifting):
            self.assertFalse(HostActions(page).allowed(LEAVE))

    def test_question_texts(self) -> None:
        """Each question names its participant and leaves no placeholder."""
        for action, user in ((REMOVE, "bob"), (MAKE_HOST, "bob"), (END, ""), (LEAVE, "")):
            self.actions.request(action, user)
            shown = view(self.actions, self.state)
            words = [str(shown[element, "text"]) for element in ("confirm-heading", "confirm-text", "confirm-yes")]
            self.assertTrue(all(words))
            self.assertNotIn("{", "".join(words))
            self.assertEqual("Bob" in "".join(words), action in (REMOVE, MAKE_HOST))
            self.actions.answer("")


class ViewTests(SynchronousTestCase):
    """`view` shows the panel and the confirmation dialog."""

    def test_session_settings(self) -> None:
        """The host has the switches, and guests read the settings."""
        page = call_of_three()
        page.settings_changed(True, False)
        shown = view(HostActions(page), page)
        self.assertEqual((shown["lock", "ariaChecked"], shown["lobby", "ariaChecked"]), ("true", "false"))
        self.assertEqual((shown["door-tools", "hidden"], shown["door", "text"]), (False, ""))
        page.host_changed("ann", "me")
        for locked, lobby, text in (
            (True, True, common.LOCKED),
            (False, True, extra_texts.HAS_LOBBY),
            (False, False, ""),
        ):
            page.settings_changed(locked, lobby)
            shown = view(HostActions(page), page)
            self.assertEqual((shown["door-tools", "hidden"], shown["door", "text"]), (True, text))

    def test_server_lost(self) -> None:
        """Actions that need the signaling connection are disabled while it is lost."""
        page = call_of_three()
        self.assertEqual(view(HostActions(page), page)["lock", "ariaDisabled"], "false")
        page.network.interrupted()
        shown = view(HostActions(page), page)
        self.assertEqual((shown["lock", "ariaDisabled"], shown["lobby", "ariaDisabled"]), ("true", "true"))
        for switch in (LOCK, LOBBY):
            self.assertFalse(HostActions(page).request(switch))

    def test_the_invitation(self) -> None:
        """Everybody can invite unless the session is locked; the person who chose the password can read it."""
        page = call_of_three()
        shown = view(HostActions(page), page)
        self.assertEqual((shown["people-link", "value"], shown["people-invite", "hidden"]), (LINK, False))
        self.assertEqual(str(shown["people-id", "text"]).replace("-", ""), ID)
        self.assertEqual(shown["people-password", "text"], "")
        page.session.password = "sesame"
        page.settings_changed(True, False)
        shown = view(HostActions(page), page)
        self.assertEqual(shown["people-password", "text"], common.GUESTS_NEED.format("sesame"))
        self.assertTrue(shown["people-invite", "hidden"])

    def test_nobody_to_mute(self) -> None:
        """For a person who is alone, the action to mute everybody is hidden."""
        for page, hidden in ((call_of_three(), False), (host_page(), True)):
            self.assertEqual(view(HostActions(page), page)["mute-all", "hidden"], hidden)

    def test_same_properties(self) -> None:
        """Every view sets the same properties."""
        first = view(HostActions(PageState()), PageState()).keys()
        page = call_of_three()
        asking = HostActions(page)
        asking.request(LEAVE)
        for member in (view(asking, page), view(HostActions(page), page)):
            self.assertEqual(member.keys(), first)

    def test_actions_have_texts(self) -> None:
        """Each action has a name, and each question has its texts."""
        self.assertEqual(extra_texts.ACTIONS.keys(), set(ACTIONS))
        for words in (extra_texts.QUESTIONS, extra_texts.CONSEQUENCES, extra_texts.ANSWERS):
            self.assertEqual(words.keys(), {MAKE_HOST, REMOVE, END, LEAVE})
