"""Tests of the check by MicroPython's compiler."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.micropython import faults, main, sources

ROOT = Path(__file__).resolve().parents[3]


class CompilerTests(SynchronousTestCase):
    """What MicroPython cannot run is found before a browser meets it."""

    def setUp(self) -> None:
        """Write a checkout with two files of the page."""
        self.root = Path(self.mktemp()).resolve()
        directory = self.root / "web" / "client" / "model"
        directory.mkdir(parents=True)
        self.good, self.bad = directory / "good.py", directory / "other.py"
        self.good.write_text("def double(number: int) -> int:\n    return 2 * number\n")

    def test_syntax(self) -> None:
        """A `match` statement, which MicroPython does not have, is a fault of its file, with the compiler's words."""
        self.bad.write_text("match 1:\n    case 1:\n        pass\n")
        found = faults([self.good, self.bad])
        self.assertEqual(list(found), [self.bad])
        self.assertIn("SyntaxError", found[self.bad])
        self.assertEqual(main(self.root), 1)

    def test_valid(self) -> None:
        """A checkout whose files all compile passes."""
        self.assertEqual((sources(self.root), main(self.root)), ([self.good], 0))

    def test_sources(self) -> None:
        """The page's own Python, the stubs of standard modules and the signaling client are compiled."""
        found = {str(path.relative_to(ROOT)) for path in sources(ROOT)}
        expected = {"web/client/model/texts.py", "web/client/browser/bridge.py", "clients/signaling/client.py"}
        self.assertEqual(expected - found, set())
        self.assertTrue(any(name.startswith("web/stubs/") for name in found))
