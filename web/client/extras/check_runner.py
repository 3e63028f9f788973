"""Runs the connectivity test: one check after the other, and releases their resources."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser import storage
from ..browser.bridge import BrowserError, call, construct, get, loudness, now, put, spawn, wait, window
from ..model import webrtc_stats
from ..model.active_speaker import SPEECH
from ..model.device_choices import DeviceChoices
from ..model.devices import AUDIO, VIDEO, problem_code
from . import checks, extra_texts
from .checks import CALL, CAMERA, MICROPHONE, SERVER, STUN, TURN
from .ice_gathering import RELAY, SRFLX, IceGathering
from .loopback_call import LoopbackPeer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .checks import Checks

__all__ = ["CheckRun"]

POLL = 0.05
"""Seconds between two polls of what a check waits for."""

PREVIEW = 1.5
"""Seconds for which the person sees their own picture at least."""

FRAME_TIMEOUT = 6.0
"""Seconds without a frame after which a camera counts as dark."""

METERING = 1.5
"""Seconds for which the audio level is shown at least."""

SPEECH_TIMEOUT = 3.0
"""Seconds within which speech must be measured."""

SAMPLES = 2048
"""The number of audio samples from which a level is computed: 43 ms at 48 kHz, about the interval between two polls."""

GATHER_TIMEOUT = 6.0
"""Seconds in which a STUN or TURN server must answer; browsers take 10 or more to give one up."""

PINGS = 3
"""The number of pings to the server; the fastest answer counts."""

CALL_TIMEOUT = 15.0
"""Seconds that one loopback call may take."""


class CheckRun:
    """One run of the connectivity test."""

    def __init__(self, test: Checks, video: Any, level: Any, changed: Callable[[], None]) -> None:
        """Prepare a run.

        Arguments:
            test: the checks, which store the outcomes.
            video: the `video` element for the local picture.
            level: the element for the level of the microphone.
            changed: called when `test` has changed.

        """
        self._test = test
        self._video = video
        self._level = level
        self._changed = changed
        self._streams: list[Any] = []
        self._cleanups: list[Callable[[], object]] = []
        self._peers: list[LoopbackPeer] = []
        self._choices = DeviceChoices(storage.devices())

    async def run(self) -> None:
        """Run the checks of a test that was begun, one after the other."""
        for name, check in (
            (CAMERA, self._camera),
            (MICROPHONE, self._microphone),
            (SERVER, self._server),
            (STUN, self._stun),
            (TURN, self._turn),
            (CALL, self._call),
        ):
            if self._test.start(name, now()):
                self._changed()
                try:
                    await check()
                except BrowserError as error:
                    self._log(f"{name}: {error.name}: {error.message}")
                    self._test.refused(name)
                self._release()
                self._changed()
        self._end()

    def stop(self) -> None:
        """Stop the run at once."""
        self._test.stop()
        self._end()
        self._changed()

    def _end(self) -> None:
        self._release()
        while self._peers:
            self._peers.pop().close()

    def _release(self) -> None:
        """Release the resources of one check."""
        put(self._video, "srcObject", None)
        while self._streams:
            _stop_tracks(self._streams.pop())
        while self._cleanups:
            self._cleanups.pop()()

    async def _until(self, name: str, done: Callable[[], object]) -> bool:
        """Wait until `done` is true; return False if the check ended before, for whatever reason."""
        while self._test.running(name):
            if done():
                return True
            await asyncio.sleep(POLL)
            for peer in self._peers:
                peer.tick()
            self._test.tick(now())
        return False

    def _log(self, line: str) -> None:
        call(get(window, "signald", "log"), "push", line)

    # Devices

    async def _open(self, name: str, kind: str) -> Any:
        """Return a stream of the camera or the microphone; None if there is none, after storing that as the outcome."""
        devices = get(window, "navigator", "mediaDevices")
        if devices is None:
            self._test.finish(name, "unsupported" if get(window, "isSecureContext") else "insecure")
            return None
        # The request runs in a task of its own, because the browser may never answer.
        spawn(self._ask(name, kind, devices))
        return self._streams[0] if await self._until(name, lambda: self._streams) else None

    async def _ask(self, name: str, kind: str, devices: Any) -> None:
        try:
            stream = await wait(call(devices, "getUserMedia", {kind: self._choices.constraints(kind)}))
        except BrowserError as error:
            self._test.finish(name, problem_code(error.name))
            return
        if self._test.running(name):
            self._streams.append(stream)
        else:
            _stop_tracks(stream)

    async def _camera(self) -> None:
        stream = await self._open(CAMERA, VIDEO)
        if stream is None:
            return
        put(self._video, "srcObject", stream)
        since = now()
        label = get(call(stream, "getVideoTracks"), "0", "label")

        def seen() -> bool:
            seconds = PREVIEW if get(self._video, "videoWidth") else FRAME_TIMEOUT
            return now() - since >= seconds

        if await self._until(CAMERA, seen):
            width, height = get(self._video, "videoWidth"), get(self._video, "videoHeight")
            self._test.finish(CAMERA, "works" if width else "dark", label, width, height)

    async def _microphone(self) -> None:
        stream = await self._open(MICROPHONE, AUDIO)
        if stream is None:
            return
        context = construct("AudioContext")
        self._cleanups.append(lambda: spawn(_ignore(call(context, "close"))))
        # Some browsers start the audio context by themselves, others only on request.
        spawn(_ignore(call(context, "resume")))
        analyser = call(context, "createAnalyser")
        put(analyser, "fftSize", SAMPLES)
        call(call(context, "createMediaStreamSource", stream), "connect", analyser)
        samples = construct("Float32Array", SAMPLES)
        label = get(call(stream, "getAudioTracks"), "0", "label")
        since = now()
        loudest = 0.0

        def measured() -> bool:
            nonlocal loudest
            level = loudness(analyser, samples)
            self._show(level)
            loudest = max(loudest, level)
            return now() - since >= (METERING if loudest >= SPEECH else SPEECH_TIMEOUT)

        if await self._until(MICROPHONE, measured):
            if get(context, "state") != "running":
                # Firefox does not start the audio context on a machine without a loudspeaker.
                self._test.finish(MICROPHONE, "unmeasured", label)
            else:
                self._test.finish(MICROPHONE, "works" if loudest >= SPEECH else "silent", label)

    def _show(self, level: float) -> None:
        # Loudness is perceived on a logarithmic scale: the root makes soft speech visible.
        shown = min(1.0, (level * 4) ** 0.5)
        call(get(self._level, "style"), "setProperty", "--level", str(shown))
        put(self._level, "ariaValueNow", str(int(shown * 100)))

    # The server, STUN and TURN

    def _connect(self) -> LoopbackPeer:
        peer = LoopbackPeer(self._log)
        self._peers.append(peer)
        return peer

    async def _server(self) -> None:
        peer = self._connect()
        if not await self._until(SERVER, lambda: peer.welcomed or peer.problem or peer.lost):
            return
        if peer.problem:
            self._test.finish(SERVER, "refused", peer.problem)
            return
        fastest = None
        for _ in range(PINGS):
            seconds = await self._ping(peer)
            if seconds is not None and (fastest is None or seconds < fastest):
                fastest = seconds
        if fastest is None:
            self._test.finish(SERVER, "unreachable")
        else:
            self._test.finish(SERVER, "works", checks.milliseconds(fastest))

    async def _ping(self, peer: LoopbackPeer) -> float | None:
        """Return the round-trip time to the server in seconds; None without an answer."""
        sent_at = peer.ping()
        if (
            not peer.welcomed
            or not await self._until(SERVER, lambda: peer.lost or peer.received_at > sent_at)
            or peer.lost
        ):
            return None
        return peer.received_at - sent_at

    async def _gather(self, name: str, wanted: str, servers: list[dict[str, Any]]) -> list[str] | None:
        """Return how each ICE server answered; None if the test ended before."""
        gatherings = [IceGathering(server, wanted) for server in servers]
        self._cleanups += [gathering.close for gathering in gatherings]
        since = now()

        def done() -> bool:
            return now() - since >= GATHER_TIMEOUT or all(gathering.done for gathering in gatherings)

        return [gathering.answer for gathering in gatherings] if await self._until(name, done) else None

    async def _stun(self) -> None:
        answers = await self._gather(STUN, SRFLX, checks.stun_servers(self._peers[0].ice_servers))
        if answers is not None:
            outcome, count = checks.stun_outcome(answers)
            self._test.finish(STUN, outcome, count)

    async def _turn(self) -> None:
        # Some servers give TURN credentials to members of a session only.
        host = self._peers[0]
        host.open(False)
        if not await self._until(TURN, lambda: host.session or host.problem or host.lost):
            return
        host.problem = ""
        servers = checks.turn_servers(self._peers[0].ice_servers)
        answers = await self._gather(TURN, RELAY, [server for _, server in servers])
        if answers is not None:
            named = [(servers[place][0], each) for place, each in enumerate(answers)]
            outcome, works, fails = checks.turn_outcome(named)
            self._test.finish(TURN, outcome, works, fails)

    # The loopback call

    async def _call(self) -> None:
        host, guest = self._peers[0], self._connect()
        if not await self._until(CALL, lambda: guest.welcomed or guest.problem or guest.lost):
            return
        seconds = await self._try_call(host, guest, False)
        problem = host.problem or guest.problem
        if problem:
            self._test.finish(CALL, "refused", problem)
        elif seconds is None:
            self._test.finish(CALL, "one-way" if host.connected and guest.connected else "fails")
        else:
            relayed = webrtc_stats.totals(await host.statistics())["selectedPair"] or {}
            path = extra_texts.TEST_RELAYED if "relay" in relayed.values() else extra_texts.TEST_DIRECT
            outcome, first, second = "works", checks.milliseconds(seconds), ""
            if self._test.relayed:
                through = await self._try_call(host, guest, True)
                outcome = "relay-fails" if through is None else "relay-works"
                second = "" if through is None else checks.milliseconds(through)
            self._test.finish(CALL, outcome, path, first, second)

    async def _try_call(self, host: LoopbackPeer, guest: LoopbackPeer, relay_only: bool) -> float | None:
        """Make a loopback call, and return the slower round-trip time in seconds; None without a connection."""
        guest.leave()
        host.leave()
        until = now() + CALL_TIMEOUT

        def stuck() -> bool:
            return bool(host.problem or guest.problem or host.failed or guest.failed) or now() >= until

        host.open(relay_only)
        if not await self._until(CALL, lambda: host.session or stuck()) or not host.session:
            return None
        guest.join(host.session, relay_only)
        await self._until(CALL, lambda: None not in (host.round_trip, guest.round_trip) or stuck())
        if host.round_trip is None or guest.round_trip is None:
            return None
        return max(host.round_trip, guest.round_trip)


def _stop_tracks(stream: Any) -> None:
    for track in call(stream, "getTracks"):
        call(track, "stop")


async def _ignore(promise: Any) -> None:
    """Wait for a promise and ignore its failure."""
    try:
        await wait(promise)
    except BrowserError:
        return
