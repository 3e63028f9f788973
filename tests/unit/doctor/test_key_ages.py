"""Tests of the doctor's check of the keys that verify tokens."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Tokens
from signald.doctor.findings import Finding, Mark
from signald.doctor.key_ages import SOON, check_token_keys
from tests.support.access import jwks

NOW = 1_800_000_000.0
DAY = 86400.0


class KeyAgeTests(SynchronousTestCase):
    """Tests of the findings about token keys."""

    def setUp(self) -> None:
        """Choose the name of a JWKS."""
        self.path = Path(self.mktemp()).resolve()

    def check(self, *texts: str) -> list[Finding]:
        """Return the findings about a JWKS with the keys of others, each of which gets its own `kid`."""
        keys = [key for text in texts for key in json.loads(text)["keys"]]
        self.path.write_text(json.dumps({"keys": [{**key, "kid": str(number)} for number, key in enumerate(keys)]}))
        return check_token_keys(Tokens(jwks_file=self.path), NOW)

    def test_none(self) -> None:
        """Without keys there is no finding."""
        self.assertEqual(check_token_keys(Tokens(), NOW), [])

    def test_unusable(self) -> None:
        """A file that cannot be used is a failure that names it."""
        self.path.write_text("{}")
        [found] = check_token_keys(Tokens(jwks_file=self.path), NOW)
        self.assertEqual((found.topic, found.mark), ("tokens", Mark.FAILURE))
        self.assertIn(f"{self.path}: expected a JWKS", found.text)

    def test_without_an_end(self) -> None:
        """Keys of which one has no end are counted."""
        self.assertEqual([one.text for one in self.check(jwks())], ["One key verifies tokens."])
        [found] = self.check(jwks(exp=1), jwks())
        self.assertEqual((found.mark, found.text), (Mark.OK, "2 keys verify tokens."))

    def test_ended(self) -> None:
        """When the last key has ended, tokens of newer ones are refused."""
        [found] = self.check(jwks(exp=NOW - DAY))
        self.assertEqual(found.mark, Mark.FAILURE)
        self.assertIn(f"The key in {self.path} has ended by what the file says, on 2027-01-14", found.text)
        [found] = self.check(jwks(exp=NOW - DAY), jwks(exp=NOW))
        self.assertIn(f"All 2 keys in {self.path} have ended by what the file says, on 2027-01-15", found.text)
        self.assertIn("Fetch the JWKS", found.remedy or "")

    def test_ending(self) -> None:
        """When the last key ends within a week, the file should have been replaced."""
        week = SOON.total_seconds()
        [found] = self.check(jwks(exp=NOW - DAY), jwks(exp=NOW + week - 1))
        self.assertEqual(found.mark, Mark.WARNING)
        self.assertEqual(found.text, "2 keys verify tokens, the last until 2027-01-22 (6 days).")
        [found] = self.check(jwks(exp=NOW + week))
        self.assertEqual((found.mark, found.remedy), (Mark.OK, None))
