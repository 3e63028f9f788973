"""Tests signald behind an HAProxy that forwards TCP connections with the PROXY protocol, in both versions."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path

import websocket
from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.reverse_proxy import ReverseProxy

#: The address from which HAProxy connects.
PROXY = "127.0.0.9"

#: The seconds within which a response has to arrive.
PATIENCE = 10.0

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

_CONFIG = """
global
    maxconn 50
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend clients
    bind 127.0.0.1:{port}
    default_backend signald
backend signald
    server signald 127.0.0.1:{upstream} {send} source {proxy} {check}
"""


class TcpProxy(ReverseProxy):
    """An HAProxy that forwards TCP connections without inspecting them."""

    send: str
    check = ""

    def prepare(
        self, directory: Path, upstream: int, chain: bytes, key: bytes, changes: Mapping[str, str]
    ) -> list[str]:
        """Write the configuration, which needs no certificate."""
        text = _CONFIG.format(port=self.port, upstream=upstream, send=self.send, proxy=PROXY, check=self.check)
        (directory / "haproxy.cfg").write_text(text)
        return ["/usr/sbin/haproxy", "-db", "-f", str(directory / "haproxy.cfg")]


class First(TcpProxy):
    """An HAProxy that sends version 1 of the PROXY protocol."""

    send = "send-proxy"


class Second(TcpProxy):
    """An HAProxy that sends version 2 of the PROXY protocol, and health checks four times a second."""

    send = "send-proxy-v2"
    check = "check check-send-proxy inter 250ms"


class Silent(TcpProxy):
    """An HAProxy that sends no PROXY header."""

    send = ""


class ProxyProtocolTests(SynchronousTestCase):
    """Tests of a daemon that trusts one proxy, and accepts one connection from each client address."""

    def setUp(self) -> None:
        """Start the daemon with TLS."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        options = ("--proxy-protocol", "--trusted-proxy", PROXY, "--limit", "address-connections=1")
        self.daemon = Daemon(self.directory, "--interface", "127.0.0.1", *options)
        self.addCleanup(self.end)
        self.context = ssl.create_default_context(cafile=self.daemon.authority)

    def end(self) -> None:
        """Stop the daemon, and assert that its log has no traceback and no client address."""
        self.daemon.stop()
        self.assertEqual(self.daemon.program.faults, [])
        for line in self.daemon.program.stderr.splitlines():
            self.assertNotRegex(line, r"127\.0\.0\.[23]\b")

    def proxy(self, kind: type[TcpProxy]) -> TcpProxy:
        """Start HAProxy."""
        proxy = kind(self.directory / kind.__name__, self.daemon.port, b"", b"")
        self.addCleanup(proxy.stop)
        return proxy

    def dial(self, source: str, port: int) -> socket.socket:
        """Open a TCP connection from an address of this machine."""
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
        self.addCleanup(plain.close)
        return plain

    def secure(self, source: str, port: int) -> ssl.SSLSocket:
        """Open a TLS connection from an address of this machine."""
        connection = self.context.wrap_socket(self.dial(source, port), server_hostname="localhost")
        self.addCleanup(connection.close)
        return connection

    def websocket(self, source: str, port: int) -> websocket.WebSocket:
        """Open a WebSocket."""
        signaling = websocket.create_connection(
            f"wss://localhost:{port}/ws", socket=self.secure(source, port), subprotocols=["signald.1"], timeout=PATIENCE
        )
        self.addCleanup(signaling.close)
        return signaling

    def see_clients(self, kind: type[TcpProxy]) -> None:
        """Assert that each client address has a separate budget, although all clients share the proxy."""
        proxy = self.proxy(kind)
        first = self.websocket("127.0.0.2", proxy.port)
        with self.assertRaises((OSError, websocket.WebSocketException)):
            self.websocket("127.0.0.2", proxy.port)
        other = self.websocket("127.0.0.3", proxy.port)
        for signaling in (first, other):
            signaling.send('{"type":"ping","id":"1"}')
            self.assertIn('"pong"', signaling.recv())

    def test_version_1(self) -> None:
        """With `send-proxy` each client address has a separate budget."""
        self.see_clients(First)

    def test_version_2(self) -> None:
        """With `send-proxy-v2` too; the proxy's health checks do not count as clients and are not logged."""
        self.see_clients(Second)
        time.sleep(1)
        self.assertNotIn("PROXY", self.daemon.program.stderr)

    def test_without(self) -> None:
        """A trusted proxy that sends no PROXY header is not served, and the log reports the reason once."""
        proxy = self.proxy(Silent)
        for _ in range(3):
            self.assertRaises(OSError, self.secure, "127.0.0.2", proxy.port)
        self.daemon.program.wait_for("sent no valid PROXY header", PATIENCE)
        self.assertEqual(self.daemon.program.stderr.count("sent no valid PROXY header"), 1)

    def test_from_anybody(self) -> None:
        """An untrusted client needs no PROXY header; if it sends one, it is no handshake of TLS, and no request."""
        signaling = self.websocket("127.0.0.2", self.daemon.port)
        signaling.close()
        plain = self.dial("127.0.0.3", self.daemon.port)
        plain.sendall(b"PROXY TCP4 198.51.100.1 127.0.0.1 1 2\r\n")
        self.assertTrue(plain.recv(1024).startswith(b"HTTP/1.1 400 "))
        open_to_all = Daemon(self.directory / "plain", "--no-tls", "--proxy-protocol", "--trusted-proxy", PROXY)
        self.addCleanup(open_to_all.stop)
        asking = self.dial("127.0.0.3", open_to_all.port)
        asking.sendall(b"PROXY TCP4 198.51.100.1 127.0.0.1 1 2\r\n" + GET)
        self.assertTrue(asking.recv(1024).startswith(b"HTTP/1.1 400 "))
        asking = self.dial(PROXY, open_to_all.port)
        asking.sendall(b"PROXY TCP4 198.51.100.1 127.0.0.1 1 2\r\n" + GET)
        self.assertTrue(asking.recv(1024).startswith(b"HTTP/1.1 200 "))
