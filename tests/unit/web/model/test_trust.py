"""Tests of the verification of all participants of a call."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling.verification import Verification, commitment
from signald_page.client.model import texts
from signald_page.client.model.page_state import HOST, PageState
from signald_page.client.model.peer_messaging import PeerMessaging
from signald_page.client.model.remote_peer import RemotePeer
from signald_page.client.model.trust import ICONS, SILENT_FOR, Trust, badge

ANN = "a=fingerprint:sha-256 AA"
BOB = "a=fingerprint:sha-256 BB"
EVE = "a=fingerprint:sha-256 EE"
NONCES = ["1" * 64, "2" * 64, "3" * 64]


class Codec:
    """A JSON codec for the messages."""

    def dumps(self, value: Any) -> str:
        """Return the text of a value."""
        return json.dumps(value)

    def loads(self, text: str) -> Any:
        """Return the value of a text."""
        return json.loads(text)


class TrustTests(SynchronousTestCase):
    """Ann's page verifies the connection with Bob."""

    def setUp(self) -> None:
        """Join the session."""
        self.state = PageState()
        self.state.show_start("")
        self.state.start_call(HOST)
        self.state.session_joined("0123456789", HOST, [RemotePeer("bob", "Bob"), RemotePeer("cat")])
        self.sent: list[dict[str, Any]] = []
        self.changes = 0
        self.nonces = list(NONCES)
        self.messaging = PeerMessaging(Codec(), self._send)
        self.descriptions = {"bob": (ANN, BOB), "cat": (ANN, EVE)}
        self.trust = Trust(
            self.state,
            self.messaging,
            lambda: self.nonces.pop(0),
            lambda user: self.descriptions[user],
            self._changed,
        )
        self.trust.update({"bob": 2, "cat": 2})

    def _send(self, user: str, text: str) -> bool:
        message = json.loads(text)
        if message["type"] != "hello":
            self.sent.append(message)
        return True

    def _changed(self) -> None:
        self.changes += 1

    def receive(self, **message: object) -> None:
        """Receive a message from Bob's page."""
        self.messaging.receive("bob", json.dumps(message), 0.0)

    def greet(self) -> None:
        """Open the channel and receive hello from Bob's page."""
        self.messaging.channel_opened("bob", 0.0)
        self.receive(type="hello", version=1)

    def complete_exchange(self) -> None:
        """Complete the exchange on Bob's side."""
        self.receive(type="commit", hash=commitment("b" * 64))
        self.receive(type="reveal", nonce="b" * 64)

    def test_an_exchange(self) -> None:
        """The exchange starts with hello and ends with the code, and each visible state is announced."""
        self.messaging.channel_opened("bob", 0.0)
        self.assertEqual((self.trust.verification("bob").state, self.sent), ("none", []))
        self.greet()
        self.assertEqual(self.sent, [{"type": "commit", "hash": commitment(NONCES[0])}])
        self.assertEqual(self.changes, 1)
        self.complete_exchange()
        self.assertEqual(self.sent[1:], [{"type": "reveal", "nonce": NONCES[0]}])
        self.assertEqual((self.trust.verification("bob").state, self.changes), ("code", 2))
        bob = Verification("b" * 64)
        bob.start(BOB, ANN, "0123456789")
        bob.receive({"type": "commit", "hash": commitment(NONCES[0])})
        bob.receive({"type": "reveal", "nonce": NONCES[0]})
        self.assertEqual(self.trust.verification("bob").code, bob.code)
        self.assertEqual(self.trust.verification("cat").state, "none")

    def test_answer(self) -> None:
        """The person's answer is stored and announced."""
        self.greet()
        self.complete_exchange()
        self.trust.answer("bob", False)
        self.assertEqual((self.trust.verification("bob").state, self.changes), ("denied", 3))
        self.trust.answer("nobody", True)

    def test_message_before_hello(self) -> None:
        """Messages before hello are ignored."""
        self.messaging.channel_opened("bob", 0.0)
        self.complete_exchange()
        self.assertEqual((self.trust.verification("bob").state, self.changes), ("none", 0))

    def test_timeout(self) -> None:
        """The verification fails after ten seconds without a message."""
        self.trust.tick(100.0)
        self.greet()
        self.trust.tick(105.0)
        self.assertEqual((self.trust.verification("bob").state, self.changes), ("exchanging", 1))
        self.trust.tick(110.0)
        self.assertEqual((self.trust.verification("bob").reason, self.changes), ("timeout", 2))

    def test_new_connection(self) -> None:
        """A new connection starts another exchange with a new nonce, and the lost confirmation is announced."""
        self.greet()
        self.complete_exchange()
        self.trust.answer("bob", True)
        self.messaging.channel_closed("bob")
        self.assertEqual(self.trust.verification("bob").state, "none")
        self.greet()
        self.assertEqual(self.trust.verification("bob").state, "exchanging")
        self.assertEqual(self.sent[-1], {"type": "commit", "hash": commitment(NONCES[1])})
        self.assertEqual(self.state.notices.notice, texts.VERIFY_AGAIN.format("Bob"))
        # The browser may report the connection as recovered only after the exchange has begun.
        self.state.notices.recovered()
        self.assertEqual(self.state.notices.notice, texts.VERIFY_AGAIN.format("Bob"))
        self.state.notices.notice = ""
        self.messaging.channel_closed("bob")
        self.greet()
        self.assertEqual(self.state.notices.notice, "")

    def test_replaced_participant(self) -> None:
        """An alarm is raised some seconds after a participant without a code has replaced a verified one."""
        self.greet()
        self.complete_exchange()
        self.trust.answer("bob", True)
        self.messaging.channel_closed("bob")
        self.trust.tick(1.0)
        self.trust.tick(2.0 + SILENT_FOR)
        self.assertEqual(self.state.notices.alarm, "")
        self.state.connection_changed("bob", "connected")
        self.trust.tick(3.0 + SILENT_FOR)
        self.assertEqual(self.state.notices.alarm, "")
        self.trust.tick(3.0 + 2 * SILENT_FOR)
        self.assertEqual(self.state.notices.alarm, texts.VERIFIED_NO_MORE.format("Bob"))

    def test_changed_descriptions(self) -> None:
        """New candidates change nothing; a changed fingerprint fails the verification.

        It raises the alarm if the verification was confirmed.
        """
        self.greet()
        self.complete_exchange()
        self.trust.answer("bob", True)
        self.descriptions["bob"] = (ANN + "\r\na=candidate", BOB)
        self.trust.update({"bob": 3})
        self.assertEqual((self.trust.verification("bob").state, self.state.notices.alarm), ("confirmed", ""))
        self.descriptions["bob"] = (ANN, EVE)
        self.trust.update({"bob": 3})
        self.assertEqual(self.trust.verification("bob").state, "confirmed")
        self.trust.update({"bob": 4})
        self.assertEqual(self.trust.verification("bob").reason, "changed")
        self.assertEqual(self.state.notices.alarm, texts.VERIFIED_NO_MORE.format("Bob"))
        self.state.connection_changed("bob", "connected")
        self.assertEqual(self.state.notices.alarm, texts.VERIFIED_NO_MORE.format("Bob"))
        self.state.dismiss()
        self.assertEqual(self.state.notices.alarm, "")

    def test_a_hostile_message_after_the_confirmation(self) -> None:
        """A hostile message after the confirmation fails the verification with an alarm."""
        self.greet()
        self.complete_exchange()
        self.trust.answer("bob", True)
        self.complete_exchange()
        self.assertEqual(self.trust.verification("bob").reason, "repeated")
        self.assertEqual(self.state.notices.alarm, texts.VERIFIED_NO_MORE.format("Bob"))

    def test_bounded_memory(self) -> None:
        """The list of verified participants who left is bounded."""
        for number in range(50):
            user = f"user-{number}"
            self.nonces = [f"{number:064x}"]
            self.descriptions[user] = (ANN, BOB)
            self.messaging.channel_opened(user, 0.0)
            self.messaging.receive(user, '{"type": "hello"}', 0.0)
            for message in ({"type": "commit", "hash": commitment("b" * 64)}, {"type": "reveal", "nonce": "b" * 64}):
                self.messaging.receive(user, json.dumps(message), 0.0)
            self.trust.answer(user, True)
            self.messaging.channel_closed(user)
        self.assertEqual(len(self.trust._dropped), 8)


class BadgeTests(SynchronousTestCase):
    """`badge` shows the state of a verification."""

    def test_every_state(self) -> None:
        """Each state has a meaning in words, and only a verified one has the icon for it."""
        exchange = Verification("")
        for state, sentence in texts.TRUST.items():
            exchange.state = state
            icon, label = badge(exchange, "Bob")
            self.assertEqual(label, sentence.format("Bob"))
            self.assertEqual(icon == "verified", state == "confirmed")
            self.assertEqual(icon, ICONS.get(state, "shield"))
        self.assertIn(texts.THE_OTHER, badge(exchange, "")[1])
