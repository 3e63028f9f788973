"""Tests of the exchange of media status between pages."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import page_state as states
from signald_page.client.model.media_status import MediaStatus
from signald_page.client.model.peer_messaging import PeerMessaging
from signald_page.client.model.remote_peer import RemotePeer


class MediaStatusTests(SynchronousTestCase):
    """`MediaStatus` works in a call with the host `ann` and the guest `bob`."""

    def setUp(self) -> None:
        """Join the call and open the channels."""
        self.state = states.PageState()
        self.state.show_start("")
        self.state.start_call(states.GUEST)
        ann, bob = RemotePeer("ann"), RemotePeer("bob")
        ann.host = True
        self.state.session_joined("S", states.GUEST, [ann, bob])
        self.sent: list[tuple[str, Any]] = []
        self.requested = 0
        self.changes = 0
        self.messaging = PeerMessaging(json, self.send)
        self.media_status = MediaStatus(self.state, self.messaging, self.count_mute_request, self.changed)
        for user in ("ann", "bob"):
            self.messaging.channel_opened(user, 0.0)
        self.sent.clear()

    def send(self, user: str, text: str) -> bool:
        """Record a sent message."""
        self.sent.append((user, json.loads(text)))
        return True

    def changed(self) -> None:
        """Count the calls for a changed media status."""
        self.changes += 1

    def count_mute_request(self) -> None:
        """Count the host's requests to mute."""
        self.requested += 1

    def receive(self, user: str, **message: object) -> None:
        """Receive a message."""
        self.messaging.receive(user, json.dumps(message), 0.0)

    def hello(self, user: str) -> None:
        """Receive `hello`, which announces that a page supports messages."""
        self.receive(user, type="hello", version=1)

    def test_sent_after_hello(self) -> None:
        """Each page that sends hello receives the local media status."""
        self.hello("ann")
        status = {"type": "presence", "microphone": False, "camera": False, "screen": False}
        self.assertEqual(self.sent, [("ann", status)])

    def test_sent_when_changed(self) -> None:
        """A change is sent once, to every page that supports messages."""
        self.hello("ann")
        self.media_status.update()
        self.sent.clear()
        self.state.devices.microphone.started()
        self.media_status.update()
        self.media_status.update()
        self.assertEqual([(user, message["microphone"]) for user, message in self.sent], [("ann", True)])

    def test_received_status(self) -> None:
        """The received media status is stored with its participant, and cleared when the channel closes."""
        ann = self.state.participants.members[0]
        self.assertEqual((ann.microphone, ann.camera, ann.screen), (None, None, False))
        self.hello("ann")
        self.receive("ann", type="presence", microphone=True, camera=False, screen=True)
        self.assertEqual((ann.microphone, ann.camera, ann.screen, self.changes), (True, False, True, 1))
        self.receive("ann", type="presence", microphone="yes", camera=0)
        self.assertEqual((ann.microphone, ann.camera, ann.screen), (True, False, True))
        self.messaging.channel_closed("ann")
        self.assertEqual((ann.microphone, ann.camera, ann.screen), (None, None, False))

    def test_mute_request_of_the_host_only(self) -> None:
        """Only requests to mute from the present host are accepted."""
        for user in ("ann", "bob"):
            self.hello(user)
            self.receive(user, type="mute")
        self.assertEqual(self.requested, 1)
        self.state.host_changed("bob", "me")
        self.receive("ann", type="mute")
        self.assertEqual(self.requested, 1)
        self.receive("bob", type="mute")
        self.assertEqual(self.requested, 2)

    def test_mute_requests_as_host(self) -> None:
        """A host can ask one participant to mute, or all participants whose pages support messages."""
        self.hello("ann")
        self.hello("bob")
        self.sent.clear()
        self.media_status.ask_to_mute("bob")
        self.media_status.ask_to_mute()
        self.assertEqual(self.sent[0], ("bob", {"type": "mute"}))
        self.assertEqual({user for user, _ in self.sent[1:]}, {"ann", "bob"})
