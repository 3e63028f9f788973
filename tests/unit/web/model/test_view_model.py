"""Tests of what each element of the call page shows."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import devices, texts
from signald_page.client.model.page_state import GUEST, HOST, PageState
from signald_page.client.model.view_model import PAGE, view
from tests.unit.web.model.test_page_state import guest_page, host_page, start_page
from tests.unit.web.test_layers import Document

SCREENS = ("start-screen", "connecting-screen", "waiting-screen", "end-screen", "test-screen", "remotes", "stage")


def connecting() -> PageState:
    """Return a page that connects to the server."""
    page = start_page()
    page.start_call(HOST)
    page.notices.progress = texts.REACHING_SERVER
    return page


def ended() -> PageState:
    """Return a page after a call."""
    page = guest_page("ann")
    page.hung_up()
    return page


def failed() -> PageState:
    """Return a page after a failed call."""
    page = host_page()
    page.server_lost(texts.SERVER_LOST)
    return page


def testing() -> PageState:
    """Return a page that shows the connectivity test."""
    page = start_page()
    page.show_test()
    return page


def visible(page: PageState) -> list[str]:
    """Return the visible parts of the page."""
    shown = view(page)
    return [screen for screen in SCREENS if not shown[screen, "hidden"]]


class ScreenTests(SynchronousTestCase):
    """Each stage shows its screen."""

    def test_brand(self) -> None:
        """The name that the operator chose stands in the title, and not in what a person is called."""
        page = PageState()
        page.brand = "Example"
        page.show_start("")
        self.assertEqual(view(page)[PAGE, "title"], "Example: a private call")
        page.start_call(HOST)
        page.session_joined("7Q2M9RT6ZC", HOST, [])
        self.assertEqual(view(page)[PAGE, "title"], "Waiting · Example")
        page.notices.headline = "signald joined"
        self.assertEqual(view(page)[PAGE, "title"], "signald joined · Example")
        for brand in ("Calls {beta}", "{}", "{0!z}"):
            page.brand = brand
            self.assertEqual(view(page)[PAGE, "title"], f"signald joined · {brand}")

    def test_every_stage(self) -> None:
        """Each stage shows its parts, and the document carries the stage's name."""
        for stage, page, screens in (
            ("loading", PageState(), ["start-screen", "stage"]),
            ("start", start_page(), ["start-screen", "stage"]),
            ("connecting", connecting(), ["connecting-screen", "stage"]),
            ("waiting", host_page(), ["waiting-screen", "stage"]),
            ("calling", guest_page("ann", connected=False), ["remotes", "stage"]),
            ("connected", guest_page("ann"), ["remotes", "stage"]),
            ("ended", ended(), ["end-screen"]),
            ("failed", failed(), ["end-screen"]),
            ("test", testing(), ["test-screen"]),
        ):
            self.assertEqual((view(page)[PAGE, "state"], visible(page)), (stage, screens))

    def test_unread_messages(self) -> None:
        """The title counts the unread messages."""
        page = guest_page("ann")
        page.layout.unread = 2
        self.assertEqual(view(page)[PAGE, "title"], f"(2) {texts.TITLES['connected']}")

    def test_knocks(self) -> None:
        """Knocks are listed, counted on the button, and announced."""
        page = host_page("ann")
        shown = view(page)
        self.assertEqual((shown["people-badge", "hidden"], shown["knock-news", "text"]), (True, ""))
        page.participants.knocked("cat", "Cat")
        shown = view(page)
        self.assertEqual((shown["knock-news", "text"], shown["knocks", "hidden"]), (texts.KNOCK.format("Cat"), False))
        page.participants.knocked("dan", "")
        shown = view(page)
        self.assertEqual((shown["people-badge", "hidden"], shown["people-badge", "text"]), (False, "2"))
        self.assertIn(texts.KNOCK.format(texts.SOMEBODY), str(shown["knock-news", "text"]))

    def test_own_password(self) -> None:
        """The person who chose the password can read it when they invite others."""
        page = host_page()
        self.assertEqual(view(page)["tell-password", "text"], "")
        page.session.password = "sesame"
        self.assertEqual(view(page)["tell-password", "text"], texts.GUESTS_NEED.format("sesame"))

    def test_every_element_exists(self) -> None:
        """The document has an element for each id, and every stage sets the same properties."""
        first = view(PageState())
        self.assertEqual({name for name, _ in first} - {PAGE} - Document().by_id.keys(), set())
        for page in (start_page(), connecting(), host_page(), guest_page("ann"), ended(), failed()):
            self.assertEqual(view(page).keys(), first.keys())

    def test_buttons_wait_for_the_page(self) -> None:
        """Buttons that cannot be used yet are disabled."""
        for element in ("start", "join", "session-input", "preview"):
            self.assertTrue(view(PageState())[element, "disabled"])
            self.assertFalse(view(start_page())[element, "disabled"])

    def test_an_invitation(self) -> None:
        """For a person with an invitation link the join form comes first."""
        page = PageState()
        page.show_start("7Q2M9RT6ZC")
        shown = view(page)
        self.assertEqual(
            (shown["heading", "text"], shown["join", "text"], shown["start", "text"], shown[PAGE, "focus"]),
            (texts.INVITED, texts.JOIN_INVITED, texts.START_ANOTHER, "join"),
        )

    def test_own_session(self) -> None:
        """The link of a person's own session offers to open it again."""
        page = PageState()
        page.show_start("7Q2M9RT6ZC", has_host_key=True)
        shown = view(page)
        self.assertEqual((shown["heading", "text"], shown["join", "text"]), (texts.YOURS, texts.OPEN_AGAIN))

    def test_the_password(self) -> None:
        """The password field is shown when a password is required, and knocks when there are any."""
        page = start_page()
        self.assertTrue(view(page)["password-row", "hidden"])
        page.session.password_required = True
        self.assertFalse(view(page)["password-row", "hidden"])
        page = host_page()
        self.assertTrue(view(page)["knocks", "hidden"])
        page.participants.knocked("bob", "")
        self.assertFalse(view(page)["knocks", "hidden"])

    def test_taken_over_by_another_tab(self) -> None:
        """A person whose call moved to another tab can take it back."""
        page = guest_page("ann")
        page.replaced_elsewhere()
        shown = view(page)
        self.assertEqual(
            (shown["status", "text"], shown["problem", "hidden"], shown["again", "text"]),
            (texts.TAKEN_OVER, True, texts.USE_HERE),
        )

    def test_the_waiting_screen(self) -> None:
        """The session id is shown in groups, beside the link."""
        page = host_page()
        shown = view(page)
        self.assertEqual(shown["session-id", "text"], "7Q2-M9RT-6ZC")
        self.assertEqual(shown["link", "value"], page.session.link)
        self.assertEqual((shown["copy", "text"], shown["only-here", "hidden"]), (texts.COPY, True))
        page.session.link_copied = page.session.link_is_local = True
        shown = view(page)
        self.assertEqual((shown["copy", "text"], shown["only-here", "hidden"]), (texts.COPIED, False))

    def test_buttons_after_a_call(self) -> None:
        """After a failure the person can try again or go back, after a call only go back."""
        after, broken = view(ended()), view(failed())
        self.assertEqual((after["again", "text"], after["home", "hidden"]), (texts.HOME, True))
        self.assertEqual((broken["again", "text"], broken["home", "hidden"]), (texts.AGAIN, False))

    def test_ways_back(self) -> None:
        """After a call that can go on, the way back comes first; duration and quality are shown, and a report."""
        for page, text in ((guest_page("ann"), texts.REJOIN), (host_page("bob"), texts.OPEN_SAME)):
            page.session.has_host_key = True
            page.tick(10.0)
            self.assertTrue(view(page)["rejoin", "hidden"])
            page.hung_up()
            shown = view(page)
            self.assertEqual((shown["rejoin", "hidden"], shown["rejoin", "text"]), (False, text))
            self.assertEqual((shown[PAGE, "focus"], shown["end-report", "hidden"]), ("rejoin", False))
            self.assertEqual(shown["call-summary", "text"], "Duration: 0:10.")
        removed = guest_page("ann")
        removed.session_ended("removed")
        self.assertEqual((view(removed)["rejoin", "hidden"], view(removed)[PAGE, "focus"]), (True, "again"))

    def test_an_invited_guest(self) -> None:
        """An invited guest sees who invites and Join; a wrong id can be corrected, and a password comes first."""
        page = PageState()
        page.show_start("7Q2M9RT6ZC", inviter="Ann")
        hidden = ("start", "options", "open-test", "shortcuts-button", "session-input", "session-input-label")
        self.assertEqual([view(page)[name, "hidden"] for name in hidden], [True] * len(hidden))
        self.assertEqual(view(page)["inviter", "text"], texts.INVITED_BY.format("Ann"))
        for code, wrong_id, focus in (
            ("unknown-session", True, "session-input"),
            ("password-needed", False, "password"),
        ):
            page.start_call(GUEST, "7Q2M9RT6ZC")
            page.request_refused("join", code, texts.REFUSALS[code])
            shown = view(page)
            self.assertEqual((shown["session-input", "hidden"], shown[PAGE, "focus"]), (not wrong_id, focus))
        owner = PageState()
        owner.show_start("7Q2M9RT6ZC", has_host_key=True, inviter="Ann")
        self.assertEqual([view(owner)[name, "hidden"] for name in hidden], [False] * len(hidden))
        self.assertEqual(view(owner)["inviter", "text"], "")

    def test_focus(self) -> None:
        """Each stage names the element that receives the focus; after a refused id it is the id field."""
        page = start_page()
        page.start_call(GUEST, "7Q2M9RT6ZC")
        self.assertEqual(view(page)[PAGE, "focus"], "cancel")
        page.request_refused("join", "unknown-session", texts.REFUSALS["unknown-session"])
        self.assertEqual(view(page)[PAGE, "focus"], "session-input")
        self.assertEqual(view(start_page())[PAGE, "focus"], "start")
        self.assertEqual(view(host_page())[PAGE, "focus"], "copy")
        self.assertEqual(view(PageState())[PAGE, "focus"], "")


class StatusTests(SynchronousTestCase):
    """The status line describes the stage."""

    def status(self, page: PageState) -> str:
        """Return the text of the status line."""
        return str(view(page)["status", "text"])

    def test_start(self) -> None:
        """The start screen has no status."""
        self.assertEqual(self.status(start_page()), "")

    def test_connecting(self) -> None:
        """While the devices start, the status refers to the browser's prompt; then it shows the progress."""
        page = connecting()
        self.assertEqual(self.status(page), texts.REACHING_SERVER)
        self.assertTrue(view(page)["skip", "hidden"])
        page.devices.camera.requested()
        self.assertEqual(self.status(page), texts.STARTING_DEVICES)
        self.assertFalse(view(page)["skip", "hidden"])

    def test_one_way(self) -> None:
        """The status says for as long as it is so that sound goes one way only, and to whom."""
        page = guest_page("ann", "bob")
        page.sound_negotiated("nobody", "inactive")
        page.sound_negotiated("ann", "sendrecv")
        self.assertEqual(self.status(page), texts.CONNECTED)
        page.participants.members[1].name = "Bob"
        for direction, words in (
            ("sendonly", "do not hear Bob"),
            ("recvonly", "Bob does not"),
            ("inactive", "and Bob"),
        ):
            page.sound_negotiated("bob", direction)
            self.assertIn(words, self.status(page))
        page.notices.notice = "Something else."
        self.assertEqual(self.status(page), "Something else.")

    def test_in_a_call(self) -> None:
        """Each stage of a call has a sentence, which notices replace."""
        waiting, calling, connected = host_page(), guest_page("ann", connected=False), guest_page("ann")
        self.assertEqual(self.status(waiting), texts.WAITING)
        self.assertEqual(self.status(calling), texts.CALLING)
        self.assertEqual(self.status(connected), texts.CONNECTED)
        for page in (waiting, calling, connected):
            page.notices.notice = "Something happened."
            self.assertEqual(self.status(page), "Something happened.")
        connected.connection_changed("ann", "disconnected")
        self.assertEqual(self.status(connected), texts.INTERRUPTED)

    def test_without_the_server(self) -> None:
        """While the signaling connection is lost, the status shows the seconds and whether the call continues."""
        for page, sentence in ((host_page(), texts.RECONNECTING), (guest_page("ann"), texts.RECONNECTING_CONNECTED)):
            page.network.interrupted()
            page.tick(12.9)
            self.assertEqual(self.status(page), sentence.format(12))

    def test_without_the_server_for_good(self) -> None:
        """When the signaling connection is lost for good, no seconds are shown."""
        page = guest_page("ann")
        page.network.interrupted()
        page.tick(12.9)
        page.server_lost(texts.SERVER_LOST)
        page.tick(20.0)
        self.assertEqual(self.status(page), texts.SERVER_LOST_CONNECTED)

    def test_somebody_is_away(self) -> None:
        """A participant who lost the signaling connection is named, if they have a name."""
        page = guest_page("ann")
        page.participants.set_away("ann", True)
        self.assertEqual(self.status(page), texts.AWAY.format(texts.SOMEBODY))
        page.participants.members[0].name = "Ann"
        self.assertEqual(self.status(page), texts.AWAY.format("Ann"))

    def test_quiet_status(self) -> None:
        """The plain connected status may fade from the picture; any other status stays."""
        page = guest_page("ann")
        self.assertTrue(view(page)["status", "quiet"])
        page.notices.notice = texts.OTHER_LOST_SERVER
        self.assertFalse(view(page)["status", "quiet"])

    def test_status_after_a_call(self) -> None:
        """The status after the call is its outcome; a failure refers to its problem."""
        self.assertEqual(self.status(ended()), texts.HUNG_UP)
        self.assertEqual(self.status(failed()), texts.FAILED)
        self.assertEqual(view(failed())["error", "text"], texts.SERVER_LOST)


class ProblemTests(SynchronousTestCase):
    """Problems are shown in a box."""

    def test_no_problem(self) -> None:
        """Without a problem the box is hidden."""
        self.assertTrue(view(start_page())["problem", "hidden"])

    def test_alarm(self) -> None:
        """An alarm has priority over other problems during the call, and is not shown afterwards."""
        page = guest_page("ann")
        page.notices.problem, page.notices.alarm = texts.COPY_REFUSED, texts.VERIFIED_NO_MORE
        self.assertEqual(view(page)["error", "text"], texts.VERIFIED_NO_MORE)
        self.assertFalse(view(page)["problem", "hidden"])
        page.hung_up()
        self.assertTrue(view(page)["problem", "hidden"])

    def test_reference(self) -> None:
        """A problem of the call has the reference under which the server's log names the page, once it is known."""
        page = host_page()
        page.network.reference = "7F3K9QXM"
        self.assertTrue(view(page)["reference", "hidden"])
        page.server_lost(texts.SERVER_LOST)
        shown = view(page)
        self.assertEqual((shown["reference", "text"], shown["reference", "hidden"]), ("Reference: 7F3K9QXM", False))
        page.network.reference = ""
        self.assertTrue(view(page)["reference", "hidden"])
        page = guest_page("ann")
        page.network.reference, page.devices.problem = "7F3K9QXM", "No camera."
        self.assertTrue(view(page)["reference", "hidden"])
        page.start_call(HOST)
        self.assertEqual(page.network.reference, "")

    def test_devices(self) -> None:
        """A device problem is shown unless there is another one, and not after the call."""
        page = guest_page("ann")
        page.devices.problem = "No camera."
        self.assertEqual((view(page)["error", "text"], view(page)["problem", "hidden"]), ("No camera.", False))
        page.notices.problem = "Worse."
        self.assertEqual(view(page)["error", "text"], "Worse.")
        page.hung_up()
        self.assertTrue(view(page)["problem", "hidden"])


class DeviceTests(SynchronousTestCase):
    """The device buttons and the self view show the state of the devices."""

    def test_device_buttons(self) -> None:
        """Each status of the devices has its labels, and undecided buttons are disabled."""
        for status, on, mute, camera, disabled in (
            (devices.OFF, False, texts.UNMUTE, texts.START_CAMERA, False),
            (devices.REQUESTED, False, texts.UNMUTE, texts.START_CAMERA, True),
            (devices.ON, True, texts.MUTE, texts.STOP_CAMERA, False),
            (devices.MUTED, False, texts.UNMUTE, texts.START_CAMERA, False),
        ):
            page = guest_page("ann")
            page.devices.microphone.status = page.devices.camera.status = status
            shown = view(page)
            self.assertEqual((shown["mute", "on"], shown["camera", "on"]), (on, on))
            self.assertEqual((shown["mute-text", "text"], shown["camera-text", "text"]), (mute, camera))
            self.assertEqual((shown["mute", "disabled"], shown["camera", "disabled"]), (disabled, disabled))

    def test_self_view(self) -> None:
        """The self-view shows the reason when it has no picture."""
        page = guest_page("ann")
        self.assertEqual((view(page)["self", "picture"], view(page)["self-note", "text"]), (False, texts.CAMERA_OFF))
        page.devices.camera.requested()
        self.assertEqual(view(page)["self-note", "text"], texts.CAMERA_STARTING)
        page.devices.camera.stopped("busy")
        self.assertEqual(view(page)["self-note", "text"], texts.CAMERA_NOTES["busy"])
        page.devices.camera.started()
        self.assertTrue(view(page)["self", "picture"])

    def test_before_a_call(self) -> None:
        """Before a call the buttons show the wanted devices, and during a preview the running ones."""
        page = start_page()
        shown = view(page)
        self.assertEqual((shown["preview", "hidden"], shown["controls", "hidden"]), (False, False))
        self.assertEqual((shown["mute", "on"], shown["camera", "on"]), (True, True))
        page.devices.camera.wanted = False
        self.assertEqual((view(page)["mute", "on"], view(page)["camera", "on"]), (True, False))
        page.devices.previewing = True
        shown = view(page)
        self.assertEqual((shown["preview", "hidden"], shown["mute", "on"]), (True, False))
        self.assertTrue(shown["hang-up", "hidden"])

    def test_hanging_up(self) -> None:
        """The hang-up button of a waiting host ends the call, and that of a connected person leaves it."""
        self.assertEqual(view(host_page())["hang-up-text", "text"], texts.END)
        self.assertEqual(view(guest_page("ann"))["hang-up-text", "text"], texts.HANG_UP)

    def test_blocked_sound(self) -> None:
        """The button that starts blocked sound is shown during a call."""
        page = guest_page("ann")
        self.assertTrue(view(page)["hear", "hidden"])
        page.devices.sound_blocked = True
        self.assertFalse(view(page)["hear", "hidden"])
        page.hung_up()
        self.assertTrue(view(page)["hear", "hidden"])


class DocumentTests(SynchronousTestCase):
    """The static index.html shows what the page shows while it loads."""

    def test_loading(self) -> None:
        """The loading view changes nothing in the document, so that nothing jumps when Python starts."""
        document = Document()
        page = {
            "state": document.elements[0][1]["data-state"],
            "title": document.texts["title"],
            "focus": "",
            "side": "",
        }
        for (name, what), value in view(PageState()).items():
            attributes = document.by_id.get(name, {})
            if name == PAGE:
                self.assertEqual(page[what], value)
            elif what in ("hidden", "disabled"):
                self.assertEqual(what in attributes, value, (name, what))
            elif what == "expanded":
                self.assertEqual(attributes["aria-expanded"], "true" if value else "false", name)
            elif what in ("on", "picture", "quiet", "mirror"):
                self.assertEqual(attributes.get(f"data-{what}", "false"), "true" if value else "false", (name, what))
            elif what in ("value", "role"):
                self.assertEqual(attributes.get(what, ""), value, name)
            else:
                self.assertEqual((what, document.texts[name]), ("text", value), name)
