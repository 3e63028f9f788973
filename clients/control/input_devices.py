"""Watches the computer's own keyboards and pointers, apart from injected events (XInput 2, raw events)."""

from __future__ import annotations

import struct
from typing import Any

from Xlib.ext import ge, xinput
from Xlib.protocol import rq

__all__ = ["InputDevices"]

RAW_EVENTS = (*range(xinput.RawKeyPress, xinput.RawMotion + 1), 22, 23, 24)
"""Event types: raw keys, buttons and motion, and the beginning, update and end of raw touches (XI2proto, 2.2)."""

INJECTED = ("XTEST keyboard", "XTEST pointer")
"""The ends of the names of the devices from which injected events come; the X server makes them for each master."""

KEY_CLASS = 0
"""The class of a device's keys in the reply to QueryDeviceState (XIproto)."""


class _QueryVersion(rq.ReplyRequest):  # type: ignore[misc] # Xlib is not typed
    """XIQueryVersion with a version of one's own: python-xlib asks for 2.0, whose raw events stop during grabs."""

    _request = xinput.XIQueryVersion._request
    _reply = xinput.XIQueryVersion._reply


class _QueryDeviceState(rq.ReplyRequest):  # type: ignore[misc] # Xlib is not typed
    """QueryDeviceState (XIproto, request 30): which keys of one device are pressed; python-xlib does not have it."""

    _request = rq.Struct(rq.Card8("opcode"), rq.Opcode(30), rq.RequestLength(), rq.Card8("device"), rq.Pad(3))
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Pad(1),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card8("num_classes"),
        rq.Pad(23),
        rq.List("rest", rq.Card8, pad=0),
    )


class InputDevices:
    """The devices that people at the computer use."""

    def __init__(self, display: Any) -> None:
        """Select the raw events of all devices.

        Raises:
            OSError: the X server lacks XInput 2.2.

        """
        self._display = display
        extension = display.query_extension(xinput.extname)
        if extension is None or not extension.present:
            raise OSError("The X server lacks the extension XInput, which tells local from injected input.")
        self._opcode = extension.major_opcode
        version = _QueryVersion(display=display.display, opcode=self._opcode, major_version=2, minor_version=2)
        if (version.major_version, version.minor_version) < (2, 2):
            raise OSError("The X server has an old version of XInput: 2.2 is needed.")
        self._keyboards: list[int] = []
        self._injecting: set[int] = set()
        self._read_devices()
        mask = sum(1 << type_ for type_ in (xinput.HierarchyChanged, *RAW_EVENTS))
        display.screen().root.xinput_select_events([(xinput.AllDevices, mask)])

    def is_local_input(self, event: Any) -> bool:
        """Whether an X event is input of a device that is no injecting one."""
        if event.type != ge.GenericEventCode or event.extension != self._opcode:
            return False
        if event.evtype == xinput.HierarchyChanged:
            self._read_devices()
        if event.evtype not in RAW_EVENTS:
            return False
        source = struct.unpack_from("=10xH", event.data)[0]
        return source not in self._injecting

    def pressed_key(self, event: Any) -> int:
        """Return the keycode of a raw key press; 0 for other events."""
        return struct.unpack_from("=6xI", event.data)[0] if event.evtype == xinput.RawKeyPress else 0

    def is_pressed(self, keycode: int) -> bool:
        """Whether a key is pressed now on any keyboard that is no injecting one, by the state of that device."""
        return any(keycode in self._pressed_keys(device) for device in self._keyboards)

    def injected_keys(self) -> set[int]:
        """Return the keycodes that are pressed by injection, by this program or another."""
        return {key for device in self._injecting for key in self._pressed_keys(device)}

    def _read_devices(self) -> None:
        devices = self._display.xinput_query_device(xinput.AllDevices).devices
        slaves = [each for each in devices if each.use in (xinput.SlaveKeyboard, xinput.SlavePointer)]
        self._injecting = {each.deviceid for each in slaves if each.name.endswith(INJECTED)}
        self._keyboards = [
            each.deviceid
            for each in devices
            if each.use in (xinput.SlaveKeyboard, xinput.FloatingSlave) and each.deviceid not in self._injecting
        ]

    def _pressed_keys(self, device: int) -> set[int]:
        reply = _QueryDeviceState(display=self._display.display, opcode=self._opcode, device=device)
        rest = bytes(reply.rest)
        while len(rest) >= 2:
            class_, length = rest[0], rest[1]
            if class_ == KEY_CLASS:
                return {8 * byte + bit for byte, value in enumerate(rest[4:36]) for bit in range(8) if value >> bit & 1}
            if length < 2:
                break
            rest = rest[length:]
        return set()
