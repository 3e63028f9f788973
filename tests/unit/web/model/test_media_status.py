"""What each page tells the others of its devices."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import page_state as states
from signald_page.client.model.media_status import MediaStatus
from signald_page.client.model.peer_messaging import PeerMessaging
from signald_page.client.model.remote_peer import RemotePeer


class PresenceTests(SynchronousTestCase):
    """`MediaStatus` in a call with `ann`, the host, and `bob`."""

    def setUp(self) -> None:
        """Be in the call."""
        self.state = states.PageState()
        self.state.show_start("")
        self.state.start_call(states.GUEST)
        ann, bob = RemotePeer("ann"), RemotePeer("bob")
        ann.host = True
        self.state.session_joined("S", states.GUEST, [ann, bob])
        self.sent: list[tuple[str, Any]] = []
        self.asked = 0
        self.changes = 0
        self.conversations = PeerMessaging(json, self.send)
        self.presence = MediaStatus(self.state, self.conversations, self.ask, self.changed)
        for user in ("ann", "bob"):
            self.conversations.opened(user, 0.0)
        self.sent.clear()

    def send(self, user: str, text: str) -> bool:
        """Note what is sent."""
        self.sent.append((user, json.loads(text)))
        return True

    def changed(self) -> None:
        """Somebody told something."""
        self.changes += 1

    def ask(self) -> None:
        """The host asked for silence."""
        self.asked += 1

    def receive(self, user: str, **message: object) -> None:
        """Receive a message."""
        self.conversations.received(user, json.dumps(message), 0.0)

    def hello(self, user: str) -> None:
        """A page says that it understands."""
        self.receive(user, type="hello", version=1)

    def test_told_to_whoever_comes(self) -> None:
        """Each page that says hello is told how it is."""
        self.hello("ann")
        told = {"type": "presence", "microphone": False, "camera": False, "screen": False}
        self.assertEqual(self.sent, [("ann", told)])

    def test_told_when_it_changes(self) -> None:
        """A change is told once, to all who understand."""
        self.hello("ann")
        self.presence.follow()
        self.sent.clear()
        self.state.devices.microphone.started()
        self.presence.follow()
        self.presence.follow()
        self.assertEqual([(user, message["microphone"]) for user, message in self.sent], [("ann", True)])

    def test_others_tell(self) -> None:
        """What another page tells is known of its person."""
        ann = self.state.participants.others[0]
        self.assertEqual((ann.microphone, ann.camera, ann.screen), (None, None, False))
        self.hello("ann")
        self.receive("ann", type="presence", microphone=True, camera=False, screen=True)
        self.assertEqual((ann.microphone, ann.camera, ann.screen, self.changes), (True, False, True, 1))
        self.receive("ann", type="presence", microphone="yes", camera=0)
        self.assertEqual((ann.microphone, ann.camera, ann.screen), (True, False, True))
        self.conversations.closed("ann")
        self.assertEqual((ann.microphone, ann.camera, ann.screen), (None, None, False))

    def test_only_the_host_asks_for_silence(self) -> None:
        """A guest's request is left alone; the host may hand over."""
        for user in ("ann", "bob"):
            self.hello(user)
            self.receive(user, type="mute")
        self.assertEqual(self.asked, 1)
        self.state.host_changed("bob", "me")
        self.receive("ann", type="mute")
        self.assertEqual(self.asked, 1)
        self.receive("bob", type="mute")
        self.assertEqual(self.asked, 2)

    def test_the_host_asks(self) -> None:
        """One, or everybody who understands."""
        self.hello("ann")
        self.hello("bob")
        self.sent.clear()
        self.presence.ask_to_mute("bob")
        self.presence.ask_to_mute()
        self.assertEqual(self.sent[0], ("bob", {"type": "mute"}))
        self.assertEqual({user for user, _ in self.sent[1:]}, {"ann", "bob"})
