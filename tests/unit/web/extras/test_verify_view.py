"""Tests of the verification dialog."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import verification
from signald_client.signaling.verification import ANSWERABLE, Verification
from signald_page.client.extras import extra_texts
from signald_page.client.extras.verify_view import path, symbols, view

STATES = ("none", "exchanging", *ANSWERABLE, "not-verified")


def shown(state: str, reason: str = "", way: str = "", people: int = 1, without_turn: bool = False) -> dict[Any, Any]:
    """Return the view about Bob in a state."""
    exchange = Verification("")
    exchange.state, exchange.reason = state, reason
    return dict(view(exchange, "Bob", way, people, without_turn))


class ViewTests(SynchronousTestCase):
    """`view` maps a verification to the dialog."""

    def test_every_state(self) -> None:
        """Each state has a sentence, and the code and its buttons are shown when there is a code."""
        for state in STATES:
            seen = shown(state, "timeout" if state == "not-verified" else "")
            self.assertTrue(seen["verify-status", "text"])
            for element in ("verify-code", "verify-how", "verify-answers"):
                self.assertEqual(seen[element, "hidden"], state not in ANSWERABLE)
            self.assertEqual(seen["verify-match", "pressed"], state == "confirmed")
            self.assertEqual(seen["verify-differ", "pressed"], state == "denied")

    def test_every_reason(self) -> None:
        """Each reason for a failed verification has a sentence, and other states have no reason."""
        reasons = {
            value
            for name, value in vars(verification).items()
            if name.isupper() and isinstance(value, str) and name not in ("COMMIT", "REVEAL", "DOMAIN", "FINGERPRINT")
        } - set(STATES)
        self.assertEqual(set(extra_texts.CODE_REASONS), reasons)
        for reason, sentence in extra_texts.CODE_REASONS.items():
            self.assertIn(sentence, shown("not-verified", reason)["verify-status", "text"])

    def test_path(self) -> None:
        """The path is direct, relayed, or unknown."""
        self.assertEqual(shown("code")["verify-path", "text"], "")
        for way in ("direct", "relayed"):
            self.assertEqual(shown("code", way=way)["verify-path", "text"], extra_texts.PATHS[way].format("Bob"))

    def test_several_people(self) -> None:
        """The participant can be chosen if there are several; without one the dialog is about privacy only."""
        self.assertTrue(shown("code", people=1)["verify-who", "hidden"])
        self.assertFalse(shown("code", people=2)["verify-who", "hidden"])
        alone = view(None, "", "", 0, False)
        self.assertTrue(alone["verify-person", "hidden"])

    def test_no_turn_server(self) -> None:
        """A person who wants to hide their address sees a note if there is no TURN server."""
        self.assertEqual(shown("code")["relay-note", "text"], "")
        self.assertEqual(shown("code", without_turn=True)["relay-note", "text"], extra_texts.NO_TURN)

    def test_relay_only_session(self) -> None:
        """A relay-only session is explained to everybody."""
        self.assertEqual(view(None, "", "", 1, False, relayed=True)["relay-note", "text"], extra_texts.RELAYED_CALL)
        self.assertEqual(view(None, "", "", 1, True, relayed=True)["relay-note", "text"], extra_texts.NO_TURN)


class SymbolTests(SynchronousTestCase):
    """`symbols` translates the numbers of a code."""

    def test_emoji_and_words(self) -> None:
        """Each number has its emoji and its word."""
        self.assertEqual(symbols([0, 63, 20]), [("1f433", "whale"), ("1f462", "boot"), ("1f965", "coconut")])
        self.assertEqual(symbols([]), [])


class PathTests(SynchronousTestCase):
    """`path` recognizes a relayed path."""

    def test_relayed_on_either_end(self) -> None:
        """One relay candidate makes the path relayed."""
        self.assertEqual(path({"selectedPair": None}), "")
        for local, remote, way in (
            ("host", "srflx", "direct"),
            ("relay", "host", "relayed"),
            ("prflx", "relay", "relayed"),
        ):
            self.assertEqual(path({"selectedPair": {"local": local, "remote": remote}}), way)
