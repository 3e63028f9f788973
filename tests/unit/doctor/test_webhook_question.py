"""Tests of the doctor's question to the webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any, cast

from cryptography.x509 import DNSName
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Webhook
from signald.core.ids import parse_session_id
from signald.doctor.chain import trusted_store
from signald.doctor.findings import Finding, Mark
from signald.doctor.http_exchange import ANSWER_SECONDS, UnreachableError, read_chain
from signald.doctor.targets import Target
from signald.doctor.webhook_question import check_webhook_answer
from signald.tls.context import ServerTLS, TLSFactory, server_context
from tests.support.memory_network import MemoryNetwork, NoNames
from tests.support.public_authority import PublicAuthority
from tests.support.reactors import install_reactor

SECRET = b"the service and signald know this text"


class Service(Protocol):
    """An HTTP service that records each request and sends the answer of its factory, if there is one."""

    factory: Any
    transport: Any
    received = b""

    def dataReceived(self, data: bytes) -> None:
        """Record the request; answer it once it is whole."""
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end or not body.endswith(b"}"):
            return
        self.factory.requests.append((head, body))
        if self.factory.answer is not None:
            self.transport.write(self.factory.answer)
            self.transport.loseConnection()


def response(body: bytes, status: str = "200 OK") -> bytes:
    """Return a response."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class WebhookQuestionTests(SynchronousTestCase):
    """Tests of the findings about the webhook."""

    def setUp(self) -> None:
        """Create a service in memory, and a file with the secret."""
        self.site = cast(Any, Factory.forProtocol(Service))
        self.site.requests, self.site.answer = [], response(b'{"allow":true}')
        self.network = MemoryNetwork(self.site)
        # Twisted's agent delays a part of its work by the reactor of the process.
        install_reactor(self, self.network)
        self.secret = Path(self.mktemp()).resolve()
        self.secret.write_bytes(SECRET)
        self.secret.chmod(0o600)
        self.store, self.now = trusted_store([]), 1_800_000_000.0

    def check(self, url: str = "http://127.0.0.1:8700/may", seconds: float = 1.0, **settings: Any) -> list[Finding]:
        """Ask the webhook, and return the findings."""
        section = Webhook(url=url, secret_file=self.secret, **settings)
        done = Deferred.fromCoroutine(check_webhook_answer(self.network, section, self.store, self.now))
        self.network.run_for(seconds)
        return self.successResultOf(done)

    def failure(self, **settings: Any) -> Finding:
        """Ask, and return the only finding, which is a failure with a remedy that states the consequence."""
        [found] = self.check(**settings)
        self.assertEqual((found.topic, found.mark), ("webhook", Mark.FAILURE))
        self.assertIn("until then signald refuses everybody who opens or joins.", found.remedy or "")
        return found

    def test_answer(self) -> None:
        """The question is one that signald asks too, about a session that does not exist, and it is signed."""
        for answer in (b'{"allow":true}', b'{"allow":false,"code":"unknown-session"}'):
            self.site.answer = response(answer)
            [found] = self.check()
            self.assertEqual((found.topic, found.mark), ("webhook", Mark.OK))
            self.assertRegex(found.text, r"\Ahttp://127\.0\.0\.1:8700/may answers within \d+ ms\.\Z")
        (head, body), (_, other) = self.site.requests
        asked = json.loads(body)
        self.assertEqual(
            {**asked, "session": None}, {"operation": "join", "session": None, "user": None, "claims": None}
        )
        self.assertEqual(parse_session_id(asked["session"]), asked["session"])
        self.assertNotEqual(json.loads(other)["session"], asked["session"])
        self.assertTrue(head.startswith(b"POST /may HTTP/1.1\r\n"))
        headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        exact = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        [signature] = [text for name, text in exact.items() if name.lower() == "webhook-signature"]
        [id] = [text for name, text in exact.items() if name.lower() == "webhook-id"]
        self.assertEqual(headers["webhook-timestamp"], "1800000000")
        signed = hmac.new(SECRET, f"{id}.1800000000.".encode() + body, hashlib.sha256).digest()
        self.assertEqual(signature, f"v1,{base64.b64encode(signed).decode()}")

    def test_off(self) -> None:
        """Without a webhook there is no finding, and with a bad secret signald does not start."""
        done = Deferred.fromCoroutine(check_webhook_answer(self.network, Webhook(), self.store, self.now))
        self.assertEqual(self.successResultOf(done), [])
        self.secret.write_bytes(b"short")
        [found] = self.check()
        self.assertEqual(found.mark, Mark.FAILURE)
        self.assertIn("expected a secret of at least 32 bytes", found.text)
        self.assertNotIn("short", found.text)
        self.assertIn("or set the variable that the unit sets", found.remedy or "")

    def test_nothing_listens(self) -> None:
        """A service that does not run is a failure."""
        self.network.site = None
        self.assertIn("cannot be reached: nothing listens there.", self.failure().text)

    def test_name_without_address(self) -> None:
        """The remedy for a name without an address is a record."""
        self.patch(self.network, "nameResolver", NoNames())
        found = self.failure(url="https://app.example.org/may")
        self.assertIn("cannot be reached: its name has no address.", found.text)
        self.assertIn("Give app.example.org an A or AAAA record", found.remedy or "")
        self.assertIn("or correct webhook.url", found.remedy or "")

    def test_connection_that_ends(self) -> None:
        """A service that closes the connection without a response is a failure."""
        self.site.answer = b""
        self.assertIn("the connection is closed without an answer", self.failure().text)

    def test_silence(self) -> None:
        """A service that is slower than the timeout is a failure, which names the timeout."""
        self.site.answer = None
        found = self.failure(timeout_seconds=3.0, seconds=3.5)
        self.assertIn("does not answer within 3 s", found.text)

    def test_statuses(self) -> None:
        """Each status has a remedy that fits it."""
        for status, remedy in (
            ("401 Unauthorized", "Compare the secret"),
            ("403 Forbidden", "Compare the secret"),
            ("302 Found", "Name the final address"),
            ("404 Not Found", "Correct the path"),
            ("503 Service Unavailable", "Look at the log"),
        ):
            self.site.answer = response(b"", status)
            found = self.failure()
            self.assertIn(f"answers with status {status[:3]}.", found.text)
            self.assertTrue((found.remedy or "").startswith(remedy), found)
        self.site.answer = response(b" " * 20_000)
        self.assertIn("answers with more than 16 KiB", self.failure().text)

    def test_no_answer_in_the_body(self) -> None:
        """A body that is no answer is a failure."""
        self.site.answer = response(b"yes")
        self.assertIn("its body is no answer", self.failure().text)

    def test_unexpected_error(self) -> None:
        """An unexpected error is reported by its class alone."""
        self.patch(self.network, "connectTCP", lambda *_, **__: 1 / 0)
        self.assertIn("ended with ZeroDivisionError", self.failure().text)

    def test_certificate(self) -> None:
        """A certificate that this system does not trust is named, with what is wrong with it."""
        authority = PublicAuthority.create()
        self.now = authority.now.timestamp()
        tls = ServerTLS(server_context(authority.issue(DNSName("app.example.org"))))
        self.network.site = TLSFactory(tls, False, self.site, self.network)
        found = self.check("https://app.example.org/may")
        self.assertEqual([one.mark for one in found], [Mark.FAILURE, Mark.OK, Mark.FAILURE, Mark.OK])
        self.assertIn("TLS cannot be agreed on with https://app.example.org/may", found[0].text)
        self.assertIn("is neither sent nor trusted here", found[2].text)

    def test_no_tls(self) -> None:
        """A service without TLS at an https address is a failure, and there is no chain to judge."""
        self.assertIn("https://app.example.org/may", self.failure(url="https://app.example.org/may", seconds=8.0).text)


class ChainReaderTests(SynchronousTestCase):
    """Tests of `read_chain`, which reads a server's certificates."""

    def reason(self, site: Any, seconds: float) -> str:
        """Return why the certificates of a server could not be read."""
        network = MemoryNetwork(site)
        install_reactor(self, network)
        done = Deferred.fromCoroutine(read_chain(network, Target("192.0.2.1", 443, True)))
        network.run_for(seconds)
        return str(self.failureResultOf(done, UnreachableError).value)

    def test_reasons(self) -> None:
        """A server that is not there, is silent or closes the connection has its own reason."""

        class Closing(Protocol):
            """Closes each connection."""

            transport: Any

            def connectionMade(self) -> None:
                """Close the connection."""
                self.transport.loseConnection()

        self.assertEqual(self.reason(None, 1.0), "nothing listens there")
        self.assertEqual(self.reason(Factory.forProtocol(Closing), 1.0), "TLS could not be agreed on")
        silent = f"no answer comes within {ANSWER_SECONDS:.0f} s"
        self.assertEqual(self.reason(Factory.forProtocol(Protocol), ANSWER_SECONDS + 1), silent)
