"""The certificate is replaced repeatedly under traffic, sometimes by a pair that cannot be used."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
import time

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from signald.net.keyfiles import Pair, certificates_pem, key_pem, write_files
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.waiting import until
from tests.suites.faults.case import FaultTestCase
from tests.suites.faults.report import add_fault, in_full
from tests.support.certificates import self_signed
from tests.support.machines import DAY
from tests.support.native_client import NativeClient

#: Number of replacements.
ROUNDS = 100 if in_full() else 10

#: Every n-th replacement is left to the daemon's periodic check; SIGHUP announces the others.
ALONE = 5

#: Every n-th replacement is preceded by a pair that cannot be used.
BAD = 3

#: Pairs of clients that exchange messages.
PAIRS = 8

#: Seconds between two messages of one pair.
PAUSE = 0.05

#: Seconds within which the daemon has to present a new certificate.
SHOWN_WITHIN = 15.0


class Talk(threading.Thread):
    """Sends numbers from a host to a guest in sequence.

    Attributes:
        waits: seconds from the sending of each message to its receipt.
        fault: the exception that ended the thread.

    """

    def __init__(self, host: NativeClient, guest: NativeClient, session: str) -> None:
        super().__init__(daemon=True)
        self._host, self._guest, self._session = host, guest, session
        self._ends = threading.Event()
        self.waits: list[float] = []
        self.fault: Exception | None = None

    def run(self) -> None:
        """Send and receive until `end` is called."""
        try:
            while not self._ends.wait(PAUSE):
                begin = time.monotonic()
                content = str(len(self.waits))
                self._host.send("message", session=self._session, content=content)
                received = self._guest.receive_type("message")["content"]
                assert received == content, f"received {received}, not {content}"
                self.waits.append(time.monotonic() - begin)
        except Exception as error:  # noqa: BLE001 # the test reports it
            self.fault = error

    def end(self) -> None:
        """Stop sending, and wait for the thread."""
        self._ends.set()
        self.join(30)


class SwapTests(FaultTestCase):
    """Tests of a daemon with a certificate and a key in files."""

    def setUp(self) -> None:
        """Write the first pair of files, and start the daemon."""
        super().setUp()
        self.certificate, self.key = self.directory / "fullchain.pem", self.directory / "privkey.pem"
        self.renew()
        self.daemon = self.start("--cert", str(self.certificate), "--key", str(self.key), tls=True)

    def renew(self) -> Pair:
        """Write another pair of files, as a renewal does."""
        pair = self_signed(ec.generate_private_key(ec.SECP256R1()), time.time() - DAY, time.time() + 89 * DAY)
        write_files({self.key: key_pem(pair.key), self.certificate: certificates_pem(pair.chain)})
        return pair

    def shown(self) -> bytes:
        """Return the certificate that the daemon presents in a new TLS handshake, in DER form."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.daemon.port), 10) as plain,
            context.wrap_socket(plain) as connection,
        ):
            return connection.getpeercert(binary_form=True) or b""

    def wait_for(self, newest: bytes) -> None:
        """Wait until the daemon presents that certificate in a new TLS handshake."""
        until(lambda: self.shown() == newest, SHOWN_WITHIN, "the new certificate")

    def hang_up(self, daemon: Daemon, event: str) -> None:
        """Send SIGHUP, and wait until the log reports the event once more."""
        before = daemon.program.stderr.count(event)
        daemon.program.process.send_signal(signal.SIGHUP)
        until(lambda: daemon.program.stderr.count(event) > before, SHOWN_WITHIN, f"{event!r} in the log")

    def refuse_a_bad_pair(self) -> None:
        """Assert that a key of another certificate is refused, and that new handshakes present the old certificate."""
        old = self.shown()
        write_files({self.key: key_pem(ec.generate_private_key(ec.SECP256R1()))})
        self.hang_up(self.daemon, f"The key in {self.key} is not the key of the certificate")
        self.assertEqual(self.shown(), old)

    def test_swaps_under_traffic(self) -> None:
        """No WebSocket is closed, no message is lost, and each new handshake presents the newest certificate."""
        talks = [Talk(*self.pair(self.daemon, tls=True)) for _ in range(PAIRS)]
        for talk in talks:
            talk.start()
        alone, reloaded, bad = [], [], 0
        for number in range(ROUNDS):
            if number % BAD == 0:
                self.refuse_a_bad_pair()
                bad += 1
            begin = time.monotonic()
            newest = self.renew().leaf.public_bytes(Encoding.DER)
            if number % ALONE == 0:
                self.wait_for(newest)
                alone.append(time.monotonic() - begin)
            else:
                self.hang_up(self.daemon, "The certificate was read again")
                self.assertEqual(self.shown(), newest)
                reloaded.append(time.monotonic() - begin)
            time.sleep(0.1)
        for talk in talks:
            talk.end()
        self.assertEqual([talk.fault for talk in talks if talk.fault is not None], [])
        waits = sorted(wait for talk in talks for wait in talk.waits)
        self.assertGreater(len(waits), PAIRS * ROUNDS)
        add_fault(
            f"{ROUNDS} new certificates under traffic, {bad} bad pairs in between",
            f"{2 * PAIRS} connections: none dropped; {len(waits)} messages: none lost; bad pairs refused",
            f"message p50 {_ms(waits, 0.5)}, p99 {_ms(waits, 0.99)}, longest {_ms(waits, 1)}; "
            f"shown after SIGHUP {_ms(sorted(reloaded), 0.5)}, alone {_ms(sorted(alone), 0.5)}",
        )


def _ms(ranked: list[float], part: float) -> str:
    """Return a quantile in milliseconds."""
    return f"{1000 * ranked[min(len(ranked) - 1, int(part * len(ranked)))]:.0f} ms"
