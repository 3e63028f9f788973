"""Builds the page of a checkout once, so that its tests run as fast as those of the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.runner.checks import make_links

#: The page's build cache, below the root. git ignores it, and no sdist holds it.
PAGE_CACHE = Path("signald", "page", "build_cache.bin")


def cache_page(root: Path) -> None:
    """Compile and compress what changed of the page, as the build of the wheel does.

    Without the cache each test that makes a daemon does so, which takes three seconds of processor time.
    """
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(make_links(root)), str(root)])}
    command = [sys.executable, "-P", "-m", "signald.page.build", str(PAGE_CACHE)]
    # A page that cannot be built fails the tests that load it, with a traceback of their own.
    subprocess.run(command, cwd=root, env=variables, check=False, stderr=subprocess.DEVNULL)
