"""Choosing camera, microphone and speaker, before a call and in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser import storage
from ..browser.audio_output import set_speaker
from ..browser.bridge import BrowserError, call, construct, get, put, spawn, wait, window
from ..model.device_choices import CAMERA, MICROPHONE, SPEAKER
from ..model.devices import AUDIO, VIDEO

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
"""Hertz of the sound that tests a speaker."""

TONE_FOR = 0.6
"""Seconds."""


class DevicePickers:
    """The element `pickers`, which is on the start screen, and during a call in the sheet `settings`."""

    def __init__(
        self,
        page: Page,
        state: PageState,
        choices: DeviceChoices,
        media: LocalMedia,
        speaker_chosen: Callable[[], None],
    ) -> None:
        """Take the elements.

        Args:
            page: which has them.
            state: the page's.
            choices: what can be chosen.
            media: takes another camera or microphone.
            speaker_chosen: called when another speaker was.

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
        page.on("test-speaker", "click", lambda event: self._test())
        page.on("hint-muted", "change", lambda event: self._hint())
        page.on("settings", "close", lambda event: call(page.element("devices"), "append", page.element("pickers")))
        put(page.element("hint-muted"), "checked", state.devices.mute_hints)

    def follow(self) -> None:
        """Show what there is now."""
        if not self._state.in_session and get(self._page.element("settings"), "open"):
            call(self._page.element("settings"), "close")
        for kind, name in PICKERS.items():
            used = self._media.device_id(TRACKS[kind]) if kind in TRACKS else ""
            options = self._choices.options(kind, used)
            if options != self._shown.get(kind):
                self._shown[kind] = options
                self._fill(self._page.element(name), options)
        speakers = self._shown[SPEAKER] and get(window, "HTMLMediaElement", "prototype", "setSinkId") is not None
        for name in ("pick-speaker", "speaker-label"):
            put(self._page.element(name), "hidden", not speakers)

    def _fill(self, select: Any, options: list[tuple[str, str, bool]]) -> None:
        call(select, "replaceChildren")
        for device, name, used in options:
            option = call(get(window, "document"), "createElement", "option")
            put(option, "value", device)
            put(option, "textContent", name)
            put(option, "selected", used)
            call(select, "append", option)
        put(select, "disabled", not options)

    def _picked(self, kind: str) -> Callable[[Any], None]:
        def picked(event: Any) -> None:
            self._choices.choose(kind, get(self._page.element(PICKERS[kind]), "value"))
            storage.save_devices(self._choices.chosen)
            if kind in TRACKS:
                self._media.switch_device(TRACKS[kind])
            else:
                self._speaker_chosen()

        return picked

    def _hint(self) -> None:
        self._state.devices.mute_hints = bool(get(self._page.element("hint-muted"), "checked"))
        storage.save_mute_hints(self._state.devices.mute_hints)

    def open(self) -> None:
        """Show them in the sheet."""
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
        spawn(self._play(self._tone))
        call(oscillator, "start")
        call(oscillator, "stop", TONE_FOR)
        spawn(self._close_after(context))

    async def _play(self, tone: Any) -> None:
        try:
            await wait(call(tone, "play"))
        except BrowserError:
            return

    async def _close_after(self, context: Any) -> None:
        await asyncio.sleep(TONE_FOR + 0.5)
        try:
            await wait(call(context, "close"))
        except BrowserError:
            return
