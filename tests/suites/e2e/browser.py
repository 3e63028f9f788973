"""The interface of browsers that the tests use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class Tab(Protocol):
    """A page with a separate profile; tabs share nothing except the picture of the fake camera."""

    @property
    def messages(self) -> list[str]:
        """The messages that the page has written to the console."""

    def open(self, url: str) -> None:
        """Navigate to a URL, and return when the page has loaded."""

    def reload(self) -> None:
        """Reload the page as a person does, and return when the page has loaded."""

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of a JavaScript expression, or of the promise that the expression returns."""

    def click(self, selector: str) -> None:
        """Click on the middle of an element, as a person does."""

    def type(self, selector: str, text: str) -> None:
        """Click on an element, and type a text."""

    def screenshot(self, path: Path) -> None:
        """Save a screenshot of the page as a PNG file."""

    def close(self) -> None:
        """Close the tab as a person does."""


class Browser(Protocol):
    """A running browser."""

    @property
    def name(self) -> str:
        """The browser's name in reports."""

    def tab(self) -> Tab:
        """Open an empty tab."""

    def close(self) -> None:
        """Terminate the browser."""
