"""Reads the import graph of the checkout's Python from its syntax trees."""

from __future__ import annotations

import ast
import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.runner.checks import LINKS

#: The directories whose modules are in the graph, each with the name of its package.
PACKAGES = {"signald": "signald", "tests": "tests", "codegen": "codegen", "benchmarks": "benchmarks"} | {
    source: name for name, source in LINKS.items()
}

#: The cache of the names that each module imports: a file, relative to the root.
CACHE = ".checks/imports.json"


@dataclass(frozen=True)
class Graph:
    """Which module imports which.

    Attributes:
        files: the path of each module, relative to the root.
        names: the names in the import statements of each module, those of other projects among them.
        imports: the modules that each module imports, the packages on the way to them among these.

    """

    files: Mapping[str, Path]
    names: Mapping[str, Iterable[str]]
    imports: Mapping[str, frozenset[str]]

    def module_at(self, path: Path) -> str | None:
        """Return the name of the module in a file."""
        return next((name for name, file in self.files.items() if file == path), None)

    def importers(self) -> dict[str, set[str]]:
        """Return the modules that import each module."""
        found: dict[str, set[str]] = {}
        for module, imported in self.imports.items():
            for name in imported:
                found.setdefault(name, set()).add(module)
        return found

    def distances(self, changed: Iterable[str]) -> dict[str, int]:
        """Return the modules that depend on the changed ones, with the imports between: 0 for a changed one itself."""
        return distances(self.importers(), changed)

    def dependents_of(self, name: str) -> set[str]:
        """Return the modules that import something of another project, or import a module that does."""
        return set(self.distances(module for module, names in self.names.items() if name in names))


def distances(edges: Mapping[str, Iterable[str]], starts: Iterable[str]) -> dict[str, int]:
    """Return the nodes that can be reached along edges, each with the length of the shortest way."""
    found = dict.fromkeys(starts, 0)
    queue = deque(found)
    while queue:
        node = queue.popleft()
        for following in edges.get(node, ()):
            if following not in found:
                found[following] = found[node] + 1
                queue.append(following)
    return found


def nearest(
    graph: Graph,
    changed: Iterable[str],
    tests: Iterable[str],
    seconds: Mapping[str, float],
    *,
    also: Iterable[str] = (),
) -> list[str]:
    """Return the tests that depend on changed modules, nearest first.

    A test module that mirrors a changed one comes before others that import it as directly; of equal ones, the shorter
    comes first.

    Arguments:
        graph: the import graph.
        changed: names of modules.
        tests: the test modules to choose from.
        seconds: the seconds that each takes.
        also: modules that count as near as direct importers.

    """
    starts = list(changed)
    far = graph.distances(starts)
    for module, distance in graph.distances(also).items():
        far[module] = min(far.get(module, distance + 1), distance + 1)
    mirrors = {f"test_{module.rpartition('.')[2]}" for module in starts}
    found = [test for test in tests if test in far]
    return sorted(found, key=lambda test: (far[test], test.rpartition(".")[2] not in mirrors, seconds[test], test))


def module_name(path: Path) -> str:
    """Return the name by which a file of the checkout, relative to its root, is imported."""
    parts = [PACKAGES[path.parts[0]], *path.with_suffix("").parts[1:]]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_for_types(node: ast.AST) -> bool:
    """Return whether a statement is one that only the type checker looks into."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported_names(tree: ast.AST, module: str, is_package: bool) -> set[str]:
    """Return the dotted names in the import statements of a module; `from a import b` yields `a` and `a.b`.

    Imports within functions count. Those for the type checker alone do not, since they change nothing that runs.
    """
    found = set[str]()
    nodes = deque([tree])
    while nodes:
        node = nodes.popleft()
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            found.add(source)
            found.update(f"{source}.{alias.name}" for alias in node.names)
        rest = node.orelse if isinstance(node, ast.If) and is_for_types(node) else ast.iter_child_nodes(node)
        nodes.extend(rest)
    return found


def with_packages(name: str) -> list[str]:
    """Return a dotted name and those of the packages that it is in, which are imported before it."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def read_graph(root: Path) -> Graph:
    """Read the graph of all packages in the checkout.

    Parsing all files takes two seconds. The names of each are kept with the file's time and size, so that it is parsed
    again only when it has changed.
    """
    cache = root / CACHE
    known = json.loads(cache.read_text()) if cache.exists() else {}
    files: dict[str, Path] = {}
    kept: dict[str, list[object]] = {}
    names: dict[str, list[str]] = {}
    for path in (path for directory in PACKAGES for path in sorted((root / directory).rglob("*.py"))):
        file = path.relative_to(root)
        module = module_name(file)
        status = path.stat()
        state = [status.st_mtime_ns, status.st_size]
        entry = known.get(str(file))
        if entry is None or entry[:2] != state:
            found = imported_names(ast.parse(path.read_bytes()), module, path.name == "__init__.py")
            entry = [*state, sorted(found)]
        files[module], kept[str(file)], names[module] = file, entry, entry[2]
    cache.parent.mkdir(exist_ok=True)
    cache.write_text(json.dumps(kept))
    imports = {
        module: frozenset(
            {each for name in [*found, module] for each in with_packages(name) if each in files} - {module}
        )
        for module, found in names.items()
    }
    return Graph(files, names, imports)
