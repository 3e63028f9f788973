"""Starts the servers that are measured, signald among them, each in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from benchmarks.peers.toolchains import ROOT, SOURCES, AbsentError, build_go, build_matchbox, build_node
from benchmarks.processes import cpu_seconds, end, memory
from benchmarks.server import Server

__all__ = ["PEERS", "Peer", "Running", "Signald", "start_peer"]

START_SECONDS = 20.0
POLL_SECONDS = 0.02
STOP_SECONDS = 5.0

Command = Callable[[Sequence[str]], tuple[Sequence[str], Mapping[str, str]]]
"""Returns the command line and the additional environment of a server, given its certificate and key, if any."""


class Running:
    """A server that runs.

    Attributes:
        pid: its process.
        port: its port.

    """

    pid: int
    port: int

    def cpu(self) -> float:
        """Return the CPU seconds that it has used."""
        return cpu_seconds(self.pid)

    def memory(self) -> float:
        """Return its resident memory in MiB."""
        return memory(self.pid)

    def stop(self) -> None:
        """End it."""
        raise NotImplementedError


class Signald(Running):
    """signald with its defaults.

    Attributes:
        certificate: the arguments with which a peer has the same kind of certificate: its file and its key's.

    """

    def __init__(self, directory: Path, *, tls: bool, options: Sequence[str] = ()) -> None:
        """Start it with its data in a directory."""
        self._server = Server(directory, *options, *([] if tls else ["--no-tls"]))
        self.pid = self._server.pid
        self.port = self._server.port
        data = self._server.authority.parent
        self.certificate = (str(data / "cert.pem"), str(data / "key.pem")) if tls else ()

    def stop(self) -> None:
        """End it."""
        self._server.stop()


class _Process(Running):
    def __init__(self, command: Sequence[str], environment: Mapping[str, str], port: int, log: Path) -> None:
        with log.open("wb") as out:
            self._process = subprocess.Popen(  # noqa: S603 # one of the peers
                command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environment}, cwd=ROOT
            )
        self.pid = self._process.pid
        until = time.monotonic() + START_SECONDS
        while not (found := self._read_port(port, log)):
            if time.monotonic() > until or self._process.poll() is not None:
                self.stop()
                raise AbsentError(f"{command[0]} did not start: {log.read_text()[-300:]}")
            time.sleep(POLL_SECONDS)
        self.port = found

    @staticmethod
    def _read_port(port: int, log: Path) -> int:
        """Return the port once the server listens: the one that it was given, or the one that it prints."""
        if not port:
            found = re.search(r"^port (\d+)$", log.read_text(), re.MULTILINE)
            return int(found[1]) if found else 0
        with socket.socket() as probe:
            return port if probe.connect_ex(("127.0.0.1", port)) == 0 else 0

    def stop(self) -> None:
        end(self._process, STOP_SECONDS)


@frozen
class Peer:
    """A server that signald is measured beside.

    Attributes:
        name: its name in the tables.
        wire: the protocol of its clients, a key of the load generator's `WIRES`.
        command: makes its command line; it raises `AbsentError` where the server cannot run.
        has_tls: whether it can speak TLS.

    """

    name: str
    wire: str
    command: Command
    has_tls: bool = True


def _node(script: str) -> Command:
    def command(certificate: Sequence[str]) -> tuple[Sequence[str], Mapping[str, str]]:
        environment = {"NODE_PATH": str(build_node())}
        return [shutil.which("node") or "node", str(SOURCES / script), *certificate], environment

    return command


def _python(module: str) -> Command:
    return lambda certificate: ([sys.executable, "-m", f"benchmarks.peers.{module}", *certificate], {})


def _go(certificate: Sequence[str]) -> tuple[Sequence[str], Mapping[str, str]]:
    return [str(build_go()), *certificate], {}


def _matchbox(_certificate: Sequence[str]) -> tuple[Sequence[str], Mapping[str, str]]:
    return [str(build_matchbox())], {}


PEERS = {
    "node": Peer("Node ws", "bare", _node("forwarder.js")),
    "peerjs": Peer("PeerJS server", "peerjs", _node("peerjs.js")),
    "go": Peer("Go", "bare", _go),
    "picows": Peer("picows", "bare", _python("picows_forwarder")),
    "websockets": Peer("websockets", "bare", _python("websockets_forwarder")),
    "matchbox": Peer("matchbox", "matchbox", _matchbox, has_tls=False),
}


def start_peer(name: str, directory: Path, certificate: Sequence[str]) -> Running:
    """Build and start a peer; with a certificate it speaks TLS.

    Raises:
        AbsentError: it cannot run here.

    """
    peer = PEERS[name]
    if certificate and not peer.has_tls:
        raise AbsentError("it has no TLS")
    command, environment = peer.command(certificate)
    port = 0
    if name == "matchbox":
        # It does not tell which port the kernel gave to it, so it gets one that was free a moment ago.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [*command, f"127.0.0.1:{port}"]
    return _Process(command, environment, port, directory / f"{name}{'-tls' if certificate else ''}.log")
