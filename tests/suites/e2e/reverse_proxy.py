"""nginx and HAProxy in processes of their own, with the files of `deploy/` moved to free ports."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.suites.e2e.program import Program
from tests.suites.e2e.turn import free_port
from tests.suites.e2e.waiting import until

#: The files that an operator copies.
DEPLOY = Path(__file__).resolve().parents[3] / "deploy"

#: Seconds that a proxy has to start.
PATIENCE = 20.0


def changed(text: str, changes: Mapping[str, str]) -> str:
    """Return a configuration with pieces of it replaced, each of which has to be in it."""
    for old, new in changes.items():
        assert old in text, f"not in the file: {old}"
        text = text.replace(old, new)
    return text


class ReverseProxy:
    """A running proxy that ends TLS in front of a server on this machine.

    Attributes:
        program: its process.
        port: where it listens, with TLS.
        plain_port: where it listens without, and sends to HTTPS.
        url: the page behind it.

    """

    def __init__(
        self, directory: Path, upstream: int, chain: bytes, key: bytes, changes: Mapping[str, str] | None = None
    ) -> None:
        """Start it, and wait until it listens.

        Arguments:
            directory: made for its files.
            upstream: the port of what it stands in front of.
            chain: its certificate and what follows it, as PEM.
            key: the certificate's key, as PEM.
            changes: what is different from the file in `deploy/`, besides ports and paths.

        Raises:
            SkipTest: it is not installed.

        """
        directory.mkdir(parents=True)
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}/"
        command = self.prepare(directory, upstream, chain, key, changes or {})
        if shutil.which(command[0]) is None:
            raise SkipTest(f"{command[0]} is not installed")
        self.program = Program(command)
        try:
            until(self._listens, PATIENCE, f"{command[0]} to listen")
        except BaseException:
            self.program.stop()
            raise

    def prepare(
        self, directory: Path, upstream: int, chain: bytes, key: bytes, changes: Mapping[str, str]
    ) -> list[str]:
        """Write its files, and return its command line."""
        raise NotImplementedError

    def _listens(self) -> bool:
        if self.program.process.poll() is not None:
            self.program.wait_for("$^", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            return tcp.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it."""
        self.program.stop()


class Nginx(ReverseProxy):
    """nginx with `deploy/nginx.conf`."""

    def prepare(
        self, directory: Path, upstream: int, chain: bytes, key: bytes, changes: Mapping[str, str]
    ) -> list[str]:
        """One file each for certificate and key; its temporary files in the same directory."""
        (directory / "chain.pem").write_bytes(chain)
        (directory / "key.pem").write_bytes(key)
        folders = "".join(
            f"    {kind}_temp_path {directory}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = changed(
            (DEPLOY / "nginx.conf").read_text(),
            {
                "worker_processes auto": "worker_processes 1",
                "worker_rlimit_nofile 40000": "worker_rlimit_nofile 1024",
                "worker_connections 36000": "worker_connections 512",
                "/var/log/nginx/error.log": "stderr",
                "/run/nginx.pid": f"{directory}/pid",
                "        listen [::]:80;\n": "",
                "listen 80": f"listen 127.0.0.1:{self.plain_port}",
                "        listen [::]:443 ssl;\n": "",
                "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
                "server_name calls.example.org": "server_name localhost",
                "/etc/letsencrypt/live/calls.example.org/fullchain.pem": f"{directory}/chain.pem",
                "/etc/letsencrypt/live/calls.example.org/privkey.pem": f"{directory}/key.pem",
                "127.0.0.1:9000": f"127.0.0.1:{upstream}",
                "http {\n": f"http {{\n{folders}",
            },
        )
        (directory / "nginx.conf").write_text(changed(text, changes))
        return ["/usr/sbin/nginx", "-p", str(directory), "-c", str(directory / "nginx.conf"), "-g", "daemon off;"]


class HAProxy(ReverseProxy):
    """HAProxy with `deploy/haproxy.cfg`."""

    def prepare(
        self, directory: Path, upstream: int, chain: bytes, key: bytes, changes: Mapping[str, str]
    ) -> list[str]:
        """Certificate and key in one file."""
        (directory / "pair.pem").write_bytes(chain + key)
        text = changed(
            (DEPLOY / "haproxy.cfg").read_text(),
            {
                "maxconn 18000": "maxconn 200",
                "bind :80\n": f"bind 127.0.0.1:{self.plain_port}\n",
                "bind :443 ": f"bind 127.0.0.1:{self.port} ",
                "/etc/haproxy/calls.example.org.pem": f"{directory}/pair.pem",
                "127.0.0.1:9000": f"127.0.0.1:{upstream}",
            },
        )
        (directory / "haproxy.cfg").write_text(changed(text, changes))
        return ["/usr/sbin/haproxy", "-db", "-f", str(directory / "haproxy.cfg")]
