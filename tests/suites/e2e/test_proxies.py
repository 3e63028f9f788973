"""signald behind nginx and HAProxy, with the files of `deploy/` as an operator copies them."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

import websocket
from twisted.trial.unittest import SynchronousTestCase

from signald.net.keyfiles import certificates_pem, key_pem
from tests.suites.e2e.clinic import BEHIND_PROXY, LOCALHOST
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.reverse_proxy import PATH, HAProxy, Nginx, ReverseProxy
from tests.support.public_authority import PublicAuthority

#: Seconds to wait for whatever should come.
PATIENCE = 20.0

#: Clients on this machine that are told apart by their addresses.
ADA, BOB = "127.0.0.2", "127.0.0.3"


class Client:
    """A client of the native protocol with an address of its own."""

    def __init__(
        self, proxy: ReverseProxy, trust: ssl.SSLContext, address: str, *headers: str, path: str = "/ws"
    ) -> None:
        """Open a WebSocket, as the page does.

        Raises:
            WebSocketBadStatusException: it is refused.

        """
        plain = socket.create_connection(("127.0.0.1", proxy.port), PATIENCE, source_address=(address, 0))
        wrapped = trust.wrap_socket(plain, server_hostname="localhost")
        origin = proxy.url.removesuffix("/")
        try:
            self.socket = websocket.create_connection(
                f"{origin.replace('https', 'wss')}{path}",
                socket=wrapped,
                timeout=PATIENCE,
                subprotocols=["signald.1"],
                origin=origin,
                header=list(headers),
            )
        except BaseException:
            wrapped.close()
            raise

    def request(self, kind: str, **body: Any) -> Any:
        """Send a request and return the next message."""
        self.socket.send(json.dumps({"type": kind, **body}))
        return self.receive()

    def receive(self) -> Any:
        """Return the next message."""
        return json.loads(self.socket.recv())

    def close(self) -> None:
        """Go."""
        self.socket.close()


class ProxyTests:
    """Tests that every reverse proxy has to pass."""

    kind: ClassVar[type[ReverseProxy]]

    #: The setting of the proxy's idle timeout for a WebSocket, and the same setting with two seconds.
    timeout: ClassVar[tuple[str, str]]

    def setUp(self: Any) -> None:
        """Make a certificate, and an authority to trust."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.authority = PublicAuthority.create()
        self.trust = ssl.create_default_context(cadata=certificates_pem((self.authority.root,)).decode())

    def serve(self: Any, *options: str, changes: dict[str, str] | None = None) -> ReverseProxy:
        """Start signald and the proxy."""
        daemon = Daemon(self.directory, *BEHIND_PROXY, *options)
        self.addCleanup(daemon.stop)
        pair = self.authority.issue(LOCALHOST)
        chain, key = certificates_pem(pair.chain), key_pem(pair.key)
        proxy: ReverseProxy = self.kind(self.directory / "proxy", daemon.port, chain, key, changes)
        self.addCleanup(proxy.stop)
        return proxy

    def client(self: Any, proxy: ReverseProxy, address: str = ADA, *headers: str) -> Client:
        """Open a WebSocket."""
        client = Client(proxy, self.trust, address, *headers)
        self.addCleanup(client.close)
        return client

    def request(
        self: Any, proxy: ReverseProxy, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, Any, bytes]:
        """One HTTP request: the status, the headers, the body of the answer."""
        connection = http.client.HTTPSConnection("localhost", proxy.port, timeout=PATIENCE, context=self.trust)
        self.addCleanup(connection.close)
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def test_page(self: Any) -> None:
        """It comes with its headers; what speaks plain HTTP is sent to HTTPS; a body is refused."""
        proxy = self.serve()
        status, headers, body = self.request(proxy, "GET", "/")
        self.assertEqual(status, 200)
        self.assertIn(b"<!doctype html>", body.lower())
        self.assertIn("frame-ancestors 'none'", headers["Content-Security-Policy"])
        self.assertEqual(self.request(proxy, "POST", "/", b"x" * 2000)[0], 413)
        plain = http.client.HTTPConnection("127.0.0.1", proxy.plain_port, timeout=PATIENCE)
        self.addCleanup(plain.close)
        plain.request("GET", "/", headers={"Host": "localhost"})
        answer = plain.getresponse()
        self.assertEqual((answer.status, answer.headers["Location"]), (301, "https://localhost/"))

    def under_a_path(self: Any, *, strips: bool) -> None:
        """Assert that the page, its files and its WebSocket are below the path, and nothing of signald is elsewhere."""
        options = () if strips else ("--path", PATH.rstrip("/"))
        proxy = self.serve(*options, changes=self.kind.under_a_path(strips=strips))
        status, _, page = self.request(proxy, "GET", PATH)
        self.assertEqual(status, 200)
        files = re.findall(r'(?:href|src)="\./([^"]+)"', page.decode())
        self.assertGreater(len(files), 8)
        for name in (*files, "service-worker.js", "schema/", "client.mjs"):
            self.assertEqual(self.request(proxy, "GET", PATH + name)[0], 200, name)
            self.assertNotEqual(self.request(proxy, "GET", f"/{name}")[0], 200, name)
        status, headers, _ = self.request(proxy, "GET", PATH.rstrip("/"))
        self.assertIn(status, (301, 308))
        self.assertEqual(urlsplit(urljoin(proxy.url, headers["Location"])).path, PATH)
        client = Client(proxy, self.trust, ADA, path=f"{PATH}ws")
        self.addCleanup(client.close)
        self.assertEqual(client.request("hello", version=1)["type"], "welcome")

    def test_stripped_path(self: Any) -> None:
        """Behind a proxy that strips the path, signald works without a setting."""
        self.under_a_path(strips=True)

    def test_passed_path(self: Any) -> None:
        """Behind a proxy that passes the path on, signald works with the path as its setting."""
        self.under_a_path(strips=False)

    def test_session(self: Any) -> None:
        """Two meet, and the largest offer arrives as it was sent; a message that is too large ends its sender alone."""
        proxy = self.serve()
        ada, bob = self.client(proxy, ADA), self.client(proxy, BOB)
        users = [client.request("hello", version=1)["user"] for client in (ada, bob)]
        session = ada.request("open")["session"]
        self.assertEqual(bob.request("join", session=session)["type"], "joined")
        self.assertEqual(ada.receive()["type"], "member-joined")
        sdp = "v=0\r\n" + "a" * 60000
        negotiation = {"offerer": users[1], "n": 1}
        bob.socket.send(
            json.dumps({"type": "offer", "session": session, "to": users[0], "negotiation": negotiation, "sdp": sdp})
        )
        received = ada.receive()
        self.assertEqual((received["type"], received["from"], received["sdp"]), ("offer", users[1], sdp))
        bob.socket.send("x" * 70000)
        opcode, frame = bob.socket.recv_data()
        self.assertEqual((opcode, int.from_bytes(frame[:2], "big")), (websocket.ABNF.OPCODE_CLOSE, 1009))
        self.assertEqual(ada.receive()["type"], "member-left")

    def test_addresses(self: Any) -> None:
        """Each client is counted by its own address, whatever it says about it."""
        proxy = self.serve("--limit", "address-connections=2")
        for _ in range(2):
            self.client(proxy, ADA)
        for headers in ([], ["X-Forwarded-For: 198.51.100.9"], ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=x"]):
            refused = self.assertRaises(websocket.WebSocketBadStatusException, self.client, proxy, ADA, *headers)
            self.assertEqual(refused.status_code, 429)
        self.assertEqual(self.client(proxy, BOB).request("hello", version=1)["type"], "welcome")

    def test_idle(self: Any) -> None:
        """A WebSocket that says nothing outlives the proxy's patience, since signald pings."""
        proxy = self.serve("--limit", "ping-seconds=0.5", changes=dict([self.timeout]))
        client = self.client(proxy)
        client.request("hello", version=1)
        pings, began = 0, time.monotonic()
        while time.monotonic() < began + 4:
            opcode, _frame = client.socket.recv_data(control_frame=True)  # which answers it
            pings += opcode == websocket.ABNF.OPCODE_PING
        self.assertGreaterEqual(pings, 4)
        self.assertEqual(client.request("ping")["type"], "pong")

    def test_idle_without_pings(self: Any) -> None:
        """Without them it would not: the patience that was tested is there."""
        proxy = self.serve("--limit", "ping-seconds=60", changes=dict([self.timeout]))
        client = self.client(proxy)
        client.request("hello", version=1)
        began = time.monotonic()
        self.assertRaises((websocket.WebSocketConnectionClosedException, OSError), client.receive)
        self.assertLess(time.monotonic() - began, 10)


class NginxTests(ProxyTests, SynchronousTestCase):
    """Behind nginx."""

    kind = Nginx
    timeout = ("proxy_read_timeout 120s", "proxy_read_timeout 2s")


class HAProxyTests(ProxyTests, SynchronousTestCase):
    """Behind HAProxy."""

    kind = HAProxy
    timeout = ("timeout tunnel 120s", "timeout tunnel 2s")
