"""The page's first statement: it shows the start screen before it loads whatever only a call needs."""

from __future__ import annotations

from .browser import mark
from .start_screen import StartScreen

__all__ = ["start"]


def start() -> None:
    """Bring the page to life."""
    screen = StartScreen()
    mark("usable")
    screen.prepare()
