"""Tests calls of the JavaScript client, which a page of another origin loads from the daemon."""

from __future__ import annotations

import functools
import json
import re
import time
from pathlib import Path
from typing import Any

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.javascript_page import JavascriptPage, make_application
from tests.suites.e2e.proxy import Proxy
from tests.suites.e2e.test_chat import open_chat, wait_for_messages, write
from tests.suites.e2e.turn import ShippedTurnServer
from tests.suites.e2e.turn_client import TurnClient
from tests.suites.e2e.waiting import until

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "javascript.md"

#: Seconds for which TURN credentials are good that are to expire within a test: the least that signald takes.
SHORT = 10

#: Statements that return the types of both candidates of the selected path to the only other member, which is empty
#: while there is none, and whether every candidate in the descriptions is a relay.
PATH = """
const [{ connection }] = call.members.values();
const stats = await connection.getStats();
const transport = [...stats.values()].find(({ type }) => type === "transport");
const pair = stats.get(transport?.selectedCandidatePairId);
const types = pair ? [pair.localCandidateId, pair.remoteCandidateId].map((id) => stats.get(id).candidateType) : [];
const sdp = connection.localDescription.sdp + connection.remoteDescription.sdp;
return [types, sdp.split("\\r\\n").every((line) => !line.startsWith("a=candidate:") || line.includes(" typ relay "))];
"""


class JavascriptTestCase(CallTestCase):
    """A test case with a daemon that allows the origin of an application."""

    def setUp(self) -> None:
        """Start the application's server, and a daemon that allows it."""
        super().setUp()
        self.application = make_application()
        self.addCleanup(self.application.stop)
        self.start_daemon("--allow-origin", self.application.origin)

    def application_page(self, name: str = "Chromium") -> JavascriptPage:
        """Open the application in a new tab."""
        tab = browser(name).tab()
        self.addCleanup(tab.close)
        return JavascriptPage(tab, self.application, self.daemon)

    def pair(self, name: str = "Chromium", **options: Any) -> tuple[JavascriptPage, JavascriptPage]:
        """Return two applications in a call with each other, the host first."""
        host, guest = self.application_page(name), self.application_page()
        host.make_call(**options)
        guest.make_call(**options)
        guest.join_session(host.open_session())
        for page in (host, guest):
            page.wait_until_connected()
        return host, guest


class CallTests(JavascriptTestCase):
    """Calls with each kind of client."""

    def test_two_applications(self) -> None:
        """Two applications in Chromium see each other, and the guest's leaving closes the connection of the host."""
        host, guest = self.pair()
        for page in (host, guest):
            page.watch()
        guest.execute("await call.leave();")
        until(lambda: host.members() == [], PATIENCE, "the host to be alone")
        for page in (host, guest):
            self.assertEqual([text for text in page.tab.messages if text.startswith(("error", "uncaught"))], [])

    def test_firefox(self) -> None:
        """An application in Firefox calls one in Chromium."""
        for page in self.pair("Firefox"):
            page.watch()

    def watch_both(self, application: JavascriptPage, page: CallPage) -> None:
        """Wait until an application and the call page see each other's picture, and watch both for a while."""
        application.wait_until_connected()
        since = time.monotonic()
        until(lambda: page.look_for_picture(since), PATIENCE, "a picture in the page")
        page.watch()
        application.watch()

    def test_page_joins(self) -> None:
        """The call page joins an application, and sees its picture."""
        host = self.application_page()
        host.make_call()
        page = self.page()
        page.join(host.open_session())
        self.watch_both(host, page)

    def test_page_hosts(self) -> None:
        """An application joins the call page, and sees its picture."""
        page, guest = self.page(), self.application_page()
        guest.make_call()
        guest.join_session(page.host())
        self.watch_both(guest, page)

    def test_peer(self) -> None:
        """`signald-peer` joins an application; media flows both ways."""
        host = self.application_page()
        host.make_call()
        peer = self.peer("join", host.open_session(), "--duration", "8")
        host.wait_until_connected()
        host.watch()
        self.assertTrue(peer.report()["flowed"])

    def test_data_channels(self) -> None:
        """Applications without camera and microphone exchange texts and bytes over the channels that both list."""
        options: dict[str, Any] = {
            "kinds": [],
            "channels": {"chat": {}, "moves": {"ordered": False, "maxRetransmits": 0}},
        }
        host, guest = self.pair(media=False, **options)
        for page in (host, guest):
            page.execute(
                """
                const [member] = call.members.values();
                globalThis.received = [];
                for (const [label, channel] of member.channels) {
                  channel.binaryType = "arraybuffer";
                  channel.onmessage = ({ data }) => received.push([label, data.byteLength ?? data]);
                }
                """
            )
            page.wait_until("[...call.members.values()][0].channels.get('moves').readyState === 'open'")
        host.execute("const [{ channels }] = call.members.values(); channels.get('chat').send('hello');")
        guest.execute("const [{ channels }] = call.members.values(); channels.get('moves').send(new Uint8Array(5));")
        guest.wait_until("received.length")
        host.wait_until("received.length")
        self.assertEqual(guest.execute("return received;"), [["chat", "hello"]])
        self.assertEqual(host.execute("return received;"), [["moves", 5]])


class DocumentTests(JavascriptTestCase):
    """The code in docs/javascript.md."""

    def setUp(self) -> None:
        """Read the blocks."""
        super().setUp()
        self.first, self.second, self.with_page, self.third = re.findall(
            r"(?s)```js\n(.*?)```", DOCUMENT.read_text("utf-8")
        )

    def test_blocks(self) -> None:
        """Run as they are, the blocks show the other's picture, print a message, and open a socket without I/O."""
        module = f"{self.daemon.url}client.mjs"
        host, guest = self.application_page(), self.application_page()
        self.run_module(host, f"{self.first.replace('https://HOST:9000/client.mjs', module)}\nglobalThis.call = call;")
        # The loop goes on for as long as the call: the module around it would not end.
        self.run_module(host, f"(async () => {{ {self.second} }})();")
        guest.make_call(name="Bob")
        guest.join_session(host.execute("return call.session;"))
        host.wait_until("document.querySelector('video').currentTime > 0")
        guest.execute("call.send('Hello!');")
        self.wait_until_logged(host, "Bob Hello!")
        host.execute("globalThis.openSocket = () => (globalThis.opened = true);")
        self.run_module(host, self.third.replace("./client.mjs", module))
        host.wait_until("globalThis.opened")

    def test_with_the_call_page(self) -> None:
        """An application with the block takes part in the chat of a page, which shows its text as delivered."""
        page, guest = self.page(), self.application_page()
        page.tab.type("#name", "Ann")
        guest.make_call(media=False, name="Bob")
        self.run_module(guest, self.with_page)
        guest.join_session(page.host())
        page.wait_for("connected")
        open_chat(page)
        write(page, "Hello, Bob!")
        wait_for_messages(page, ["You", "Hello, Bob!", "Delivered"])
        self.wait_until_logged(guest, "Ann: Hello, Bob!")

    def wait_until_logged(self, page: JavascriptPage, text: str) -> None:
        """Wait until a page has written a text to its console."""
        # Playwright hands over what was written while it does something else.
        until(
            lambda: page.execute("return true;") and f"log: {text}" in page.tab.messages, PATIENCE, f"the text {text}"
        )

    def run_module(self, page: JavascriptPage, text: str) -> None:
        """Run a text as a module of the page."""
        page.execute(
            f"const blob = new Blob([{json.dumps(text)}], {{ type: 'text/javascript' }});"
            "await import(URL.createObjectURL(blob));"
        )


class NegotiationTests(JavascriptTestCase):
    """Perfect negotiation in real browsers."""

    def collide(self, statements: str, *pages: JavascriptPage) -> None:
        """Run statements on both sides, and let their messages go only when both have made an offer."""
        for page in pages:
            page.execute("held = [];")
            page.execute(statements)
        for page in pages:
            page.wait_until("[...call.members.values()][0].connection.signalingState === 'have-local-offer'")
        for page in pages:
            page.execute("release();")
        for page in pages:
            page.wait_until("[...call.members.values()][0].connection.signalingState === 'stable'")
            page.wait_until_connected()

    def differs(self, page: JavascriptPage, statements: str, before: object) -> bool:
        """Return whether statements return another value than before."""
        return bool(page.execute(statements) != before)

    def test_glare(self) -> None:
        """Both sides add a track at the same time, twice: each gets those of the other, and the call goes on."""
        pages = self.pair()
        add = "call.addTrack(document.createElement('canvas').captureStream(5).getTracks()[0], new MediaStream());"
        for number in (1, 2):
            self.collide(add, *pages)
            for page in pages:
                page.wait_until_seen("track", 2 + number)
        for page in pages:
            page.watch()
            self.assertNotIn("negotiation-failed", page.execute("return seen;"))

    def test_restarts_at_once(self) -> None:
        """Both sides restart ICE at the same time: both have new credentials, and the call goes on."""
        pages = self.pair()
        fragment = """
            const [{ connection }] = call.members.values();
            return /a=ice-ufrag:(\\S+)/.exec(connection.currentLocalDescription.sdp)[1];
        """
        before = [page.execute(fragment) for page in pages]
        self.collide("call.restartIce();", *pages)
        for page, old in zip(pages, before, strict=True):
            until(functools.partial(self.differs, page, fragment, old), PATIENCE, "new credentials")
            page.watch()
            self.assertNotIn("negotiation-failed", page.execute("return seen;"))


class RelayTests(JavascriptTestCase):
    """Calls whose media passes a TURN server alone."""

    def start_relay(self, *options: str) -> None:
        """Start coturn, and a daemon that makes its credentials and demands relays in every session."""
        self.turn = ShippedTurnServer(self.directory)
        self.addCleanup(self.turn.stop)
        self.start_daemon(
            "--allow-origin", self.application.origin, "--ice-relay-only", *self.turn.options, *options,
            directory=self.directory / "turn",
        )  # fmt: skip

    def wait_until_relayed(self, *pages: JavascriptPage) -> None:
        """Wait until both ends of the path are relays; no other candidate was told to the other side."""
        relayed = [["relay", "relay"], True]
        for page in pages:
            until(lambda page: page.execute(PATH) == relayed, PATIENCE, "a path over relays", page)

    def test_turn(self) -> None:
        """Two applications see each other through coturn, and neither learns the other's address."""
        self.start_relay()
        pages = self.pair()
        self.wait_until_relayed(*pages)
        for page in pages:
            page.watch()

    def test_new_credentials(self) -> None:
        """When the relays are lost after the first credentials have expired, newer ones make new relays."""
        self.start_relay("--ice-turn-seconds", str(SHORT))
        pages = self.pair(media=False, kinds=[], channels={"chat": {}})
        self.wait_until_relayed(*pages)
        # One event came with the session, and the next one comes when four fifths of the time are over.
        for page in pages:
            page.wait_until_seen("ice-servers", 2)
        first = [page.execute("return servers[0][0];") for page in pages]
        for server in first:
            until(lambda server: self.is_expired(server), PATIENCE, "the end of the first credentials", server)
        # coturn begins anew, and knows nobody: every relay is lost.
        self.turn.stop()
        self.turn = ShippedTurnServer(self.directory, port=self.turn.port)
        self.addCleanup(self.turn.stop)
        for page in pages:
            page.wait_until_seen("connection:disconnected")
            page.wait_until_seen("connection:connected", 2)
        self.wait_until_relayed(*pages)
        for server in first:
            self.assertNotIn(f"username=<{server['username']}>", self.turn.program.stdout)
        host, guest = pages
        guest.execute("[...call.members.values()][0].channels.get('chat').onmessage = () => seen.push('text');")
        host.execute("[...call.members.values()][0].channels.get('chat').send('over the new relays');")
        guest.wait_until_seen("text")

    def is_expired(self, server: dict[str, Any]) -> bool:
        """Return whether coturn refuses credentials."""
        client = TurnClient((self.turn.host, self.turn.port), server["username"], server["credential"])
        try:
            return client.allocate() == 401
        finally:
            client.close()


class LossTests(JavascriptTestCase):
    """Calls through the loss of the connection to the server, of a page and of the server itself."""

    def test_a_cut(self) -> None:
        """Both connections to the server are cut: both resume with everything, and a message of meanwhile arrives."""
        proxy = Proxy(self.daemon.port)
        self.addCleanup(proxy.close)
        host, guest = self.pair(server=f"wss://localhost:{proxy.port}/ws")
        proxy.cut()
        host.execute("call.send('meanwhile');")
        for page in (host, guest):
            page.wait_until_seen("resumed")
            page.watch()
        guest.wait_until_seen("message")
        self.assertEqual(host.execute("return seen.filter((type) => type === 'connection:connecting').length;"), 1)

    def test_a_reload(self) -> None:
        """First the guest's and then the host's page is reloaded: both come back into the call."""
        host, guest = self.pair()
        for page in (guest, host):
            page.reload()
            for each in (host, guest):
                each.wait_until_connected()
                each.watch()
        self.assertEqual([page.execute("return call.role;") for page in (host, guest)], ["host", "guest"])

    def restart(self, *, forget: bool) -> None:
        """Put another process in place of the daemon, which knows nothing of users and sessions if it is to forget."""
        port = self.daemon.port
        if forget:
            self.daemon.kill()
            for name in ("state", "journal"):
                for path in self.daemon.data.glob(f"*{name}*"):
                    path.unlink()
        self.start_daemon("--allow-origin", self.application.origin, "--port", str(port))

    def test_a_restart(self) -> None:
        """The server is restarted: both resume, and their connection is the same."""
        pages = self.pair()
        self.restart(forget=False)
        self.same_connection(pages)

    def test_a_crash(self) -> None:
        """The server is killed and has lost everything: both return with their tickets and keep their connection."""
        pages = self.pair()
        self.restart(forget=True)
        self.same_connection(pages)
        for page in pages:
            self.assertNotIn("ended", page.execute("return seen;"))

    def same_connection(self, pages: tuple[JavascriptPage, JavascriptPage]) -> None:
        """Assert that both have come back, can negotiate, and have made no second connection."""
        host, guest = pages
        for page in pages:
            page.wait_until_seen("resumed")
            page.watch()
        host.wait_until("call.session && call.members.size === 1 && ![...call.members.values()][0].gone")
        guest.wait_until("call.session && call.members.size === 1 && ![...call.members.values()][0].gone")
        guest.execute("call.send('after the restart');")
        host.wait_until_seen("message")
        for page in pages:
            self.assertEqual(page.execute("return seen.filter((type) => type === 'connection:connecting').length;"), 1)
