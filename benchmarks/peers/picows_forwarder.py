"""A bare forwarder on picows and uvloop: `python -m benchmarks.peers.picows_forwarder [CERTIFICATE KEY]`.

It tells each connection its id, and forwards `{"to": id, …}` with `from` in place of `to`. It has no limits, no checks
and no pings: it is the floor of what Python can do.
"""

from __future__ import annotations

import secrets
import sys

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from benchmarks.peers.forwarder import announce_port, run, server_context

_clients: dict[str, WSTransport] = {}


class _Client(WSListener):
    id = ""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Tell the client its id."""
        self.id = secrets.token_hex(16)
        _clients[self.id] = transport
        transport.send(WSMsgType.TEXT, orjson.dumps({"id": self.id}))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Forward a message."""
        if frame.msg_type is WSMsgType.TEXT:
            message = orjson.loads(frame.get_payload_as_memoryview())
            to = message.pop("to")
            message["from"] = self.id
            if (receiver := _clients.get(to)) is not None:
                receiver.send(WSMsgType.TEXT, orjson.dumps(message))
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.send_close()
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the client."""
        del _clients[self.id]


def _accept(_request: WSUpgradeRequest) -> WSListener:
    return _Client()


async def _serve() -> None:
    context = server_context(sys.argv[1:])
    server = await ws_create_server(_accept, "127.0.0.1", 0, ssl=context, backlog=1024)
    announce_port(server.sockets[0])
    await server.serve_forever()


if __name__ == "__main__":
    run(_serve)
