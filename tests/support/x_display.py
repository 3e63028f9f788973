"""An X server without a screen (Xvfb), with a process that records what arrives, and input as of its own devices."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from Xlib import XK, X
from Xlib.display import Display
from Xlib.error import BadDrawable, BadWindow
from Xlib.ext import randr, xinput, xtest
from Xlib.protocol import rq

from tests.support.x_recorder import NAMES

__all__ = ["Recorder", "XDisplay"]

RECORDER = Path(__file__).with_name("x_recorder.py")

PATIENCE = 20.0
"""Seconds within which the X server, and the recorder, have to start or to answer."""

DEVICE_KEY_PRESS, DEVICE_KEY_RELEASE, DEVICE_BUTTON_PRESS, DEVICE_BUTTON_RELEASE = range(1, 5)
"""Events of the extension XInput 1, counted from its first one (XIproto)."""


class _DeviceInput(rq.Request):  # type: ignore[misc] # Xlib is not typed
    """XTestFakeInput of an extension device, which the X server processes as input of that device (XTEST 2.2)."""

    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(2),
        rq.RequestLength(),
        rq.Card8("event_type"),
        rq.Card8("detail"),
        rq.Pad(2),
        rq.Card32("time"),
        rq.Card32("root"),
        rq.Pad(8),
        rq.Int16("x"),
        rq.Int16("y"),
        rq.Pad(7),
        rq.Card8("device"),
    )


class _SetMonitor(rq.Request):  # type: ignore[misc] # Xlib is not typed
    """RRSetMonitor for a monitor without outputs (RandR 1.5 §7.6)."""

    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(43),
        rq.RequestLength(),
        rq.Window("window"),
        rq.Card32("name"),
        rq.Bool("primary"),
        rq.Bool("automatic"),
        rq.Card16("outputs"),
        rq.Int16("x"),
        rq.Int16("y"),
        rq.Card16("width"),
        rq.Card16("height"),
        rq.Card32("width_in_millimeters"),
        rq.Card32("height_in_millimeters"),
    )


class _AddMaster(rq.Request):  # type: ignore[misc] # Xlib is not typed
    """XIChangeHierarchy (XI2proto) with one change: a second pair of keyboard and pointer, named `more`."""

    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(43),
        rq.RequestLength(),
        rq.Card8("changes"),
        rq.Pad(3),
        rq.Card16("type"),
        rq.Card16("length"),
        rq.Card16("name_length"),
        rq.Bool("send_core"),
        rq.Bool("enable"),
        rq.FixedBinary("name", 4),
    )


class XDisplay:
    """A running X server.

    Attributes:
        name: the display's name, as in `DISPLAY`.

    """

    def __init__(self, size: str = "800x600") -> None:
        """Start the server, and wait until it accepts clients."""
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"],
            pass_fds=[writing],
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as found:
            readable, _, _ = select.select([found], [], [], PATIENCE)
            assert readable, "Xvfb does not start"
            self.name = f":{found.readline().strip()}"
        self._display: Any = Display(self.name)
        self._screen = self._display.screen().root
        self._monitors: list[int] = []
        devices = self._display.xinput_query_device(xinput.AllDevices).devices
        self._devices = {each.name: each.deviceid for each in devices}
        self._first_event = self._display.query_extension(xinput.extname).first_event

    def close(self) -> None:
        """End the server."""
        self._display.close()
        self._process.terminate()
        self._process.wait()

    # Input of the computer's own devices

    def press(self, keysym: str, down: bool) -> None:
        """Press or release a key of the computer's own keyboard."""
        keycode = self._display.keysym_to_keycode(XK.string_to_keysym(keysym))
        self._input("Xvfb keyboard", DEVICE_KEY_PRESS if down else DEVICE_KEY_RELEASE, keycode)

    def click(self) -> None:
        """Click with the right button of the computer's own mouse."""
        for event in (DEVICE_BUTTON_PRESS, DEVICE_BUTTON_RELEASE):
            self._input("Xvfb mouse", event, 3)

    def _input(self, device: str, event: int, detail: int) -> None:
        _DeviceInput(
            display=self._display.display,
            opcode=self._display.display.get_extension_major(xtest.extname),
            event_type=self._first_event + event,
            detail=detail,
            time=0,
            root=0,
            x=0,
            y=0,
            device=self._devices[device],
        )
        self._display.sync()

    def add_devices(self) -> None:
        """Add a second pair of keyboard and pointer, for which the X server makes injecting devices of its own."""
        _AddMaster(
            display=self._display.display,
            opcode=self._display.query_extension(xinput.extname).major_opcode,
            changes=1,
            type=1,
            length=3,
            name_length=4,
            send_core=True,
            enable=True,
            name=b"more",
        )
        self._display.sync()
        devices = self._display.xinput_query_device(xinput.AllDevices).devices
        self._devices = {each.name: each.deviceid for each in devices}

    def hold_injected(self, keysym: str) -> None:
        """Press a key by injection, as a process does that is killed before it releases it."""
        keycode = self._display.keysym_to_keycode(XK.string_to_keysym(keysym))
        self._display.xtest_fake_input(X.KeyPress, keycode)
        self._display.sync()

    def remove_key(self, keysym: str) -> None:
        """Leave the key that has this keysym without one."""
        keycode = self._display.keysym_to_keycode(XK.string_to_keysym(keysym))
        self._display.change_keyboard_mapping(keycode, [[0] * len(self._display.get_keyboard_mapping(keycode, 1)[0])])
        self._display.sync()

    def press_injected(self, keysym: str, down: bool) -> None:
        """Press or release a key of the injecting keyboard of the second pair."""
        keycode = self._display.keysym_to_keycode(XK.string_to_keysym(keysym))
        self._input("more XTEST keyboard", DEVICE_KEY_PRESS if down else DEVICE_KEY_RELEASE, keycode)

    # The screen

    def resize(self, width: int, height: int) -> None:
        """Give the screen a smaller size."""
        resources = self._screen.xrandr_get_screen_resources()
        for crtc in resources.crtcs:
            # Without a mode, since a screen has to be as large as what its CRTCs show.
            self._display.xrandr_set_crtc_config(crtc, resources.config_timestamp, 0, 0, 0, 1, [])
        self._screen.xrandr_set_screen_size(width, height, width // 4, height // 4)
        self._display.sync()

    def set_monitors(self, *places: tuple[int, int, int, int], primary: int = 0) -> None:
        """Divide the screen among monitors with these x, y, widths and heights, of which one is the primary one."""
        for name in self._monitors:
            self._screen.xrandr_delete_monitor(name)
        self._monitors = []
        for number, (x, y, width, height) in enumerate(places):
            self._monitors.append(self._display.intern_atom(f"{number}-{places}-{primary}"))
            _SetMonitor(
                display=self._display.display,
                opcode=self._display.display.get_extension_major(randr.extname),
                window=self._screen,
                name=self._monitors[-1],
                primary=number == primary,
                automatic=False,
                outputs=0,
                x=x,
                y=y,
                width=width,
                height=height,
                width_in_millimeters=width // 4,
                height_in_millimeters=height // 4,
            )
        self._display.sync()

    # The state

    def pressed(self) -> list[str]:
        """Return the names of the pressed keys, and of the pressed buttons."""
        while self._display.pending_events():
            event = self._display.next_event()
            if event.type == X.MappingNotify:
                self._display.refresh_keyboard_mapping(event)
        bits = self._display.query_keymap()
        codes = [8 * byte + bit for byte, value in enumerate(bits) for bit in range(8) if value >> bit & 1]
        mask = self._display.screen().root.query_pointer().mask
        names = [NAMES.get(self._display.keycode_to_keysym(code, 0), str(code)) for code in codes]
        return names + [f"button {number}" for number in range(1, 6) if mask >> (7 + number) & 1]

    def pointer(self) -> tuple[int, int]:
        """Return the place of the pointer in pixels."""
        found = self._display.screen().root.query_pointer()
        return found.root_x, found.root_y

    def windows(self) -> list[tuple[int, int, int, int]]:
        """Return x, y, width and height of each mapped window, the lowest first."""
        found = []
        for window in self._display.screen().root.query_tree().children:
            # A window may be gone before it is looked at.
            with contextlib.suppress(BadDrawable, BadWindow):
                if window.get_attributes().map_state == X.IsViewable:
                    place = window.get_geometry()
                    found.append((place.x, place.y, place.width, place.height))
        return found

    def set_layout(self, *arguments: str) -> None:
        """Give the keyboard another layout."""
        subprocess.run(["setxkbmap", "-display", self.name, *arguments], check=True, timeout=PATIENCE)

    def recorder(self) -> Recorder:
        """Start to record what arrives."""
        return Recorder(self.name)


class Recorder:
    """A process of its own whose window fills the screen, and that lists the events that it gets."""

    def __init__(self, display: str) -> None:
        """Start the process, and wait until its window has the focus."""
        self._process = subprocess.Popen([sys.executable, RECORDER, display], stdout=subprocess.PIPE, text=True)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._lines.get(timeout=PATIENCE) == "ready"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())

    def events(self, count: int) -> list[Any]:
        """Wait until so many events have arrived, and return them.

        Raises:
            AssertionError: there are fewer, or more.

        """
        found: list[Any] = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(json.loads(self._lines.get(timeout=PATIENCE if len(found) < count else 0.3)))
        assert len(found) == count, found
        return found

    def close(self) -> None:
        """End the process, and with it the window."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
