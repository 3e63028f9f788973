"""The page about dialects says what the code does."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from pathlib import Path

from attrs import fields

from signald.config.setting_names import settings
from signald.core.limits import Limits
from signald.dialects.dialect import Dialect, DirectoryDialect
from tests.support.directory_server import DirectoryCase, MatchboxClient

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "dialects.md"


class DialectsDocumentTests(DirectoryCase):
    """Examples, interfaces and options of `docs/dialects.md`."""

    def setUp(self) -> None:
        """Read the page."""
        super().setUp()
        self.text = DOCUMENT.read_text("utf-8")

    def test_exchange(self) -> None:
        """The server answers the messages of the example as the page says."""
        clients = {name: MatchboxClient(self.server, "my_game") for name in ("ann", "ben")}
        received: dict[str, list[object]] = {name: [{"IdAssigned": client.id}] for name, client in clients.items()}
        lines = re.findall(r"^(ann|ben) (→|←) (.+)$", self.text, re.MULTILINE)
        self.assertEqual(len(lines), 9)
        for name, direction, text in lines:
            if text.startswith('{"PeerLeft"'):
                clients["ann"].close()
            if direction == "→":
                clients[name].send_text(text.encode())
            for other, client in clients.items():
                received[other] += client.take()
            if direction == "←":
                self.assertEqual(received[name].pop(0), json.loads(text))
        self.assertEqual(received, {"ann": [], "ben": []})

    def test_interfaces(self) -> None:
        """Both tables name all methods that a dialect may or has to have."""
        _, of_sessions, of_directories = re.split(r"^\| (?:method|member) \|.*$", self.text, flags=re.MULTILINE)
        for table, interface in ((of_sessions, Dialect), (of_directories.partition("\n\n")[0], DirectoryDialect)):
            named = set(re.findall(r"^\| `([a-z_]+)", table.partition("\n\n")[0], re.MULTILINE))
            methods = {name for name, value in vars(interface).items() if callable(value) and not name.startswith("_")}
            self.assertEqual(named - {"id_form"}, methods)

    def test_excerpt(self) -> None:
        """The excerpt is the module's code, without docstrings."""
        [excerpt] = re.findall(r"^```python\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)
        [shown] = ast.parse(excerpt).body
        tree = ast.parse((ROOT / "signald" / "dialects" / "matchbox.py").read_text("utf-8"))
        [class_] = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        code = {ast.unparse(_without_docstring(node)) for node in class_.body}
        assert isinstance(shown, ast.ClassDef)
        for node in shown.body:
            self.assertIn(ast.unparse(node), code, textwrap.shorten(ast.unparse(node), 80))

    def test_options(self) -> None:
        """Each option and limit that the page names exists, with the default that it states."""
        known = {setting.option for setting in settings().values()}
        self.assertLessEqual(set(re.findall(r"--(matchbox|allow-origin)\b", self.text)), known)
        self.assertIn("room_members", {field.name for field in fields(Limits)})
        self.assertIn(f"at most {Limits().room_members} clients", self.text)
        self.assertIn(f"`next` may be 1 to {Limits().room_members};", self.text)

    def test_files(self) -> None:
        """Each file that the page names exists."""
        named = re.findall(r"`((?:signald|tests)/[a-z_/]+(?:\.py)?)/?`", self.text)
        self.assertGreater(len(named), 8)
        self.assertEqual([name for name in named if not (ROOT / name).exists()], [])


def _without_docstring(node: ast.stmt) -> ast.stmt:
    if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
        node.body = node.body[1:]
    return node
