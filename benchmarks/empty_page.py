"""The reference page of the benchmarks: an ES module that does nothing, served by a signald daemon of its own."""

from __future__ import annotations

from pathlib import Path

__all__ = ["empty_page"]

INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Empty</title>
<script type="module" src="{{boot.mjs}}"></script>
</head>
<body></body>
</html>
"""

BOOT = "globalThis.signald = { marks: { js: performance.now() } };\n"

FOLDERS = ("client/extras", "stubs", "vendor", "icons", "languages")
"""The assets that the daemon requires of a page."""


def empty_page(folder: Path) -> dict[str, str]:
    """Write the reference page into a folder, and return the environment in which a daemon serves it."""
    page = folder / "signald_page"
    for name in FOLDERS:
        (page / name).mkdir(parents=True)
    (page / "__init__.py").touch()
    (page / "index.html").write_text(INDEX)
    (page / "boot.mjs").write_text(BOOT)
    return {"PYTHONPATH": str(folder)}
