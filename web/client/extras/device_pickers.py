"""The pickers of camera, microphone and speaker, before a call and during one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser import storage
from ..browser.audio_output import set_speaker
from ..browser.bridge import BrowserError, call, construct, get, put, spawn, wait, window
from ..model.device_choices import CAMERA, MICROPHONE, SPEAKER
from ..model.devices import AUDIO, VIDEO
from .elements import list_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.local_media import LocalMedia
    from ..browser.page import Page
    from ..model.device_choices import DeviceChoices
    from ..model.page_state import PageState

__all__ = ["DevicePickers"]

PICKERS = {CAMERA: "pick-camera", MICROPHONE: "pick-microphone", SPEAKER: "pick-speaker"}

TRACKS = {CAMERA: VIDEO, MICROPHONE: AUDIO}

TONE = 440.0
"""The frequency in Hertz of the sound that tests a speaker."""

TONE_SECONDS = 0.6
"""The duration of that sound in seconds."""


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
        self._tone: Any = None
        for kind, name in PICKERS.items():
            page.on(name, "change", self._picked(kind))
        page.on_click("test-speaker", self._test)
        page.on("hint-muted", "change", lambda event: self._store_hint())
        page.on("settings", "close", lambda event: call(page.element("devices"), "append", page.element("pickers")))
        put(page.element("hint-muted"), "checked", state.devices.mute_hints)

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
            self._choices.choose(kind, get(self._page.element(PICKERS[kind]), "value"))
            storage.save_devices(self._choices.chosen)
            if kind in TRACKS:
                self._media.switch_device(TRACKS[kind])
            else:
                self._speaker_chosen()

        return picked

    def _store_hint(self) -> None:
        self._state.devices.mute_hints = bool(get(self._page.element("hint-muted"), "checked"))
        storage.save_mute_hints(self._state.devices.mute_hints)

    def open(self) -> None:
        """Show the pickers in the dialog."""
        call(self._page.element("settings-pickers"), "append", self._page.element("pickers"))
        call(self._page.element("settings"), "showModal")

    def _test(self) -> None:
        """Play a tone through the chosen speaker."""
        try:
            context = construct("AudioContext")
            oscillator = call(context, "createOscillator")
            put(get(oscillator, "frequency"), "value", TONE)
            volume = call(context, "createGain")
            put(get(volume, "gain"), "value", 0.2)
            target = call(context, "createMediaStreamDestination")
            call(call(oscillator, "connect", volume), "connect", target)
            self._tone = construct("Audio")
            put(self._tone, "srcObject", get(target, "stream"))
        except BrowserError:
            return
        set_speaker(self._tone, self._choices.chosen.get(SPEAKER, ""))
        spawn(_attempt(self._tone, "play"))
        call(oscillator, "start")
        call(oscillator, "stop", TONE_SECONDS)
        spawn(_close_later(context))


async def _attempt(target: Any, method: str) -> None:
    """Call a method that returns a promise, and ignore a failure."""
    try:
        await wait(call(target, method))
    except BrowserError:
        return


async def _close_later(context: Any) -> None:
    await asyncio.sleep(TONE_SECONDS + 0.5)
    await _attempt(context, "close")
