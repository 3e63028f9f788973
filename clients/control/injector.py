"""The process that owns the connection to the X server and injects events: python -m signald_client.control.injector.

It reads commands from standard input and writes reports to standard output, as JSON, one a line. When its input ends,
for whatever reason, it releases every key and button that it holds, and exits. It is in a session of its own and
ignores the signals of a terminal, so that it outlives a parent that is killed. With `--release` it releases what a
predecessor holds that was killed itself, and exits.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from Xlib import X
from Xlib.display import Display
from Xlib.error import ConnectionClosedError, DisplayError

from signald_client.control.clipboard import Clipboard
from signald_client.control.control_gate import ControlGate
from signald_client.control.control_sign import ControlSign
from signald_client.control.injection import BUTTONS, Injection
from signald_client.control.input_devices import InputDevices
from signald_client.control.keyboard_map import KeyboardMap

__all__ = ["Injector", "main"]

TICK_SECONDS = 0.1
"""Seconds between two looks at the emergency key, and at what is held."""

RAISE_SECONDS = 0.5
"""Seconds between two times at which the sign is put above all windows. No event says that it is needed: a compositor
hides what is covered from the X server, which reports such windows as visible."""

WRITE_SECONDS = 1.0
"""Seconds for which a report waits for the parent to read."""

READ_BYTES = 65_536

INPUT = 0
OUTPUT = 1
"""File descriptors of the pipes to the parent."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that a terminal or a user sends to all processes of a command; the end of the pipe is what counts here."""


class Injector:
    """Carries out the commands of the parent, and watches the computer's own devices."""

    def __init__(self, display: Any, emergency_key: str, report: Callable[[dict[str, Any]], None]) -> None:
        """Prepare the connection to the X server.

        Arguments:
            display: the connection.
            emergency_key: the name of the keysym of the key that ends the control.
            report: takes each report for the parent.

        Raises:
            OSError: the X server cannot be controlled safely; the argument is a sentence for people.

        """
        self._display = display
        self._report = report
        if not display.has_extension("XTEST"):
            raise OSError("The X server lacks the extension XTEST, which injects input.")
        # A program that grabs the server must not keep keys pressed (XTestGrabControl).
        display.xtest_grab_control(True)
        self._devices = InputDevices(display)
        self._keyboard = KeyboardMap(display)
        self._emergency_name = emergency_key
        self._emergency_key = self._find_emergency_key()
        self._root = display.screen().root
        # The events of the root tell when the screen gets another size.
        self._root.change_attributes(event_mask=X.StructureNotifyMask)
        self._size = (display.screen().width_in_pixels, display.screen().height_in_pixels)
        self._injection = Injection(self._fake_input, self._keyboard, lambda: self._size)
        self._gate = ControlGate()
        self._sign = ControlSign(display)
        self._raised_at = 0.0
        self._clipboard = Clipboard(display)
        self._commands: dict[str, Callable[[dict[str, Any]], None]] = {
            "start": self._start,
            "stop": lambda command: self._stop(),
            "release": lambda command: self._injection.release_all(),
        }
        self._events: dict[str, Callable[[dict[str, Any]], None]] = {
            "pointer": self._move,
            "button": self._press_button,
            "wheel": self._turn_wheel,
            "key": lambda event: self._injection.key(event["code"], event["down"]),
            "hold": lambda event: None,
            "clipboard": lambda event: self._clipboard.write(event["text"]),
            "clipboard-read": lambda event: self._clipboard.request(),
        }

    # Commands

    def carry_out(self, command: dict[str, Any], now: float) -> None:
        """Carry out a command of the parent."""
        name = command["do"]
        if name in self._commands:
            self._commands[name](command)
        elif self._gate.admit(now):
            self._events[name](command)
        self._display.flush()

    def release_all(self) -> None:
        """Release everything, and wait until the X server has done so."""
        self._gate.stop()
        self._injection.release_all()
        self._display.sync()

    def _start(self, command: dict[str, Any]) -> None:
        self._gate.start()
        name = command["name"] or "Somebody"
        self._sign.show(f"{name} controls this computer. {self._emergency_name}, or a click here, ends that.")

    def _stop(self) -> None:
        self._gate.stop()
        self._injection.release_all()
        self._sign.hide()

    def _move(self, event: dict[str, Any]) -> None:
        self._injection.move(event["x"], event["y"])

    def _press_button(self, event: dict[str, Any]) -> None:
        self._move(event)
        self._injection.button(event["button"], event["down"])

    def _turn_wheel(self, event: dict[str, Any]) -> None:
        self._move(event)
        self._injection.wheel(event["right"], event["down"])

    def _fake_input(self, type_: int, detail: int, x: int, y: int) -> None:
        self._display.xtest_fake_input(type_, detail, x=x, y=y)

    # The computer itself

    def watch(self, now: float) -> None:
        """Handle what the X server has reported, and look at the emergency key and at what is held."""
        while self._display.pending_events():
            self._handle_event(self._display.next_event(), now)
        if self._gate.is_open and self._devices.is_pressed(self._emergency_key):
            self._end("emergency-key")
        if self._injection.is_holding and self._gate.is_silent(now):
            self._injection.release_all()
        if now >= self._raised_at + RAISE_SECONDS:
            self._raised_at = now
            self._sign.place()
        self._display.flush()

    def _handle_event(self, event: Any, now: float) -> None:
        if self._devices.is_local_input(event):
            if self._gate.is_open and self._devices.pressed_key(event) == self._emergency_key:
                self._end("emergency-key")
            # At once, so that what the viewer holds does not change what the user types.
            self._injection.release_all()
            if self._gate.local_input(now):
                self._report({"is": "local-input"})
        elif event.type == X.MappingNotify:
            if event.request != X.MappingPointer:
                self._display.refresh_keyboard_mapping(event)
                self._emergency_key = self._find_emergency_key()
        elif event.type == X.ConfigureNotify and event.window.id == self._root.id:
            self._size = (event.width, event.height)
            self._sign.place()
        elif self._sign.is_end(event):
            self._end("stopped")
        else:
            text = self._clipboard.text_of(event)
            if text is not None:
                self._report({"is": "clipboard", "text": text})

    def _end(self, reason: str) -> None:
        """End the control by this process alone, and tell the parent."""
        self._stop()
        self._report({"is": "ended", "reason": reason})

    def _find_emergency_key(self) -> int:
        found = self._keyboard.keycode_of_keysym(self._emergency_name)
        if not found:
            raise OSError(f"The keyboard has no key {self._emergency_name}, which is to end the control.")
        return found


def main(arguments: Sequence[str] | None = None, input_: int = INPUT, output: int = OUTPUT) -> int:
    """Run until the input ends, and return the exit status.

    Arguments:
        arguments: the command line; None for that of the process.
        input_: the file descriptor from which the parent's commands are read.
        output: the file descriptor to which reports are written.

    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--display")
    parser.add_argument("--emergency-key", default="Escape")
    parser.add_argument("--release", action="store_true")
    options = parser.parse_args(arguments)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    # A parent that does not read must not keep this process from releasing keys.
    os.set_blocking(output, False)
    try:
        return _serve(options, input_, lambda report: _write_report(output, report))
    except BrokenPipeError:
        # The parent was gone before this process was ready.
        return 1


def _serve(options: argparse.Namespace, input_: int, report: Callable[[dict[str, Any]], None]) -> int:
    """Connect to the X server, carry out the parent's commands until it is gone, and return the exit status.

    Raises:
        BrokenPipeError: the parent is gone.

    """
    try:
        display = Display(options.display)
        if options.release:
            _release_injected(display)
            return 0
        injector = Injector(display, options.emergency_key, report)
    except (OSError, DisplayError, ConnectionClosedError) as error:
        report({"is": "failed", "sentence": str(error)})
        return 1
    report({"is": "ready"})
    try:
        _run(injector, display, input_)
    except (OSError, ConnectionClosedError):
        # The X server or the parent is gone, or the emergency key is no longer on the keyboard.
        return 1
    finally:
        with suppress(ConnectionClosedError):
            injector.release_all()
    return 0


def _run(injector: Injector, display: Any, input_: int) -> None:
    """Carry out commands until the parent is gone."""
    buffered = b""
    while True:
        readable, _, _ = select.select([input_, display.fileno()], [], [], TICK_SECONDS)
        # First, so that the emergency key comes before events that arrived meanwhile.
        injector.watch(time.monotonic())
        if input_ not in readable:
            continue
        received = os.read(input_, READ_BYTES)
        if not received:
            return
        *lines, buffered = (buffered + received).split(b"\n")
        for line in lines:
            injector.carry_out(json.loads(line), time.monotonic())


def _release_injected(display: Any) -> None:
    """Release every key and button that is pressed by injection; the X server keeps them when the injector is gone."""
    display.xtest_grab_control(True)
    for keycode in InputDevices(display).injected_keys():
        display.xtest_fake_input(X.KeyRelease, keycode)
    for button in BUTTONS:
        # The X server ignores the release of a button that the injecting device does not hold.
        display.xtest_fake_input(X.ButtonRelease, button)
    display.sync()


def _write_report(output: int, report: dict[str, Any]) -> None:
    rest = json.dumps(report, ensure_ascii=False).encode() + b"\n"
    while rest:
        # A parent that does not read for a second hangs or is gone: what is written later would not be a report.
        _, writable, _ = select.select([], [output], [], WRITE_SECONDS)
        if not writable:
            raise BrokenPipeError("The parent does not read.")
        with suppress(BlockingIOError):
            rest = rest[os.write(output, rest) :]


if __name__ == "__main__":
    sys.exit(main())
