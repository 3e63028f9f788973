"""The person's own camera and microphone: asked for, muted, switched off and on again, released."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from ..model.device_choices import kind_of
from ..model.devices import ASKING, AUDIO, MUTED, OFF, ON, VIDEO, problem_of
from .bridge import BrowserError, call, construct, get, listen, put, spawn, wait, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.device_choices import DeviceChoices
    from ..model.devices import Device
    from ..model.page_state import PageState

__all__ = ["LocalMedia"]


class LocalMedia:
    """The own tracks.

    Attributes:
        stream: a JavaScript `MediaStream` that always holds the tracks that run.

    """

    def __init__(
        self,
        state: PageState,
        choices: DeviceChoices,
        changed: Callable[[], None],
        replaced: Callable[[str], None],
    ) -> None:
        """Begin with nothing.

        Args:
            state: whose `microphone` and `camera` tell what is so.
            choices: which devices the person wants.
            changed: called when they changed.
            replaced: called with a kind of which there is another track now, or none.

        """
        self.stream = construct("MediaStream")
        self._devices = {AUDIO: state.devices.microphone, VIDEO: state.devices.camera}
        self._tracks: dict[str, Any] = {AUDIO: None, VIDEO: None}
        self._state = state
        self._choices = choices
        self._changed = changed
        self._replaced = replaced
        self._chosen_anew: list[str] = []  # while the device before was still asked for
        self._round = 0  # grows with each `stop`, so that what was asked for before is released when it comes

    def track(self, kind: str) -> Any:
        """Return the track of this kind that runs; None when none does."""
        return self._tracks[kind]

    def device(self, kind: str) -> str:
        """Return the id of the device whose track of this kind runs; empty where none does."""
        track = self._tracks[kind]
        return "" if track is None else get(call(track, "getSettings"), "deviceId") or ""

    async def start(self, *kinds: str) -> None:
        """Ask for devices, both in one question where the browser can; those that run already stay."""
        wanted = [kind for kind in kinds if self._tracks[kind] is None and self._devices[kind].status != ASKING]
        if not wanted:
            return
        for kind in wanted:
            self._devices[kind].asked()
        self._changed()
        asked_in = self._round
        problems = await self._ask(wanted, asked_in)
        if asked_in != self._round:
            return
        for kind in wanted:
            if self._tracks[kind] is None:
                self._devices[kind].stopped(problems[kind])
        await self.discover()
        self._state.devices.changed()
        self._changed()
        again, self._chosen_anew = self._chosen_anew, []
        for kind in again:
            self.choose(kind)

    async def _ask(self, kinds: list[str], asked_in: int) -> dict[str, str]:
        """Take what there is of these kinds; return the problem of each, empty for none."""
        devices = get(window, "navigator", "mediaDevices")
        if devices is None:
            problem = "unsupported" if get(window, "isSecureContext") else "insecure"
            return dict.fromkeys(kinds, problem)
        problems = dict.fromkeys(kinds, "missing")
        there = await self._kinds_there()
        wanted = [kind for kind in kinds if kind in there]
        together = await self._open(devices, wanted, asked_in) if wanted else ""
        for kind in wanted:
            problems[kind] = together
            # One of them may do alone; but a person who said no to both is not asked again.
            if together and len(wanted) > 1 and (together != "refused" or await self._granted(kind)):
                problems[kind] = await self._open(devices, [kind], asked_in)
        return problems

    async def _open(self, devices: Any, kinds: list[str], asked_in: int) -> str:
        """Take devices of all these kinds; return the problem if that cannot be."""
        if asked_in != self._round:
            return ""
        try:
            stream = await wait(
                call(devices, "getUserMedia", {kind: self._choices.constraints(kind) for kind in kinds})
            )
        except BrowserError as error:
            return problem_of(error.name)
        for track in call(stream, "getTracks"):
            self._take(track, asked_in)
        return ""

    async def _kinds_there(self) -> list[str]:
        """Return the kinds of which there is a device, as far as the browser says."""
        entries = await self._entries()
        if entries is None:
            return [AUDIO, VIDEO]
        # What was chosen is known again before it is asked for.
        self._choices.discovered(entries)
        kinds = [kind for kind, _, _ in entries]
        return [kind for kind in (AUDIO, VIDEO) if kind_of(kind) in kinds]

    async def discover(self) -> list[str]:
        """Find out which devices there are; return the kinds of which there is one more now."""
        return self._choices.discovered(await self._entries() or [])

    async def _entries(self) -> list[tuple[str, str, str]] | None:
        """Return kind, id and name of each device; None when the browser does not say."""
        try:
            found = await wait(call(get(window, "navigator", "mediaDevices"), "enumerateDevices"))
        except BrowserError:
            return None
        return [(get(device, "kind"), get(device, "deviceId"), get(device, "label")) for device in found]

    async def granted(self) -> bool:
        """Return whether camera and microphone can be had without a question."""
        return get(window, "navigator", "mediaDevices") is not None and (
            await self._granted(VIDEO) and await self._granted(AUDIO)
        )

    async def _granted(self, kind: str) -> bool:
        name = "camera" if kind == VIDEO else "microphone"
        try:
            permission = await wait(call(get(window, "navigator", "permissions"), "query", {"name": name}))
        except BrowserError:
            return False
        return bool(get(permission, "state") == "granted")

    def _take(self, track: Any, asked_in: int) -> None:
        if asked_in != self._round:
            call(track, "stop")
            return
        kind = get(track, "kind")
        wanted = self._devices[kind].wanted
        if kind == VIDEO and not wanted:
            call(track, "stop")
            return
        self._tracks[kind] = track
        self._devices[kind].started()
        if not wanted:
            # Nobody is heard who did not want it, not even for a moment.
            self._devices[kind].status = MUTED
            put(track, "enabled", False)
        call(self.stream, "addTrack", track)
        track_id = get(track, "id")
        # Without a hold on the track, which would never be released.
        listen(track, "ended", lambda event: self._lost(kind, track_id))
        self._replaced(kind)

    def _lost(self, kind: str, track_id: str) -> None:
        """A track ended by itself: its device was unplugged, or the permission taken back."""
        if get(self._tracks[kind], "id") == track_id:
            self._release(kind, "lost")
            self._state.devices.changed()
            self._changed()

    def _release(self, kind: str, problem: str = "") -> None:
        track = self._tracks[kind]
        if track is None:
            return
        self._tracks[kind] = None
        call(track, "stop")
        call(self.stream, "removeTrack", track)
        self._devices[kind].stopped(problem)
        self._replaced(kind)

    def toggle_microphone(self) -> None:
        """Mute or unmute; a microphone that does not run is asked for."""
        device: Device = self._devices[AUDIO]
        device.wanted = device.status in (OFF, MUTED) or (device.status == ASKING and not device.wanted)
        if device.status == OFF:
            spawn(self.start(AUDIO))
            return
        if not device.wanted and not self._state.devices.mute_hints:
            self._release(AUDIO)
        elif device.status != ASKING:
            device.status = ON if device.wanted else MUTED
            put(self._tracks[AUDIO], "enabled", device.wanted)
        self._changed()

    def toggle_camera(self) -> None:
        """Switch the camera off, so that its light goes out, or on."""
        device: Device = self._devices[VIDEO]
        device.wanted = device.status == OFF or (device.status == ASKING and not device.wanted)
        if device.status == OFF:
            spawn(self.start(VIDEO))
            return
        self._release(VIDEO)
        self._changed()

    def choose(self, kind: str) -> None:
        """Another device of this kind was chosen: take it, if one runs."""
        if self._devices[kind].status == ASKING:
            self._chosen_anew.append(kind)
        elif self._tracks[kind] is not None:
            spawn(self._exchange(kind))

    async def _exchange(self, kind: str) -> None:
        # Phones cannot open two cameras at once.
        self._release(kind)
        await self.start(kind)

    async def devices_changed(self) -> None:
        """A device was plugged in or out: what is wanted and was missing is taken as soon as it is there."""
        more = await self.discover()
        lost = [
            kind
            for kind in (AUDIO, VIDEO)
            if self._devices[kind].problem in ("lost", "missing")
            and self._choices.found[kind_of(kind)]
            and (self._devices[kind].wanted or (kind == AUDIO and self._state.devices.mute_hints))
        ]
        if lost and (self._state.in_session or self._state.devices.previewing):
            await self.start(*lost)
        elif more and self._state.in_session:
            self._state.notices.notice = texts.NEW_DEVICE
        self._changed()

    def stop(self) -> None:
        """Release both; whatever was asked for and comes later is released, too."""
        self._round += 1
        for kind in (AUDIO, VIDEO):
            self._release(kind)
            self._devices[kind].stopped()
