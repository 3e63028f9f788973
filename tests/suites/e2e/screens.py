"""Brings the call page to each of its screens.

A journey leads a page from screen to screen, and yields each screen with its name. `test_accessibility` checks all
screens for accessibility, and `make e2e` keeps screenshots of all screens.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.caller import Caller
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.layout import WIDE
from tests.suites.e2e.waiting import until

Screens = Iterator[tuple[str, CallPage]]

#: JavaScript that simulates a browser that has not asked for permission, a user who does not respond or refuses, or
#: missing devices.
UNASKED = "Permissions.prototype.query = () => Promise.resolve({state: 'prompt'})"
UNANSWERED = "MediaDevices.prototype.getUserMedia = () => new Promise(() => {})"
REFUSED = "MediaDevices.prototype.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
NO_DEVICES = "MediaDevices.prototype.enumerateDevices = () => Promise.resolve([])"

#: JavaScript that takes WebAssembly away, as Lockdown Mode of iOS and the level "Safer" of Tor Browser do.
NO_WEBASSEMBLY = "delete globalThis.WebAssembly"

#: JavaScript that makes a browser of 2020, which has no Popover API.
OLD = "delete HTMLElement.prototype.popover"

#: JavaScript that makes the browser share a drawn screen of 1600 by 900 in place of a real one.
DRAWN_SCREEN = """MediaDevices.prototype.getDisplayMedia = async () => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 1600, height: 900});
    const pen = canvas.getContext('2d');
    let count = 0;
    const draw = () => {
        pen.fillStyle = '#fff';
        pen.fillRect(0, 0, 1600, 900);
        pen.fillStyle = '#182c44';
        pen.fillRect(0, 0, 1600, 80);
        pen.fillRect(1000, 200, 500, 600);
        pen.font = '40px sans-serif';
        for (let line = 0; line < 12; line++) pen.fillText(`Line ${line} of a text that is shown`, 80, 180 + 56 * line);
        pen.fillText(String(count++), 1500, 880);
    };
    draw();
    setInterval(draw, 200);
    return canvas.captureStream(5);
}"""


class ScreenTestCase(CallTestCase):
    """A test case with a daemon and pages in Chromium, which are closed at the end of each test."""

    def chromium_page(self, *, fragment: str = "", prepare: str = "") -> CallPage:
        """Open the page in a new tab.

        Arguments:
            fragment: the fragment of the page's address, which is the id of a call.
            prepare: JavaScript that runs before the page's own scripts.

        """
        tab = chromium().tab(viewport=WIDE, reduced_motion="reduce")
        self.addCleanup(tab.close)
        if prepare:
            tab.page.add_init_script(prepare)
        page = CallPage(tab)
        page.open(self.daemon.url + (f"#{fragment}" if fragment else ""))
        return page

    def caller(self) -> Caller:
        """Connect a signaling client that has no media."""
        caller = Caller(self.daemon.signaling_url, str(self.daemon.authority))
        self.addCleanup(caller.socket.close)
        return caller


def tab_of(page: CallPage) -> ChromiumTab:
    """Return the Chromium tab of a journey's page."""
    assert isinstance(page.tab, ChromiumTab)
    return page.tab


def opened(page: CallPage, button: str, dialog: str) -> CallPage:
    """Open a dialog of the page."""
    page.tab.click(f"#{button}")
    until(lambda: page.tab.evaluate(f"document.getElementById('{dialog}').open"), PATIENCE, f"#{dialog} to open")
    return page


def closed(page: CallPage, dialog: str) -> None:
    """Close a dialog with the keyboard."""
    tab_of(page).page.keyboard.press("Escape")
    until(lambda: not page.tab.evaluate(f"document.getElementById('{dialog}').open"), PATIENCE, f"#{dialog} to close")


def closed_popover(page: CallPage, popover: str) -> None:
    """Close a popover with the keyboard."""
    tab_of(page).page.keyboard.press("Escape")
    shown = f"document.getElementById('{popover}').matches(':popover-open')"
    until(lambda: not page.tab.evaluate(shown), PATIENCE, f"#{popover} to close")


def before_a_call(case: ScreenTestCase) -> Screens:
    """Visit the start screen, and the dialogs that it opens."""
    page = case.chromium_page(prepare=UNASKED)
    yield "start", page
    page.tab.click("#options summary")
    yield "start-options", page
    page.tab.click("#options summary")
    for button, dialog in (("shortcuts-button", "shortcuts"), ("privacy", "verify")):
        yield dialog, opened(page, button, dialog)
        closed(page, dialog)
    page.tab.click("#preview")
    until(lambda: page.tab.evaluate("document.getElementById('local-video').videoWidth"), PATIENCE, "the own picture")
    yield "preview", page
    page.join("000-0000-000")
    page.wait_for_text("error", "no call")
    yield "error", page


def lacking(case: ScreenTestCase) -> Screens:
    """Visit the screen of a browser without WebAssembly, and of one that is too old."""
    for name, prepare in (("lacking", NO_WEBASSEMBLY), ("too-old", OLD)):
        tab = chromium().tab(viewport=WIDE, reduced_motion="reduce")
        case.addCleanup(tab.close)
        tab.page.add_init_script(prepare)
        page = CallPage(tab)
        tab.open(case.daemon.url)
        until(lambda page: page.shown("unsupported"), PATIENCE, "the notice", page)
        yield name, page


def connectivity(case: ScreenTestCase) -> Screens:
    """Visit the connectivity test before its start, and with its result."""
    page = case.chromium_page()
    page.tab.click("#open-test")
    page.wait_for("test")
    until(lambda: page.text("test-checks"), PATIENCE, "the list of checks")
    yield "test", page
    page.tab.click("#test-start")
    until(lambda: page.shown("test-copy"), 2 * PATIENCE, "the test to end")
    yield "test-over", page


def invited(case: ScreenTestCase) -> Screens:
    """Visit the screens of a guest, up to a call in which no other member responds."""
    host = case.caller()
    host.send("open", password="open sesame", lobby=True, capacity=3)
    session = host.receive("opened")["session"]
    page = case.chromium_page(fragment=f"{session}&from=Ann")
    yield "invited", page
    page.join()
    page.wait_for_text("error", "has a password")
    yield "password", page
    page.tab.type("#password", "open sesame")
    page.join()
    page.wait_for_text("status", "Waiting to be let in")
    yield "knocking", page
    host.send("admit", session=session, user=host.receive("knock")["user"])
    page.wait_for("calling")
    yield "calling", page


def without_devices(case: ScreenTestCase) -> Screens:
    """Visit a browser that does not grant or refuse, one that refuses, and one without camera and microphone."""
    page = case.chromium_page(prepare=UNANSWERED)
    page.tab.click("#start")
    # The page is in the state "connecting" for a moment only: it opens the call without waiting for the camera.
    page.wait_for("waiting")
    until(lambda: page.tab.evaluate("document.getElementById('mute').disabled"), PATIENCE, "the pending request")
    yield "unanswered", page
    for name, prepare, words in (("refused", REFUSED, "does not let"), ("no-devices", NO_DEVICES, "were found")):
        page = case.chromium_page(prepare=prepare)
        page.host()
        page.wait_for_text("error", words)
        yield name, page


def host_of_a_call(case: ScreenTestCase) -> Screens:
    """Visit a host who waits, has one guest, then five, loses the signaling connection, and ends the call."""
    daemon = case.start_daemon()
    page = case.chromium_page()
    page.tab.type("#name", "Ann")
    session = page.host()
    yield "waiting", page
    yield "calendar", opened(page, "open-calendar", "calendar")
    closed(page, "calendar")
    guest = case.chromium_page(fragment=session)
    guest.tab.type("#name", "Bob")
    guest.join()
    page.wait_for("connected")
    until(lambda: page.picture()[1] > 0, PATIENCE, "a picture")
    yield "connected", page
    page.tab.click("#more-button")
    yield "more", page
    closed_popover(page, "more")
    for button, dialog in (
        ("open-settings", "settings"),
        ("open-shortcuts", "shortcuts"),
        ("open-verify", "verify"),
        ("open-statistics", "statistics"),
    ):
        page.tab.click("#more-button")
        yield f"{dialog}-in-a-call", opened(page, button, dialog)
        closed(page, dialog)
    page.tab.click("#chat-button")
    page.tab.type("#chat-text", "See https://example.org/")
    tab_of(page).page.keyboard.press("Enter")
    yield "chat", page
    page.tab.click("#people-button")
    page.tab.click("#people li:nth-child(2) > button")
    yield "people", page
    page.tab.click("#people li:nth-child(2) .actions button:nth-child(3)")
    yield "remove", page
    closed(page, "confirm")
    page.tab.click("#people-button")
    for name in ("Cat", "Dan", "Eve", "Fay"):
        case.caller().send("join", session=session, name=name)
    count = "document.querySelectorAll('#remotes [data-user]').length"
    until(lambda: page.tab.evaluate(count) == 5, PATIENCE, "five others")
    yield "six", page
    page.tab.click("#more-button")
    page.tab.click("#layout")
    yield "spotlight", page
    yield "leave", opened(page, "hang-up", "confirm")
    closed(page, "confirm")
    daemon.kill()
    page.wait_for_text("status", "Reconnecting")
    yield "reconnecting", page
    page.hang_up()
    page.wait_for("ended")
    yield "ended", page


def with_a_shared_screen(case: ScreenTestCase) -> Screens:
    """Visit a viewer's screen on which a screen is shared, and on which the person points."""
    host = case.chromium_page(prepare=DRAWN_SCREEN)
    host.tab.type("#name", "Ann")
    page = case.chromium_page(fragment=host.host())
    page.tab.type("#name", "Bob")
    page.join()
    host.wait_for("connected")
    host.tab.click("#share")
    screen = "document.querySelector('[data-screen=true]')?.dataset.picture === 'true'"
    until(lambda: page.tab.evaluate(screen) and page.shown("point"), PATIENCE, "the screen")
    yield "screen", page
    host.tab.click("#point")
    page.tab.click("#point")
    until(lambda: page.tab.evaluate("document.activeElement.className") == "marks", PATIENCE, "the focus")
    until(lambda: host.tab.evaluate(screen), PATIENCE, "the preview")
    yield "pointing", page
    yield "own-screen", host


def host_with_a_lobby(case: ScreenTestCase) -> Screens:
    """Visit the host's screen while a person waits in the lobby."""
    page = case.chromium_page()
    page.tab.click("#options summary")
    page.tab.click("#new-lobby")
    caller = case.caller()
    caller.send("join", session=page.host(), name="Cat")
    page.wait_for_text("knocks", "Cat wants to join")
    yield "knocks", page
    page.tab.click("#people-button")
    yield "people-knocks", page


def without_a_path(case: ScreenTestCase) -> Screens:
    """Visit the screen after the signaling connection is lost before a call is established."""
    daemon = case.start_daemon()
    page = case.chromium_page()
    page.wait_for_calls()
    daemon.kill()
    page.tab.click("#start")
    page.wait_for("failed")
    yield "failed", page


def with_a_peer_that_freezes(case: ScreenTestCase) -> Screens:
    """Visit the screen while the other member sends no media, so that the last frame stays."""
    peer = case.peer("host", "--duration", "60")
    page = case.chromium_page(fragment=peer.session())
    page.join()
    page.wait_for("connected")
    until(lambda: page.picture()[1] > 0, PATIENCE, "a picture")
    peer.program.process.send_signal(signal.SIGSTOP)
    case.addCleanup(peer.program.process.send_signal, signal.SIGCONT)
    frozen = "document.querySelector('#remotes [data-live=false]') !== null"
    until(lambda: page.tab.evaluate(frozen), PATIENCE, "an interruption")
    yield "interrupted", page


JOURNEYS: tuple[Callable[[ScreenTestCase], Screens], ...] = (
    lacking,
    before_a_call,
    connectivity,
    invited,
    without_devices,
    host_of_a_call,
    with_a_shared_screen,
    host_with_a_lobby,
    without_a_path,
    with_a_peer_that_freezes,
)
"""All journeys; those that lose the signaling connection use a separate daemon."""
