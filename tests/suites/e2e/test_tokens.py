"""Tokens and the webhook: a daemon that asks for them, and clients with and without."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import ssl
import subprocess
from typing import Any

import websocket

from signald.cli import token
from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.clock import another_clock
from tests.suites.e2e.program import SCRIPTS, surroundings
from tests.suites.e2e.service import Service
from tests.suites.e2e.waiting import until
from tests.support.native_client import NativeClient

SECRET = "what the end-to-end tests sign their tokens with"
SESSION = "7Q2M9RT6ZC"


class TokenTestCase(CallTestCase):
    """A daemon whose configuration the test writes."""

    need = "everyone"

    def setUp(self) -> None:
        """Start it."""
        super().setUp()
        secret = self.directory / "secret"
        secret.touch(mode=0o600)
        secret.write_text(SECRET + "\n")
        self.config = self.directory / "signald.toml"
        self.configure(self.need)
        self.start_daemon("--config", str(self.config))

    def configure(self, need: str, rest: str = "") -> None:
        """Write the configuration."""
        self.config.write_text(f'[tokens]\nneed = "{need}"\nsecret_file = "secret"\n{rest}')

    def token(self, *options: str, user: str = "ann") -> str:
        """Have the function of the command `signald token` mint a token."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = token.main(["--config", str(self.config), "--user", user, *options], surroundings())
        self.assertEqual(status, 0)
        return output.getvalue().strip()

    def token_of_the_command(self, *options: str, user: str = "ann") -> str:
        """Have the command mint a token, in a process of its own, whose start takes 0.5 s of processor time."""
        command = [str(SCRIPTS / "signald"), "token", "--config", str(self.config), "--user", user, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.strip()

    def client(self, token: str | None = None) -> NativeClient:
        """A client that has said hello."""
        client = NativeClient(self.daemon.port, tls=True)
        self.addCleanup(client.close)
        client.greet(**({} if token is None else {"token": token}))
        return client

    def is_expired(self, token: str) -> bool:
        """Return whether the daemon refuses a token as expired."""
        client = NativeClient(self.daemon.port, tls=True)
        try:
            return client.request("hello", version=1, token=token).get("code") == "token-expired"
        finally:
            client.close()

    def reload(self) -> None:
        """Have the daemon read its configuration again."""
        before = self.daemon.program.stderr.count("the configuration was read")
        self.daemon.program.process.send_signal(signal.SIGHUP)
        until(lambda: self.daemon.program.stderr.count("the configuration was read") > before, PATIENCE, "the reload")


class DaemonTests(TokenTestCase):
    """The daemon by itself."""

    def test_with_and_without(self) -> None:
        """Nobody is welcome without one; the host of a token's session opens it, its guest joins, a stranger cannot."""
        reply = NativeClient(self.daemon.port, tls=True).request("hello", version=1)
        self.assertEqual(reply["code"], "token-required")
        ann = self.client(self.token_of_the_command("--session", SESSION, "--role", "host"))
        self.assertEqual(ann.request("open")["session"], SESSION)
        bob = self.client(self.token("--session", SESSION, "--name", "Bob", user="bob"))
        self.assertEqual(bob.request("join", session=SESSION, name="Not Bob")["type"], "joined")
        self.assertEqual(ann.receive_type("member-joined")["member"]["name"], "Bob")
        stranger = self.client(self.token("--session", "0000000000", user="eve"))
        self.assertEqual(stranger.request("join", session=SESSION)["code"], "not-permitted")
        self.assertEqual(stranger.request("open")["code"], "not-permitted")

    def test_the_original_s_clients(self) -> None:
        """They are closed with the reason."""
        socket: Any = websocket.create_connection(
            f"wss://localhost:{self.daemon.port}/ws",
            sslopt={"cert_reqs": 0, "check_hostname": False},
            suppress_origin=True,
            timeout=10,
        )
        self.addCleanup(socket.shutdown)
        opcode, data = socket.recv_data()
        self.assertEqual((opcode, data[2:].decode()), (8, "token-required"))
        self.assertEqual(int.from_bytes(data[:2], "big"), 1008)

    def test_expiry_cuts_nothing(self) -> None:
        """When a token expires, the session goes on, also across a resume; a new one cannot be opened."""
        ann = NativeClient(self.daemon.port, tls=True)
        self.addCleanup(ann.close)
        self.configure("everyone", "leeway_seconds = 0\n")
        self.reload()
        token = self.token("--role", "host", "--expires", "3s")
        ann.greet(token=token, instance="one")
        welcome = ann.welcome or {}
        session = ann.request("open")["session"]
        bob = self.client(self.token(user="bob"))
        bob.request("join", session=session)
        until(lambda: self.is_expired(token), PATIENCE, "the end of the token")
        self.assertEqual(ann.request("open")["code"], "token-expired")
        bob.send("message", session=session, content="still there?")
        self.assertEqual(ann.receive_type("message")["content"], "still there?")
        ann.close()
        again = NativeClient(self.daemon.port, tls=True)
        self.addCleanup(again.close)
        back = again.request(
            "resume", version=1, user=welcome["user"], secret=welcome["secret"], instance="two", received=0
        )
        self.assertEqual((back["resumed"], back["role"]), ("membership", "host"))
        again.send("message", session=session, content="yes")
        self.assertEqual(bob.receive_type("message")["content"], "yes")

    def test_a_reload(self) -> None:
        """Another secret counts at once, who is in stays; one that cannot be read changes nothing."""
        old = self.token("--role", "host")
        ann = self.client(old)
        session = ann.request("open")["session"]
        (self.directory / "secret").write_text("x" * 40)
        self.reload()
        reply = NativeClient(self.daemon.port, tls=True).request("hello", version=1, token=old)
        self.assertEqual(reply["code"], "token-invalid")
        bob = self.client(self.token(user="bob"))
        self.assertEqual(bob.request("join", session=session)["type"], "joined")
        (self.directory / "secret").chmod(0o644)
        self.daemon.program.process.send_signal(signal.SIGHUP)
        self.daemon.program.wait_for("the configuration was kept: .*The secret .* is open to others", PATIENCE)
        (self.directory / "secret").chmod(0o600)
        self.client(self.token(user="carol"))
        self.assertEqual(ann.request("ping")["type"], "pong")

    def test_it_does_not_start(self) -> None:
        """With a secret that others can read: one sentence, status 78."""
        (self.directory / "secret").chmod(0o644)
        command = [
            str(SCRIPTS / "signald"),
            "--port",
            "0",
            "--data-dir",
            str(self.directory),
            "--config",
            str(self.config),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (78, 1))
        self.assertIn("open to others", done.stderr)

    def test_nothing_of_a_token_is_in_the_log(self) -> None:
        """Neither a token nor its user is in the log."""
        token = self.token(user="a-user-of-the-log-test")
        self.client(token).request("open")
        NativeClient(self.daemon.port, tls=True).request("hello", version=1, token=token[:-3])
        self.daemon.stop()
        said = self.daemon.program.stderr + self.daemon.program.stdout
        for part in (*token.split("."), "a-user-of-the-log-test", SECRET):
            self.assertNotIn(part, said)


class PeerTests(TokenTestCase):
    """`signald-peer`."""

    def test_a_call(self) -> None:
        """With tokens, in a file and in the link."""
        host_token = self.directory / "token"
        host_token.write_text(self.token("--session", SESSION, "--role", "host") + "\n")
        ann = self.peer("host", "--duration", "10", "--token-file", str(host_token))
        self.assertEqual(ann.session(), SESSION)
        link = f"{self.daemon.url}#{SESSION}&token={self.token('--session', SESSION, user='bob')}"
        bob = self.peer("join", link, "--duration", "5")
        self.assertGreater(bob.figures().frames_in, 0)
        self.assertGreater(ann.figures().frames_in, 0)

    def test_without(self) -> None:
        """The reason is in the report, and a sentence on standard error."""
        for arguments, code, sentence in (
            (("host",), "token-required", "This request needs a token."),
            (("host", "--token", "x"), "token-invalid", "The token is not valid."),
            (("host", "--token", self.token()), "not-permitted", "You are not allowed to do this."),
        ):
            peer = self.peer(*arguments)
            self.assertEqual(peer.program.wait(PATIENCE), 1)
            self.assertEqual(json.loads(peer.program.stdout)["reason"], code)
            self.assertIn(f"signald-peer: {sentence}", peer.program.stderr)


class PageTests(TokenTestCase):
    """The call page, opened by a link that carries a token."""

    def link(self, *options: str, user: str = "ann") -> str:
        """The fragment of such a link."""
        return f"{SESSION}&token={self.token('--session', SESSION, *options, user=user)}"

    def open(self, fragment: str = "") -> CallPage:
        """Open the page, and see that no token is in its address."""
        page = self.page(fragment=fragment)
        until(lambda: "token" not in page.tab.evaluate("location.href"), PATIENCE, "an address without the token")
        return page

    def test_a_call(self) -> None:
        """The guest comes first and waits; the host's link opens the session; both see each other; then one reloads.

        The host's page stores nothing between link and call, as where a browser refuses storage.
        """
        bob = self.open(self.link(user="bob"))
        bob.join()
        bob.wait_for("connecting")
        ann = self.open(self.link("--role", "host"))
        self.assertEqual(ann.tab.evaluate("location.hash"), f"#{SESSION}")
        ann.tab.evaluate("sessionStorage.clear()")
        ann.join()
        watch(ann, bob)
        self.assertEqual(ann.tab.evaluate("history.length"), bob.tab.evaluate("history.length"))
        bob.tab.reload()
        for page in (bob, ann):
            page.wait_for("connected")
        said = self.daemon.program.stderr
        self.assertNotIn("eyJ", said)

    def test_a_reload_before_the_call(self) -> None:
        """The token is this tab's: it is not lost with the address that it came in."""
        ann = self.open(self.link("--role", "host"))
        ann.tab.reload()
        ann.wait_for("start")
        ann.join()
        ann.wait_for("waiting")

    def test_a_crash_after_the_tokens_have_expired(self) -> None:
        """The server knows nobody any more and lets nobody in; those who are in a call with each other stay in it."""
        token = self.token("--session", SESSION, "--role", "host")
        ann = self.open(f"{SESSION}&token={token}")
        ann.join()
        ann.wait_for("waiting")
        bob = self.open(self.link(user="bob"))
        bob.join()
        for page in (ann, bob):
            page.wait_for("connected")
        self.daemon.kill()
        # The next one has the date of a day on which the tokens have expired.
        later = another_clock(FAKETIME="+30d")
        self.start_daemon("--config", str(self.config), "--port", str(self.daemon.port), environment=later)
        self.assertTrue(self.is_expired(token))
        for page in (ann, bob):
            page.wait_for_text("status", "Your call goes on without it")
        watch(ann, bob)

    def test_what_the_page_says(self) -> None:
        """A plain sentence where a token is missing, bad, old, or good for something else."""
        self.configure(self.need, "leeway_seconds = 0\n")
        self.reload()
        expired = self.token("--session", SESSION, "--expires", "1s")
        for fragment, sentence in (
            (SESSION, "This takes a personal link"),
            (f"{SESSION}&token=x", "not valid here"),
            (f"0000000000&token={self.token('--session', SESSION)}", "does not allow this"),
        ):
            page = self.open(fragment)
            page.join()
            page.wait_for_text("error", sentence)
            page.tab.close()
        until(lambda: self.is_expired(expired), PATIENCE, "the end of a token")
        page = self.open(f"{SESSION}&token={expired}")
        page.join()
        page.wait_for_text("error", "has expired")


class HostTests(TokenTestCase):
    """A daemon that requires a token from hosts only."""

    need = "hosts"

    def test_anybody_joins(self) -> None:
        """By the id alone, and is told why they cannot open."""
        ann = self.page(fragment=f"&token={self.token('--role', 'host')}")
        session = ann.host()
        bob = self.page(fragment=session)
        bob.join()
        for page in (ann, bob):
            page.wait_for("connected")
        eve = self.page()
        eve.tab.click("#start")
        eve.wait_for_text("error", "This takes a personal link")


class ServiceTestCase(TokenTestCase):
    """A service that decides."""

    need = "nobody"

    def setUp(self) -> None:
        """Start it as well."""
        self.service = Service(SECRET.encode())
        self.addCleanup(self.service.stop)
        super().setUp()

    def configure(self, need: str, rest: str = "") -> None:
        """Write the configuration."""
        hook = (
            f'[webhook]\nurl = "{self.service.url}"\nsecret_file = "secret"\ncache_seconds = 0\ntimeout_seconds = 1\n'
        )
        super().configure(need, rest + hook)


class WebhookTests(ServiceTestCase):
    """A service that decides."""

    def test_it_decides(self) -> None:
        """Yes, no and why; no answer is a refusal, and another service is asked after a reload."""
        ann, bob = self.client(self.token("--role", "host")), self.client()
        session = ann.request("open")["session"]
        self.assertEqual(self.service.questions[0]["user"], "ann")
        self.assertEqual(self.service.questions[0]["claims"]["signald"], {"role": "host"})
        self.service.answer = {"allow": False, "code": "session-locked"}
        self.assertEqual(bob.request("join", session=session)["code"], "session-locked")
        self.assertEqual(
            self.service.questions[1], {"operation": "join", "session": session, "user": None, "claims": None}
        )
        self.service.answer = None
        self.assertEqual(bob.request("join", session=session)["code"], "decision-unavailable")
        self.assertEqual(ann.request("ping")["type"], "pong")
        self.service.stop()
        self.assertEqual(bob.request("join", session=session)["code"], "decision-unavailable")
        self.daemon.program.wait_for("the webhook gave no usable answer", PATIENCE)
        self.service = Service(SECRET.encode())
        self.configure(self.need)
        self.reload()
        self.assertEqual(bob.request("join", session=session)["type"], "joined")


class TrustTests(ServiceTestCase):
    """A service with TLS, whose certificate the daemon's own authority has issued."""

    def setUp(self) -> None:
        """Let a first daemon make the certificate; later ones trust it as the system's, or do not."""
        super().setUp()
        self.daemon.stop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.daemon.data / "cert.pem", self.daemon.data / "key.pem")
        self.service = Service(SECRET.encode(), context)
        self.addCleanup(self.service.stop)
        self.configure(self.need)

    def verdict(self, environment: dict[str, str]) -> str:
        """Return the answer to `open`: its type, or the code of the error."""
        self.start_daemon("--config", str(self.config), environment=environment)
        reply = self.client().request("open")
        return str(reply.get("code", reply["type"]))

    def test_its_certificate(self) -> None:
        """It is asked where that is good, and nobody gets in where it is not."""
        self.assertEqual(self.verdict({}), "decision-unavailable")
        self.assertEqual(self.service.questions, [])
        self.assertEqual(self.verdict({"SSL_CERT_FILE": str(self.daemon.data / "ca.pem")}), "opened")
        self.assertEqual(len(self.service.questions), 1)
