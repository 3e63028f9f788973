"""The local camera and microphone: requests, mutes, switches and releases them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from ..model.device_choices import device_kind
from ..model.devices import AUDIO, MUTED, OFF, ON, REQUESTED, VIDEO, problem_code
from .bridge import BrowserError, call, construct, get, listen, put, spawn, wait, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.device_choices import DeviceChoices
    from ..model.devices import Device
    from ..model.page_state import PageState

__all__ = ["LocalMedia"]


class LocalMedia:
    """The local tracks.

    Attributes:
        stream: a JavaScript `MediaStream` that always holds the running tracks.

    """

    def __init__(
        self,
        state: PageState,
        choices: DeviceChoices,
        refresh: Callable[[], None],
        replaced: Callable[[str], None],
    ) -> None:
        """Start without a track.

        Arguments:
            state: the page's state; `devices.microphone` and `devices.camera` are kept up to date here.
            choices: the devices that the person chose.
            refresh: called when the state changed.
            replaced: called with the kind whose track was replaced or removed.

        """
        self.stream = construct("MediaStream")
        self._devices = {AUDIO: state.devices.microphone, VIDEO: state.devices.camera}
        self._tracks: dict[str, Any] = {AUDIO: None, VIDEO: None}
        self._state = state
        self._choices = choices
        self._refresh = refresh
        self._replaced = replaced
        self._switch_later: list[str] = []  # kinds that were chosen while a request for the earlier device was pending
        # `stop` increments it, so that a device that was requested before is released when it starts
        self._generation = 0

    def track(self, kind: str) -> Any:
        """Return the running track of this kind; None if there is none."""
        return self._tracks[kind]

    @property
    def picture_height(self) -> int:
        """The height of the camera's picture in pixels; 0 if it is off, or the browser does not tell."""
        track = self.track(VIDEO)
        return 0 if track is None else get(call(track, "getSettings"), "height") or 0

    def device_id(self, kind: str) -> str:
        """Return the id of the device that the running track of this kind uses; empty if no track runs."""
        track = self._tracks[kind]
        return "" if track is None else get(call(track, "getSettings"), "deviceId") or ""

    async def start(self, *kinds: str) -> None:
        """Request devices, both with one prompt if the browser supports it; devices that run already are kept."""
        wanted = [kind for kind in kinds if self._tracks[kind] is None and self._devices[kind].status != REQUESTED]
        if not wanted:
            return
        for kind in wanted:
            self._devices[kind].requested()
        self._refresh()
        generation = self._generation
        problems = await self._request(wanted, generation)
        if generation != self._generation:
            return
        for kind in wanted:
            if self._tracks[kind] is None:
                self._devices[kind].stopped(problems[kind])
        await self.discover()
        self._state.devices.changed()
        self._refresh()
        postponed, self._switch_later = self._switch_later, []
        for kind in postponed:
            self.switch_device(kind)

    async def _request(self, kinds: list[str], generation: int) -> dict[str, str]:
        """Start the devices of these kinds; return the problem code of each kind, empty for success."""
        devices = get(window, "navigator", "mediaDevices")
        if devices is None:
            problem = "unsupported" if get(window, "isSecureContext") else "insecure"
            return dict.fromkeys(kinds, problem)
        problems = dict.fromkeys(kinds, "missing")
        available = await self._available_kinds()
        wanted = [kind for kind in kinds if kind in available]
        together = await self._open(devices, wanted, generation) if wanted else ""
        for kind in wanted:
            problems[kind] = together
            # One device may work without the other. After a refusal of both devices there is no second prompt.
            if together and len(wanted) > 1 and (together != "refused" or await self._granted(kind)):
                problems[kind] = await self._open(devices, [kind], generation)
        return problems

    async def _open(self, devices: Any, kinds: list[str], generation: int) -> str:
        """Start devices of all these kinds together; return the problem code on failure."""
        if generation != self._generation:
            return ""
        try:
            stream = await wait(
                call(devices, "getUserMedia", {kind: self._choices.constraints(kind) for kind in kinds})
            )
        except BrowserError as error:
            return problem_code(error.name)
        for track in call(stream, "getTracks"):
            self._add_track(track, generation)
        return ""

    async def _available_kinds(self) -> list[str]:
        """Return the kinds for which the browser lists a device."""
        entries = await self._entries()
        if entries is None:
            return [AUDIO, VIDEO]
        # The chosen devices are matched with the listed devices before they are requested.
        self._choices.set_available(entries)
        kinds = [kind for kind, _, _ in entries]
        return [kind for kind in (AUDIO, VIDEO) if device_kind(kind) in kinds]

    async def discover(self) -> list[str]:
        """Update the list of devices; return the kinds of which a device was added."""
        return self._choices.set_available(await self._entries() or [])

    async def _entries(self) -> list[tuple[str, str, str]] | None:
        """Return kind, id and label of each device; None if the browser does not list its devices."""
        try:
            found = await wait(call(get(window, "navigator", "mediaDevices"), "enumerateDevices"))
        except BrowserError:
            return None
        return [(get(device, "kind"), get(device, "deviceId"), get(device, "label")) for device in found]

    async def granted(self) -> bool:
        """Return whether the browser grants camera and microphone without a prompt."""
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

    def _add_track(self, track: Any, generation: int) -> None:
        if generation != self._generation:
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
            # The track is muted before it is sent, so that a muted person is never audible.
            self._devices[kind].status = MUTED
            put(track, "enabled", False)
        call(self.stream, "addTrack", track)
        track_id = get(track, "id")
        # The listener holds only the id: with a reference to the track, neither of the two would ever be released.
        listen(track, "ended", lambda event: self._track_ended(kind, track_id))
        self._replaced(kind)

    def _track_ended(self, kind: str, track_id: str) -> None:
        """Release a track that ended because the device was unplugged or the permission was withdrawn."""
        if get(self._tracks[kind], "id") == track_id:
            self._release(kind, "lost")
            self._state.devices.changed()
            self._refresh()

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
        """Mute or unmute the microphone; request it if it does not run."""
        device: Device = self._devices[AUDIO]
        device.wanted = device.status in (OFF, MUTED) or (device.status == REQUESTED and not device.wanted)
        if device.status == OFF:
            self._state.devices.asked()
            spawn(self.start(AUDIO))
            return
        if not device.wanted and not self._state.devices.mute_hints:
            self._release(AUDIO)
        elif device.status != REQUESTED:
            device.status = ON if device.wanted else MUTED
            put(self._tracks[AUDIO], "enabled", device.wanted)
        self._refresh()

    def toggle_camera(self) -> None:
        """Switch the camera on, or release it so that its light goes out."""
        device: Device = self._devices[VIDEO]
        device.wanted = device.status == OFF or (device.status == REQUESTED and not device.wanted)
        if device.status == OFF:
            self._state.devices.asked()
            spawn(self.start(VIDEO))
            return
        self._release(VIDEO)
        self._refresh()

    def switch_device(self, kind: str) -> None:
        """Switch to the chosen device of this kind, if a device of this kind is running."""
        if self._devices[kind].status == REQUESTED:
            self._switch_later.append(kind)
        elif self._tracks[kind] is not None:
            spawn(self._restart(kind))

    async def _restart(self, kind: str) -> None:
        # The track is released first, because phones cannot open two cameras at once.
        self._release(kind)
        await self.start(kind)

    async def devices_changed(self) -> None:
        """Start a wanted device that was missing or lost, after a device was plugged in or unplugged."""
        added = await self.discover()
        missing = [
            kind
            for kind in (AUDIO, VIDEO)
            if self._devices[kind].problem in ("lost", "missing")
            and self._choices.available[device_kind(kind)]
            and (self._devices[kind].wanted or (kind == AUDIO and self._state.devices.mute_hints))
        ]
        if missing and (self._state.in_session or self._state.devices.previewing):
            await self.start(*missing)
        elif added and self._state.in_session:
            self._state.notices.notice = texts.NEW_DEVICE
        self._refresh()

    def stop(self) -> None:
        """Release both devices, and the devices that a pending request will start."""
        self._generation += 1
        for kind in (AUDIO, VIDEO):
            self._release(kind)
            self._devices[kind].stopped()
