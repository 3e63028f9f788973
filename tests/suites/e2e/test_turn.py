"""Calls through coturn with the configuration that signald comes with, and with credentials that signald makes."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import time
import warnings
from typing import Any

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.report import add_time
from tests.suites.e2e.turn import ShippedTurnServer
from tests.suites.e2e.turn_client import Address, TurnClient
from tests.suites.e2e.waiting import until
from tests.support.native_client import NativeClient

#: Seconds for which credentials are good that are to expire within a test: the least that signald takes.
SHORT = 10

#: Seconds after which a server that does not answer a handshake will not.
SILENCE = 3.0

#: JavaScript: keep what the page gives to its peer connections.
WATCH = """(() => {
    globalThis.given = [];
    globalThis.policies = [];
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration) {
            super(configuration);
            given.push(JSON.stringify(configuration.iceServers));
            policies.push(configuration.iceTransportPolicy);
            globalThis.connection = this;
        }
        setConfiguration(configuration) {
            super.setConfiguration(configuration);
            given.push(JSON.stringify(configuration.iceServers));
            policies.push(configuration.iceTransportPolicy);
        }
    };
})()"""

#: Addresses that the relay must refuse: some of each kind of special-purpose address.
DENIED = {
    "127.0.0.1": (
        "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 127.0.0.2 169.254.169.254 172.16.0.1 172.31.255.255 "
        "192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 "
        "203.0.113.1 224.0.0.251 239.255.255.250 240.0.0.1 255.255.255.255"
    ),
    "::1": (
        ":: ::2 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 64:ff9b::a00:1 100::1 2001::1 2001:db8::1 "
        "2002:a00:1::1 3fff::1 4000::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fec0::1 ff02::fb"
    ),
}

#: Addresses that the relay must allow: next to the refused ranges, and ordinary ones.
ALLOWED = {
    "127.0.0.1": "1.1.1.1 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1 223.255.255.254",
    "::1": "2001:200::1 2003::1 2606:4700::1 2a00::1 3ffe::1",
}


class TurnCase(CallTestCase):
    """A daemon and a coturn that share a secret."""

    def start(self, *options: str, host: str = "127.0.0.1") -> None:
        """Start both."""
        self.turn = ShippedTurnServer(self.directory, host)
        self.addCleanup(self.turn.stop)
        self.start_daemon(*self.turn.options, *options, directory=self.directory / "turn")

    @property
    def address(self) -> Address:
        """The address of coturn."""
        return self.turn.host, self.turn.port

    def client(self, username: str | None = None, credential: str | None = None) -> TurnClient:
        """Make a TURN client."""
        client = TurnClient(self.address, username, credential)
        self.addCleanup(client.close)
        return client

    def member(self) -> NativeClient:
        """Connect somebody who opens a session."""
        client = NativeClient(self.daemon.port, tls=True)
        self.addCleanup(client.close)
        self.welcome = client.greet()
        client.send("open")
        return client

    def credentials(self, client: NativeClient) -> tuple[str, str]:
        """Return those that a member is told next."""
        [server] = client.receive_type("ice-servers")["ice-servers"]
        return server["username"], server["credential"]


class CredentialTests(TurnCase):
    """Credentials, and the addresses that a relay may reach."""

    def test_strangers(self) -> None:
        """A member's credentials are taken; none, wrong, changed and expired ones are not."""
        self.start("--ice-turn-seconds", str(SHORT))
        began = time.monotonic()
        member = self.member()
        self.assertEqual(self.welcome["ice-servers"], [])
        username, credential = self.credentials(member)
        self.assertNotIn(self.welcome["user"], username)
        client = self.client(username, credential)
        self.assertEqual(client.allocate(), 0)
        expiry, _, name = username.partition(":")
        for wrong in (
            (None, None),
            (username, credential[::-1]),
            (username, ""),
            (f"{int(expiry) + 3600}:{name}", credential),
            (f"{expiry}:somebody", credential),
            (name, credential),
            (expiry, credential),
        ):
            self.assertEqual(self.client(*wrong).allocate(), 401, wrong)
        # New credentials arrive before the current ones expire; expired ones are refused, their allocations persist.
        later = self.credentials(member)
        self.assertLess(time.monotonic() - began, SHORT)
        self.assertEqual(self.client(*later).allocate(), 0)
        until(lambda: self.client(username, credential).allocate() == 401, PATIENCE, "the credentials to expire")
        self.assertGreater(time.monotonic() - began, SHORT - 1)
        self.assertEqual(client.refresh(), 0)
        self.assertEqual(client.reach("8.8.8.8"), 0)

    def test_denied_ranges(self) -> None:
        """With good credentials, over IPv4 and IPv6, no special-purpose address is reached, and public ones are."""
        for host in DENIED:
            self.start(host=host)
            client = self.client(*self.credentials(self.member()))
            self.assertEqual(client.allocate(), 0)
            for peer in DENIED[host].split():
                self.assertEqual((client.reach(peer), client.permit(peer)), (403, 403), peer)
            for peer in ALLOWED[host].split():
                self.assertEqual((client.reach(peer), client.permit(peer)), (0, 0), peer)
            self.turn.stop()

    def test_quota(self) -> None:
        """One user cannot take every relay."""
        self.start()
        given = self.credentials(self.member())
        answers = [self.client(*given).allocate() for _ in range(66)]
        # 486 is Allocation Quota Reached (RFC 8656 §19).
        self.assertEqual(answers, [0] * 64 + [486] * 2)
        self.assertEqual(self.client(*self.credentials(self.member())).allocate(), 0)

    def test_tls(self) -> None:
        """TLS 1.2 is spoken, and nothing older; there is no console."""
        self.start()
        self.assertEqual(self.handshake(ssl.TLSVersion.TLSv1_2), "TLSv1.2")
        self.assertEqual(self.handshake(ssl.TLSVersion.TLSv1_1), "")
        self.assertNotIn("CLI listener", self.turn.program.stdout)

    def handshake(self, version: ssl.TLSVersion) -> str:
        """Offer only this TLS version, and return the negotiated one; empty for none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        # OpenSSL speaks the old ones at this level alone.
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(self.address, SILENCE) as plain:
            try:
                with context.wrap_socket(plain) as secure:
                    return secure.version() or ""
            except OSError:
                return ""

    def test_another_secret(self) -> None:
        """On SIGHUP the secret is read again, and members have credentials of the new one at once."""
        self.start()
        member = self.member()
        old = self.credentials(member)
        self.turn.stop()
        self.turn.secret.chmod(0o644)
        self.daemon.program.process.send_signal(signal.SIGHUP)
        self.daemon.program.wait_for("the configuration was kept: .*open to others", PATIENCE)
        self.turn.secret.chmod(0o600)
        self.turn.secret.write_text("fedcba9876543210fedcba9876543210\n")
        self.daemon.program.process.send_signal(signal.SIGHUP)
        new = self.credentials(member)
        self.turn = ShippedTurnServer(self.directory, secret="fedcba9876543210fedcba9876543210")
        self.addCleanup(self.turn.stop)
        self.assertEqual(self.client(*old).allocate(), 401)
        self.assertEqual(self.client(*new).allocate(), 0)


class RelayedCallTests(TurnCase):
    """Browsers and peers whose media passes coturn alone."""

    def watched(self, name: str = "Chromium") -> CallPage:
        """Open a page that keeps what it gives to its peer connections."""
        page = self.page(name)
        page.tab.evaluate(WATCH)
        return page

    def call(self, name: str = "Chromium") -> tuple[CallPage, CallPage]:
        """Make a call of two browsers."""
        host, guest = self.watched(), self.watched(name)
        since = time.monotonic()
        guest.join(host.host())
        for page in (host, guest):
            page.wait_for("connected")
            until(lambda page: page.look_for_picture(since), PATIENCE, "a picture", page)
        return host, guest

    def is_relayed(self, *pages: CallPage) -> None:
        """Assert that both ends of the path are relays, and that none of the browser's candidates is another."""
        for page in pages:
            self.assertEqual(page.statistics()["selectedPair"], {"local": "relay", "remote": "relay"})
            self.assertEqual(set(page.tab.evaluate("policies")), {"relay"})
            for side in ("localDescription", "remoteDescription"):
                sdp = page.tab.evaluate(f"connection.{side}.sdp")
                lines = [line for line in sdp.splitlines() if line.startswith("a=candidate:")]
                self.assertEqual([line for line in lines if " typ relay " not in line], [])

    def test_the_server_wants_it(self) -> None:
        """Two Chromium pages have picture and sound through coturn, with credentials of their own."""
        self.start("--ice-relay-only")
        host, guest = self.call()
        self.is_relayed(host, guest)
        watch(host, guest)
        for page in (host, guest):
            self.assertEqual(page.tab.evaluate("signald.log"), [])
        names = {json.loads(page.tab.evaluate("given")[0])[0]["username"] for page in (host, guest)}
        self.assertEqual(len(names), 2)
        self.nothing_is_told(*names)

    def nothing_is_told(self, *names: str) -> None:
        """Assert that signald's log names users as coturn's does, and holds neither credentials nor the secret."""
        said = self.daemon.program.stderr + self.daemon.program.stdout
        for word in (*names, "0123456789abcdef", "typ relay"):
            self.assertNotIn(word, said)
        for name in names:
            reference = name.split(":")[1]
            self.assertIn(f"user {reference}, connection", said)
            self.assertIn(reference, self.turn.program.stdout)

    def test_firefox(self) -> None:
        """Firefox with Chromium, the same."""
        self.start("--ice-relay-only")
        host, guest = self.call("Firefox")
        self.is_relayed(host)
        self.assertEqual(guest.statistics()["selectedPair"]["local"], "relay")
        host.watch()

    def test_the_host_wants_it(self) -> None:
        """A host opens a call with everybody's address hidden; guests follow, and so does the call tomorrow."""
        self.start()
        host, guest = self.watched(), self.watched()
        host.tab.evaluate("document.getElementById('options').open = true")
        host.tab.click("#new-relayed")
        session = host.host()
        guest.join(session)
        for page in (host, guest):
            page.wait_for("connected")
        self.is_relayed(host, guest)
        guest.tab.click("#remotes .trust")
        guest.wait_for_text("relay-note", "everybody connects through the TURN server")

    def test_a_peer(self) -> None:
        """`signald-peer` honours it: a browser reaches it at its relay alone."""
        self.start("--ice-relay-only")
        peer = self.peer("host")
        page = self.watched()
        since = time.monotonic()
        page.join(peer.session())
        page.wait_for("connected")
        until(lambda: page.look_for_picture(since), PATIENCE, "a picture")
        self.is_relayed(page)
        page.watch()

    def test_refreshed_credentials(self) -> None:
        """New paths after the first credentials have expired come about with newer ones, and only with these."""
        self.start("--ice-relay-only", "--ice-turn-seconds", str(SHORT))
        pages = self.call()
        first = [self.given(page)[0] for page in pages]
        for username, credential in first:
            until(lambda u, c: self.client(u, c).allocate() == 401, PATIENCE, "their end", username, credential)
        for page in pages:
            until(lambda page: len(set(self.given(page))) > 1, PATIENCE, "newer ones", page)
            page.rises("framesDecoded")
        # coturn begins anew, and knows nobody: every relay is lost.
        self.turn.stop()
        began = time.monotonic()
        self.turn = ShippedTurnServer(self.directory, port=self.turn.port)
        self.addCleanup(self.turn.stop)
        restarts = "iceRestarts"
        until(lambda: any(page.statistics()[restarts] for page in pages), PATIENCE, "new paths to be sought")
        for page in pages:
            page.wait_for("connected")
            page.rises("framesDecoded")
        add_time("new relays after the credentials expired", time.monotonic() - began, f"good for {SHORT} s")
        said = self.turn.program.stdout
        taken = set(re.findall(r"new, realm=<\S+>, username=<(\S+?)>", said))
        self.assertEqual({name.split(":")[1] for name in taken}, {name.split(":")[1] for name, _ in first})
        self.assertEqual(taken & {name for name, _ in first}, set())
        self.assertNotIn("Cannot find credentials", said)
        self.is_relayed(*pages)
        watch(*pages)
        for page in pages:
            self.assertEqual(page.tab.evaluate("signald.log"), [])

    def given(self, page: CallPage) -> list[tuple[str, str]]:
        """The credentials that a page has given to its peer connection, the earliest first."""
        lists: list[list[dict[str, Any]]] = [json.loads(text) for text in page.tab.evaluate("given")]
        return [(server["username"], server["credential"]) for servers in lists for server in servers]


class ConnectivityTests(TurnCase):
    """The connectivity test of the page."""

    def test_turn(self) -> None:
        """It asks coturn with credentials, and calls through it."""
        self.start()
        tab = browser("Chromium").tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(f"{self.daemon.url}")
        tab.click("#open-test")
        page.wait_for("test")
        until(lambda: page.text("test-checks"), PATIENCE, "the list")
        tab.click("#test-start")
        until(lambda: page.shown("test-copy"), 2 * PATIENCE, "the test to end")
        states = [tab.evaluate(f"document.getElementById('test-{check}').className") for check in ("turn", "call")]
        self.assertEqual(states, ["passed", "passed"])
        page.wait_for_text("test-call-found", "Through the relay: after")
