"""Tests tokens and the webhook: a daemon that requires them, and clients with and without tokens."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
from typing import Any

import websocket

from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.clock import another_clock
from tests.suites.e2e.program import SCRIPTS
from tests.suites.e2e.service import Service
from tests.suites.e2e.waiting import until
from tests.support.native_client import NativeClient

SECRET = "what the end-to-end tests sign their tokens with"
SESSION = "7Q2M9RT6ZC"


class TokenTestCase(CallTestCase):
    """A test case with a daemon whose configuration the test writes."""

    need = "everyone"

    def setUp(self) -> None:
        """Write the secret and the configuration, and start the daemon."""
        super().setUp()
        secret = self.directory / "secret"
        secret.touch(mode=0o600)
        secret.write_text(SECRET + "\n")
        self.config = self.directory / "signald.toml"
        self.configure(self.need)
        self.start_daemon("--config", str(self.config))

    def configure(self, need: str, rest: str = "") -> None:
        """Write the configuration file."""
        self.config.write_text(f'[tokens]\nneed = "{need}"\nsecret_file = "secret"\n{rest}')

    def token(self, *options: str, user: str = "ann") -> str:
        """Create a token with the command `signald token`."""
        command = [str(SCRIPTS / "signald"), "token", "--config", str(self.config), "--user", user, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.strip()

    def client(self, token: str | None = None) -> NativeClient:
        """Connect a client, and send `hello`."""
        client = NativeClient(self.daemon.port, tls=True)
        self.addCleanup(client.close)
        client.greet(**({} if token is None else {"token": token}))
        return client

    def is_expired(self, token: str) -> bool:
        """Return whether the daemon refuses a token as expired."""
        client = NativeClient(self.daemon.port, tls=True)
        try:
            return client.ask("hello", version=1, token=token).get("code") == "token-expired"
        finally:
            client.close()

    def reload(self) -> None:
        """Make the daemon reload its configuration."""
        before = self.daemon.program.stderr.count("the configuration was read")
        self.daemon.program.process.send_signal(signal.SIGHUP)
        until(lambda: self.daemon.program.stderr.count("the configuration was read") > before, PATIENCE, "the reload")


class DaemonTests(TokenTestCase):
    """Tests of the daemon with native clients."""

    def test_with_and_without(self) -> None:
        """A client needs a token; only tokens for a session allow to open it as host and to join it as guest."""
        reply = NativeClient(self.daemon.port, tls=True).ask("hello", version=1)
        self.assertEqual(reply["code"], "token-required")
        ann = self.client(self.token("--session", SESSION, "--role", "host"))
        self.assertEqual(ann.ask("open")["session"], SESSION)
        bob = self.client(self.token("--session", SESSION, "--name", "Bob", user="bob"))
        self.assertEqual(bob.ask("join", session=SESSION, name="Not Bob")["type"], "joined")
        self.assertEqual(ann.hear_type("member-joined")["member"]["name"], "Bob")
        stranger = self.client(self.token("--session", "0000000000", user="eve"))
        self.assertEqual(stranger.ask("join", session=SESSION)["code"], "not-permitted")
        self.assertEqual(stranger.ask("open")["code"], "not-permitted")

    def test_the_original_s_clients(self) -> None:
        """Clients of the original's dialect, which have no token, are disconnected with the reason."""
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
        """After its token has expired a member stays, even after a resume, but cannot open another session."""
        ann = NativeClient(self.daemon.port, tls=True)
        self.addCleanup(ann.close)
        self.configure("everyone", "leeway_seconds = 0\n")
        self.reload()
        token = self.token("--role", "host", "--expires", "3s")
        ann.greet(token=token, instance="one")
        welcome = ann.welcome or {}
        session = ann.ask("open")["session"]
        bob = self.client(self.token(user="bob"))
        bob.ask("join", session=session)
        until(lambda: self.is_expired(token), PATIENCE, "the end of the token")
        self.assertEqual(ann.ask("open")["code"], "token-expired")
        bob.say("message", session=session, content="still there?")
        self.assertEqual(ann.hear_type("message")["content"], "still there?")
        ann.close()
        again = NativeClient(self.daemon.port, tls=True)
        self.addCleanup(again.close)
        back = again.ask(
            "resume", version=1, user=welcome["user"], secret=welcome["secret"], instance="two", received=0
        )
        self.assertEqual((back["resumed"], back["role"]), ("membership", "host"))
        again.say("message", session=session, content="yes")
        self.assertEqual(bob.hear_type("message")["content"], "yes")

    def test_a_reload(self) -> None:
        """A reload applies a new secret at once, and members stay; a secret that cannot be read changes nothing."""
        old = self.token("--role", "host")
        ann = self.client(old)
        session = ann.ask("open")["session"]
        (self.directory / "secret").write_text("x" * 40)
        self.reload()
        reply = NativeClient(self.daemon.port, tls=True).ask("hello", version=1, token=old)
        self.assertEqual(reply["code"], "token-invalid")
        bob = self.client(self.token(user="bob"))
        self.assertEqual(bob.ask("join", session=session)["type"], "joined")
        (self.directory / "secret").chmod(0o644)
        self.daemon.program.process.send_signal(signal.SIGHUP)
        self.daemon.program.wait_for("tokens was kept: The secret .* is open to others", PATIENCE)
        (self.directory / "secret").chmod(0o600)
        self.client(self.token(user="carol"))
        self.assertEqual(ann.ask("ping")["type"], "pong")

    def test_it_does_not_start(self) -> None:
        """With a secret that other users can read the daemon does not start: it prints one sentence, with status 1."""
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
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
        self.assertIn("open to others", done.stderr)

    def test_nothing_of_a_token_is_in_the_log(self) -> None:
        """The log contains neither a token nor the user of a token."""
        token = self.token(user="a-user-of-the-log-test")
        self.client(token).ask("open")
        NativeClient(self.daemon.port, tls=True).ask("hello", version=1, token=token[:-3])
        self.daemon.stop()
        said = self.daemon.program.stderr + self.daemon.program.stdout
        for part in (*token.split("."), "a-user-of-the-log-test", SECRET):
            self.assertNotIn(part, said)


class PeerTests(TokenTestCase):
    """Tests of `signald-peer` with tokens."""

    def test_a_call(self) -> None:
        """Two peers have a call with tokens, one in a file and one in the link."""
        host_token = self.directory / "token"
        host_token.write_text(self.token("--session", SESSION, "--role", "host") + "\n")
        ann = self.peer("host", "--duration", "10", "--token-file", str(host_token))
        self.assertEqual(ann.session(), SESSION)
        link = f"{self.daemon.url}#{SESSION}&token={self.token('--session', SESSION, user='bob')}"
        bob = self.peer("join", link, "--duration", "5")
        self.assertGreater(bob.figures().frames_in, 0)
        self.assertGreater(ann.figures().frames_in, 0)

    def test_without(self) -> None:
        """Without a token the peer's report contains the reason, and standard error has one sentence."""
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
    """Tests of the call page that is opened by a link with a token."""

    def link(self, *options: str, user: str = "ann") -> str:
        """Return the fragment of a link with a token."""
        return f"{SESSION}&token={self.token('--session', SESSION, *options, user=user)}"

    def open(self, fragment: str = "") -> CallPage:
        """Open the page, and assert that the page has removed the token from its address."""
        page = self.page(fragment=fragment)
        until(lambda: "token" not in page.tab.evaluate("location.href"), PATIENCE, "an address without the token")
        return page

    def test_a_call(self) -> None:
        """An early guest waits until the host opens the session; after a reload the guest is in the call again."""
        bob = self.open(self.link(user="bob"))
        bob.join()
        bob.wait_for("connecting")
        ann = self.open(self.link("--role", "host"))
        self.assertEqual(ann.tab.evaluate("location.hash"), f"#{SESSION}")
        ann.join()
        watch(ann, bob)
        self.assertEqual(ann.tab.evaluate("history.length"), bob.tab.evaluate("history.length"))
        bob.tab.reload()
        for page in (bob, ann):
            page.wait_for("connected")
        said = self.daemon.program.stderr
        self.assertNotIn("eyJ", said)

    def test_a_reload_before_the_call(self) -> None:
        """The tab stores the token, so that a reload does not lose it although the address no longer contains it."""
        ann = self.open(self.link("--role", "host"))
        ann.tab.reload()
        ann.wait_for("start")
        ann.join()
        ann.wait_for("waiting")

    def test_a_crash_after_the_tokens_have_expired(self) -> None:
        """A restarted server refuses the expired tokens of a call's members, but their peer connections continue."""
        token = self.token("--session", SESSION, "--role", "host")
        ann = self.open(f"{SESSION}&token={token}")
        ann.join()
        ann.wait_for("waiting")
        bob = self.open(self.link(user="bob"))
        bob.join()
        for page in (ann, bob):
            page.wait_for("connected")
        self.daemon.kill()
        # The restarted daemon's date is a day on which the tokens have expired.
        later = another_clock(FAKETIME="+30d")
        self.start_daemon("--config", str(self.config), "--port", str(self.daemon.port), environment=later)
        self.assertTrue(self.is_expired(token))
        for page in (ann, bob):
            page.wait_for_text("status", "Your call goes on without it")
        watch(ann, bob)

    def test_what_the_page_says(self) -> None:
        """The page shows a plain sentence for a missing, invalid or expired token, and for another session's."""
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
    """Tests of a daemon that requires a token from hosts only."""

    need = "hosts"

    def test_anybody_joins(self) -> None:
        """A client without a token can join by the id, and is refused with the reason if it opens a session."""
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
    """A test case with a webhook service that decides about requests."""

    need = "nobody"

    def setUp(self) -> None:
        """Start the webhook service and the daemon."""
        self.service = Service(SECRET.encode())
        self.addCleanup(self.service.stop)
        super().setUp()

    def configure(self, need: str, rest: str = "") -> None:
        """Write the configuration with the webhook."""
        hook = (
            f'[webhook]\nurl = "{self.service.url}"\nsecret_file = "secret"\ncache_seconds = 0\ntimeout_seconds = 1\n'
        )
        super().configure(need, rest + hook)


class WebhookTests(ServiceTestCase):
    """Tests of a webhook service that decides about requests."""

    def test_it_decides(self) -> None:
        """The webhook allows or denies a request with a reason; no response denies it; a reload changes the webhook."""
        ann, bob = self.client(self.token("--role", "host")), self.client()
        session = ann.ask("open")["session"]
        self.assertEqual(self.service.requests[0]["user"], "ann")
        self.assertEqual(self.service.requests[0]["claims"]["signald"], {"role": "host"})
        self.service.answer = {"allow": False, "code": "session-locked"}
        self.assertEqual(bob.ask("join", session=session)["code"], "session-locked")
        self.assertEqual(
            self.service.requests[1], {"operation": "join", "session": session, "user": None, "claims": None}
        )
        self.service.answer = None
        self.assertEqual(bob.ask("join", session=session)["code"], "decision-unavailable")
        self.assertEqual(ann.ask("ping")["type"], "pong")
        self.service.stop()
        self.assertEqual(bob.ask("join", session=session)["code"], "decision-unavailable")
        self.daemon.program.wait_for("the webhook gave no usable answer", PATIENCE)
        self.service = Service(SECRET.encode())
        self.configure(self.need)
        self.reload()
        self.assertEqual(bob.ask("join", session=session)["type"], "joined")


class TrustTests(ServiceTestCase):
    """Tests of a webhook service with TLS, whose certificate the daemon's own authority has issued."""

    def setUp(self) -> None:
        """Let a first daemon create the certificate; later daemons trust its authority only if the test says so."""
        super().setUp()
        self.daemon.stop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.daemon.data / "cert.pem", self.daemon.data / "key.pem")
        self.service = Service(SECRET.encode(), context)
        self.addCleanup(self.service.stop)
        self.configure(self.need)

    def verdict(self, environment: dict[str, str]) -> str:
        """Return the outcome of `open`: the type of the reply, or the code of the error."""
        self.start_daemon("--config", str(self.config), environment=environment)
        reply = self.client().ask("open")
        return str(reply.get("code", reply["type"]))

    def test_its_certificate(self) -> None:
        """The webhook is called if its certificate is trusted; otherwise the request is refused."""
        self.assertEqual(self.verdict({}), "decision-unavailable")
        self.assertEqual(self.service.requests, [])
        self.assertEqual(self.verdict({"SSL_CERT_FILE": str(self.daemon.data / "ca.pem")}), "opened")
        self.assertEqual(len(self.service.requests), 1)
