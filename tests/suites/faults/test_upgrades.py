"""Upgrades under traffic: the successor is started first, and users and sessions move to it in memory."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald.lifecycle.process_file import read_process_record
from tests.suites.e2e.program import Program, run
from tests.suites.e2e.waiting import until
from tests.suites.faults.crash_clients import couples, wait_for_clients
from tests.suites.faults.report import add_fault, in_full
from tests.suites.faults.test_restarts import BACK_WITHIN, HEARD_WITHIN, Visitors
from tests.support.environments import Environments
from tests.support.supervisor import Supervisor, is_running
from tests.support.wheels import build_wheel, install_beside

#: Upgrades under traffic, and restarts beside them.
ROUNDS, RESTARTS = (20, 5) if in_full() else (3, 1)

#: Clients that exchange messages meanwhile.
CLIENTS = 60 if in_full() else 20

#: The seconds between the return of the last client and the next upgrade.
PAUSE = 2.0 if in_full() else 0.5

#: Seconds within which a successor loads, on a machine that does other work.
LOADED_WITHIN = 120.0

#: Bounds of the time without a connection on a quiet machine, in seconds: the median and the longest.
MEDIAN, LONGEST = 0.3, 1.0

#: What the median is on a busy machine, as a part of that of a restart beside it.
PART_OF_RESTART = 1 / 3

#: Clients while processes are killed.
FEW = 8

#: How often a successor is killed after it has taken over.
KILLS = 6 if in_full() else 2

_LIMITS = ("address-connections", "address-connection-rate", "address-message-rate", "address-request-rate")
OPTIONS = [word for name in _LIMITS for word in ("--limit", f"{name}=10000")]


class UpgradeCase(SynchronousTestCase):
    """Starts a daemon in one of two environments, and clients that exchange messages."""

    def setUp(self) -> None:
        """Create two environments with different versions."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.environments = Environments(self.directory)
        for version in ("0.1.0+old", "0.1.0+new"):
            self.environments.install(version)
        self.environments.use("0.1.0+old")

    def start(self, *options: str, watchdog: float | None = None) -> Supervisor:
        """Start the daemon of the old environment."""
        supervisor = Supervisor(self.directory, *OPTIONS, *options, watchdog=watchdog)
        self.addCleanup(self.kill_all, supervisor.data)
        self.addCleanup(supervisor.close)
        supervisor.script = self.environments.script
        supervisor.start()
        return supervisor

    def kill_all(self, data: Path) -> None:
        """Kill every process of a data directory: after an upgrade the daemon is no child of the test's."""
        while processes := processes_of(data):
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.05)

    def talk(self, supervisor: Supervisor, clients: int, *, tls: bool) -> Program:
        """Start clients that exchange messages, and wait until all are in their sessions."""
        script = Path(__file__).with_name("traffic.py")
        authority = [supervisor.authority] if tls else []
        traffic = Program([sys.executable, "-P", script, str(supervisor.port), str(clients), *authority])
        self.addCleanup(traffic.process.kill)
        traffic.wait_for("ready", 60)
        return traffic

    def report(self, traffic: Program) -> dict[str, Any]:
        """End the traffic, and return its report, in which nothing may be lost, twice or out of order."""
        traffic.process.terminate()
        self.assertEqual(traffic.wait(HEARD_WITHIN), 0, traffic.stderr)
        report: dict[str, Any] = json.loads(traffic.stdout.splitlines()[-1])
        whole = {name: report[name] for name in ("lost", "twice", "disorder", "faults")}
        self.assertEqual(whole, {"lost": 0, "twice": 0, "disorder": 0, "faults": []}, traffic.stderr)
        self.assertLessEqual(set(report["survivals"]), {"everything"})
        return report


class TrafficTests(UpgradeCase):
    """Tests in which a daemon is upgraded repeatedly while clients talk."""

    def test_ws(self) -> None:
        """Nothing is lost, twice or out of order, and clients are without a connection for a fraction of a second."""
        self.upgrade_under_traffic(tls=False)

    def test_wss(self) -> None:
        """The same holds over TLS."""
        self.upgrade_under_traffic(tls=True)

    def upgrade_under_traffic(self, *, tls: bool) -> None:
        """Upgrade back and forth between two environments, and restart as often as comparison needs."""
        supervisor = self.start(*([] if tls else ["--no-tls"]))
        traffic = self.talk(supervisor, CLIENTS, tls=tls)
        visitors = Visitors(supervisor.port, tls=tls)
        self.addCleanup(visitors.end)
        times = []
        for number in range(ROUNDS):
            time.sleep(PAUSE)
            self.environments.use("0.1.0+old" if number % 2 else "0.1.0+new")
            times.append(supervisor.upgrade())
            traffic.wait_for(rf"back {number + 1}\n", BACK_WITHIN)
        for number in range(ROUNDS, ROUNDS + RESTARTS):
            time.sleep(PAUSE)
            supervisor.stop_main()
            supervisor.start()
            traffic.wait_for(rf"back {number + 1}\n", BACK_WITHIN)
        time.sleep(PAUSE)
        report = self.report(traffic)
        visitors.end()
        self.assertEqual(report["survivals"], ["everything"])
        self.assertEqual(visitors.faults, [])
        for program in supervisor.programs:
            self.assertEqual(program.faults, [])
        upgrades = sorted(seconds for one in report["by_client"] for seconds in one[:ROUNDS])
        restarts = sorted(seconds for one in report["by_client"] for seconds in one[ROUNDS:])
        self.assertEqual((len(upgrades), len(restarts)), (ROUNDS * CLIENTS, RESTARTS * CLIENTS))
        median, beside = (ranked[len(ranked) // 2] for ranked in (upgrades, restarts))
        self.assertTrue(
            (median <= MEDIAN and upgrades[-1] <= LONGEST) or median <= PART_OF_RESTART * beside,
            f"upgrades {_figures(upgrades)}, restarts {_figures(restarts)}",
        )
        add_fault(
            f"{ROUNDS} upgrades under {'wss' if tls else 'ws'}, {CLIENTS} clients",
            f"{report['sent']} messages: none lost, none twice, in order; {len(visitors.waits)} visitors: none refused",
            f"blackout {_figures(upgrades)}; of {RESTARTS} restarts beside them {_figures(restarts)}; visitor at most "
            f"{1000 * max(visitors.waits):.0f} ms; from the signal to the end of the old process at most "
            f"{max(times):.1f} s",
        )


class WheelTests(UpgradeCase):
    """Tests with two wheels, each in an environment with an interpreter of its own."""

    def test_two_wheels(self) -> None:
        """Each takes over from the other, with its own interpreter and code, and nothing is lost."""
        versions = ("0.1.0+one", "0.1.0+two")
        for version in versions:
            wheel = build_wheel(self.directory / f"build-{version}", version)
            install_beside(wheel, self.directory / version)
        self.environments.use(versions[0])
        supervisor = self.start("--no-tls")
        traffic = self.talk(supervisor, FEW, tls=False)
        for number, version in enumerate((versions[1], versions[0])):
            self.environments.use(version)
            supervisor.upgrade()
            traffic.wait_for(rf"back {number + 1}\n", BACK_WITHIN)
            self.assertEqual(read_process_record(supervisor.data).version, version)
            command = Path(f"/proc/{supervisor.main}/cmdline").read_bytes().split(b"\0")
            self.assertEqual(Path(os.fsdecode(command[0])).parent, self.directory / version / "bin")
        self.report(traffic)


class KillTests(UpgradeCase):
    """Tests in which one of the two processes is killed during an upgrade, and others that cannot begin."""

    def test_each_step(self) -> None:
        """Whichever process is killed, at whichever step, each client has exactly one server and loses nothing.

        The successor is killed before it accepts connections: the running process goes on, with the same connections.
        The running process is killed once it has sent the whole state: the successor takes its place.
        """
        supervisor = self.start("--no-tls")
        traffic = self.talk(supervisor, FEW, tls=False)
        returns, seen = 0, []
        running = read_process_record(supervisor.data).pid
        for step in ("start", "state", "restored"):
            self.environments.kill_at(step, "successor")
            failures = read_process_record(supervisor.data).failures
            os.kill(running, signal.SIGUSR2)
            until(lambda n: read_process_record(supervisor.data).failures > n, LOADED_WITHIN, "a failure", failures)
            self.assertEqual(read_process_record(supervisor.data).pid, running)
            time.sleep(0.3)
            self.assertIsNone(re.search("back 1", traffic.stdout))
            seen.append(f"successor at {step}: the running process goes on")
        for step in ("state", "restored", "accepting"):
            self.environments.kill_at(step, "predecessor")
            os.kill(running, signal.SIGUSR2)
            before = running
            until(lambda old: read_process_record(supervisor.data).pid != old, LOADED_WITHIN, "a successor", before)
            running = read_process_record(supervisor.data).pid
            until(lambda old: not is_running(old), 10, "the end of the running process", before)
            returns += 1
            traffic.wait_for(rf"back {returns}\n", BACK_WITHIN)
            seen.append(f"running process at {step}: the successor takes over")
        self.environments.kill_nobody()
        self.environments.use("0.1.0+new")
        os.kill(running, signal.SIGUSR2)
        until(lambda: read_process_record(supervisor.data).version == "0.1.0+new", LOADED_WITHIN, "the new version")
        traffic.wait_for(rf"back {returns + 1}\n", BACK_WITHIN)
        time.sleep(0.5)
        report = self.report(traffic)
        add_fault(
            f"kill -9 of either process at each step of an upgrade, {FEW} clients",
            "; ".join(seen),
            f"{report['sent']} messages: none lost, none twice, in order; longest blackout "
            f"{1000 * report['blackouts'][-1]:.0f} ms",
        )

    def test_the_running_process_is_killed_before(self) -> None:
        """A successor without the whole state ends, so that the service manager's next process is the only one."""
        supervisor = self.start("--no-tls")
        before = supervisor.main
        self.environments.kill_at("start", "predecessor")
        os.kill(before, signal.SIGUSR2)
        until(lambda: not is_running(before), LOADED_WITHIN, "the end of the running process")
        until(lambda: not processes_of(supervisor.data), LOADED_WITHIN, "the end of the successor")
        self.environments.kill_nobody()
        supervisor.start()

    def test_the_successor_is_killed_after(self) -> None:
        """A successor that is killed when it serves leaves its journal: nothing that a client was answered is lost."""
        supervisor = self.start("--no-tls", "--limit", "address-session-rate=10000")
        clients = couples(supervisor.port, FEW // 2)
        for client in clients:
            client.start()
            self.addCleanup(client.end)
        for number in range(KILLS):
            resumed = [len(client.blackouts) for client in clients]
            self.environments.use("0.1.0+old" if number % 2 else "0.1.0+new")
            supervisor.upgrade()
            if number % 2:
                # Otherwise it is killed while clients come back to it.
                wait_for_clients(clients, resumed)
                time.sleep(0.3)
            resumed = [len(client.blackouts) for client in clients]
            os.kill(supervisor.main, signal.SIGKILL)
            until(lambda process: not is_running(process), 10, "the end of the successor", supervisor.main)
            supervisor.start()
            wait_for_clients(clients, resumed)
        for client in clients:
            client.end()
        self.assertEqual([fault for client in clients for fault in client.faults], [])
        self.assertEqual({survival for client in clients for survival in client.survivals}, {"membership"})
        self.assertEqual(supervisor.logged("journal-restored"), KILLS)
        answers = sum(client.answers for client in clients)
        add_fault(
            f"kill -9 of the successor after it has taken over, {KILLS} times, {len(clients)} clients",
            f"{answers} answered requests: none lost; all resumes with membership",
            f"longest blackout {1000 * max(max(client.blackouts) for client in clients):.0f} ms",
        )

    def test_a_successor_that_cannot_load(self) -> None:
        """A configuration with a mistake, and a program that is broken or gone, change nothing, and are reported."""
        settings = self.directory / "signald.toml"
        settings.write_text("")
        supervisor = self.start("--no-tls", "--config", str(settings))
        traffic = self.talk(supervisor, FEW, tls=False)
        running = supervisor.main
        main = self.directory / "0.1.0+new" / "lib" / "signald" / "main.py"
        self.environments.use("0.1.0+new")

        def upgrade(problem: str) -> None:
            done = run([self.environments.script, "upgrade", "--data-dir", supervisor.data], seconds=LOADED_WITHIN)
            self.assertEqual(done.wait(), 1, done.stdout)
            self.assertRegex(done.stderr, rf"\AThe upgrade failed, and process {running} goes on: .*{problem}")

        settings.write_text("port = 70000\n")
        upgrade("port: expected a port number")
        settings.write_text("")
        content = main.read_text()
        main.write_text(content.replace("def _run_daemon() -> None:", "def _run_daemon() -> None:\n    1 / 0\n"))
        upgrade("the successor ended with status 1")
        main.write_text(content)
        script = self.environments.script.resolve()
        script.rename(script.with_name("gone"))
        os.kill(running, signal.SIGUSR2)
        until(lambda: read_process_record(supervisor.data).failures >= 3, LOADED_WITHIN, "a third failure")
        script.with_name("gone").rename(script)
        time.sleep(0.3)
        self.assertNotIn("back", traffic.stdout)
        self.assertEqual(supervisor.main, running)
        done = run([self.environments.script, "upgrade", "--data-dir", supervisor.data], seconds=LOADED_WITHIN)
        self.assertEqual(done.wait(), 0, done.stderr)
        self.assertRegex(done.stdout, rf"\(signald 0\.1\.0\+new\) has taken over from process {running} \(signald 0")
        traffic.wait_for(r"back 1\n", BACK_WITHIN)
        time.sleep(0.5)
        report = self.report(traffic)
        add_fault(
            "successors that cannot load: a mistake in the configuration, a broken and a missing program",
            "the running process goes on, and nobody is disconnected",
            f"{report['sent']} messages: none lost, none twice",
        )


class NotificationTests(UpgradeCase):
    """What the service manager is told, by whom and in which order."""

    def test_order_and_senders(self) -> None:
        """The old process names the new one and waits for the barrier; then the new one is ready and sends heartbeats.

        With `NotifyAccess=main`, a notification of the new process before that, or of the old one after it, would be
        lost: there is none.
        """
        supervisor = self.start("--no-tls", watchdog=3.0)
        for _ in range(2):
            old, place = supervisor.main, len(supervisor.notifications)
            supervisor.upgrade()
            new = supervisor.main
            self.assertNotEqual(old, new)
            until(lambda at: "WATCHDOG=1" in supervisor.notifications[at + 3 :], 10, "heartbeats", place)
            told = [
                (sender, line)
                for sender, line in zip(supervisor.senders[place:], supervisor.notifications[place:], strict=True)
                if line != "WATCHDOG=1" and not line.startswith("STATUS=")
            ]
            self.assertEqual(told, [(old, f"MAINPID={new}"), (old, "BARRIER=1"), (new, "READY=1")])
            heartbeats = supervisor.senders[supervisor.notifications.index(f"MAINPID={new}") + 2 :]
            self.assertEqual(set(heartbeats), {new})
        self.assertEqual(supervisor.ignored, [])
        self.assertEqual(supervisor.program.wait(), 0)
        supervisor.stop_main()


def _figures(ranked: list[float]) -> str:
    """Return quantiles in milliseconds."""
    p99 = ranked[min(len(ranked) - 1, int(0.99 * len(ranked)))]
    return f"p50 {1000 * ranked[len(ranked) // 2]:.0f} ms, p99 {1000 * p99:.0f} ms, longest {1000 * ranked[-1]:.0f} ms"


def processes_of(data: Path) -> list[int]:
    """Return the processes whose command line names a data directory."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(data) in words and is_running(int(directory.name)):
            found.append(int(directory.name))
    return found
