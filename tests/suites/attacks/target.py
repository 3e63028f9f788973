"""The attacked daemon, and the process of the attacker."""

from __future__ import annotations

import atexit
import functools
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from signald.lifecycle.preloading import PRELOAD_SECONDS
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.waiting import until
from tests.support.native_client import NativeClient

ROOT = Path(__file__).resolve().parents[3]

#: The memory in MiB above the idle daemon that a daemon may still use when the next attack begins.
MOST_LEFT = 2.0

#: The seconds without a change of memory after which a daemon counts as idle: it preloads modules half a second after
#: its start, in one go.
STEADY = 2 * PRELOAD_SECONDS

#: The seconds within which a daemon has to become idle.
PATIENCE = 20.0


@functools.cache
def any_certificate() -> ssl.SSLContext:
    """Return the TLS context of a client that accepts any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Target:
    """A daemon with default limits.

    Attributes:
        daemon: the daemon.
        tls: whether the daemon speaks TLS.
        idle: the daemon's resident memory before the first attack, in KiB.
        addresses: how many addresses the last attack came from.

    """

    def __init__(self, tls: bool, *options: str) -> None:
        """Start the daemon."""
        self.addresses = 0
        directory = Path(tempfile.mkdtemp(prefix="signald-attack-"))
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        self.tls = tls
        self.daemon = Daemon(directory, "--interface", "127.0.0.1", *(() if tls else ("--no-tls",)), *options)
        atexit.register(self.stop)
        # The first connection causes one-time allocations, which must not be counted as memory of an attack.
        NativeClient(self.port, tls=tls).close()
        self.asset = self._asset()
        self._wait_for_steady_memory()
        self.idle = self.memory("VmRSS")

    @property
    def port(self) -> int:
        """The port of the page."""
        return self.daemon.port

    @property
    def log(self) -> str:
        """The daemon's log so far."""
        return self.daemon.program.stderr

    def memory(self, name: str) -> int:
        """Return the daemon's memory in KiB: `VmRSS` is the current value, `VmHWM` the peak since `forget_peak`."""
        status = Path(f"/proc/{self.daemon.program.process.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1])

    def _wait_for_steady_memory(self) -> None:
        """Wait until the daemon has imported what it preloads: until its memory is the same for `STEADY` seconds."""
        last, since = self.memory("VmRSS"), time.monotonic()

        def is_steady() -> bool:
            nonlocal last, since
            now = self.memory("VmRSS")
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > STEADY

        until(is_steady, PATIENCE, "the daemon to use the same memory for a while")

    def forget_peak(self) -> None:
        """Reset the peak memory `VmHWM` (proc(5), clear_refs)."""
        Path(f"/proc/{self.daemon.program.process.pid}/clear_refs").write_text("5")

    def above_idle(self) -> float:
        """Return the peak memory since `forget_peak`, in MiB above the idle daemon."""
        return (self.memory("VmHWM") - self.idle) / 1024

    def stop(self) -> None:
        """Stop the daemon."""
        self.daemon.stop()

    def wrap(self, plain: socket.socket) -> socket.socket:
        """Wrap a TCP connection in TLS if the daemon speaks TLS, and accept any certificate."""
        return any_certificate().wrap_socket(plain) if self.tls else plain

    def fetch(self, path: str) -> bytes:
        """Fetch a file of the page."""
        url = f"{'https' if self.tls else 'http'}://localhost:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=10, context=any_certificate()) as response:  # noqa: S310 # the scheme is ours
            content: bytes = response.read()
        return content

    def _asset(self) -> str:
        page = self.fetch("/").decode()
        found = re.search(r"/assets/micropython\.[0-9a-f]+\.wasm", page)
        assert found is not None, "the page names no module of MicroPython"
        return found[0]


_targets: dict[bool, Target] = {}


def target(tls: bool) -> Target:
    """Return the daemon of a transport; start a new one if an attack has left the old one's memory too large."""
    known = _targets.get(tls)
    if known is not None and (known.memory("VmRSS") - known.idle) / 1024 <= MOST_LEFT:
        return known
    if known is not None:
        known.daemon.kill()
    _targets[tls] = Target(tls, "--peerjs", "--matchbox")
    return _targets[tls]


class Attacker:
    """The process of the attacker."""

    def __init__(self) -> None:
        """Start the attacker's process."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.suites.attacks.attacker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        atexit.register(self.stop)

    def order(self, **order: Any) -> None:
        """Send the attacker an order to begin an attack."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def wait_until_under_way(self) -> None:
        """Wait until every connection of the attack is open."""
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def report(self) -> Mapping[str, Any]:
        """Wait for the attacker's report at the end of the attack."""
        assert self._process.stdout is not None
        report: Mapping[str, Any] = json.loads(self._process.stdout.readline())
        return report

    def stop(self) -> None:
        """Stop the attacker's process."""
        self._process.kill()
        self._process.communicate()


@functools.cache
def attacker() -> Attacker:
    """Return the attacker."""
    return Attacker()
