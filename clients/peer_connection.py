"""The WebRTC connection with one other member: carries out the negotiator's commands, and counts the media."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtcicetransport import parse_stun_turn_uri
from aiortc.sdp import candidate_from_sdp

from signald_client.data_channel import ChannelObserver, DataChannel, is_offered
from signald_client.dtls import accept_rsa_peers, dtls_state
from signald_client.media import CountingTrack, Media
from signald_client.report import MemberReport
from signald_client.signaling import messages
from signald_client.signaling.negotiation import Negotiator
from signald_client.signaling.negotiation_commands import (
    AddCandidate,
    CreateAndSetLocal,
    NegotiationFailed,
    SendRequest,
    SetRemote,
)
from signald_client.signaling.verification import Verification
from signald_client.signaling.wire import Message, Value

__all__ = ["PeerConnection"]

CLOSE_SECONDS = 5.0
"""Seconds that closing an aiortc connection may take."""

KINDS = ("audio", "video")

_log = logging.getLogger(__name__)


class PeerConnection:
    """An aiortc connection that follows a negotiator.

    aiortc gathers all candidates while it sets a local description, which then holds them: no candidate is sent by
    itself, only the end of candidates. aiortc has neither rollback nor ICE restart.

    Attributes:
        report: the figures so far; complete after `close`.
        number: the number of the connection, which is never used again.
        name: the member's name; empty for none.

    """

    def __init__(
        self,
        negotiator: Negotiator,
        media: Media,
        ice_servers: Sequence[messages.IceServer],
        send: Callable[[Message], None],
        on_failed: Callable[[PeerConnection], None],
        clock: Callable[[], float],
        *,
        relay_only: bool = False,
        number: int = 0,
        name: str = "",
        session: str = "",
        channels: ChannelObserver | None = None,
    ) -> None:
        """Prepare the connection; `start_negotiation` makes the first offer where this side offers first.

        Arguments:
            negotiator: the negotiator for the member.
            media: the media to send, and the sink for received media.
            ice_servers: STUN and TURN servers. Later ones cannot be used: aiortc has no ICE restart, and refreshes its
                allocations with these credentials, which a TURN server accepts for as long as the allocation lasts.
            send: sends a request to the server.
            on_failed: called when no path to the member was found, the path was lost, or a negotiation failed.
            clock: a monotonic clock in seconds.
            relay_only: whether to connect through TURN servers alone.
            number: the number of the connection.
            name: the member's name.
            session: the session's canonical id.
            channels: is told about the data channel; without it there is none.

        """
        self.report = MemberReport(negotiator.known_as)
        self.number = number
        self.name = name
        self._session = session
        self._channels = channels
        self._channel: DataChannel | None = None
        self._remote_sdp = ""
        self._negotiator = negotiator
        self._media = media
        self._send = send
        self._on_failed = on_failed
        self._clock = clock
        self._relay_only = relay_only
        self._started_at = clock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection = _make_connection(ice_servers, relay_only=relay_only)
        self._connection.on("track", self._track_added)
        self._connection.on("connectionstatechange", self._connection_state_changed)
        self._connection.on("iceconnectionstatechange", self._ice_state_changed)
        self._counters = _add_tracks(self._connection, media)
        self._handlers: dict[type[Value], Callable[[Any], None]] = {
            SendRequest: lambda command: self._send(command.message),
            CreateAndSetLocal: lambda command: self._run_in_background(self._set_local(command.kind)),
            SetRemote: lambda command: self._run_in_background(self._set_remote(command)),
            AddCandidate: lambda command: self._run_in_background(self._add_candidate(command.candidate)),
            NegotiationFailed: self._negotiation_failed,
        }

    @property
    def is_connected(self) -> bool:
        """Whether there is a path to the member."""
        return self._connection.connectionState == "connected"

    @property
    def user(self) -> str:
        """The member's user id."""
        return self.report.user

    @property
    def verification(self) -> Verification:
        """The verification of the connection; one that was never started while there is no data channel."""
        return Verification("") if self._channel is None else self._channel.verification

    def send_message(self, message: dict[str, Any]) -> None:
        """Send a message over the data channel, if that is possible now."""
        if self._channel is not None:
            self._channel.send(message)

    def attach(self, negotiator: Negotiator) -> None:
        """Go on with another negotiator for the same member, which the server knows anew."""
        self._negotiator = negotiator
        self.carry_out(negotiator.continue_negotiation())

    def start_negotiation(self) -> None:
        """Negotiate, if this side is the one that offers first."""
        self.carry_out(self._negotiator.negotiation_needed())

    def carry_out(self, commands: Sequence[Value]) -> None:
        """Carry out the negotiator's commands, in their order.

        The negotiator never sends `FlushLater` and `RestartIce` to this edge, which trickles no candidates and restarts
        no ICE.
        """
        for command in commands:
            self._handlers[type(command)](command)

    async def close(self) -> None:
        """Complete the report, and close the connection; called once."""
        await self._complete_report()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._media.stop()
        except Exception:  # noqa: BLE001, an error in an application's class must not keep the connection open
            _log.error("Media.stop raised an error.", exc_info=True)
        for counter in self._counters.values():
            counter.stop()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.close()
        except TimeoutError:
            _log.warning("The peer connection did not close within %g s.", CLOSE_SECONDS)

    # The negotiator's commands

    async def _set_local(self, kind: str) -> None:
        connection = self._connection
        try:
            if kind == "offer":
                self._open_channel()
            description = await (connection.createOffer() if kind == "offer" else connection.createAnswer())
            await connection.setLocalDescription(description)
        except Exception as error:  # noqa: BLE001, the negotiator handles whatever aiortc raises
            self.carry_out(self._negotiator.operation_failed(type(error).__name__, str(error)))
            return
        if self._relay_only and "a=candidate:" not in connection.localDescription.sdp:
            # aiortc would wait for a candidate for ever.
            _log.warning("This session needs a TURN server, and no server granted a relayed address.")
            self._on_failed(self)
            return
        self._check_channel()
        self.carry_out(self._negotiator.local_description_set(connection.localDescription.sdp))
        self.carry_out(self._negotiator.local_candidate(None))

    async def _set_remote(self, command: SetRemote) -> None:
        self._remote_sdp = command.sdp
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(command.sdp, command.type))
            if is_offered(command.sdp):
                self._open_channel()
        except Exception as error:  # noqa: BLE001, as above
            self.carry_out(self._negotiator.operation_failed(type(error).__name__, str(error)))
            return
        self._check_channel()
        self.carry_out(self._negotiator.remote_description_set())

    def _open_channel(self) -> None:
        """Open the data channel, unless it is open or nobody wants one."""
        channels = self._channels
        if channels is None or self._channel is not None:
            return
        self._channel = DataChannel(
            self._connection,
            self._session,
            self._describe,
            lambda: channels.channel_ready(self),
            lambda message: channels.message_received(self, message),
        )

    def _check_channel(self) -> None:
        if self._channel is not None:
            self._channel.descriptions_changed()

    def _describe(self) -> tuple[str, str]:
        """Return the local SDP, and the remote one as it was received and as aiortc understood it."""
        local, remote = self._connection.localDescription, self._connection.remoteDescription
        return ("" if local is None else local.sdp), self._remote_sdp + "\n" + ("" if remote is None else remote.sdp)

    async def _add_candidate(self, plain: dict[str, Any] | None) -> None:
        try:
            candidate = None
            if plain is not None:
                candidate = candidate_from_sdp(plain["candidate"].removeprefix("candidate:"))
                candidate.sdpMid = plain.get("sdpMid")
                candidate.sdpMLineIndex = plain.get("sdpMLineIndex")
            await self._connection.addIceCandidate(candidate)
        except Exception:  # noqa: BLE001, an unusable candidate is one path less and no failure
            _log.debug("A remote candidate could not be used.")

    def _negotiation_failed(self, command: NegotiationFailed) -> None:
        _log.warning("The negotiation failed (%s): %s", command.operation, command.name)
        self._on_failed(self)

    # Events of the aiortc connection

    def _track_added(self, track: MediaStreamTrack) -> None:
        if track.kind not in self.report.receives:
            self.report.receives.append(track.kind)
        self._media.track_added(track.kind)
        self._run_in_background(self._receive_frames(track))

    def _connection_state_changed(self) -> None:
        state = self._connection.connectionState
        if state == "closed":
            return
        self.report.connection_state = state
        self.report.dtls_state = dtls_state(self._connection)
        if state == "connected" and self.report.seconds_to_connected is None:
            self.report.seconds_to_connected = self._clock() - self._started_at
        if state == "failed":
            self._on_failed(self)

    def _ice_state_changed(self) -> None:
        if self._connection.iceConnectionState != "closed":
            self.report.ice_state = self._connection.iceConnectionState

    async def _receive_frames(self, track: MediaStreamTrack) -> None:
        """Receive every frame of a track, since aiortc queues unread frames without a bound."""
        is_first = True
        while True:
            try:
                frame: Any = await track.recv()
            except MediaStreamError:
                return
            if is_first:
                is_first = False
                self._first_frame_received(track.kind)
            if track.kind == "video":
                self.report.video_frames_received += 1
            self._media.frame_received(track.kind, frame)

    def _first_frame_received(self, kind: str) -> None:
        if kind == "video" or "video" not in self.report.receives:
            self.report.seconds_to_first_frame = self._clock() - self._started_at

    async def _complete_report(self) -> None:
        """Add the figures that only aiortc has."""
        report = self.report
        for transceiver in self._connection.getTransceivers():
            kind = transceiver.kind
            if transceiver.currentDirection in ("sendrecv", "sendonly") and self._media.sends(kind):
                report.sends.append(kind)
        if "video" in self._counters:
            report.video_frames_sent = self._counters["video"].frames
        for stats in (await self._connection.getStats()).values():
            if stats.type == "outbound-rtp" and stats.kind == "audio":
                report.audio_packets_sent = stats.packetsSent
            elif stats.type == "inbound-rtp" and stats.kind == "audio":
                report.audio_packets_received = stats.packetsReceived

    def _run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the background, at most until the connection is closed."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("A task of the peer connection failed.", exc_info=error)
            self._on_failed(self)


def _make_connection(ice_servers: Sequence[messages.IceServer], *, relay_only: bool) -> RTCPeerConnection:
    """Create an aiortc connection with these servers, and no other."""
    # Without a list aiortc would contact a public STUN server.
    servers = [RTCIceServer(_supported_urls(server.urls), server.username, server.credential) for server in ice_servers]
    policy = RTCIceTransportPolicy.RELAY if relay_only else RTCIceTransportPolicy.ALL
    connection = RTCPeerConnection(RTCConfiguration(iceServers=servers, iceTransportPolicy=policy))
    accept_rsa_peers(connection)
    return connection


def _add_tracks(connection: RTCPeerConnection, media: Media) -> dict[str, CountingTrack]:
    """Send the tracks of the media, and receive both kinds; return the tracks that count, by kind."""
    counters = {track.kind: CountingTrack(track) for track in media.tracks()}
    for kind in KINDS:
        if kind in counters:
            connection.addTrack(counters[kind])
        else:
            connection.addTransceiver(kind, direction="recvonly")
    return counters


def _supported_urls(urls: Sequence[str]) -> list[str]:
    """Return the URLs that aiortc can parse: one that it cannot, as with an IPv6 address, would make it refuse all."""
    supported = []
    for url in urls:
        try:
            parse_stun_turn_uri(url)
        except ValueError:
            _log.warning("A STUN or TURN server is not used, since aiortc cannot parse its URL.")
        else:
            supported.append(url)
    return supported
