"""Tests clients that guess passwords, occupy slow checks, or offend behind an address that others use too."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path

import websocket

from tests.suites.attacks.report import add_threat, in_full
from tests.suites.attacks.target import Target, target
from tests.suites.attacks.test_sessions import ANSWERED, GUESSES, SessionCase
from tests.suites.e2e.service import Service
from tests.support.native_client import NativeClient

#: The password of the sessions.
RIGHT = "open sesame"

#: The secret that the webhook and the daemon share.
SECRET = "the service and signald know this text"

#: The number of an attacker's connections that send guesses at the same time.
AT_ONCE = 30

#: The number of an attacker's connections that ask for slow checks at once, which exceeds `waiting-passwords`.
OCCUPYING = 70

#: The number of sessions that each of the attacker's users opens, which is below `user-sessions`.
SESSIONS = 14

#: The number of clients that share an address with one that offends.
NEIGHBOURS = 50

#: The seconds within which another address gets its answer from a webhook that hangs for the attacker. The webhook's
#: timeout, for which the attacker's questions occupy their turns, is twice as long.
PROMPT = 1.0


class PasswordTests(SessionCase):
    """Tests of passwords of sessions."""

    def open(self, victim: Target, source: str) -> str:
        """Open a session with a password; return its id."""
        session: str = self.client(victim, source).request("open", password=RIGHT, capacity=8)["session"]
        return session

    def test_guesses_at_once(self) -> None:
        """Of passwords that are tried at once, in many connections, only ten are checked."""
        victim = target(False)
        session = self.open(victim, "127.0.7.1")
        guessers = [self.client(victim, "127.0.7.2") for _ in range(AT_ONCE)]
        codes = Counter[str]()
        for _ in range(3):
            for guesser in guessers:
                guesser.send("join", id="guess", session=session, password="guess")
            codes.update(guesser.receive_until(lambda body: body.get("id") == "guess")["code"] for guesser in guessers)
        self.assertEqual(codes.pop("wrong-password"), ANSWERED)
        self.assertEqual(set(codes) - {"too-many-guesses", "too-many-passwords"}, set())
        self.assertEqual(
            self.client(victim, "127.0.7.3").request("join", session=session, password=RIGHT)["type"], "joined"
        )
        add_threat(
            "guessing a password at once", "ws", f"{3 * AT_ONCE} passwords in {AT_ONCE} connections",
            f"{ANSWERED} times wrong-password, {codes.total()} times refused unchecked",
        )  # fmt: skip

    def test_turns(self) -> None:
        """An address that opens many sessions with passwords keeps nobody from joining one."""
        victim = target(False)
        session = self.open(victim, "127.0.7.4")
        attackers = [self.client(victim, "127.0.7.5") for _ in range(OCCUPYING)]
        waits = list[float]()
        for number in range(4):
            guest = self.client(victim, f"127.0.7.{10 + number}")
            for attacker in attackers:
                attacker.send("open", password=RIGHT)
            started_at = time.monotonic()
            self.assertEqual(guest.request("join", session=session, password=RIGHT)["type"], "joined")
            waits.append(time.monotonic() - started_at)
        add_threat(
            "password checks occupied", "ws", f"{OCCUPYING} opens with passwords at once, four times",
            f"a join from elsewhere is let in after {max(waits) * 1000:.0f} ms at most",
        )  # fmt: skip


class WebhookTests(SessionCase):
    """Tests of a webhook that hides sessions, or hangs."""

    def setUp(self) -> None:
        """Start a webhook and a daemon that asks it, with one session."""
        super().setUp()
        self.service = Service(SECRET.encode())
        self.addCleanup(self.service.stop)
        with tempfile.NamedTemporaryFile("w") as secret:
            secret.write(SECRET)
            secret.flush()
            Path(secret.name).chmod(0o600)
            self.victim = Target(False, "--webhook-url", self.service.url, "--webhook-secret-file", secret.name)
        self.addCleanup(self.victim.stop)
        self.session: str = self.client(self.victim, "127.0.7.30").request("open")["session"]

    def test_a_hidden_session(self) -> None:
        """A session that the webhook hides is answered as often as one that does not exist."""
        self.service.answer = {"allow": False, "code": "unknown-session"}
        found = []
        for number, session in enumerate((self.session, "ZZZZZZZZZZ")):
            stranger = self.client(self.victim, f"127.0.7.{31 + number}")
            found.append([stranger.request("join", session=session)["code"] for _ in range(GUESSES)])
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0], ["unknown-session"] * ANSWERED + ["too-many-guesses"] * (GUESSES - ANSWERED))
        add_threat(
            "finding hidden sessions", "ws", f"{GUESSES} joins of a session that the webhook hides, and of none",
            f"both {ANSWERED} times unknown-session, then too-many-guesses",
        )  # fmt: skip

    def test_a_webhook_that_hangs(self) -> None:
        """Questions of one address about which the webhook hangs do not delay those of another address."""
        hosts = [self.client(self.victim, "127.0.7.33") for _ in range(OCCUPYING // SESSIONS)]
        sessions = [host.request("open")["session"] for host in hosts for _ in range(SESSIONS)]
        self.service.hangs = lambda question: question["session"] != self.session
        guest = self.client(self.victim, "127.0.7.34")
        attackers = [self.client(self.victim, "127.0.7.33") for _ in sessions]
        for attacker, session in zip(attackers, sessions, strict=True):
            attacker.send("join", session=session)
        started_at = time.monotonic()
        self.assertEqual(guest.request("join", session=self.session)["type"], "joined")
        waited = time.monotonic() - started_at
        self.assertLess(waited, PROMPT)
        add_threat(
            "questions to a webhook that hangs", "ws", f"{OCCUPYING} joins from an address",
            f"a join from elsewhere is let in after {waited * 1000:.0f} ms",
        )  # fmt: skip


class NeighbourTests(SessionCase):
    """Tests of clients that share their address with one that offends."""

    def offend(self, victim: Target, source: str) -> None:
        """Connect, and send what closes the connection for an offence."""
        client = self.client(victim, source)
        client.socket.send_binary(b"x")
        with self.assertRaises(websocket.WebSocketConnectionClosedException):
            client.receive()
        client.close()

    def test_offences(self) -> None:
        """A client that offends again and again harms none of fifty others behind its address."""
        for tls in (False, True) if in_full() else (False,):
            victim, source = target(tls), f"127.0.7.{40 + tls}"
            neighbours = [self.client(victim, source) for _ in range(NEIGHBOURS)]
            late = list[NativeClient]()
            for _ in range(NEIGHBOURS):
                self.offend(victim, source)
                self.offend(victim, source)
                late.append(self.client(victim, source))
            for host, guest in zip(neighbours, late, strict=True):
                session = host.request("open")["session"]
                self.assertEqual(guest.request("join", session=session)["type"], "joined")
                guest.send("message", session=session, content="hello")
                self.assertEqual(host.receive_type("message")["content"], "hello")
            add_threat(
                "offences behind a shared address", "wss" if tls else "ws",
                f"{2 * NEIGHBOURS} connections closed for an offence, {NEIGHBOURS} neighbours that talk and connect",
                f"{2 * NEIGHBOURS} times 1003; all {NEIGHBOURS} calls of the neighbours succeed",
            )  # fmt: skip
