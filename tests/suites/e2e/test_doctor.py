"""Tests `signald doctor` against a correct set-up and broken set-ups, as docs/doctor.md shows them."""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
import time
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.trial.unittest import SynchronousTestCase

from signald.doctor.findings import Finding, Mark
from signald.net.keyfiles import certificates_pem, key_pem
from tests.suites.e2e.clinic import BEHIND_PROXY, LOCALHOST, SHARED_SECRET, Clinic, SecretTurnServer, show, shown
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import SCRIPTS, Program, run
from tests.suites.e2e.reverse_proxy import HAProxy, Nginx
from tests.suites.e2e.turn import free_port
from tests.suites.e2e.waiting import until
from tests.support.access import jwks
from tests.support.certificates import self_signed
from tests.support.machines import DAY

HOST_LINE = "            proxy_set_header Host $http_host;\n"
UPGRADE_LINE = "            proxy_set_header Upgrade $http_upgrade;\n"
FORWARDED_LINE = "            proxy_set_header X-Forwarded-For $remote_addr;\n"

LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))

#: A limit of connections that the descriptor limit of every test machine allows.
FEW = ("--limit", "connections=1000")


class DoctorTests(SynchronousTestCase):
    """Tests of the doctor's findings and exit status."""

    def setUp(self) -> None:
        """Create a directory for the set-ups."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        self.clinic = Clinic(directory)

    def daemon(self, *options: str) -> Daemon:
        """Start signald, by default with the options for a reverse proxy."""
        daemon = Daemon(self.clinic.directory / "signald", *(options or BEHIND_PROXY))
        self.addCleanup(daemon.stop)
        return daemon

    def turn(self, secret: str) -> SecretTurnServer:
        """Start a TURN server."""
        server = SecretTurnServer(self.clinic.directory, secret)
        self.addCleanup(server.program.stop)
        return server

    def failures(self, name: str, *options: str) -> list[Finding]:
        """Run the doctor on a broken set-up: the exit status is 1, and the document shows the findings."""
        return self.findings(name, Mark.FAILURE, *options)

    def findings(self, name: str, worst: Mark, *options: str) -> list[Finding]:
        """Run the doctor, and return its findings of the worst mark, which are in the document."""
        status, findings = self.clinic.examine(*options)
        found = [finding for finding in findings if finding.mark is worst]
        self.assertEqual(status, 1 if worst is Mark.FAILURE else 0, findings)
        self.assertTrue(all(finding.remedy for finding in found), found)
        text = self.clinic.as_document(findings)
        show(name, text)
        self.assertEqual(text, shown(name))
        return found

    def before_the_start(self) -> list[str]:
        """Return the options of a signald that does not run yet, and write its files under a name for the document."""
        self.clinic.names[str(self.clinic.directory)] = "/etc/signald"
        return ["--data-dir", str(self.clinic.directory / "data"), "--port", "0", *FEW]

    def write(self, name: str, content: bytes, mode: int = 0o600) -> str:
        """Write a file of the configuration, and return its path."""
        path = self.clinic.directory / name
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    def behind(self, name: str, changes: dict[str, str], *options: str, path: str = "") -> list[Finding]:
        """Run the doctor on a signald with options behind an nginx whose file is changed, below a path of its URL."""
        daemon = self.daemon(*BEHIND_PROXY, *options)
        proxy = self.clinic.proxy(Nginx, daemon, changes=changes)
        self.addCleanup(proxy.stop)
        url = f"{proxy.url}{path}"
        return self.failures(name, *BEHIND_PROXY, *FEW, *self.clinic.call(daemon), "--url", url, *options)

    def test_good(self) -> None:
        """Behind nginx, with a TURN server that shares a secret, the doctor finds no failure and prints no secret."""
        daemon, turn = self.daemon(), self.turn(SHARED_SECRET)
        proxy = self.clinic.proxy(Nginx, daemon)
        self.addCleanup(proxy.stop)
        options = [*BEHIND_PROXY, *FEW, *self.clinic.call(daemon), "--url", proxy.url]
        status, findings = self.clinic.examine(*options, *self.clinic.turn_options(turn.port))
        self.assertEqual(status, 0, findings)
        self.assertEqual({finding.mark for finding in findings}, {Mark.OK, Mark.SKIPPED})
        self.assertNotIn(SHARED_SECRET, repr(findings))
        text = self.clinic.as_document(findings, whole=True)
        show("good", text)
        self.assertEqual(text, shown("good"))

    def test_good_behind_haproxy(self) -> None:
        """Behind HAProxy the doctor finds no failure either, and an idle WebSocket stays open."""
        limits = ("--limit", "ping-seconds=1", "--limit", "pong-seconds=1")
        daemon = self.daemon(*BEHIND_PROXY, *limits)
        proxy = self.clinic.proxy(HAProxy, daemon)
        self.addCleanup(proxy.stop)
        options = [*BEHIND_PROXY, *FEW, *limits, *self.clinic.call(daemon), "--url", proxy.url, "--slow"]
        status, findings = self.clinic.examine(*options)
        self.assertEqual(status, 0, findings)
        self.assertTrue(any("An idle WebSocket lives" in finding.text for finding in findings), findings)

    def test_good_without_a_proxy(self) -> None:
        """With the local authority the doctor trusts the certificate here, and the certificate matches the name."""
        daemon = self.daemon("--interface", "127.0.0.1")
        options = ["--interface", "127.0.0.1", *FEW, *self.clinic.call(daemon), "--url", daemon.url]
        status, findings = self.clinic.examine(*options)
        self.assertEqual(status, 0, findings)
        self.assertEqual({finding.mark for finding in findings}, {Mark.OK, Mark.SKIPPED})

    def test_upgrade_is_not_passed_on(self) -> None:
        """The finding reports that the proxy does not forward the Upgrade header of a WebSocket."""
        (found,) = self.behind("upgrade", {UPGRADE_LINE: ""})
        self.assertIn("Upgrade is not passed on", found.text)

    def test_host_is_rewritten(self) -> None:
        """The finding reports that the proxy rewrites the Host header, so that the page's own origin is refused."""
        (found,) = self.behind("host", {HOST_LINE: ""})
        self.assertIn("Host is not passed on: signald saw Host: signald", found.text)

    def test_proxy_is_not_trusted(self) -> None:
        """The finding names the address of a proxy that signald does not trust."""
        options = ("--no-tls", "--interface", "127.0.0.1")
        daemon = self.daemon(*options)
        proxy = self.clinic.proxy(Nginx, daemon)
        self.addCleanup(proxy.stop)
        (found,) = self.failures("trust", *options, *FEW, *self.clinic.call(daemon), "--url", proxy.url)
        self.assertIn("127.0.0.1 is not trusted", found.text)

    def test_forged_address(self) -> None:
        """The finding reports that the proxy passes on the client's own X-Forwarded-For."""
        (found,) = self.behind("forged", {FORWARDED_LINE: ""})
        self.assertIn("that a client has made up", found.text)

    def test_good_under_a_path(self) -> None:
        """Under a path the doctor finds no failure, whether the proxy strips the path or passes it on."""
        for strips, options in ((True, ()), (False, ("--path", "/calls"))):
            daemon = Daemon(self.clinic.directory / f"signald-{strips}", *BEHIND_PROXY, *options)
            self.addCleanup(daemon.stop)
            proxy = self.clinic.proxy(Nginx, daemon, changes=Nginx.under_a_path(strips=strips))
            self.addCleanup(proxy.stop)
            url = f"{proxy.url}calls"
            call = self.clinic.call(daemon)
            status, findings = self.clinic.examine(*BEHIND_PROXY, *FEW, *options, *call, "--url", url)
            self.assertEqual(status, 0, findings)
            self.assertIn(f"The page at {url}/ comes", " ".join(finding.text for finding in findings))

    def test_files_are_not_passed_on(self) -> None:
        """The finding names a file of the page that does not come, although page and WebSocket do."""
        other = "location / {\n            return 404;\n        }\n"
        only = f"{other}        location ~ ^/calls/(ws)?$ {{\n            rewrite ^/calls(/.*)$ $1 break;"
        (found,) = self.behind("files", {"location / {": only}, path="calls/")
        self.assertIn("comes, but it does not start: /calls/assets/style.", found.text)

    def test_path_is_not_stripped(self) -> None:
        """The finding reports that the proxy passes a path on which signald does not expect."""
        (found,) = self.behind("path", Nginx.under_a_path(strips=False), path="calls/")
        self.assertIn("signald answers, but not for /calls/ws: the proxy passes /calls on", found.text)

    def test_path_is_stripped(self) -> None:
        """The finding reports that the proxy strips the path which signald expects."""
        (found,) = self.behind("stripped", Nginx.under_a_path(strips=True), "--path", "/calls", path="calls/")
        self.assertIn("signald answers, but not for /calls/ws: the proxy strips /calls", found.text)

    def test_short_timeout(self) -> None:
        """The finding reports that the proxy closes an idle WebSocket before signald sends a ping."""
        limits = ("--limit", "ping-seconds=6", "--limit", "pong-seconds=1")
        daemon = self.daemon(*BEHIND_PROXY, *limits)
        proxy = self.clinic.proxy(Nginx, daemon, changes={"proxy_read_timeout 120s": "proxy_read_timeout 2s"})
        self.addCleanup(proxy.stop)
        options = [*BEHIND_PROXY, *FEW, *limits, *self.clinic.call(daemon), "--url", proxy.url, "--slow"]
        (found,) = self.failures("timeout", *options)
        self.assertIn("An idle WebSocket is closed after 2 s", found.text)

    def test_nothing_behind_the_proxy(self) -> None:
        """The finding reports that no daemon runs behind the proxy."""
        daemon = self.daemon()
        proxy = self.clinic.proxy(Nginx, daemon)
        self.addCleanup(proxy.stop)
        options = self.clinic.call(daemon)
        daemon.stop()
        (found,) = self.failures("down", *BEHIND_PROXY, *FEW, *options, "--url", proxy.url)
        self.assertIn("The proxy answers 502", found.text)

    def test_certificate_of_another_name(self) -> None:
        """The finding names the host names in the certificate of another host."""
        daemon = self.daemon()
        pair = self.clinic.authority.issue(x509.DNSName("www.example.org"))
        proxy = self.clinic.proxy(Nginx, daemon, pair=pair)
        self.addCleanup(proxy.stop)
        (found,) = self.failures("name", *BEHIND_PROXY, *FEW, *self.clinic.call(daemon), "--url", proxy.url)
        self.assertIn("is not for localhost; it names www.example.org", found.text)

    def test_incomplete_chain(self) -> None:
        """The finding names the missing intermediate certificate."""
        daemon = self.daemon()
        proxy = self.clinic.proxy(Nginx, daemon, chain=1)
        self.addCleanup(proxy.stop)
        (found,) = self.failures("chain", *BEHIND_PROXY, *FEW, *self.clinic.call(daemon), "--url", proxy.url)
        self.assertIn("“Test Intermediate”, which issued “a server”, is neither sent nor trusted", found.text)

    def test_expired_certificate(self) -> None:
        """The finding names the date on which the certificate expired, and no other check fails."""
        daemon = self.daemon()
        pair = self.clinic.authority.issue(LOCALHOST, start=timedelta(days=-91), end=timedelta(days=-1))
        proxy = self.clinic.proxy(Nginx, daemon, pair=pair)
        self.addCleanup(proxy.stop)
        (found,) = self.failures("expired", *BEHIND_PROXY, *FEW, *self.clinic.call(daemon), "--url", proxy.url)
        self.assertIn(" ended on ", found.text)

    def test_wrong_turn_secret(self) -> None:
        """The findings distinguish a wrong TURN secret from an unreachable TURN server, over UDP and TCP."""
        daemon, turn = self.daemon(), self.turn("f" * 32)
        options = self.clinic.turn_options(turn.port)
        found = self.failures("secret", *BEHIND_PROXY, *FEW, *self.clinic.call(daemon), *options)
        self.assertEqual([finding.text.count("refuses the credentials") for finding in found], [1, 1])

    def test_turn_server_is_down(self) -> None:
        """The finding reports that the STUN and TURN server cannot be reached."""
        daemon = self.daemon()
        options = self.clinic.turn_options(free_port())
        found = self.failures("turn-down", *BEHIND_PROXY, *FEW, *self.clinic.call(daemon), *options)
        self.assertEqual([finding.text.count("cannot be reached") for finding in found], [1, 1, 1])

    def test_port_of_another_program(self) -> None:
        """The finding names the program that uses the port."""
        port = free_port()
        program = Program([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)])
        self.addCleanup(program.stop, signal.SIGKILL)
        until(lambda: "Serving" in program.stdout, 20, "the other program to listen")
        data = self.clinic.directory / "data"
        self.clinic.names |= {
            str(data): "/var/lib/signald",
            str(port): "9000",
            "python3": "python",
            "python3.11": "python",
        }
        options = ["--port", str(port), "--data-dir", str(data), "--interface", "127.0.0.1"]
        found = self.failures("port", *options, *FEW)
        self.assertIn("is taken by python", found[0].text)

    def test_few_descriptors(self) -> None:
        """The doctor checks the descriptor limit of the running daemon, not the doctor's own limit."""
        daemon = self.daemon()
        resource.prlimit(daemon.program.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
        (found,) = self.failures("descriptors", *BEHIND_PROXY, *FEW, *self.clinic.call(daemon))
        self.assertIn("enough for 960 connections only", found.text)

    def test_key_that_others_can_read(self) -> None:
        """The finding reports a key that other users can read before signald refuses to start with it."""
        pair = self.clinic.authority.issue(LOCALHOST)
        certificate, key = self.clinic.directory / "fullchain.pem", self.clinic.directory / "privkey.pem"
        certificate.write_bytes(certificates_pem(pair.chain))
        key.write_bytes(key_pem(pair.key))
        key.chmod(0o644)
        found = self.failures("key", *self.before_the_start(), "--cert", str(certificate), "--key", str(key))
        self.assertEqual(["0644" in finding.text for finding in found], [True])

    def test_certificate_that_no_browser_takes(self) -> None:
        """The finding reports a certificate with a key of a kind that browsers do not take."""
        pair = self_signed(Ed25519PrivateKey.generate(), start=time.time() - DAY, end=time.time() + 60.5 * DAY)
        certificate = self.write("fullchain.pem", certificates_pem(pair.chain))
        key = self.write("privkey.pem", key_pem(pair.key))
        authority = self.write("authority-of-its-own.pem", certificates_pem(pair.chain))
        options = [*self.before_the_start(), "--cert", certificate, "--key", key, "--ca", authority]
        (found,) = self.failures("ed25519", *options)
        self.assertIn("Ed25519", found.text)

    def test_dead_webhook(self) -> None:
        """The finding reports that nobody can open or join, since nothing answers for the webhook."""
        secret, port = self.write("webhook-secret", b"x" * 32), free_port()
        self.clinic.names[f"127.0.0.1:{port}"] = "127.0.0.1:8700"
        url = f"http://127.0.0.1:{port}/may-join"
        options = ["--webhook-url", url, "--webhook-secret-file", secret]
        (found,) = self.failures("webhook", *self.before_the_start(), *options)
        self.assertIn("cannot be reached: nothing listens there", found.text)

    def test_ended_jwks(self) -> None:
        """The finding reports that every key of the JWKS has ended, so that newer tokens are refused."""
        path = self.write("jwks.json", jwks(exp=time.time() - DAY).encode(), 0o644)
        (found,) = self.failures("jwks", *self.before_the_start(), "--tokens-jwks-file", path)
        self.assertIn("has ended by what the file says", found.text)

    def test_server_that_browsers_do_not_use(self) -> None:
        """The finding reports a STUN server over TLS, which is sound and of no use to a browser."""
        turn = SecretTurnServer(self.clinic.directory, SHARED_SECRET, self.clinic.authority.issue(LOOPBACK))
        self.addCleanup(turn.program.stop)
        self.clinic.names[f"127.0.0.1:{turn.tls_port}"] = "turn.example.org"
        options = [*self.before_the_start(), f"--ice-server=stuns:127.0.0.1:{turn.tls_port}"]
        (found,) = self.findings("stuns", Mark.WARNING, *options)
        self.assertIn("is refused by browsers", found.text)

    def test_behind_a_proxy_header(self) -> None:
        """With the PROXY protocol, the doctor reports that it cannot check signald's own port from this machine."""
        options = [*BEHIND_PROXY, "--proxy-protocol"]
        daemon = self.daemon(*options)
        server = f"server signald 127.0.0.1:{daemon.port}"
        proxy = self.clinic.proxy(HAProxy, daemon, changes={server: f"{server} send-proxy-v2"})
        self.addCleanup(proxy.stop)
        options += [*FEW, *self.clinic.call(daemon)]
        for given in (["--url", proxy.url], []):
            status, findings = self.clinic.examine(*options, *given)
            self.assertEqual(status, 0, findings)
            self.assertEqual({finding.mark for finding in findings}, {Mark.OK, Mark.SKIPPED}, findings)

    def test_interrupted(self) -> None:
        """An interrupted doctor prints no result, and its exit status does not report success."""
        daemon = self.daemon()
        options = [*BEHIND_PROXY, *FEW, *self.clinic.call(daemon), "--slow"]
        program = Program([SCRIPTS / "signald", "doctor", *options])
        until(lambda: self.began(program, daemon), 20, "its checks")
        self.assertEqual(program.stop(signal.SIGINT), 130)
        self.assertEqual(program.stdout, "")

    def began(self, program: Program, daemon: Daemon) -> bool:
        """Return whether the doctor's process has a TCP connection to the daemon, which shows that its reactor runs."""
        folder = Path(f"/proc/{program.process.pid}")
        inodes = set[str]()
        for path in (folder / "fd").iterdir():
            # A descriptor may be closed meanwhile.
            with contextlib.suppress(FileNotFoundError):
                inodes.add(str(path.readlink()).removeprefix("socket:[").removesuffix("]"))
        lines = [line.split() for line in (folder / "net" / "tcp").read_text().splitlines()[1:]]
        return any(line[9] in inodes and line[2].endswith(f":{daemon.port:04X}") for line in lines)

    def test_turn_over_tls(self) -> None:
        """The doctor also checks the TURN server's certificate, which is for another name here."""
        daemon = self.daemon()
        pair = self.clinic.authority.issue(x509.DNSName("turn.example.org"))
        turn = SecretTurnServer(self.clinic.directory, SHARED_SECRET, pair)
        self.addCleanup(turn.program.stop)
        options = self.clinic.turn_options(turn.port)
        options.append(f"--turn-url=turns:{turn.host}:{turn.tls_port}?transport=tcp")
        status, findings = self.clinic.examine(*BEHIND_PROXY, *FEW, *self.clinic.call(daemon), *options)
        self.assertEqual(status, 1)
        said = [finding.text for finding in findings if "turns:" in finding.text]
        self.assertIn("takes the credentials and relays", said[0])
        self.assertIn("is complete, and its authority is trusted", said[2])
        self.assertIn("is not for 127.0.0.1; it names turn.example.org", said[3])

    def test_options(self) -> None:
        """Invalid options end the doctor with one sentence and status 2."""
        for options, said in (
            (["--url", "ftp://x"], "no address of a page"),
            (["--seconds", "0"], "--seconds"),
            (["--ca", "/nonexistent"], "cannot be read"),
            (["--nonsense"], "There is no option"),
        ):
            program = run([SCRIPTS / "signald", "doctor", *options])
            self.assertEqual((program.process.returncode, program.stdout), (2, ""), options)
            self.assertIn(said, program.stderr)
            self.assertEqual(program.stderr.count("\n"), 1)
