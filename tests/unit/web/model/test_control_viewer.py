"""Tests the viewer's side of remote control, also against the computer's side."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.control.consent import Consent
from signald_client.control.control_effects import Inject, Send
from signald_client.control.control_rules import ASK, Rules
from signald_page.client.model.control_viewer import (
    ASKING,
    CONTROLLING,
    MAX_CLIPBOARD,
    OFFERED,
    PAUSED,
    ControlViewer,
    fitting_text,
)
from signald_page.client.model.peer_messaging import MAX_CHARACTERS, PeerMessaging

OFFER = {"type": "control-offer", "version": 1, "mode": "ask", "clipboard": False}
MOVE = {"type": "control-pointer", "x": 0.5, "y": 0.5}


class ViewerCase(SynchronousTestCase):
    """A test case with a viewer to whom Ann and Bob are connected."""

    def setUp(self) -> None:
        """Connect the viewer."""
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.changes = 0
        self.texts: list[str] = []
        self.messaging = PeerMessaging(json, self._send)
        self.viewer = ControlViewer(self.messaging, False, self._changed, self.texts.append)
        for user in ("ann", "bob"):
            self.messaging.channel_opened(user, 0.0)
            self.receive(user, {"type": "hello", "version": 1})
        self.sent.clear()

    def _send(self, user: str, text: str) -> bool:
        self.sent.append((user, json.loads(text)))
        return True

    def _changed(self) -> None:
        self.changes += 1

    def receive(self, user: str, message: dict[str, Any]) -> None:
        """Receive a message of a member."""
        self.messaging.receive(user, json.dumps(message), 0.0)

    def state(self, user: str) -> str:
        """Return the state of a member's offer; empty for none."""
        offer = self.viewer.offer(user)
        return "" if offer is None else offer.state


class AskTests(ViewerCase):
    """Asking for control."""

    def test_offer(self) -> None:
        """An offer is stored; one of another version or mode is none, and it goes with the connection."""
        for change in ({"version": 2}, {"mode": "never"}, {"mode": None}):
            self.receive("ann", {**OFFER, **change})
            self.assertEqual(self.state("ann"), "")
        self.receive("ann", OFFER)
        self.assertEqual(self.state("ann"), OFFERED)
        self.messaging.channel_closed("ann")
        self.messaging.channel_closed("bob")
        self.assertEqual(self.state("ann"), "")
        self.assertEqual(self.changes, 2)

    def test_ask(self) -> None:
        """A request says that the page is not embedded, and has the code if there is one; one at a time is enough."""
        self.viewer.ask("ann")
        self.receive("ann", OFFER)
        self.viewer.ask("ann", "CODE")
        self.viewer.ask("ann")
        request = {"type": "control-request", "version": 1, "embedded": False, "code": "CODE"}
        self.assertEqual(self.sent, [("ann", request)])
        self.assertEqual(self.state("ann"), ASKING)

    def test_in_a_frame(self) -> None:
        """A page that is shown in a frame asks for nothing, and says why."""
        self.viewer = ControlViewer(self.messaging, True, self._changed, self.texts.append)
        self.receive("ann", OFFER)
        self.viewer.ask("ann", "CODE")
        self.assertEqual((self.sent, self.state("ann"), self.viewer.controlled), ([], OFFERED, ""))
        offer = self.viewer.offer("ann")
        self.assertEqual(offer and offer.reason, "embedded")

    def test_granted(self) -> None:
        """Events are sent while this person has control and it is not suspended."""
        self.receive("ann", OFFER)
        self.viewer.send("ann", [MOVE])
        self.viewer.ask("ann")
        self.viewer.send("ann", [MOVE])
        self.sent.clear()
        self.receive("ann", {"type": "control-granted", "clipboard": True})
        self.assertEqual((self.viewer.controlled, self.state("ann")), ("ann", CONTROLLING))
        self.viewer.send("ann", [MOVE, MOVE])
        self.receive("ann", {"type": "control-paused", "paused": True})
        self.viewer.send("ann", [MOVE])
        self.assertEqual(self.state("ann"), PAUSED)
        self.receive("ann", {"type": "control-paused", "paused": False})
        self.viewer.send("bob", [MOVE])
        self.assertEqual(self.sent, [("ann", MOVE)] * 2)
        self.receive("ann", {"type": "control-ended", "reason": "flood"})
        offer = self.viewer.offer("ann")
        assert offer is not None
        self.assertEqual((offer.state, offer.reason, self.viewer.controlled), (OFFERED, "flood", ""))

    def test_refused(self) -> None:
        """A refusal has a reason, which the next request removes."""
        self.receive("ann", OFFER)
        self.viewer.ask("ann")
        self.receive("ann", {"type": "control-refused", "reason": "declined"})
        offer = self.viewer.offer("ann")
        assert offer is not None
        self.assertEqual((offer.state, offer.reason), (OFFERED, "declined"))
        self.viewer.ask("ann")
        self.assertEqual(offer.reason, "")
        self.receive("ann", {"type": "control-refused", "reason": 5})
        self.assertEqual(offer.reason, "")

    def test_answers_of_earlier_requests(self) -> None:
        """Answers to a request that was taken back do not end the next one, and a late grant is given up."""
        self.receive("ann", OFFER)
        self.viewer.ask("ann")
        self.viewer.give_up("ann")
        self.viewer.give_up("ann")
        self.receive("ann", {"type": "control-granted", "clipboard": False})
        self.assertEqual(self.state("ann"), OFFERED)
        self.viewer.ask("ann")
        self.receive("ann", {"type": "control-ended", "reason": "given-up"})
        self.receive("ann", {"type": "control-refused", "reason": "given-up"})
        self.assertEqual(self.state("ann"), ASKING)
        self.receive("bob", {"type": "control-granted", "clipboard": False})
        self.receive("bob", {"type": "control-paused", "paused": True})
        self.assertEqual(
            [(user, message["type"].removeprefix("control-")) for user, message in self.sent],
            [("ann", kind) for kind in ("request", "give-up", "give-up", "request")] + [("bob", "give-up")],
        )

    def test_one_at_a_time(self) -> None:
        """Who asks for control of another computer gives the first one up."""
        for user in ("ann", "bob"):
            self.receive(user, OFFER)
        self.viewer.ask("ann")
        self.receive("ann", {"type": "control-granted", "clipboard": False})
        self.viewer.ask("bob")
        self.assertEqual((self.state("ann"), self.state("bob")), (OFFERED, ASKING))

    def take_control(self, clipboard: bool) -> None:
        """Get the control of Ann's computer."""
        self.receive("ann", {**OFFER, "clipboard": clipboard})
        self.viewer.ask("ann")
        self.receive("ann", {"type": "control-granted", "clipboard": clipboard})
        self.sent.clear()

    def test_clipboard(self) -> None:
        """A text of the clipboard is taken once for each time that this person has asked, and from nobody else."""
        self.viewer.read_clipboard("ann")
        self.take_control(True)
        self.receive("ann", {"type": "control-clipboard", "text": "early"})
        self.viewer.read_clipboard("ann")
        self.assertEqual(self.sent, [("ann", {"type": "control-clipboard-read"})])
        self.receive("bob", {"type": "control-clipboard", "text": "other"})
        self.receive("ann", {"type": "control-clipboard", "text": None})
        self.receive("ann", {"type": "control-clipboard", "text": "text"})
        self.receive("ann", {"type": "control-clipboard", "text": "more"})
        self.assertEqual(self.texts, ["text"])

    def test_clipboard_of_an_earlier_control(self) -> None:
        """What was asked for in an earlier control is not taken in the next one."""
        self.take_control(True)
        self.viewer.read_clipboard("ann")
        self.viewer.give_up("ann")
        self.receive("ann", {"type": "control-clipboard", "text": "late"})
        self.viewer.ask("ann")
        self.receive("ann", {"type": "control-granted", "clipboard": True})
        self.receive("ann", {"type": "control-clipboard", "text": "late"})
        self.assertEqual(self.texts, [])

    def test_no_clipboard(self) -> None:
        """Where the clipboard does not belong to the control, it is neither read nor written."""
        self.take_control(False)
        self.viewer.read_clipboard("ann")
        self.viewer.write_clipboard("ann", "text")
        self.receive("ann", {"type": "control-clipboard", "text": "text"})
        self.assertEqual((self.sent, self.texts), ([], []))

    def test_clipboard_after_a_change(self) -> None:
        """A text goes to the computer for which it was read, not to the one that is controlled by then."""
        self.take_control(True)
        self.receive("bob", {**OFFER, "clipboard": True})
        self.viewer.ask("bob")
        self.receive("bob", {"type": "control-granted", "clipboard": True})
        self.sent.clear()
        self.viewer.write_clipboard("ann", "secret")
        self.viewer.write_clipboard("bob", "text")
        self.assertEqual(self.sent, [("bob", {"type": "control-clipboard", "text": "text"})])

    def test_long_texts(self) -> None:
        """A text is cut so that its message is within the bound of both sides, whatever it is written in."""
        for letter in ("x", "\u0436", "\U0001f419", "\n", '"', "\x01", "\ud800"):
            text = fitting_text(letter * 20_000)
            message = {"type": "control-clipboard", "text": text}
            # A page counts UTF-16 code units, and its JSON escapes what json.dumps does with ensure_ascii=False.
            written = json.dumps(message, ensure_ascii=False).replace("\ud800", "\\ud800")
            units = len(written.encode("utf-16-le", "surrogatepass")) // 2
            self.assertLessEqual(units, MAX_CHARACTERS, letter)
            self.assertTrue(len(text) == MAX_CLIPBOARD or units > MAX_CHARACTERS - 200, letter)


class BothSidesTests(ViewerCase):
    """The viewer and the computer together."""

    def test_both(self) -> None:
        """What the viewer sends is what the computer expects, and the other way round."""
        consent = Consent(Rules(ASK, allow_unverified=True))
        consent.connection_opened(1, "me", "Me", 0.0)
        effects = list(consent.viewer_ready(1))
        injected = []
        self.receive("ann", effects.pop().message)  # type: ignore[union-attr] # it is a Send
        self.viewer.ask("ann")
        for now in (10.0, 12.0):
            for _, message in self.sent:
                effects += consent.received(1, message, now)
            self.sent.clear()
            if now == 12.0:
                effects += consent.answered(1, True, now)
            for effect in effects:
                if isinstance(effect, Send):
                    self.receive("ann", effect.message)
            effects = []
        self.assertEqual(self.state("ann"), CONTROLLING)
        self.viewer.send("ann", [MOVE])
        for _, message in self.sent:
            injected += [effect for effect in consent.received(1, message, 13.0) if isinstance(effect, Inject)]
        self.assertEqual(len(injected), 1)
        self.viewer.give_up("ann")
        for effect in consent.received(1, self.sent[-1][1], 14.0):
            if isinstance(effect, Send):
                self.receive("ann", effect.message)
        self.assertEqual((self.state("ann"), consent.controller), (OFFERED, None))
