"""Architecture rules that import-linter cannot express; all other rules are contracts in pyproject.toml."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import signald
import signald_client

ROOTS = [Path(package.__path__[0]) for package in (signald, signald_client)]

SANS_IO = ("signald.core", "signald.dialects")
"""The packages that do no I/O, read no clock and draw no random numbers."""

LIBRARIES = {"attrs", "cattrs", "idna", "orjson"}
"""Third-party packages that `SANS_IO` may import."""

STANDARD = {
    "__future__", "abc", "base64", "bisect", "collections", "difflib", "email", "enum", "functools", "hashlib", "heapq",
    "hmac", "http", "ipaddress", "itertools", "json", "math", "re", "struct", "types", "typing",
}  # fmt: skip
"""Standard modules that `SANS_IO` may import. import-linter supports lists of forbidden modules only."""


DIALECTS = {"signald.dialects", *(f"signald.dialects.{name}" for name in ("DIALECTS", "Native", "Serde"))}
"""Names that only the module that wires the server may import.

Other modules may import the interface, `signald.dialects.dialect`.
"""


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield the dotted name and the syntax tree of every module of the server and the client."""
    for root in ROOTS:
        for path in sorted(root.rglob("*.py")):
            parts = [root.name, *path.relative_to(root).with_suffix("").parts]
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, ast.parse(path.read_text())


def imports(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the dotted names of everything that these nodes import; relative names start with a dot."""
    found = set[str]()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that are executed when their module is imported, which are those outside functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from run_on_import(child)


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    """Return whether a dotted name is one of these packages or lies below one."""
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


class ArchitectureTests(SynchronousTestCase):
    """The architecture rules hold in every module, including new ones."""

    def test_modules_are_found(self) -> None:
        """The search for modules covers the packages that the other tests are about."""
        names = {name for name, _ in modules()}
        self.assertLessEqual({"signald.tap", "signald.dialects", "signald.core.hub", "signald_client.transport"}, names)

    def test_imports_are_absolute(self) -> None:
        """The server's modules use absolute imports, so that the imported layer is visible."""
        for name, tree in modules():
            if is_within(name, ("signald",)):
                self.assertEqual([found for found in imports(ast.walk(tree)) if found.startswith(".")], [], name)

    def test_libraries_of_the_core(self) -> None:
        """The core and the dialects import only each other and the modules of the allow-lists."""
        for name, tree in modules():
            if is_within(name, SANS_IO):
                outside = {found for found in imports(ast.walk(tree)) if not is_within(found, SANS_IO)}
                self.assertEqual(
                    {found for found in outside if found.split(".")[0] not in LIBRARIES | STANDARD}, set(), name
                )

    def test_list_of_dialects(self) -> None:
        """Only `signald.tap` imports the list of all dialects; every other module gets its dialects as arguments."""
        importers = {name for name, tree in modules() if DIALECTS & imports(ast.walk(tree))}
        self.assertEqual(importers, {"signald.tap"})

    def test_reactor(self) -> None:
        """No module imports the reactor while it is imported itself, since that would install the default reactor."""
        reactor = ("twisted.internet.reactor",)
        for name, tree in modules():
            early = {found for found in imports(run_on_import(tree)) if is_within(found, reactor)}
            self.assertEqual(early, set(), name)
