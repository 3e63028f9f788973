"""The import graph is what the import statements say."""

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
    """Names in import statements."""

    def test_absolute(self) -> None:
        """`from a import b` may mean an attribute or a module."""
        self.assertEqual(names("import os.path\nfrom a.b import c"), {"os.path", "a.b", "a.b.c"})

    def test_relative(self) -> None:
        """A relative import begins at the module's package, or at the package itself."""
        self.assertEqual(names("from .ids import a"), {"signald.core.ids", "signald.core.ids.a"})
        self.assertEqual(names("from .. import net"), {"signald", "signald.net"})
        self.assertEqual(names("from . import ids", "signald.core", True), {"signald.core", "signald.core.ids"})

    def test_within_functions(self) -> None:
        """An import within a function counts."""
        self.assertEqual(names("def f():\n    import a"), {"a"})

    def test_for_types(self) -> None:
        """An import for the type checker does not count, but the one in its place does."""
        self.assertEqual(names("if TYPE_CHECKING:\n    import a\nelse:\n    import b"), {"b"})


class GraphTests(SynchronousTestCase):
    """A checkout."""

    def setUp(self) -> None:
        """Write a checkout."""
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
        """A file has the name by which it is imported, also where its directory has another."""
        self.assertEqual(module_name(Path("web/client/__init__.py")), "signald_page.client")
        self.assertEqual(module_name(Path("clients/peer.py")), "signald_client.peer")

    def test_distances(self) -> None:
        """What depends on a module is reached through its importers."""
        found = read_graph(self.root).distances(["signald.ids"])
        self.assertEqual(found, {"signald.ids": 0, "signald.hub": 1, "tests.test_hub": 2})

    def test_packages(self) -> None:
        """A module depends on the packages that it is in."""
        self.assertIn("signald.ids", read_graph(self.root).distances(["signald"]))

    def test_other_projects(self) -> None:
        """A module of another project has dependents, although it has no file here."""
        self.assertEqual(read_graph(self.root).dependents_of("jsffi"), {"signald_page.edge", "signald_page.panel"})

    def test_changed_file(self) -> None:
        """A file that has changed is read again."""
        read_graph(self.root)
        self.add("signald/hub.py", "import signald")
        self.assertNotIn("signald.hub", read_graph(self.root).distances(["signald.ids"]))
