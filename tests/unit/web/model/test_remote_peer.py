"""Tests of the state of a remote participant."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.quality import THEIR_NETWORK, YOUR_NETWORK
from signald_page.client.model.remote_peer import RemotePeer


class RatingTests(SynchronousTestCase):
    """`RemotePeer.rating` rates the connection."""

    def test_fault_of_an_interruption(self) -> None:
        """An interrupted peer connection has no bars; the side that also lost its signaling connection is at fault."""
        peer = RemotePeer("ann")
        self.assertEqual(peer.rating([peer], offline=True), (None, ""))
        peer.set_connection("connected")
        peer.set_connection("disconnected")
        self.assertEqual(peer.rating([peer], offline=False), (0, ""))
        peer.away = True
        self.assertEqual(peer.rating([peer], offline=False), (0, THEIR_NETWORK))
        self.assertEqual(peer.rating([peer], offline=True), (0, YOUR_NETWORK))
