"""Tests remote control: a page controls an X server whose screen `signald-peer` shares; another process records."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import Any

from tests.suites.e2e import report
from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import PATIENCE
from tests.suites.e2e.control_case import ControlCase
from tests.suites.e2e.hostile_channel import SEND_TO_ALL
from tests.suites.e2e.screen_peer import ViewerPage
from tests.suites.e2e.waiting import until


class EventTests(ControlCase):
    """What the person does arrives."""

    def test_pointer_and_keys(self) -> None:
        """Clicks, a drag, the wheel and keys arrive in their order, at their places, as another process records."""
        recorder = self.recorder()
        _, page = self.controlled()
        keyboard, mouse = page.tab.page.keyboard, page.tab.page.mouse  # type: ignore[attr-defined] # Chromium's
        mouse.move(*page.place(0.25, 0.75))
        recorder.events(1)
        mouse.dblclick(*page.place(0.25, 0.75))
        mouse.down(button="right")
        mouse.move(*page.place(0.75, 0.75))
        mouse.up(button="right")
        mouse.wheel(0, 200)
        for key in ("a", "ArrowLeft", "F5", "Tab"):
            keyboard.press(key)
        keyboard.down("Shift")
        keyboard.press("KeyB")
        keyboard.up("Shift")
        found = recorder.events(23)
        names = [event.get("name", "") for event in found]
        self.assertEqual(
            [name for name in names if name],
            [
                "+1",
                "-1",
                "+1",
                "-1",
                "+3",
                "-3",
                "+5",
                "-5",
                "+5",
                "-5",
                "+a",
                "-a",
                "+Left",
                "-Left",
                "+F5",
                "-F5",
                "+Tab",
                "-Tab",
                "+Shift_L",
                "+B",
                "-B",
                "-Shift_L",
            ],
        )
        places = [(event["x"], event["y"]) for event in found if event.get("name", "") in ("+3", "-3")]
        for (x, y), (expected_x, expected_y) in zip(places, ((200, 450), (600, 450)), strict=True):
            self.assertLessEqual(abs(x - expected_x) + abs(y - expected_y), 2)
        report.add_picture(page.tab, "remote-control")

    def test_chord(self) -> None:
        """Buttons that are pressed together arrive, and none is left pressed; so does a touch that is over already."""
        recorder = self.recorder()
        _, page = self.controlled()
        mouse = page.tab.page.mouse  # type: ignore[attr-defined] # Chromium's
        mouse.move(*page.place(0.25, 0.75))
        recorder.events(1)
        for action, name in (("down", "left"), ("down", "right"), ("up", "left"), ("up", "right")):
            getattr(mouse, action)(button=name)
        names = [event["name"] for event in recorder.events(4)]
        self.assertEqual(names, ["+1", "+3", "-1", "-3"])
        page.tab.evaluate(
            "document.querySelector('[data-screen=true] video').dispatchEvent(new PointerEvent('pointerdown', "
            "{pointerId: 99, button: 0, buttons: 1, bubbles: true}))"
        )
        self.assertEqual([event["name"] for event in recorder.events(3) if "name" in event], ["+1", "-1"])

    def test_focus(self) -> None:
        """A grant leaves the focus in a text field; a key that was pressed before it is released for the page too."""
        recorder = self.recorder()
        peer = self.screen("--control", "ask", "--unverified")
        page = self.viewer(peer.session())
        keyboard = page.tab.page.keyboard  # type: ignore[attr-defined] # Chromium's
        page.tab.evaluate("window.releases = []; addEventListener('keyup', event => releases.push(event.code))")
        page.ask()
        page.wait_for_status("Waiting")
        keyboard.down("b")
        peer.answer("yes")
        page.wait_for_status("You control")
        keyboard.up("b")
        keyboard.press("c")
        self.assertEqual([event["name"] for event in recorder.events(2)], ["+c", "-c"])
        self.assertEqual(page.tab.evaluate("releases.join()"), "KeyB")
        peer.program.type_line("stop")
        page.wait_for_status("not control")
        self.assertEqual(page.tab.evaluate("document.activeElement.textContent"), "Ask for control")

    def test_text_field(self) -> None:
        """A grant does not take the focus from a text field; a press on the picture does."""
        recorder = self.recorder()
        peer = self.screen("--control", "ask", "--unverified")
        page = self.viewer(peer.session())
        page.ask()
        page.wait_for_status("Waiting")
        page.tab.evaluate("document.body.append(Object.assign(document.createElement('input'), {id: 'field'}))")
        page.tab.evaluate("document.querySelector('#field').focus()")
        peer.answer("yes")
        page.wait_for_status("You control")
        page.tab.page.keyboard.press("b")  # type: ignore[attr-defined] # Chromium's
        self.assertEqual(page.tab.evaluate("document.querySelector('#field').value"), "b")
        page.tab.page.mouse.click(*page.place(0.5, 0.75))  # type: ignore[attr-defined] # Chromium's
        page.tab.page.keyboard.press("c")  # type: ignore[attr-defined] # Chromium's
        names = [event["name"] for event in recorder.events(5) if "name" in event]
        self.assertEqual(names, ["+1", "-1", "+c", "-c"])

    def test_extras_that_are_not_there(self) -> None:
        """When the page cannot fetch what control needs, it says so, and tries again with the next press."""
        peer = self.screen("--control", "ask", "--unverified")
        tab: Any = browser("Chromium").tab()
        self.addCleanup(tab.close)
        page = ViewerPage(tab)
        page.open(self.daemon.url)
        tab.page.route("**/assets/extras.*", lambda route: route.abort())
        page.join(peer.session())
        page.wait_for("connected")
        shown = "document.body.innerText.includes('could not be fetched')"
        until(lambda: tab.evaluate(shown), PATIENCE, "a notice")
        tab.page.unroute("**/assets/extras.*")
        tab.evaluate("document.body.click()")
        page.wait_for_offer()


class PointingTests(ControlCase):
    """Pointing on a screen that can be controlled."""

    def test_not_while_controlling(self) -> None:
        """A viewer who points points no longer once they have control, and can point again afterwards."""
        peer = self.screen("--control", "ask", "--unverified")
        page = self.viewer(peer.session())
        pressed = "document.getElementById('point').getAttribute('aria-pressed')"
        page.tab.click("#point")
        until(lambda: page.tab.evaluate(pressed) == "true", PATIENCE, "pointing")
        page.ask()
        peer.answer("yes")
        page.wait_for_status("You control")
        until(lambda: not page.shown("point"), PATIENCE, "no button")
        self.assertEqual(page.tab.evaluate(pressed), "false")
        page.tab.page.mouse.click(*page.place(0.25, 0.75))  # type: ignore[attr-defined] # Chromium's
        until(lambda: self.display.pointer() == (200, 450), PATIENCE, "the pointer of the computer")
        page.tab.click(".control-bar button:last-child")
        until(lambda: page.shown("point"), PATIENCE, "the button")
        self.assertEqual(peer.report()["control"]["refused"], {})


class EndTests(ControlCase):
    """The end of control."""

    def test_killed(self) -> None:
        """SIGKILL of `signald-peer` while a key and a button are held leaves nothing pressed."""
        peer, page = self.controlled()
        page.tab.page.mouse.move(*page.place(0.5, 0.75))  # type: ignore[attr-defined] # Chromium's
        page.tab.page.mouse.down()  # type: ignore[attr-defined] # Chromium's
        page.tab.page.keyboard.down("a")  # type: ignore[attr-defined] # Chromium's
        self.until_pressed("a", "button 1")
        os.kill(peer.program.process.pid, signal.SIGKILL)
        self.until_pressed()

    def test_reload(self) -> None:
        """A reload of the page ends the consent: everything is released, and the page has to ask again."""
        peer, page = self.controlled()
        page.tab.page.keyboard.down("a")  # type: ignore[attr-defined] # Chromium's
        self.until_pressed("a")
        page.tab.reload()
        self.until_pressed()
        peer.program.wait_for("does not control this computer any more", PATIENCE)
        page.wait_for_offer()
        self.assertEqual(page.control_status, "")
        page.tab.page.mouse.click(*page.place(0.5, 0.75))  # type: ignore[attr-defined] # Chromium's
        page.tab.page.keyboard.press("b")  # type: ignore[attr-defined] # Chromium's
        time.sleep(0.5)
        self.assertEqual((self.display.pressed(), peer.report()["control"]["grants"]), ([], 1))

    def test_emergency_key(self) -> None:
        """The emergency key on the computer's own keyboard ends the control, and the page says so."""
        _, page = self.controlled()
        page.tab.page.keyboard.down("a")  # type: ignore[attr-defined] # Chromium's
        self.until_pressed("a")
        for down in (True, False):
            self.display.press("Escape", down)
        page.wait_for_status("not control")
        self.until_pressed()

    def test_local_input(self) -> None:
        """Input at the computer suspends the control for a second, which the page shows."""
        _, page = self.controlled()
        for down in (True, False):
            self.display.press("b", down)
        page.wait_for_status("Suspended")
        page.wait_for_status("You control")

    def test_give_up(self) -> None:
        """The person gives the control up by the button or by keys, and the computer's user ends it by a word."""
        peer, page = self.controlled()
        page.tab.click(".control-bar button:last-child")
        peer.program.wait_for("does not control this computer any more .given-up", PATIENCE)
        page.ask()
        peer.program.wait_for("(?s)asks to control.*asks to control", PATIENCE)
        peer.answer("yes")
        page.wait_for_status("You control")
        page.tab.page.keyboard.press("Control+Alt+Shift+Escape")  # type: ignore[attr-defined] # Chromium's
        peer.program.wait_for("(?s)given-up.*given-up", PATIENCE)
        self.until_pressed()
        page.ask()
        peer.program.wait_for("(?s)(asks to control.*){3}", PATIENCE)
        peer.answer("yes")
        page.wait_for_status("You control")
        peer.program.type_line("stop")
        page.wait_for_status("not control")


class RefusalTests(ControlCase):
    """What is refused."""

    def test_no(self) -> None:
        """A no is a no, which the page shows."""
        peer = self.screen("--control", "ask", "--unverified")
        page = self.viewer(peer.session())
        page.ask()
        page.wait_for_status("Waiting")
        peer.answer("no")
        page.wait_for_status("said no")
        self.assertEqual(peer.report()["control"]["grants"], 0)

    def test_never(self) -> None:
        """By default the page sees the screen and offers no control, and a program that asks is refused."""
        peer = self.screen()
        tab: Any = browser("Chromium").tab()
        self.addCleanup(tab.close)
        page = ViewerPage(tab)
        page.open(self.daemon.url)
        tab.evaluate(SEND_TO_ALL)
        page.join(peer.session())
        page.wait_for("connected")
        video = "document.querySelector('[data-screen=true] video')?.videoWidth"
        until(lambda: tab.evaluate(video), PATIENCE, "the screen")
        self.assertEqual(tab.evaluate("document.querySelectorAll('.control-bar').length"), 0)
        tab.evaluate("sendToAll({type: 'control-request', version: 1, embedded: false})")
        tab.evaluate("sendToAll({type: 'control-key', code: 'KeyA', down: true})")
        time.sleep(0.5)
        self.assertEqual(self.display.pressed(), [])
        self.assertEqual(peer.report()["control"]["refused"], {"never": 1, "no-consent": 1})

    def test_unverified(self) -> None:
        """Without `--unverified` nobody is asked until the user says that the codes are the same."""
        peer = self.screen("--control", "ask")
        page = self.viewer(peer.session())
        page.ask()
        page.wait_for_status("verify your connection")
        self.assertNotIn("asks to control", peer.program.stderr)
        page.tab.click(".remote:not([data-screen=true]):has([data-user]) .trust")
        words = "[...document.querySelectorAll('#verify-code li')].map(item => item.lastChild.textContent).join(' ')"
        until(lambda: page.tab.evaluate(words), PATIENCE, "a code")
        self.assertEqual(page.tab.evaluate(words), peer.code())
        page.tab.click("#verify form button")
        peer.compare("same")
        peer.program.wait_for("is verified", PATIENCE)
        page.ask()
        page.wait_for_status("Waiting")
        peer.answer("yes")
        page.wait_for_status("You control")

    def test_code(self) -> None:
        """A code gives control without a question; three wrong ones switch it off."""
        peer = self.screen("--control", "code", "--unverified")
        code = peer.program.wait_for(r"The code for control is (\S{5}-\S{5})\.", PATIENCE)[1]
        page = self.viewer(peer.session())
        for words in ("is wrong", "is wrong", "too many"):
            page.tab.type(".control-bar input", "00000-00000")
            page.ask()
            page.wait_for_status(words)
            time.sleep(0.2)
        page.tab.type(".control-bar input", code)
        page.ask()
        time.sleep(0.5)
        page.wait_for_status("too many")
        peer = self.screen("--control", "code", "--unverified")
        code = peer.program.wait_for(r"The code for control is (\S{5}-\S{5})\.", PATIENCE)[1]
        page = self.viewer(peer.session())
        page.tab.type(".control-bar input", code.lower())
        page.ask()
        page.wait_for_status("You control")

    def test_second_viewer_and_bad_input(self) -> None:
        """A second viewer, malformed messages, unknown keys and a flood are refused and counted; nothing is pressed."""
        peer = self.screen("--control", "ask", "--unverified", "--capacity", "3")
        session = peer.session()
        first = self.viewer(session, script=SEND_TO_ALL)
        second = self.viewer(session, "Bob", script=SEND_TO_ALL)
        first.ask()
        first.wait_for_status("Waiting")
        peer.answer("yes")
        first.wait_for_status("You control")
        second.ask()
        second.wait_for_status("Not now")
        second.tab.evaluate("sendToAll({type: 'control-key', code: 'KeyA', down: true})")
        first.tab.evaluate(
            "sendToAll({type: 'control-key', code: 'Power', down: true}, {type: 'control-key', code: 5, down: true},"
            "{type: 'control-button', x: 0.5, y: 0.5, button: 9, down: true},"
            "{type: 'control-pointer', x: 'a', y: 0}, {type: 'control-pointer', x: -5, y: 1e9})"
        )
        until(lambda: self.display.pointer() == (0, 599), PATIENCE, "the clamped pointer")
        self.assertEqual(self.display.pressed(), [])
        first.tab.evaluate("sendToAll(...Array(2000).fill({type: 'control-pointer', x: 0.5, y: 0.5}))")
        first.wait_for_status("not control")
        self.assertEqual(self.display.pressed(), [])
        refused = peer.report()["control"]["refused"]
        self.assertEqual((refused["busy"], refused["unknown-code"], refused["malformed"]), (1, 2, 2))
        self.assertGreaterEqual(refused["no-consent"], 1)
        self.assertGreaterEqual(refused["rate"], 400)


class ProgramTests(ControlCase):
    """The command itself."""

    def test_wayland(self) -> None:
        """In a Wayland session one sentence says what to do."""
        for environment, words in (({"WAYLAND_DISPLAY": "wayland-0"}, "Wayland"), ({}, "DISPLAY is not set")):
            program = self.program_without_display(environment)
            self.assertEqual(program.wait(PATIENCE), 2)
            self.assertEqual(len(program.stderr.splitlines()), 1, program.stderr)
            self.assertIsNotNone(re.search(words, program.stderr), program.stderr)

    def program_without_display(self, environment: dict[str, str]) -> Any:
        """Run the command without an X display."""
        from tests.suites.e2e.program import SCRIPTS, Program

        program = Program([SCRIPTS / "signald-peer", "screen"], environment={"DISPLAY": "", **environment})
        self.addCleanup(program.stop, signal.SIGKILL)
        return program
