"""Chooses the page's language, and replaces the English texts by translated ones. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

__all__ = ["ENGLISH", "LANGUAGES", "apply", "choose", "register"]

ENGLISH = "en"
LANGUAGES = (ENGLISH, "ar")
"""Primary language subtags (RFC 5646 §2.2.1); each but English has a file in `web/languages/`."""

_sections: dict[str, Any] = {}
_english: dict[str, tuple[ModuleType, dict[str, Any]]] = {}
"""By section of the language file: the module whose constants are replaced, and their English values."""


def choose(stored: list[str], wanted: list[str]) -> str:
    """Return the language of the page.

    Arguments:
        stored: the languages that were chosen for the page, most preferred first; each may be empty.
        wanted: the languages of `navigator.languages`, most preferred first.

    """
    for tag in stored + wanted:
        primary = tag.split("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return ENGLISH


def register(section: str, module: ModuleType) -> None:
    """Translate a module's text constants from this section of the catalog, now and when the language changes."""
    if section not in _english or _english[section][0] is not module:
        _english[section] = (module, {})
        _section(section)


def apply(sections: dict[str, Any]) -> None:
    """Replace the current language by these sections; empty sections stand for English."""
    _sections.clear()
    _sections.update(sections)
    for section in _english:
        _section(section)


def _section(section: str) -> None:
    module, english = _english[section]
    for name, value in english.items():
        setattr(module, name, value)
    english.clear()
    for name, value in _sections.get(section, {}).items():
        english[name] = getattr(module, name)
        setattr(module, name, value)
