"""Saves pictures of every screen for `make screens`: four widths, light and dark, every language.

It is no part of a suite, because people look at the pictures and nothing is asserted.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import ViewportSize

from tests.suites.e2e import report
from tests.suites.e2e.accessibility import SETTLED
from tests.suites.e2e.call_page import PATIENCE
from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.screens import JOURNEYS, Screens, ScreenTestCase, tab_of
from tests.suites.e2e.waiting import until

SIZES: tuple[ViewportSize, ...] = (
    {"width": 1920, "height": 1080},
    {"width": 1280, "height": 800},
    {"width": 390, "height": 844},
    {"width": 320, "height": 568},
)

COLOURS = ("light", "dark")

LANGUAGES = ("en", "ar")
"""The languages of the pictures. The journeys read English texts, and so each screen is left in the first one."""

CHOOSE = """(language => {
    const offer = document.getElementById('unsupported');
    if (!offer.hidden) {
        // Before Python starts, the page chooses the language once.
        for (const part of offer.children) part.hidden = part.lang !== language;
        return;
    }
    const list = document.getElementById('language');
    list.value = language;
    list.dispatchEvent(new Event('change'));
})"""
"""JavaScript that chooses a language as the list on the start screen does."""

CHOSEN = """(language => document.documentElement.lang === language
    || !document.getElementById('unsupported').hidden)"""
"""JavaScript that returns whether a language is shown."""

REFUSED = "(language => document.getElementById('language').value !== language)"
"""JavaScript that returns whether the page went back to the earlier language, because it could not load this one."""

SENTENCES = Path(__file__).parents[3] / "web" / "languages"


def choose(tab: ChromiumTab, language: str) -> bool:
    """Show a page in a language; return False if the page cannot load what that needs, since its server is gone."""
    file = re.compile(rf"/{language}\.[0-9a-f]+\.json$")
    tab.page.route(file, lambda route: route.fulfill(path=SENTENCES / f"{language}.json"))
    tab.evaluate(f"{CHOOSE}('{language}')")
    chosen, refused = f"{CHOSEN}('{language}')", f"{REFUSED}('{language}')"
    until(lambda: tab.evaluate(f"{chosen} || {refused}"), PATIENCE, f"the language {language}")
    return bool(tab.evaluate(chosen))


def write_index(directory: Path) -> None:
    """Write a page that shows all pictures of a directory, those of one screen beside each other."""
    parts = ["<!doctype html><meta charset=utf-8><title>Screens</title>"]
    parts.append(
        "<style>img { height: 20rem; margin: 0.25rem; border: 1px solid gray } body { font: 1rem sans-serif }</style>"
    )
    names = sorted(path.name for path in directory.glob("*.png"))
    for screen, group in itertools.groupby(names, lambda name: name.split(".")[0]):
        parts.append(f"<h2>{html.escape(screen)}</h2>")
        parts += [f'<a href="{name}"><img src="{name}" alt="{name}" loading="lazy"></a>' for name in group]
    (directory / "index.html").write_text("\n".join(parts) + "\n")


class ScreenPictures(ScreenTestCase):
    """Each journey is a test of its own, so that its pages are closed at its end."""

    def save(self, journey: Callable[[ScreenTestCase], Screens]) -> None:
        """Save the pictures of each screen of a journey as SCREEN.WIDTH-COLOURS-LANGUAGE.png."""
        for name, page in journey(self):
            tab = tab_of(page)
            # A sentence that the page keeps, such as an error, stays in its language or is gone after a change of it.
            for language in LANGUAGES:
                if not choose(tab, language):
                    continue
                for size in SIZES:
                    tab.page.set_viewport_size(size)
                    for colours in COLOURS:
                        tab.page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
                        tab.evaluate(SETTLED)
                        report.add_picture(tab, f"{name}.{size['width']}-{colours}-{language}")
            choose(tab, LANGUAGES[0])
            tab.page.set_viewport_size(SIZES[1])
        directory = report.directory()
        if directory is not None:
            write_index(directory)


def _save_journey(journey: Callable[[ScreenTestCase], Screens]) -> Callable[[ScreenPictures], None]:
    """Return a method that saves a journey; trial takes functions alone for tests."""

    def save(self: ScreenPictures) -> None:
        self.save(journey)

    save.__doc__ = journey.__doc__
    return save


for _journey in JOURNEYS:
    setattr(ScreenPictures, f"test_{_journey.__name__}", _save_journey(_journey))
