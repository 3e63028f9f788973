"""Tests the table "Promises and their tests" of `docs/security.md`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from tests.suites.attacks.loads import LOADS

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "security.md"

HEADING = "## Promises and their tests"

ROW = re.compile(r"^\| (.+) \| (\S+) \| (`[^|]+`) \| (.*) ?\|$", re.MULTILINE)
"""Matches a row: the words of a promise, its page, its tests, and what was measured, if anything."""

THREAT = re.compile(r"^\| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
"""Matches a row of the table of threats, whose first cell names the threat."""


@frozen
class Promise:
    """A row of the table.

    Attributes:
        words: words of a page, with single spaces in the place of line breaks.
        page: the page that contains them.
        tests: the names of the tests that hold the promise.
        measured: what was measured, if anything.

    """

    words: str
    page: Path
    tests: list[str]
    measured: str


def sections() -> tuple[str, str]:
    """Return the text of the document before the table, and the text with the table."""
    before, heading, table = DOCUMENT.read_text(encoding="utf-8").partition(HEADING)
    assert heading, "the heading of the table is missing"
    return before, table


def promises() -> list[Promise]:
    """Return the rows of the table."""
    found = []
    for words, cell, tests, measured in ROW.findall(sections()[1]):
        link = re.fullmatch(r"\[(\S+)\]\(\1\)", cell)
        page = ROOT / cell if link is None else ROOT / "docs" / link[1]
        found.append(Promise(words, page, re.findall(r"`([^`]+)`", tests), measured.strip()))
    return found


def page_text(page: Path) -> str:
    """Return the text of a page without line breaks; of the document itself only what precedes the table."""
    text = sections()[0] if page == DOCUMENT else page.read_text(encoding="utf-8")
    return " ".join(text.split())


def methods(module: str) -> set[str]:
    """Return the test methods of a module, each with its class, or nothing if the module does not exist."""
    path = ROOT / (module.replace(".", "/") + ".py")
    if not path.is_file():
        return set()
    classes = (node for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.ClassDef))
    return {
        f"{class_.name}.{node.name}"
        for class_ in classes
        for node in class_.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def is_test(name: str) -> bool:
    """Whether a test of this name exists: a dotted name, or `attack:` with the name of an attack."""
    if name.startswith("attack: "):
        return name.removeprefix("attack: ") in LOADS
    module, class_, method = name.rsplit(".", 2)
    return f"{class_}.{method}" in methods(module)


class PromisesDocumentTests(SynchronousTestCase):
    """The table names promises that are made, and tests that exist."""

    def test_every_promise_is_made(self) -> None:
        """The page of each row contains its words, so that a changed sentence is looked up here, too."""
        rows = promises()
        self.assertGreater(len(rows), 90)
        missing = [f"{row.page.name}: {row.words}" for row in rows if row.words not in page_text(row.page)]
        self.assertEqual(missing, [])

    def test_every_test_exists(self) -> None:
        """Each row has tests, and each of them exists."""
        rows = promises()
        self.assertEqual([row.words for row in rows if not row.tests], [])
        self.assertEqual([name for row in rows for name in row.tests if not is_test(name)], [])

    def test_what_was_measured(self) -> None:
        """The last column has figures, in some rows."""
        measured = [row.measured for row in promises() if row.measured]
        self.assertGreater(len(measured), 10)
        self.assertEqual([cell for cell in measured if re.search("[0-9]", cell) is None], [])

    def test_every_threat_has_a_row(self) -> None:
        """The table of threats makes a promise in each of its rows, and each is in this table."""
        before = sections()[0]
        threats = THREAT.findall(before)[1:]  # without the headings of the columns
        threats = [threat for threat in threats if threat != "---"]
        self.assertGreater(len(threats), 20)
        words = {row.words for row in promises() if row.page == DOCUMENT}
        self.assertEqual([threat for threat in threats if threat not in words], [])

    def test_names_of_tests(self) -> None:
        """A name that no module, class or method has is no test."""
        own = f"{__name__}.PromisesDocumentTests"
        self.assertTrue(is_test(f"{own}.test_names_of_tests"))
        for name in (f"{own}.test_nothing", "tests.unit.nothing.NothingTests.test_nothing", "attack: nothing"):
            self.assertFalse(is_test(name), name)
