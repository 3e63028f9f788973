"""Builds everything of the page that is slow to build, and writes the build cache: `python -m signald.page.build FILE`.

The build of the wheel runs it (`packing.py`), and the quick run of the tests does so for the checkout. Results that
the file has already are not computed again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from signald.page.assets import load_assets
from signald.page.build_cache import BuildCache, pack, unpack
from signald.page.javascript_client import load_javascript_client
from signald.page.schemas import load_schemas

__all__ = ["fill_build_cache", "main"]


def fill_build_cache(known: Mapping[str, bytes]) -> BuildCache:
    """Run all build steps that a start of the daemon needs.

    Arguments:
        known: results of an earlier run; those that are not needed any more are left out.

    """
    cache, earlier = BuildCache({}), BuildCache(known)

    def build(kind: str, source: bytes, compute: Callable[[bytes], bytes]) -> bytes:
        return cache(kind, source, lambda content: earlier(kind, content, compute))

    load_assets(build=build)
    load_schemas(build)
    load_javascript_client(build)
    return cache


def main() -> None:
    """Write the build cache into the file that the command line names."""
    file = Path(sys.argv[1])
    known = unpack(file.read_bytes()) if file.exists() else {}
    file.write_bytes(pack(fill_build_cache(known).results))


if __name__ == "__main__":
    main()
