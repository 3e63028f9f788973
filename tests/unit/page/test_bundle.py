"""Tests of the bundles of the page's Python modules."""

from __future__ import annotations

import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.page.build_cache import unpack
from signald.page.bundle import find_compiler, make_bundle, make_call_bundle, make_extras

PACKAGES = files("signald_page"), files("signald_client")


class BundleTests(SynchronousTestCase):
    """`make_bundle`, `make_call_bundle` and `make_extras`."""

    def test_sources(self) -> None:
        """Without the compiler the bundle holds the unchanged sources."""
        bundle = unpack(make_bundle(*PACKAGES, compiler=None))
        main = PACKAGES[0] / "client" / "browser" / "main.py"
        self.assertEqual(bundle["signald_page/client/browser/main.py"], main.read_bytes())

    def test_bytecode(self) -> None:
        """With the compiler the bundle holds the same modules as bytecode, less than half as large.

        The bytecode has the version of the vendored runtime.
        """
        compiler = find_compiler()
        assert compiler is not None, "the tests' requirements include the compiler"
        sources = unpack(make_bundle(*PACKAGES, compiler=None))
        bytecode = unpack(make_bundle(*PACKAGES, compiler=compiler))
        self.assertEqual({path.replace(".py", ".mpy") for path in sources}, set(bytecode))
        # docs.micropython.org, "MicroPython .mpy files": "M", then the version, which is 6 for 1.19 and later.
        self.assertEqual({content[:2] for content in bytecode.values()}, {b"M\x06"})
        self.assertLess(sum(map(len, bytecode.values())), sum(map(len, sources.values())) / 2)

    def test_extras(self) -> None:
        """Modules that are loaded on demand are in the second bundle, and in that alone."""
        extras = unpack(make_extras(*PACKAGES, compiler=None))
        self.assertIn("signald_page/client/extras/__init__.py", extras)
        for bundle in (make_bundle, make_call_bundle):
            self.assertEqual(set(extras) & set(unpack(bundle(*PACKAGES, compiler=None))), set())

    def test_model_of_extras(self) -> None:
        """What extras alone import of the model is fetched with them; what others import as well is not."""
        extras = unpack(make_extras(*PACKAGES, compiler=None))
        self.assertIn("signald_page/client/model/control_viewer.py", extras)
        for name in ("model/layout.py", "model/__init__.py", "browser/tiles.py"):
            self.assertNotIn("signald_page/client/" + name, extras)

    def test_calls(self) -> None:
        """What only a call imports is in a bundle of its own; what the start screen imports as well is not."""
        start = set(unpack(make_bundle(*PACKAGES, compiler=None)))
        calls = set(unpack(make_call_bundle(*PACKAGES, compiler=None)))
        self.assertEqual(start & calls, set())
        for name in ("signald_page/client/browser/call.py", "signald_client/signaling/client.py"):
            self.assertIn(name, calls)
        for name in ("signald_page/client/browser/main.py", "signald_client/signaling/session_ids.py", "typing.py"):
            self.assertIn(name, start)

    def test_typing_imports_are_left_out(self) -> None:
        """Neither imports for the type checker nor `__all__` are sent to browsers."""
        bytecode = unpack(make_call_bundle(*PACKAGES, compiler=find_compiler()))
        for content in (
            bytecode["signald_page/client/browser/call.mpy"],
            bytecode["signald_client/signaling/client.mpy"],
        ):
            for needless in (b"TYPE_CHECKING", b"Callable", b"__all__"):
                self.assertNotIn(needless, content)

    def test_tracebacks_name_modules(self) -> None:
        """A traceback names each module: the first string of its bytecode is the module's name."""
        bytecode = unpack(make_bundle(*PACKAGES, compiler=find_compiler()))
        for path in ("signald_page/client/browser/call_page.mpy", "signald_client/signaling/session_ids.mpy"):
            name = Path(path).stem.encode()
            # Its length in units of 2, the characters and NUL follow the header (4 bytes) and two counts (1 or 2 each).
            string = bytes([len(name) << 1]) + name + b"\0"
            self.assertIn(string, bytecode[path][: 8 + len(string)])

    def test_syntax_errors(self) -> None:
        """A module that does not compile raises the compiler's error."""
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            for folder in ("page/client", "page/stubs", "client/signaling"):
                root.joinpath(folder).mkdir(parents=True)
            for name in ("page/__init__.py", "client/__init__.py"):
                root.joinpath(name).write_text("")
            root.joinpath("page/client/main.py").write_text("x = (1, *2)\nreturn\n(")
            self.assertRaises(
                subprocess.CalledProcessError, make_bundle, root / "page", root / "client", find_compiler()
            )
