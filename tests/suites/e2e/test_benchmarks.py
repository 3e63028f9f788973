"""Tests that the load generator and `signald bench` do their work with a real daemon and with a forwarder."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.generator import Generator, GeneratorError
from benchmarks.peers.servers import Running, Signald, start_peer
from tests.suites.e2e.waiting import until

WORKLOADS: dict[str, dict[str, Any]] = {
    "forward": {"pairs": 2, "depth": 4},
    "calls": {},
    "connects": {},
    "fan-out": {"groups": 1},
    "open-loop": {"pairs": 2, "rate": 100.0},
    "holding": {},
}
"""The workloads of the load generator, with options for a small load."""

OPERATIONS = 21

BENCH_SECONDS = 60.0


class GeneratorTests(SynchronousTestCase):
    """Tests of the load generator, which speaks the servers' protocols by itself."""

    def setUp(self) -> None:
        """Create a directory for the servers."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()

    def check(self, server: Running, wire: str, scheme: str, **options: bool) -> None:
        """Do a few operations of each workload."""
        for workload, attributes in WORKLOADS.items():
            generator = Generator(f"{scheme}://127.0.0.1:{server.port}", wire, workload, attributes, **options)
            try:
                self.assertEqual(generator.run(OPERATIONS)["operations"], OPERATIONS, workload)
                generator.settle()
                if workload == "forward":
                    generator.grow(3)
                    self.assertEqual(generator.run(OPERATIONS)["operations"], OPERATIONS)
            finally:
                generator.stop()

    def test_signald(self) -> None:
        """Clients of each kind do all workloads with signald and its default limits, over TLS."""
        server = Signald(self.directory, tls=True)
        self.addCleanup(server.stop)
        self.check(server, "native", "wss", resumable=True, batched=True)
        self.check(server, "native", "wss", resumable=False, batched=False)

    def test_forwarder(self) -> None:
        """Clients do the same with a bare forwarder."""
        server = start_peer("picows", self.directory, ())
        self.addCleanup(server.stop)
        self.check(server, "bare", "ws")

    def test_refusal(self) -> None:
        """A server that does not speak the protocol is an error, which says what went wrong."""
        server = start_peer("picows", self.directory, ())
        self.addCleanup(server.stop)
        self.assertRaises(GeneratorError, self.check, server, "native", "ws")


class CommandTests(SynchronousTestCase):
    """Tests of `signald bench` in its own process and reactor."""

    def setUp(self) -> None:
        """Start a daemon."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        self.server = Signald(directory, tls=True)
        self.addCleanup(self.server.stop)
        program = str(Path(sys.executable).with_name("signald"))
        authority = str(directory / "data" / "ca.pem")
        self.command = [program, "bench", "--url", f"https://localhost:{self.server.port}/", "--ca", authority]

    def is_connected(self) -> bool:
        """Whether somebody has a connection to the daemon (proc_net_tcp: the remote port, and 01 for established)."""
        return f" 0100007F:{self.server.port:04X} 01 " in Path("/proc/net/tcp").read_text()

    def test_load(self) -> None:
        """All messages of a short load arrive."""
        done = subprocess.run(
            [*self.command, "--pairs", "2", "--rate", "40", "--seconds", "2"],
            capture_output=True,
            text=True,
            timeout=BENCH_SECONDS,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("sent     80 messages", done.stdout)
        self.assertIn("none lost", done.stdout)

    def test_interrupt(self) -> None:
        """SIGINT ends the load with a summary."""
        process = subprocess.Popen([*self.command, "--seconds", "600"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        until(self.is_connected, BENCH_SECONDS, "a client is connected")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=BENCH_SECONDS)
        self.assertEqual(process.returncode, 130)
        self.assertIn("server   signald/", out)
