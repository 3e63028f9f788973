"""Tests of the messages between the pages of a call."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.peer_messaging import BURST, MAX_CHARACTERS, RATE, PeerMessaging

HELLO = '{"type": "hello", "version": 1}'


class PeerMessagingTests(SynchronousTestCase):
    """`PeerMessaging` exchanges messages with `ann`."""

    def setUp(self) -> None:
        """Open the channel."""
        self.sent: list[tuple[str, Any]] = []
        self.happened: list[Any] = []
        self.messaging = PeerMessaging(json, self.send)
        self.messaging.on_message("note", lambda user, message: self.happened.append((user, message["text"])))
        self.messaging.on_ready(lambda user: self.happened.append(("begun", user)))
        self.messaging.on_closed(lambda user: self.happened.append(("over", user)))
        self.messaging.channel_opened("ann", 0.0)

    def send(self, user: str, text: str) -> bool:
        """Record a sent message."""
        self.sent.append((user, json.loads(text)))
        return True

    def receive_note(self, text: str, now: float = 0.0) -> None:
        """Receive a message of the type `note` from ann."""
        self.messaging.receive("ann", json.dumps({"type": "note", "text": text}), now)

    def test_hello_comes_first(self) -> None:
        """A page sends hello first, and messages of a page that has not sent it are ignored."""
        self.assertEqual(self.sent, [("ann", {"type": "hello", "version": 1})])
        self.messaging.broadcast({"type": "note", "text": "early"})
        self.receive_note("too early")
        self.assertEqual((self.sent[1:], self.happened, self.messaging.users), ([], [], []))
        self.messaging.receive("ann", HELLO, 0.0)
        self.receive_note("in time")
        self.messaging.broadcast({"type": "note", "text": "in time"})
        self.assertEqual(self.happened, [("begun", "ann"), ("ann", "in time")])
        self.assertEqual(self.sent[1:], [("ann", {"type": "note", "text": "in time"})])
        self.assertTrue(self.messaging.is_ready("ann"))

    def test_hello_counts_once(self) -> None:
        """A repeated hello does not call the callbacks again."""
        self.messaging.receive("ann", HELLO, 0.0)
        self.messaging.receive("ann", HELLO, 0.0)
        self.assertEqual(self.happened, [("begun", "ann")])

    def test_malformed_messages_are_ignored(self) -> None:
        """Malformed, oversized and unknown messages, and those of unknown users, are ignored."""
        self.messaging.receive("ann", HELLO, 0.0)
        self.happened.clear()
        texts = (
            "",
            "{",
            "null",
            "3",
            "[]",
            "{}",
            '{"type": 3}',
            '{"type": ["note"]}',
            '{"type": "other"}',
            "[" * 15_000,
        )
        for text in texts:
            self.messaging.receive("ann", text, 0.0)
        self.receive_note("x" * MAX_CHARACTERS)
        self.messaging.receive("bob", HELLO, 0.0)
        self.assertEqual(self.happened, [])
        self.receive_note("still here")
        self.assertEqual(self.happened, [("ann", "still here")])

    def test_rate_limit(self) -> None:
        """Messages beyond the burst are dropped, and the rate limit recovers with time."""
        self.messaging.receive("ann", HELLO, 0.0)
        self.happened.clear()
        for _ in range(1000):
            self.receive_note("flood")
        self.assertEqual(len(self.happened), BURST - 1)
        for _ in range(1000):
            self.receive_note("flood", 1.0)
        self.assertEqual(len(self.happened), BURST - 1 + RATE)

    def test_closed_channel(self) -> None:
        """A closed channel calls the callbacks once."""
        self.messaging.receive("ann", HELLO, 0.0)
        self.messaging.channel_closed("ann")
        self.messaging.channel_closed("ann")
        self.assertEqual(self.happened[-1], ("over", "ann"))
        self.assertEqual(self.happened.count(("over", "ann")), 1)
        self.receive_note("late")
        self.assertEqual((self.messaging.users, len(self.happened)), ([], 2))

    def test_reconnect(self) -> None:
        """The other page must send hello again after a reconnect."""
        self.messaging.receive("ann", HELLO, 0.0)
        self.messaging.channel_closed("ann")
        self.messaging.channel_opened("ann", 1.0)
        self.assertFalse(self.messaging.is_ready("ann"))
        self.messaging.receive("ann", HELLO, 1.0)
        self.assertEqual(self.happened.count(("begun", "ann")), 2)
