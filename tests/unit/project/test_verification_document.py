"""Tests that docs/verification.md agrees with the code."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling.verification import code_numbers, commitment, fingerprints
from signald_page.client.extras.extra_texts import CODE_REASONS
from signald_page.client.extras.verify_view import symbols
from signald_page.client.model import texts

DOCUMENT = Path(__file__).parents[3] / "docs" / "verification.md"


class VerificationDocumentTests(SynchronousTestCase):
    """The example and the tables of docs/verification.md."""

    def setUp(self) -> None:
        """Read the document."""
        self.text = DOCUMENT.read_text(encoding="utf-8")

    def example(self, name: str) -> list[str]:
        """Return the values of this name in the example."""
        return re.findall(rf"^{name} +(.+)$", self.text.split("```")[1], re.MULTILINE)

    def test_example(self) -> None:
        """The commitments and the code of the example follow from its other values."""
        (session,), nonces, lines = self.example("session"), self.example("nonce"), self.example("fingerprint")
        self.assertEqual([commitment(nonce) for nonce in nonces], self.example("commitment"))
        sides = [fingerprints(f"a=fingerprint:{fingerprint}\r\n") for fingerprint in lines]
        self.assertEqual(sides, lines)
        code = code_numbers(session, (sides[0], sides[1]), (nonces[0], nonces[1]))
        self.assertEqual([" ".join(word for _, word in symbols(code))], self.example("code"))

    def test_states_and_reasons(self) -> None:
        """The tables contain all states and reasons."""
        first = re.findall(r"^\| `([a-z-]+)` \|", self.text, re.MULTILINE)
        self.assertEqual(first, [*texts.TRUST, *CODE_REASONS])
