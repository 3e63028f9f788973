"""Tests the systemd units: the verdict of systemd's tools, and the daemon under the units' restrictions."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.suites.e2e.sandbox import ROOT, UNIT, confined, settings, write_filter
from tests.suites.e2e.waiting import until
from tests.support.native_client import NativeClient
from tests.support.supervisor import Supervisor

#: The largest exposure that `systemd-analyze security` may report, from 0 to 10.
EXPOSURE = 1.6

DEPLOY = ROOT / "deploy"


def need(*programs: str) -> None:
    """Skip a test if one of these programs is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise SkipTest(f"{', '.join(missing)} is not installed")


class SystemdUnitTests(SynchronousTestCase):
    """Tests of the unit files with systemd's own tools."""

    def test_the_exposure_is_small(self) -> None:
        """`systemd-analyze security` reports a small exposure of the service."""
        need("systemd-analyze")
        command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = re.search(r"Overall exposure level for signald\.service: ([0-9.]+)", said)
        assert found is not None, said
        self.assertLessEqual(float(found[1]), EXPOSURE, said)

    def test_systemd_has_nothing_to_say(self) -> None:
        """`systemd-analyze verify` accepts the units and the drop-in, with /bin/true in place of the daemon."""
        need("systemd-analyze")
        directory = Path(self.mktemp()).resolve()
        shutil.copytree(DEPLOY, directory, ignore=shutil.ignore_patterns("*.conf.*"))
        unit = directory / UNIT.name
        unit.write_text(unit.read_text().replace("ExecStart=/opt/signald/bin/signald", "ExecStart=/bin/true"))
        units = [str(path) for pattern in ("*.service", "*.socket") for path in sorted(directory.glob(pattern))]
        self.assertEqual(len(units), 4)
        checked = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))

    def test_there_is_time_to_drain(self) -> None:
        """The unit's stop timeout leaves the daemon enough time to drain."""
        unit = settings()
        self.assertEqual(unit["Type"], ["notify"])
        self.assertGreaterEqual(int(unit["TimeoutStopSec"][0].removesuffix("s")), 10)
        self.assertEqual(unit["Requires"], ["signald.socket"])


class SandboxTests(SynchronousTestCase):
    """Tests of the daemon under the unit's restrictions, as far as `sandbox.py` can apply them without systemd."""

    def setUp(self) -> None:
        """Start the daemon with a socket for each purpose."""
        need("bwrap", "systemd-analyze")
        directory = Path(self.mktemp()).resolve()
        data = directory / "data"
        data.mkdir(parents=True)
        program = directory / "seccomp"
        write_filter(settings(), program)
        seccomp = os.open(program, os.O_RDONLY)
        self.addCleanup(os.close, seccomp)
        self.supervisor = Supervisor(
            directory,
            names=("page", "ws", "operations"),
            watchdog=3.0,
            descriptors=(seccomp,),
        )
        self.addCleanup(self.supervisor.close)
        # The directory of the notification socket has to be visible inside the sandbox.
        folder = Path(self.supervisor.notify_path).parent
        self.supervisor.around = confined(data, f"{seccomp}", (folder,))
        self.seccomp = seccomp
        self.supervisor.start()

    def test_it_serves_and_is_restarted(self) -> None:
        """The sandboxed daemon serves page, WebSockets and health, and signaling continues after a restart."""
        status = self.status()
        self.assertEqual((status["Seccomp"], status["NoNewPrivs"], int(status["CapEff"], 16)), ("2", "1", 0))
        host = NativeClient(self.supervisor.port, tls=True)
        self.addCleanup(host.close)
        welcome = host.greet(instance="host")
        session = host.request("open", password="sesame")["session"]
        # bubblewrap reads the filter from the descriptor's current position, which is its end after the first start.
        os.lseek(self.seccomp, 0, os.SEEK_SET)
        self.supervisor.restart()
        again = NativeClient(self.supervisor.port, tls=True)
        self.addCleanup(again.close)
        resumed = again.request(
            "resume", version=1, user=welcome["user"], secret=welcome["secret"], instance="host", received=1
        )
        self.assertEqual(resumed["resumed"], "everything")
        guest = NativeClient(self.supervisor.port, tls=True)
        self.addCleanup(guest.close)
        guest.greet()
        self.assertEqual(guest.request("join", session=session, password="sesame")["type"], "joined")
        original = NativeClient(self.supervisor.port_of("ws"), tls=False, subprotocols=[])
        self.addCleanup(original.close)
        self.assertIn("NewUser", original.receive())
        for program in self.supervisor.programs:
            self.assertEqual(program.faults, [])

    def test_it_shows_that_it_is_alive(self) -> None:
        """The daemon sends three watchdog messages in the watchdog's interval, and none while it is stopped."""
        until(lambda: self.supervisor.count("WATCHDOG=1") >= 3, 10, "signs of life")
        process = self.supervisor.process
        os.kill(process, signal.SIGSTOP)
        seen = self.supervisor.count("WATCHDOG=1")
        time.sleep(2.5)
        self.assertLessEqual(self.supervisor.count("WATCHDOG=1"), seen + 1)
        os.kill(process, signal.SIGCONT)

    def status(self) -> dict[str, str]:
        """Return the status of the daemon's process as the kernel reports it."""
        lines = Path(f"/proc/{self.supervisor.process}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
