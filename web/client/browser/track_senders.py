"""Sends the local camera, microphone and screen over one peer connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.devices import AUDIO, VIDEO
from .bridge import BrowserError, call, get, put, spawn, wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.mesh import Bounds
    from .local_media import LocalMedia
    from .screen_share import ScreenShare

__all__ = ["TrackSenders"]


class TrackSenders:
    """The senders of one `RTCPeerConnection`, each of which sends one local track or nothing.

    Attributes:
        understands_messages: whether the other page supports messages (`peer_messaging`), and therefore distinguishes
            the camera's video from the screen's.
        video_bounds: the bounds of the local video that the browser accepted last; None before.

    """

    def __init__(
        self, connection: Any, media: LocalMedia, screen: ScreenShare, log: Callable[[str, BrowserError], None]
    ) -> None:
        """Send nothing yet.

        Arguments:
            connection: the `RTCPeerConnection`.
            media: the local camera and microphone.
            screen: the local shared screen.
            log: receives the name of an operation that failed, and the error.

        """
        self.understands_messages = False
        self.video_bounds: Bounds | None = None
        self._connection = connection
        self._media = media
        self._screen = screen
        self._log = log
        self._senders: dict[str, Any] = {}
        self._screen_senders: dict[str, Any] = {}
        self._limiting = False
        self._logged_errors: list[str] = []
        self._closed = False

    def add_transceivers(self) -> None:
        """Prepare to send and receive audio and video, with or without a device.

        A camera that is switched on later then needs no further negotiation.
        """
        for kind in (AUDIO, VIDEO):
            track = self._media.track(kind)
            options = {"direction": "sendrecv", "streams": [self._media.stream]}
            transceiver = call(self._connection, "addTransceiver", kind if track is None else track, options)
            self._senders[kind] = get(transceiver, "sender")

    async def answer_transceivers(self) -> None:
        """Send the local track of each kind over the transceiver that the other side offered."""
        for transceiver in call(self._connection, "getTransceivers"):
            sender = get(transceiver, "sender")
            kind = get(transceiver, "receiver", "track", "kind")
            if kind in self._senders:
                continue
            self._senders[kind] = sender
            put(transceiver, "direction", "sendrecv")
            if get(sender, "setStreams") is not None:
                # With one stream for both tracks, the other side's browser keeps lips and voice synchronous.
                call(sender, "setStreams", self._media.stream)
            await self._replace_track(kind)

    async def _replace_track(self, kind: str) -> None:
        """Send the current local track; a client that supports one video only gets the screen instead of the camera."""
        if kind in self._senders:
            track = self._media.track(kind)
            if kind == VIDEO and not self.understands_messages and self._screen.track(VIDEO) is not None:
                track = self._screen.track(VIDEO)
            await self._set_track(self._senders[kind], track)

    async def _set_track(self, sender: Any, track: Any) -> None:
        if not self._closed:
            try:
                await wait(call(sender, "replaceTrack", track))
            except BrowserError as error:
                self._log("replaceTrack", error)

    def replace_screen(self) -> None:
        """Send the current tracks of the shared screen, or no track."""
        spawn(self._replace_screen())

    async def _replace_screen(self) -> None:
        await self._replace_track(VIDEO)
        for kind in (AUDIO, VIDEO):
            track = self._screen.track(kind)
            if kind in self._screen_senders:
                await self._set_track(self._screen_senders[kind], track)
            elif track is not None and self.understands_messages and not self._closed:
                options = {"direction": "sendonly", "streams": [self._screen.stream]}
                transceiver = call(self._connection, "addTransceiver", track, options)
                self._screen_senders[kind] = get(transceiver, "sender")
                self.video_bounds = None

    def enable_messages(self) -> None:
        """Send the shared screen as a second video, because the other page supports messages."""
        self.understands_messages = True
        if self._screen.track(VIDEO) is not None:
            self.replace_screen()

    def replace_track(self, kind: str) -> None:
        """Send the current local track of this kind, or no track."""
        spawn(self._replace_track(kind))

    def limit_video(self, bounds: Bounds) -> None:
        """Limit the local video.

        The caller repeats the call, since the browser accepts new parameters only while no negotiation is in progress.
        """
        if self.video_bounds != bounds and not self._limiting:
            self._limiting = True
            spawn(self._limit_video(bounds))

    async def _limit_video(self, bounds: Bounds) -> None:
        """Set the limits (WebRTC 1.0 `RTCRtpSender.setParameters`), if the browser accepts them now."""
        try:
            # The browser refuses parameters that were read before a negotiation changed them.
            if VIDEO in self._senders and get(self._connection, "signalingState") == "stable":
                screen = self._screen_senders.get(VIDEO)
                accepted = await _set_limits(self._senders[VIDEO], bounds.bitrate, bounds.scale)
                # The size of a screen is not reduced, so that its text stays readable.
                if (screen is None or await _set_limits(screen, bounds.screen_bitrate, 1.0)) and accepted:
                    self.video_bounds = bounds
        except BrowserError as error:
            if error.name not in self._logged_errors:
                self._logged_errors.append(error.name)
                self._log("setParameters", error)
        self._limiting = False

    def close(self) -> None:
        """Change nothing any more, because the connection is closed."""
        self._closed = True


async def _set_limits(sender: Any, bitrate: int, scale: float) -> bool:
    """Limit the video of an `RTCRtpSender`; return False if the sender has no encoding yet."""
    parameters = call(sender, "getParameters")
    encoding = get(parameters, "encodings", "0")
    if encoding is None:
        return False
    put(encoding, "maxBitrate", bitrate)
    put(encoding, "scaleResolutionDownBy", scale)
    await wait(call(sender, "setParameters", parameters))
    return True
