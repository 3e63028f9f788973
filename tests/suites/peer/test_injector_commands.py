"""Tests the commands of the injecting process within the test's own process, on an X server without a screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from Xlib import X
from Xlib.display import Display
from Xlib.ext import composite

from signald_client.control.control_sign import ControlSign
from signald_client.control.injector import RAISE_SECONDS, Injector
from tests.support.x_display import XDisplay

PATIENCE = 5.0


class DisplayWithout:
    """A connection to an X server that lacks an extension."""

    def __init__(self, extension: str, connection: Any) -> None:
        self._extension = extension
        self._connection = connection

    def has_extension(self, name: str) -> bool:
        """Return whether the X server has an extension."""
        return bool(name != self._extension and self._connection.has_extension(name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class InjectorTests(SynchronousTestCase):
    """`Injector`."""

    def setUp(self) -> None:
        """Start the X server, and connect."""
        self.server = XDisplay()
        self.addCleanup(self.server.close)
        self.reports: list[dict[str, Any]] = []
        self.connection = Display(self.server.name)
        self.addCleanup(self.connection.close)
        self.injector = Injector(self.connection, "Escape", self.reports.append)
        self.now = 100.0

    def do(self, command: str, **values: Any) -> None:
        """Carry out a command."""
        self.injector.carry_out({"do": command, **values}, self.now)

    def watch_until(self, condition: Callable[[], Any]) -> None:
        """Let the injector handle the X server's events until a condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, (self.reports, self.server.pressed())
            self.injector.watch(self.now)
            time.sleep(0.01)

    def test_events(self) -> None:
        """Events are injected between start and stop, and the end releases everything."""
        self.do("key", code="KeyA", down=True)
        self.assertEqual(self.server.pressed(), [])
        self.do("start", name="Ada")
        self.do("pointer", x=0.5, y=0.5)
        self.do("button", x=0.25, y=0.25, button=0, down=True)
        self.do("wheel", x=0.25, y=0.25, right=0, down=1)
        self.do("key", code="KeyA", down=True)
        self.do("hold")
        self.watch_until(lambda: self.server.pressed() == ["a", "button 1"])
        self.assertEqual(self.server.pointer(), (200, 150))
        self.do("release")
        self.watch_until(lambda: self.server.pressed() == [])
        self.do("key", code="KeyB", down=True)
        self.do("stop")
        self.watch_until(lambda: self.server.pressed() == [])
        self.assertEqual(self.reports, [])

    def test_silence(self) -> None:
        """What is held is released when the parent says nothing for three seconds."""
        self.do("start", name="Ada")
        self.do("key", code="KeyA", down=True)
        self.watch_until(lambda: self.server.pressed() == ["a"])
        self.now += 3.0
        self.watch_until(lambda: self.server.pressed() == [])

    def test_local_input(self) -> None:
        """Local input is reported once in a while; the emergency key ends the control."""
        self.do("start", name="Ada")
        for down in (True, False):
            self.server.press("b", down)
        self.watch_until(lambda: {"is": "local-input"} in self.reports)
        for down in (True, False):
            self.server.press("Escape", down)
        self.watch_until(lambda: {"is": "ended", "reason": "emergency-key"} in self.reports)
        self.injector.release_all()

    def sign(self) -> tuple[int, int, int, int]:
        """Return x, y, width and height of the sign, which is the only window without a recorder."""
        (sign,) = self.server.windows()
        return sign

    def test_sign(self) -> None:
        """The sign is put above other windows twice a second, and a click on it ends the control."""
        self.do("start", name="Ada \u0628")
        self.watch_until(self.server.windows)
        self.injector.watch(self.now)
        sign = self.sign()
        # More than one window may come within the time in which the sign is not raised again.
        for _ in range(2):
            self.addCleanup(self.server.recorder().close)
            self.injector.watch(self.now)
            self.assertNotEqual(self.server.windows()[-1], sign)
        self.now += RAISE_SECONDS
        self.watch_until(lambda: self.server.windows()[-1] == sign)
        self.do("button", x=0.5, y=0.01, button=0, down=True)
        self.watch_until(lambda: {"is": "ended", "reason": "stopped"} in self.reports)

    def test_sign_under_a_compositor(self) -> None:
        """The sign is raised also where the X server reports nothing, as under a compositor."""
        compositor = Display(self.server.name)
        self.addCleanup(compositor.close)
        compositor.composite_query_version()
        compositor.screen().root.composite_redirect_subwindows(composite.RedirectAutomatic)
        compositor.sync()
        self.do("start", name="Ada")
        self.watch_until(self.server.windows)
        sign = self.sign()
        self.addCleanup(self.server.recorder().close)
        self.now += RAISE_SECONDS
        self.watch_until(lambda: self.server.windows()[-1] == sign)

    def test_sign_on_a_smaller_screen(self) -> None:
        """When the screen gets another size, the sign is put within it at once, on a monitor that is still there."""
        self.server.set_monitors((400, 0, 400, 600), (0, 0, 400, 600))
        self.do("start", name="Ada")
        self.watch_until(self.server.windows)
        self.injector.watch(self.now)
        self.server.resize(300, 200)
        self.watch_until(lambda: self.sign()[0] + self.sign()[2] <= 300)

    def test_sign_on_the_primary_monitor(self) -> None:
        """With more than one monitor the sign is at the upper edge of the primary one, also when another becomes it."""
        self.server.set_monitors((0, 0, 300, 600), (300, 100, 500, 500), primary=1)
        self.do("start", name="Ada")
        self.watch_until(self.server.windows)
        x, y, width, _ = self.sign()
        self.assertEqual((y, 2 * x + width), (100, 2 * 300 + 500))
        self.server.set_monitors((0, 0, 300, 600), (300, 100, 500, 500), primary=0)
        self.now += RAISE_SECONDS
        self.watch_until(lambda: self.sign()[:3] == (0, 0, 300))

    def test_sign_without_monitors(self) -> None:
        """On an X server without RandR the sign is at the upper edge of the screen."""
        self.server.set_monitors((0, 0, 300, 600))
        sign = ControlSign(DisplayWithout("RANDR", self.connection))
        sign.place()
        self.connection.sync()
        self.assertEqual(self.server.windows(), [])
        sign.show("Ada")
        self.connection.sync()
        x, y, width, _ = self.sign()
        self.assertEqual((y, 2 * x + width), (0, 800))

    def test_no_extension(self) -> None:
        """An X server without XTEST cannot be controlled, and a sentence names the extension."""
        display = DisplayWithout("XTEST", self.connection)
        error = self.assertRaises(OSError, Injector, display, "Escape", self.reports.append)
        self.assertIn("XTEST", str(error))

    def test_layout(self) -> None:
        """Another layout is used at once, also for the emergency key, and devices are read again."""
        self.server.set_layout("de")
        self.do("start", name="Ada")
        self.watch_until(lambda: self.connection.keycode_to_keysym(29, 0) == ord("z"))
        self.do("key", code="AltRight", down=True)
        self.watch_until(lambda: self.server.pressed() == ["ISO_Level3_Shift"])

    def test_an_emergency_key_that_is_gone(self) -> None:
        """A layout without the emergency key ends the process with a sentence: nothing could end the control."""
        self.do("start", name="Ada")
        self.server.remove_key("Escape")
        error = self.assertRaises(OSError, self.watch_until, lambda: False)
        self.assertIn("Escape", str(error))

    def test_devices_that_come_later(self) -> None:
        """Input of a pointer's and keyboard's pair that is added later is local, but not that of its injecting ones."""
        self.do("start", name="Ada")
        self.server.add_devices()
        self.injector.watch(self.now)
        self.do("key", code="KeyA", down=True)
        for down in (True, False):
            self.server.press_injected("b", down)
        self.injector.watch(self.now)
        self.assertEqual((self.reports, self.server.pressed()), ([], ["a"]))

    def test_screen_size(self) -> None:
        """Places are parts of the screen's present size."""
        root = self.connection.screen().root
        event = type("Event", (), {"type": X.ConfigureNotify, "window": root, "width": 400, "height": 300})()
        self.injector._handle_event(event, self.now)
        self.do("start", name="Ada")
        self.do("pointer", x=1, y=1)
        self.watch_until(lambda: self.server.pointer() == (399, 299))

    def test_clipboard(self) -> None:
        """The clipboard's text is written and read; other programs can ask for it, in the forms that it has."""
        self.do("start", name="Ada")
        self.do("clipboard-read")
        self.watch_until(lambda: {"is": "clipboard", "text": ""} in self.reports)
        self.do("clipboard", text="Grüße")
        self.do("clipboard-read")
        self.watch_until(lambda: {"is": "clipboard", "text": "Grüße"} in self.reports)
        other = Display(self.server.name)
        self.addCleanup(other.close)
        window = other.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        names = {name: other.intern_atom(name) for name in ("CLIPBOARD", "TARGETS", "UTF8_STRING", "IMAGE", "SLOT")}
        answers: list[int] = []
        for target in ("TARGETS", "UTF8_STRING", "IMAGE"):
            window.convert_selection(names["CLIPBOARD"], names[target], names["SLOT"], X.CurrentTime)
            other.flush()

            def answered() -> bool:
                while other.pending_events():
                    event = other.next_event()
                    if event.type == X.SelectionNotify:
                        answers.append(event.property)
                        return True
                return False

            self.watch_until(answered)
        self.assertEqual(answers, [names["SLOT"], names["SLOT"], X.NONE])
