"""Mutants are small faults at places that are carried out."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.mutants.mutate import Mutant, mutants_of, mutated_source

FILE = Path("module.py")


class MutantTestCase(SynchronousTestCase):
    """A module in a directory.

    Attributes:
        root: the directory.

    """

    def setUp(self) -> None:
        """Make the directory."""
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
    """The kinds of faults."""

    def test_comparison(self) -> None:
        """A bound moves by one, and a membership is turned around; a chain of comparisons stays."""
        self.assertEqual(self.faults("a = b < c"), [("comparison", "b <= c")])
        self.assertEqual(self.faults("a = b not in c"), [("comparison", "b in c")])
        self.assertEqual(self.faults("a = b < c < d"), [])

    def test_boolean(self) -> None:
        """`and` becomes `or`, and a negation is lost."""
        self.assertEqual(self.faults("a = b and c and d"), [("boolean", "b or c or d")])
        self.assertEqual(self.faults("a = not b"), [("boolean", "b")])

    def test_arithmetic(self) -> None:
        """An operation becomes its inverse, also where it changes a variable."""
        self.assertEqual(self.faults("a = b + c"), [("arithmetic", "b - c")])
        self.assertEqual(self.faults("a -= b"), [("arithmetic", "a += b"), ("removed statement", "pass")])

    def test_constant(self) -> None:
        """A number is one more or one less, and a truth value is turned around; texts stay."""
        self.assertEqual(self.faults("a = 5"), [("constant", "6"), ("constant", "4")])
        self.assertEqual(self.faults("a = True"), [("constant", "False")])
        self.assertEqual(self.faults("a = 'text'"), [])

    def test_branches(self) -> None:
        """The two branches change places."""
        self.assertEqual(self.faults("if a:\n    b = c\nelse:\n    b = d"), [("swapped branch", "if not a:")])
        self.assertEqual(self.faults("a = b if c else d"), [("swapped branch", "b if not c else d")])

    def test_return_value(self) -> None:
        """A value is not returned; where nothing is returned, nothing changes."""
        self.assertEqual(self.faults("def f():\n    return a"), [("return value", "return None")])
        self.assertEqual(self.faults("def f():\n    return None"), [])

    def test_removed_statement(self) -> None:
        """An effect is left out, but no definition and no docstring."""
        self.assertEqual(self.faults("f()"), [("removed statement", "pass")])
        self.assertEqual(self.faults("a.b = c"), [("removed statement", "pass")])
        self.assertEqual(self.faults("'''Is a module.'''\nimport a\nb = a\ndef f():\n    '''Is a function.'''"), [])


class PlaceTests(MutantTestCase):
    """The places of faults."""

    def test_only_what_runs(self) -> None:
        """Annotations, decorators and what only the type checker looks at stay."""
        text = """
            if TYPE_CHECKING:
                a = 1
            b: Literal[1] | None = None
            @f(1)
            def g(c: Literal[1]) -> Literal[1]: ...
        """
        self.assertEqual(self.faults(text), [])

    def test_function(self) -> None:
        """A mutant says which function it is in, and its line."""
        (mutant,) = self.mutants("class A:\n    def f(self):\n        return self.x")
        self.assertEqual((mutant.function, mutant.line), ("A.f", 3))

    def test_source(self) -> None:
        """The mutated source differs from the original at one place."""
        mutants = self.mutants("a = 1\nb = 1\nif a < b:\n    f()\n    f()\n")
        sources = [mutated_source(self.root, mutant) for mutant in mutants]
        self.assertEqual(len(set(sources)), len(mutants))
        original = ast.unparse(ast.parse((self.root / FILE).read_text())).splitlines()
        for source in sources:
            self.assertEqual(sum(a != b for a, b in zip(original, source.splitlines(), strict=True)), 1, source)

    def test_changed_file(self) -> None:
        """A mutant of a file that has changed is refused."""
        (mutant, *_) = self.mutants("a = 1")
        (self.root / FILE).write_text("a = b")
        self.assertRaises(ValueError, mutated_source, self.root, mutant)
