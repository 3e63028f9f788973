"""Tests that many people behind one address set up their calls at once, and are neither refused nor slowed."""

from __future__ import annotations

import re
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.suites.attacks.bystander import connection, quantile
from tests.suites.attacks.case import AttackTestCase
from tests.suites.attacks.raw import exchange
from tests.suites.attacks.report import add_threat, in_full
from tests.suites.attacks.target import Target
from tests.support.endpoints import request
from tests.support.native_client import NativeClient

#: The number of calls, of two people each.
CALLS = 100 if in_full() else 12

#: The candidates that each person sends, one by one: with the rest of the negotiation about 60 messages a person.
CANDIDATES = 27

#: The people who are served at the same moment.
AT_ONCE = 8

#: The seconds within which all of them have to be in their calls, for the table.
SECONDS = 10.0

SOURCE = "127.0.8.1"

_CANDIDATE = "candidate:1 1 udp 2113937151 198.51.100.17 51472 typ host generation 0 ufrag 4Wiq network-cost 999"


class CrowdTests(AttackTestCase):
    """Tests of an office or a school behind one address."""

    def client(self, victim: Target) -> NativeClient:
        """Load the page's first file, connect, and send `hello` as the page does."""
        self.assertIn(b"200 OK", exchange(victim, request("/", {"Host": "localhost"}), source=SOURCE, whole=False))
        client = NativeClient(victim.port, tls=victim.tls, socket=connection(SOURCE, victim))
        client.greet(instance=f"{id(client):032x}")
        return client

    def call(self, victim: Target) -> tuple[list[float], list[NativeClient]]:
        """Set up a call; return the seconds that each candidate was under way, and the clients."""
        host, guest = self.client(victim), self.client(victim)
        session: str = host.request("open")["session"]
        self.assertEqual(guest.request("join", session=session)["type"], "joined")
        host.receive_type("member-joined")
        negotiation = {"offerer": guest.user, "n": 1}
        about: dict[str, Any] = {"session": session, "negotiation": negotiation}
        guest.send("offer", to=host.user, sdp="x" * 4000, **about)
        host.receive_type("offer")
        host.send("answer", to=guest.user, sdp="x" * 4000, **about)
        guest.receive_type("answer")
        waits = []
        for _ in range(CANDIDATES):
            for sender, receiver in ((guest, host), (host, guest)):
                started_at = time.monotonic()
                candidates = [{"candidate": _CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0}]
                sender.send("candidates", to=receiver.user, candidates=candidates, **about)
                receiver.receive_type("candidates")
                waits.append(time.monotonic() - started_at)
        return waits, [host, guest]

    def limits_hit(self, victim: Target, operations_port: str) -> list[str]:
        """Return the names of the limits that the daemon has enforced since its start."""
        with urllib.request.urlopen(f"http://127.0.0.1:{operations_port}/metrics", timeout=10) as response:
            text = response.read().decode()
        return re.findall(r'^signald_limits_hit_total\{limit="(\w+)"\} (?!0\.0)', text, re.MULTILINE)

    def test_calls_behind_one_address(self) -> None:
        """Each call is set up, no limit is hit, and the waits of the last calls are those of the first ones."""
        for tls in (False, True) if in_full() else (True,):
            victim = Target(tls, "--operations-port", "0")
            self.addCleanup(victim.stop)
            operations_port = victim.daemon.program.wait_for(r"operations: http on port (\d+)", 10)[1]
            idle, clients = self.call(victim)
            for client in clients:
                # Otherwise they would be two of the 200 that one address may have.
                client.close()
            started_at = time.monotonic()
            with ThreadPoolExecutor(AT_ONCE) as threads:
                results = list(threads.map(self.call, [victim] * CALLS))
            took = time.monotonic() - started_at
            waits = [wait for call, _ in results for wait in call]
            self.assertEqual(self.limits_hit(victim, operations_port), [])
            for client in (client for _, both in results for client in both):
                client.close()
            late = [wait for call, _ in results[-AT_ONCE:] for wait in call]
            early = [wait for call, _ in results[:AT_ONCE] for wait in call]
            add_threat(
                "people behind one address", "wss" if tls else "ws",
                f"{2 * CALLS} people set up calls, {AT_ONCE} calls at once; {CANDIDATES} candidates each",
                f"none; {took:.1f} s; a candidate alone {quantile(idle, 0.5):.1f} ms, the first calls "
                f"{quantile(early, 0.5):.1f}, the last {quantile(late, 0.5):.1f}, p99 {quantile(waits, 0.99):.1f}",
                verdict="ok" if took <= SECONDS or not in_full() else f"not met: {took:.1f} s",
            )  # fmt: skip
