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
    PeopleActions,
    rows,
    view,
)
from signald_page.client.model import devices
from signald_page.client.model import texts as common
from signald_page.client.model.page_state import PageState
from tests.unit.web.model.test_page_state import ID, LINK, hosting, visiting

ACTIONS = [MUTE, MAKE_HOST, REMOVE]


def three() -> PageState:
    """Return a host's page in a call with Ann, whose microphone is on, and Bob, who is muted."""
    page = hosting("ann", "bob")
    for member, name in zip(page.participants.members, ("Ann", "Bob"), strict=True):
        member.name = name
    page.media_status_received("ann", True, True, False)
    page.media_status_received("bob", False, True, False)
    return page


class RowTests(SynchronousTestCase):
    """`rows` lists the participants."""

    def test_everybody(self) -> None:
        """The local person comes first, then the others in the order in which they joined."""
        page = three()
        page.participants.members[1].name = ""
        found = rows(PeopleActions(page), page, "Eve")
        self.assertEqual([row.name for row in found], ["Eve (you)", "Ann", common.SOMEBODY])
        self.assertEqual([row.user for row in found], ["", "ann", "bob"])
        self.assertEqual(rows(PeopleActions(page), page, "")[0].name, common.YOU)

    def test_what_a_host_may(self) -> None:
        """A host may take every action, but cannot mute participants who are muted or whose page does not say."""
        page = three()
        mine, ann, bob = rows(PeopleActions(page), page, "")
        self.assertEqual((mine.actions, ann.actions, bob.actions), ([], ACTIONS, [MAKE_HOST, REMOVE]))
        page.media_status_received("ann", None, None, False)
        self.assertEqual(rows(PeopleActions(page), page, "")[1].actions, [MAKE_HOST, REMOVE])

    def test_what_a_guest_may(self) -> None:
        """A guest may take no action."""
        page = visiting("ann")
        page.media_status_received("ann", True, True, False)
        self.assertEqual([row.actions for row in rows(PeopleActions(page), page, "")], [[], []])

    def test_out_of_reach(self) -> None:
        """Without the server, or for a participant whom it lost, no action is possible."""
        page = three()
        page.member_left("bob", "gone")
        page.participants.set_away("ann", True)
        found = rows(PeopleActions(page), page, "")
        self.assertEqual([row.actions for row in found], [[], [MUTE, REMOVE], []])
        self.assertEqual([row.notes for row in found[1:]], [extra_texts.GONE_AWAY, extra_texts.GONE_AWAY])
        page.network.interrupted()
        self.assertEqual([row.actions for row in rows(PeopleActions(page), page, "")], [[], [], []])

    def test_notes(self) -> None:
        """The notes say who is the host and who shares a screen."""
        page = three()
        page.devices.sharing = True
        self.assertEqual(rows(PeopleActions(page), page, "")[0].notes, f"{extra_texts.HOST}, {extra_texts.SHARES}")
        page.host_changed("ann", "me")
        page.media_status_received("ann", True, False, True)
        mine, ann, bob = rows(PeopleActions(page), page, "")
        self.assertEqual(
            (mine.notes, ann.notes, bob.notes), (extra_texts.SHARES, f"{extra_texts.HOST}, {extra_texts.SHARES}", "")
        )

    def test_devices(self) -> None:
        """The devices are shown as they are, and for others as their pages say."""
        page = three()
        page.devices.microphone.started()
        mine, ann, bob = rows(PeopleActions(page), page, "")
        self.assertEqual(page.devices.microphone.status, devices.ON)
        self.assertEqual((mine.microphone, mine.camera), (True, False))
        self.assertEqual((ann.microphone, bob.microphone, bob.camera), (True, False, True))


class QuestionTests(SynchronousTestCase):
    """Actions of the host are confirmed first."""

    def setUp(self) -> None:
        """Create a call of three."""
        self.state = three()
        self.people = PeopleActions(self.state)

    def requested(self) -> tuple[str, str]:
        """Return the question and its user."""
        return self.people.question, self.people.target

    def test_muting(self) -> None:
        """Muting needs no confirmation, and is shown until the participant is muted."""
        self.assertTrue(self.people.request(MUTE, "ann"))
        self.assertEqual(view(self.people, self.state)["people-said", "text"], extra_texts.ASKED_TO_MUTE.format("Ann"))
        self.state.media_status_received("ann", False, True, False)
        self.people.refresh()
        self.assertEqual(view(self.people, self.state)["people-said", "text"], "")
        self.assertFalse(self.people.request(MUTE, "ann"))

    def test_muting_everybody(self) -> None:
        """Muting everybody is shown until all are muted."""
        self.assertTrue(self.people.request(MUTE))
        self.assertEqual(view(self.people, self.state)["people-said", "text"], extra_texts.ASKED_ALL_TO_MUTE)
        self.state.media_status_received("ann", False, True, False)
        self.people.refresh()
        self.assertIsNone(self.people.mute_pending)
        self.assertEqual(view(self.people, self.state)["mute-all", "ariaDisabled"], "true")
        self.assertFalse(self.people.request(MUTE))

    def test_yes(self) -> None:
        """A confirmed action is returned."""
        for action in (REMOVE, MAKE_HOST):
            self.assertFalse(self.people.request(action, "bob"))
            self.assertEqual(self.requested(), (action, "bob"))
            self.assertEqual(self.people.answer(action), (action, "bob"))
            self.assertEqual(self.requested(), ("", ""))

    def test_no(self) -> None:
        """A refusal or a second answer returns no action."""
        self.people.request(REMOVE, "bob")
        self.assertEqual(self.people.answer(""), ("", ""))
        self.assertEqual(self.people.answer(REMOVE), ("", ""))

    def test_somebody_left_meanwhile(self) -> None:
        """A question is withdrawn when its participant leaves, and not when another one does."""
        for user, question in (("bob", ""), ("ann", REMOVE)):
            self.setUp()
            self.people.request(REMOVE, user)
            self.state.member_left("bob", "left")
            self.people.refresh()
            self.assertEqual(self.people.question, question)
        self.assertFalse(self.people.request(REMOVE, "bob"))
        self.assertEqual(self.requested(), (REMOVE, "ann"))

    def test_host_no_more(self) -> None:
        """Questions are withdrawn when the person is no longer the host, and late answers do nothing."""
        for action, user in ((REMOVE, "bob"), (MAKE_HOST, "bob"), (END, ""), (LEAVE, "")):
            self.setUp()
            self.people.request(action, user)
            self.assertEqual(self.people.question, action)
            self.state.host_changed("ann", "me")
            self.assertEqual(self.people.answer(action), ("", ""))
            self.assertEqual(self.requested(), ("", ""))
            self.assertFalse(self.people.request(action, user))
            self.assertEqual(self.people.question, "")

    def test_leaving(self) -> None:
        """The participant who joined first is the proposed next host, and another one can be chosen."""
        self.people.request(LEAVE)
        self.assertEqual(self.requested(), (LEAVE, "ann"))
        self.people.choose("bob")
        self.assertEqual(view(self.people, self.state)["confirm-yes", "text"], extra_texts.ANSWERS[LEAVE].format("Bob"))
        self.assertFalse(view(self.people, self.state)["heir-row", "hidden"])
        self.assertEqual(self.people.answer(LEAVE), (LEAVE, "bob"))

    def test_leaving_to_somebody_who_left(self) -> None:
        """When the proposed host leaves, the next one is proposed; without participants the question is withdrawn."""
        self.people.request(LEAVE)
        self.state.member_left("ann", "left")
        self.people.refresh()
        self.assertEqual(self.requested(), (LEAVE, "bob"))
        self.assertTrue(view(self.people, self.state)["heir-row", "hidden"])
        self.state.member_left("bob", "left")
        self.people.refresh()
        self.assertEqual(self.requested(), ("", ""))

    def test_nobody_can_be_the_host(self) -> None:
        """If nobody can become the host, the call can only be ended."""
        for user in ("ann", "bob"):
            self.state.participants.set_away(user, True)
        self.people.request(LEAVE)
        self.assertEqual(self.requested(), (LEAVE, ""))
        self.assertTrue(view(self.people, self.state)["confirm-yes", "hidden"])
        self.assertEqual(self.people.answer(LEAVE), ("", ""))
        self.people.request(LEAVE)
        self.state.participants.set_away("bob", False)
        self.people.refresh()
        self.assertEqual(self.requested(), (LEAVE, "bob"))

    def test_ending(self) -> None:
        """Ending the call is an answer to leaving, and a question of its own."""
        self.people.request(LEAVE)
        self.assertFalse(view(self.people, self.state)["confirm-end", "hidden"])
        self.assertEqual(self.people.answer(END), (END, ""))
        self.people.request(END)
        self.assertTrue(view(self.people, self.state)["confirm-end", "hidden"])
        self.assertEqual(self.people.answer(END), (END, ""))

    def test_hanging_up_alone(self) -> None:
        """A guest, a host who is alone, and a host without the server leave without a question."""
        drifting = hosting("ann")
        drifting.server_lost("Lost.")
        for page in (visiting("ann"), hosting(), drifting):
            self.assertFalse(PeopleActions(page).allowed(LEAVE))

    def test_words(self) -> None:
        """Each question names its participant and leaves no placeholder."""
        for action, user in ((REMOVE, "bob"), (MAKE_HOST, "bob"), (END, ""), (LEAVE, "")):
            self.people.request(action, user)
            shown = view(self.people, self.state)
            words = [str(shown[element, "text"]) for element in ("confirm-heading", "confirm-text", "confirm-yes")]
            self.assertTrue(all(words))
            self.assertNotIn("{", "".join(words))
            self.assertEqual("Bob" in "".join(words), action in (REMOVE, MAKE_HOST))
            self.people.answer("")


class ViewTests(SynchronousTestCase):
    """`view` shows the panel and the confirmation dialog."""

    def test_the_door(self) -> None:
        """The host has the switches, and guests read the settings."""
        page = three()
        page.settings_changed(True, False)
        shown = view(PeopleActions(page), page)
        self.assertEqual((shown["lock", "ariaChecked"], shown["lobby", "ariaChecked"]), ("true", "false"))
        self.assertEqual((shown["door-tools", "hidden"], shown["door", "text"]), (False, ""))
        page.host_changed("ann", "me")
        for locked, lobby, text in (
            (True, True, common.LOCKED),
            (False, True, extra_texts.HAS_LOBBY),
            (False, False, ""),
        ):
            page.settings_changed(locked, lobby)
            shown = view(PeopleActions(page), page)
            self.assertEqual((shown["door-tools", "hidden"], shown["door", "text"]), (True, text))

    def test_offline(self) -> None:
        """Actions that need the server are disabled while it is lost."""
        page = three()
        self.assertEqual(view(PeopleActions(page), page)["lock", "ariaDisabled"], "false")
        page.network.interrupted()
        shown = view(PeopleActions(page), page)
        self.assertEqual((shown["lock", "ariaDisabled"], shown["lobby", "ariaDisabled"]), ("true", "true"))
        for switch in (LOCK, LOBBY):
            self.assertFalse(PeopleActions(page).request(switch))

    def test_the_invitation(self) -> None:
        """Everybody can invite unless the session is locked; the person who chose the password can read it."""
        page = three()
        shown = view(PeopleActions(page), page)
        self.assertEqual((shown["people-link", "value"], shown["people-invite", "hidden"]), (LINK, False))
        self.assertEqual(str(shown["people-id", "text"]).replace("-", ""), ID)
        self.assertEqual(shown["people-password", "text"], "")
        page.session.password = "sesame"
        page.settings_changed(True, False)
        shown = view(PeopleActions(page), page)
        self.assertEqual(shown["people-password", "text"], common.GUESTS_NEED.format("sesame"))
        self.assertTrue(shown["people-invite", "hidden"])

    def test_nobody_to_mute(self) -> None:
        """A person who is alone is not offered to mute everybody."""
        for page, hidden in ((three(), False), (hosting(), True)):
            self.assertEqual(view(PeopleActions(page), page)["mute-all", "hidden"], hidden)

    def test_the_same_elements(self) -> None:
        """Every view sets the same properties."""
        first = view(PeopleActions(PageState()), PageState()).keys()
        page = three()
        asking = PeopleActions(page)
        asking.request(LEAVE)
        for member in (view(asking, page), view(PeopleActions(page), page)):
            self.assertEqual(member.keys(), first)

    def test_actions_have_words(self) -> None:
        """Each action has a name, and each question has its texts."""
        self.assertEqual(extra_texts.ACTIONS.keys(), set(ACTIONS))
        for words in (extra_texts.QUESTIONS, extra_texts.CONSEQUENCES, extra_texts.ANSWERS):
            self.assertEqual(words.keys(), {MAKE_HOST, REMOVE, END, LEAVE})
