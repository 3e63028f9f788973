"""The interface that the tests use of every browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class Tab(Protocol):
    """One page with a profile of its own: nothing is shared with another tab but the camera's picture."""

    @property
    def messages(self) -> list[str]:
        """The messages that the page has written to the console."""

    def open(self, url: str) -> None:
        """Go to a URL, and return when the page has loaded."""

    def reload(self) -> None:
        """Load the page anew, as a person does, and return when it has loaded."""

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, or of the promise that it gives, as JSON has it."""

    def click(self, selector: str) -> None:
        """Click on the middle of an element, as a person does."""

    def type(self, selector: str, text: str) -> None:
        """Click on an element and type."""

    def screenshot(self, path: Path) -> None:
        """Save what is seen as a PNG file."""

    def close(self) -> None:
        """Close it, as a person closes a tab."""


class Browser(Protocol):
    """A running browser."""

    @property
    def name(self) -> str:
        """The browser's name in reports."""

    def tab(self) -> Tab:
        """Open an empty tab."""

    def close(self) -> None:
        """End the browser."""
