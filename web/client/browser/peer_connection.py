"""One peer connection: runs the negotiator's commands in order, and collects the remote tracks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from signald_client.signaling import negotiation_commands

from ..model import webrtc_stats
from ..model.devices import AUDIO
from .bridge import BrowserError, BrowserJson, Listeners, call, construct, get, report_entries, spawn, wait, window
from .data_channel import DataChannel, proposed
from .ice_servers import with_usable_servers
from .track_senders import TrackSenders

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from signald_client.signaling.negotiation import Negotiator
    from signald_client.signaling.wire import Message, Value

    from .local_media import LocalMedia
    from .screen_share import ScreenShare

    class ConnectionObserver(Protocol):
        """The owner of a peer connection, which sends its messages and is called on each change.

        Attributes:
            send: sends a message to the other side through the server.
            log: receives log lines for diagnosis.

        """

        send: Callable[[Message], None]
        log: Callable[[str], None]

        def connection_changed(self, __peer: PeerConnection, __connection: str) -> None:
            """The `RTCPeerConnectionState` of the connection has changed."""

        def negotiation_failed(self, __user: str) -> None:
            """A negotiation with this user failed."""

        def media_changed(self) -> None:
            """The connection has a new description, or one more remote track."""

        def channel_opened(self, __peer: PeerConnection) -> None:
            """The data channel has opened."""

        def receive(self, __peer: PeerConnection, __text: str) -> None:
            """A text arrived over the data channel."""

        def channel_closed(self, __peer: PeerConnection) -> None:
            """The data channel has closed."""


__all__ = ["PeerConnection"]


class PeerConnection:
    """The peer connection with one other member.

    Attributes:
        user: the user id of the other member.
        negotiator: decides about offers, answers and candidates.
        stream: a JavaScript `MediaStream` with the remote microphone and camera tracks, one of each kind.
        screen: a `MediaStream` with the tracks of the remote screen, which are kept until the screen is shared again.
        descriptions_set: the number of descriptions that were set.
        senders: send the local tracks.

    """

    def __init__(
        self,
        *,
        negotiator: Negotiator,
        configuration: dict[str, Any],
        media: LocalMedia,
        screen: ScreenShare,
        offers_first: bool,
        observer: ConnectionObserver,
    ) -> None:
        """Create the connection.

        Arguments:
            negotiator: the negotiator of this pair of members.
            configuration: W3C `RTCConfiguration`.
            media: the local camera and microphone.
            screen: the local shared screen.
            offers_first: whether this side sends the first offer.
            observer: sends the connection's messages, and is called on its changes.

        Raises:
            BrowserError: the browser refuses the connection or its data channel.

        """
        self.user = negotiator.known_as
        self.negotiator = negotiator
        self.stream = construct("MediaStream")
        self.screen = construct("MediaStream")
        self.descriptions_set = 0
        self._observer = observer
        self._json = BrowserJson()
        self._remote_sdp = ""
        self._sampled: dict[str, dict[str, Any]] = {}
        self._channel: DataChannel | None = None
        self._audio_receiver: Any = None
        self._commands: list[Value] = []
        self._running = False
        self._closed = False
        self._configuration = configuration
        self._connection = with_usable_servers(
            lambda configuration: construct("RTCPeerConnection", configuration), configuration, observer.log
        )
        self.senders = TrackSenders(self._connection, media, screen, self._log)
        self._listeners = Listeners()
        self._listen()
        if offers_first:
            try:
                self._open_channel()
                self.senders.add_transceivers()
            except BrowserError:
                self.close()
                raise

    def _listen(self) -> None:
        for event, handler in (
            ("icecandidate", self._candidate_found),
            ("negotiationneeded", lambda event: self.run(self.negotiator.negotiation_needed())),
            ("connectionstatechange", self._connection_changed),
            ("track", self._track_added),
        ):
            self._listeners.listen(self._connection, event, handler)

    def attach(self, negotiator: Negotiator) -> None:
        """Go on with another negotiator for the same member, whom the server knows anew."""
        self.negotiator = negotiator
        self.run(negotiator.continue_negotiation())

    def set_ice_servers(self, ice_servers: list[dict[str, Any]]) -> None:
        """Use these STUN and TURN servers for the next ICE restart."""
        self._configuration["iceServers"] = ice_servers
        try:
            with_usable_servers(
                lambda configuration: call(self._connection, "setConfiguration", configuration),
                self._configuration,
                self._observer.log,
            )
        except BrowserError as error:
            self._log("setConfiguration", error)

    def _log(self, operation: str, error: BrowserError) -> None:
        self._observer.log(f"{operation}: {error.name}: {error.message}")

    def send_text(self, text: str) -> bool:
        """Send a text over the data channel; return False if that is impossible now."""
        return self._channel is not None and self._channel.send(text)

    def _open_channel(self) -> None:
        """Open the data channel, unless it exists."""
        if self._channel is None:
            observer = self._observer
            self._channel = DataChannel(
                self._connection,
                self._listeners,
                opened=lambda: observer.channel_opened(self),
                received=lambda text: observer.receive(self, text),
                closed=lambda: observer.channel_closed(self),
            )

    def run(self, commands: list[Value]) -> None:
        """Queue the negotiator's commands, and run them one after the other."""
        self._commands += commands
        if self._commands and not self._running:
            self._running = True
            spawn(self._run_queue())

    async def _run_queue(self) -> None:
        while self._commands and not self._closed:
            self._commands += await self._run_command(self._commands.pop(0))
        self._running = False

    async def _run_command(self, command: Value) -> list[Value]:
        """Run one command, and return those that follow from it."""
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
        # The description is stored first, because the channel may open before Python resumes here.
        self._remote_sdp = command.sdp
        try:
            await wait(call(self._connection, "setRemoteDescription", {"type": command.type, "sdp": command.sdp}))
            if command.type == "offer":
                if proposed(command.sdp):
                    self._open_channel()
                await self.senders.answer_transceivers()
        except BrowserError as error:
            return self.negotiator.operation_failed(error.name, error.message)
        self._count_description()
        return self.negotiator.remote_description_set()

    def _count_description(self) -> None:
        self.descriptions_set += 1
        self._observer.media_changed()

    @property
    def descriptions(self) -> tuple[str, str]:
        """The local and the remote SDP; the remote SDP as it arrived, followed by the browser's version of it."""
        local = get(self._connection, "localDescription", "sdp")
        remote = get(self._connection, "remoteDescription", "sdp")
        return local or "", self._remote_sdp + "\n" + (remote or "")

    async def _add_candidate(self, candidate: dict[str, Any] | None) -> None:
        try:
            if candidate is None:
                await wait(call(self._connection, "addIceCandidate"))
            else:
                await wait(call(self._connection, "addIceCandidate", candidate))
        except BrowserError:
            # An unusable candidate means one path less, and is not a failure of the connection.
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

    def _track_added(self, event: Any) -> None:
        track, kind = get(event, "track"), get(event, "track", "kind")
        # The first transceiver of a kind carries the camera or microphone, the second one the screen.
        mids = [
            get(transceiver, "mid")
            for transceiver in call(self._connection, "getTransceivers")
            if get(transceiver, "receiver", "track", "kind") == kind
        ]
        stream = self.stream if mids[0] == get(event, "transceiver", "mid") else self.screen
        if kind == AUDIO and stream is self.stream:
            self._audio_receiver = get(event, "receiver")
        for old in call(stream, "getTracks"):
            if get(old, "kind") == kind:
                call(stream, "removeTrack", old)
        call(stream, "addTrack", track)
        self._observer.media_changed()

    def loudness(self) -> float:
        """Return the remote audio level, from 0.0 for silence to 1.0 (WebRTC 1.0 `audioLevel`)."""
        loudest = 0.0
        if self._audio_receiver is not None:
            for source in call(self._audio_receiver, "getSynchronizationSources"):
                loudest = max(loudest, float(get(source, "audioLevel") or 0))
        return loudest

    async def statistics(self) -> list[dict[str, Any]]:
        """Return the entries of the connection's statistics (W3C `webrtc-stats`) that `webrtc_stats` reads."""
        return report_entries(await wait(call(self._connection, "getStats")), webrtc_stats.TYPES, webrtc_stats.KEYS)

    async def totals(self) -> dict[str, Any]:
        """Return the totals of the statistics (`webrtc_stats.totals`).

        Raises:
            BrowserError: the connection was closed meanwhile.

        """
        return webrtc_stats.totals(await self.statistics())

    async def sample(self) -> dict[str, Any] | None:
        """Return the figures since the last sample (`webrtc_stats.compare`); None for the first one.

        Raises:
            BrowserError: the connection was closed meanwhile.

        """
        before, self._sampled = self._sampled, webrtc_stats.by_id(await self.statistics())
        return webrtc_stats.compare(before, self._sampled) if before else None

    @property
    def sound_direction(self) -> str:
        """The direction of the microphones' sound as seen from this side (`RTCRtpTransceiverDirection`).

        It is `inactive` if the descriptions have no sound, and empty before the first negotiation.
        """
        for transceiver in call(self._connection, "getTransceivers"):
            if get(transceiver, "receiver", "track", "kind") == AUDIO:
                return get(transceiver, "currentDirection") or ""
        return "inactive" if get(self._connection, "currentRemoteDescription") is not None else ""

    @property
    def states(self) -> tuple[str, str]:
        """The ICE connection state and the peer connection state."""
        return get(self._connection, "iceConnectionState"), get(self._connection, "connectionState")

    def close(self) -> None:
        """Close the connection; the other side's browser detects that by itself."""
        self._closed = True
        self._commands = []
        self.senders.close()
        call(self._connection, "close")
        self._listeners.end()
