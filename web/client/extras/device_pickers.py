"""The pickers of camera, microphone and speaker, before a call and during one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser import storage
from ..browser.bridge import call, get, put, window
from ..model.device_choices import CAMERA, MICROPHONE, SPEAKER
from ..model.devices import AUDIO, VIDEO
from .elements import list_options
from .tones import SPEAKER_TEST, play

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.local_media import LocalMedia
    from ..browser.page import Page
    from ..model.device_choices import DeviceChoices
    from ..model.page_state import PageState

__all__ = ["TRACKS", "DevicePickers", "use_device"]

PICKERS = {CAMERA: "pick-camera", MICROPHONE: "pick-microphone", SPEAKER: "pick-speaker"}

TRACKS = {CAMERA: VIDEO, MICROPHONE: AUDIO}
"""The kinds of tracks of the devices that have any."""


def use_device(
    choices: DeviceChoices, media: LocalMedia, speaker_chosen: Callable[[], None], kind: str, device: str
) -> None:
    """Use another device of a kind from now on; the rest of the arguments is of `DevicePickers`."""
    choices.choose(kind, device)
    storage.save_devices(choices.chosen)
    if kind in TRACKS:
        media.switch_device(TRACKS[kind])
    else:
        speaker_chosen()


class DevicePickers:
    """Controls the element `pickers`, which is on the start screen, and during a call in the dialog `settings`."""

    def __init__(
        self,
        page: Page,
        state: PageState,
        choices: DeviceChoices,
        media: LocalMedia,
        speaker_chosen: Callable[[], None],
    ) -> None:
        """Listen to the elements of the page.

        Arguments:
            page: the page's elements.
            state: the page's state.
            choices: the available and chosen devices.
            media: the local media, which switches to another camera or microphone.
            speaker_chosen: called when the person chose another speaker.

        """
        self._page = page
        self._state = state
        self._choices = choices
        self._media = media
        self._speaker_chosen = speaker_chosen
        self._shown: dict[str, list[tuple[str, str, bool]]] = {}
        for kind, name in PICKERS.items():
            page.on(name, "change", self._picked(kind))
        page.on_click("test-speaker", lambda: play(SPEAKER_TEST, choices.chosen.get(SPEAKER, "")))
        page.on("hint-muted", "change", lambda event: self._store_hint())
        page.on("sounds", "change", lambda event: self._store_sounds())
        page.on("settings", "close", lambda event: call(page.element("devices"), "append", page.element("pickers")))
        put(page.element("hint-muted"), "checked", state.devices.mute_hints)
        put(page.element("sounds"), "checked", state.devices.sounds)
        for name in ("test-speaker", "hint-muted", "sounds"):
            # Nothing that a person does before this module is loaded is lost.
            put(page.element(name), "disabled", False)

    def update(self) -> None:
        """Draw the present state."""
        if not self._state.in_session and get(self._page.element("settings"), "open"):
            call(self._page.element("settings"), "close")
        for kind, name in PICKERS.items():
            used = self._media.device_id(TRACKS[kind]) if kind in TRACKS else ""
            options = self._choices.options(kind, used)
            if options != self._shown.get(kind):
                self._shown[kind] = options
                in_use = "".join([device for device, _, used in options if used])
                list_options(self._page.element(name), [(device, label) for device, label, _ in options], in_use)
                put(self._page.element(name), "disabled", not options)
        speakers = self._shown[SPEAKER] and get(window, "HTMLMediaElement", "prototype", "setSinkId") is not None
        for name in ("pick-speaker", "speaker-label"):
            put(self._page.element(name), "hidden", not speakers)

    def _picked(self, kind: str) -> Callable[[Any], None]:
        def picked(event: Any) -> None:
            device = get(self._page.element(PICKERS[kind]), "value")
            use_device(self._choices, self._media, self._speaker_chosen, kind, device)

        return picked

    def _store_hint(self) -> None:
        self._state.devices.mute_hints = bool(get(self._page.element("hint-muted"), "checked"))
        storage.save_mute_hints(self._state.devices.mute_hints)

    def _store_sounds(self) -> None:
        self._state.devices.sounds = bool(get(self._page.element("sounds"), "checked"))
        storage.save_sounds(self._state.devices.sounds)

    def open(self) -> None:
        """Show the pickers in the dialog."""
        call(self._page.element("settings-pickers"), "append", self._page.element("pickers"))
        call(self._page.element("settings"), "showModal")
