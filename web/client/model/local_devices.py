"""The state of the local camera, microphone, loudspeaker and screen. It does not touch the browser."""

from __future__ import annotations

from . import texts
from .devices import AUDIO, VIDEO, Device

__all__ = ["LocalDevices"]


class LocalDevices:
    """Stores the local devices, and what the browser allows with them.

    Attributes:
        microphone: the local microphone.
        camera: the local camera.
        problem: what is wrong with them, in a sentence, until the person has read it.
        problem_is_note: whether `problem` says only which devices are missing, which needs no alarm.
        previewing: whether the person asked to see themselves before a call.
        front_camera: whether the camera faces the person, whose self view is then mirrored.
        can_flip: whether there is a camera that faces the other way.
        mute_hints: whether the page says when the person talks while muted, which keeps the microphone on.
        talking_muted: whether the person talks while muted.
        can_share: whether the browser can share the screen.
        sounds: whether sounds signal what others do in a call.
        sharing: whether the screen is shared.
        screen_shown: whether this page shows the shared screen as well, since somebody has pointed on it.
        sound_blocked: whether the browser requires a click before it plays sound.
        browser: the browser's family (`devices.browser_family`).

    """

    def __init__(self) -> None:
        self.microphone = Device(AUDIO)
        self.camera = Device(VIDEO)
        self.problem = ""
        self.previewing = False
        self.problem_is_note = False
        self._noted = ("", "")
        self.front_camera = self.mute_hints = self.sounds = True
        self.can_flip = False
        self.can_share = self.sharing = self.screen_shown = False
        self.browser = "chromium"
        self.reset()

    def reset(self) -> None:
        """Prepare for another call."""
        self.talking_muted = self.sound_blocked = False

    def changed(self) -> None:
        """Update the description of the problem, after a device changed; missing devices are mentioned once."""
        codes = self.microphone.problem, self.camera.problem
        before, self.problem_is_note = self.problem_is_note, "missing" in codes and set(codes) <= {"", "missing"}
        if self.problem_is_note and codes == self._noted:
            if not before:
                self.problem = ""
            return
        if self.problem_is_note:
            self._noted = codes
        self.problem = texts.devices_problem(self.microphone, self.camera, self.browser)

    def asked(self) -> None:
        """Mention missing devices again, because the person asks for one."""
        self._noted = ("", "")
