"""Tests of the doctor's examination as a whole, and of its checks of the clock, the certificate and a session."""

from __future__ import annotations

import ctypes
import json
import resource
import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from attrs import evolve
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.test.iosim import FakeTransport, connect
from twisted.trial.unittest import SynchronousTestCase

from signald.config.checks import Doubt
from signald.config.settings import Config, Ice, Operations, Tokens, Webhook
from signald.core.ice_server import IceServer
from signald.core.limits import Limits
from signald.doctor.chain import trusted_store
from signald.doctor.clock import judge_clock, judge_date, kernel_synchronised
from signald.doctor.examination import DoctorTarget, examine
from signald.doctor.findings import Finding, Mark, warning
from signald.doctor.handshakes import SUBPROTOCOL
from signald.doctor.own_certificate import check_certificate_files, local_authority
from signald.doctor.session import SessionFactory, SessionRecord
from signald.doctor.targets import PublicUrl
from signald.net.keyfiles import certificates_pem, key_pem
from signald.server.factory import SignalingFactory
from signald.tls.certificates import LocalCertificate
from tests.support.certificates import self_signed
from tests.support.endpoints import PlainDialect, RecordingSwitchboard
from tests.support.machines import NOW, machine
from tests.support.memory_network import MemoryNetwork
from tests.support.memory_server import make_port
from tests.support.operations_world import OperationsWorld

URL = PublicUrl.read("http://calls.example.org/")


class ClockTests(SynchronousTestCase):
    """Tests of the findings about this machine's clock."""

    def test_synchronised(self) -> None:
        """A clock without a time service is a warning; the check is skipped if the kernel does not report it."""
        marks = {state: judge_clock(state).mark for state in (True, False, None)}
        self.assertEqual(marks, {True: Mark.OK, False: Mark.WARNING, None: Mark.SKIPPED})
        self.assertIn(kernel_synchronised(), (True, False, None))

    def test_no_answer_of_the_kernel(self) -> None:
        """The state is unknown if the C library has no adjtimex(2), or if the kernel does not permit the call."""
        self.patch(ctypes, "CDLL", Mock(side_effect=OSError))
        self.assertIsNone(kernel_synchronised())
        self.patch(ctypes, "CDLL", Mock(return_value=Mock(adjtimex=lambda _: -1)))
        self.assertIsNone(kernel_synchronised())

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

    def test_answer_of_another_protocol(self) -> None:
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
            list(dict.fromkeys(topics)),
            ["files", "descriptors", "ports", "readiness", "clock", "certificate", "public"],
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_doubtful_settings(self) -> None:
        """Each doubtful setting is a warning; the data directory is judged with the files."""
        found = (
            Doubt(("limits", "session_members"), "c.toml, line 2", "50 is more than 8.", "Set 8."),
            Doubt(("data_dir",), "data_dir", "It cannot be written.", "Give it to signald."),
        )
        [finding] = [
            one
            for one in self.successResultOf(self.examine(evolve(self.target, doubts=found)))
            if one.topic == "configuration"
        ]
        self.assertEqual(finding, warning("configuration", "c.toml, line 2: 50 is more than 8.", "Set 8."))

    def open_port(self) -> int:
        """Listen on a free port of this machine, and return its number."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        port: int = listening.getsockname()[1]
        return port

    def findings(self, seconds: float = 1.0, **changes: Any) -> list[Finding]:
        """Return the findings at a target with other settings, in a network in which no server responds."""
        url, slow = changes.pop("url", None), changes.pop("slow", False)
        config = evolve(self.target.config, tls=False, interface="127.0.0.1", **changes)
        target, network = evolve(self.target, config=config, url=url, slow=slow), MemoryNetwork()
        done = Deferred.fromCoroutine(examine(target, network, self.in_thread))
        network.run_for(seconds)
        return self.successResultOf(done)

    def texts(self, topic: str, **changes: Any) -> list[str]:
        """Return the texts of the findings about one topic."""
        return [found.text for found in self.findings(**changes) if found.topic == topic]

    def test_every_port(self) -> None:
        """Each configured port is checked: that of the page, the bare WebSocket port, and the operator's."""
        ports = [self.open_port() for _ in range(3)]
        operations = Operations(port=ports[2], interface="127.0.0.1")
        texts = self.texts("ports", port=ports[0], ws_port=ports[1], operations=operations)
        self.assertEqual(len(texts), 3)
        for text, port, setting in zip(texts, ports, ("port", "ws_port", "operations.port"), strict=True):
            self.assertIn(f"Port {port} of 127.0.0.1 ({setting}) is taken by", text)

    def test_page_of_this_machine(self) -> None:
        """Without a public address, the page is looked for at this machine's own port if a process listens on it."""
        (text,) = self.texts("public", port=self.open_port())
        self.assertIn("cannot be reached: nothing listens there", text)

    def test_path_of_this_machine(self) -> None:
        """The page is looked for below the path of the configuration."""
        requests: list[bytes] = []

        class Recorder(Protocol):
            """A server that records what it receives, and closes the connection."""

            def dataReceived(self, data: bytes) -> None:
                """Record the first line."""
                requests.append(data.partition(b"\r\n")[0])
                assert self.transport is not None
                self.transport.loseConnection()

        config = evolve(self.target.config, tls=False, interface="127.0.0.1", port=self.open_port(), path="/calls/")
        network = MemoryNetwork()
        network.site = Factory.forProtocol(Recorder)
        done = Deferred.fromCoroutine(examine(evolve(self.target, config=config), network, self.in_thread))
        network.run_for(1.0)
        self.successResultOf(done)
        self.assertIn(b"GET /calls/ws HTTP/1.1", requests)

    def test_page_behind_a_proxy_header(self) -> None:
        """The page is not looked for at a port on which signald would expect a PROXY header from this machine."""
        local = (ip_network("127.0.0.1"),)
        changes = {"port": self.open_port(), "proxy_protocol": True, "trusted_proxies": local}
        self.assertEqual(self.texts("public", **changes), ["The page: no --url was given, and nothing answers here."])
        self.assertIn("would expect a PROXY header from here", self.texts("ports", **changes)[0])

    def test_public_address(self) -> None:
        """The page is looked for at its public address; the idle timeout of proxies is only measured on request."""
        (text,) = self.texts("public", url=URL)
        self.assertIn("http://calls.example.org cannot be reached", text)
        self.assertEqual(self.texts("proxy", url=URL), ["Its idle timeout: --slow measures it."])
        self.assertEqual(self.texts("proxy", url=URL, slow=True), ["Its idle timeout: no WebSocket opens."])

    def test_limit_of_this_user(self) -> None:
        """If signald does not run, the limit of open files is that of a process that this user would start."""
        for hard, said in ((4096, "4,096 open files"), (resource.RLIM_INFINITY, "any number of open files")):
            self.patch(resource, "getrlimit", lambda _, hard=hard: (1024, hard))
            self.assertIn(f"A process started from here may have {said}", self.texts("descriptors")[0])

    def test_limit_of_the_running_process(self) -> None:
        """If a process listens on the port, its own limit of open files is compared with the limit of connections."""
        self.assertRegex(self.texts("descriptors", port=self.open_port())[0], r"\Asignald \(process \d+\) may have ")

    def test_what_the_daemon_says(self) -> None:
        """The operations listener is asked for what is degraded, if a port is configured."""
        world = OperationsWorld()
        world.readiness.set_warning("reload-refused", "It was refused.")
        config = evolve(self.target.config, operations=Operations(port=9001))
        network = MemoryNetwork(world.site)
        done = Deferred.fromCoroutine(examine(evolve(self.target, config=config), network, self.in_thread))
        network.run_for(1.0)
        texts = [found.text for found in self.successResultOf(done) if found.topic == "readiness"]
        self.assertEqual(texts, ["The running signald says: reload-refused: It was refused."])

    def test_an_unknown_operations_listener(self) -> None:
        """Where no port of the operations listener is configured, the doctor says that it has asked nobody."""
        [finding] = [one for one in self.findings() if one.topic == "readiness"]
        self.assertEqual(finding.mark, Mark.SKIPPED)
        self.assertIn("name its port there (9001)", finding.text)

    def test_what_tokens_and_joins_depend_on(self) -> None:
        """Token keys are checked, and a webhook is asked."""
        secret = self.target.config.data_dir / "secret"
        secret.touch(mode=0o600)
        secret.write_text("x" * 32)
        self.assertEqual(self.texts("tokens", tokens=Tokens(secret_file=secret)), ["One key verifies tokens."])
        webhook = Webhook(url="http://127.0.0.1:1/may", secret_file=secret)
        [text] = self.texts("webhook", webhook=webhook)
        self.assertEqual(text, "http://127.0.0.1:1/may cannot be reached: nothing listens there.")

    def test_minted_credentials(self) -> None:
        """A TURN server that shares a secret with signald is checked with credentials that are derived from it."""
        secret = self.target.config.data_dir / "secret"
        secret.touch(mode=0o600)
        secret.write_text("x" * 32)
        ice = Ice(turn_urls=("turn:192.0.2.1",), turn_secret_file=secret)
        (text,) = self.texts("ice", ice=ice)
        self.assertEqual(text, "turn:192.0.2.1 cannot be reached: nothing listens there.")

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
