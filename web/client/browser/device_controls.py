"""The buttons for camera, microphone, loudspeaker and screen, before a call and during one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from ..model.device_choices import SPEAKER, USER, DeviceChoices
from ..model.devices import AUDIO, VIDEO, browser_family
from ..model.page_state import START
from . import storage
from .bridge import call, get, listen, put, spawn, window
from .local_media import LocalMedia
from .screen_share import ScreenShare, can_share_screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.page_state import PageState
    from .current_call import CurrentCall
    from .page import Page

__all__ = ["DeviceControls"]


class DeviceControls:
    """Starts, mutes and stops the local devices on the person's request.

    Attributes:
        choices: the devices that the person chose.
        media: the camera and the microphone.
        screen: the shared screen.

    """

    def __init__(self, page: Page, state: PageState, current: CurrentCall, refresh: Callable[[], None]) -> None:
        """Listen to the buttons; `refresh` is called when the state has changed."""
        self.choices = DeviceChoices(storage.devices())
        self.media = LocalMedia(state, self.choices, refresh, current.replace_track)
        self.screen = ScreenShare(state, refresh, current.replace_screen)
        self._state = state
        self._current = current
        self._refresh = refresh
        self._coarse_pointer = bool(get(call(window, "matchMedia", "(pointer: coarse)"), "matches"))
        state.network.relay_only = storage.relay_only()
        devices = state.devices
        devices.mute_hints = storage.mute_hints()
        devices.sounds = storage.sounds()
        devices.browser = browser_family(get(window, "navigator", "userAgent"))
        devices.can_share = can_share_screen()
        page.on_click("mute", lambda: self.toggle(AUDIO))
        page.on_click("camera", lambda: self.toggle(VIDEO))
        page.on_click("share", self.screen.toggle)
        page.on_click("flip", self._flip_camera)
        put(page.element("local-video"), "srcObject", self.media.stream)
        target = get(window, "navigator", "mediaDevices")
        if target is not None:
            listen(target, "devicechange", lambda event: spawn(self.media.devices_changed()))

    def preview(self) -> None:
        """Start the self-view before a call."""
        devices = self._state.devices
        devices.previewing = devices.microphone.wanted = devices.camera.wanted = True
        spawn(self.media.start(AUDIO, VIDEO))
        self._refresh()

    async def preview_if_granted(self) -> None:
        """Start the self-view if the browser grants the devices without a prompt, and the person wants both."""
        devices = self._state.devices
        wanted = devices.microphone.wanted and devices.camera.wanted
        if wanted and await self.media.granted() and self._state.phase == START and not self._state.devices.previewing:
            self.preview()

    @property
    def call_began(self) -> bool:
        """Whether there is a call, which requested its devices as it began."""
        return self._current.call is not None

    async def start_wanted(self) -> None:
        """Start the devices that the person wants in a call; a preview may have started them already."""
        devices = self._state.devices
        if not devices.previewing:
            wanted = [device.kind for device in (devices.microphone, devices.camera) if device.wanted]
            await self.media.start(*wanted)

    def stop(self) -> None:
        """Release the camera and the microphone."""
        self.media.stop()
        self._refresh()

    def call_ended(self) -> None:
        """Return to the preview after a cancelled call; release the devices after any other call."""
        self._state.devices.previewing = self._state.phase == START
        if not self._state.devices.previewing:
            self.media.stop()

    def update(self) -> None:
        """Update the state from the chosen camera, and stop sharing the screen outside a session."""
        devices = self._state.devices
        devices.front_camera = self.choices.facing == USER
        devices.can_flip = self.choices.several_cameras and self._coarse_pointer
        if not self._state.in_session:
            self.screen.stop()

    def mute_by_host(self) -> None:
        """Mute the microphone at the host's request."""
        if self._state.devices.microphone.is_on:
            self.media.toggle_microphone()
            self._state.notices.announce(texts.MUTED_BY_HOST)
            self._refresh()

    def speaker_id(self) -> str:
        """Return the device id of the chosen loudspeaker; empty for the system's default."""
        return self.choices.chosen.get(SPEAKER, "")

    def toggle(self, kind: str) -> None:
        """Switch the microphone or the camera on or off; before a call, choose whether it starts."""
        devices = self._state.devices
        if self._state.phase == START and not devices.previewing:
            # No device is running yet, so the button chooses which devices a call starts.
            device = devices.microphone if kind == AUDIO else devices.camera
            device.wanted = not device.wanted
            self._refresh()
        elif kind == AUDIO:
            self.media.toggle_microphone()
        else:
            self.media.toggle_camera()

    def _flip_camera(self) -> None:
        self.choices.flip()
        self.media.switch_device(VIDEO)
