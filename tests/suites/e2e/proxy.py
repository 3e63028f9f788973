"""A TCP proxy that drops connections: at once, at a certain text from the server, or without notice to either side."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

#: The number of bytes that are read at once.
PIECE = 65536

_RESET = struct.pack("ii", 1, 0)


class _Link:
    """The TCP connection of a client, and the proxy's TCP connection to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.sockets = (client, server)

    def reset(self) -> None:
        """Reset both TCP connections, as a router that restarts would."""
        for end in self.sockets:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
        for end in self.sockets:
            end.close()


class Proxy:
    """Forwards TCP connections to a port of this machine.

    Attributes:
        port: the port on which the proxy listens.

    """

    def __init__(self, target: int) -> None:
        """Listen on a free port; `target` is the port to which connections are forwarded."""
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
        """Reset all TCP connections now."""
        links, self._links = self._links, []
        for link in links:
            link.reset()

    def cut_at(self, word: bytes, *, deliver: bool) -> None:
        """Reset one TCP connection once the server sends this text, before or after forwarding it to the client."""
        self._word, self._deliver = word, deliver

    def hold(self) -> None:
        """Forward nothing more on the open TCP connections, without notice to either side."""
        self._held.set()
        self._links, links = [], self._links
        self._silent = links

    def close(self) -> None:
        """Stop listening, and reset the remaining TCP connections."""
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
