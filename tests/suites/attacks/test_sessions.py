"""Tests clients outside a session that guess the session's id, or send requests about the session."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.suites.attacks.bystander import connection
from tests.suites.attacks.case import AttackTestCase
from tests.suites.attacks.report import add_threat
from tests.suites.attacks.target import Target, target
from tests.support.native_client import Body, NativeClient

#: The number of a stranger's guesses, which exceeds the limit.
GUESSES = 14

#: The number of guesses to which the server replies (`failed-guesses`).
ANSWERED = 10


class SessionCase(AttackTestCase):
    """A test case with clients that connect from separate addresses."""

    def client(self, victim: Target, source: str = "127.0.6.1", **options: Any) -> NativeClient:
        """Connect, and send `hello`."""
        client = NativeClient(victim.port, tls=victim.tls, socket=connection(source, victim), **options)
        self.addCleanup(client.close)
        client.greet()
        return client


class GuessTests(SessionCase):
    """Tests of guessing session ids."""

    def codes(self, client: NativeClient, count: int, first: int = 0) -> list[str]:
        """Ask for so many sessions that do not exist; return the codes of the errors."""
        return [client.request("join", session=f"{first + number:010d}")["code"] for number in range(count)]

    def test_guesses(self) -> None:
        """After ten guesses in half an hour an address is refused with any identity; other addresses are not."""
        for tls in (False, True):
            victim = target(tls)
            source = f"127.0.6.{10 + tls}"
            codes = self.codes(self.client(victim, source), GUESSES)
            codes += self.codes(self.client(victim, source), 3, first=100)
            self.assertEqual(codes, ["unknown-session"] * ANSWERED + ["too-many-guesses"] * (GUESSES - ANSWERED + 3))
            other = self.client(victim, f"127.0.6.{20 + tls}")
            self.assertEqual(self.codes(other, 1), ["unknown-session"])
            found = Counter(codes)
            add_threat(
                "guessing session ids", "wss" if tls else "ws", f"{len(codes)} ids from an address, in two connections",
                ", ".join(f"{count} times {code}" for code, count in found.items()),
            )  # fmt: skip

    def test_guesses_of_a_network(self) -> None:
        """A /64 network of IPv6 counts as one address behind any proxy; the next /64 counts as another address."""
        victim = Target(False, "--trusted-proxy", "127.0.0.0/8")
        codes = list[str]()
        for number in range(GUESSES):
            client = self.client(victim, headers={"X-Forwarded-For": f"2001:db8:1:2::{number + 1:x}"})
            codes += self.codes(client, 1, first=number)
        self.assertEqual(codes, ["unknown-session"] * ANSWERED + ["too-many-guesses"] * (GUESSES - ANSWERED))
        neighbour = self.client(victim, headers={"X-Forwarded-For": "2001:db8:1:3::1"})
        self.assertEqual(self.codes(neighbour, 1), ["unknown-session"])
        add_threat(
            "guessing from a /64", "ws", f"{GUESSES} ids, each from another address of it",
            f"{ANSWERED} times unknown-session, then too-many-guesses",
        )  # fmt: skip

    def test_forged_address(self) -> None:
        """The server accepts X-Forwarded-For from trusted proxies only, and reads only its last hop."""
        victim = target(False)
        codes = list[str]()
        for number in range(GUESSES):
            client = self.client(victim, "127.0.6.30", headers={"X-Forwarded-For": f"192.0.2.{number}"})
            codes += self.codes(client, 1, first=number)
        self.assertEqual(codes.count("too-many-guesses"), GUESSES - ANSWERED)
        behind = Target(False, "--trusted-proxy", "127.0.6.31")
        codes = []
        for number in range(GUESSES):
            forged = {"X-Forwarded-For": f"192.0.2.{number}, 198.51.100.7"}
            codes += self.codes(self.client(behind, "127.0.6.31", headers=forged), 1, first=number)
        self.assertEqual(codes.count("too-many-guesses"), GUESSES - ANSWERED)
        add_threat(
            "forged X-Forwarded-For", "ws", f"{GUESSES} invented addresses, without and with a trusted proxy",
            "counted under the address that connected, or that the proxy saw",
        )  # fmt: skip

    def test_forged_proxy_header(self) -> None:
        """A PROXY header from a client that is not a trusted proxy is refused as an invalid request."""
        from tests.suites.attacks.raw import exchange, verdict
        from tests.support.endpoints import request

        asked = request("/", {"Host": "localhost"})
        second = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes([192, 0, 2, 1, 127, 0, 0, 1, 1, 1, 1, 1])
        first = b"PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\r\n"
        others = Target(False, "--proxy-protocol", "--trusted-proxy", "192.0.2.0/24")
        found = Counter(
            verdict(exchange(victim, header + asked, source="127.0.6.32"))
            for victim in (target(False), others)
            for header in (first, second)
        )
        self.assertNotIn("200", found)
        add_threat(
            "forged PROXY header", "http", "versions 1 and 2, with and without --proxy-protocol",
            ", ".join(f"{count} times {answer}" for answer, count in found.items()),
        )  # fmt: skip


class InjectionTests(SessionCase):
    """Tests of messages that the sender has no right to send."""

    def everything(self, session: str, to: str) -> list[tuple[str, Body]]:
        """Return a valid request of each type that names a session or a member."""
        pair = {"session": session, "to": to}
        negotiation = {"offerer": to, "n": 1}
        return [
            ("offer", {**pair, "negotiation": negotiation, "sdp": "forged"}),
            ("answer", {**pair, "negotiation": negotiation, "sdp": "forged"}),
            ("candidates", {**pair, "negotiation": negotiation, "candidates": [{"candidate": "forged"}]}),
            ("ice-error", {**pair, "text": "forged"}),
            ("message", {**pair, "content": "forged"}),
            ("message", {"session": session, "content": "forged"}),
            ("change", {"session": session, "locked": True}),
            *((type, {"session": session, "user": to}) for type in ("admit", "refuse", "remove", "hand-over")),
            ("end", {"session": session}),
            ("leave", {"session": session}),
        ]

    def test_outsiders(self) -> None:
        """A client outside a session gets the same error as for an unknown session; members receive nothing."""
        for tls in (False, True):
            victim = target(tls)
            host, guest, stranger = (self.client(victim, f"127.0.6.{40 + tls}") for _ in range(3))
            session: str = host.request("open")["session"]
            guest.request("join", session=session)
            host.receive_type("member-joined")
            codes = Counter[str]()
            for where in (session, "ZZZZZZZZZZ"):
                for type, keys in self.everything(where, host.user):
                    code = stranger.request(type, **keys)["code"]
                    self.assertEqual(code, "not-a-member", type)
                    codes[code] += 1
            self.quiet(host, guest)
            add_threat(
                "injection by strangers", "wss" if tls else "ws", f"{codes.total()} requests about a session",
                f"{codes.total()} times not-a-member; members hear nothing",
            )  # fmt: skip

    def test_guests(self) -> None:
        """A guest cannot send a host's requests, and its messages bear its own user id, whatever sender it claims."""
        victim = target(False)
        host, guest = (self.client(victim, "127.0.6.43") for _ in range(2))
        session: str = host.request("open")["session"]
        guest.request("join", session=session)
        host.receive_type("member-joined")
        hosts = [pair for pair in self.everything(session, host.user) if pair[0] in
                 ("change", "admit", "refuse", "remove", "hand-over", "end")]  # fmt: skip
        codes = Counter(guest.request(type, **keys)["code"] for type, keys in hosts)
        self.assertEqual(set(codes), {"wrong-role"})
        self.assertEqual(guest.request("message", session=session, content="x", to="0" * 26)["code"], "unknown-member")
        self.quiet(host, guest)
        # A key that the request does not have is ignored, as every unknown key is.
        guest.send("message", session=session, content="mine", **{"from": host.user})
        self.assertEqual(host.receive_type("message")["from"], guest.user)
        add_threat(
            "injection in the wrong role", "ws", "a host's requests by a guest; a sender of its own",
            f"{codes.total()} times wrong-role; the sender is the socket",
        )  # fmt: skip

    def test_turn_credentials(self) -> None:
        """A stranger who sends `hello`, guesses and waits gets no TURN credentials; a member does."""
        import tempfile
        from pathlib import Path

        with tempfile.NamedTemporaryFile("w") as secret:
            secret.write("n" * 40)
            secret.flush()
            Path(secret.name).chmod(0o600)
            victim = Target(False, "--turn-url", "turn:turn.example.org", "--ice-turn-secret-file", secret.name)
        host, stranger = (self.client(victim) for _ in range(2))
        self.assertNotIn("credential", str(stranger.welcome))
        host.send("open", lobby=True)
        servers = host.receive_type("ice-servers")
        self.assertIn("credential", str(servers))
        session: str = host.receive_type("opened")["session"]
        answers = [stranger.request("join", session="ZZZZZZZZZZ"), stranger.request("join", session=session)]
        self.assertEqual(answers[1]["type"], "waiting")
        stranger.send("ping")
        self.assertEqual(stranger.receive()["type"], "pong")
        add_threat(
            "TURN credentials for strangers", "ws", "hello, a wrong id, a wait in the lobby",
            "none given; a member has them before its `opened`",
        )  # fmt: skip

    def quiet(self, *clients: NativeClient) -> None:
        """Assert that no client has an unread message: the next message is the reply to a new request."""
        for client in clients:
            client.send("ping", id="quiet")
            self.assertEqual(client.receive(), {"type": "pong", "id": "quiet"})
