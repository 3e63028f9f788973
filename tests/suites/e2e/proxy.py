"""A TCP proxy that loses connections: in a moment, at a word of the server, or in silence."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

#: Bytes read at once.
PIECE = 65536

_RESET = struct.pack("ii", 1, 0)


class _Link:
    """One client's connection and the proxy's own to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.sockets = (client, server)

    def reset(self) -> None:
        """Lose both, as a router that restarts would."""
        for end in self.sockets:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
        for end in self.sockets:
            end.close()


class Proxy:
    """Passes connections to a port of this machine on.

    Attributes:
        port: where it listens.

    """

    def __init__(self, target: int) -> None:
        """Listen; `target` is the port that it passes connections to."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._links: list[_Link] = []
        self._word = b""
        self._deliver = False
        self._held = threading.Event()
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Lose all connections now."""
        links, self._links = self._links, []
        for link in links:
            link.reset()

    def cut_at(self, word: bytes, *, deliver: bool) -> None:
        """Lose a connection once when the server says this in it, before or after the client hears it."""
        self._word, self._deliver = word, deliver

    def hold(self) -> None:
        """Pass nothing on any more in the connections that there are, without a word to either side."""
        self._held.set()
        self._links, links = [], self._links
        self._silent = links

    def close(self) -> None:
        """Listen no more, and lose what is left."""
        self._listener.close()
        self.cut()
        for link in getattr(self, "_silent", []):
            link.reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._held = threading.Event()
            server = socket.create_connection(("127.0.0.1", self._target))
            link = _Link(client, server)
            self._links.append(link)
            for source, sink in ((client, server), (server, client)):
                arguments = (link, source, sink, source is server, self._held)
                threading.Thread(target=self._pass, args=arguments, daemon=True).start()

    def _pass(
        self, link: _Link, source: socket.socket, sink: socket.socket, of_server: bool, held: threading.Event
    ) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                if held.is_set():
                    return
                hit = of_server and self._word and self._word in piece
                if not hit or self._deliver:
                    sink.sendall(piece)
                if hit:
                    self._word = b""
                    self.cuts += 1
                    break
        link.reset()
