"""What each element of the call page shows."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import devices, texts
from signald_page.client.model.page_state import GUEST, HOST, PageState
from signald_page.client.model.view_model import PAGE, view
from tests.unit.web.model.test_page_state import hosting, started, visiting
from tests.unit.web.test_layers import Document

SCREENS = ("start-screen", "connecting-screen", "waiting-screen", "end-screen", "test-screen", "remotes", "stage")


def connecting() -> PageState:
    """A page that reaches for the server."""
    page = started()
    page.start_call(HOST)
    page.notices.progress = texts.REACHING_SERVER
    return page


def ended() -> PageState:
    """A page after a call."""
    page = visiting("ann")
    page.hung_up()
    return page


def failed() -> PageState:
    """A page after a call that did not work."""
    page = hosting()
    page.server_lost(texts.SERVER_LOST)
    return page


def testing() -> PageState:
    """A page that shows the connectivity test."""
    page = started()
    page.show_test()
    return page


def visible(page: PageState) -> list[str]:
    """The parts of the page that can be seen."""
    shown = view(page)
    return [screen for screen in SCREENS if not shown[screen, "hidden"]]


class ScreenTests(SynchronousTestCase):
    """Which parts are seen when."""

    def test_every_stage(self) -> None:
        """Each stage shows its screen, and the document carries the stage's name."""
        for stage, page, screens in (
            ("loading", PageState(), ["start-screen", "stage"]),
            ("start", started(), ["start-screen", "stage"]),
            ("connecting", connecting(), ["connecting-screen", "stage"]),
            ("waiting", hosting(), ["waiting-screen", "stage"]),
            ("calling", visiting("ann", connected=False), ["remotes", "stage"]),
            ("connected", visiting("ann"), ["remotes", "stage"]),
            ("ended", ended(), ["end-screen"]),
            ("failed", failed(), ["end-screen"]),
            ("test", testing(), ["test-screen"]),
        ):
            self.assertEqual((view(page)[PAGE, "state"], visible(page)), (stage, screens))

    def test_a_browser_that_cannot_call(self) -> None:
        """There is nothing to try again."""
        page = PageState()
        page.browser_unsupported(texts.NO_WEBRTC)
        self.assertEqual(visible(page), [])
        self.assertEqual(view(page)["error", "text"], texts.NO_WEBRTC)

    def test_unread_messages(self) -> None:
        """The title counts them."""
        page = visiting("ann")
        page.layout.unread = 2
        self.assertEqual(view(page)[PAGE, "title"], f"(2) {texts.TITLES['connected']}")

    def test_knocks(self) -> None:
        """They are seen, counted at the button, and said."""
        page = hosting("ann")
        shown = view(page)
        self.assertEqual((shown["people-badge", "hidden"], shown["knock-news", "text"]), (True, ""))
        page.participants.knocked("cat", "Cat")
        shown = view(page)
        self.assertEqual((shown["knock-news", "text"], shown["knocks", "hidden"]), (texts.KNOCK.format("Cat"), False))
        page.participants.knocked("dan", "")
        shown = view(page)
        self.assertEqual((shown["people-badge", "hidden"], shown["people-badge", "text"]), (False, "2"))
        self.assertIn(texts.KNOCK.format(texts.SOMEBODY), str(shown["knock-news", "text"]))

    def test_the_password_of_the_own_call(self) -> None:
        """Whoever chose one can read it when they invite."""
        page = hosting()
        self.assertEqual(view(page)["tell-password", "text"], "")
        page.session.password = "sesame"
        self.assertEqual(view(page)["tell-password", "text"], texts.GUESTS_NEED.format("sesame"))

    def test_every_element_exists(self) -> None:
        """The document has an element for each id, and every stage sets the same properties."""
        first = view(PageState())
        self.assertEqual({name for name, _ in first} - {PAGE} - Document().by_id.keys(), set())
        for page in (started(), connecting(), hosting(), visiting("ann"), ended(), failed()):
            self.assertEqual(view(page).keys(), first.keys())

    def test_buttons_wait_for_the_page(self) -> None:
        """What cannot be pressed yet is disabled."""
        for element in ("start", "join", "session-input", "preview"):
            self.assertTrue(view(PageState())[element, "disabled"])
            self.assertFalse(view(started())[element, "disabled"])

    def test_an_invitation(self) -> None:
        """Who comes with a link is asked to join, first of all."""
        page = PageState()
        page.show_start("7Q2M9RT6ZC")
        shown = view(page)
        self.assertEqual(
            (shown["heading", "text"], shown["join", "text"], shown["start", "text"], shown[PAGE, "focus"]),
            (texts.INVITED, texts.JOIN_INVITED, texts.START_ANOTHER, "join"),
        )

    def test_the_own_call(self) -> None:
        """The link of a call that the person keeps opens it again."""
        page = PageState()
        page.show_start("7Q2M9RT6ZC", has_host_key=True)
        shown = view(page)
        self.assertEqual((shown["heading", "text"], shown["join", "text"]), (texts.YOURS, texts.OPEN_AGAIN))

    def test_the_password(self) -> None:
        """Its field is there when it is wanted; those who knock are shown when there are any."""
        page = started()
        self.assertTrue(view(page)["password-row", "hidden"])
        page.session.password_required = True
        self.assertFalse(view(page)["password-row", "hidden"])
        page = hosting()
        self.assertTrue(view(page)["knocks", "hidden"])
        page.participants.knocked("bob", "")
        self.assertFalse(view(page)["knocks", "hidden"])

    def test_another_tab(self) -> None:
        """The person can take the call back."""
        page = visiting("ann")
        page.replaced_elsewhere()
        shown = view(page)
        self.assertEqual(
            (shown["status", "text"], shown["problem", "hidden"], shown["again", "text"]),
            (texts.TAKEN_OVER, True, texts.USE_HERE),
        )

    def test_the_waiting_screen(self) -> None:
        """The id is shown in groups, beside the link."""
        page = hosting()
        shown = view(page)
        self.assertEqual(shown["session-id", "text"], "7Q2-M9RT-6ZC")
        self.assertEqual(shown["link", "value"], page.session.link)
        self.assertEqual((shown["copy", "text"], shown["only-here", "hidden"]), (texts.COPY, True))
        page.session.link_copied = page.session.link_is_local = True
        shown = view(page)
        self.assertEqual((shown["copy", "text"], shown["only-here", "hidden"]), (texts.COPIED, False))

    def test_what_now(self) -> None:
        """After a failure one can try again or go back, after a call only go back."""
        after, broken = view(ended()), view(failed())
        self.assertEqual((after["again", "text"], after["home", "hidden"]), (texts.HOME, True))
        self.assertEqual((broken["again", "text"], broken["home", "hidden"]), (texts.AGAIN, False))

    def test_where_the_keyboard_goes_on(self) -> None:
        """Each stage names the element for it; after a refused id that is the id."""
        page = started()
        page.start_call(GUEST, "7Q2M9RT6ZC")
        self.assertEqual(view(page)[PAGE, "focus"], "cancel")
        page.request_refused("join", "unknown-session", texts.REFUSALS["unknown-session"])
        self.assertEqual(view(page)[PAGE, "focus"], "session-input")
        self.assertEqual(view(started())[PAGE, "focus"], "start")
        self.assertEqual(view(hosting())[PAGE, "focus"], "copy")
        self.assertEqual(view(PageState())[PAGE, "focus"], "")


class StatusTests(SynchronousTestCase):
    """What is happening, in words."""

    def status(self, page: PageState) -> str:
        """The text of the status line."""
        return str(view(page)["status", "text"])

    def test_start(self) -> None:
        """The start screen says it all by itself."""
        self.assertEqual(self.status(started()), "")

    def test_connecting(self) -> None:
        """While the devices start, the person is asked to look at the browser; then the progress is told."""
        page = connecting()
        self.assertEqual(self.status(page), texts.REACHING_SERVER)
        self.assertTrue(view(page)["skip", "hidden"])
        page.devices.camera.asked()
        self.assertEqual(self.status(page), texts.STARTING_DEVICES)
        self.assertFalse(view(page)["skip", "hidden"])

    def test_in_a_call(self) -> None:
        """Each stage has its sentence, and what has happened takes its place."""
        waiting, calling, connected = hosting(), visiting("ann", connected=False), visiting("ann")
        self.assertEqual(self.status(waiting), texts.WAITING)
        self.assertEqual(self.status(calling), texts.CALLING)
        self.assertEqual(self.status(connected), texts.CONNECTED)
        for page in (waiting, calling, connected):
            page.notices.notice = "Something happened."
            self.assertEqual(self.status(page), "Something happened.")
        connected.connection_changed("ann", "disconnected")
        self.assertEqual(self.status(connected), texts.INTERRUPTED)

    def test_without_the_server(self) -> None:
        """The seconds are told, and that a call goes on."""
        for page, sentence in ((hosting(), texts.RECONNECTING), (visiting("ann"), texts.RECONNECTING_CONNECTED)):
            page.network.interrupted()
            page.tick(12.9)
            self.assertEqual(self.status(page), sentence.format(12))

    def test_without_the_server_for_good(self) -> None:
        """Nothing comes back by itself, which is told in the place of the seconds."""
        page = visiting("ann")
        page.network.interrupted()
        page.tick(12.9)
        page.server_lost(texts.SERVER_LOST)
        page.tick(20.0)
        self.assertEqual(self.status(page), texts.SERVER_LOST_CONNECTED)

    def test_somebody_is_away(self) -> None:
        """By name, where there is one."""
        page = visiting("ann")
        page.participants.set_away("ann", True)
        self.assertEqual(self.status(page), texts.AWAY.format(texts.SOMEBODY))
        page.participants.others[0].name = "Ann"
        self.assertEqual(self.status(page), texts.AWAY.format("Ann"))

    def test_only_the_plain_state_goes_away(self) -> None:
        """That all is well need not stay on the picture; anything else stays."""
        page = visiting("ann")
        self.assertTrue(view(page)["status", "quiet"])
        page.notices.notice = texts.OTHER_LOST_SERVER
        self.assertFalse(view(page)["status", "quiet"])

    def test_over(self) -> None:
        """An end says how; a failure says so and names its problem."""
        self.assertEqual(self.status(ended()), texts.HUNG_UP)
        self.assertEqual(self.status(failed()), texts.FAILED)
        self.assertEqual(view(failed())["error", "text"], texts.SERVER_LOST)


class ProblemTests(SynchronousTestCase):
    """What went wrong, in words."""

    def test_none(self) -> None:
        """Without a problem its box is not there."""
        self.assertTrue(view(started())["problem", "hidden"])

    def test_alarm(self) -> None:
        """A danger in the call is told before anything else, and no longer when the call is over."""
        page = visiting("ann")
        page.notices.problem, page.notices.alarm = texts.COPY_REFUSED, texts.VERIFIED_NO_MORE
        self.assertEqual(view(page)["error", "text"], texts.VERIFIED_NO_MORE)
        self.assertFalse(view(page)["problem", "hidden"])
        page.hung_up()
        self.assertTrue(view(page)["problem", "hidden"])

    def test_devices(self) -> None:
        """A problem of the devices is shown unless there is a greater one, and not after the call."""
        page = visiting("ann")
        page.devices.problem = "No camera."
        self.assertEqual((view(page)["error", "text"], view(page)["problem", "hidden"]), ("No camera.", False))
        page.notices.problem = "Worse."
        self.assertEqual(view(page)["error", "text"], "Worse.")
        page.hung_up()
        self.assertTrue(view(page)["problem", "hidden"])


class DeviceTests(SynchronousTestCase):
    """The buttons for the own devices, and the own picture."""

    def test_buttons_tell_what_is_so(self) -> None:
        """Each status of the devices has its labels; what cannot be decided now is disabled."""
        for status, on, mute, camera, disabled in (
            (devices.OFF, False, texts.UNMUTE, texts.START_CAMERA, False),
            (devices.ASKING, False, texts.UNMUTE, texts.START_CAMERA, True),
            (devices.ON, True, texts.MUTE, texts.STOP_CAMERA, False),
            (devices.MUTED, False, texts.UNMUTE, texts.START_CAMERA, False),
        ):
            page = visiting("ann")
            page.devices.microphone.status = page.devices.camera.status = status
            shown = view(page)
            self.assertEqual((shown["mute", "on"], shown["camera", "on"]), (on, on))
            self.assertEqual((shown["mute-text", "text"], shown["camera-text", "text"]), (mute, camera))
            self.assertEqual((shown["mute", "disabled"], shown["camera", "disabled"]), (disabled, disabled))

    def test_the_own_picture(self) -> None:
        """Where there is no picture, the reason stands in its place."""
        page = visiting("ann")
        self.assertEqual((view(page)["self", "picture"], view(page)["self-note", "text"]), (False, texts.CAMERA_OFF))
        page.devices.camera.asked()
        self.assertEqual(view(page)["self-note", "text"], texts.CAMERA_STARTING)
        page.devices.camera.stopped("busy")
        self.assertEqual(view(page)["self-note", "text"], texts.CAMERA_NOTES["busy"])
        page.devices.camera.started()
        self.assertTrue(view(page)["self", "picture"])

    def test_before_a_call(self) -> None:
        """The buttons say with what the person joins, and with a picture what runs."""
        page = started()
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
        """The button says what it does: a waiting host ends the call, somebody in a call leaves it."""
        self.assertEqual(view(hosting())["hang-up-text", "text"], texts.END)
        self.assertEqual(view(visiting("ann"))["hang-up-text", "text"], texts.HANG_UP)

    def test_blocked_sound(self) -> None:
        """The button for sound is there in a call, when the browser wants it."""
        page = visiting("ann")
        self.assertTrue(view(page)["hear", "hidden"])
        page.devices.sound_blocked = True
        self.assertFalse(view(page)["hear", "hidden"])
        page.hung_up()
        self.assertTrue(view(page)["hear", "hidden"])


class DocumentTests(SynchronousTestCase):
    """index.html shows by itself what the page shows while it loads."""

    def test_loading(self) -> None:
        """Nothing has to be changed, and nothing jumps, when Python begins."""
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
            elif what == "value":
                self.assertEqual(attributes.get("value", ""), value, name)
            else:
                self.assertEqual((what, document.texts[name]), ("text", value), name)
