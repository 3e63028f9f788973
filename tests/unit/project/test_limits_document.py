"""Tests that docs/limits.md is complete; its generated table is tested with the other generated files."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import Limits

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "limits.md"


class LimitsDocumentTests(SynchronousTestCase):
    """The page for operators says of each limit what it protects."""

    def test_what_each_protects(self) -> None:
        """Each limit has exactly one row in "What each protects", and each row is about limits that exist."""
        section = DOCUMENT.read_text().partition("\n## What each protects\n")[2].partition("\n## ")[0]
        rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
        named = [name for row in rows for name in re.findall(r"`([a-z-]+)`", row)]
        self.assertEqual(sorted(named), sorted(field.name.replace("_", "-") for field in attrs.fields(Limits)))
