"""Who is in the call, and what a host can do."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras import extra_texts
from signald_page.client.extras.people_view import END, LEAVE, LOBBY, LOCK, MAKE_HOST, MUTE, REMOVE, People, rows, view
from signald_page.client.model import devices
from signald_page.client.model import texts as common
from signald_page.client.model.page_state import PageState
from tests.unit.web.model.test_page_state import ID, LINK, hosting, visiting

ACTIONS = [MUTE, MAKE_HOST, REMOVE]


def three() -> PageState:
    """A host's page in a call with Ann, whose microphone is on, and Bob, who is muted."""
    page = hosting("ann", "bob")
    for other, name in zip(page.participants.others, ("Ann", "Bob"), strict=True):
        other.name = name
    page.media_status_received("ann", True, True, False)
    page.media_status_received("bob", False, True, False)
    return page


class RowTests(SynchronousTestCase):
    """`rows`."""

    def test_everybody(self) -> None:
        """Oneself first, then the others in the order in which they came."""
        page = three()
        page.participants.others[1].name = ""
        found = rows(People(page), page, "Eve")
        self.assertEqual([row.name for row in found], ["Eve (you)", "Ann", common.SOMEBODY])
        self.assertEqual([row.user for row in found], ["", "ann", "bob"])
        self.assertEqual(rows(People(page), page, "")[0].name, common.YOU)

    def test_what_a_host_may(self) -> None:
        """Everything but muting one who is muted, or whose page does not tell."""
        page = three()
        mine, ann, bob = rows(People(page), page, "")
        self.assertEqual((mine.actions, ann.actions, bob.actions), ([], ACTIONS, [MAKE_HOST, REMOVE]))
        page.media_status_received("ann", None, None, False)
        self.assertEqual(rows(People(page), page, "")[1].actions, [MAKE_HOST, REMOVE])

    def test_what_a_guest_may(self) -> None:
        """Nothing."""
        page = visiting("ann")
        page.media_status_received("ann", True, True, False)
        self.assertEqual([row.actions for row in rows(People(page), page, "")], [[], []])

    def test_out_of_reach(self) -> None:
        """Without the server, or where it does not know somebody any more, nothing can be done."""
        page = three()
        page.member_left("bob", "gone")
        page.participants.set_away("ann", True)
        found = rows(People(page), page, "")
        self.assertEqual([row.actions for row in found], [[], [MUTE, REMOVE], []])
        self.assertEqual([row.notes for row in found[1:]], [extra_texts.GONE_AWAY, extra_texts.GONE_AWAY])
        page.network.interrupted()
        self.assertEqual([row.actions for row in rows(People(page), page, "")], [[], [], []])

    def test_notes(self) -> None:
        """Who is the host, and who shows a screen."""
        page = three()
        page.devices.sharing = True
        self.assertEqual(rows(People(page), page, "")[0].notes, f"{extra_texts.HOST}, {extra_texts.SHARES}")
        page.host_changed("ann", "me")
        page.media_status_received("ann", True, False, True)
        mine, ann, bob = rows(People(page), page, "")
        self.assertEqual(
            (mine.notes, ann.notes, bob.notes), (extra_texts.SHARES, f"{extra_texts.HOST}, {extra_texts.SHARES}", "")
        )

    def test_devices(self) -> None:
        """The own ones as they are, those of others as their pages tell."""
        page = three()
        page.devices.microphone.started()
        mine, ann, bob = rows(People(page), page, "")
        self.assertEqual(page.devices.microphone.status, devices.ON)
        self.assertEqual((mine.microphone, mine.camera), (True, False))
        self.assertEqual((ann.microphone, bob.microphone, bob.camera), (True, False, True))


class QuestionTests(SynchronousTestCase):
    """What a host is asked before it is done."""

    def setUp(self) -> None:
        """A call of three."""
        self.state = three()
        self.people = People(self.state)

    def asked(self) -> tuple[str, str]:
        """What the person is asked, and about whom."""
        return self.people.question, self.people.about

    def test_muting(self) -> None:
        """It is done at once, and told until the other is muted."""
        self.assertTrue(self.people.wish(MUTE, "ann"))
        self.assertEqual(view(self.people, self.state)["people-said", "text"], extra_texts.ASKED_TO_MUTE.format("Ann"))
        self.state.media_status_received("ann", False, True, False)
        self.people.settle()
        self.assertEqual(view(self.people, self.state)["people-said", "text"], "")
        self.assertFalse(self.people.wish(MUTE, "ann"))

    def test_muting_everybody(self) -> None:
        """The same, as long as anybody is not muted."""
        self.assertTrue(self.people.wish(MUTE))
        self.assertEqual(view(self.people, self.state)["people-said", "text"], extra_texts.ASKED_ALL_TO_MUTE)
        self.state.media_status_received("ann", False, True, False)
        self.people.settle()
        self.assertIsNone(self.people.muting)
        self.assertEqual(view(self.people, self.state)["mute-all", "ariaDisabled"], "true")
        self.assertFalse(self.people.wish(MUTE))

    def test_yes(self) -> None:
        """Who is asked and says yes, means it."""
        for action in (REMOVE, MAKE_HOST):
            self.assertFalse(self.people.wish(action, "bob"))
            self.assertEqual(self.asked(), (action, "bob"))
            self.assertEqual(self.people.answer(action), (action, "bob"))
            self.assertEqual(self.asked(), ("", ""))

    def test_no(self) -> None:
        """Who says no, or answers twice, means nothing."""
        self.people.wish(REMOVE, "bob")
        self.assertEqual(self.people.answer(""), ("", ""))
        self.assertEqual(self.people.answer(REMOVE), ("", ""))

    def test_somebody_left_meanwhile(self) -> None:
        """The question about them is gone, one about somebody else is not."""
        for user, question in (("bob", ""), ("ann", REMOVE)):
            self.setUp()
            self.people.wish(REMOVE, user)
            self.state.member_left("bob", "left")
            self.people.settle()
            self.assertEqual(self.people.question, question)
        self.assertFalse(self.people.wish(REMOVE, "bob"))
        self.assertEqual(self.asked(), (REMOVE, "ann"))

    def test_host_no_more(self) -> None:
        """What only a host is asked is not asked any more, and an answer that comes too late does nothing."""
        for action, user in ((REMOVE, "bob"), (MAKE_HOST, "bob"), (END, ""), (LEAVE, "")):
            self.setUp()
            self.people.wish(action, user)
            self.assertEqual(self.people.question, action)
            self.state.host_changed("ann", "me")
            self.assertEqual(self.people.answer(action), ("", ""))
            self.assertEqual(self.asked(), ("", ""))
            self.assertFalse(self.people.wish(action, user))
            self.assertEqual(self.people.question, "")

    def test_leaving(self) -> None:
        """The one who came first is offered as the next host; another can be chosen."""
        self.people.wish(LEAVE)
        self.assertEqual(self.asked(), (LEAVE, "ann"))
        self.people.choose("bob")
        self.assertEqual(view(self.people, self.state)["confirm-yes", "text"], extra_texts.ANSWERS[LEAVE].format("Bob"))
        self.assertFalse(view(self.people, self.state)["heir-row", "hidden"])
        self.assertEqual(self.people.answer(LEAVE), (LEAVE, "bob"))

    def test_leaving_to_somebody_who_left(self) -> None:
        """The next one is offered; with nobody left there is no question."""
        self.people.wish(LEAVE)
        self.state.member_left("ann", "left")
        self.people.settle()
        self.assertEqual(self.asked(), (LEAVE, "bob"))
        self.assertTrue(view(self.people, self.state)["heir-row", "hidden"])
        self.state.member_left("bob", "left")
        self.people.settle()
        self.assertEqual(self.asked(), ("", ""))

    def test_nobody_can_be_the_host(self) -> None:
        """Then the call can only be ended, until somebody is back."""
        for user in ("ann", "bob"):
            self.state.participants.set_away(user, True)
        self.people.wish(LEAVE)
        self.assertEqual(self.asked(), (LEAVE, ""))
        self.assertTrue(view(self.people, self.state)["confirm-yes", "hidden"])
        self.assertEqual(self.people.answer(LEAVE), ("", ""))
        self.people.wish(LEAVE)
        self.state.participants.set_away("bob", False)
        self.people.settle()
        self.assertEqual(self.asked(), (LEAVE, "bob"))

    def test_ending(self) -> None:
        """It is the other answer to leaving, and a question of its own."""
        self.people.wish(LEAVE)
        self.assertFalse(view(self.people, self.state)["confirm-end", "hidden"])
        self.assertEqual(self.people.answer(END), (END, ""))
        self.people.wish(END)
        self.assertTrue(view(self.people, self.state)["confirm-end", "hidden"])
        self.assertEqual(self.people.answer(END), (END, ""))

    def test_hanging_up_alone(self) -> None:
        """Nobody is asked who leaves nobody behind: a guest, a host alone, or without the server."""
        drifting = hosting("ann")
        drifting.server_lost("Lost.")
        for page in (visiting("ann"), hosting(), drifting):
            self.assertFalse(People(page).may(LEAVE))

    def test_words(self) -> None:
        """Each question names the person, and leaves no placeholder."""
        for action, user in ((REMOVE, "bob"), (MAKE_HOST, "bob"), (END, ""), (LEAVE, "")):
            self.people.wish(action, user)
            shown = view(self.people, self.state)
            words = [str(shown[element, "text"]) for element in ("confirm-heading", "confirm-text", "confirm-yes")]
            self.assertTrue(all(words))
            self.assertNotIn("{", "".join(words))
            self.assertEqual("Bob" in "".join(words), action in (REMOVE, MAKE_HOST))
            self.people.answer("")


class ViewTests(SynchronousTestCase):
    """`view`."""

    def test_the_door(self) -> None:
        """The host has the switches, the others read how it is."""
        page = three()
        page.settings_changed(True, False)
        shown = view(People(page), page)
        self.assertEqual((shown["lock", "ariaChecked"], shown["lobby", "ariaChecked"]), ("true", "false"))
        self.assertEqual((shown["door-tools", "hidden"], shown["door", "text"]), (False, ""))
        page.host_changed("ann", "me")
        for locked, lobby, text in (
            (True, True, common.LOCKED),
            (False, True, extra_texts.HAS_LOBBY),
            (False, False, ""),
        ):
            page.settings_changed(locked, lobby)
            shown = view(People(page), page)
            self.assertEqual((shown["door-tools", "hidden"], shown["door", "text"]), (True, text))

    def test_offline(self) -> None:
        """What takes the server waits for it."""
        page = three()
        self.assertEqual(view(People(page), page)["lock", "ariaDisabled"], "false")
        page.network.interrupted()
        shown = view(People(page), page)
        self.assertEqual((shown["lock", "ariaDisabled"], shown["lobby", "ariaDisabled"]), ("true", "true"))
        for switch in (LOCK, LOBBY):
            self.assertFalse(People(page).wish(switch))

    def test_the_invitation(self) -> None:
        """Everybody can invite, unless the call is locked; who chose the password reads it."""
        page = three()
        shown = view(People(page), page)
        self.assertEqual((shown["people-link", "value"], shown["people-invite", "hidden"]), (LINK, False))
        self.assertEqual(str(shown["people-id", "text"]).replace("-", ""), ID)
        self.assertEqual(shown["people-password", "text"], "")
        page.session.password = "sesame"
        page.settings_changed(True, False)
        shown = view(People(page), page)
        self.assertEqual(shown["people-password", "text"], common.GUESTS_NEED.format("sesame"))
        self.assertTrue(shown["people-invite", "hidden"])

    def test_nobody_to_mute(self) -> None:
        """Who is alone is not offered to mute everybody."""
        for page, hidden in ((three(), False), (hosting(), True)):
            self.assertEqual(view(People(page), page)["mute-all", "hidden"], hidden)

    def test_the_same_elements(self) -> None:
        """Every view sets the same properties."""
        first = view(People(PageState()), PageState()).keys()
        page = three()
        asking = People(page)
        asking.wish(LEAVE)
        for other in (view(asking, page), view(People(page), page)):
            self.assertEqual(other.keys(), first)

    def test_actions_have_words(self) -> None:
        """Each action has a name, and each question its words."""
        self.assertEqual(extra_texts.ACTIONS.keys(), set(ACTIONS))
        for words in (extra_texts.QUESTIONS, extra_texts.CONSEQUENCES, extra_texts.ANSWERS):
            self.assertEqual(words.keys(), {MAKE_HOST, REMOVE, END, LEAVE})
