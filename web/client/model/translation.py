"""The page's sentences in another language: which one, and in the place of the English ones. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

__all__ = ["ENGLISH", "LANGUAGES", "apply", "choose_language", "register"]

ENGLISH = "en"
LANGUAGES = (ENGLISH, "ar")
"""Primary subtags (RFC 5646 §2.2.1); each but English has a file in `web/languages/`."""

_sections: dict[str, Any] = {}
_english: dict[str, tuple[ModuleType, dict[str, Any]]] = {}
"""By section of the file: the module whose constants are replaced, and what it had in English."""


def choose_language(stored: str, wanted: list[str]) -> str:
    """Return the language to speak.

    Args:
        kept: the one that the person chose, or empty.
        wanted: the browser's, as `navigator.languages` has them, best first.

    """
    for tag in [stored] + list(wanted):  # noqa: RUF005 - MicroPython has no unpacking here
        primary = tag.split("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return ENGLISH


def register(section: str, module: ModuleType) -> None:
    """Let a module's constants be those of the section of this name, now and in every language that is spoken later."""
    if section not in _english or _english[section][0] is not module:
        _english[section] = (module, {})
        _apply_section(section)


def apply(sections: dict[str, Any]) -> None:
    """Put a language in the place of the one before; without sections, English."""
    _sections.clear()
    _sections.update(sections)
    for section in _english:
        _apply_section(section)


def _apply_section(section: str) -> None:
    module, english = _english[section]
    for name, value in english.items():
        setattr(module, name, value)
    english.clear()
    for name, value in _sections.get(section, {}).items():
        english[name] = getattr(module, name)
        setattr(module, name, value)
