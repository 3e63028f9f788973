"""Tests that mutants are single small faults in code that is executed."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.mutants.mutate import Mutant, mutants_of, mutated_source

FILE = Path("module.py")


class MutantTestCase(SynchronousTestCase):
    """A test with a module in a temporary directory.

    Attributes:
        root: the directory.

    """

    def setUp(self) -> None:
        """Create the directory."""
        self.root = Path(self.mktemp())
        self.root.mkdir()

    def mutants(self, text: str) -> list[Mutant]:
        """Write a module, and return its mutants."""
        (self.root / FILE).write_text(textwrap.dedent(text))
        return list(mutants_of(self.root, FILE))

    def faults(self, text: str) -> list[tuple[str, str]]:
        """Return kind and result of each mutant of a module."""
        return [(mutant.kind, mutant.after) for mutant in self.mutants(text)]


class KindTests(MutantTestCase):
    """Each kind of fault has its mutants."""

    def test_comparison(self) -> None:
        """A comparison with a bound is shifted by one, and a membership test is negated; chained comparisons stay."""
        self.assertEqual(self.faults("a = b < c"), [("comparison", "b <= c")])
        self.assertEqual(self.faults("a = b not in c"), [("comparison", "b in c")])
        self.assertEqual(self.faults("a = b < c < d"), [])

    def test_boolean(self) -> None:
        """`and` becomes `or` and vice versa, and a negation is removed."""
        self.assertEqual(self.faults("a = b and c and d"), [("boolean", "b or c or d")])
        self.assertEqual(self.faults("a = not b"), [("boolean", "b")])

    def test_arithmetic(self) -> None:
        """An operator becomes its inverse, even in an augmented assignment."""
        self.assertEqual(self.faults("a = b + c"), [("arithmetic", "b - c")])
        self.assertEqual(self.faults("a -= b"), [("arithmetic", "a += b"), ("removed statement", "pass")])

    def test_constant(self) -> None:
        """A number is increased or decreased by one, and a truth value is negated; texts stay."""
        self.assertEqual(self.faults("a = 5"), [("constant", "6"), ("constant", "4")])
        self.assertEqual(self.faults("a = True"), [("constant", "False")])
        self.assertEqual(self.faults("a = 'text'"), [])

    def test_branches(self) -> None:
        """The two branches of a condition are swapped."""
        self.assertEqual(self.faults("if a:\n    b = c\nelse:\n    b = d"), [("swapped branch", "if not a:")])
        self.assertEqual(self.faults("a = b if c else d"), [("swapped branch", "b if not c else d")])

    def test_return_value(self) -> None:
        """A returned value is replaced by None; a return without a value stays."""
        self.assertEqual(self.faults("def f():\n    return a"), [("return value", "return None")])
        self.assertEqual(self.faults("def f():\n    return None"), [])

    def test_removed_statement(self) -> None:
        """A statement with a side effect is removed; definitions and docstrings stay."""
        self.assertEqual(self.faults("f()"), [("removed statement", "pass")])
        self.assertEqual(self.faults("a.b = c"), [("removed statement", "pass")])
        self.assertEqual(self.faults("'''Is a module.'''\nimport a\nb = a\ndef f():\n    '''Is a function.'''"), [])


class PlaceTests(MutantTestCase):
    """Only some places of a module are mutated."""

    def test_only_what_runs(self) -> None:
        """Annotations, decorators and code for the type checker are not mutated."""
        text = """
            if TYPE_CHECKING:
                a = 1
            b: Literal[1] | None = None
            @f(1)
            def g(c: Literal[1]) -> Literal[1]: ...
        """
        self.assertEqual(self.faults(text), [])

    def test_function(self) -> None:
        """A mutant contains the name of its function and its line."""
        (mutant,) = self.mutants("class A:\n    def f(self):\n        return self.x")
        self.assertEqual((mutant.function, mutant.line), ("A.f", 3))

    def test_source(self) -> None:
        """The mutated source differs from the original in one place."""
        mutants = self.mutants("a = 1\nb = 1\nif a < b:\n    f()\n    f()\n")
        sources = [mutated_source(self.root, mutant) for mutant in mutants]
        self.assertEqual(len(set(sources)), len(mutants))
        original = ast.unparse(ast.parse((self.root / FILE).read_text())).splitlines()
        for source in sources:
            self.assertEqual(sum(a != b for a, b in zip(original, source.splitlines(), strict=True)), 1, source)

    def test_changed_file(self) -> None:
        """Applying a mutant to a file that has changed is an error."""
        (mutant, *_) = self.mutants("a = 1")
        (self.root / FILE).write_text("a = b")
        self.assertRaises(ValueError, mutated_source, self.root, mutant)
