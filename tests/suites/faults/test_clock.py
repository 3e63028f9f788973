"""The wall clock jumps: timeouts are not affected, and certificates and credentials follow the wall clock."""

from __future__ import annotations

import os
import signal
import ssl
import time

from cryptography import x509

from tests.suites.e2e.clock import another_clock
from tests.suites.e2e.daemon import Daemon
from tests.suites.faults.case import FaultTestCase
from tests.suites.faults.report import add_fault, in_full
from tests.support.native_client import NativeClient

HOUR, DAY = 3600, 86400

#: The offsets of the wall clock in seconds, in the order of the jumps.
JUMPS = (5 * HOUR, -5 * HOUR, 3 * DAY, -3 * DAY, 0)

#: Lifetime of TURN credentials in seconds.
TURN_SECONDS = 600

#: Seconds by which a credential's expiry may differ from the expected time.
CLOSE = 5.0


class ClockTests(FaultTestCase):
    """Tests of a daemon whose wall clock is changed while its monotonic clock continues."""

    def start_with_clock(self, *options: str) -> Daemon:
        """Start a daemon whose wall clock is right."""
        self.offset = self.directory / "offset"
        self.jump(0)
        return self.start(
            *options,
            environment=another_clock(FAKETIME_TIMESTAMP_FILE=str(self.offset), FAKETIME_NO_CACHE="1"),
            tls=True,
        )

    def jump(self, seconds: int) -> None:
        """Set the daemon's wall clock to an offset from the right time, in seconds."""
        new = self.offset.with_suffix(".new")
        new.write_text(f"{seconds:+d}s\n")
        os.replace(new, self.offset)

    def test_jumps(self) -> None:
        """Jumps of hours and days close no WebSocket, and new TURN credentials have the new time."""
        secret = self.directory / "secret"
        secret.write_text("north" * 8)
        secret.chmod(0o600)
        daemon = self.start_with_clock(
            "--turn-url", "turn:turn.example.org", "--ice-turn-secret-file", str(secret),
            "--ice-turn-seconds", str(TURN_SECONDS), "--limit", "ping-seconds=1", "--limit", "pong-seconds=2",
        )  # fmt: skip
        # They cannot resume: nobody acknowledges here, so that outboxes would be full after 256 messages.
        host, guest, session = self.pair(daemon, tls=True)
        waits: list[float] = []
        for seconds in JUMPS:
            self.jump(seconds)
            end = time.monotonic() + (4 if in_full() else 1.0)
            while time.monotonic() < end:
                begin = time.monotonic()
                self.talk(host, guest, session, "still there?")
                self.talk(guest, host, session, "still here")
                waits.append(time.monotonic() - begin)
                time.sleep(0.05)
            # A new client connects, and its credentials have the new time.
            third = self.client(daemon, tls=True)
            username = self.credentials(third)
            self.assertLess(abs(int(username.partition(":")[0]) - (time.time() + seconds + TURN_SECONDS)), CLOSE)
            third.close()
        add_fault(
            f"wall clock set by {', '.join(f'{jump / HOUR:+.0f} h' for jump in JUMPS[:-1])} and right again",
            "nobody cut off, TURN credentials follow the clock",
            f"longest exchange {max(waits) * 1000:.0f} ms",
        )

    def credentials(self, client: NativeClient) -> str:
        """Open a session, and return the user name of the TURN credentials that its member receives."""
        client.send("open")
        servers = client.receive_type("ice-servers")["ice-servers"]
        return next(str(server["username"]) for server in servers if "username" in server)

    def test_certificate(self) -> None:
        """More than a year later the local authority issues another certificate without a restart."""
        daemon = self.start_with_clock()
        before = self.shown(daemon)
        self.jump(400 * DAY)
        begin = time.monotonic()
        if not in_full():
            # Without SIGHUP the test would have to wait up to a minute for the periodic check of the certificate, as a
            # full run does.
            daemon.program.process.send_signal(signal.SIGHUP)
        while self.shown(daemon) == before:
            self.assertLess(time.monotonic() - begin, 90.0)
            time.sleep(0.1)
        after = x509.load_pem_x509_certificate(self.shown(daemon).encode())
        self.assertGreater(after.not_valid_after_utc.timestamp(), time.time() + 400 * DAY)
        add_fault(
            "wall clock set 400 days forward",
            "another certificate was issued and shown",
            f"after {time.monotonic() - begin:.0f} s",
        )

    def shown(self, daemon: Daemon) -> str:
        """Return the certificate that the daemon presents, as PEM."""
        return ssl.get_server_certificate(("127.0.0.1", daemon.port), timeout=5)
