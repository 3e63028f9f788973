"""Stores the available devices, and which of them the person chose. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import texts
from .devices import AUDIO, VIDEO

if TYPE_CHECKING:
    from typing import Any

__all__ = ["CAMERA", "MICROPHONE", "SPEAKER", "DeviceChoices", "device_kind"]

# These are the device kinds, as `MediaDeviceInfo.kind` names them.
CAMERA = "videoinput"
MICROPHONE = "audioinput"
SPEAKER = "audiooutput"

KINDS = (CAMERA, MICROPHONE, SPEAKER)

MAX_DEVICES = 50

USER = "user"
ENVIRONMENT = "environment"
"""The directions in which a phone's camera faces (Media Capture and Streams, `VideoFacingModeEnum`)."""


def device_kind(track_kind: str) -> str:
    """Return the kind of device that produces tracks of this kind."""
    return CAMERA if track_kind == VIDEO else MICROPHONE


class DeviceChoices:
    """The available devices, and the chosen one of each kind.

    Attributes:
        available: ids and names of the devices by kind, in the browser's order.
        chosen: the chosen device id by kind; it is stored also while that device is unplugged.
        facing: the direction in which the camera faces, while no camera was chosen by name.

    """

    def __init__(self, chosen: dict[str, str]) -> None:
        """Start with the devices that were chosen in earlier calls."""
        self.available: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
        self.chosen = {kind: device for kind, device in chosen.items() if kind in KINDS}
        self.facing = USER

    def set_available(self, entries: list[tuple[str, str, str]]) -> list[str]:
        """Store kind, id and name of each device, and return the kinds that have gained a device."""
        more = []
        for kind in KINDS:
            found: list[tuple[str, str]] = []
            for device_type, device, name in entries[:MAX_DEVICES]:
                # The browser discloses neither id nor name before the person grants permission.
                if device_type == kind and device:
                    found.append((device, name or texts.DEVICE_NAMES[kind].format(len(found) + 1)))
            known = [device for device, _ in self.available[kind]]
            if known and [device for device, _ in found if device not in known]:
                more.append(kind)
            self.available[kind] = found
        return more

    def options(self, kind: str, used: str) -> list[tuple[str, str, bool]]:
        """Return id, name and whether it is the one in use, for each device of a kind.

        Arguments:
            kind: the kind of device.
            used: the device id of the running track; empty if none runs.

        """
        current = used or self.chosen.get(kind, "")
        known = [device for device, _ in self.available[kind]]
        if current not in known and known:
            current = known[0]
        return [(device, name, device == current) for device, name in self.available[kind]]

    def choose(self, kind: str, device: str) -> None:
        """Choose a device of a kind."""
        self.chosen[kind] = device
        if kind == CAMERA:
            self.facing = USER

    def flip(self) -> None:
        """Choose the camera that faces the other direction."""
        self.facing = ENVIRONMENT if self.facing == USER else USER
        self.chosen.pop(CAMERA, None)

    @property
    def several_cameras(self) -> bool:
        """Whether there is another camera to switch to."""
        return len(self.available[CAMERA]) > 1

    def constraints(self, track_kind: str) -> dict[str, Any]:
        """Return the `MediaTrackConstraints` for `getUserMedia`; lengths are in pixels."""
        wanted: dict[str, Any] = {}
        if track_kind == AUDIO:
            wanted = {"echoCancellation": True, "noiseSuppression": True, "autoGainControl": True}
        else:
            wanted = {"facingMode": self.facing, "width": {"ideal": 1280}, "height": {"ideal": 720}}
        kind = device_kind(track_kind)
        device = self.chosen.get(kind)
        if device:
            # An unplugged device must be `ideal`, so that the browser takes another one; a plugged one must be `exact`,
            # because the browser weighs an ideal id no more than the ideal size of the picture.
            there = device in [found for found, _ in self.available[kind]]
            wanted["deviceId"] = {"exact" if there else "ideal": device}
            wanted.pop("facingMode", None)
        return wanted
