"""The cameras, microphones and speakers that there are, and which of them the person chose: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import texts
from .devices import AUDIO, VIDEO

if TYPE_CHECKING:
    from typing import Any

__all__ = ["CAMERA", "MICROPHONE", "SPEAKER", "DeviceChoices", "device_kind"]

# Kinds, as `MediaDeviceInfo.kind` names them.
CAMERA = "videoinput"
MICROPHONE = "audioinput"
SPEAKER = "audiooutput"

KINDS = (CAMERA, MICROPHONE, SPEAKER)

MAX_DEVICES = 50

USER = "user"
ENVIRONMENT = "environment"
"""The directions in which a phone's cameras look (Media Capture and Streams, `VideoFacingModeEnum`)."""


def device_kind(track_kind: str) -> str:
    """Return the kind of device that gives tracks of this kind."""
    return CAMERA if track_kind == VIDEO else MICROPHONE


class DeviceChoices:
    """What can be chosen, and what is.

    Attributes:
        found: ids and names of the devices by kind, in the browser's order.
        chosen: the id by kind; one that is not there at present is kept for later.
        facing: where the camera looks, while nobody chose one by name.

    """

    def __init__(self, chosen: dict[str, str]) -> None:
        """Begin with what was chosen in earlier calls."""
        self.available: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
        self.chosen = {kind: device for kind, device in chosen.items() if kind in KINDS}
        self.facing = USER

    def set_available(self, entries: list[tuple[str, str, str]]) -> list[str]:
        """The browser lists kind, id and name of each device; return the kinds of which there is one more now."""
        more = []
        for kind in KINDS:
            found: list[tuple[str, str]] = []
            for device_type, device, name in entries[:MAX_DEVICES]:
                # Without a permission the browser tells neither id nor name.
                if device_type == kind and device:
                    found.append((device, name or texts.DEVICE_NAMES[kind].format(len(found) + 1)))
            known = [device for device, _ in self.available[kind]]
            if known and [device for device, _ in found if device not in known]:
                more.append(kind)
            self.available[kind] = found
        return more

    def options(self, kind: str, used: str) -> list[tuple[str, str, bool]]:
        """Return id, name and whether it is the one in use, of each device of a kind.

        Args:
            kind: of device.
            used: the id that the running track tells; empty where nothing runs.

        """
        current = used or self.chosen.get(kind, "")
        known = [device for device, _ in self.available[kind]]
        if current not in known and known:
            current = known[0]
        return [(device, name, device == current) for device, name in self.available[kind]]

    def choose(self, kind: str, device: str) -> None:
        """The person wants this device."""
        self.chosen[kind] = device
        if kind == CAMERA:
            self.facing = USER

    def flip(self) -> None:
        """The person wants the camera that looks the other way."""
        self.facing = ENVIRONMENT if self.facing == USER else USER
        self.chosen.pop(CAMERA, None)

    @property
    def several_cameras(self) -> bool:
        """Whether there is another camera to turn to."""
        return len(self.available[CAMERA]) > 1

    def constraints(self, track_kind: str) -> dict[str, Any]:
        """Return what to ask `getUserMedia` for (`MediaTrackConstraints`): lengths in pixels."""
        wanted: dict[str, Any] = {}
        if track_kind == AUDIO:
            wanted = {"echoCancellation": True, "noiseSuppression": True, "autoGainControl": True}
        else:
            wanted = {"facingMode": self.facing, "width": {"ideal": 1280}, "height": {"ideal": 720}}
        kind = device_kind(track_kind)
        device = self.chosen.get(kind)
        if device:
            # What is not there is replaced by what is; and an ideal weighs no more than the size of the picture.
            there = device in [found for found, _ in self.available[kind]]
            wanted["deviceId"] = {"exact" if there else "ideal": device}
            wanted.pop("facingMode", None)
        return wanted
