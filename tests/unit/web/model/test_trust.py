"""Whom the page takes as verified, as messages come and go."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import texts
from signald_page.client.model.page_state import HOST, PageState
from signald_page.client.model.peer_messaging import PeerMessaging
from signald_page.client.model.remote_peer import RemotePeer
from signald_page.client.model.trust import ICONS, SILENT_FOR, Trust, badge
from signald_page.client.model.verification import Verification, commitment

ANN = "a=fingerprint:sha-256 AA"
BOB = "a=fingerprint:sha-256 BB"
EVE = "a=fingerprint:sha-256 EE"
NONCES = ["1" * 64, "2" * 64, "3" * 64]


class Codec:
    """JSON."""

    def dumps(self, value: Any) -> str:
        """Return the text."""
        return json.dumps(value)

    def loads(self, text: str) -> Any:
        """Return the value."""
        return json.loads(text)


class TrustTests(SynchronousTestCase):
    """Ann's page, in a session with Bob."""

    def setUp(self) -> None:
        """Be in the session."""
        self.state = PageState()
        self.state.show_start("")
        self.state.start_call(HOST)
        self.state.session_joined("0123456789", HOST, [RemotePeer("bob", "Bob"), RemotePeer("cat")])
        self.sent: list[dict[str, Any]] = []
        self.changes = 0
        self.nonces = list(NONCES)
        self.conversations = PeerMessaging(Codec(), self._send)
        self.descriptions = {"bob": (ANN, BOB), "cat": (ANN, EVE)}
        self.trust = Trust(
            self.state,
            self.conversations,
            lambda: self.nonces.pop(0),
            lambda user: self.descriptions[user],
            self._changed,
        )
        self.trust.follow({"bob": 2, "cat": 2})

    def _send(self, user: str, text: str) -> bool:
        message = json.loads(text)
        if message["type"] != "hello":
            self.sent.append(message)
        return True

    def _changed(self) -> None:
        self.changes += 1

    def hear(self, **message: object) -> None:
        """Bob's page says something."""
        self.conversations.received("bob", json.dumps(message), 0.0)

    def greet(self) -> None:
        """The channel opens, and Bob's page says hello."""
        self.conversations.opened("bob", 0.0)
        self.hear(type="hello", version=1)

    def exchange(self) -> None:
        """Bob's page does its part."""
        self.hear(type="commit", hash=commitment("b" * 64))
        self.hear(type="reveal", nonce="b" * 64)

    def test_an_exchange(self) -> None:
        """It begins when the other page is there, and ends with the code; the page hears of each step that shows."""
        self.conversations.opened("bob", 0.0)
        self.assertEqual((self.trust.of("bob").state, self.sent), ("none", []))
        self.greet()
        self.assertEqual(self.sent, [{"type": "commit", "hash": commitment(NONCES[0])}])
        self.assertEqual(self.changes, 1)
        self.exchange()
        self.assertEqual(self.sent[1:], [{"type": "reveal", "nonce": NONCES[0]}])
        self.assertEqual((self.trust.of("bob").state, self.changes), ("code", 2))
        bob = Verification("b" * 64)
        bob.opened(BOB, ANN, "0123456789")
        bob.received({"type": "commit", "hash": commitment(NONCES[0])})
        bob.received({"type": "reveal", "nonce": NONCES[0]})
        self.assertEqual(self.trust.of("bob").code, bob.code)
        self.assertEqual(self.trust.of("cat").state, "none")

    def test_what_the_person_says(self) -> None:
        """The answer is kept, and shown."""
        self.greet()
        self.exchange()
        self.trust.answer("bob", False)
        self.assertEqual((self.trust.of("bob").state, self.changes), ("denied", 3))
        self.trust.answer("nobody", True)

    def test_an_early_message_is_nobody_s(self) -> None:
        """Who has not said hello is not heard."""
        self.conversations.opened("bob", 0.0)
        self.exchange()
        self.assertEqual((self.trust.of("bob").state, self.changes), ("none", 0))

    def test_silence(self) -> None:
        """After ten seconds the page hears that there will be no code."""
        self.trust.tick(100.0)
        self.greet()
        self.trust.tick(105.0)
        self.assertEqual((self.trust.of("bob").state, self.changes), ("exchanging", 1))
        self.trust.tick(110.0)
        self.assertEqual((self.trust.of("bob").reason, self.changes), ("timeout", 2))

    def test_a_connection_that_begins_anew(self) -> None:
        """There is another exchange with another number, and what was confirmed is so no longer, which is told."""
        self.greet()
        self.exchange()
        self.trust.answer("bob", True)
        self.conversations.closed("bob")
        self.assertEqual(self.trust.of("bob").state, "none")
        self.greet()
        self.assertEqual(self.trust.of("bob").state, "exchanging")
        self.assertEqual(self.sent[-1], {"type": "commit", "hash": commitment(NONCES[1])})
        self.assertEqual(self.state.notices.notice, texts.VERIFY_AGAIN.format("Bob"))
        self.state.notices.notice = ""
        self.conversations.closed("bob")
        self.greet()
        self.assertEqual(self.state.notices.notice, "")

    def test_one_who_was_verified_and_says_nothing_any_more(self) -> None:
        """Whoever takes the place of somebody verified, and has no code, is told after some seconds of connection."""
        self.greet()
        self.exchange()
        self.trust.answer("bob", True)
        self.conversations.closed("bob")
        self.trust.tick(1.0)
        self.trust.tick(2.0 + SILENT_FOR)
        self.assertEqual(self.state.notices.alarm, "")
        self.state.connection_changed("bob", "connected")
        self.trust.tick(3.0 + SILENT_FOR)
        self.assertEqual(self.state.notices.alarm, "")
        self.trust.tick(3.0 + 2 * SILENT_FOR)
        self.assertEqual(self.state.notices.alarm, texts.VERIFIED_NO_MORE.format("Bob"))

    def test_descriptions_that_change(self) -> None:
        """New candidates change nothing; another key ends the verification, aloud if it was confirmed."""
        self.greet()
        self.exchange()
        self.trust.answer("bob", True)
        self.descriptions["bob"] = (ANN + "\r\na=candidate", BOB)
        self.trust.follow({"bob": 3})
        self.assertEqual((self.trust.of("bob").state, self.state.notices.alarm), ("confirmed", ""))
        self.descriptions["bob"] = (ANN, EVE)
        self.trust.follow({"bob": 3})
        self.assertEqual(self.trust.of("bob").state, "confirmed")
        self.trust.follow({"bob": 4})
        self.assertEqual(self.trust.of("bob").reason, "changed")
        self.assertEqual(self.state.notices.alarm, texts.VERIFIED_NO_MORE.format("Bob"))
        self.state.connection_changed("bob", "connected")
        self.assertEqual(self.state.notices.alarm, texts.VERIFIED_NO_MORE.format("Bob"))
        self.state.dismiss()
        self.assertEqual(self.state.notices.alarm, "")

    def test_a_hostile_message_after_the_confirmation(self) -> None:
        """It ends the verification aloud, too."""
        self.greet()
        self.exchange()
        self.trust.answer("bob", True)
        self.exchange()
        self.assertEqual(self.trust.of("bob").reason, "repeated")
        self.assertEqual(self.state.notices.alarm, texts.VERIFIED_NO_MORE.format("Bob"))

    def test_many_come_and_go(self) -> None:
        """What is remembered of those who left stays bounded."""
        for number in range(50):
            user = f"user-{number}"
            self.nonces = [f"{number:064x}"]
            self.descriptions[user] = (ANN, BOB)
            self.conversations.opened(user, 0.0)
            self.conversations.received(user, '{"type": "hello"}', 0.0)
            for message in ({"type": "commit", "hash": commitment("b" * 64)}, {"type": "reveal", "nonce": "b" * 64}):
                self.conversations.received(user, json.dumps(message), 0.0)
            self.trust.answer(user, True)
            self.conversations.closed(user)
        self.assertEqual(len(self.trust._lost), 8)


class BadgeTests(SynchronousTestCase):
    """`badge`."""

    def test_every_state(self) -> None:
        """Each has a meaning in words, and only what is verified has the icon for it."""
        exchange = Verification("")
        for state, sentence in texts.TRUST.items():
            exchange.state = state
            icon, label = badge(exchange, "Bob")
            self.assertEqual(label, sentence.format("Bob"))
            self.assertEqual(icon == "verified", state == "confirmed")
            self.assertEqual(icon, ICONS.get(state, "shield"))
        self.assertIn(texts.THE_OTHER, badge(exchange, "")[1])
