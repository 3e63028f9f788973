"""The peer connection with one other member: carries out what the negotiation says, and counts what flows."""

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

from signald_client.media import Counter, Media
from signald_client.report import MemberReport
from signald_client.signaling import messages
from signald_client.signaling.negotiation import AddCandidate, CreateAndSetLocal, Failed, Negotiator, Send, SetRemote
from signald_client.signaling.wire import Message, Value

__all__ = ["Pair"]

CLOSE_SECONDS = 5.0
"""For a peer connection to close."""

KINDS = ("audio", "video")

_log = logging.getLogger(__name__)


class Pair:
    """One peer connection.

    aiortc gathers all candidates while it sets a local description, which then holds them: none travels by itself, only
    the word that there are no more. It has neither rollback nor ICE restart.

    Attributes:
        report: what happened so far.

    """

    def __init__(
        self,
        negotiator: Negotiator,
        media: Media,
        ice_servers: Sequence[messages.IceServer],
        send: Callable[[Message], None],
        failed: Callable[[Pair], None],
        clock: Callable[[], float],
        *,
        relay_only: bool = False,
    ) -> None:
        """Prepare the connection; `begin` makes the first offer where it is this side's turn.

        Args:
            negotiator: the negotiations with the member.
            media: what is sent and what happens with what comes.
            ice_servers: STUN and TURN servers. Later ones are of no use to it: aiortc has no ICE restart, and refreshes
                what it has with the credentials of these, which a TURN server accepts for as long as it lasts.
            send: sends a message through the server.
            failed: is called when no path to the member was found, or the path was lost, or nothing could be agreed on.
            clock: seconds that never go back.
            relay_only: whether it connects through TURN servers alone.

        """
        self.report = MemberReport(negotiator.other)
        self._negotiator = negotiator
        self._media = media
        self._send = send
        self._failed = failed
        self._clock = clock
        self._relay_only = relay_only
        self._start = clock()
        self._tasks: set[asyncio.Task[None]] = set()
        # Without a list aiortc would ask a public STUN server.
        servers = [RTCIceServer(_readable(server.urls), server.username, server.credential) for server in ice_servers]
        self._connection = RTCPeerConnection(
            RTCConfiguration(
                iceServers=servers,
                iceTransportPolicy=RTCIceTransportPolicy.RELAY if relay_only else RTCIceTransportPolicy.ALL,
            )
        )
        self._connection.on("track", self._track)
        self._connection.on("connectionstatechange", self._connection_state)
        self._connection.on("iceconnectionstatechange", self._ice_state)
        self._counters = {track.kind: Counter(track) for track in media.tracks()}
        for kind in KINDS:
            if kind in self._counters:
                self._connection.addTrack(self._counters[kind])
            else:
                self._connection.addTransceiver(kind, direction="recvonly")

    def begin(self) -> None:
        """Negotiate, when this side is the one to offer first."""
        self.carry_out(self._negotiator.negotiation_needed())

    def carry_out(self, commands: Sequence[Value]) -> None:
        """Carry out the negotiation's commands, in their order."""
        for command in commands:
            if isinstance(command, Send):
                self._send(command.message)
            elif isinstance(command, CreateAndSetLocal):
                self._do(self._create(command.kind))
            elif isinstance(command, SetRemote):
                self._do(self._set_remote(command))
            elif isinstance(command, AddCandidate):
                self._do(self._add_candidate(command.candidate))
            elif isinstance(command, Failed):
                _log.warning("The %s came to nothing: %s", command.operation, command.name)
                self._failed(self)

    async def close(self) -> None:
        """Count what flowed, and close the connection; once."""
        await self._count()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._media.stop()
        except Exception:  # noqa: BLE001, an application's class must not keep the connection open
            _log.error("The media could not be stopped.", exc_info=True)
        for counter in self._counters.values():
            counter.stop()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.close()
        except TimeoutError:
            _log.warning("The connection took too long to close.")

    # The negotiation's commands

    async def _create(self, kind: str) -> None:
        connection = self._connection
        try:
            description = await (connection.createOffer() if kind == "offer" else connection.createAnswer())
            await connection.setLocalDescription(description)
        except Exception as error:  # noqa: BLE001, whatever aiortc raises is the negotiation's to judge
            self.carry_out(self._negotiator.operation_failed(type(error).__name__, str(error)))
            return
        if self._relay_only and "a=candidate:" not in connection.localDescription.sdp:
            # aiortc would wait for ever.
            _log.warning("This session needs a TURN server, and none gave a relay.")
            self._failed(self)
            return
        self.carry_out(self._negotiator.local_description_set(connection.localDescription.sdp))
        self.carry_out(self._negotiator.local_candidate(None))

    async def _set_remote(self, command: SetRemote) -> None:
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(command.sdp, command.type))
        except Exception as error:  # noqa: BLE001, as above
            self.carry_out(self._negotiator.operation_failed(type(error).__name__, str(error)))
            return
        self.carry_out(self._negotiator.remote_description_set())

    async def _add_candidate(self, plain: dict[str, Any] | None) -> None:
        try:
            candidate = None
            if plain is not None:
                candidate = candidate_from_sdp(plain["candidate"].removeprefix("candidate:"))
                candidate.sdpMid = plain.get("sdpMid")
                candidate.sdpMLineIndex = plain.get("sdpMLineIndex")
            await self._connection.addIceCandidate(candidate)
        except Exception:  # noqa: BLE001, one candidate less is no failure
            _log.debug("A candidate was of no use.")

    # What the connection tells

    def _track(self, track: MediaStreamTrack) -> None:
        if track.kind not in self.report.receives:
            self.report.receives.append(track.kind)
        self._media.receives(track.kind)
        self._do(self._consume(track))

    def _connection_state(self) -> None:
        state = self._connection.connectionState
        if state == "closed":
            return
        self.report.connection_state = state
        if state == "connected" and self.report.seconds_to_connected is None:
            self.report.seconds_to_connected = self._clock() - self._start
        if state == "failed":
            self._failed(self)

    def _ice_state(self) -> None:
        if self._connection.iceConnectionState != "closed":
            self.report.ice_state = self._connection.iceConnectionState

    async def _consume(self, track: MediaStreamTrack) -> None:
        """Fetch every frame, since aiortc keeps without bound those that nobody fetches."""
        first = True
        while True:
            try:
                frame: Any = await track.recv()
            except MediaStreamError:
                return
            if first:
                first = False
                self._first_frame(track.kind)
            if track.kind == "video":
                self.report.video_frames_received += 1
            self._media.frame(track.kind, frame)

    def _first_frame(self, kind: str) -> None:
        if kind == "video" or "video" not in self.report.receives:
            self.report.seconds_to_first_frame = self._clock() - self._start

    async def _count(self) -> None:
        """Fill in what only aiortc knows."""
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

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background, until the connection is closed."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("The connection's work failed.", exc_info=error)
            self._failed(self)


def _readable(urls: Sequence[str]) -> list[str]:
    """Return those that aiortc can read, which would otherwise refuse them all; IPv6 addresses are not among them."""
    readable = []
    for url in urls:
        try:
            parse_stun_turn_uri(url)
        except ValueError:
            _log.warning("aiortc cannot read the URL of a STUN or TURN server.")
        else:
            readable.append(url)
    return readable
