"""Tests the data channel between two peers in one process."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet import reactor as installed

from signald_client.data_channel import MAX_CHARACTERS, MemberChannel, is_offered
from signald_client.peer import Peer
from signald_client.signaling.verification import CODE
from tests.suites.peer.case import AsyncCase, asynchronous, make_media

reactor: Any = installed


class Observer:
    """An observer that records what happens on the data channel."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.messages: list[dict[str, Any]] = []
        self.ready: asyncio.Future[MemberChannel] = asyncio.get_running_loop().create_future()

    def connection_opened(self, member: MemberChannel) -> None:
        """Record a new connection."""
        self.events.append(f"opened {member.number} {member.name}")

    def channel_ready(self, member: MemberChannel) -> None:
        """Record that the channel can be used."""
        self.events.append("ready")
        self.ready.set_result(member)

    def message_received(self, member: MemberChannel, message: dict[str, Any]) -> None:
        """Record a message."""
        self.messages.append(message)

    def connection_closed(self, member: MemberChannel) -> None:
        """Record the end of the connection."""
        self.events.append("closed")


class DataChannelTests(AsyncCase):
    """Two peers with a data channel."""

    async def connect(self, *observers: Observer | None) -> list[Peer]:
        """Return peers in one session, one for each observer."""
        daemon = self.start_daemon()
        peers: list[Peer] = []
        session = ""
        for observer in observers:
            peer = Peer(
                self.address(daemon),
                make_media([]),
                name=f"Peer{len(peers)}",
                trust=self.trust(),
                channels=observer,
                reactor=reactor,
            )
            await peer.connect()
            if session:
                await peer.join_session(session)
            else:
                session = await peer.open_session()
            peers.append(peer)
        return peers

    @asynchronous
    async def test_messages(self) -> None:
        """Both sides say hello, compute one code, and exchange messages until the connection is over."""
        first, second = Observer(), Observer()
        peers = await self.connect(first, second)
        members = await first.ready, await second.ready
        members[0].send_message({"type": "chat", "text": "Grüße"})
        members[0].send_message({"type": "long", "text": "x" * MAX_CHARACTERS})
        # With ASCII escapes it would have 48,000 characters; a single surrogate is no reason to fail.
        members[0].send_message({"type": "cyrillic", "text": "\u0436" * 8_000})
        members[0].send_message({"type": "surrogate", "text": "\ud800"})
        members[0].send_message({"no": "type"})
        members[0].send_message({"type": "last"})
        while not second.messages or second.messages[-1]["type"] != "last":
            await asyncio.sleep(0.02)
        while any(member.verification.state != CODE for member in members):
            await asyncio.sleep(0.02)
        expected = [
            {"type": "chat", "text": "Grüße"},
            {"type": "cyrillic", "text": "\u0436" * 8_000},
            {"type": "surrogate", "text": "?"},
            {"type": "last"},
        ]
        self.assertEqual(second.messages, expected)
        self.assertEqual(members[0].verification.code, members[1].verification.code)
        for peer in peers:
            await peer.close()
        self.assertEqual(first.events, ["opened 1 Peer1", "ready", "closed"])
        self.assertEqual(second.events, ["opened 1 Peer0", "ready", "closed"])

    @asynchronous
    async def test_without_channels(self) -> None:
        """A peer without an observer offers no channel, and the other one's is never ready."""
        observer = Observer()
        peers = await self.connect(observer, None)
        await asyncio.sleep(2)
        self.assertEqual(observer.events, ["opened 1 Peer1"])
        for peer in peers:
            await peer.close()

    def test_is_offered(self) -> None:
        """A description with an application section offers data channels."""
        self.assertTrue(is_offered("v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"))
        self.assertFalse(is_offered("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96\r\n"))
