"""Builds everything of the page that is slow to build, and writes the build cache: `python -m signald.page.build FILE`.

The build of the wheel runs it (`packing.py`).
"""

from __future__ import annotations

import sys
from pathlib import Path

from signald.page.assets import load_assets
from signald.page.build_cache import BuildCache, pack
from signald.page.javascript_client import load_javascript_client
from signald.page.schemas import load_schemas

__all__ = ["fill_build_cache", "main"]


def fill_build_cache() -> BuildCache:
    """Run all build steps that a start of the daemon needs."""
    cache = BuildCache({})
    load_assets(build=cache)
    load_schemas(cache)
    load_javascript_client(cache)
    return cache


def main() -> None:
    """Write the build cache into the file that the command line names."""
    Path(sys.argv[1]).write_bytes(pack(fill_build_cache().results))


if __name__ == "__main__":
    main()
