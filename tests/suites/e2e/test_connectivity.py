"""Tests the connectivity test of the call page, with and without the servers and devices that it checks."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.suites.e2e.browser import Tab
from tests.suites.e2e.browsers import browser, chromium, chromium_with_two_cameras, chromium_without_camera
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import GRANTED
from tests.suites.e2e.layout import WITHIN, LayoutChecks
from tests.suites.e2e.turn import TurnServer
from tests.suites.e2e.waiting import until

CHECKS = ("camera", "microphone", "server", "stun", "turn", "call")

#: JavaScript that records the devices and connections that the page acquires, to check their release.
WATCH = """(() => {
    globalThis.taken = [];
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await ask(wanted);
        for (const track of stream.getTracks()) taken.push(() => track.readyState == 'ended' || 'a track');
        return stream;
    };
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...args) { super(...args); taken.push(() => this.signalingState == 'closed' || 'a connection'); }
    };
    globalThis.WebSocket = class extends WebSocket {
        constructor(...args) { super(...args); taken.push(() => this.readyState == 3 || 'a socket'); }
    };
    globalThis.AudioContext = class extends AudioContext {
        constructor(...args) { super(...args); taken.push(() => this.state == 'closed' || 'an audio context'); }
    };
})()"""

#: JavaScript that returns the acquired devices and connections that are not released.
HELD = "taken.map(released => released()).filter(outcome => outcome !== true)"

#: The seconds for which the server keeps an idle HTTP connection, with a margin.
IDLE = 20.0


def connections(port: int) -> int:
    """Return the number of established TCP connections to a port of this machine (proc(5), `/proc/net/tcp`)."""
    lines = [line for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    fields = [line.split() for line in lines]
    # State 01 is ESTABLISHED; both ends are on this machine, and only the server's end is counted.
    return len([1 for _, local, _, state, *_ in fields if state == "01" and int(local.split(":")[1], 16) == port])


class ConnectivityTests(CallTestCase):
    """Tests of the connectivity test from the start screen to its end."""

    def open_test(self, tab: Tab | None = None, name: str = "Chromium") -> CallPage:
        """Open the page, record what it acquires, and open the connectivity test by its link."""
        if tab is None:
            tab = browser(name).tab()
            self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(self.daemon.url)
        tab.evaluate(WATCH)
        tab.click("#open-test")
        self.wait_for_list(page)
        return page

    def wait_for_list(self, page: CallPage) -> None:
        """Wait until the connectivity test can be started, and record only what is acquired from then on."""
        page.wait_for("test")
        until(lambda: page.shown("test-checks") and page.text("test-checks"), PATIENCE, "the list")
        until(lambda: "a track" not in page.tab.evaluate(HELD), PATIENCE, "the start screen's devices to be released")
        page.tab.evaluate("taken.splice(0).length")

    def state(self, page: CallPage, check: str) -> str:
        """Return the result of a check."""
        state: str = page.tab.evaluate(f"document.getElementById('test-{check}').className")
        return state

    def run_test(self, page: CallPage) -> str:
        """Start the connectivity test, wait for its end, and return the overall result."""
        page.tab.click("#test-start")
        verdict = "document.getElementById('test-status').className"
        until(lambda: not page.tab.evaluate(verdict), PATIENCE, "the test to begin")
        until(lambda: page.tab.evaluate(verdict), 2 * PATIENCE, "the test to end")
        self.assertEqual(page.tab.evaluate("signald.log"), [])
        until(lambda: not page.tab.evaluate(HELD), PATIENCE, "all to be released")
        found: str = page.tab.evaluate(verdict)
        return found

    def states(self, page: CallPage) -> dict[str, str]:
        """Return the result of each check."""
        return {check: self.state(page, check) for check in CHECKS}

    def with_options(self, *options: str) -> None:
        """Replace the shared daemon by a daemon with other options."""
        self.start_daemon(*options)

    def test_without_stun_and_turn(self) -> None:
        """Without a STUN and a TURN server both checks warn, and all others pass."""
        permissions = ["camera", "microphone", "clipboard-read", "clipboard-write"]
        tab = chromium_with_two_cameras().tab(permissions=permissions)
        self.addCleanup(tab.close)
        page = self.open_test(tab)
        self.assertEqual(self.run_test(page), "usable")
        states = self.states(page)
        self.assertEqual((states.pop("stun"), states.pop("turn")), ("warned", "warned"))
        self.assertEqual(set(states.values()), {"passed"}, states)
        self.assertIn("1280 by 720", page.text("test-camera-found"))
        self.assertIn("We hear you", page.text("test-microphone-found"))
        self.assertIn("names no STUN server", page.text("test-stun-found"))
        self.assertIn("can add", page.text("test-turn-remedy"))
        self.assertIn("Connected directly", page.text("test-call-found"))
        tab.click("#test-copy")
        page.wait_for_text("test-copy", "copied")
        copied = tab.evaluate("navigator.clipboard.readText()").splitlines()
        self.assertIn(f"https://localhost:{self.daemon.port}", copied[0])
        self.assertIn("Chrome", copied[1])
        self.assertEqual(copied[2], f"Camera: works. {page.text('test-camera-found')}")
        self.assertEqual(copied[-1], page.text("test-status"))

    def with_turn(self, name: str) -> CallPage:
        """Run the connectivity test with a STUN and TURN server, and return the page."""
        turn = TurnServer()
        self.addCleanup(turn.stop)
        self.with_options(*turn.options)
        page = self.open_test(name=name)
        self.verdict = self.run_test(page)
        states = self.states(page)
        del states["microphone"]
        self.assertEqual(set(states.values()), {"passed"}, states)
        self.assertIn("1/1", page.text("test-stun-found"))
        self.assertIn("UDP, TCP", page.text("test-turn-found"))
        self.assertIn("Through the relay: after", page.text("test-call-found"))
        return page

    def test_with_turn(self) -> None:
        """The connectivity test finds a STUN and TURN server, and makes a call through the TURN server."""
        page = self.with_turn("Chromium")
        self.assertEqual((self.verdict, self.state(page, "microphone")), ("ready", "passed"))

    def test_with_turn_firefox(self) -> None:
        """Firefox finds the servers, too; without a loudspeaker it reports that the microphone is not measured."""
        page = self.with_turn("Firefox")
        if self.state(page, "microphone") != "passed":
            self.assertEqual(self.verdict, "usable")
            self.assertIn("does not tell how loud", page.text("test-microphone-found"))

    def test_wrong_secret(self) -> None:
        """The result differs between a TURN server that refuses the credentials and an unreachable one."""
        turn = TurnServer()
        self.addCleanup(turn.stop)
        self.with_options("--ice-server", f"turn:127.0.0.1:{turn.port},ada,byron")
        page = self.open_test()
        self.assertEqual(self.run_test(page), "troubled")
        self.assertEqual(self.state(page, "turn"), "failed")
        self.assertIn("does not accept", page.text("test-turn-found"))
        self.assertEqual(self.state(page, "call"), "passed")

    def test_refused(self) -> None:
        """Without permission for camera and microphone the page shows what to do, and runs the other checks."""
        tab = chromium_without_camera().tab()
        self.addCleanup(tab.close)
        page = self.open_test(tab)
        self.assertEqual(self.run_test(page), "troubled")
        for device in ("camera", "microphone"):
            self.assertEqual(self.state(page, device), "failed")
            self.assertIn(f"does not let this page use your {device}", page.text(f"test-{device}-found"))
            self.assertIn(f"allow the {device}, and test again", page.text(f"test-{device}-remedy"))
        self.assertEqual(self.state(page, "call"), "passed")

    def test_without_the_server(self) -> None:
        """Without the signaling server, the checks that need it are skipped."""
        daemon = self.start_daemon()
        page = self.open_test()
        daemon.kill()
        self.assertEqual(self.run_test(page), "broken")
        self.assertEqual(self.state(page, "camera"), "passed")
        self.assertEqual(self.state(page, "server"), "failed")
        self.assertEqual({self.state(page, check) for check in ("stun", "turn", "call")}, {"skipped"})

    def with_silent_stun(self) -> None:
        """Let signald name a STUN server that never responds, so that the check of this server takes a while."""
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        self.with_options("--ice-server", f"stun:127.0.0.1:{silent.getsockname()[1]}")

    def test_leave_midway(self) -> None:
        """Leaving the connectivity test midway releases everything, and leaves no TCP connection to the server open."""
        self.with_silent_stun()
        page = self.open_test()
        page.tab.click("#test-start")
        until(lambda: self.state(page, "stun") == "running", PATIENCE, "the test to come to STUN")
        self.assertEqual(set(page.tab.evaluate(HELD)), {"a socket", "a connection"})
        self.assertGreater(connections(self.daemon.port), 0)
        # The start screen acquires devices of its own when the person returns, which are not part of the test.
        page.tab.evaluate("(globalThis.left = taken.splice(0)).length")
        page.tab.click("#test-back")
        page.wait_for("start")
        until(lambda: not page.tab.evaluate(HELD.replace("taken", "left")), PATIENCE, "all to be released")
        until(lambda: not connections(self.daemon.port), IDLE + PATIENCE, "no connection at the server")
        # Nothing of the earlier run remains when the person opens the connectivity test again.
        page.tab.click("#open-test")
        page.wait_for("test")
        self.assertEqual(set(self.states(page).values()), {"waiting"})
        self.assertEqual(page.tab.evaluate("signald.log"), [])

    def test_leave_while_the_camera_is_asked_for(self) -> None:
        """A camera that is granted after the person has left the connectivity test is released at once."""
        tab = chromium().tab(permissions=GRANTED)
        self.addCleanup(tab.close)
        page = self.open_test(tab)
        page.tab.evaluate("document.getElementById('test-start').click()")
        page.tab.evaluate("document.getElementById('test-back').click()")
        page.wait_for("start")
        # The start screen has acquired camera and microphone again.
        given = "taken.map(released => released()).filter(outcome => outcome === true).length"
        until(lambda: page.tab.evaluate(given) == 1, PATIENCE, "the test's camera to be given, and released")
        until(lambda: page.tab.evaluate(HELD).count("a track") == 2, PATIENCE, "the start screen's own devices")

    def test_stop(self) -> None:
        """The person can stop the connectivity test, and run it again."""
        self.with_silent_stun()
        page = self.open_test()
        page.tab.click("#test-start")
        until(lambda: self.state(page, "stun") == "running", PATIENCE, "the test to come to STUN")
        self.assertEqual(page.text("test-start"), "Stop the test")
        page.tab.click("#test-start")
        page.wait_for_text("test-status", "stopped")
        self.assertEqual([self.state(page, check) for check in CHECKS], ["passed"] * 3 + ["skipped"] * 3)
        until(lambda: not page.tab.evaluate(HELD), PATIENCE, "all to be released")
        self.assertEqual(self.run_test(page), "troubled")
        self.assertEqual(self.state(page, "stun"), "failed")
        self.assertIn("No STUN server answers", page.text("test-stun-found"))

    def test_address(self) -> None:
        """`#test` opens the connectivity test, and leads back to the call that the address named before."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        tab.open(f"{self.daemon.url}#test")
        page.wait_for("test")
        tab.click("#test-back")
        page.wait_for("start")
        host = self.page()
        session = host.host()
        tab.evaluate(f"location.hash = '{session}'")
        page.wait_for_text("heading", "invited")
        tab.evaluate("location.hash = '#test'")
        page.wait_for("test")
        tab.click("#test-back")
        page.wait_for("start")
        page.wait_for_text("heading", "invited")
        tab.evaluate("location.hash = '#test'")
        page.wait_for("test")
        tab.page.go_back()
        page.wait_for("start")
        page.join()
        page.wait_for("connected")

    def test_not_fetched(self) -> None:
        """If the test's code cannot be fetched, the start screen shows an error; the link can be pressed again."""
        tab = chromium().tab(service_workers="block")
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(self.daemon.url)
        tab.page.route("**/extras*", lambda route: route.abort())
        tab.click("#open-test")
        page.wait_for_text("error", "could not be fetched")
        page.wait_for("start")
        tab.page.unroute("**/extras*")
        tab.click("#open-test")
        page.wait_for("test")
        until(lambda: page.text("test-checks"), PATIENCE, "the list")

    def test_camera_of_the_start_screen(self) -> None:
        """The start screen releases its camera for the connectivity test, and acquires it again afterwards."""
        tab = chromium().tab(permissions=GRANTED)
        self.addCleanup(tab.close)
        tab.page.add_init_script(WATCH)
        page = CallPage(tab)
        page.open(self.daemon.url)
        tracks = f"{HELD}.filter(outcome => outcome == 'a track').length"
        until(lambda: tab.evaluate(tracks) == 2, PATIENCE, "camera and microphone")
        tab.click("#open-test")
        self.wait_for_list(page)
        self.assertEqual(self.run_test(page), "usable")
        tab.click("#test-back")
        page.wait_for("start")
        until(lambda: tab.evaluate(tracks) == 2, PATIENCE, "camera and microphone once more")

    def test_by_keyboard(self) -> None:
        """The connectivity test can be run by keyboard alone, and screen readers announce its rows."""
        page = self.page()
        tab = page.tab
        tab.evaluate("document.getElementById('open-test').focus()")
        tab.page.keyboard.press("Enter")  # type: ignore[attr-defined] # Chromium's tab alone has a page
        page.wait_for("test")
        focused = "document.activeElement.id"
        until(lambda: tab.evaluate(focused) == "test-start", PATIENCE, "the focus on the button")
        until(lambda: page.text("test-checks"), PATIENCE, "the list")
        tab.page.keyboard.press("Enter")  # type: ignore[attr-defined] # Chromium's tab alone has a page
        until(lambda: "works" in page.text("test-call-state"), 2 * PATIENCE, "the test to end")
        self.assertEqual(tab.evaluate(focused), "test-start")
        self.assertEqual(tab.evaluate("document.getElementById('test-checks').ariaLive"), "polite")


class ConnectivityLayoutTests(LayoutChecks, CallTestCase):
    """Tests of the connectivity test's layout on desktop and phone, light and dark; `make e2e` keeps screenshots."""

    def check(self, name: str, **options: object) -> None:
        """Check the layout before, during and after the run."""
        tab = chromium().tab(**options)
        self.addCleanup(tab.close)
        page = CallPage(tab)
        tab.open(f"{self.daemon.url}#test")
        page.wait_for("test")
        until(lambda: page.text("test-checks"), PATIENCE, "the list")
        self.fits(page, f"{name}-test", "test-heading", "test-start", "test-back", "test-camera", "test-call")
        tab.click("#test-start")
        # The element is visible only briefly, so that visibility and position are checked in one expression.
        shown = f"{WITHIN.format('test-video')} && document.getElementById('test-video').videoWidth > 0"
        until(lambda: tab.evaluate(shown), PATIENCE, "the own picture")
        self.fits(page, f"{name}-test-camera", "test-start")
        level = f"{WITHIN.format('test-level')} && document.getElementById('test-level').ariaValueNow > 0"
        until(lambda: tab.evaluate(level), PATIENCE, "a level")
        self.fits(page, f"{name}-test-microphone")
        until(lambda: page.shown("test-copy"), 2 * PATIENCE, "the test to end")
        self.fits(page, f"{name}-test-over", "test-copy", "test-turn-remedy", "test-call-found")
