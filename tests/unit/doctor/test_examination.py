"""Tests of the doctor's examination as a whole, and of its checks of the clock, the certificate and a session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import evolve
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TimeoutError,
)
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, connect
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config, Ice
from signald.core.errors import ErrorCode
from signald.core.ice_server import IceServer
from signald.core.limits import Limits
from signald.doctor.chain import trusted_store
from signald.doctor.clock import judge_clock, judge_date, kernel_synchronised
from signald.doctor.examination import DoctorTarget, examine
from signald.doctor.exchange import Exchange, UnreachableError, unreachable
from signald.doctor.findings import Finding, Mark
from signald.doctor.handshakes import SUBPROTOCOL, handshake
from signald.doctor.own_certificate import check_certificate_files, local_authority
from signald.doctor.session import SessionFactory, SessionRecord
from signald.doctor.targets import PublicUrl
from signald.net.keyfiles import certificates_pem, key_pem
from signald.server.factory import SignalingFactory
from signald.server.problems import last_response
from signald.tls.certificates import LocalCertificate
from tests.support.certificates import self_signed
from tests.support.endpoints import PlainDialect, RecordingSwitchboard
from tests.support.machines import NOW, machine
from tests.support.memory_server import make_port

URL = PublicUrl.read("http://calls.example.org/")


class ClockTests(SynchronousTestCase):
    """Tests of the findings about this machine's clock."""

    def test_synchronised(self) -> None:
        """A clock without a time service is a warning; the check is skipped if the kernel does not report it."""
        marks = {state: judge_clock(state).mark for state in (True, False, None)}
        self.assertEqual(marks, {True: Mark.OK, False: Mark.WARNING, None: Mark.SKIPPED})
        self.assertIn(kernel_synchronised(), (True, False, None))

    def test_date(self) -> None:
        """A Date header (RFC 9110 §5.6.7) may differ from the local clock by a minute in either direction."""
        date = "Sun, 06 Nov 1994 08:49:37 GMT"
        for skew, mark, said in (
            (0, Mark.OK, "differ by less than 60 s"),
            (60, Mark.OK, ""),
            (61, Mark.FAILURE, "is 61 s ahead of"),
            (-3600, Mark.FAILURE, "is 3600 s behind"),
        ):
            found = judge_date(date, 784111777 + skew, "it")
            self.assertEqual(found.mark, mark)
            self.assertIn(said, found.text)
        for wrong in ("", "yesterday", "Sun, 99 Nov 1994 08:49:37 GMT"):
            self.assertEqual(judge_date(wrong, 0, "it").mark, Mark.WARNING)


class OwnCertificateTests(SynchronousTestCase):
    """Tests of the findings about the certificate files of the configuration."""

    def setUp(self) -> None:
        """Create the data directory."""
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir(mode=0o700)

    def check(self, config: Config) -> list[Finding]:
        """Return the findings about the certificate files."""
        return check_certificate_files(config, "attic.example.org", trusted_store([]), NOW)

    def test_without_tls(self) -> None:
        """Without TLS, the check is skipped, and there is no local authority."""
        self.assertEqual(self.check(Config(self.path, tls=False))[0].mark, Mark.SKIPPED)
        self.assertIsNone(local_authority(Config(self.path, tls=False)))

    def test_local_authority(self) -> None:
        """The check passes before the first start and with a valid local authority, and fails with a damaged key."""
        config = Config(self.path)
        self.assertIn("will be made", self.check(config)[0].text)
        self.assertIsNone(local_authority(config))
        LocalCertificate(self.path, machine(), NOW)
        self.assertEqual(self.check(config)[0].mark, Mark.OK)
        self.assertTrue((local_authority(config) or b"").startswith(b"-----BEGIN CERTIFICATE"))
        (self.path / "key.pem").write_text("nothing")
        self.assertEqual(self.check(config)[0].mark, Mark.FAILURE)

    def test_supplied(self) -> None:
        """A supplied certificate is judged as clients would; the key of another certificate is a failure."""
        certificate, key = self.path / "fullchain.pem", self.path / "privkey.pem"
        one, other = (self_signed(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
        certificate.write_bytes(certificates_pem(one.chain))
        key.write_bytes(key_pem(one.key))
        config = Config(self.path, certificate=certificate, key=key)
        self.assertEqual([found.mark for found in self.check(config)], [Mark.OK, Mark.FAILURE, Mark.OK])
        key.write_bytes(key_pem(other.key))
        (found,) = self.check(config)
        self.assertIn("is not the key of the certificate", found.text)


class ExchangeTests(SynchronousTestCase):
    """Tests of `Exchange`, which sends one HTTP request and reads the response."""

    def setUp(self) -> None:
        """Open a connection in memory and send a request."""
        self.protocol = Exchange(handshake(URL, None))
        self.wire = StringTransportWithDisconnection()
        self.wire.abortConnection = self.wire.loseConnection  # type: ignore[method-assign] # it has none of its own
        self.wire.protocol = self.protocol
        self.protocol.makeConnection(self.wire)

    def reason(self) -> str:
        """Return the message with which the exchange failed."""
        return str(self.failureResultOf(self.protocol.answered, UnreachableError).value)

    def test_answer(self) -> None:
        """The exchange succeeds and closes the TCP connection as soon as the response is complete."""
        self.assertEqual(self.wire.value(), handshake(URL, None))
        data = last_response(ErrorCode.BAD_ORIGIN)
        self.protocol.dataReceived(data[:50])
        self.assertNoResult(self.protocol.answered)
        self.protocol.dataReceived(data[50:])
        self.assertEqual(self.successResultOf(self.protocol.answered).response.code, "bad-origin")
        self.assertFalse(self.wire.connected)

    def test_answer_to_the_end(self) -> None:
        """A response without Content-Length is read until it reaches the size limit, and then it counts."""
        self.protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\nbody")
        self.assertNoResult(self.protocol.answered)
        self.protocol.dataReceived(b"x" * 70000)
        self.assertEqual(self.successResultOf(self.protocol.answered).response.status, 200)

    def test_closed(self) -> None:
        """A TCP connection that is closed after half a status line is reported as closed without a response."""
        self.protocol.dataReceived(b"HTTP/1.1 2")
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reason(), "the connection was closed without an answer")

    def test_no_tls(self) -> None:
        """A failed TLS handshake is reported as such."""
        self.protocol.connectionLost(Failure(SSL.Error([])))
        self.assertEqual(self.reason(), "TLS could not be agreed on")

    def test_something_else(self) -> None:
        """A server of another protocol is reported as soon as its first bytes arrive."""
        self.protocol.dataReceived(b"SSH-2.0-OpenSSH_9.2\r\n")
        self.assertEqual(self.reason(), "what answers there does not speak HTTP/1.1")

    def test_reasons(self) -> None:
        """Each error of an attempt to open a TCP connection has its own text."""
        errors = (DNSLookupError(), ConnectionRefusedError(), TimeoutError(), NoRouteError())
        texts = [
            "its name has no address",
            "nothing listens there",
            "nothing answers within 5 s",
            "there is no way to it",
        ]
        self.assertEqual([unreachable(error) for error in errors], texts)


class Dialect(PlainDialect):
    """A dialect with the subprotocol that the doctor offers."""

    subprotocol = SUBPROTOCOL


class SessionTests(SynchronousTestCase):
    """Tests of a session between the doctor and signald's own server over a transport in memory."""

    def setUp(self) -> None:
        """Create a server."""
        self.clock, limits = Clock(), Limits(ping_seconds=5.0)
        self.record = RecordingSwitchboard()
        self.server = SignalingFactory(
            make_port(self.clock, self.record.as_switchboard, limits=limits, dialects=[Dialect])
        )

    def open(self, seconds: float) -> tuple[SessionFactory, Any]:
        """Open a session that stays idle for `seconds`, and return it with the pump that carries its bytes."""
        factory = SessionFactory(URL, seconds, self.clock)
        client, server = factory.buildProtocol(None), self.server.buildProtocol(None)
        assert client is not None
        assert server is not None
        pump = connect(server, FakeTransport(server, True), client, FakeTransport(client, False))
        pump.flush()
        return factory, pump

    def test_welcome_and_idle(self) -> None:
        """The session sends hello, counts pings and sends pongs, and closes itself after its idle time."""
        factory, pump = self.open(12.0)
        (peer,) = self.record.connections
        self.assertEqual([json.loads(frame)["type"] for _, frame in self.record.heard], ["hello"])
        self.record.connections[peer].send_text(b'{"type": "welcome"}')
        pump.flush()
        for _ in range(120):
            self.clock.advance(0.1)
            pump.flush()
        self.clock.advance(0.1)
        pump.flush()
        found = self.successResultOf(factory.ended)
        self.assertEqual((found.answer, found.pings, found.lost), ("welcome", 2, False))

    def test_closed_by_the_other_side(self) -> None:
        """If the server closes the session early, the record has the error code and the seconds until the close."""
        factory, pump = self.open(60.0)
        (peer,) = self.record.connections
        self.record.connections[peer].send_text(b'{"type": "error", "code": "server-full"}')
        pump.flush()
        self.clock.advance(3.0)
        self.record.connections[peer].close(1012, "going-away")
        pump.flush()
        found = self.successResultOf(factory.ended)
        self.assertEqual(found, SessionRecord("error", "server-full", 0, 3.0, True))

    def test_no_answer(self) -> None:
        """The session ends after a timeout if the server does not respond to hello."""
        factory, pump = self.open(60.0)
        self.clock.advance(5.1)
        pump.flush()
        self.assertEqual(self.successResultOf(factory.ended).answer, None)

    def test_an_answer_that_is_none(self) -> None:
        """A message of another protocol is not recorded as a welcome."""
        for frame in (b"hi", b"[]", b"5", b"{}", b'{"type": "x", "code": []}'):
            factory, pump = self.open(0.0)
            peer = list(self.record.connections)[-1]
            self.record.connections[peer].send_text(frame)
            pump.flush()
            self.clock.advance(0.1)
            pump.flush()
            self.assertIn(self.successResultOf(factory.ended).answer, ("", "x"))


class ExaminationTests(SynchronousTestCase):
    """Tests of `examine`, which runs all checks."""

    def setUp(self) -> None:
        """Create a target that listens on no port."""
        path = Path(self.mktemp()).resolve()
        path.mkdir(mode=0o700)
        self.clock = Clock()
        config = Config(path, port=0, limits=Limits(connections=1))
        self.target = DoctorTarget(config, None, None, trusted_store([]), NOW, seconds=5.0)

    def examine(self, target: DoctorTarget) -> Deferred[list[Finding]]:
        """Start the examination."""
        return Deferred.fromCoroutine(examine(target, self.clock, self.in_thread))

    def in_thread(self, call: Any, *arguments: Any) -> Deferred[Any]:
        """Return a Deferred that never fires, in place of running the call in a thread."""
        return Deferred()

    def test_order(self) -> None:
        """The topics are always in the same order, and no delayed call is left."""
        topics = [found.topic for found in self.successResultOf(self.examine(self.target))]
        self.assertEqual(
            list(dict.fromkeys(topics)), ["files", "descriptors", "ports", "clock", "certificate", "public"]
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_check_that_does_not_end(self) -> None:
        """A check that does not end is reported as a failure after its timeout."""
        ice = Ice(servers=(IceServer(("stun:stun.example.org",)),))
        target = evolve(self.target, config=evolve(self.target.config, ice=ice))
        done = self.examine(target)
        self.clock.advance(4.9)
        self.assertNoResult(done)
        self.clock.advance(0.2)
        found = self.successResultOf(done)[-1]
        self.assertEqual((found.topic, found.mark), ("ice", Mark.FAILURE))
        self.assertIn("did not end in time", found.text)

    def test_a_check_that_raises(self) -> None:
        """A check that raises an exception is reported as a failure, and the log has the traceback."""
        self.in_thread = lambda *_: 1 / 0  # type: ignore[method-assign,assignment] # what is to happen
        ice = Ice(servers=(IceServer(("stun:stun.example.org",)),))
        done = self.examine(evolve(self.target, config=evolve(self.target.config, ice=ice)))
        self.assertIn("an error of the doctor's own", self.successResultOf(done)[-1].text)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_an_unusable_secret(self) -> None:
        """A TURN secret that cannot be read is reported as a failure."""
        ice = Ice(turn_urls=("turn:turn.example.org",), turn_secret_file=self.target.config.data_dir / "nothing")
        done = self.examine(evolve(self.target, config=evolve(self.target.config, ice=ice)))
        found = self.successResultOf(done)[-1]
        self.assertEqual((found.topic, found.mark), ("ice", Mark.FAILURE))
        self.assertIn("nothing cannot be read", found.text)
