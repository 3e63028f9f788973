"""The server's pings detect clients that vanish or stop without closing their WebSocket."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.network import NETWORKS, Host
from tests.suites.e2e.program import Program
from tests.suites.e2e.waiting import until
from tests.suites.faults.case import FaultTestCase, open_descriptors
from tests.suites.faults.report import add_fault, in_full
from tests.support.native_client import NativeClient

ROOT = Path(__file__).resolve().parents[3]

#: Python source of a guest in a separate process, with the arguments address, port and session.
GUEST = """
import sys
from tests.support.native_client import NativeClient
address, port, session = sys.argv[1:]
client = NativeClient(int(port), tls=False, address=address)
client.greet(instance="guest")
assert client.request("join", session=session)["type"] == "joined"
print("joined", flush=True)
while True:
    client.receive()
"""


class PeerTests(FaultTestCase):
    """Tests in which a member's process is stopped, or its network is cut."""

    def setUp(self) -> None:
        """Choose the ping interval: the defaults in a full run, one second otherwise."""
        super().setUp()
        self.ping, self.pong = (20.0, 10.0) if in_full() else (1.0, 1.0)

    def start_pinging(self, interface: str, *through: str) -> Daemon:
        """Start a daemon with the chosen ping interval."""
        limits = ("--limit", f"ping-seconds={self.ping}", "--limit", f"pong-seconds={self.pong}")
        daemon = Daemon(self.directory, "--no-tls", "--interface", interface, *limits, through=through)
        self.addCleanup(self.end, daemon)
        return daemon

    def guest(self, daemon: Daemon, address: str, session: str, *through: str) -> Program:
        """Start a guest, and wait until it has joined the session."""
        command = [*through, sys.executable, "-c", GUEST, address, str(daemon.port), session]
        guest = Program(command, environment={"PYTHONPATH": str(ROOT)})
        self.addCleanup(guest.stop, signal.SIGKILL)
        guest.wait_for("joined", 20)
        return guest

    def found(self, daemon: Daemon, host: NativeClient, before: int) -> float:
        """Wait until the host receives `member-away` and the guest's socket is closed; return the seconds."""
        begin = time.monotonic()
        host.socket.settimeout(self.ping + self.pong + 5)
        deadline = begin + self.ping + self.pong + 5
        while host.receive()["type"] != "member-away":
            self.assertLess(time.monotonic(), deadline)
        found = time.monotonic() - begin
        self.assertLessEqual(found, self.ping + self.pong + 1.0)
        process = daemon.program.process.pid
        until(lambda: open_descriptors(process) < before, 5, "the descriptor to be free")
        return found

    def test_stopped(self) -> None:
        """The server reports a client whose process is stopped as away within the ping and pong timeouts."""
        daemon = self.start_pinging("127.0.0.1")
        host = self.client(daemon)
        session: str = host.request("open")["session"]
        guest = self.guest(daemon, "127.0.0.1", session)
        before = open_descriptors(daemon.program.process.pid)
        guest.process.send_signal(signal.SIGSTOP)
        found = self.found(daemon, host, before)
        add_fault(
            "client's process stopped (SIGSTOP)",
            "away, the other member is notified, descriptor free",
            f"found after {found:.1f} s (ping {self.ping:g} s, pong {self.pong:g} s)",
        )

    def test_cut(self) -> None:
        """The server reports a client whose network drops all packets as away within the same timeouts."""
        if os.geteuid() != 0:
            raise SkipTest("network namespaces need root")
        network = Host()
        self.addCleanup(network.remove)
        address = NETWORKS[0][0]
        daemon = self.start_pinging(address, *network.through)
        with network.at_home():
            host = NativeClient(daemon.port, tls=False, address=address)
        self.addCleanup(host.close)
        host.greet()
        session: str = host.request("open")["session"]
        self.guest(daemon, address, session, "ip", "netns", "exec", network.name)
        before = open_descriptors(daemon.program.process.pid)
        network.cut(True)
        found = self.found(daemon, host, before)
        add_fault(
            "client's network cut (half-open connection)",
            "away, the other member is notified, descriptor free",
            f"found after {found:.1f} s (ping {self.ping:g} s, pong {self.pong:g} s)",
        )
