"""Tests the JavaScript client in the oldest Node.js that it supports, against a daemon."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path

from codegen.node_tools import NODE
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.program import Program

PATIENCE = 20.0


class NodeTests(CallTestCase):
    """A program without a browser."""

    def test_signaling(self) -> None:
        """It opens a session, changes it, is told of a refusal by its code, and ends by itself after `close`."""
        daemon = self.start_daemon("--no-tls")
        script = Path(__file__).with_name("node_call.mjs")
        with as_file(files("signald_client") / "js" / "client.mjs") as module:
            # Node.js 20 has its WebSocket behind a flag.
            flag = "--experimental-websocket"
            program = Program([NODE, flag, script, module, f"http://localhost:{daemon.port}/"])
            self.addCleanup(program.stop)
            self.assertEqual(program.wait(PATIENCE), 0, program.stderr)
        result = json.loads(program.stdout)
        self.assertRegex(result["session"], "^[0-9A-Z]{10}$")
        self.assertEqual((result["type"], result["refusal"]), ("done", "unknown-member"))
        self.assertEqual(result["seen"], ["welcome", "opened", "changed", "done", "refused", "ended", "disconnected"])
