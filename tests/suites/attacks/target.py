"""The daemon that is attacked, and a twin of it that takes the same attack for comparison."""

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
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.suites.e2e.daemon import Daemon
from tests.support.native_client import NativeClient

ROOT = Path(__file__).resolve().parents[3]

#: MiB above its idle self that a daemon may have when the next attack begins.
MOST_LEFT = 2.0


@functools.cache
def any_certificate() -> ssl.SSLContext:
    """Return the context of a client that takes whatever certificate it is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Target:
    """A daemon with default limits.

    Attributes:
        daemon: the daemon.
        tls: whether it speaks TLS.
        idle: its resident memory before anything happened, in KiB.

    """

    def __init__(self, tls: bool, *options: str) -> None:
        """Start it."""
        directory = Path(tempfile.mkdtemp(prefix="signald-attack-"))
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        self.tls = tls
        self.daemon = Daemon(directory, "--interface", "127.0.0.1", *(() if tls else ("--no-tls",)), *options)
        atexit.register(self.stop)
        # One connection, so that what is made at the first one is not counted as an attack's.
        NativeClient(self.port, tls=tls).close()
        self.asset = self._asset()
        self.idle = self.memory("VmRSS")

    @property
    def port(self) -> int:
        """The port of the page."""
        return self.daemon.port

    @property
    def log(self) -> str:
        """The log so far."""
        return self.daemon.program.stderr

    def memory(self, name: str) -> int:
        """Its memory in KiB: `VmRSS` now, `VmHWM` at most since `forget_peak`."""
        status = Path(f"/proc/{self.daemon.program.process.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1])

    def forget_peak(self) -> None:
        """Let `VmHWM` begin anew (proc(5), clear_refs)."""
        Path(f"/proc/{self.daemon.program.process.pid}/clear_refs").write_text("5")

    def above_idle(self) -> float:
        """The most memory since `forget_peak`, in MiB above the idle server."""
        return (self.memory("VmHWM") - self.idle) / 1024

    def stop(self) -> None:
        """End it."""
        self.daemon.stop()

    def wrap(self, plain: socket.socket) -> socket.socket:
        """Put TLS over a connection, where the daemon speaks it, whatever certificate it shows."""
        return any_certificate().wrap_socket(plain) if self.tls else plain

    def fetch(self, path: str) -> bytes:
        """Get a file of the page."""
        url = f"{'https' if self.tls else 'http'}://localhost:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=10, context=any_certificate()) as response:  # noqa: S310 # the scheme is ours
            content: bytes = response.read()
        return content

    def _asset(self) -> str:
        page = self.fetch("/").decode()
        found = re.search(r"/assets/micropython\.[0-9a-f]+\.wasm", page)
        assert found is not None, "the page names no module of MicroPython"
        return found[0]


_targets: dict[tuple[bool, str], Target] = {}


def _target(tls: bool, role: str) -> Target:
    """Return the daemon of a role; another one where an attack has left it larger than it was."""
    known = _targets.get((tls, role))
    if known is not None and (known.memory("VmRSS") - known.idle) / 1024 <= MOST_LEFT:
        return known
    if known is not None:
        known.daemon.kill()
    _targets[tls, role] = Target(tls)
    return _targets[tls, role]


def target(tls: bool) -> Target:
    """Return the daemon of a transport that is attacked."""
    return _target(tls, "victim")


def twin(tls: bool) -> Target:
    """Return the one that takes the same attack while the bystander of the first one is measured."""
    return _target(tls, "twin")


class Attacker:
    """The attacker's process."""

    def __init__(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.suites.attacks.attacker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        atexit.register(self.stop)

    def order(self, **order: Any) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def report(self) -> Mapping[str, Any]:
        """Wait for what it has to say at the end."""
        assert self._process.stdout is not None
        report: Mapping[str, Any] = json.loads(self._process.stdout.readline())
        return report

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@functools.cache
def attacker() -> Attacker:
    """Return the attacker."""
    return Attacker()
