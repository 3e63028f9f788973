"""Applications of PeerJS's published client, unmodified, against a daemon or PeerJS's own server as the control."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Protocol

from codegen.node_tools import MODULES, NODE
from tests.suites.e2e.application import Application
from tests.suites.e2e.browser import Tab
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import Program
from tests.suites.e2e.waiting import until

__all__ = ["PATIENCE", "ControlServer", "PeerJsApplication", "PeerJsPage", "PeerJsServer", "SignaldServer"]

#: The seconds within which two clients have to connect, on a machine that other tests load.
PATIENCE = 40.0

_LIBRARY = MODULES / "peerjs" / "dist" / "peerjs.min.js"

_PAGE = b"<!doctype html><meta charset=utf-8><title>PeerJS</title><script src=/peerjs.min.js></script>"

#: JavaScript with which a page records the events of its peer and connections as texts.
_RECORDER = """
globalThis.seen = [];
globalThis.connections = [];
globalThis.calls = [];
globalThis.watchConnection = (connection) => {
  connections.push(connection);
  connection.on("open", () => seen.push("connection open"));
  connection.on("data", (data) => seen.push(data instanceof ArrayBuffer || ArrayBuffer.isView(data)
    ? ["bytes", ...new Uint8Array(data.buffer ?? data)] : ["data", data]));
  connection.on("close", () => seen.push("connection close"));
};
globalThis.watchCall = (call) => {
  calls.push(call);
  call.on("stream", (stream) => {
    const video = document.createElement("video");
    Object.assign(video, { srcObject: stream, autoplay: true, muted: true });
    document.body.append(video);
  });
  call.on("close", () => seen.push("call close"));
};
globalThis.watchPeer = (peer) => {
  peer.on("open", (id) => seen.push(`open ${id}`));
  peer.on("error", (error) => seen.push(`error ${error.type}`));
  peer.on("disconnected", () => seen.push("disconnected"));
  peer.on("connection", watchConnection);
  peer.on("call", (call) => { watchCall(call); call.answer(globalThis.stream); });
  return peer;
};
"""


class PeerJsServer(Protocol):
    """A server that PeerJS's clients use.

    Attributes:
        port: its port on `localhost`.

    """

    port: int

    def restart(self) -> None:
        """Stop the server in order, and start it again on the same port."""

    def stop(self) -> None:
        """Stop the server."""


class SignaldServer:
    """A daemon that serves clients of PeerJS over plain HTTP.

    Attributes:
        daemon: the daemon.
        port: its port.

    """

    def __init__(self, directory: Path, origin: str, *, peerjs: str = "--peerjs") -> None:
        self._directory = directory
        self._options = ("--no-tls", peerjs, "--allow-origin", origin)
        self.daemon = Daemon(directory, *self._options)
        self.port = self.daemon.port

    def restart(self) -> None:
        """Stop the daemon, and start it again with its state."""
        assert self.daemon.stop() == 0, self.daemon.program.stderr
        self.start_again()

    def start_again(self) -> None:
        """Start another process with the data directory and the port of one that has ended."""
        self.daemon = Daemon(self._directory, *self._options, "--port", str(self.port))

    def stop(self) -> None:
        """Stop the daemon."""
        self.daemon.stop()


class ControlServer:
    """PeerJS's own server.

    Attributes:
        port: its port.

    """

    def __init__(self, _directory: Path, _origin: str) -> None:
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            self.port: int = probe.getsockname()[1]
        self._start()

    def _start(self) -> None:
        script = Path(__file__).with_name("peerjs_control.mjs")
        self._program = Program([NODE, script, MODULES, str(self.port)])
        self._program.wait_for("listening", PATIENCE)

    def restart(self) -> None:
        """Stop the server, and start it again."""
        self.stop()
        self._start()

    def stop(self) -> None:
        """Stop the server."""
        self._program.stop()


class PeerJsApplication(Application):
    """Serves a page with PeerJS's client."""

    def __init__(self) -> None:
        super().__init__({"/": (_PAGE, "text/html"), "/peerjs.min.js": (_LIBRARY.read_bytes(), "text/javascript")})


class PeerJsPage:
    """A page with a client of PeerJS in the global variable `peer`.

    Attributes:
        tab: the browser tab.

    """

    def __init__(self, tab: Tab, application: PeerJsApplication, server: PeerJsServer) -> None:
        self.tab = tab
        self._port = server.port
        tab.open(application.origin + "/")
        self.execute(_RECORDER)

    def execute(self, statements: str) -> Any:
        """Run statements in an async function, and return the JSON value that they return."""
        return self.tab.evaluate(f"(async () => {{ {statements} }})()")

    def start(self, id: str | None = None, **options: Any) -> None:
        """Create a peer, with an id of the server's choice by default."""
        fixed = {"host": "localhost", "port": self._port, "path": "/", "secure": False, "config": {"iceServers": []}}
        arguments = json.dumps({**fixed, **options})
        self.execute(f"globalThis.peer = watchPeer(new Peer({json.dumps(id) if id else 'undefined'}, {arguments}));")

    def open(self, id: str | None = None, **options: Any) -> str:
        """Create a peer, wait until it is open, and return its id."""
        self.start(id, **options)
        self.wait_for("open")
        found: str = self.execute("return peer.id;")
        return found

    def connect(self, id: str, **options: Any) -> None:
        """Open a data connection to another peer, and wait until it is open."""
        self.execute(f"watchConnection(peer.connect({json.dumps(id)}, {json.dumps(options)}));")
        self.wait_for("connection open")

    def use_camera(self) -> None:
        """Get a small picture of the camera, with sound."""
        self.execute(
            "globalThis.stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 160 } });"
        )

    def seen(self) -> list[Any]:
        """Return what the page has recorded."""
        found: list[Any] = self.execute("return seen;")
        return found

    def wait_for(self, entry: Any, count: int = 1) -> None:
        """Wait until the page has recorded an entry so often; a text counts where an entry begins with it."""

        def has_seen() -> bool:
            matching = [
                one for one in self.seen() if one == entry or (isinstance(one, str) and one.startswith(str(entry)))
            ]
            return len(matching) >= count

        until(has_seen, PATIENCE, f"{count} times {entry!r} in the page")

    def wait_for_picture(self) -> None:
        """Wait until a picture of the other side is shown and goes on."""

        def goes_on() -> bool:
            time = "return [...document.querySelectorAll('video')].map((v) => v.videoWidth && v.currentTime).at(-1);"
            before = self.execute(time)
            self.execute("await new Promise((resolve) => setTimeout(resolve, 500));")
            return bool(before) and self.execute(time) > before

        until(goes_on, PATIENCE, "a picture that goes on")
