"""Tests the process that injects events, on an X server without a screen; another process records what arrives."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from signald_client.control import control_messages as messages
from signald_client.control.injector_process import InjectorProcess
from signald_client.control.key_codes import KNOWN_CODES
from signald_client.errors import ControlError
from tests.suites.peer.case import AsyncCase, asynchronous
from tests.support.x_display import Recorder, XDisplay

PATIENCE = 10.0


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait until a condition holds."""
    for _ in range(int(PATIENCE / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


class InjectorCase(AsyncCase):
    """A test case with an X server and the injecting process."""

    def setUp(self) -> None:
        """Start the X server."""
        self.display = XDisplay()
        self.addCleanup(self.display.close)
        self.reports: list[dict[str, Any]] = []

    async def injector(self, emergency_key: str = "Escape") -> InjectorProcess:
        """Start the process, and let events through."""
        process = InjectorProcess(self.display.name, emergency_key, self.reports.append)
        await process.start()
        process.show("Ada")
        return process

    def recorder(self) -> Recorder:
        """Start the process that records."""
        recorder = self.display.recorder()
        self.addCleanup(recorder.close)
        return recorder

    async def until_pressed(self, *names: str) -> None:
        """Wait until exactly these keys and buttons are pressed."""
        await until(lambda: sorted(self.display.pressed()) == sorted(names), " and ".join(names) or "nothing")

    async def until_reported(self, **report: Any) -> None:
        """Wait until the process has reported this."""
        await until(lambda: report in self.reports, f"{report} among {self.reports}")


class InjectTests(InjectorCase):
    """What arrives is what was sent."""

    @asynchronous
    async def test_events(self) -> None:
        """Pointer, double click, drag, wheel and keys arrive in their order, at their places."""
        recorder = self.recorder()
        injector = await self.injector()
        for event in (
            messages.Pointer(0.25, 0.25),
            *[messages.Button(0.5, 0.5, 0, down) for down in (True, False, True, False)],
            messages.Button(0.5, 0.5, 2, True),
            messages.Pointer(0.75, 0.75),
            messages.Button(1.0, 1.0, 2, False),
            messages.Wheel(0.5, 0.5, -1, 2),
            *[messages.Button(0.5, 0.5, number, down) for number in (1, 3, 4) for down in (True, False)],
            *[messages.Key(code, down) for code in ("KeyA", "ArrowLeft", "F5") for down in (True, False)],
        ):
            injector.inject(event)
        found = await asyncio.to_thread(recorder.events, 29)
        at = {"x": 400, "y": 300}
        self.assertEqual(
            found,
            [
                {"kind": "motion", "x": 200, "y": 150},
                {"kind": "motion", **at},
                *[{"kind": "button", "name": name, **at} for name in ("+1", "-1", "+1", "-1", "+3")],
                {"kind": "motion", "x": 600, "y": 450},
                {"kind": "motion", "x": 799, "y": 599},
                {"kind": "button", "name": "-3", "x": 799, "y": 599},
                {"kind": "motion", **at},
                *[{"kind": "button", "name": name, **at} for name in ("+6", "-6", "+5", "-5", "+5", "-5")],
                *[{"kind": "button", "name": name, **at} for name in ("+2", "-2", "+8", "-8", "+9", "-9")],
                *[{"kind": "key", "name": name} for name in ("+a", "-a", "+Left", "-Left", "+F5", "-F5")],
            ],
        )
        await injector.close()

    @asynchronous
    async def test_layouts(self) -> None:
        """The computer's layout decides what a position writes: a German Z, a dead key, and the third level."""
        recorder = self.recorder()
        injector = await self.injector()
        self.display.set_layout("de")
        await asyncio.sleep(0.5)
        for code, down in (
            ("KeyY", True),
            ("KeyY", False),
            ("Equal", True),
            ("Equal", False),
            ("ShiftLeft", True),
            ("Quote", True),
            ("Quote", False),
            ("ShiftLeft", False),
            ("AltRight", True),
            ("KeyE", True),
            ("KeyE", False),
            ("AltRight", False),
        ):
            injector.inject(messages.Key(code, down))
        found = [event["name"] for event in await asyncio.to_thread(recorder.events, 12)]
        self.assertEqual(found[:4], ["+z", "-z", "+dead_acute", "-dead_acute"])
        self.assertEqual(found[4:8], ["+Shift_L", "+Adiaeresis", "-Adiaeresis", "-Shift_L"])
        self.assertEqual(found[8:], ["+ISO_Level3_Shift", "+EuroSign", "-EuroSign", "-ISO_Level3_Shift"])
        await injector.close()

    @asynchronous
    async def test_every_key(self) -> None:
        """Every key of the protocol that the keyboard has is pressed and released, and none is left."""
        injector = await self.injector()
        for code in sorted(KNOWN_CODES - {"Escape"}):
            injector.inject(messages.Key(code, True))
            await until(self.display.pressed, code)
            injector.inject(messages.Key(code, False))
            await self.until_pressed()
        await injector.close()


class ReleaseTests(InjectorCase):
    """Nothing is left pressed."""

    async def held(self) -> InjectorProcess:
        """Return a process that holds two keys and a button."""
        injector = await self.injector()
        for event in (
            messages.Key("ShiftLeft", True),
            messages.Key("KeyA", True),
            messages.Button(0.5, 0.5, 0, True),
        ):
            injector.inject(event)
        await self.until_pressed("a", "Shift_L", "button 1")
        return injector

    @asynchronous
    async def test_end(self) -> None:
        """The end of control, and the end of the pipe, release everything."""
        injector = await self.held()
        injector.release_all()
        await self.until_pressed()
        injector.inject(messages.Key("KeyA", True))
        await self.until_pressed("a")
        injector.hide()
        await self.until_pressed()
        injector.inject(messages.Key("KeyB", True))
        injector.show("Ada")
        injector.inject(messages.Key("KeyC", True))
        await self.until_pressed("c")
        await injector.close()
        self.assertEqual(self.display.pressed(), [])

    @asynchronous
    async def test_a_killed_injector(self) -> None:
        """When the injecting process itself is killed, another one releases what it held."""
        injector = await self.held()
        os.kill(injector.pid, signal.SIGKILL)
        await self.until_reported(**{"is": "ended", "reason": "failed"})
        await self.until_pressed()
        await injector.close()

    @asynchronous
    async def test_killed_within_a_report(self) -> None:
        """A report that was cut off when the process was killed keeps nobody from releasing what it held."""
        injector = await self.held()
        injector._process.stdout.feed_data(b'{"is": "clipboard", "text": "never')
        os.kill(injector.pid, signal.SIGKILL)
        await self.until_reported(**{"is": "ended", "reason": "failed"})
        await self.until_pressed()
        await injector.close()

    @asynchronous
    async def test_an_injector_that_hangs(self) -> None:
        """A process that takes no commands is killed when too many wait, and another one releases what it held."""
        injector = await self.held()
        os.kill(injector.pid, signal.SIGSTOP)
        text = messages.ClipboardText("x" * 8_000)
        while {"is": "ended", "reason": "failed"} not in self.reports:
            injector.inject(text)
            await asyncio.sleep(0)
        await self.until_pressed()
        # What comes afterwards goes nowhere.
        injector.inject(messages.Key("KeyB", True))
        self.assertEqual(injector.pid, 0)
        await injector.close()
        self.assertEqual(self.display.pressed(), [])

    @asynchronous
    async def test_an_injector_that_hangs_at_the_end(self) -> None:
        """A process that does not end with its input is killed after some seconds, and nothing is left pressed."""
        injector = await self.held()
        os.kill(injector.pid, signal.SIGSTOP)
        await injector.close()
        self.assertEqual((self.display.pressed(), injector.pid), ([], 0))

    @asynchronous
    async def test_signals(self) -> None:
        """The signals of a terminal do not end the process, which waits for the end of its input."""
        injector = await self.held()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(injector.pid, number)
        injector.inject(messages.Key("KeyA", False))
        await self.until_pressed("Shift_L", "button 1")
        await injector.close()
        self.assertEqual(self.display.pressed(), [])

    @asynchronous
    async def test_silence(self) -> None:
        """After three seconds without an event everything is released; a viewer that holds something says so."""
        injector = await self.held()
        for _ in range(4):
            await asyncio.sleep(1)
            injector.inject(messages.Hold())
        self.assertEqual(len(self.display.pressed()), 3)
        await self.until_pressed()
        await injector.close()


class LocalTests(InjectorCase):
    """The computer's own devices."""

    @asynchronous
    async def test_local_input(self) -> None:
        """A key and a mouse of the computer release everything, suspend the control for a second, and are reported."""

        def press() -> None:
            for down in (True, False):
                self.display.press("b", down)

        for local in (press, self.display.click):
            injector = await self.injector()
            injector.inject(messages.Key("KeyA", True))
            await self.until_pressed("a")
            local()
            await self.until_reported(**{"is": "local-input"})
            await self.until_pressed()
            injector.inject(messages.Key("KeyC", True))
            await asyncio.sleep(0.3)
            self.assertEqual(self.display.pressed(), [])
            await asyncio.sleep(1.0)
            injector.inject(messages.Key("KeyD", True))
            await self.until_pressed("d")
            await injector.close()
            self.reports.clear()

    @asynchronous
    async def test_injected_input_is_not_local(self) -> None:
        """What the process injects does not suspend the control, and an injected Escape does not end it."""
        injector = await self.injector()
        for code in ("KeyA", "Escape"):
            injector.inject(messages.Key(code, True))
            injector.inject(messages.Key(code, False))
        injector.inject(messages.Pointer(0.1, 0.1))
        injector.inject(messages.Key("KeyB", True))
        await self.until_pressed("b")
        await asyncio.sleep(0.5)
        self.assertEqual(self.reports, [])
        await injector.close()

    @asynchronous
    async def test_emergency_key(self) -> None:
        """Escape on the computer's own keyboard ends the control at once, and nothing is injected afterwards."""
        injector = await self.injector()
        injector.inject(messages.Key("KeyA", True))
        await self.until_pressed("a")
        for down in (True, False):
            self.display.press("Escape", down)
        injector.inject(messages.Key("KeyB", True))
        await self.until_reported(**{"is": "ended", "reason": "emergency-key"})
        await asyncio.sleep(1.5)
        injector.inject(messages.Key("KeyC", True))
        await asyncio.sleep(0.3)
        self.assertEqual(self.display.pressed(), [])
        await injector.close()

    @asynchronous
    async def test_emergency_key_cannot_be_masked(self) -> None:
        """Escape that the viewer holds or releases hides no Escape of the computer's own keyboard."""
        injector = await self.injector()
        injector.inject(messages.Key("Escape", True))
        await self.until_pressed("Escape")
        self.display.press("Escape", True)
        for _ in range(20):
            injector.inject(messages.Key("Escape", False))
            injector.inject(messages.Key("Escape", True))
        await self.until_reported(**{"is": "ended", "reason": "emergency-key"})
        self.display.press("Escape", False)
        await self.until_pressed()
        await injector.close()

    @asynchronous
    async def test_emergency_key_that_is_held_already(self) -> None:
        """Control that is given while the emergency key is pressed ends at once: its state counts, not an event."""
        self.display.press("F12", True)
        injector = await self.injector("F12")
        await self.until_reported(**{"is": "ended", "reason": "emergency-key"})
        self.display.press("F12", False)
        await injector.close()


class SignTests(InjectorCase):
    """The sign on the screen."""

    @asynchronous
    async def test_sign(self) -> None:
        """A sign is at the upper edge of the screen while somebody controls it, above other windows."""
        injector = await self.injector()
        await until(self.display.windows, "the sign")
        (sign,) = self.display.windows()
        self.assertEqual(sign[1], 0)
        self.assertGreater(sign[2], 200)
        self.recorder()
        await until(lambda: self.display.windows()[-1] == sign, "the sign above the window that came later")
        injector.hide()
        await until(lambda: sign not in self.display.windows(), "the end of the sign")
        await injector.close()

    @asynchronous
    async def test_click(self) -> None:
        """A click on the sign ends the control."""
        injector = await self.injector()
        await until(self.display.windows, "the sign")
        injector.inject(messages.Button(0.5, 0.01, 0, True))
        await self.until_reported(**{"is": "ended", "reason": "stopped"})
        await self.until_pressed()
        await injector.close()


class ClipboardTests(InjectorCase):
    """The clipboard."""

    @asynchronous
    async def test_clipboard(self) -> None:
        """A text goes into the clipboard and comes back, with all its letters; an empty clipboard has no text."""
        injector = await self.injector()
        injector.inject(messages.ClipboardRead())
        await self.until_reported(**{"is": "clipboard", "text": ""})
        text = "Grüße 🐙 " + "x" * 7000
        injector.inject(messages.ClipboardText(text))
        injector.inject(messages.ClipboardRead())
        await self.until_reported(**{"is": "clipboard", "text": text})
        await injector.close()


class StartTests(InjectorCase):
    """Computers that cannot be controlled."""

    @asynchronous
    async def test_no_display(self) -> None:
        """Without an X server, and without the emergency key, the process says why it does not start."""
        for display, key, words in ((":9999", "Escape", "display"), (self.display.name, "Hyper_Q", "Hyper_Q")):
            process = InjectorProcess(display, key, self.reports.append)
            try:
                await process.start()
            except ControlError as error:
                self.assertIn(words, str(error))
            else:
                self.fail("it started")
            await process.close()

    @asynchronous
    async def test_a_parent_that_is_gone_at_the_start(self) -> None:
        """A process whose parent is gone before it is ready ends without a word."""
        command = [sys.executable, "-m", "signald_client.control.injector", "--display", self.display.name]
        injector = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert injector.stdout is not None
        injector.stdout.close()
        _, said = await asyncio.to_thread(injector.communicate)
        self.assertEqual((injector.returncode, said), (1, b""))

    @asynchronous
    async def test_a_parent_that_is_killed(self) -> None:
        """A process that is killed with SIGKILL leaves nothing pressed, at whatever step it is."""
        program = (
            "import asyncio, sys\n"
            "from signald_client.control import control_messages as messages\n"
            "from signald_client.control.injector_process import InjectorProcess\n"
            "async def main():\n"
            "    process = InjectorProcess(sys.argv[1], 'Escape', print)\n"
            "    await process.start()\n"
            "    process.show('Ada')\n"
            "    process.inject(messages.Key('KeyA', True))\n"
            "    print('held', flush=True)\n"
            "    await asyncio.sleep(60)\n"
            "asyncio.run(main())\n"
        )
        for delay in (0.0, 0.05, 0.2):
            parent = subprocess.Popen([sys.executable, "-c", program, self.display.name], stdout=subprocess.PIPE)
            assert parent.stdout is not None
            await asyncio.to_thread(parent.stdout.readline)
            await asyncio.sleep(delay)
            parent.kill()
            await asyncio.to_thread(parent.communicate)
            await until(lambda: not self.display.windows(), "the end of the sign")
            await self.until_pressed()
