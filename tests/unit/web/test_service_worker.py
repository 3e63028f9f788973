"""Tests of the JavaScript that runs without the page's Python: the service worker, and what precedes all else."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from codegen.node_tools import NODE
from signald.page.assets import Asset, load_assets
from signald_page.client.model.call_urls import storage_prefix

HERE = Path(__file__).parent / "javascript"

SECONDS = 60


@cache
def served() -> dict[str, Asset]:
    """Return the page's files by path; to load them takes a second."""
    return load_assets()


class ServiceWorkerTests(SynchronousTestCase):
    """The service worker as it is served, in Node.js."""

    def test_worker(self) -> None:
        """Run the tests of `service-worker.test.mjs`."""
        worker = Path(self.mktemp()).resolve()
        worker.write_bytes(served()["/service-worker.js"].representations["identity"].body)
        done = subprocess.run(
            [NODE, "--test", "service-worker.test.mjs"],
            cwd=HERE,
            env={**os.environ, "WORKER": str(worker)},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class FeatureTests(SynchronousTestCase):
    """The script that says what a browser lacks, before Python runs."""

    def test_stored_language(self) -> None:
        """It reads the language under the name by which the page's Python stores it, below every path."""
        source = next(asset for path, asset in served().items() if path.startswith("/assets/features."))
        script = """
            const element = { children: [], dataset: {}, querySelectorAll: () => [], setAttribute() {} };
            const read = [];
            const window = {};
            const navigator = { languages: [] };
            const find = { getElementById: () => element, getElementsByTagName: () => [element] };
            const document = { ...find, documentElement: element };
            globalThis.HTMLElement = class {};
            const localStorage = new Proxy({}, { get: (_, name) => void read.push(name) });
            new Function("window", "navigator", "document", "location", "localStorage", process.env.SOURCE)(
                window, navigator, document, { pathname: process.env.PATHNAME }, localStorage);
            console.log(JSON.stringify([...new Set(read)]));
        """
        for pathname in ("/", "/calls/", "/a/b.c/", "/calls/index.html"):
            done = subprocess.run(
                [NODE, "--eval", script],
                env={"SOURCE": source.representations["identity"].body.decode(), "PATHNAME": pathname},
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout), [f"{storage_prefix(pathname)}language"])
