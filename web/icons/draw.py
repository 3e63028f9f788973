"""Draws the icons in this folder from the drawings in the folder above, with Chromium: `python web/icons/draw.py`."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ICONS = {
    "icon-192.png": ("icon.svg", 192),
    "icon-512.png": ("icon.svg", 512),
    "maskable-512.png": ("icon-maskable.svg", 512),
}
"""Each file, the drawing, and the length of its sides in pixels."""

HERE = Path(__file__).resolve().parent


def draw() -> None:
    """Write every file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        for name, (drawing, side) in ICONS.items():
            page = browser.new_page(viewport={"width": side, "height": side})
            svg = (HERE.parent / drawing).read_text(encoding="utf-8").replace("<svg", f'<svg width="{side}"', 1)
            page.set_content(f'<body style="margin: 0; line-height: 0">{svg}')
            page.screenshot(path=HERE / name, omit_background=True)
        browser.close()


if __name__ == "__main__":
    draw()
