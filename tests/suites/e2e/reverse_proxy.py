"""Runs nginx and HAProxy in separate processes, with the files of `deploy/` changed to free ports."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.suites.e2e.program import Program
from tests.suites.e2e.turn import free_port
from tests.suites.e2e.waiting import until

#: The directory of the files that an operator copies.
DEPLOY = Path(__file__).resolve().parents[3] / "deploy"

#: The seconds within which a proxy has to start.
PATIENCE = 20.0


def changed(text: str, changes: Mapping[str, str]) -> str:
    """Return a configuration with pieces replaced; each piece must occur in the configuration."""
    for old, new in changes.items():
        assert old in text, f"not in the file: {old}"
        text = text.replace(old, new)
    return text


#: The path of the page behind a proxy under a path.
PATH = "/calls/"


class ReverseProxy:
    """A running reverse proxy that terminates TLS in front of a server on this machine.

    Attributes:
        program: the proxy's process.
        port: the port with TLS.
        plain_port: the port without TLS, which redirects to HTTPS.
        url: the URL of the page through the proxy.

    """

    def __init__(
        self, directory: Path, upstream: int, chain: bytes, key: bytes, changes: Mapping[str, str] | None = None
    ) -> None:
        """Start the proxy, and wait until it listens.

        Arguments:
            directory: created for the proxy's files.
            upstream: the port of the server behind the proxy.
            chain: the proxy's certificate and its intermediate certificates, as PEM.
            key: the certificate's key, as PEM.
            changes: replacements in the file of `deploy/`, in addition to ports and paths.

        Raises:
            SkipTest: the proxy is not installed.

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
        """Write the proxy's files, and return its command line."""
        raise NotImplementedError

    @staticmethod
    def under_a_path(*, strips: bool) -> dict[str, str]:
        """Return the replacements, as docs/proxies.md has them, with which the page is below `PATH`.

        Arguments:
            strips: whether the proxy strips the path; otherwise it passes it on.

        """
        raise NotImplementedError

    def _listens(self) -> bool:
        if self.program.process.poll() is not None:
            self.program.wait_for("$^", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            return tcp.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Stop the proxy."""
        self.program.stop()


class Nginx(ReverseProxy):
    """An nginx with `deploy/nginx.conf`."""

    def prepare(
        self, directory: Path, upstream: int, chain: bytes, key: bytes, changes: Mapping[str, str]
    ) -> list[str]:
        """Write certificate and key into separate files; nginx's temporary files are in the same directory."""
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

    @staticmethod
    def under_a_path(*, strips: bool) -> dict[str, str]:
        """Return the replacements; the slash after the upstream's name makes nginx strip the path."""
        target = "proxy_pass http://signald/;" if strips else "proxy_pass http://signald;"
        return {"location / {": f"location {PATH} {{", "proxy_pass http://signald;": target}


class HAProxy(ReverseProxy):
    """An HAProxy with `deploy/haproxy.cfg`."""

    def prepare(
        self, directory: Path, upstream: int, chain: bytes, key: bytes, changes: Mapping[str, str]
    ) -> list[str]:
        """Write certificate and key into one file, as HAProxy requires."""
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

    @staticmethod
    def under_a_path(*, strips: bool) -> dict[str, str]:
        """Return the replacements; the lines that strip the path stand in the file as comments."""
        changes = {
            "    default_backend signald\n": "    use_backend signald if { path /calls } or { path_beg /calls/ }\n"
        }
        for line in ("http-request redirect prefix", "http-request replace-path") if strips else ():
            changes[f"    # {line}"] = f"    {line}"
        return changes
