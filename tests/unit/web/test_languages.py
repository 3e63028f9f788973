"""Tests that every text of the page can be translated, and is in each language."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from html.parser import HTMLParser
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import signald_page.client
from signald_page.client.model.translation import ENGLISH, LANGUAGES

PAGE = files("signald_page")
CLIENT = Path(signald_page.client.__file__).parent

SECTIONS = {"texts": "model.texts", "extras": "extras.extra_texts"}
"""The module of each section of a language file, except for `html`."""

TEXTS = {"texts", "extra_texts"}
"""The modules that hold texts."""

NAMES = ("aria-label", "placeholder", "title", "alt")
"""Attributes with text for people."""

UNTRANSLATED = {"signald", "ABC-DEFG-HJK"}
"""Texts that are the same in every language."""

INNERMOST_RULE = re.compile(r"([^{};]+)\{([^{}]*)\}")
"""Matches a rule of the style sheet that contains no other rule."""

PLACEHOLDER = re.compile(r"\{[^}]*\}")


class StaticTexts(HTMLParser):
    """Collects the texts for people in index.html.

    It omits elements marked `translate="no"`, and those that are shown without Python.

    Attributes:
        found: the texts with single spaces.

    """

    def __init__(self) -> None:
        super().__init__()
        self.found = set[str]()
        self._ignored: list[str] = []
        self.feed(PAGE.joinpath("index.html").read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the texts of attributes."""
        attributes = dict(attrs)
        if self._ignored or tag in ("noscript", "script") or attributes.get("translate") == "no":
            self._ignored += [tag] if tag not in ("link", "meta", "input") else []
        for name in NAMES:
            self._note(attributes.get(name) or "")

    def handle_endtag(self, tag: str) -> None:
        """Track the end of an element."""
        if self._ignored and self._ignored[-1] == tag:
            self._ignored.pop()

    def handle_data(self, data: str) -> None:
        """Collect the text of an element."""
        self._note(data)

    def _note(self, text: str) -> None:
        text = " ".join(text.split())
        if re.search("[A-Za-z]", text) and text not in UNTRANSLATED and not self._ignored:
            self.found.add(text)


def constants(module: ModuleType) -> dict[str, Any]:
    """Return the texts of a module by the names of its constants."""
    return {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str | dict | tuple | list)
    }


def english() -> dict[str, dict[str, Any]]:
    """Return the texts to translate by section; those of the document are their own keys."""
    modules = {section: constants(import_module(f"signald_page.client.{name}")) for section, name in SECTIONS.items()}
    return {"html": {text: text for text in StaticTexts().found}, **modules}


def flatten(sections: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    """Return every text by the path of its keys."""
    found = dict[tuple[str, ...], Any]()
    for key, value in sections.items():
        if isinstance(value, dict):
            found.update({(key, *rest): sentence for rest, sentence in flatten(value).items()})
        else:
            found[key,] = value
    return found


class LanguageTests(SynchronousTestCase):
    """The files in `web/languages` are complete."""

    def setUp(self) -> None:
        """Read the language files."""
        self.english = flatten(english())
        self.languages = {
            code: json.loads(PAGE.joinpath("languages", f"{code}.json").read_text())
            for code in LANGUAGES
            if code != ENGLISH
        }

    def test_offered(self) -> None:
        """Each language file can be chosen in the page and names its direction of writing."""
        files_present = {entry.name for entry in PAGE.joinpath("languages").iterdir()}
        self.assertEqual(files_present, {f"{code}.json" for code in self.languages})
        source = PAGE.joinpath("index.html").read_text()
        options = re.findall(r'<option value="(\w+)" lang="\1"', source)
        self.assertEqual(sorted(options), sorted(LANGUAGES))
        for code, sections in self.languages.items():
            self.assertIn(sections["dir"], ("ltr", "rtl"))
            self.assertIn(f'data-file="{{{{languages/{code}.json}}}}"', source)

    def test_before_python(self) -> None:
        """What is shown without Python is in each language: the offer to load again, and what a browser lacks."""
        source = PAGE.joinpath("index.html").read_text()
        offer = source[source.index('<div id="unloaded"') : source.index('<p id="slow"')]
        parts = re.findall(
            r'<div lang="(\w+)"(?: dir="(\w+)" hidden)?><p>[^<]+</p><button type="button">[^<]+</b', offer
        )
        lacking = offer[offer.index('<div id="unsupported"') :]
        begins = r'<div lang="(\w+)"(?: dir="(\w+)" hidden)?>\s*<h1>[^<]+</h1>'
        shown = begins + r'.*?<ul data-reason="off">.*?<p data-reason="age">'
        self.assertEqual(re.findall(shown, lacking, re.DOTALL), parts)
        directions = {code: sections["dir"] for code, sections in self.languages.items()}
        self.assertEqual({code: direction or "ltr" for code, direction in parts}, {ENGLISH: "ltr", **directions})

    def test_complete(self) -> None:
        """Each language has every text, and none that English does not have."""
        for code, sections in self.languages.items():
            has = flatten({name: value for name, value in sections.items() if name != "dir"})
            missing = {" / ".join(path): text for path, text in self.english.items() if path not in has}
            surplus = [" / ".join(path) for path in has if path not in self.english]
            if missing or surplus:
                lines = [f"{path}: {text}" for path, text in missing.items()]
                self.fail(
                    "\n".join([f"languages/{code}.json lacks:", *lines, "and has these that English lacks:", *surplus])
                )

    def test_placeholders(self) -> None:
        """A translation has the placeholders of the English text, and is not empty."""
        for code, sections in self.languages.items():
            for path, text in flatten(sections).items():
                own = self.english.get(path)
                if isinstance(own, str):
                    self.assertIsInstance(text, str)
                    self.assertTrue(text.strip(), f"languages/{code}.json: {' / '.join(path)} is empty")
                    self.assertEqual(
                        Counter(PLACEHOLDER.findall(text)),
                        Counter(PLACEHOLDER.findall(own)),
                        f"languages/{code}.json: the placeholders of {' / '.join(path)}",
                    )

    def test_same_text_in_document_and_python(self) -> None:
        """A text that is both in the document and in Python has the same translation in both."""
        for code, sections in self.languages.items():
            for text in sections["html"]:
                paths = [path for path, own in self.english.items() if own == text and path[0] == "texts"]
                translations = {flatten(sections).get(path) for path in paths}
                if translations:
                    self.assertIn(sections["html"][text], translations, f"languages/{code}.json: html / {text}")


class SourceTests(SynchronousTestCase):
    """The page's Python keeps its texts where translators find them."""

    def setUp(self) -> None:
        """Parse all modules but those of texts."""
        self.trees = {
            path: ast.parse(path.read_text(encoding="utf-8"))
            for path in sorted(CLIENT.rglob("*.py"))
            if path.stem not in TEXTS
        }

    def test_texts_stand_in_their_modules(self) -> None:
        """Texts for people stand in the modules of texts; messages of errors that only a log shows do not."""
        for path, tree in self.trees.items():
            ignored = set[ast.AST]()
            for node in ast.walk(tree):
                if isinstance(node, ast.Raise):
                    ignored.update(ast.walk(node))
                elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    ignored.add(node.value)
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in ignored:
                    sentence = " " in node.value.strip() and re.search("[A-Z]", node.value)
                    self.assertFalse(
                        sentence,
                        f"{path.name}:{node.lineno}: move {node.value!r} to model/texts.py, or extras/extra_texts.py",
                    )

    def test_texts_are_looked_up_when_shown(self) -> None:
        """Texts are looked up when they are shown: a text read at import would keep the language of that moment."""
        for path, tree in self.trees.items():
            for node in tree.body:
                inside = {
                    part
                    for function in ast.walk(node)
                    if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                    for part in ast.walk(function)
                }
                for part in ast.walk(node):
                    if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part not in inside:
                        self.assertNotIn(part.value.id, TEXTS, f"{path.name}:{part.lineno}")
                    if isinstance(part, ast.ImportFrom) and (part.module or "").rpartition(".")[2] in TEXTS:
                        taken = [alias.name for alias in part.names if alias.name.isupper()]
                        self.assertEqual(taken, [], f"{path.name}:{part.lineno}")


class StyleTests(SynchronousTestCase):
    """The style sheets serve both directions of writing."""

    def test_logical_properties(self) -> None:
        """The style sheets use start and end; left and right are for centering, and for the self view's corners."""
        sheets = "".join(PAGE.joinpath(name).read_text() for name in ("style.css", "extras.css"))
        source = re.sub(r"/\*.*?\*/", "", sheets, flags=re.S)
        while rule := INNERMOST_RULE.search(source):
            source = source[: rule.start()] + source[rule.end() :]
            selector, declarations = rule[1].strip(), rule[2]
            if "#self" in selector or "[data-swapped]" in selector:
                continue
            for name, value in re.findall(r"([\w-]+)\s*:\s*([^;]+)", declarations):
                self.assertFalse(self.depends_on_sides(name, value.strip()), f"{selector} {{ {name}: {value} }}")

    def depends_on_sides(self, name: str, value: str) -> bool:
        """Return whether a declaration depends on left and right."""
        parts = re.findall(r"(?:[^\s(]|\((?:[^()]|\([^()]*\))*\))+", value)
        if name in ("padding", "margin", "inset"):
            return len(parts) == 4 and parts[1] != parts[3]
        if name in ("left", "right"):
            return value != "50%"
        if name in ("text-align", "float"):
            return value in ("left", "right")
        return bool(re.fullmatch(r"(padding|margin|border)-(left|right).*", name))
