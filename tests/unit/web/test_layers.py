"""Tests of the structure of the call page: its layers, its imports, and the contents of its files."""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

import signald_page.client
from signald_page.client.extras.code_symbols import EMOJI, picture_id
from signald_page.client.model.mesh import CAPACITY

PAGE = files("signald_page")
CLIENT = Path(signald_page.client.__file__).parent

BROWSER = {"jsffi", "shim"}
"""The modules that lead to JavaScript; `js` also would, but no module of the page imports it."""

STANDARD = {"__future__", "asyncio", "hashlib", "json", "sys", "typing"}
"""The standard modules that MicroPython has and the page uses; `__future__` and `typing` are in `web/stubs`."""

WITHOUT_BROWSER = {
    "model.active_speaker": set[str](),
    "model.avatars": set[str](),
    "model.call_clock": set[str](),
    "model.call_news": {"model.texts"},
    "model.call_summary": {"model.call_clock", "model.texts"},
    "model.call_urls": set[str](),
    "model.chat_log": {"model.texts"},
    "model.control_input": set[str](),
    "model.control_viewer": set[str](),
    "model.controls_timer": set[str](),
    "model.device_choices": {"model.devices", "model.texts"},
    "model.devices": set[str](),
    "model.embedding_messages": {"model.device_choices", "model.devices", "model.page_state", "model.texts"},
    "model.event_log": set[str](),
    "model.join_flow": set[str](),
    "model.layout": set[str](),
    "model.media_status": {"model.devices"},
    "model.mesh": set[str](),
    "model.local_devices": {"model.devices", "model.texts"},
    "model.network_state": set[str](),
    "model.notices": set[str](),
    "model.page_parameters": {"model.call_urls"},
    "model.page_state": {
        "model.call_summary",
        "model.layout",
        "model.local_devices",
        "model.network_state",
        "model.notices",
        "model.participants",
        "model.remote_peer",
        "model.session_details",
        "model.stage_layout",
        "model.texts",
    },
    "model.participants": set[str](),
    "model.peer_messaging": {"model.token_bucket"},
    "model.picture_box": set[str](),
    "model.pointing_input": {"model.pointing_messages"},
    "model.pointing_messages": set[str](),
    "model.quality": set[str](),
    "model.remote_peer": {"model.quality"},
    "model.screen_marks": {"model.pointing_messages", "model.token_bucket"},
    "model.session_details": set[str](),
    "model.shown_pictures": {"model.mesh"},
    "model.stage_geometry": set[str](),
    "model.stage_layout": {"model.layout"},
    "model.texts": set[str](),
    "model.token_bucket": set[str](),
    "model.translation": set[str](),
    "model.trust": {"model.texts"},
    "model.verification_offer": {"model.texts", "model.view_model"},
    "model.view_model": {"model.devices", "model.page_state", "model.texts"},
    "model.webrtc_stats": set[str](),
    "extras.calendar_file": set[str](),
    "extras.check_view": {"extras.checks", "extras.extra_texts"},
    "extras.checks": {"extras.extra_texts"},
    "extras.code_symbols": set[str](),
    "extras.extra_texts": set[str](),
    "extras.linkify": set[str](),
    "extras.people_view": {"extras.extra_texts", "model.devices", "model.page_state", "model.texts"},
    "extras.shortcuts": {"model.devices"},
    "extras.statistics_rows": {"extras.extra_texts", "model.quality"},
    "extras.support_report": {"model.quality"},
    "extras.control_view": {"extras.extra_texts", "model.control_viewer"},
    "extras.verify_view": {"extras.code_symbols", "extras.extra_texts"},
}
"""The modules that do not depend on the browser, each with the modules of the page that it may import at run time."""

LAZY = {
    "call_page",
    "call_panels",
    "call_signals",
    "invitation",
    "control_loader",
    "keyboard_loader",
    "people_controller",
    "pointing_loader",
    "quality_monitor",
    "start_screen",
    "trust_badges",
}
"""The modules of `browser` that load `extras` on demand, within a function."""

LINES = {"features.js": 60, "boot.mjs": 112, "embedding.mjs": 30, "loading.mjs": 65, "service-worker.js": 60}
"""The largest number of lines of each JavaScript file of the page."""

PLACEHOLDER = re.compile(r"\{\{#?([^}]+)\}\}")


class Import(NamedTuple):
    """An import statement of one module.

    Attributes:
        name: the absolute name of the imported module; relative to `web/client` for a module of the page.
        own: whether the module belongs to the page.
        typing: whether only the type checker reads the statement.
        lazy: whether the statement stands within a function.

    """

    name: str
    own: bool
    typing: bool
    lazy: bool


def modules() -> dict[str, Path]:
    """Return the path of every module of the page by its dotted name relative to `web/client`."""
    return {".".join(path.relative_to(CLIENT).with_suffix("").parts): path for path in sorted(CLIENT.rglob("*.py"))}


def imports(module: str, known: Mapping[str, Path]) -> set[Import]:
    """Return the imports of a module; `from package import name` counts as the module `name` if it exists."""
    package = module.split(".")[:-1]
    found = set[Import]()

    def resolve(node: ast.ImportFrom) -> set[str]:
        base = package[: len(package) - node.level + 1] if node.level else []
        base = [*base, *(node.module.split(".") if node.module else [])]
        if not node.level or ".".join(base) in known:
            return {".".join(base)}
        return {
            name if (name := ".".join([*base, alias.name])) in known else ".".join([*base, "__init__"])
            for alias in node.names
        }

    def visit(node: ast.AST, typing: bool, lazy: bool) -> None:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                typing = True
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                lazy = True
            case ast.Import():
                found.update(Import(alias.name, False, typing, lazy) for alias in node.names)
            case ast.ImportFrom():
                found.update(Import(name, node.level > 0, typing, lazy) for name in resolve(node))
        for child in ast.iter_child_nodes(node):
            visit(child, typing, lazy)

    visit(ast.parse(known[module].read_text(encoding="utf-8")), False, False)
    return found


class PythonTests(SynchronousTestCase):
    """The layers of the page's Python are kept apart."""

    def setUp(self) -> None:
        """Read the imports of every module."""
        known = modules()
        self.imports = {module: imports(module, known) for module in known}

    def test_one_module_touches_the_browser(self) -> None:
        """Only `bridge` touches the browser, because a JavaScript exception damages the interpreter."""
        for module, found in self.imports.items():
            outside = {entry.name.split(".")[0] for entry in found if not entry.own and not entry.typing}
            allowed = STANDARD | {"signald_client"} | (BROWSER if module == "browser.bridge" else set())
            self.assertEqual(outside - allowed, set(), module)

    def test_modules_without_browser(self) -> None:
        """The modules that decide what the page shows do not depend on the browser."""
        for module, allowed in WITHOUT_BROWSER.items():
            found = {entry for entry in self.imports[module] if not entry.typing}
            own = {entry.name for entry in found if entry.own}
            self.assertEqual(own - allowed, set(), module)
            outside = {entry.name for entry in found if not entry.own}
            signaling = {
                f"signald_client.signaling.{name}" for name in ("names", "rejoining", "session_ids", "verification")
            }
            known = {"__future__", "hashlib", "typing"} | signaling
            self.assertEqual(outside - known, set(), module)

    def test_every_module_is_in_a_package(self) -> None:
        """Each module belongs to `model`, `browser` or `extras`, and all of `model` is independent of the browser."""
        packages = {module.partition(".")[0] for module in self.imports} - {"__init__"}
        self.assertEqual(packages, {"model", "browser", "extras"})
        model = {module for module in self.imports if module.startswith("model.")} - {"model.__init__"}
        self.assertEqual(model, {module for module in WITHOUT_BROWSER if module.startswith("model.")})

    def test_model_imports_nothing_above_it(self) -> None:
        """`model` imports neither `browser` nor `extras`, not even for the type checker."""
        for module, found in self.imports.items():
            if module.startswith("model."):
                own = {entry.name.partition(".")[0] for entry in found if entry.own}
                self.assertEqual(own - {"model"}, set(), module)

    def test_extras_are_loaded_on_demand(self) -> None:
        """`browser` imports `extras` only within functions, which run after `load_extras` has fetched them."""
        lazy = set[str]()
        for module, found in self.imports.items():
            package, _, name = module.partition(".")
            for entry in found:
                if package == "browser" and entry.own and entry.name.startswith("extras.") and not entry.typing:
                    self.assertTrue(entry.lazy, f"{module} imports {entry.name} when it is loaded")
                    lazy.add(name)
        self.assertEqual(lazy, LAZY)

    def test_no_circles(self) -> None:
        """No module imports itself through others; imports in functions and for the type checker count, too."""
        graph = {module: {entry.name for entry in found if entry.own} for module, found in self.imports.items()}
        self.assertEqual(set[str]().union(*graph.values()) - graph.keys(), set())
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            self.fail(" imports ".join(reversed(error.args[1])))

    def test_file_names_are_unique(self) -> None:
        """No two packages of the page have a module of the same name."""
        names = Counter(module.rpartition(".")[2] for module in self.imports)
        self.assertEqual({name for name, count in names.items() if count > 1} - {"__init__"}, set())


class Document(HTMLParser):
    """Collects what the tests read of index.html.

    Attributes:
        elements: the elements with tag and attributes.
        ids: all ids.
        by_id: the attributes of each element with an id.
        texts: the text right after each start tag, by the element's id, or its tag where it has none.

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
        """Collect an element."""
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self._open = attributes.get("id") or tag

    def handle_data(self, data: str) -> None:
        """Collect a text."""
        self.texts.setdefault(self._open, data.strip())

    def handle_endtag(self, tag: str) -> None:
        """Leave an element, so that the following text belongs to another one."""
        self.texts.setdefault(self._open, "")
        self._open = ""


class FileTests(SynchronousTestCase):
    """The other files of the page are safe and consistent."""

    def test_short_javascript(self) -> None:
        """The JavaScript of the page is short: what runs before Python, what Python must not touch, and the worker."""
        own = {entry.name for entry in PAGE.iterdir() if entry.name.endswith((".mjs", ".js"))}
        self.assertEqual(own, LINES.keys())
        for name, most in LINES.items():
            self.assertLess(len(PAGE.joinpath(name).read_text().splitlines()), most, name)

    def test_nothing_inline(self) -> None:
        """The document has no inline script, style or handler, which the content security policy would block."""
        for tag, attributes in Document().elements:
            self.assertNotIn("style", attributes, tag)
            self.assertEqual([name for name in attributes if name.startswith("on")], [], tag)
            self.assertNotEqual(tag, "style")
            if tag == "script":
                self.assertIn("src", attributes)

    def test_own_files_only(self) -> None:
        """The page fetches nothing from other servers."""
        for _, attributes in Document().elements:
            for name in ("src", "href"):
                value = attributes.get(name)
                self.assertTrue(value is None or value.startswith(("#", "{{")), value)
        for name in ("style.css", "extras.css"):
            self.assertNotIn("url(", PAGE.joinpath(name).read_text())

    def test_colours(self) -> None:
        """Neither style sheets nor the check of features need `light-dark()`, which is younger than all the rest."""
        for name in ("style.css", "extras.css", "features.js"):
            self.assertNotIn("light-dark(", re.sub(r"/\*.*?\*/", "", PAGE.joinpath(name).read_text(), flags=re.S), name)

    def test_ids_are_unique(self) -> None:
        """Ids are unique, and labels and icons refer to existing ones."""
        document = Document()
        self.assertEqual(len(document.ids), len(set(document.ids)))
        for _, attributes in document.elements:
            for name in ("for", "aria-labelledby", "aria-describedby"):
                self.assertEqual(set((attributes.get(name) or "").split()) - set(document.ids), set())
            if (attributes.get("href") or "").startswith("#"):
                # `#test` opens the connectivity test, and `#` the start screen without an invitation.
                self.assertIn((attributes["href"] or "")[1:], [*document.ids, "test", ""])

    def test_the_capacity(self) -> None:
        """The start screen says how many people a call may have."""
        self.assertIn(f"for up to {CAPACITY} people", Document().texts["lead"])

    def test_elements_exist(self) -> None:
        """Each element that Python looks up by its id is in the document."""
        ids = Document().ids
        found = 0
        for path in sorted(CLIENT.rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            requested = re.findall(r'(?:page\.on(?:_click)?\(|page\.element\(|"getElementById",)\s*"([^"]+)"', source)
            self.assertEqual([name for name in requested if name not in ids], [], path.name)
            found += len(requested)
        self.assertGreater(found, 10)

    def test_placeholders_name_assets(self) -> None:
        """Each placeholder names a file of the page, or a bundle."""
        for name in ("index.html", "boot.mjs", "style.css", "service-worker.js", "manifest.webmanifest"):
            for asset in PLACEHOLDER.findall(PAGE.joinpath(name).read_text()):
                self.assertTrue(
                    asset in ("bundle.bin", "call.bin", "extras.bin") or PAGE.joinpath(asset).is_file(), asset
                )

    def test_preloaded_files(self) -> None:
        """The document preloads what the boot file fetches, so that nothing waits for it."""
        announced = {
            attributes.get("href") for tag, attributes in Document().elements if tag == "link" and "rel" in attributes
        }
        requested = {f"{{{{{name}}}}}" for name in PLACEHOLDER.findall(PAGE.joinpath("boot.mjs").read_text())}
        # Files that not every visitor needs are fetched on demand.
        on_demand = {"{{vendor/lean-qr.mjs}}", "{{embedding.mjs}}", "{{call.bin}}", "{{extras.bin}}", "{{extras.css}}"}
        self.assertEqual(requested - announced, on_demand)

    def test_cached_files(self) -> None:
        """The service worker caches what the document preloads; the browser handles the manifest itself."""
        announced = {
            (attributes.get("href") or attributes.get("src") or "").strip("{}")
            for tag, attributes in Document().elements
            if tag in ("link", "script") and attributes.get("rel") != "manifest"
        }
        cached = set(PLACEHOLDER.findall(PAGE.joinpath("service-worker.js").read_text()))
        self.assertEqual(cached - {"index.html"}, announced)

    def test_paths_of_the_service_worker(self) -> None:
        """The service worker answers requests for the document and the assets alone; others go to the server."""
        worker = PAGE.joinpath("service-worker.js").read_text()
        conditions = re.findall(r"if \(([^\n]+)\) event\.respondWith\(", worker)
        self.assertEqual(conditions, ["pathname === ROOT", "pathname.startsWith(`${ROOT}assets/`)"])
        self.assertEqual(worker.count("respondWith"), len(conditions))


class VendoredTests(SynchronousTestCase):
    """Vendored files are the documented ones."""

    def test_the_qr_library_is_the_one_documented(self) -> None:
        """The version and the SHA-256 of the QR library stand in the README beside it."""
        readme = PAGE.joinpath("vendor/README.md").read_text()
        digest = hashlib.sha256(PAGE.joinpath("vendor/lean-qr.mjs").read_bytes()).hexdigest()
        self.assertIn(digest, readme)
        self.assertIn("MIT License", PAGE.joinpath("vendor/LICENSE.lean-qr").read_text())

    def test_pictures_of_the_code(self) -> None:
        """There is a picture for each symbol of a code; the licence, and where they are from, are documented."""
        pictures = PAGE.joinpath("code-symbols.svg").read_bytes()
        found = re.findall(rb'<symbol id="([0-9a-f]+)" viewBox="0 0 36 36"><', pictures)
        self.assertEqual([ident.decode() for ident in found], [picture_id(number) for number in range(len(EMOJI))])
        self.assertIn(b"CC-BY 4.0", pictures)
        readme = PAGE.joinpath("vendor/README.md").read_text()
        self.assertIn(hashlib.sha256(pictures).hexdigest(), readme)

    def test_icons(self) -> None:
        """Each symbol of the document has the shapes of an icon of the library; a slash may be added."""
        text = PAGE.joinpath("index.html").read_text()
        icons = set()
        for icon in PAGE.joinpath("vendor/lucide").iterdir():
            if icon.name.endswith(".svg"):
                icons.add("".join(shapes(icon.read_text())))
        symbols = dict(re.findall(r'<symbol id="icon-([a-z-]+)" viewBox="0 0 24 24">(.*?)</symbol>', text, re.DOTALL))
        self.assertGreater(len(symbols), 20)
        # The style sheet selects which of its four results this symbol shows.
        symbols.pop("result")
        for name, symbol in symbols.items():
            plain = [shape for shape in shapes(symbol) if 'class="slash"' not in shape]
            self.assertIn("".join(plain), icons, name)


def shapes(markup: str) -> list[str]:
    """Return the shapes of an icon, without the spaces around them."""
    return [re.sub(r"\s*/>", "/>", shape) for shape in re.findall(r"<(?:path|rect|circle|line)\b[^>]*>", markup)]
