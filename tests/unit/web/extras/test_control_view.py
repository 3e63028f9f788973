"""Tests the sentence about remote control."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras import extra_texts
from signald_page.client.extras.control_view import sentence
from signald_page.client.model.control_viewer import ASKING, CODE, CONTROLLING, PAUSED, Offer
from tests.unit.clients.control.test_control_messages import SCHEMA

#: Reasons after which no sentence is needed but the general one.
GENERAL = {"given-up", "verification", "membership"}


class SentenceTests(SynchronousTestCase):
    """`sentence`."""

    def test_states(self) -> None:
        """Each state has a sentence; an offer has none before it was asked for."""
        offer = Offer("ask", False)
        self.assertEqual(sentence(offer, False), "")
        for state in (ASKING, CONTROLLING, PAUSED):
            offer.state = state
            self.assertEqual(sentence(offer, False), extra_texts.CONTROL_STATES[state])

    def test_reasons(self) -> None:
        """Each reason of a refusal has a sentence of its own or the general one, and so has an unknown reason."""
        reasons: dict[str, Any] = SCHEMA["$defs"]["refused"]["properties"]["reason"]
        self.assertEqual(set(reasons["enum"]) - set(extra_texts.CONTROL_REASONS), GENERAL)
        offer = Offer("ask", False)
        offer.reason = "busy"
        self.assertEqual(sentence(offer, False), extra_texts.CONTROL_REASONS["busy"])
        offer.reason = "new"
        self.assertEqual(sentence(offer, False), extra_texts.CONTROL_OVER)

    def test_code(self) -> None:
        """Before somebody types a code over an unverified connection, they are warned."""
        self.assertEqual(sentence(Offer(CODE, False), False), extra_texts.CONTROL_UNVERIFIED)
        self.assertEqual(sentence(Offer(CODE, False), True), "")
