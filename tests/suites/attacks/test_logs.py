"""Log injection: nothing that a client sends appears in the log."""

from __future__ import annotations

import json

from tests.suites.attacks.bystander import connection
from tests.suites.attacks.case import AttackTestCase
from tests.suites.attacks.raw import exchange
from tests.suites.attacks.report import add_threat
from tests.suites.attacks.target import Target
from tests.support.endpoints import TEXT, frame, request, upgrade_request
from tests.support.native_client import NativeClient

#: Line ends, a terminal escape, a change of the writing direction, and a line that looks like a line of the log.
EVIL = "canary\r\n2026-01-01T00:00:00+0000 [signald#critical] forged\x1b[2J\u202e\u2028canary"

ESCAPED = EVIL.encode("unicode_escape").decode()


class LogTests(AttackTestCase):
    """Tests of the text log and the JSON log."""

    def test_injection(self) -> None:
        """No log field contains input of a client; nor are addresses, ids, descriptions and candidates logged."""
        for form in ("human", "json"):
            victim = Target(False, "--log-format", form, "--log-level", "debug", "--limit", "hello-seconds=0.5")
            raw = EVIL.encode().replace(b"\r\n", b"\r ")
            for data in (
                request(f"/{ESCAPED}", {"Host": "localhost"}),
                b"GET /" + raw + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + raw + b"\r\nReferer: " + raw + b"\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: " + raw + b"\r\n\r\n",
                raw + b"\r\n\r\n",
                upgrade_request(origin="https://canary.example", sec_websocket_protocol="canary"),
            ):
                exchange(victim, data, source="127.0.5.1", whole=False)
            client = NativeClient(victim.port, tls=False, socket=connection("127.0.5.2", victim))
            client.greet(agent=EVIL[:60], instance="canary")
            session: str = client.request("open", label=EVIL[:60], name=EVIL[:60], password="canary")["session"]
            about = {"session": session, "to": client.user, "negotiation": {"offerer": client.user, "n": 1}}
            client.request("offer", **about, sdp=EVIL)
            client.request("candidates", **about, candidates=[{"candidate": EVIL}])
            client.send("message", session=session, content=EVIL)
            client.request("join", session="canarycana")
            client.socket.send(EVIL)
            user = client.user
            client.close()
            exchange(victim, upgrade_request(), frame(TEXT, EVIL.encode()), source="127.0.5.3")
            victim.stop()
            for word in ("canary", "forged", "\x1b", "\u202e", "\u2028", "127.0.5.", user, session):
                self.assertNotIn(word, victim.log)
            lines = victim.log.splitlines()
            self.assertGreater(len(lines), 1)
            if form == "json":
                for line in lines:
                    self.assertIn("event", json.loads(line))
            add_threat(
                "log injection", form, "control and bidi characters, line ends, forged lines, in every field",
                f"none of it in {len(lines)} lines at level debug",
            )  # fmt: skip
