"""Tests that all links between pages of the documentation resolve, and that the index lists every page."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = next(path for path in Path(__file__).resolve().parents if (path / "setup.cfg").exists())
DOCS = ROOT / "docs"
PAGES = (*sorted(DOCS.glob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md")


def without_code(text: str) -> str:
    """Return Markdown without its fenced blocks and code spans, whose brackets are not links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"(?ms)^ *```.*?^ *```", "", text))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts and MyST derive them."""
    text = re.sub(r"(?ms)^ *```.*?^ *```", "", page.read_text("utf-8"))
    headings = re.findall(r"(?m)^#{1,3} (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


class LinkTests(SynchronousTestCase):
    """The links of docs/, the README and the changelog."""

    def test_links(self) -> None:
        """Each relative link names a file that exists and, where it has one, an anchor of that page."""
        broken = []
        for page in PAGES:
            for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text("utf-8"))):
                if "://" in target:
                    continue
                name, _, anchor = target.partition("#")
                path = (page.parent / name).resolve() if name else page
                if not path.exists() or (anchor and anchor not in anchors(path)):
                    broken.append(f"{page.name}: {target}")
        self.assertEqual(broken, [])

    def test_site(self) -> None:
        """`make docs`, where a warning is an error, finds that each target is a file, and no skipped level."""
        for page in sorted(DOCS.glob("*.md")):
            text = re.sub(r"(?ms)^ *```.*?^ *```", "", page.read_text("utf-8"))
            levels = [len(marks) for marks in re.findall(r"(?m)^(#+) ", text)]
            for before, after in itertools.pairwise(levels):
                self.assertLessEqual(after, before + 1, page.name)
            for target in re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", without_code(text)):
                if "://" not in target:
                    self.assertTrue((page.parent / target).is_file(), f"{page.name}: {target}")

    def test_index(self) -> None:
        """The site's index lists every page of docs/ once, and no other."""
        toctrees = re.findall(r"(?s)```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text("utf-8"))
        listed = [line for tree in toctrees for line in tree.splitlines() if line and not line.startswith(":")]
        self.assertEqual(sorted(listed), sorted(page.stem for page in DOCS.glob("*.md") if page.stem != "index"))

    def test_no_external_resources(self) -> None:
        """No page shows a picture or loads a script from another host."""
        for page in PAGES:
            shown = re.sub(r"(?s)```.*?```", "", page.read_text("utf-8"))
            self.assertNotRegex(shown, r"!\[[^\]]*\]\(https?:|<(?:script|img|iframe)\b")
