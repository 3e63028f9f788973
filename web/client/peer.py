"""One peer connection: carries out the negotiation's commands, one at a time, and sends the own tracks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from signald_client.signaling import negotiation

from .browser import BrowserError, BrowserJson, call, construct, get, listen, put, report_entries, spawn, wait, window
from .devices import AUDIO, VIDEO

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from signald_client.signaling.negotiation import Negotiator
    from signald_client.signaling.wire import Message, Value

    from .media import Media

__all__ = ["Peer"]


class Peer:
    """The connection with one other member.

    Attributes:
        user: who that is.
        negotiator: what decides about offers, answers and candidates.
        stream: a JavaScript `MediaStream` with the other side's tracks, one of a kind.
        bounded: the bits per second and the divisor of the size that the browser keeps to for the own picture; None
            before it does.

    """

    def __init__(
        self,
        negotiator: Negotiator,
        ice_servers: list[dict[str, Any]],
        media: Media,
        calls: bool,
        send: Callable[[Message], None],
        changed: Callable[[Peer, str], None],
        failed: Callable[[str], None],
        log: Callable[[str], None],
    ) -> None:
        """Make the connection.

        Args:
            negotiator: the pair's.
            ice_servers: W3C `RTCIceServer` dicts.
            media: the own tracks.
            calls: whether this side offers first.
            send: takes what the negotiator sends.
            changed: told this peer and its new `RTCPeerConnectionState`.
            failed: told the user when a negotiation came to nothing.
            log: takes lines for whoever looks for a fault.

        """
        self.user = negotiator.other
        self.negotiator = negotiator
        self.stream = construct("MediaStream")
        self.bounded: tuple[int, float] | None = None
        self._media = media
        self._send = send
        self._changed = changed
        self._failed = failed
        self._log = log
        self._json = BrowserJson()
        self._senders: dict[str, Any] = {}
        self._bounding = False
        self._complaints: list[str] = []
        self._commands: list[Value] = []
        self._working = False
        self._closed = False
        self._connection = construct("RTCPeerConnection", {"iceServers": ice_servers})
        listen(self._connection, "icecandidate", self._candidate_found)
        listen(self._connection, "negotiationneeded", lambda event: self.run(self.negotiator.negotiation_needed()))
        listen(self._connection, "connectionstatechange", self._connection_changed)
        listen(self._connection, "track", self._track_came)
        if calls:
            self._propose()

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
        """Send the track that runs now, or nothing."""
        if kind in self._senders and not self._closed:
            try:
                await wait(call(self._senders[kind], "replaceTrack", self._media.track(kind)))
            except BrowserError as error:
                self._log(f"replaceTrack: {error.name}: {error.message}")

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
        if isinstance(command, negotiation.CreateAndSetLocal):
            return await self._set_local()
        if isinstance(command, negotiation.SetRemote):
            return await self._set_remote(command)
        if isinstance(command, negotiation.AddCandidate):
            await self._add_candidate(command.candidate)
        elif isinstance(command, negotiation.Send):
            self._send(command.message)
        elif isinstance(command, negotiation.RestartIce):
            call(self._connection, "restartIce")
        elif isinstance(command, negotiation.FlushLater):
            spawn(self._flush_after(command.seconds))
        elif isinstance(command, negotiation.Failed):
            self._log(f"{command.operation}: {command.name}: {command.message}")
            self._failed(self.user)
        return []

    async def _set_local(self) -> list[Value]:
        try:
            await wait(call(self._connection, "setLocalDescription"))
        except BrowserError as error:
            return self.negotiator.operation_failed(error.name, error.message)
        return self.negotiator.local_description_set(get(self._connection, "localDescription", "sdp"))

    async def _set_remote(self, command: negotiation.SetRemote) -> list[Value]:
        try:
            await wait(call(self._connection, "setRemoteDescription", {"type": command.type, "sdp": command.sdp}))
            if command.type == "offer":
                await self._accept()
        except BrowserError as error:
            return self.negotiator.operation_failed(error.name, error.message)
        return self.negotiator.remote_description_set()

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
        self.run(self.negotiator.flush())

    def _candidate_found(self, event: Any) -> None:
        candidate = get(event, "candidate")
        if candidate is not None:
            candidate = self._json.loads(call(get(window, "JSON"), "stringify", candidate))
        self.run(self.negotiator.local_candidate(candidate))

    def _connection_changed(self, event: Any) -> None:
        if not self._closed:
            self._changed(self, get(self._connection, "connectionState"))

    def _track_came(self, event: Any) -> None:
        track = get(event, "track")
        for other in call(self.stream, "getTracks"):
            if get(other, "kind") == get(track, "kind"):
                call(self.stream, "removeTrack", other)
        call(self.stream, "addTrack", track)

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
                parameters = call(self._senders[VIDEO], "getParameters")
                encoding = get(parameters, "encodings", "0")
                if encoding is not None:
                    put(encoding, "maxBitrate", bitrate)
                    put(encoding, "scaleResolutionDownBy", scale)
                    await wait(call(self._senders[VIDEO], "setParameters", parameters))
                    self.bounded = (bitrate, scale)
        except BrowserError as error:
            if error.name not in self._complaints:
                self._complaints.append(error.name)
                self._log(f"setParameters: {error.name}: {error.message}")
        self._bounding = False

    async def statistics(self) -> list[dict[str, Any]]:
        """Return the entries of the connection's statistics (W3C `webrtc-stats`)."""
        return report_entries(await wait(call(self._connection, "getStats")))

    @property
    def states(self) -> tuple[str, str]:
        """The states of ICE and of the connection as a whole."""
        return get(self._connection, "iceConnectionState"), get(self._connection, "connectionState")

    def close(self) -> None:
        """End the connection; the other side notices by itself, too."""
        self._closed = True
        self._commands = []
        call(self._connection, "close")
