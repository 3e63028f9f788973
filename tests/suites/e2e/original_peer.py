"""A client of the original's kind that calls: `python -m tests.suites.e2e.original_peer URL [ID]`, a host without ID.

It speaks the enum of the Rust tutorial over a plain WebSocket, sends a small pattern and a tone, and prints
`session ID` when it has opened one, and `frames N` each time it has decoded another ten.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import websocket
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from signald_client.pattern import PatternAndTone


class Original:
    """One client in one session."""

    def __init__(self, url: str) -> None:
        self.socket = websocket.create_connection(url)
        self.connection = RTCPeerConnection()
        self.session = ""
        self.connection.on("track", self.receive_track)
        for track in PatternAndTone(320, 240, 15).tracks():
            self.connection.addTrack(track)

    def send(self, variant: object) -> None:
        """Send a value of the enum."""
        self.socket.send(json.dumps(variant))

    def receive_track(self, track: Any) -> None:
        """Count what comes."""
        self.counting = asyncio.ensure_future(count(track))

    async def run(self, session: str) -> None:
        """Open a session, or join one, and go on until the connection ends."""
        self.send({"SessionJoin": session} if session else "SessionNew")
        while True:
            text = await asyncio.to_thread(self.socket.recv)
            if not text:
                return
            [(name, value)] = json.loads(text).items()
            await self.receive(name, value)

    async def receive(self, name: str, value: Any) -> None:
        """Do what the original did."""
        if name == "SessionReady":
            self.session = value
            sys.stdout.write(f"session {value}\n")
        elif name == "SessionJoinSuccess":
            self.session = value
            await self.connection.setLocalDescription(await self.connection.createOffer())
            self.send({"VideoOffer": [self.connection.localDescription.sdp, self.session]})
        elif name == "VideoOffer":
            await self.connection.setRemoteDescription(RTCSessionDescription(value[0], "offer"))
            await self.connection.setLocalDescription(await self.connection.createAnswer())
            self.send({"VideoAnswer": [self.connection.localDescription.sdp, self.session]})
        elif name == "VideoAnswer":
            await self.connection.setRemoteDescription(RTCSessionDescription(value[0], "answer"))
        elif name == "IceCandidate":
            await self.add(json.loads(value[0]))
        sys.stdout.flush()

    async def add(self, body: dict[str, Any]) -> None:
        """Add a candidate of the other side; aiortc knows no empty ones, and no host names of mDNS."""
        line = body["candidate"].removeprefix("candidate:")
        if not line or ".local " in line:
            return
        candidate = candidate_from_sdp(line)
        candidate.sdpMid, candidate.sdpMLineIndex = body["sdpMid"], body["sdpMLineIndex"]
        await self.connection.addIceCandidate(candidate)


async def count(track: Any) -> None:
    """Take the frames of a track, and say how many there were."""
    frames = 0
    while True:
        await track.recv()
        frames += 1
        if track.kind == "video" and frames % 10 == 0:
            sys.stdout.write(f"frames {frames}\n")
            sys.stdout.flush()


async def main() -> None:
    """Run one client."""
    await Original(sys.argv[1]).run(*sys.argv[2:] or [""])


if __name__ == "__main__":
    asyncio.run(main())
