"""Creates set-ups for `signald doctor`, and compares the doctor's reports with the documentation."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define, evolve, field
from cryptography import x509
from twisted.trial.unittest import SkipTest

from signald.doctor.findings import Finding, Mark
from signald.doctor.report import as_text
from signald.net.keyfiles import Pair, certificates_pem, key_pem
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import SCRIPTS, Program, run
from tests.suites.e2e.reverse_proxy import ReverseProxy
from tests.suites.e2e.turn import HOST, free_port
from tests.suites.e2e.waiting import until
from tests.support.public_authority import PublicAuthority

#: The document that shows the doctor's output.
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "doctor.md"

#: signald's options behind a proxy on the same machine.
BEHIND_PROXY = ("--no-tls", "--interface", "127.0.0.1", "--trusted-proxy", "127.0.0.1")

#: The environment variable that makes the tests write the document instead of comparing with the document.
WRITE = "TEST_WRITE_DOCTOR_DOCUMENT"

LOCALHOST = x509.DNSName("localhost")

SHARED_SECRET = "0123456789abcdef0123456789abcdef"


class SecretTurnServer:
    """A coturn that shares a secret with signald and refuses private peers, as `deploy` recommends.

    Attributes:
        program: coturn's process.
        host: coturn's address.
        port: coturn's port for UDP and TCP.
        tls_port: coturn's port for TLS, if coturn has a certificate.

    """

    host = HOST

    def __init__(self, directory: Path, secret: str, pair: Pair | None = None) -> None:
        """Start coturn, and wait until it listens.

        Arguments:
            directory: the directory for coturn's files.
            secret: the secret that coturn shares with signald.
            pair: coturn's certificate and key, for TLS.

        Raises:
            SkipTest: coturn is not installed.

        """
        if shutil.which("turnserver") is None:
            raise SkipTest("coturn is not installed")
        self.port, self.tls_port = free_port(), free_port()
        options = ["--no-dtls", "--no-cli", "--use-auth-secret", f"--static-auth-secret={secret}"]
        options += [f"--listening-ip={HOST}", f"--relay-ip={HOST}", f"--listening-port={self.port}"]
        options += ["--realm=signald.test", "--log-file=stdout", "--simple-log", "--no-multicast-peers"]
        options += [f"--tls-listening-port={self.tls_port}"] if pair else ["--no-tls"]
        if pair is not None:
            certificate, key = directory / "turn.pem", directory / "turn-key.pem"
            certificate.write_bytes(certificates_pem(pair.chain))
            key.write_bytes(key_pem(pair.key))
            options += [f"--cert={certificate}", f"--pkey={key}"]
        options += ["--denied-peer-ip=10.0.0.0-10.255.255.255", "--denied-peer-ip=192.168.0.0-192.168.255.255"]
        options += ["-c", "/dev/null", f"--userdb={directory / 'turndb'}", "--pidfile=/dev/null"]
        self.program = Program(["turnserver", *options])
        try:
            until(self._listens, 20, "coturn to listen")
        except BaseException:
            self.program.stop()
            raise

    def _listens(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            return tcp.connect_ex((HOST, self.port)) == 0


@define
class Clinic:
    """Creates set-ups of daemons, proxies and TURN servers in a directory.

    Attributes:
        directory: the directory of the test.
        authority: the certificate authority that the doctor trusts.
        names: the document's replacement for each host, port and path of the test.

    """

    directory: Path
    authority: PublicAuthority = field(factory=PublicAuthority.create)
    names: dict[str, str] = field(factory=dict)

    @property
    def trust(self) -> list[str]:
        """The doctor's option that names the trusted certificate authority."""
        path = self.directory / "authority.pem"
        path.write_bytes(certificates_pem((self.authority.root,)))
        return ["--ca", str(path)]

    def call(self, daemon: Daemon) -> list[str]:
        """Assign names for the document to a daemon's port and directory, and return the doctor's options for them."""
        self.names |= {f"port {daemon.port}": "port 9000", str(daemon.data): "/var/lib/signald"}
        return ["--port", str(daemon.port), "--data-dir", str(daemon.data)]

    def proxy(
        self,
        kind: type[ReverseProxy],
        daemon: Daemon,
        *,
        pair: Pair | None = None,
        chain: int = 2,
        changes: Mapping[str, str] | None = None,
    ) -> ReverseProxy:
        """Start a reverse proxy in front of a daemon.

        Arguments:
            kind: the class of the proxy.
            daemon: the daemon behind the proxy.
            pair: the proxy's certificate and key; by default a certificate for localhost.
            chain: the number of certificates of the chain that the proxy sends.
            changes: replacements in the proxy's file in `deploy/`.

        """
        shown = pair or self.authority.issue(LOCALHOST)
        folder = self.directory / f"proxy-{len(list(self.directory.iterdir()))}"
        proxy = kind(folder, daemon.port, certificates_pem(shown.chain[:chain]), key_pem(shown.key), changes)
        self.names[f"localhost:{proxy.port}"] = "calls.example.org"
        return proxy

    def turn_options(self, port: int, secret: str = SHARED_SECRET) -> list[str]:
        """Return options for a TURN server on a port that shares a secret with signald."""
        path = self.directory / "turn-secret"
        path.write_text(secret)
        path.chmod(0o600)
        self.names |= {f"{HOST}:{port}": "turn.example.org", f"port {port} of {HOST}": "port 3478 of turn.example.org"}
        urls = [f"turn:{HOST}:{port}?transport={transport}" for transport in ("udp", "tcp")]
        options = [f"--turn-url={url}" for url in urls]
        return [f"--ice-server=stun:{HOST}:{port}", *options, f"--ice-turn-secret-file={path}"]

    def examine(self, *options: str) -> tuple[int, list[Finding]]:
        """Run the doctor; return its exit status, and its findings except that about the time service."""
        command: list[str | Path] = [SCRIPTS / "signald", "doctor", "--json", *self.trust, *options]
        program = run(command, seconds=90, environment={"HOME": str(self.directory)})
        if program.stderr:
            raise AssertionError(program.stderr)
        found = [
            Finding(one["topic"], Mark(one["mark"]), one["text"], one.get("remedy"))
            for one in json.loads(program.stdout)["findings"]
        ]
        return program.process.returncode, [one for one in found if "time service" not in one.text]

    def as_document(self, findings: Sequence[Finding], *, whole: bool = False) -> str:
        """Return the report in the form of the document: only warnings and failures, or all findings."""
        shown = [finding for finding in findings if whole or finding.mark in (Mark.WARNING, Mark.FAILURE)]
        lines = as_text([self._renamed(finding) for finding in shown], colour=False).splitlines()
        return "\n".join([*lines[:-1], as_text(findings, colour=False).splitlines()[-1]])

    def _renamed(self, finding: Finding) -> Finding:
        text, remedy = self._rename(finding.text), finding.remedy and self._rename(finding.remedy)
        if finding.mark is Mark.OK:
            text = re.sub(r"may have [\d,]+ open files", "may have 20,000 open files", text)
        return evolve(finding, text=text, remedy=remedy)

    def _rename(self, text: str) -> str:
        # The longest replacement comes first, since one text may contain another.
        for old in sorted(self.names, key=len, reverse=True):
            text = text.replace(old, self.names[old])
        for pattern, plain in (
            (r"process \d+", "process 1234"),
            (r"[\d,]+ MiB", "20,480 MiB"),
            (r"\d{4}-\d\d-\d\d", "2027-02-01"),
            (r"\(\d+ days\)", "(60 days)"),
            (r"\.[0-9a-f]{16}\.", ".0123456789abcdef."),
            (r"\blocalhost\b", "calls.example.org"),
        ):
            text = re.sub(pattern, plain, text)
        return text


def shown(name: str) -> str:
    """Return the report that the document contains for a set-up."""
    found = _block(name).search(DOCUMENT.read_text())
    return found[2] if found else ""


def show(name: str, text: str) -> None:
    """Write the report of a set-up into the document if `TEST_WRITE_DOCTOR_DOCUMENT` is set."""
    if os.environ.get(WRITE):
        document = DOCUMENT.read_text()
        DOCUMENT.write_text(_block(name).sub(lambda found: found[1] + text + found[3], document))


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->\n\n```\n)(.*?)(\n```\n)", re.DOTALL)
