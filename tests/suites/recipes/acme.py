"""Runs the recipes of docs/certificates.md with a local ACME server: `make acme`.

The program needs certbot, caddy, and pebble with pebble-challtestsrv (https://github.com/letsencrypt/pebble), each on
the PATH or named by CERTBOT, CADDY, PEBBLE, PEBBLE_CHALLTESTSRV. All servers listen on 127.0.0.1 only, and the program
removes all of its files.
"""

from __future__ import annotations

import contextlib
import grp
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import websocket

from signald.net.addresses import machine_names
from signald.net.keyfiles import certificates_pem, key_pem, write_files
from signald.tls.authority import Authority
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import Program, run
from tests.suites.e2e.reverse_proxy import DEPLOY, changed
from tests.suites.e2e.turn import free_port
from tests.suites.e2e.waiting import until

NAME = "calls.example.org"
"""The host name in the certificates, which the DNS server of the ACME server resolves to this machine."""

PATIENCE = 90.0
"""The seconds that each step may take."""

PROGRAMS = ("certbot", "caddy", "pebble", "pebble-challtestsrv")


def say(line: str) -> None:
    """Print what happened."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def find_programs() -> dict[str, str]:
    """Return the path of each required program.

    Raises:
        SystemExit: some programs are missing; the message names them.

    """
    wanted = {name: os.environ.get(name.upper().replace("-", "_"), name) for name in PROGRAMS}
    found = {name: shutil.which(path) for name, path in wanted.items()}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise SystemExit(f"acme: not installed: {', '.join(missing)}. Name another place as in PEBBLE=/path/to/pebble.")
    return {name: path for name, path in found.items() if path is not None}


class AcmeServer:
    """Pebble, a small ACME server (RFC 8555) for tests.

    Attributes:
        directory: the URL of the ACME directory.
        trust: the PEM file of the authority that issued the certificate of the ACME server itself.
        root: the PEM file of the authority that issues the certificates.
        http_port: the port at which the server validates the HTTP-01 challenge (RFC 8555 §8.3).
        tls_port: the port at which the server validates the TLS-ALPN-01 challenge (RFC 8737).

    """

    def __init__(self, programs: dict[str, str], folder: Path, stack: contextlib.ExitStack) -> None:
        """Start the ACME server, and a DNS server that resolves every name to 127.0.0.1."""
        port, management, dns = free_port(), free_port(), free_port()
        self.http_port, self.tls_port = free_port(), free_port()
        self.directory = f"https://localhost:{port}/dir"
        self.trust, self.root = folder / "pebble-trust.pem", folder / "pebble-root.pem"
        names = machine_names()
        authority = Authority.create(names, time.time())
        pair = authority.issue(names, time.time())
        write_files({folder / "pebble.pem": certificates_pem(pair.chain), folder / "pebble-key.pem": key_pem(pair.key)})
        write_files({self.trust: certificates_pem((authority.certificate,))})
        settings = {
            "listenAddress": f"127.0.0.1:{port}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(folder / "pebble.pem"),
            "privateKey": str(folder / "pebble-key.pem"),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "retryAfter": {"authz": 1, "order": 1},
            "keyAlgorithm": "ecdsa",
            "profiles": {"default": {"description": "the usual", "validityPeriod": 90 * 86400}},
        }
        (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
        off = [f"-{server}=" for server in ("http01", "https01", "tlsalpn01", "doh", "defaultIPv6")]
        listen = ["-dnsserver", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{free_port()}"]
        self._start(stack, [programs["pebble-challtestsrv"], *listen, "-defaultIPv4", "127.0.0.1", *off])
        self._start(
            stack,
            [programs["pebble"], "-config", folder / "pebble.json", "-dnsserver", f"127.0.0.1:{dns}"],
            # These variables disable Pebble's random delays and random rejections of nonces, which test the robustness
            # of clients.
            {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        )
        context = ssl.create_default_context(cafile=self.trust)

        def fetch_root() -> bytes | None:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"https://localhost:{management}/roots/0", context=context) as answer,
            ):
                content: bytes = answer.read()
                return content
            return None

        self.root.write_bytes(until(fetch_root, PATIENCE, "the ACME server"))

    @staticmethod
    def _start(
        stack: contextlib.ExitStack, command: Sequence[str | Path], environment: dict[str, str] | None = None
    ) -> None:
        program = Program(command, environment=environment)
        stack.callback(program.stop)


@contextlib.contextmanager
def secured(port: int, root: Path) -> Iterator[tuple[ssl.SSLSocket, int]]:
    """Connect by name over TLS as a browser that trusts the authority, and verify the whole chain.

    Return the connection and the serial number of the certificate that the server presented.
    """
    context = ssl.create_default_context(cafile=root)
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=NAME) as connection,
    ):
        shown = connection.getpeercert() or {}
        yield connection, int(str(shown["serialNumber"]), 16)


def serial(port: int, root: Path) -> int:
    """Return the serial number of the certificate that the server presents on a new connection."""
    with secured(port, root) as (_, number):
        return number


@contextlib.contextmanager
def signaling(port: int, root: Path) -> Iterator[websocket.WebSocket]:
    """Open a WebSocket over a TLS connection that is verified in the same way."""
    with secured(port, root) as (connection, _):
        yield websocket.create_connection(
            f"wss://{NAME}:{port}/ws", socket=connection, subprotocols=["signald.1"], timeout=PATIENCE
        )


def ping(line: websocket.WebSocket) -> None:
    """Send a `ping` message, and assert that the server replies."""
    line.send('{"type":"ping","id":"1"}')
    assert json.loads(line.recv())["type"] == "pong"


def with_certbot(programs: dict[str, str], acme: AcmeServer, folder: Path, stack: contextlib.ExitStack) -> None:
    """Carry out the recipe with certbot: get a certificate, serve with it, and renew it during a call."""
    tls = folder / "tls"
    tls.mkdir(mode=0o750)
    environment = {
        "REQUESTS_CA_BUNDLE": str(acme.trust),
        "CERTBOT_SIGNALD_FOLDER": str(tls),
        "CERTBOT_SIGNALD_GROUP": grp.getgrgid(os.getgid()).gr_name,
    }
    folders = [
        word for name in ("config", "work", "logs") for word in (f"--{name}-dir", str(folder / f"certbot-{name}"))
    ]
    begin = time.monotonic()
    standalone = ["--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", str(acme.http_port)]
    account = ["-n", "--agree-tos", "--register-unsafely-without-email", "--server", acme.directory]
    hook = ["--deploy-hook", str(DEPLOY / "certbot-hook")]
    certbot([programs["certbot"], "certonly", "--domain", NAME, *standalone, *account, *hook, *folders], environment)
    modes = ", ".join(f"{path.name} {path.stat().st_mode & 0o777:04o}" for path in sorted(tls.iterdir()))
    say(f"certbot: a certificate after {time.monotonic() - begin:.1f} s; the hook left {modes}")
    daemon = Daemon(
        folder / "daemon",
        "--interface",
        "127.0.0.1",
        "--cert",
        str(tls / "fullchain.pem"),
        "--key",
        str(tls / "privkey.pem"),
    )
    stack.callback(daemon.stop)
    first = serial(daemon.port, acme.root)
    with signaling(daemon.port, acme.root) as line:
        ping(line)
        for number in range(2):
            certbot(
                [programs["certbot"], "renew", "--force-renewal", "--no-random-sleep-on-renew", "-n", *folders],
                environment,
            )
            begin = time.monotonic()
            if number:
                daemon.program.process.send_signal(signal.SIGHUP)
            newest = another(daemon.port, acme.root, first)
            how = "after SIGHUP" if number else "by itself"
            say(f"certbot: renewed; signald shows the new certificate {how} after {time.monotonic() - begin:.1f} s")
            first = newest
            ping(line)
        say("certbot: the WebSocket from before both renewals still answers")
    assert "certificate in use was kept" not in daemon.program.stderr, daemon.program.stderr


def another(port: int, root: Path, first: int) -> int:
    """Wait until the server presents a certificate other than the first one, and return its serial number."""

    def look() -> int | None:
        number = serial(port, root)
        return None if number == first else number

    return until(look, PATIENCE, "the renewed certificate")


def certbot(command: Sequence[str], environment: dict[str, str]) -> None:
    """Run certbot and wait for its end."""
    program = run(command, seconds=2 * PATIENCE, environment=environment)
    if program.process.returncode:
        raise AssertionError(f"certbot failed: {program.stdout}{program.stderr}")


def with_caddy(programs: dict[str, str], acme: AcmeServer, folder: Path, stack: contextlib.ExitStack) -> None:
    """Carry out the recipe with Caddy, which gets the certificate by itself and is the reverse proxy of the daemon."""
    daemon = Daemon(folder / "behind", "--no-tls", "--interface", "127.0.0.1", "--trusted-proxy", "127.0.0.1")
    stack.callback(daemon.stop)
    options = f"""{{
	admin off
	skip_install_trust
	default_bind 127.0.0.1
	http_port {acme.http_port}
	https_port {acme.tls_port}
	acme_ca {acme.directory}
	acme_ca_root {acme.trust}
	storage file_system {folder / "caddy"}
}}

"""
    text = changed((DEPLOY / "Caddyfile").read_text(), {"127.0.0.1:9000": f"127.0.0.1:{daemon.port}"})
    (folder / "Caddyfile").write_text(options + text)
    begin = time.monotonic()
    caddy = Program(
        [programs["caddy"], "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"],
        environment={"HOME": str(folder)},
    )
    stack.callback(caddy.stop)

    def is_served() -> bool:
        with contextlib.suppress(OSError):
            return bool(serial(acme.tls_port, acme.root))
        return False

    try:
        until(is_served, PATIENCE, "Caddy's certificate")
    except AssertionError as error:
        raise AssertionError(f"{error}: {caddy.stderr}") from None
    say(f"caddy: serves with a certificate {time.monotonic() - begin:.1f} s after its start")
    with secured(acme.tls_port, acme.root) as (connection, _):
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {NAME}:{acme.tls_port}\r\nConnection: close\r\n\r\n".encode())
        status = connection.recv(1024).split(b"\r\n")[0].decode()
        assert status == "HTTP/1.1 200 OK", status
    with signaling(acme.tls_port, acme.root) as line:
        ping(line)
    say("caddy: the page and a WebSocket come through it")


def main() -> None:
    """Carry out both recipes."""
    programs = find_programs()
    with tempfile.TemporaryDirectory(prefix="signald-acme-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        acme = AcmeServer(programs, folder, stack)
        with_certbot(programs, acme, folder, stack)
        with_caddy(programs, acme, folder, stack)
    say("acme: both recipes work")


if __name__ == "__main__":
    main()
