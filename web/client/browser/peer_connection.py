"""One peer connection: carries out the negotiation's commands, one at a time, and sends the own tracks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from signald_client.signaling import negotiation_commands

from ..model import webrtc_stats
from ..model.devices import AUDIO, VIDEO
from .bridge import BrowserError, BrowserJson, Listeners, call, construct, get, put, report_entries, spawn, wait, window
from .data_channel import DataChannel, proposed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from signald_client.signaling.negotiation import Negotiator
    from signald_client.signaling.wire import Message, Value

    from .local_media import LocalMedia
    from .screen_share import ScreenShare

    class ConnectionObserver(Protocol):
        """The owner of a peer connection, which carries its messages and follows its changes.

        Attributes:
            send: takes each message for the other side, which goes through the server.
            log: takes lines for whoever looks for a fault.

        """

        send: Callable[[Message], None]
        log: Callable[[str], None]

        def connection_changed(self, __peer: PeerConnection, __connection: str) -> None:
            """The connection is in another `RTCPeerConnectionState`."""

        def negotiation_failed(self, __user: str) -> None:
            """A negotiation with this user failed."""

        def described(self) -> None:
            """The connection has another description."""

        def track_came(self) -> None:
            """The other side sends one more track."""

        def channel_opened(self, __peer: PeerConnection) -> None:
            """The data channel is open."""

        def text_came(self, __peer: PeerConnection, __text: str) -> None:
            """A text arrived over the data channel."""

        def channel_closed(self, __peer: PeerConnection) -> None:
            """The data channel is closed."""


__all__ = ["PeerConnection"]


class PeerConnection:
    """The connection with one other member.

    Attributes:
        user: who that is.
        negotiator: what decides about offers, answers and candidates.
        stream: a JavaScript `MediaStream` with the other side's tracks, one of a kind.
        screen: one with the tracks of the other side's screen, which come beside those and stay for the next time.
        described: how many descriptions were set, or tried.
        speaks: whether the other page understands messages (`peer_messaging`), and so knows one picture from another.
        bounded: the bits per second and the divisor of the size that the browser keeps to for the own picture; None
            before it does.

    """

    def __init__(
        self,
        negotiator: Negotiator,
        configuration: dict[str, Any],
        media: LocalMedia,
        screen: ScreenShare,
        calls: bool,
        observer: ConnectionObserver,
    ) -> None:
        """Make the connection.

        Args:
            negotiator: the pair's.
            configuration: W3C `RTCConfiguration`.
            media: the own tracks.
            screen: what the person shows of their screen.
            calls: whether this side offers first.
            observer: takes what the connection sends and is told its changes.

        """
        self.user = negotiator.remote_user
        self.negotiator = negotiator
        self.stream = construct("MediaStream")
        self.screen = construct("MediaStream")
        self.bounded: tuple[int, float] | None = None
        self.described = 0
        self._came = ""
        self.speaks = False
        self._media = media
        self._screen = screen
        self._observer = observer
        self._json = BrowserJson()
        self._senders: dict[str, Any] = {}
        self._screen_senders: dict[str, Any] = {}
        self._channel: DataChannel | None = None
        self._audio: Any = None
        self._bounding = False
        self._complaints: list[str] = []
        self._commands: list[Value] = []
        self._working = False
        self._closed = False
        self._configuration = configuration
        self._connection = construct("RTCPeerConnection", configuration)
        self._listeners = listeners = Listeners()
        listeners.listen(self._connection, "icecandidate", self._candidate_found)
        listeners.listen(
            self._connection, "negotiationneeded", lambda event: self.run(self.negotiator.negotiation_needed())
        )
        listeners.listen(self._connection, "connectionstatechange", self._connection_changed)
        listeners.listen(self._connection, "track", self._track_came)
        if calls:
            self._talk()
            self._propose()

    def supply(self, ice_servers: list[dict[str, Any]]) -> None:
        """Use these STUN and TURN servers for the next paths (ICE restart)."""
        self._configuration["iceServers"] = ice_servers
        try:
            call(self._connection, "setConfiguration", self._configuration)
        except BrowserError as error:
            self._observer.log(f"setConfiguration: {error.name}: {error.message}")

    def _propose(self) -> None:
        """Prepare for sending and receiving picture and sound, whether or not there is a device now.

        A camera that comes later then needs no new negotiation.
        """
        for kind in (AUDIO, VIDEO):
            track = self._media.track(kind)
            options = {"direction": "sendrecv", "streams": [self._media.stream]}
            transceiver = call(self._connection, "addTransceiver", kind if track is None else track, options)
            self._senders[kind] = get(transceiver, "sender")

    async def _accept(self) -> None:
        """Answer each medium that the other side proposed with the own one."""
        for transceiver in call(self._connection, "getTransceivers"):
            sender = get(transceiver, "sender")
            kind = get(transceiver, "receiver", "track", "kind")
            if kind in self._senders:
                continue
            self._senders[kind] = sender
            put(transceiver, "direction", "sendrecv")
            if get(sender, "setStreams") is not None:
                # One stream for both lets the other side keep lips and voice together.
                call(sender, "setStreams", self._media.stream)
            await self._replace(kind)

    async def _replace(self, kind: str) -> None:
        """Send the track that runs now, or nothing; to a program that knows of one picture alone, rather the screen."""
        if kind in self._senders:
            track = self._media.track(kind)
            if kind == VIDEO and not self.speaks and self._screen.track(VIDEO) is not None:
                track = self._screen.track(VIDEO)
            await self._set_track(self._senders[kind], track)

    async def _set_track(self, sender: Any, track: Any) -> None:
        if not self._closed:
            try:
                await wait(call(sender, "replaceTrack", track))
            except BrowserError as error:
                self._observer.log(f"replaceTrack: {error.name}: {error.message}")

    def share(self) -> None:
        """Send what the person shows of their screen now: another thing, or nothing any more."""
        spawn(self._share())

    async def _share(self) -> None:
        await self._replace(VIDEO)
        for kind in (AUDIO, VIDEO):
            track = self._screen.track(kind)
            if kind in self._screen_senders:
                await self._set_track(self._screen_senders[kind], track)
            elif track is not None and self.speaks and not self._closed:
                options = {"direction": "sendonly", "streams": [self._screen.stream]}
                transceiver = call(self._connection, "addTransceiver", track, options)
                self._screen_senders[kind] = get(transceiver, "sender")
                self.bounded = None

    def understood(self) -> None:
        """The other page understands messages."""
        self.speaks = True
        if self._screen.track(VIDEO) is not None:
            self.share()

    def tell(self, text: str) -> bool:
        """Send a text to the other page; False when there is no way now."""
        return self._channel is not None and self._channel.send(text)

    def _talk(self) -> None:
        """Open the channel for messages."""
        if self._channel is None:
            observer = self._observer
            self._channel = DataChannel(
                self._connection,
                self._listeners,
                lambda: observer.channel_opened(self),
                lambda text: observer.text_came(self, text),
                lambda: observer.channel_closed(self),
            )

    def replace_track(self, kind: str) -> None:
        """The own track of this kind is another one, or none."""
        spawn(self._replace(kind))

    def run(self, commands: list[Value]) -> None:
        """Carry out the negotiator's commands after those that are still to be done."""
        self._commands += commands
        if self._commands and not self._working:
            self._working = True
            spawn(self._work())

    async def _work(self) -> None:
        while self._commands and not self._closed:
            self._commands += await self._carry_out(self._commands.pop(0))
        self._working = False

    async def _carry_out(self, command: Value) -> list[Value]:
        """Carry out one command; return what follows from it."""
        if isinstance(command, negotiation_commands.CreateAndSetLocal):
            return await self._set_local()
        if isinstance(command, negotiation_commands.SetRemote):
            return await self._set_remote(command)
        if isinstance(command, negotiation_commands.AddCandidate):
            await self._add_candidate(command.candidate)
        elif isinstance(command, negotiation_commands.SendRequest):
            self._observer.send(command.message)
        elif isinstance(command, negotiation_commands.RestartIce):
            call(self._connection, "restartIce")
        elif isinstance(command, negotiation_commands.FlushLater):
            spawn(self._flush_after(command.seconds))
        elif isinstance(command, negotiation_commands.NegotiationFailed):
            self._observer.log(f"{command.operation}: {command.name}: {command.message}")
            self._observer.negotiation_failed(self.user)
        return []

    async def _set_local(self) -> list[Value]:
        try:
            await wait(call(self._connection, "setLocalDescription"))
        except BrowserError as error:
            return self.negotiator.operation_failed(error.name, error.message)
        self._count_description()
        return self.negotiator.local_description_set(get(self._connection, "localDescription", "sdp"))

    async def _set_remote(self, command: negotiation_commands.SetRemote) -> list[Value]:
        # Noted first: the channel may be open before Python hears that this is done.
        self._came = command.sdp
        try:
            await wait(call(self._connection, "setRemoteDescription", {"type": command.type, "sdp": command.sdp}))
            if command.type == "offer":
                if proposed(command.sdp):
                    self._talk()
                await self._accept()
        except BrowserError as error:
            return self.negotiator.operation_failed(error.name, error.message)
        self._count_description()
        return self.negotiator.remote_description_set()

    def _count_description(self) -> None:
        self.described += 1
        self._observer.described()

    @property
    def descriptions(self) -> tuple[str, str]:
        """The own and the other side's, SDP; the other's as it came, and as the browser understood it."""
        own = get(self._connection, "localDescription", "sdp")
        others = get(self._connection, "remoteDescription", "sdp")
        return own or "", self._came + "\n" + (others or "")

    async def _add_candidate(self, candidate: dict[str, Any] | None) -> None:
        try:
            if candidate is None:
                await wait(call(self._connection, "addIceCandidate"))
            else:
                await wait(call(self._connection, "addIceCandidate", candidate))
        except BrowserError:
            # A candidate that cannot be used is one path less, not an error.
            return

    async def _flush_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.run(self.negotiator.flush_candidates())

    def _candidate_found(self, event: Any) -> None:
        candidate = get(event, "candidate")
        if candidate is not None:
            candidate = self._json.loads(call(get(window, "JSON"), "stringify", candidate))
        self.run(self.negotiator.local_candidate(candidate))

    def _connection_changed(self, event: Any) -> None:
        if not self._closed:
            self._observer.connection_changed(self, get(self._connection, "connectionState"))

    def _track_came(self, event: Any) -> None:
        track, kind = get(event, "track"), get(event, "track", "kind")
        # Camera and microphone are negotiated first.
        mids = [
            get(transceiver, "mid")
            for transceiver in call(self._connection, "getTransceivers")
            if get(transceiver, "receiver", "track", "kind") == kind
        ]
        stream = self.stream if mids[0] == get(event, "transceiver", "mid") else self.screen
        if kind == AUDIO and stream is self.stream:
            self._audio = get(event, "receiver")
        for other in call(stream, "getTracks"):
            if get(other, "kind") == kind:
                call(stream, "removeTrack", other)
        call(stream, "addTrack", track)
        self._observer.track_came()

    def loudness(self) -> float:
        """Return how loud the other side is: 0.0 for silence, 1.0 for the loudest (WebRTC 1.0 `audioLevel`)."""
        loudest = 0.0
        if self._audio is not None:
            for source in call(self._audio, "getSynchronizationSources"):
                loudest = max(loudest, float(get(source, "audioLevel") or 0))
        return loudest

    def bound_video(self, bitrate: int, scale: float) -> None:
        """Send the picture with so many bits per second at most, and scaled down by so much.

        Call it again and again: the browser does not take it at every moment.
        """
        if self.bounded != (bitrate, scale) and not self._bounding:
            self._bounding = True
            spawn(self._bound_video(bitrate, scale))

    async def _bound_video(self, bitrate: int, scale: float) -> None:
        """Apply the bounds (WebRTC 1.0 `RTCRtpSender.setParameters`), if this is the moment."""
        try:
            # Parameters that were read before a negotiation changed them are refused.
            if VIDEO in self._senders and get(self._connection, "signalingState") == "stable":
                screen = self._screen_senders.get(VIDEO)
                taken = await _set_bounds(self._senders[VIDEO], bitrate, scale)
                # A screen keeps its size: its letters are to be read.
                if (screen is None or await _set_bounds(screen, bitrate, 1.0)) and taken:
                    self.bounded = (bitrate, scale)
        except BrowserError as error:
            if error.name not in self._complaints:
                self._complaints.append(error.name)
                self._observer.log(f"setParameters: {error.name}: {error.message}")
        self._bounding = False

    async def statistics(self) -> list[dict[str, Any]]:
        """Return the entries of the connection's statistics (W3C `webrtc-stats`) that `webrtc_stats` reads."""
        return report_entries(await wait(call(self._connection, "getStats")), webrtc_stats.TYPES, webrtc_stats.KEYS)

    @property
    def states(self) -> tuple[str, str]:
        """The states of ICE and of the connection as a whole."""
        return get(self._connection, "iceConnectionState"), get(self._connection, "connectionState")

    def close(self) -> None:
        """End the connection; the other side notices by itself, too."""
        self._closed = True
        self._commands = []
        call(self._connection, "close")
        self._listeners.end()


async def _set_bounds(sender: Any, bitrate: int, scale: float) -> bool:
    """Bound what a sender sends; False when its parameters are not there yet."""
    parameters = call(sender, "getParameters")
    encoding = get(parameters, "encodings", "0")
    if encoding is None:
        return False
    put(encoding, "maxBitrate", bitrate)
    put(encoding, "scaleResolutionDownBy", scale)
    await wait(call(sender, "setParameters", parameters))
    return True
