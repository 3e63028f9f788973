"""Tests of the import graph, which is derived from the import statements."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.imports import imported_names, module_name, read_graph


def names(text: str, module: str = "signald.core.hub", is_package: bool = False) -> set[str]:
    """Return the names that a module's text imports."""
    return imported_names(ast.parse(textwrap.dedent(text)), module, is_package)


class NamesTests(SynchronousTestCase):
    """The imported names are read from import statements."""

    def test_absolute(self) -> None:
        """In `from a import b` the name `b` may be an attribute or a module."""
        self.assertEqual(names("import os.path\nfrom a.b import c"), {"os.path", "a.b", "a.b.c"})

    def test_relative(self) -> None:
        """A relative import is resolved against the module's package; in a package, against the package itself."""
        self.assertEqual(names("from .ids import a"), {"signald.core.ids", "signald.core.ids.a"})
        self.assertEqual(names("from .. import net"), {"signald", "signald.net"})
        self.assertEqual(names("from . import ids", "signald.core", True), {"signald.core", "signald.core.ids"})

    def test_within_functions(self) -> None:
        """An import within a function counts."""
        self.assertEqual(names("def f():\n    import a"), {"a"})

    def test_for_types(self) -> None:
        """An import under `TYPE_CHECKING` does not count, but the import in its `else` branch does."""
        self.assertEqual(names("if TYPE_CHECKING:\n    import a\nelse:\n    import b"), {"b"})


class GraphTests(SynchronousTestCase):
    """The import graph of a checkout has its files and dependencies."""

    def setUp(self) -> None:
        """Write a small checkout."""
        self.root = Path(self.mktemp()).resolve()
        self.add("signald/__init__.py", "")
        self.add("signald/ids.py", "")
        self.add("signald/hub.py", "from signald import ids")
        self.add("web/edge.py", "import jsffi")
        self.add("web/panel.py", "from . import edge")
        self.add("tests/test_hub.py", "from signald.hub import Hub")

    def add(self, path: str, text: str) -> None:
        """Write a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def test_names(self) -> None:
        """A file is listed under its import name, even if its directory has another name."""
        self.assertEqual(module_name(Path("web/client/__init__.py")), "signald_page.client")
        self.assertEqual(module_name(Path("clients/peer.py")), "signald_client.peer")

    def test_distances(self) -> None:
        """The dependents of a module are found with their distance through the chain of importers."""
        found = read_graph(self.root).distances(["signald.ids"])
        self.assertEqual(found, {"signald.ids": 0, "signald.hub": 1, "tests.test_hub": 2})

    def test_packages(self) -> None:
        """A module depends on the packages that contain it."""
        self.assertIn("signald.ids", read_graph(self.root).distances(["signald"]))

    def test_other_projects(self) -> None:
        """A module of another project has dependents, although the checkout has no file of it."""
        self.assertEqual(read_graph(self.root).dependents_of("jsffi"), {"signald_page.edge", "signald_page.panel"})

    def test_changed_file(self) -> None:
        """A file that has changed is parsed again."""
        read_graph(self.root)
        self.add("signald/hub.py", "import signald")
        self.assertNotIn("signald.hub", read_graph(self.root).distances(["signald.ids"]))
