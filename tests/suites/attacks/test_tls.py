"""Tests the TLS versions and cipher suites that the daemon refuses, and private keys that other users can read."""

from __future__ import annotations

import socket
import tempfile
from collections import Counter
from pathlib import Path

from OpenSSL import SSL

from tests.suites.attacks.case import AttackTestCase
from tests.suites.attacks.report import add_threat
from tests.suites.attacks.target import target
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import SCRIPTS, run
from tests.suites.e2e.program import faults as logged_faults

#: Cipher suites without authenticated encryption or without forward secrecy.
WEAK = (
    "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256",
    "AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM8", "NULL-SHA", "ECDHE-ECDSA-NULL-SHA",
    "AECDH-AES128-SHA", "ADH-AES128-GCM-SHA256",
)  # fmt: skip


class TLSTests(AttackTestCase):
    """TLS versions and cipher suites that the daemon negotiates."""

    def shake_hands(self, context: SSL.Context) -> str:
        """Try a TLS handshake; return the negotiated version, or `refused`."""
        with socket.create_connection(
            ("127.0.0.1", target(True).port), timeout=5, source_address=("127.0.7.1", 0)
        ) as sock:
            sock.setblocking(True)
            connection = SSL.Connection(context, sock)
            connection.set_connect_state()
            try:
                connection.do_handshake()
            except (SSL.Error, OSError):
                return "refused"
            return connection.get_protocol_version_name()

    def context(self, version: int, suites: bytes) -> SSL.Context:
        """Return a client's TLS context for one version, with these cipher suites of TLS 1.2 and earlier versions."""
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        context.set_cipher_list(suites + b":@SECLEVEL=0")
        return context

    def test_versions(self) -> None:
        """The daemon negotiates TLS 1.2 and 1.3, and no earlier version."""
        found = {
            name: self.shake_hands(self.context(version, b"ALL"))
            for name, version in (
                ("1.0", SSL.TLS1_VERSION),
                ("1.1", SSL.TLS1_1_VERSION),
                ("1.2", SSL.TLS1_2_VERSION),
                ("1.3", SSL.TLS1_3_VERSION),
            )
        }
        self.assertEqual(found, {"1.0": "refused", "1.1": "refused", "1.2": "TLSv1.2", "1.3": "TLSv1.3"})
        add_threat("old TLS", "tls", "TLS 1.0, 1.1", "refused; 1.2 and 1.3 agreed to")

    def test_suites(self) -> None:
        """With TLS 1.2, the daemon negotiates only cipher suites with authenticated encryption and an ephemeral key."""
        self.assertEqual(
            self.shake_hands(self.context(SSL.TLS1_2_VERSION, b"ECDHE-ECDSA-AES128-GCM-SHA256")), "TLSv1.2"
        )
        found = Counter[str]()
        for suite in WEAK:
            try:
                context = self.context(SSL.TLS1_2_VERSION, suite.encode())
            except SSL.Error:
                found["not in this OpenSSL"] += 1
                continue
            found[self.shake_hands(context)] += 1
        self.assertNotIn("TLSv1.2", found)
        self.assertGreater(found["refused"], 3)
        add_threat(
            "weak cipher suites", "tls", f"{len(WEAK)} of TLS 1.2, one by one",
            ", ".join(f"{count} times {answer}" for answer, count in found.most_common()),
        )  # fmt: skip

    def test_key_that_others_can_read(self) -> None:
        """The daemon does not start if other users can read its own key or the configured key."""
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            daemon = Daemon(directory, "--interface", "127.0.0.1")
            daemon.stop()
            modes = {path.name: path.stat().st_mode & 0o777 for path in daemon.data.glob("*key*")}
            self.assertEqual(set(modes.values()), {0o600})
            (daemon.data / "key.pem").chmod(0o644)
            (daemon.data / "ca-key.pem").chmod(0o644)
            program = run(
                [SCRIPTS / "signald", "--port", "0", "--data-dir", daemon.data], environment={"HOME": str(directory)}
            )
            self.assertEqual(program.process.returncode, 78)
            self.assertIn("key", program.stderr)
        add_threat(
            "key that others can read", "files", "a key of mode 0644", "no start, status 78; made with mode 0600"
        )

    def test_plain_text_on_the_port(self) -> None:
        """Plain HTTP on the TLS port receives a redirect to TLS, and invalid data no more than a TLS alert."""
        for data, response in (
            (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 308 "),
            (b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", b"HTTP/1.1 400 "),
            (b"\x16\x03\x01\xff\xff" + b"x" * 70000, b""),
            (b"\0" * 100000, b""),
        ):
            with socket.create_connection(("127.0.0.1", target(True).port), timeout=15) as sock:
                answer = b""
                try:
                    sock.sendall(data)
                    while piece := sock.recv(4096):
                        answer += piece
                except OSError:
                    pass
                self.assertTrue(answer.startswith(response), answer)
                self.assertEqual(b"HTTP" in answer, bool(response))
        self.assertEqual(logged_faults(target(True).log), [])
        add_threat("no TLS on its port", "tls", "HTTP, oversized records, zeros", "redirect or alert, closed")
