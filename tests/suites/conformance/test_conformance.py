"""Tests conformance with RFC 6455: a fuzzing client runs all of its cases against signald's own frame handling.

With TEST_CONFORMANCE=all in the environment all cases run. Otherwise the cases with large messages and the cases about
compression are omitted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

EVERY = os.environ.get("TEST_CONFORMANCE") == "all"

CASES = 517 if EVERY else 247

LEFT_OUT = () if EVERY else ("9.*", "12.*", "13.*")

PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}


class ConformanceTests(SynchronousTestCase):
    """Runs kosoku's fuzzing client against the echo server of this directory."""

    def setUp(self) -> None:
        """Start the echo server in a separate process, and read its port from its output."""
        # With -P Python imports the installed signald even if the sources are in the script's directory.
        script = str(Path(__file__).with_name("echo_server.py"))
        command = [sys.executable, "-P", script, *(["--deflate"] if EVERY else [])]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        assert self.server.stdout is not None
        self.port = int(self.server.stdout.readline())

    def stop(self) -> None:
        """Stop the process."""
        self.server.terminate()
        self.server.communicate(timeout=10)

    def test_cases(self) -> None:
        """The expected number of cases ran, and none failed."""
        excluded = [argument for pattern in LEFT_OUT for argument in ("-x", pattern)]
        with tempfile.TemporaryDirectory() as report:
            client = str(Path(sys.executable).with_name("kosoku"))
            command = [client, "-m", "fuzzingclient", "-p", "2", "-o", report, *excluded, f"ws://127.0.0.1:{self.port}"]
            result = subprocess.run(command, capture_output=True, check=False, text=True, timeout=900)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            (cases,) = json.loads(Path(report, "index.json").read_text()).values()
        self.assertEqual(len(cases), CASES)
        failed = {
            name: (case["behavior"], case["behaviorClose"])
            for name, case in cases.items()
            if not {case["behavior"], case["behaviorClose"]} <= PASSED
        }
        self.assertEqual(failed, {})
