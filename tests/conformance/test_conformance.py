"""RFC 6455 as a fuzzing client sees it: every case passes against signald's own frame handling.

With SIGNALD_CONFORMANCE=all in the environment the large, slow cases run too; without it, what a commit needs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ALL_CASES = 517
COMMIT_CASES = 247

SLOW = ("9.*", "12.*", "13.*")
"""Limits and performance, and compression (RFC 7692), which the server never accepts."""

PASSED = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}
"""Verdicts that are no failure; an unimplemented extension is one that was not negotiated."""


class ConformanceTests(SynchronousTestCase):
    """The echo server of this directory under kosoku's fuzzing client."""

    def setUp(self) -> None:
        """Start the echo server in a process of its own, and learn its port."""
        # -P: what is tested is the installed signald, also where the sources lie beside the script.
        script = Path(__file__).with_name("echo_server.py")
        self.server = subprocess.Popen([sys.executable, "-P", script], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        assert self.server.stdout is not None
        self.port = int(self.server.stdout.readline())

    def stop(self) -> None:
        """End the process."""
        self.server.terminate()
        self.server.communicate(timeout=10)

    def test_cases(self) -> None:
        """As many cases as there are were run, and none failed."""
        every = os.environ.get("SIGNALD_CONFORMANCE") == "all"
        excluded = [] if every else [argument for pattern in SLOW for argument in ("-x", pattern)]
        with tempfile.TemporaryDirectory() as report:
            client = str(Path(sys.executable).with_name("kosoku"))
            command = [client, "-m", "fuzzingclient", "-p", "2", "-o", report, *excluded, f"ws://127.0.0.1:{self.port}"]
            result = subprocess.run(command, capture_output=True, check=False, text=True, timeout=900)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            (cases,) = json.loads(Path(report, "index.json").read_text()).values()
        self.assertEqual(len(cases), ALL_CASES if every else COMMIT_CASES)
        failed = {
            name: (case["behavior"], case["behaviorClose"])
            for name, case in cases.items()
            if not {case["behavior"], case["behaviorClose"]} <= PASSED
        }
        self.assertEqual(failed, {})
